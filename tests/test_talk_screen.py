"""The talk on a terminal: what its events become, and how they look in 80 columns."""

from __future__ import annotations

import io
import logging
import os

import pytest
from rich.console import Console

from atonce.agent import events as e
from atonce.agent.native_noise import caught
from atonce.agent.reply_check import Problem, Verdict
from atonce.agent.reply_rules import Reply
from atonce.agent.talk_key import RELEASED_S, TalkKey
from atonce.agent.talk_screen import TalkScreen, meter, picture
from atonce.agent.talk_view import Line, TalkView
from atonce.llm.protocols import Cell, Draft, Plan

REPLY = "An adult ticket costs $14."
QUESTION = "How much is a ticket?"


def draft(step: int, *, open_cells: int) -> Draft:
    """A canvas in which so many positions are still masked."""
    words = [" An", " adult", " ticket", " costs", " $14."]
    cells = tuple(Cell(n, word, n < open_cells, 0.95) for n, word in enumerate(words))
    return Draft(step, 4, cells)


def turn(*, is_cut: bool = False) -> list[e.SessionEvent]:
    """A question and its answer, as a session tells them."""
    plan = Plan(steps=4, canvas=40, rule="cosine", threshold=0.9, seed=0)
    problem = Problem("value", 0, 1, "$15 stands in no fact")
    return [
        e.LevelMeasured(0.5, -60.0, -62.0),
        e.SpeechDetected(1.0, 0.8),
        e.StateChanged(1.0, "hearing"),
        e.LevelMeasured(1.1, -24.0, -62.0),
        e.WordsHeard(1.5, "How much is", 2),
        e.SpeechPaused(2.1, 2.0),
        e.WordsHeard(2.3, QUESTION, 5, is_final=True),
        e.ReplyStarted(2.3, 1, QUESTION, is_early=True),
        e.StateChanged(2.3, "thinking"),
        e.PlanMade(2.3, plan, "K 4: room for 6", 1),
        e.PromptRead(2.4, 80),
        e.DraftMade(2.45, draft(1, open_cells=3), 0),
        e.DraftMade(2.5, draft(4, open_cells=0), 0),
        e.ReplyChecked(2.5, Verdict((problem,)), final=False),
        e.DraftMade(2.55, draft(1, open_cells=1), 1),
        e.ReplyChecked(2.6, Verdict(()), final=True),
        e.ReplySettled(2.6, Reply(REPLY, "denoiser", 5, 1, forced=False), 1),
        e.SpeechStopped(2.5, 2.0),
        e.ReplyWaits(2.64, 1),
        e.FirstAudio(2.65, 1),
        e.StateChanged(2.65, "speaking"),
        e.ReplyEnded(4.0, "An adult ticket" if is_cut else REPLY, is_cut, 1),
        e.StateChanged(4.0, "listening"),
    ]


def lines(events: list[e.SessionEvent]) -> list[Line]:
    view = TalkView()
    return [line for event in events for line in view.receive(event)]


