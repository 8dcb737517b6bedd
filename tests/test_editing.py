"""Which part of a draft stands and which is written anew."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from atonce.llm.editing import kept_until, pinned, remasked
from atonce.llm.protocols import Cell

WORDS = ("An", " adult", " ticket", " costs", " $41", ".")
PRICE = (22, 25)  # where $41 stands


def cells(words: Sequence[str], canvas: int = 8) -> list[Cell]:
    """A finished canvas: the words, then end marks."""
    filled = [Cell(10 + i, word, False, 0.9) for i, word in enumerate(words)]
    return filled + [Cell(1, "", False, 0.9)] * (canvas - len(words))


def test_only_the_span_its_neighbours_and_the_end_are_open() -> None:
    assert "".join(WORDS)[slice(*PRICE)] == "$41"
    alone = remasked(cells(WORDS), [PRICE], margin=0)
    assert alone == [10, 11, 12, 13, None, 15, None, None]
    assert remasked(cells(WORDS), [PRICE], margin=1) == [10, 11, 12] + [None] * 5


def test_several_spans_are_masked_at_once() -> None:
    assert remasked(cells(WORDS, 6), [(0, 1), PRICE], margin=0) == [None, 11, 12, 13, None, 15]


def test_spans_count_from_the_first_letter_even_where_the_canvas_begins_with_a_blank() -> None:
    assert remasked(cells((" An", " adult")), [(0, 2)], margin=0)[:2] == [None, 11]


def test_without_a_span_everything_is_open() -> None:
    assert remasked(cells(WORDS), [], margin=1) == [None] * 8


def test_what_is_open_in_a_draft_is_not_pinned() -> None:
    draft = [Cell(10, "An", False, 0.9), Cell(0, "", True, 0.0), Cell(11, " adult", False, 0.9)]
    assert pinned(draft) == [10, None, 11]
    assert remasked(draft, [(2, 8)], margin=0) == [10, None, None]


def test_what_was_heard_stays_and_a_word_cut_in_two_stays_whole() -> None:
    assert kept_until(cells(WORDS), 10) == [10, 11, 12] + [None] * 5
    assert kept_until(cells(WORDS), 0) == [None] * 8
    assert kept_until(cells((" An", " adult")), 2) == [10] + [None] * 7


@given(
    st.lists(st.sampled_from(["a", " bc", " def", "."]), min_size=1, max_size=12),
    st.integers(0, 40),
    st.integers(1, 20),
    st.integers(0, 3),
)
def test_every_character_of_a_span_is_open(
    words: list[str], start: int, length: int, margin: int
) -> None:
    text = "".join(words)
    pins = remasked(cells(words, 16), [(start, start + length)], margin=margin)
    position = -(len(text) - len(text.lstrip()))

    for word, pin in zip(words, pins, strict=False):
        if position < start + length and position + len(word) > start:
            assert pin is None

        position += len(word)

    assert pins[len(words) :] == [None] * (16 - len(words))
