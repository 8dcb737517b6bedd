"""A whole talk on a virtual clock: questions, replies, and what is remembered of them."""

from __future__ import annotations

import asyncio

import pytest
from session_stage import QUIET, REPLIES, UNCHECKED, Phone, scripted, talk

from atonce.agent.events import (
    FirstAudio,
    ReplyEnded,
    ReplySettled,
    ReplyWithdrawn,
    SentenceSaid,
    TalkEnded,
)
from atonce.agent.fake_voice import SoundBook, spoken
from atonce.agent.fakes import Costs, Due, Effort, ScriptedDetector, ScriptedWriter, as_told
from atonce.agent.session import Session
from atonce.agent.virtual_time import run
from atonce.agent.worker import Stage
from atonce.config.load import defaults
from atonce.speech.endpoint import EndpointRules
from atonce.speech.listener import Listener


def test_a_question_is_answered_and_the_talk_ends_with_the_stream() -> None:
    done = talk((0.5, "When do you open"), settings=UNCHECKED)
    ended = done.phone.of(TalkEnded)

    assert done.replies == ["We open at ten."]
    assert done.states == ["hearing", "thinking", "speaking", "listening"]
    assert ended == [TalkEnded(pytest.approx(8.0, abs=0.05), "closed")]
    assert len(done.phone.of(FirstAudio)) == 1


def test_the_next_prompt_holds_what_was_heard() -> None:
    done = talk(
        (0.5, "When do you open"), (6.0, "What does it cost"), seconds=12, settings=UNCHECKED
    )
    history = done.asked[-1].history

    assert done.replies == ["We open at ten.", "It costs eight euros."]
    assert [(past.question, past.reply) for past in history] == [
        ("When do you open", "We open at ten.")
    ]


def test_the_history_is_read_before_the_next_question_comes() -> None:
    done = talk((0.5, "When do you open"), seconds=8, settings=UNCHECKED)
    _, ahead = done.writer.prompts[-1]

    assert ahead.question == ""
    assert [past.reply for past in ahead.history] == ["We open at ten."]


def test_a_late_transcript_belongs_to_its_turn() -> None:
    def late(stage: Stage, seconds: float) -> Due:
        return Due(seconds, 3.0 if stage is Stage.FINAL_TRANSCRIPT else 0.0)

    done = talk((0.5, "When do you open"), seconds=12, pace=late, settings=UNCHECKED)

    assert done.replies == ["We open at ten."]


def test_a_question_in_two_breaths_gets_one_answer() -> None:
    done = talk((0.5, "What does"), (1.5, "it cost to get in"), seconds=12, settings=UNCHECKED)

    assert done.replies == ["It costs eight euros."]
    assert done.asked[-1].question == "What does it cost to get in"


def test_a_withdrawn_draft_makes_no_sound() -> None:
    done = talk((0.5, "When do you open"), (1.7, "tomorrow I mean"), seconds=12, settings=UNCHECKED)
    first = done.phone.of(FirstAudio)[0].at_s

    assert done.replies == ["We open at ten."]
    assert done.phone.of(ReplyWithdrawn)
    assert done.phone.level(0.0, first) == 0.0


def test_a_reply_is_made_out_of_the_draft_that_was_withdrawn() -> None:
    done = talk((0.5, "When do you open"), (1.7, "tomorrow I mean"), seconds=12, settings=UNCHECKED)
    withdrawn, number = done.phone.of(ReplyWithdrawn)[0], done.phone.of(FirstAudio)[0].reply
    settled = {event.number: event.reply for event in done.phone.of(ReplySettled)}

    assert withdrawn.reply != number
    assert settled[number].is_refined
    assert settled[number].steps == 1  # it holds: the pass that looked was enough


def test_a_new_question_is_not_made_out_of_the_reply_before() -> None:
    done = talk(
        (0.5, "When do you open"), (6.0, "When do you open"), seconds=12, settings=UNCHECKED
    )
    settled = [event.reply for event in done.phone.of(ReplySettled)]

    assert len(settled) == 2
    assert not any(reply.is_refined for reply in settled)


def test_goodbye_is_said_and_ends_the_talk() -> None:
    done = talk((0.5, "Goodbye"), seconds=30)
    said = [event.kind for event in done.phone.of(SentenceSaid)]

    assert said == ["goodbye"]
    assert done.phone.of(TalkEnded)[0].reason == "goodbye"
    assert done.phone.of(TalkEnded)[0].at_s < 10


def test_the_greeting_is_said_first() -> None:
    done = talk(settings=["agent.sentences.greeting=Hello there."], seconds=4)

    assert done.replies == ["Hello there."]
    assert done.phone.of(SentenceSaid)[0].kind == "greeting"


def test_two_talks_on_the_same_engines_know_nothing_of_each_other() -> None:
    async def main() -> tuple[Phone, Phone, ScriptedWriter]:
        loop = asyncio.get_running_loop()
        chosen = defaults([*QUIET, *UNCHECKED]).settings
        book = SoundBook()
        engines, writer = scripted(book, Effort(), REPLIES, Costs(), as_told)
        phones = [
            Phone([(0.5, spoken("When do you open")), (6.0, spoken("open today"))], 12.0, book),
            Phone([(0.9, spoken("What does it cost")), (6.5, spoken("cost today"))], 12.0, book),
        ]

        async with asyncio.TaskGroup() as group:
            for phone in phones:
                rules = EndpointRules.from_settings(chosen.endpoint)
                listener = Listener(ScriptedDetector(), rules)
                one = Session(chosen, engines, phone, clock=loop.time, listener=listener)
                group.create_task(one.run())

        return phones[0], phones[1], writer

    one, other, writer = run(main())
    asked = {prompt.question: prompt for _, prompt in writer.prompts}

    assert [event.heard for event in one.of(ReplyEnded)] == ["We open at ten."] * 2
    assert [event.heard for event in other.of(ReplyEnded)] == ["It costs eight euros."] * 2
    assert [past.question for past in asked["open today"].history] == ["When do you open"]
    assert [past.question for past in asked["cost today"].history] == ["What does it cost"]
