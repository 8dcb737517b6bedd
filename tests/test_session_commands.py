"""Whole talks that are told what to do: ask, say, stop, mute, push to talk, end."""

from __future__ import annotations

import asyncio

import pytest
from session_stage import LONG, QUIET, REPLIES, UNCHECKED, Phone, at, scripted, talk

from atonce.agent.events import FirstAudio, ReplyEnded, ReplySettled, SentenceSaid, TalkEnded
from atonce.agent.fake_voice import SoundBook, spoken
from atonce.agent.fakes import Costs, Effort, ScriptedDetector, as_told
from atonce.agent.session import Session
from atonce.agent.turn_rules import TurnRules
from atonce.agent.virtual_time import run
from atonce.config.load import defaults
from atonce.speech.listener import Listener


def test_a_written_question_is_answered_and_stop_silences() -> None:
    def during(session: Session) -> None:
        at(1.0, lambda: session.ask("Please tell me everything"))
        at(4.0, session.stop)

    done = talk(seconds=8, settings=UNCHECKED, during=during)

    assert done.phone.level(4.1, 8.0) == 0.0
    assert done.phone.of(ReplyEnded)[0].is_cut


def test_a_muted_session_hears_nothing() -> None:
    done = talk((0.5, "When do you open"), during=lambda session: session.mute(is_muted=True))

    assert done.replies == []
    assert done.states == []


def test_push_to_talk_hears_while_the_button_is_held_and_answers_when_it_is_let_go() -> None:
    settings = [*QUIET, *UNCHECKED, "endpoint.incomplete_ms=5000", "endpoint.unsure_ms=5000"]
    rules = TurnRules.from_settings(defaults(settings).settings, is_push_to_talk=True)

    def during(session: Session) -> None:
        at(0.4, session.press)
        at(1.7, session.release)

    done = talk(
        (0.5, "When do you open"),
        (6.0, "What does it cost"),
        seconds=10,
        settings=settings,
        rules=rules,
        during=during,
    )

    assert done.replies == ["We open at ten."]  # nobody held the button for the other question
    assert done.phone.of(FirstAudio)[0].at_s < 3.0


def test_a_talk_that_is_cleared_has_no_history() -> None:
    done = talk(
        (0.5, "When do you open"),
        (7.0, "What does it cost"),
        seconds=12,
        settings=UNCHECKED,
        during=lambda session: at(5.0, session.clear),
    )

    assert done.replies == ["We open at ten.", "It costs eight euros."]
    assert done.asked[-1].history == ()


def test_a_sentence_is_said_when_somebody_asks_for_it() -> None:
    done = talk(during=lambda session: at(1.0, lambda: session.say("The shop closes now.")))

    assert done.replies == ["The shop closes now."]
    assert [event.kind for event in done.phone.of(SentenceSaid)] == ["asked"]


def test_steps_chosen_by_hand_stay_inside_the_range() -> None:
    def during(session: Session) -> None:
        session.choose_steps(1000)

    done = talk(
        (0.5, "When do you open"),
        settings=["agent.check=false", "llm.max_steps=9"],
        during=during,
    )

    assert done.phone.of(ReplySettled)[0].reply.steps <= 9


def test_a_polite_end_says_goodbye_and_is_over() -> None:
    done = talk(seconds=30, during=lambda session: at(1.0, session.end))
    ended = done.phone.of(TalkEnded)[0]

    assert [event.heard for event in done.phone.of(ReplyEnded)] == [
        defaults([]).settings.agent.sentences.goodbye
    ]
    assert (ended.reason, ended.at_s < 9.0) == ("ended", True)


def test_without_a_goodbye_the_end_is_at_once() -> None:
    done = talk(
        seconds=30,
        settings=['agent.sentences.goodbye=""'],
        during=lambda session: at(1.0, session.end),
    )

    assert done.phone.of(TalkEnded) == [TalkEnded(pytest.approx(1.0), "ended")]


def test_a_cancelled_talk_is_silent_and_says_that_it_ended() -> None:
    async def main() -> Phone:
        loop = asyncio.get_running_loop()
        chosen = defaults([*QUIET, *UNCHECKED]).settings
        book = SoundBook()
        engines, _ = scripted(book, Effort(), REPLIES, Costs(), as_told)
        phone = Phone([(0.5, spoken("Please tell me everything"))], 30.0, book)
        listener = Listener(ScriptedDetector())
        session = Session(chosen, engines, phone, clock=loop.time, listener=listener)

        async with asyncio.TaskGroup() as group:
            task = group.create_task(session.run())
            await asyncio.sleep(6.0)
            assert phone.playback.is_sounding
            task.cancel()

        session.ask("Is anybody there?")  # nobody is, and nothing happens
        return phone

    phone = run(main())

    assert phone.of(TalkEnded) == [TalkEnded(pytest.approx(6.0), "cancelled")]
    heard = phone.of(ReplyEnded)[-1]
    assert heard.is_cut
    assert LONG.startswith(heard.heard)
    assert len(heard.heard) < len(LONG)
    assert phone.playback.waiting_s == 0.0
