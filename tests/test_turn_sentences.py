"""What the agent says by itself, told as little talks: silence, ends, emergencies, noise."""

from __future__ import annotations

from dataclasses import replace

import pytest
from turn_stage import HELP, QUESTION, RULES, Stage, acts

from atonce.agent.turn_events import (
    EndTalk,
    MuteAsked,
    QuestionAsked,
    Release,
    ReplyFailed,
    Say,
    StopSpeaking,
    TalkStarted,
    TranscriptHeard,
    Withdraw,
    Write,
)
from atonce.speech.endpoint import (
    SpeechResumed,
    SpeechStarted,
    TooQuiet,
)

# ---- silence, ends, other sentences ----


def test_one_friendly_prompt_comes_after_a_silence_and_then_quiet() -> None:
    stage = Stage()
    stage.tell(TalkStarted(0.0))

    assert stage.wait(8.0) == [Say(1, "silence", "Anything else?", "")]
    stage.plays(1, 8.3)
    stage.finishes(1, 9.5)
    assert stage.turn.due_s is None

    stage.says(60.0, 61.0, QUESTION)
    stage.plays(2, 62.0)
    stage.finishes(2, 64.0)
    assert stage.turn.due_s == pytest.approx(72.0)


def test_a_prompt_can_be_left_out() -> None:
    stage = Stage(replace(RULES, silence_s=0.0))
    stage.tell(TalkStarted(0.0))

    assert stage.turn.due_s is None


def test_who_is_muted_is_not_asked_whether_they_are_there() -> None:
    stage = Stage()
    stage.tell(TalkStarted(0.0), MuteAsked(1.0, is_muted=True))

    assert stage.wait(60.0) == []

    stage.tell(MuteAsked(60.0, is_muted=False))

    assert stage.wait(67.9) == []
    assert stage.wait(68.0) == [Say(1, "silence", "Anything else?", "")]


def test_before_the_talk_begins_an_open_microphone_starts_no_silence() -> None:
    stage = Stage()
    stage.tell(MuteAsked(1.0, is_muted=False))

    assert stage.turn.due_s is None


def test_noises_do_not_keep_an_abandoned_talk_alive() -> None:
    stage = Stage(replace(RULES, silence_s=0.0, end_after_s=60.0))
    stage.tell(TalkStarted(0.0))

    for at_s in range(10, 60, 10):
        stage.says(at_s, at_s + 0.5, "")

    assert stage.wait(70.0) == [EndTalk("silence")]
    assert stage.tell(SpeechStarted(71.0, 70.5, 70.9)) == []
    assert stage.turn.due_s is None
    assert stage.turn.state == "listening"


def test_goodbye_ends_the_talk_once_it_was_heard() -> None:
    stage = Stage()
    stage.says(1.0, 1.6, "Okay, thank you, bye.")

    assert stage.done == [Say(1, "goodbye", "Goodbye.", "Okay, thank you, bye.")]
    stage.plays(1, 2.3)
    assert stage.finishes(1, 3.0) == [EndTalk("goodbye")]


def test_goodbye_without_a_sentence_ends_the_talk_at_the_endpoint() -> None:
    stage = Stage(replace(RULES, sentences={}))
    stage.starts(1.0)
    stage.pauses(1.6)
    assert stage.reads(1.8, "Bye.", 1.6) == []

    assert stage.ends(2.1, 1.6) == [EndTalk("goodbye")]


def test_goodbye_that_cannot_be_said_ends_the_talk_all_the_same() -> None:
    stage = Stage()
    stage.says(1.0, 1.6, "Bye.")

    assert stage.tell(ReplyFailed(2.5, 1)) == [EndTalk("goodbye")]


@pytest.mark.parametrize(
    ("text", "language"),
    [("Wo ist bitte die Toilette?", ""), ("Where is that?", "de"), ("Где здесь туалет?", "")],
)
def test_another_language_gets_its_sentence(text: str, language: str) -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(2.0)

    assert stage.reads(2.2, text, 2.0, language=language) == [
        Say(1, "other_language", "Only English.", "")
    ]


def test_a_name_in_another_language_is_answered_as_the_ears_heard_english() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(2.0)
    stage.reads(2.2, "Wo ist die Straße der Museen?", 2.0, language="en")

    assert stage.written == ["Wo ist die Straße der Museen?"]


def test_another_language_without_a_sentence_is_answered() -> None:
    stage = Stage(replace(RULES, sentences={}))
    stage.says(1.0, 2.0, "Wo ist bitte die Toilette?")

    assert stage.written == ["Wo ist bitte die Toilette?"]


def test_a_transcript_with_nothing_in_it_gets_nothing() -> None:
    stage = Stage()

    assert acts(stage.says(1.0, 1.5, "")) == []
    assert stage.turn.state == "listening"