def drawn(view: TalkView, *, width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    console.print(picture(view, keys="q: quit"))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_a_turn_becomes_two_lines_with_the_time_that_it_took() -> None:
    assert lines(turn()) == [
        Line("you", QUESTION),
        Line("agent", REPLY, "denoiser, K 5, repaired 1×, first sound after 650 ms"),
    ]


def test_an_interrupted_reply_shows_what_was_heard_of_it() -> None:
    agent = lines(turn(is_cut=True))[1]
    assert agent.text == "An adult ticket …"
    assert agent.detail.endswith("interrupted")


def test_a_reply_that_was_withdrawn_is_not_told() -> None:
    begun = turn()[:17]
    assert lines([*begun, e.ReplyWithdrawn(2.7, 1)]) == []
    again = [e.ReplyStarted(3.0, 2, f"{QUESTION} For a child?"), e.FirstAudio(4.0, 2)]
    assert lines([*begun, e.ReplyWithdrawn(2.7, 1), *again]) == [
        Line("you", f"{QUESTION} For a child?")
    ]


def test_a_sentence_of_the_agents_own_follows_what_it_answers() -> None:
    said = [
        e.WordsHeard(1.0, "Goodbye.", 1, is_final=True),
        e.SentenceSaid(1.2, "goodbye", "Have a nice day."),
        e.FirstAudio(1.2, 7),
        e.ReplyEnded(2.0, "Have a nice day.", False, 7),
        e.TalkEnded(2.0, "goodbye"),
    ]
    assert lines(said) == [
        Line("you", "Goodbye."),
        Line("agent", "Have a nice day."),
        Line("note", "the talk is over: you said goodbye"),
    ]


def test_a_reply_that_goes_on_follows_what_was_said_and_not_its_old_question() -> None:
    asked = e.WordsHeard(5.0, "Go on.", 2, is_final=True)
    started = e.ReplyStarted(5.1, 2, QUESTION, continues=True)

    assert lines([*turn(), asked, started, e.FirstAudio(5.5, 2)])[-1] == Line("you", "Go on.")
    # Nobody said a word: it was cut by a noise, and goes on by itself.
    again = lines([*turn(), started, e.FirstAudio(5.5, 2)])
    assert again == lines(turn())


def test_what_was_being_said_when_the_talk_was_stopped_is_told() -> None:
    heard = e.ReplyEnded(3.0, "An adult", is_cut=True, reply=1)
    stopped = [*turn()[:21], heard, e.TalkEnded(3.0, "cancelled")]
    assert lines(stopped)[-1].text == "An adult …"
    assert lines(stopped)[-1].detail.endswith("interrupted")


def test_troubles_are_told_as_they_are() -> None:
    assert lines([e.ErrorRaised(1.0, "The microphone is gone.")]) == [
        Line("note", "The microphone is gone.")
    ]


@pytest.mark.parametrize("width", [80, 60, 200])
def test_the_picture_fits_the_terminal_at_every_moment(width: int) -> None:
    view = TalkView()
    for event in turn():
        view.receive(event)
        assert all(len(line) <= width for line in drawn(view, width=width).splitlines())
        assert len(drawn(view, width=width).splitlines()) <= 20


def test_words_appear_as_they_are_heard_and_the_reply_as_it_denoises() -> None:
    view, seen = TalkView(), []
    for event in turn():
        view.receive(event)
        seen.append(drawn(view))

    assert any("hearing you" in each and "How much is" in each for each in seen)
    assert any("▁▁▁ ▁▁▁ ▁▁▁  costs $14.   step 1 of 4" in each for each in seen)
    assert any("repair 1" in each and "$15 stands in no fact" in each for each in seen)
    assert any("speaking" in each and REPLY in each and "K 4" in each for each in seen)
    assert "room for 6" in seen[-1]
    assert "transcript" in seen[-1]  # the waterfall of the turn stays
    assert "on its way        650    10" in seen[-1]
    assert REPLY not in seen[-1]


def test_the_meter_shows_loudness_and_the_stillest_moment() -> None:
    assert meter(-60.0, -60.0).plain.count("█") == 0
    assert meter(-30.0, -60.0).plain.count("█") == 10
    assert meter(0.0, -60.0).plain.count("█") == 20
    assert meter(-60.0, -30.0).plain.index("│") == 10
    assert meter(float("-inf"), float("-inf")).plain.endswith("-99 dB")


def test_where_nobody_looks_there_are_plain_lines() -> None:
    file = io.StringIO()
    with TalkScreen(console=Console(file=file, width=80)) as screen:
        screen.begin()
        screen.say("ready: speak")
        for event in turn():
            screen.show(event)

    assert file.getvalue().splitlines() == [
        "note   ready: speak",
        f"you    {QUESTION}",
        f"agent  {REPLY}  (denoiser, K 5, repaired 1×, first sound after 650 ms)",
    ]


def test_on_a_terminal_the_log_becomes_notes_and_is_given_back() -> None:
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True)
    before = logging.getLogger().handlers[:]
    with TalkScreen(console=console, keys="q: quit") as screen:
        screen.begin()
        logging.getLogger("atonce.test").warning("the disk is full")
        for event in turn():
            screen.show(event)

    assert "warning: the disk is full" in file.getvalue()
    assert "q: quit" in file.getvalue()
    assert logging.getLogger().handlers == before


def test_what_libraries_write_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), caught():
        os.write(2, b"ALSA lib: underrun\n")

    assert "ALSA lib: underrun" in caplog.messages


# ---- the key of push-to-talk ----


def test_two_taps_begin_and_end() -> None:
    key = TalkKey()
    key.press(1.0)
    key.pass_time(2.0)
    assert key.is_down
    key.press(3.0)
    assert key.due_s is not None
    key.pass_time(key.due_s)
    assert not key.is_down


def test_a_held_key_is_let_go_when_it_stops_repeating() -> None:
    key = TalkKey()
    key.press(1.0)
    for n in range(40):  # a keyboard repeats after half a second, 30 times a second
        at_s = 1.5 + n / 30
        key.press(at_s)
        key.pass_time(at_s + 0.01)
        assert key.is_down

    key.pass_time(at_s + RELEASED_S)
    assert not key.is_down


def test_a_key_that_is_let_go_can_be_pressed_again() -> None:
    key = TalkKey()
    for begin_s in (1.0, 5.0):
        key.press(begin_s)
        assert key.is_down
        key.press(begin_s + 2.0)
        key.pass_time(begin_s + 2.2)
        assert not key.is_down
