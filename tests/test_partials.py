"""The words of an utterance while it is spoken: when to look, and what has settled."""

from __future__ import annotations

from atonce.speech.endpoint import (
    SpeechEnded,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TooQuiet,
)
from atonce.speech.partials import Dictation, TranscriptDue


def begun(*, from_s: float = 0.5, at_s: float = 1.0) -> Dictation:
    """Somebody speaks."""
    dictation = Dictation()
    dictation.follow([SpeechStarted(at_s, from_s, from_s)], at_s, is_voiced=True)
    return dictation


def due_at(dictation: Dictation, now_s: float) -> TranscriptDue:
    """What is due while speech goes on."""
    due = dictation.follow([], now_s, is_voiced=True)
    assert due is not None
    return due


def paused_at(dictation: Dictation, end_s: float) -> TranscriptDue:
    """What is due at a pause."""
    paused = SpeechPaused(end_s + 0.06, end_s)
    due = dictation.follow([paused], end_s + 0.06, is_voiced=False)
    assert due is not None
    return due


def test_nothing_is_due_while_nobody_speaks() -> None:
    dictation = Dictation()

    assert dictation.follow([], 10.0, is_voiced=False) is None
    assert dictation.follow([SpeechPaused(1, 1), SpeechResumed(2)], 2.0, is_voiced=True) is None
    assert dictation.follow([SpeechEnded(3, 0, 1, -20, "silence")], 3.0, is_voiced=False) is None


def test_a_transcript_is_due_early_then_each_second_and_at_every_pause() -> None:
    dictation = begun()

    assert dictation.follow([], 1.5, is_voiced=True) is None
    assert due_at(dictation, 1.6) == TranscriptDue(1.6, 0.5, 1.6, is_pause=False)
    assert dictation.follow([], 2.5, is_voiced=True) is None
    assert due_at(dictation, 2.6) == TranscriptDue(2.6, 0.5, 2.6, is_pause=False)
    assert paused_at(dictation, 2.8) == TranscriptDue(2.86, 0.5, 2.8, is_pause=True)
    assert dictation.follow([], 9.0, is_voiced=False) is None
    dictation.follow([SpeechResumed(9.1), TooQuiet(9.1, -60)], 9.1, is_voiced=True)


def test_no_transcript_starts_in_the_first_silence_where_it_would_delay_the_final_one() -> None:
    assert begun().follow([], 5.0, is_voiced=False) is None


def test_the_transcript_of_the_last_pause_is_the_final_one() -> None:
    dictation = begun()
    paused_at(dictation, 2.0)

    ended = SpeechEnded(2.5, 0.5, 2.0, -20, "silence")

    assert dictation.follow([ended], 2.5, is_voiced=False) is None


def test_speech_that_is_cut_off_is_read_once_more() -> None:
    dictation = begun()
    due_at(dictation, 30.4)

    due = dictation.follow([SpeechEnded(30.5, 0.5, 30.5, -20, "longest")], 30.5, is_voiced=True)

    assert due == TranscriptDue(30.5, 0.5, 30.5, is_pause=True)


def test_words_on_which_two_transcripts_agree_are_kept_by_later_partial_ones() -> None:
    dictation = begun()

    first = dictation.receive(due_at(dictation, 2.0), "Where is the")
    second = dictation.receive(due_at(dictation, 3.0), "where is the great loo")
    third = dictation.receive(due_at(dictation, 4.0), "Wear is a great loom on")

    assert (first.text, first.settled) == ("Where is the", 0)
    assert (second.text, second.settled) == ("where is the great loo", 3)
    assert (third.text, third.settled) == ("where is the great loom on", 3)


def test_the_transcript_of_a_pause_corrects_what_had_settled() -> None:
    dictation = begun()
    dictation.receive(due_at(dictation, 2.0), "Wear is the")
    dictation.receive(due_at(dictation, 3.0), "Wear is the loom")

    last = dictation.receive(paused_at(dictation, 3.4), "Where is the loom?")

    assert last.text == "Where is the loom?"
    assert last.is_pause
    assert last.settled == 4


def test_a_long_utterance_is_read_in_parts_cut_at_a_pause() -> None:
    dictation = begun()
    dictation.receive(paused_at(dictation, 10.0), "This is a long story.")
    dictation.follow([SpeechResumed(10.6)], 10.6, is_voiced=True)

    due = due_at(dictation, 11.6)
    words = dictation.receive(due, "It has")

    assert due.from_s == 10.1
    assert words.text == "This is a long story. It has"
    assert words.settled == 5
    assert dictation.receive(paused_at(dictation, 12.0), "It has an end.").text == (
        "This is a long story. It has an end."
    )


def test_a_pause_whose_transcript_came_too_late_cuts_nothing() -> None:
    dictation = begun()
    late = paused_at(dictation, 10.0)
    dictation.follow([SpeechResumed(10.2)], 10.2, is_voiced=True)
    dictation.receive(late, "This is a long story.")

    assert due_at(dictation, 11.3).from_s == 0.5


def test_a_short_utterance_is_not_cut() -> None:
    dictation = begun()
    dictation.receive(paused_at(dictation, 3.0), "Where is")
    dictation.follow([SpeechResumed(3.5)], 3.5, is_voiced=True)

    assert due_at(dictation, 4.6).from_s == 0.5


def test_a_final_transcript_that_comes_after_the_endpoint_is_still_whole() -> None:
    dictation = begun()
    dictation.receive(paused_at(dictation, 10.0), "A long story.")
    dictation.follow([SpeechResumed(10.6)], 10.6, is_voiced=True)
    partial = due_at(dictation, 11.6)
    final = paused_at(dictation, 12.0)
    dictation.follow([SpeechEnded(12.5, 0.5, 12.0, -20, "silence")], 12.5, is_voiced=False)
    dictation.follow([SpeechStarted(12.8, 12.5, 12.7)], 12.8, is_voiced=True)

    words = dictation.receive(final, "It ends.")

    assert (words.text, words.settled) == ("A long story. It ends.", 5)
    assert dictation.receive(partial, "It").settled == 0


def test_a_quick_look_that_finds_nothing_takes_nothing_back() -> None:
    dictation = begun()
    dictation.receive(due_at(dictation, 2.0), "Where is the")

    unsure = dictation.receive(due_at(dictation, 3.0), "")

    assert (unsure.text, unsure.settled) == ("Where is the", 0)
    assert dictation.receive(paused_at(dictation, 3.4), "").text == ""
