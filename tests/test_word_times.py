"""Which word is heard at which second."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from atonce.speech.protocols import Audio, SpokenWord
from atonce.speech.word_times import (
    Match,
    Span,
    Timetable,
    by_share,
    has_words,
    heard_words,
    matched,
    words_of,
)


def spans(*edges: float) -> list[Span]:
    """Groups that follow each other at these times."""
    return [Span(*edge) for edge in pairwise(edges)]


def piece(seconds: float, *words: SpokenWord) -> Audio:
    """Silence that is said to hold words."""
    return Audio(np.zeros(int(seconds * 1000), np.float32), 1000, words)


def test_words_are_what_stands_between_spaces_and_can_be_said() -> None:
    assert words_of("It's  nine – or ten, “maybe”.") == ["It's", "nine", "or", "ten,", "“maybe”."]
    assert words_of(" … — ") == []
    assert has_words("B27")
    assert not has_words("?! …")


def test_as_many_groups_as_words_belong_together_in_order() -> None:
    assert matched(["a", "b"], [9, 1]) == [
        Match(range(1), range(1)),
        Match(range(1, 2), range(1, 2)),
    ]


def test_small_words_that_are_run_together_are_found_by_their_size() -> None:
    # "of the" is one group to espeak.
    words = ["opinion", "of", "the", "gardener"]

    matches = matched(words, [6, 4, 7])

    assert [(list(one.words), list(one.groups)) for one in matches] == [
        ([0], [0]),
        ([1, 2], [1]),
        ([3], [2]),
    ]


def test_a_word_that_is_read_as_several_is_found_by_its_size() -> None:
    words = ["At", "BBC", "radio"]  # B, B, C

    matches = matched(words, [2, 2, 2, 2, 5])

    assert [list(one.groups) for one in matches][-1] == [4]
    assert [list(one.words) for one in matches] == [[0], [1], [2]]


@pytest.mark.parametrize(("words", "groups"), [(0, 3), (3, 0), (0, 0)])
def test_nothing_belongs_to_nothing(words: int, groups: int) -> None:
    assert matched(["word"] * words, [3] * groups) == []


@pytest.mark.parametrize(("words", "groups"), [(1, 9), (9, 1), (2, 30)])
def test_what_no_step_can_join_is_joined_as_a_whole(words: int, groups: int) -> None:
    matches = matched(["word"] * words, [3] * groups)

    assert [one for match in matches for one in match.words] == list(range(words))
    assert [one for match in matches for one in match.groups] == list(range(groups))


def test_every_sentence_of_a_text_gets_its_own_words() -> None:
    table = Timetable("Sure. It is open.", [[3], [2, 2, 4]])

    assert table.words(0, spans(0.0, 0.4)) == [SpokenWord("Sure.", 0.0, 0.4)]
    assert table.words(1, spans(0.0, 0.125, 0.25, 1.0)) == [
        SpokenWord("It", 0.0, 0.125),
        SpokenWord("is", 0.125, 0.25),
        SpokenWord("open.", 0.25, 1.0),
    ]


def test_words_that_share_a_group_share_its_time_by_their_letters() -> None:
    (of, the, *_) = Timetable("of the gardener", [[4, 7]]).words(0, spans(0.0, 0.5, 1.0))

    assert (of.start_s, of.end_s) == pytest.approx((0.0, 0.2))
    assert (the.start_s, the.end_s) == pytest.approx((0.2, 0.5))


def test_without_lengths_words_share_the_time_by_letters_and_marks() -> None:
    told = by_share("Yes, it is.", 2.0)

    assert [word.text for word in told] == ["Yes,", "it", "is."]
    assert told[0].start_s == 0
    assert told[-1].end_s == pytest.approx(2.0)
    assert told[0].end_s == told[1].start_s
    assert told[0].end_s - told[0].start_s > told[1].end_s - told[1].start_s
    assert by_share("…", 2.0) == ()


def test_a_word_counts_as_heard_once_its_middle_was_played() -> None:
    pieces = [
        piece(1.0, SpokenWord("It", 0.0, 0.4), SpokenWord("is", 0.4, 1.2)),
        piece(1.0, SpokenWord("open.", 0.2, 1.0)),
    ]

    assert heard_words(pieces, 0.1) == []
    assert heard_words(pieces, 0.79) == ["It"]
    assert heard_words(pieces, 0.8) == ["It", "is"]
    assert heard_words(pieces, 1.59) == ["It", "is"]
    assert heard_words(pieces, 9.0) == ["It", "is", "open."]


def test_a_word_can_be_moved_in_time() -> None:
    assert SpokenWord("is", 0.5, 0.75).moved(-0.5) == SpokenWord("is", 0.0, 0.25)
