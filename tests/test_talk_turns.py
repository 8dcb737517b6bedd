"""A turn as it happened, out of the events of a talk, and the bars that it becomes."""

from __future__ import annotations

import pytest

from atonce.agent.events import (
    DraftMade,
    FirstAudio,
    PlanMade,
    PromptRead,
    ReplyChecked,
    ReplyEnded,
    ReplySettled,
    ReplyStarted,
    ReplyWaits,
    ReplyWithdrawn,
    SentenceSaid,
    SessionEvent,
    SpeechPaused,
    SpeechStopped,
    WordsHeard,
)
from atonce.agent.reply_check import Verdict
from atonce.agent.reply_rules import Reply
from atonce.agent.talk_turns import TalkTurn, TalkTurns
from atonce.agent.turn_bars import Bar, of_marks, of_turn
from atonce.llm.protocols import Draft, Plan

REPLY = Reply("We open at 9:30 am.", "denoiser", 2, 0, forced=False)
HEARD: list[SessionEvent] = [
    SpeechPaused(10.12, 10.0),
    WordsHeard(10.25, "When do you open?", 4, is_final=True),
]
WRITTEN: list[SessionEvent] = [
    ReplyStarted(10.25, 1, "When do you open?", is_early=True),
    PlanMade(10.25, Plan(4, 40), "K 4", 1),
    PromptRead(10.38, 405),
    DraftMade(10.42, Draft(1, 4, ()), 0),
    ReplyChecked(10.43, Verdict(()), final=False),
    DraftMade(10.46, Draft(1, 1, ()), 1),
    ReplyChecked(10.47, Verdict(()), final=True),
    ReplySettled(10.47, REPLY, 1),
    ReplyWaits(10.55, 1),
]
STOPPED = SpeechStopped(10.57, 10.0)


def follow(*events: SessionEvent) -> TalkTurn:
    """The turn of the last event."""
    follows = TalkTurns()
    turn = [follows.take(event) for event in events][-1]
    assert turn is not None
    return turn


def marks_ms(turn: TalkTurn) -> dict[str, int]:
    return {name: round(1000 * at_s) for name, at_s in turn.marks_s.items()}


def test_a_turn_has_its_marks_since_the_last_word_and_what_came_of_it() -> None:
    ended = ReplyEnded(12.0, "We open", is_cut=True, reply=1)
    turn = follow(*HEARD, *WRITTEN, STOPPED, FirstAudio(10.6, 1), ended)

    assert marks_ms(turn) == {
        "transcript_final": 250,
        "prompt_read": 380,
        "draft_1": 420,
        "draft_2": 460,
        "reply_checked": 470,
        "first_chunk": 550,
        "endpointed": 570,
        "first_audio": 600,
        "playback_ended": 2000,
    }
    assert (turn.question, turn.reply, turn.draft) == ("When do you open?", REPLY, "held")
    assert (turn.steps, turn.planned_steps, turn.canvas, turn.prompt_tokens) == (2, 4, 40, 405)
    assert (turn.first_audio_ms, turn.heard, turn.is_cut) == (600, "We open", True)


def test_every_event_of_a_reply_gives_its_turn_and_no_other_does() -> None:
    follows = TalkTurns()
    assert [follows.take(event) for event in (*HEARD, STOPPED, FirstAudio(9.0, 7))] == [None] * 4
    numbers = [turn.number for event in WRITTEN if (turn := follows.take(event)) is not None]
    assert numbers == [1] * len(WRITTEN)


def test_a_noise_before_the_first_sound_is_no_last_word() -> None:
    noise = [SpeechPaused(10.58, 10.56), WordsHeard(10.59, "", 0, is_final=True)]
    turn = follow(*HEARD, *WRITTEN, *noise, FirstAudio(10.6, 1))
    assert turn.first_audio_ms == 600


def test_words_before_the_first_sound_that_change_nothing_move_the_last_word() -> None:
    um = [SpeechPaused(11.56, 11.5), WordsHeard(11.7, "When? Um.", 2, is_final=True)]
    turn = follow(*HEARD, *WRITTEN, *um, FirstAudio(11.8, 1))
    assert turn.first_audio_ms == 300
    assert marks_ms(turn)["prompt_read"] == 0  # it was read before


def test_a_written_question_counts_from_when_its_reply_was_begun() -> None:
    spoken = [*HEARD, *WRITTEN, STOPPED, FirstAudio(10.6, 1), ReplyEnded(12.0, "We", False, 1)]
    written = [ReplyStarted(20.0, 2, "When?"), ReplyWaits(20.3, 2), FirstAudio(20.5, 2)]
    turn = follow(*spoken, *written)

    assert turn.first_audio_s == pytest.approx(0.5)
    assert turn.first_audio_ms is None  # there was no last word
    assert marks_ms(turn) == {"transcript_final": 0, "first_chunk": 300, "first_audio": 500}
    assert [(bar.name, bar.start_ms, bar.end_ms) for bar in of_turn(turn)] == [
        ("voice", 0, 300),
        ("on its way", 300, 500),
    ]


def test_times_of_a_device_that_are_a_little_off_lose_no_mark() -> None:
    turn = follow(*HEARD, *WRITTEN, FirstAudio(10.54, 1))
    assert marks_ms(turn)["first_audio"] == marks_ms(turn)["first_chunk"] == 550


def test_a_withdrawn_reply_is_a_turn_without_sound() -> None:
    turn = follow(*HEARD, *WRITTEN, ReplyWithdrawn(10.56, 1))
    assert turn.is_withdrawn
    assert (turn.first_audio_s, "playback_ended" in turn.marks_s) == (None, False)
    assert of_turn(turn) == ()


def test_a_sentence_that_buys_time_is_a_mark_and_no_first_sound() -> None:
    bought = [*HEARD, *WRITTEN[:3], SentenceSaid(10.4, "one_moment", "One moment.")]
    assert marks_ms(follow(*bought, *WRITTEN[3:], FirstAudio(10.6, 1)))["acknowledged"] == 400


def test_what_never_ends_is_not_followed_for_ever() -> None:
    follows = TalkTurns()
    for number in range(1, 6):
        follows.take(ReplyStarted(float(number), number, "When?"))

    assert follows.take(FirstAudio(9.0, 1)) is None
    assert follows.take(FirstAudio(9.0, 2)) is not None


# ---- bars ----


def test_a_reply_that_is_begun_anew_has_the_bars_of_its_last_beginning() -> None:
    again = [
        ReplyWithdrawn(10.5, 1),
        ReplyStarted(10.52, 2, "When?"),
        DraftMade(10.6, Draft(1, 2, ()), repair=1),
        FirstAudio(10.9, 2),
    ]
    bars = of_turn(follow(*HEARD, *WRITTEN, STOPPED, *again))
    assert [bar.name for bar in bars] == [
        "transcript",
        "repair 1, step 1",
        "endpoint",
        "on its way",
    ]


def test_a_moment_beside_the_line_ends_no_stage() -> None:
    assert of_marks({"prompt_read": 0.2, "endpointed": 0.3, "draft_1": 0.5}) == (
        Bar("prompt_read", 0.0, 0.2),
        Bar("endpointed", 0.3, 0.3),
        Bar("draft_1", 0.2, 0.5),
    )
