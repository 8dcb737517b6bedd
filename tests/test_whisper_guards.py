"""What keeps the ears from writing what nobody said."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.speech.protocols import Samples
from atonce.speech.whisper_guards import (
    is_invented,
    is_voiced,
    loops,
    repeats,
    speech_pieces,
    stock_tail,
    unrepeated,
    voice_s,
)

NAMES = ("Walnut Room", "Quillan Lane")


def voiced(seconds: float, *, of: float = 3.0) -> Samples:
    """Frames of which the first are voice."""
    frames = np.zeros(round(of / 0.032), dtype=np.float32)
    frames[: round(seconds / 0.032)] = 0.9
    return frames


@pytest.mark.parametrize(
    ("text", "least_s"),
    [
        ("Thank you.", 0.24),
        ("you", 0.2),
        ("Thanks for watching!", 0.36),
        ("Thank you very much.", 0.48),
        ("Bye.", 0.2),
        ("Quillan Lane", 0.24),
        ("Walnut Room, Quillan Lane.", 0.48),
    ],
)
def test_a_stock_phrase_or_names_alone_need_enough_voice(text: str, least_s: float) -> None:
    assert is_invented(text, voiced(least_s - 0.07), NAMES)
    assert not is_invented(text, voiced(least_s + 0.07), NAMES)


def test_what_people_say_needs_no_proof() -> None:
    for text in ("Stop.", "Where is the Walnut Room?", "Two tickets"):
        assert not is_invented(text, voiced(0.1), NAMES)


def test_no_text_is_invented_and_needs_no_names() -> None:
    assert is_invented("", voiced(0.0), ())
    assert is_invented("...", voiced(0.1))


def test_a_stock_phrase_behind_a_whole_sentence_is_its_tail() -> None:
    assert stock_tail("Please dial again. Thank you.") == "Thank you."
    assert stock_tail("Where is it? Thanks for watching!") == "Thanks for watching!"
    assert stock_tail("Thank you.") == ""
    assert stock_tail("I want to thank you.") == ""
    assert stock_tail("Where is it? On the first floor.") == ""
    assert stock_tail("") == ""


def test_a_tail_counts_only_where_somebody_speaks() -> None:
    assert is_voiced(voiced(2.0), from_s=1.5)
    assert not is_voiced(voiced(2.0), from_s=1.95)
    assert is_voiced(voiced(2.0), from_s=-0.3)
    assert not is_voiced(voiced(2.0), from_s=99.0)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Press 1 or 2 to reject it. Press 1 or 2 to reject it.", "Press 1 or 2 to reject it."),
        ("Check the number in. Check the number", "Check the number in. Check the number"),
        ("Call us on Monday. Call us on Monday. Call us", "Call us on Monday."),
        ("Ask not! Ask not!", "Ask not!"),
        ("One two three four five six seven", "One two three four five six seven"),
        ("", ""),
    ],
)
def test_what_is_said_again_faster_than_people_speak_is_cut(text: str, kept: str) -> None:
    assert unrepeated(text, voice_s=0.7) == kept


def test_what_is_said_twice_at_a_human_pace_stays() -> None:
    text = "Call us on Monday. Call us on Monday."

    assert unrepeated(text, voice_s=2.5) == text


def test_voice_is_counted_in_seconds() -> None:
    assert voice_s(voiced(1.0)) == pytest.approx(1.0, abs=0.02)
    assert voice_s(voiced(0.0)) == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "five five five five five five",
        "Five. Five. Five. Five.",
        "the other the other the other the other",
        "I want to go home, I want to go home, I want to go home, I want to go home.",
        "ha" * 50,
    ],
)
def test_a_text_that_says_the_same_again_and_again_loops(text: str) -> None:
    assert loops(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no",
        "No, no, no.",
        "My number is 5 5 5 0 1 7 4.",
        "When do you open, and when do you close, and when is the last tour?",
        "And so my fellow Americans, ask not what your country can do for you.",
        "theme the theory then there",
    ],
)
def test_what_people_say_does_not_loop(text: str) -> None:
    assert not loops(text)


def test_a_sentence_said_twice_is_worth_another_look() -> None:
    assert repeats("Press 1 to accept this call. Press 1 to accept this call, or")
    assert repeats("Press 1 or 2 to reject it. Well, press 1 or 2")
    assert not repeats("")
    assert not repeats("Very, very, very nice.")
    assert not repeats("The first of May or the first of June?")


def test_too_little_speech_for_a_word_gives_no_piece() -> None:
    voiced = np.zeros(100, dtype=np.float32)
    voiced[50:52] = 1

    assert speech_pieces(voiced) == []
    assert speech_pieces(voiced[:0]) == []


def test_a_piece_keeps_half_a_second_before_speech_and_a_second_after() -> None:
    voiced = np.zeros(200, dtype=np.float32)
    voiced[50:80] = 1

    assert speech_pieces(voiced) == [((50 - 16) * 512, (80 + 30) * 512)]
    assert speech_pieces(voiced[50:80]) == [(0, 30 * 512)]


def test_long_speech_is_cut_where_it_pauses() -> None:
    voiced = np.ones(1500, dtype=np.float32)
    voiced[730:750] = 0

    (_, cut), (_, end) = speech_pieces(voiced)

    assert 730 <= cut // 512 <= 750
    assert end == 1500 * 512


@given(st.lists(st.floats(0, 1, width=32), max_size=40), st.integers(1, 120))
def test_pieces_follow_each_other_cover_all_speech_and_fit_the_window(
    drawn: list[float], times: int
) -> None:
    voiced = np.tile(np.asarray(drawn, dtype=np.float32), times)

    pieces = speech_pieces(voiced)

    if not pieces:
        assert np.count_nonzero(voiced >= 0.5) < 3
        return

    frames = np.flatnonzero(voiced >= 0.5)
    assert pieces[0][0] <= frames[0] * 512
    assert pieces[-1][1] > frames[-1] * 512
    assert pieces[-1][1] <= len(voiced) * 512
    assert all(before[1] == after[0] for before, after in pairwise(pieces))
    assert all(0 < last - first <= 780 * 512 for first, last in pieces)
