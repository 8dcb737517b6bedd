"""Whose turn it is, told as little talks: what happens when, and what is done about it."""

from __future__ import annotations

from typing import get_args

import pytest
from turn_stage import QUESTION, Stage, acts

from atonce.agent import turn as turn_module
from atonce.agent.events import PlaybackBegan, PlaybackEnded
from atonce.agent.turn import STATES
from atonce.agent.turn_events import (
    Pause,
    Release,
    ReplyReady,
    Resume,
    StopSpeaking,
    TranscriptHeard,
    TurnEvent,
    Withdraw,
    Write,
)
from atonce.speech.endpoint import (
    SpeechResumed,
)

# ---- the table ----


def test_the_table_has_a_cell_for_every_event_in_every_state() -> None:
    table = turn_module._TABLE

    assert set(table) == set(get_args(TurnEvent))
    assert {len(cells) for cells in table.values()} == {len(STATES)}


def test_a_question_is_heard_thought_about_answered_and_over() -> None:
    stage, states = Stage(), []

    for act in (
        lambda: stage.starts(1.0),
        lambda: stage.pauses(2.0),
        lambda: stage.reads(2.3, QUESTION, 2.0),
        lambda: stage.ends(2.31, 2.0),
        lambda: stage.tell(ReplyReady(2.6, 1)),
        lambda: stage.tell(PlaybackBegan(2.65, "1")),
        lambda: stage.finishes(1, 5.0),
    ):
        act()
        states.append(stage.turn.state)

    assert states == [
        *("hearing", "hearing", "hearing", "thinking", "thinking", "speaking", "listening")
    ]
    assert stage.done == [Write(1, QUESTION, is_early=True, continues=False), Release(1)]


# ---- endpoint and re-opening ----


def test_a_reply_is_begun_at_the_words_of_a_pause_and_held_until_the_endpoint() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(2.0)

    assert stage.reads(2.2, QUESTION, 2.0) == [Write(1, QUESTION, is_early=True, continues=False)]
    assert stage.tell(ReplyReady(2.3, 1)) == []
    assert stage.turn.state == "hearing"
    assert stage.ends(2.5, 2.0) == [Release(1)]


def test_speech_that_resumes_before_the_first_sound_withdraws_the_reply_and_joins_the_words() -> (
    None
):
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(2.0)
    stage.reads(2.2, QUESTION, 2.0)
    stage.tell(ReplyReady(2.3, 1))

    assert stage.tell(SpeechResumed(2.4)) == []
    assert stage.pauses(3.0) == []
    assert stage.reads(3.2, "How much is a ticket for a child?", 3.0) == [
        Withdraw(1),
        Write(2, "How much is a ticket for a child?", is_early=True, continues=False),
    ]
    stage.ends(3.3, 3.0)
    assert stage.tell(ReplyReady(3.4, 2)) == [Release(2)]


def test_words_of_a_second_utterance_before_the_first_sound_are_joined() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, QUESTION)
    stage.tell(ReplyReady(2.6, 1))

    done = acts(stage.says(2.62, 3.2, "For a child."))

    assert done[0] == Pause()  # the reply was let go, and may become audible any moment
    assert done[1:] == [
        StopSpeaking(1, "words"),
        Write(2, f"{QUESTION} For a child.", is_early=True, continues=False),
    ]
    assert stage.tell(ReplyReady(3.9, 2)) == [Release(2)]


@pytest.mark.parametrize("late_s", [0.6, 3.0])
def test_a_late_transcript_belongs_to_its_turn_and_gets_one_reply(late_s: float) -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(1.4)
    assert stage.ends(1.9, 1.4) == []
    assert stage.turn.state == "thinking"

    assert stage.reads(1.9 + late_s, "Parking?", 1.4) == [
        Write(1, "Parking?", is_early=False, continues=False)
    ]
    stage.plays(1, 5.5)
    stage.finishes(1, 7.0)

    assert stage.turn.state == "listening"
    assert stage.written == ["Parking?"]


def test_a_late_transcript_is_joined_with_what_was_said_meanwhile() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(1.8)
    stage.ends(2.3, 1.8)
    stage.starts(2.5)
    stage.pauses(3.0)
    first = TranscriptHeard(3.1, 1, "Where is", is_final=True, speech_end_s=1.8)

    assert stage.tell(first) == []
    stage.reads(3.3, "the loom?", 3.0)

    assert stage.written == ["Where is the loom?"]


def test_two_final_transcripts_get_one_answer() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(2.0)
    stage.reads(2.2, QUESTION, 2.0)
    assert stage.reads(2.3, "How much is a ticket", 2.0) == []
    stage.ends(2.5, 2.0)
    stage.plays(1, 2.6)

    assert stage.reads(2.8, "How much is the ticket?", 2.0) == []
    assert stage.written == [QUESTION]


def test_a_second_final_transcript_with_other_words_replaces_the_first() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, "How much is a cricket?")

    assert stage.reads(2.6, QUESTION, 2.0) == [
        Withdraw(1),
        Write(2, QUESTION, is_early=False, continues=False),
    ]


