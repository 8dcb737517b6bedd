"""What comes from outside a talk, told as little talks: questions in writing, stop, the button."""

from __future__ import annotations

from dataclasses import replace

from turn_stage import QUESTION, RULES, Stage

from atonce.agent.turn_events import (
    ButtonPressed,
    ButtonReleased,
    ClearAsked,
    Forget,
    Pause,
    QuestionAsked,
    Release,
    ReplyReady,
    Resume,
    Say,
    SentenceAsked,
    StopAsked,
    StopSpeaking,
    Withdraw,
    Write,
)

# ---- commands ----


def test_a_question_in_writing_is_answered() -> None:
    stage = Stage()

    assert stage.tell(QuestionAsked(1.0, f" {QUESTION} ")) == [
        Write(1, QUESTION, is_early=False, continues=False)
    ]
    assert stage.tell(QuestionAsked(1.1, "  ")) == []
    assert stage.tell(ReplyReady(1.5, 1)) == [Release(1)]


def test_a_question_in_writing_cuts_what_is_said() -> None:
    stage = Stage().answered()

    assert stage.tell(QuestionAsked(3.0, "Where is the loom?")) == [
        StopSpeaking(1, "command"),
        Write(2, "Where is the loom?", is_early=False, continues=False),
    ]


def test_a_question_in_writing_is_answered_whatever_noise_is_heard() -> None:
    stage = Stage()
    stage.starts(1.0)

    stage.tell(QuestionAsked(1.5, QUESTION))
    assert stage.plays(1, 2.0) == [Release(1)]
    assert stage.turn.state == "speaking"


def test_the_answer_to_a_question_in_writing_is_talked_over_like_any_other() -> None:
    stage = Stage()
    stage.tell(QuestionAsked(1.0, QUESTION))
    stage.plays(1, 1.5)

    assert stage.starts(3.0) == [Pause()]
    assert stage.wait(3.7) == [StopSpeaking(1, "speech")]


def test_a_sentence_is_said_once_nothing_else_is_due() -> None:
    stage = Stage().answered()
    assert stage.tell(SentenceAsked(3.0, "We close soon."), SentenceAsked(3.1, " ")) == []

    assert stage.finishes(1, 5.0) == [Say(2, "asked", "We close soon.", "")]
    stage.says(5.1, 6.0, "Where is the loom?")
    assert Withdraw(2) in stage.done
    stage.plays(3, 6.7)
    assert stage.finishes(3, 8.0) == [Say(4, "asked", "We close soon.", "")]


def test_stop_drops_what_is_said_and_what_is_due() -> None:
    stage = Stage().answered()
    assert stage.tell(StopAsked(3.0)) == [StopSpeaking(1, "command")]
    assert stage.turn.state == "listening"
    stage.says(4.0, 4.6, "Go on.")
    assert stage.done[-1] == Write(2, QUESTION, is_early=True, continues=True)

    assert stage.tell(StopAsked(6.0)) == [Withdraw(2)]
    assert stage.turn.state == "listening"


def test_who_speaks_while_stop_is_asked_is_still_answered() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.tell(StopAsked(1.5))
    stage.pauses(2.0)
    stage.reads(2.3, QUESTION, 2.0)

    assert stage.written == [QUESTION]


def test_clear_forgets_everything() -> None:
    stage = Stage().answered()
    stage.starts(3.0)
    assert stage.tell(ClearAsked(3.2)) == [StopSpeaking(1, "command"), Forget()]
    stage.pauses(3.5)
    stage.reads(3.7, "Where is the loom?", 3.5)
    stage.ends(4.0, 3.5)

    assert stage.turn.state == "listening"
    stage.says(5.0, 5.5, "Go on.")
    assert stage.done[-1] == Write(2, "Go on.", is_early=True, continues=False)


# ---- push-to-talk ----

BUTTON = replace(RULES, is_push_to_talk=True)


def test_only_what_is_said_while_the_button_is_held_counts() -> None:
    stage = Stage(BUTTON)
    stage.says(1.0, 2.0, "never mind me")
    assert stage.done == []

    stage.tell(ButtonPressed(3.0))
    assert stage.turn.state == "hearing"
    stage.says(3.2, 4.0, QUESTION)
    assert stage.tell(ReplyReady(5.0, 1)) == []
    assert stage.tell(ButtonReleased(5.5)) == [Release(1)]


def test_the_button_ends_an_utterance_without_a_silence() -> None:
    stage = Stage(BUTTON)
    stage.tell(ButtonPressed(1.0))
    stage.starts(1.2)
    stage.tell(ButtonReleased(2.0))
    stage.ends(2.0, 2.0, "closed")
    stage.reads(2.3, QUESTION, 2.0)

    assert stage.done == [Write(1, QUESTION, is_early=False, continues=False)]


def test_pressing_the_button_silences_the_agent_at_once() -> None:
    stage = Stage(BUTTON)
    stage.tell(ButtonPressed(0.4))
    stage.says(0.5, 1.5, QUESTION)
    stage.tell(ButtonReleased(2.1))
    stage.plays(1, 2.2)

    assert stage.tell(ButtonPressed(3.0)) == [StopSpeaking(1, "button")]
    assert stage.turn.state == "hearing"
    stage.tell(ButtonReleased(3.5))
    assert stage.turn.state == "listening"


def test_speech_over_the_voice_without_the_button_is_not_heard() -> None:
    stage = Stage(BUTTON)
    stage.tell(ButtonPressed(0.4))
    stage.says(0.5, 1.5, QUESTION)
    stage.tell(ButtonReleased(2.1))
    stage.plays(1, 2.2)

    assert stage.says(3.0, 4.0, "Stop that now.") == []
    assert stage.turn.state == "speaking"


def test_a_button_pressed_between_release_and_first_sound_ducks() -> None:
    stage = Stage(BUTTON)
    stage.tell(ButtonPressed(0.4))
    stage.says(0.5, 1.5, QUESTION)
    stage.tell(ButtonReleased(2.1), ReplyReady(2.2, 1))

    assert stage.tell(ButtonPressed(2.22)) == [Pause()]
    assert stage.tell(ButtonReleased(2.5)) == [Resume()]


def test_a_button_that_sticks_is_let_go() -> None:
    stage = Stage(BUTTON)
    stage.tell(ButtonPressed(1.0))
    stage.wait(70.0)

    assert stage.turn.state == "listening"
    assert stage.faults == ["the button was held for too long"]
