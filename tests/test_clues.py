"""What the writer is told of its prompt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.llm.clues import FIRST, OFFSETS, OTHER, SECOND, TEXT, TURN, find_clues, softmax

END = 2
# prefix: 90 | 10 11 | 91 | 20 | 91 | 30 31 32 | 92, question: 50 51 52
IDS = [90, 10, 11, 91, 20, 91, 30, 31, 32, 92, 50, 51, 52]
SPANS = [(1, 3), (4, 5), (6, 9)]


def test_tokens_are_told_apart_by_the_rank_of_their_fact() -> None:
    clues = find_clues(IDS, SPANS, 10, [0.0, 2.0, 1.0], END)
    first, second, third = FIRST, SECOND, SECOND + 1
    assert clues.kinds == (
        *(TEXT, third, third, third, first, first, second, second, second, second, TURN, TURN),
    )


def test_the_token_behind_a_fact_is_copied_as_the_end_mark() -> None:
    clues = find_clues(IDS, SPANS, 10, [0.0, 2.0, 1.0], END)
    assert clues.copies == (90, 10, 11, END, 20, END, 30, 31, 32, END, 50, 51)
    assert clues.offsets == (0, 1, 2, 3, 1, 2, 1, 2, 3, 4, 0, 0)


def test_the_two_best_facts_are_given_whole() -> None:
    assert find_clues(IDS, SPANS, 10, [0.0, 2.0, 1.0], END).best == ((20,), (30, 31, 32))
    assert find_clues(IDS, SPANS[:1], 10, [0.0], END).best == ((10, 11),)


def test_of_equal_facts_the_first_is_the_best() -> None:
    assert find_clues(IDS, SPANS, 10, [1.0, 1.0, 1.0], END).best[0] == (10, 11)


def test_a_fourth_fact_is_one_of_the_others() -> None:
    ids = [9, 1, 8, 2, 8, 3, 8, 4, 8, 7]
    clues = find_clues(ids, [(1, 2), (3, 4), (5, 6), (7, 8)], 9, [3.0, 2.0, 1.0, 0.0], END)
    assert clues.kinds[7] == OTHER


def test_no_fact_is_no_fault() -> None:
    clues = find_clues([1, 2, 3], [], 2, [], END)
    assert (clues.kinds, clues.best, clues.chances) == ((TEXT, TEXT), (), (0.0, 0.0, 0.0))


def test_places_far_in_a_long_fact_are_alike() -> None:
    ids = [0, *range(100, 200), 1, 5]
    clues = find_clues(ids, [(1, 101)], 102, [0.0], END)
    assert max(clues.offsets) == OFFSETS - 1


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=20))
def test_chances_add_up_to_one(scores: list[float]) -> None:
    chances = softmax(scores)
    assert sum(chances) == pytest.approx(1)
    assert max(range(len(scores)), key=scores.__getitem__) in [
        i for i, chance in enumerate(chances) if chance == max(chances)
    ]