def test_somebody_too_quiet_to_be_understood_is_told_once() -> None:
    stage = Stage()

    for at_s in (1.0, 4.0):
        stage.starts(at_s)
        stage.tell(TooQuiet(at_s + 0.3, -62.0))
        stage.pauses(at_s + 0.8)
        stage.reads(at_s + 1.0, "", at_s + 0.8)
        stage.ends(at_s + 1.3, at_s + 0.8)

    assert stage.said == ["too_quiet"]
    assert stage.take(TooQuiet(6.0, -62.0)) == []


# ---- emergencies ----


def test_an_emergency_is_answered_at_once_while_the_person_speaks_on() -> None:
    stage = Stage()
    stage.starts(1.0)

    assert stage.guesses(2.0, "Please, someone collapsed in") == [
        Say(1, "emergency", HELP, "Please, someone collapsed in")
    ]
    assert stage.plays(1, 2.3) == [Release(1)]
    stage.pauses(3.0)
    assert stage.reads(3.2, "Please, someone collapsed in the hall", 3.0) == []
    assert stage.tell(SpeechResumed(3.3)) == []
    assert stage.turn.state == "speaking"
    stage.pauses(4.0)
    stage.ends(4.5, 4.0)
    stage.finishes(1, 6.0)

    assert stage.turn.state == "listening"
    assert stage.written == []


def test_an_emergency_drops_whatever_else_was_going_on() -> None:
    stage = Stage().answered()
    stage.starts(3.0)
    assert stage.guesses(3.4, "someone collapsed") == [
        StopSpeaking(1, "emergency"),
        Say(2, "emergency", HELP, "someone collapsed"),
    ]
    assert stage.turn.due_s is not None
    stage.pauses(3.6)
    stage.ends(4.0, 3.6)
    stage.starts(4.2)
    assert stage.guesses(4.9, "someone collapsed here") == []  # it is being said


def test_noise_neither_ducks_nor_cuts_an_emergency_sentence_but_a_stop_word_does() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, "someone collapsed")
    stage.plays(1, 2.6)

    assert stage.starts(3.0) == []
    assert stage.wait(5.0) == []
    assert stage.guesses(5.1, "stop") == [StopSpeaking(1, "stop word")]


def test_words_that_follow_an_emergency_do_not_replace_its_sentence() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, "someone collapsed")
    stage.says(2.6, 3.4, "He does not move.")

    assert stage.plays(1, 4.0) == [Release(1)]
    assert stage.finishes(1, 6.0) == [
        Write(2, "He does not move.", is_early=False, continues=False)
    ]


def test_a_stop_word_takes_an_emergency_sentence_back_before_it_is_audible() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, "someone collapsed")

    assert Withdraw(1) in stage.says(2.6, 3.0, "No, stop.")
    assert stage.turn.state == "listening"


def test_an_emergency_in_writing_is_answered_at_once() -> None:
    stage = Stage()

    assert stage.tell(QuestionAsked(1.0, "Help, someone collapsed!")) == [
        Say(1, "emergency", HELP, "Help, someone collapsed!")
    ]


# ---- speech that never closes ----


def test_a_steady_noise_is_cut_and_the_person_is_told_once() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.ends(31.0, 31.0, "longest")
    stage.starts(31.0)
    heard = TranscriptHeard(31.5, 1, "", is_final=True, speech_end_s=31.0)

    assert stage.tell(heard) == [Say(1, "too_quiet", "Please speak up.", "")]
    assert stage.plays(1, 31.8) == [Release(1)]
    stage.finishes(1, 33.0)
    stage.ends(61.0, 61.0, "longest")
    stage.reads(61.5, "", 61.0)

    assert stage.said == ["too_quiet"]
    assert stage.turn.state == "listening"
    assert stage.faults == []


def test_speech_that_was_cut_off_is_answered_while_it_goes_on_and_asked_to_be_brief() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.ends(31.0, 31.0, "longest")
    stage.starts(31.0)
    stage.tell(TranscriptHeard(31.6, 1, "Long story.", is_final=True, speech_end_s=31.0))

    assert stage.done == [Write(1, "Long story.", is_early=False, continues=False)]
    assert stage.plays(1, 32.0) == [Release(1)]
    assert stage.turn.state == "speaking"
    stage.pauses(32.5)
    stage.reads(32.8, "", 32.5)
    stage.ends(33.0, 32.5)
    assert stage.finishes(1, 34.0) == [Say(2, "too_long", "One thing at a time.", "")]


def test_who_speaks_again_is_not_asked_to_be_brief() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.ends(31.0, 31.0, "longest")
    stage.reads(31.6, "Long story.", 31.0)
    stage.plays(1, 32.0)
    stage.starts(33.9)
    stage.finishes(1, 34.02)

    assert stage.said == []
