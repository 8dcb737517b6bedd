"""Nothing gets stuck, told as little talks: time limits, and events that mean nothing any more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from turn_stage import QUESTION, RULES, Stage, acts

from atonce.agent import turn_limits
from atonce.agent.events import PlaybackBegan, PlaybackEnded
from atonce.agent.turn_events import (
    ButtonPressed,
    ButtonReleased,
    EndTalk,
    Pause,
    QuestionAsked,
    Release,
    ReplyFailed,
    ReplyReady,
    Say,
    StopSpeaking,
    TalkStarted,
    TimePassed,
    TranscriptHeard,
    Withdraw,
    Write,
)
from atonce.agent.turn_rules import TurnRules
from atonce.config.load import defaults
from atonce.speech.endpoint import (
    SpeechEnded,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TooQuiet,
)

# ---- time limits ----


def test_a_transcript_that_never_comes_is_replaced_by_the_guess() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.guesses(2.0, "How much is")
    stage.pauses(2.5)
    stage.ends(3.0, 2.5)
    stage.wait(13.0)

    assert stage.written == ["How much is"]
    assert stage.faults == ["a transcript did not come"]


def test_a_transcript_that_comes_after_it_was_given_up_is_answered_late() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(2.5)
    stage.ends(3.0, 2.5)
    stage.wait(13.0)
    assert stage.turn.state == "listening"

    stage.guesses(14.0, QUESTION)
    assert stage.written == []
    stage.reads(15.0, QUESTION, 2.5)
    stage.reads(15.1, QUESTION, 2.5)
    assert stage.written == [QUESTION]


def test_a_transcript_that_never_comes_over_the_voice_is_given_up() -> None:
    stage = Stage().answered()
    stage.starts(3.0)
    stage.pauses(3.3)
    stage.ends(3.8, 3.3)
    stage.wait(14.0)
    assert stage.faults == ["a transcript did not come"]
    stage.finishes(1, 15.0)

    assert stage.turn.state == "listening"


def test_an_utterance_that_the_ears_forget_is_closed() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.guesses(2.0, QUESTION)
    stage.wait(60.0)

    assert stage.faults[:2] == [
        "the ears did not close an utterance",
        "a transcript did not come",
    ]
    assert stage.written == [QUESTION]


def test_an_utterance_whose_end_got_lost_ends_where_the_next_begins() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.starts(3.0)
    stage.tell(TranscriptHeard(3.2, 1, "Where is", is_final=True, speech_end_s=3.0))
    stage.pauses(3.5)
    stage.reads(3.8, "the loom?", 3.5)

    assert stage.written == ["Where is the loom?"]


def test_a_reply_that_never_comes_gets_an_apology_and_then_silence() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, QUESTION)
    stage.wait(45.0)

    assert stage.said == ["apology"]
    assert acts(stage.done)[1:] == [Withdraw(1), Say(2, "apology", "Sorry.", ""), Withdraw(2)]
    assert stage.faults == ["a reply did not come"] * 2
    assert stage.turn.state == "listening"


def test_a_failed_reply_gets_an_apology() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, QUESTION)

    assert stage.tell(ReplyFailed(2.6, 1)) == [Say(2, "apology", "Sorry.", "")]
    stage.plays(2, 2.8)
    stage.finishes(2, 3.5)
    assert stage.turn.state == "listening"


def test_a_reply_that_breaks_off_is_heard_as_far_as_it_goes_and_then_apologised_for() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, QUESTION)
    stage.tell(ReplyReady(2.5, 1))
    assert stage.tell(ReplyFailed(2.6, 1)) == []
    stage.tell(PlaybackBegan(2.7, "1"))
    assert stage.finishes(1, 3.5) == [Say(2, "apology", "Sorry.", "")]

    stage = Stage().answered()
    assert stage.tell(ReplyFailed(2.6, 1)) == []
    assert stage.finishes(1, 3.5) == [Say(2, "apology", "Sorry.", "")]


def test_without_an_apology_a_failed_reply_leaves_silence() -> None:
    stage = Stage(replace(RULES, sentences={}))
    stage.says(1.0, 2.0, QUESTION)

    assert acts(stage.tell(ReplyFailed(2.6, 1))) == []
    assert stage.turn.state == "listening"


def test_a_reply_that_fails_before_the_endpoint_is_tried_once_more_after_it() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(2.0)
    stage.reads(2.2, QUESTION, 2.0)
    assert stage.tell(ReplyFailed(2.3, 1)) == []

    assert stage.ends(2.5, 2.0) == [Write(2, QUESTION, is_early=False, continues=False)]
    assert stage.tell(ReplyFailed(2.8, 2)) == [Say(3, "apology", "Sorry.", "")]


def test_a_reply_that_is_released_and_never_audible_is_given_up() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, QUESTION)
    stage.tell(ReplyReady(2.6, 1))
    stage.wait(10.0)

    assert StopSpeaking(1, "stuck") in stage.done
    assert stage.turn.state == "listening"
    assert stage.faults == ["a released reply is not audible"]


def test_a_voice_that_never_ends_is_cut() -> None:
    stage = Stage().answered()
    stage.starts(121.9)
    stage.wait(123.0)

    assert stage.faults == ["the voice did not end"]
    assert stage.turn.state == "hearing"


def test_a_goodbye_that_gets_stuck_ends_the_talk() -> None:
    stage = Stage()
    stage.says(1.0, 1.6, "Bye.")
    stage.tell(ReplyReady(2.3, 1))

    assert acts(stage.wait(10.0)) == [StopSpeaking(1, "stuck"), EndTalk("goodbye")]


def test_what_is_due_after_a_long_sleep_is_done_bit_by_bit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turn_limits, "_MOST_AT_ONCE", 1)
    stage = Stage()
    stage.starts(1.0)
    stage.take(TimePassed(500.0))

    assert stage.turn.due_s is not None
    stage.wait(600.0)
    assert stage.turn.state == "listening"


# ---- events that mean nothing any more ----


def test_what_is_told_of_replies_that_are_gone_is_ignored() -> None:
    stage = Stage().answered()
    stage.says(3.0, 4.0, "Where is the loom?")

    for event in (
        ReplyReady(5.0, 1),
        ReplyFailed(5.0, 1),
        PlaybackEnded(5.0, "1"),
        PlaybackBegan(5.0, "1"),
        SpeechPaused(5.0, 4.9),
        SpeechResumed(5.0),
        SpeechEnded(5.0, 4.0, 4.9, -20.0, "silence"),
        ButtonReleased(5.0),
        TranscriptHeard(5.0, 99, "what?", is_final=True, speech_end_s=4.9),
        TimePassed(5.0),
    ):
        assert acts(stage.take(event)) == []

    assert stage.turn.state == "thinking"


def test_ears_that_tell_of_no_utterance_while_the_agent_speaks_are_ignored() -> None:
    stage = Stage().answered()

    for event in (
        SpeechPaused(3.0, 2.9),
        SpeechResumed(3.0),
        SpeechEnded(3.0, 2.0, 2.9, -20.0, "silence"),
        ReplyReady(3.0, 1),
        ReplyFailed(3.0, 9),
        PlaybackBegan(3.0, "1"),
        PlaybackEnded(3.0, "7"),
        TalkStarted(3.0),
        TooQuiet(3.0, -60.0),
    ):
        assert stage.take(event) == []

    assert stage.turn.state == "speaking"


def test_what_is_told_twice_is_done_once() -> None:
    stage = Stage()
    stage.tell(ButtonPressed(0.5), SpeechResumed(0.6), ButtonReleased(0.7))
    stage.says(1.0, 2.0, QUESTION)
    assert stage.tell(ReplyReady(2.6, 1)) == [Release(1)]
    assert stage.tell(ReplyReady(2.61, 1)) == []

    assert stage.starts(2.52) == [Pause()]
    assert stage.starts(2.6) == []
    stage.tell(PlaybackBegan(2.71, "1"))
    assert stage.tell(ButtonReleased(2.72)) == []


def test_the_rules_come_from_the_settings() -> None:
    settings = defaults().settings
    rules = TurnRules.from_settings(settings, is_push_to_talk=True)

    assert rules.barge_in_s == pytest.approx(0.5)
    assert rules.decide_s == pytest.approx(0.7)
    assert rules.early_writes == settings.watchdog.most_drafts
    assert rules.sentences["goodbye"] == settings.agent.sentences.goodbye
    assert rules.phrases.emergency("Please, somebody has collapsed!") is not None
    assert rules.is_push_to_talk


def test_an_emergency_in_writing_beside_an_endless_voice_leaves_no_limit_behind() -> None:
    stage = Stage()
    stage.tell(TalkStarted(0.0), SpeechStarted(0.0, 0.0, 0.0))
    stage.tell(QuestionAsked(13.0, "someone collapsed"))
    passed: list[float] = []

    while (due_s := stage.turn.due_s) is not None and due_s < 60.0:
        passed.append(due_s)
        stage.take(TimePassed(due_s))

    assert passed == sorted(set(passed)), "a moment that had passed was wanted again"