def test_a_flickering_voice_gets_one_answer() -> None:
    stage = Stage()
    stage.starts(1.0)

    for at_s in (1.3, 1.5, 1.7, 1.9):
        stage.pauses(at_s)
        stage.tell(SpeechResumed(at_s + 0.1))

    stage.pauses(2.2)
    stage.reads(2.4, QUESTION, 2.2)
    stage.tell(SpeechResumed(2.5))
    stage.pauses(2.6)
    stage.reads(2.9, QUESTION, 2.6)
    stage.ends(3.0, 2.6)
    stage.plays(1, 3.1)

    assert stage.written == [QUESTION]


def test_a_stale_transcript_of_an_earlier_pause_is_not_final() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(1.5)
    stage.tell(SpeechResumed(1.7))
    stage.pauses(2.4)

    assert stage.reads(2.45, "How much", 1.5) == []
    stage.ends(2.9, 2.4)
    assert stage.written == []
    stage.reads(3.0, QUESTION, 2.4)
    assert stage.written == [QUESTION]


def test_a_guess_that_comes_after_the_final_transcript_changes_nothing() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(2.0)
    stage.reads(2.2, QUESTION, 2.0)

    assert stage.guesses(2.3, "How much is") == []
    stage.ends(2.5, 2.0)
    assert stage.written == [QUESTION]


def test_sounds_of_hesitation_do_not_make_another_question() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(2.0)
    stage.reads(2.2, QUESTION, 2.0)
    stage.tell(SpeechResumed(2.3))
    stage.pauses(2.5)

    assert stage.reads(2.7, "Um, how much is a ticket? Mhm.", 2.5) == []


def test_no_more_replies_than_allowed_are_begun_before_the_endpoint() -> None:
    stage, at_s, words = Stage(), 1.0, ""
    stage.starts(at_s)

    for word in ("Is", "it", "open", "today?"):
        stage.pauses(at_s + 0.5)
        words = f"{words} {word}".strip()
        stage.reads(at_s + 0.7, words, at_s + 0.5)
        stage.tell(SpeechResumed(at_s + 0.8))
        at_s += 0.8

    stage.pauses(at_s + 0.3)
    stage.reads(at_s + 0.6, words, at_s + 0.3)
    early = [action for action in stage.done if isinstance(action, Write)]
    stage.ends(at_s + 1.0, at_s + 0.3)

    assert [(action.question, action.is_early) for action in early] == [
        ("Is", True),
        ("Is it", True),
    ]
    assert stage.done[-1] == Write(3, "Is it open today?", is_early=False, continues=False)


def test_nothing_is_begun_early_on_a_slow_machine() -> None:
    stage = Stage()
    stage.turn.may_draft = False
    stage.starts(1.0)
    stage.pauses(2.0)

    assert stage.reads(2.2, QUESTION, 2.0) == []
    assert stage.ends(2.5, 2.0) == [Write(1, QUESTION, is_early=False, continues=False)]
    assert not stage.turn.may_draft


# ---- noises before the first sound ----


@pytest.mark.parametrize("text", ["", "Mhm.", "Okay.", "go on"])
def test_a_noise_before_the_first_sound_delays_the_reply_and_no_more(text: str) -> None:
    stage = Stage()
    stage.says(1.0, 2.0, QUESTION)
    stage.starts(2.6)
    assert stage.tell(ReplyReady(2.75, 1)) == []
    stage.pauses(2.9)
    assert acts(stage.reads(3.1, text, 2.9)) == []

    assert acts(stage.ends(3.4, 2.9)) == [Release(1)]
    stage.tell(PlaybackBegan(3.45, "1"))
    stage.finishes(1, 5.0)
    assert stage.turn.state == "listening"
    assert stage.written == [QUESTION]


def test_a_noise_between_release_and_first_sound_only_ducks() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, QUESTION)
    stage.tell(ReplyReady(2.6, 1))

    assert stage.starts(2.51) == [Pause()]
    stage.pauses(2.8)
    stage.reads(3.0, "", 2.8)
    assert acts(stage.ends(3.3, 2.8)) == [Resume()]
    assert stage.turn.state == "thinking"
    stage.tell(PlaybackBegan(3.35, "1"))
    assert stage.turn.state == "speaking"


def test_a_sound_that_escaped_before_the_duck_makes_it_an_interruption() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, QUESTION)
    stage.tell(ReplyReady(2.6, 1))
    stage.starts(2.55)
    stage.tell(PlaybackBegan(2.66, "1"))
    assert stage.turn.state == "paused"

    stage.wait(3.25)
    assert StopSpeaking(1, "speech") in stage.done
    stage.pauses(3.3)
    stage.reads(3.5, "for a child?", 3.3)
    stage.ends(3.6, 3.3)

    assert stage.written == [QUESTION, f"{QUESTION} for a child?"]


def test_a_backchannel_that_completes_a_broken_off_question_belongs_to_it() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, "Is the lift to the")
    stage.says(2.6, 3.0, "right?")

    assert stage.written[-1] == "Is the lift to the right?"


def test_another_sound_is_ducked_while_somebody_speaks_and_goes_on_before_the_reply() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, QUESTION)
    stage.tell(PlaybackBegan(3.0, "one moment"))
    assert stage.turn.state == "thinking"

    assert stage.starts(3.2) == [Pause()]
    stage.pauses(3.5)
    stage.reads(3.8, "", 3.5)
    stage.ends(4.0, 3.5)
    assert stage.tell(ReplyReady(4.2, 1)) == [Resume(), Release(1)]
    stage.tell(PlaybackEnded(4.5, "one moment"), PlaybackEnded(4.6, "something else"))
    assert stage.turn._now.other_sound == ""
