"""What the reader thinks of a reply: common tokens that are unlikely weigh, rare ones do not."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.llm.proofreading import Opinion, Read, joined, margin, opinion_of


def reads(*told: tuple[str, int, float]) -> list[Read]:
    return [Read(*one) for one in told]


SENTENCE = reads((" You", 300, -1.0), ("'re", 900, -0.1), (" welcome", 9000, -0.2), (".", 30, -1.0))
SALAD = reads((" You", 300, -1.0), (" to", 40, -14.0), (" and", 35, -12.0), (".", 30, -9.0))


def test_a_sentence_is_not_doubted_and_word_salad_is() -> None:
    assert not opinion_of(SENTENCE, ()).is_doubted()
    assert opinion_of(SALAD, ()).is_doubted()


def test_where_one_word_of_a_fact_was_changed_less_is_enough() -> None:
    assert not Opinion(-2.0, ()).is_doubted()
    assert Opinion(-2.0, ()).is_doubted(is_slip=True)
    assert not Opinion(-7.0, ()).is_doubted(is_slip=True)


def test_what_is_wrong_has_its_place_without_the_space_before_it() -> None:
    text = "".join(one.text for one in SALAD)
    assert [text[start:end] for start, end in opinion_of(SALAD, ()).spans] == ["to and."]


def test_the_lowest_token_is_always_part_of_what_is_wrong() -> None:
    assert opinion_of(SENTENCE, ()).spans == ((15, 16),)


def test_nothing_read_is_nothing_doubted() -> None:
    assert opinion_of([], ()) == Opinion(0.0, ())


def test_a_token_of_the_prompt_counts_as_common() -> None:
    name = Read("mont", 20_000, -12.0)
    assert margin(name, ()) == pytest.approx(-12.0 + math.log(20_010))
    assert margin(name, {20_000}) == pytest.approx(-12.0 + math.log(70))


@given(st.lists(st.floats(-30, 0), min_size=1, max_size=20), st.integers(0, 19))
def test_a_less_likely_token_never_makes_a_reply_better(likely: list[float], at: int) -> None:
    # The mean margin and the mean likelihood pull in opposite directions by nearly the same worth.
    at %= len(likely)
    tokens = reads(*((" x", 500, one) for one in likely))
    worse = reads(*((" x", 500, one - 10 * (i == at)) for i, one in enumerate(likely)))
    assert opinion_of(worse, ()).odds >= opinion_of(tokens, ()).odds - 1.75 * 10 / len(likely)


def test_spans_that_touch_are_one() -> None:
    assert joined([(0, 2), (3, 5), (7, 9), (9, 10)]) == ((0, 5), (7, 10))
    assert joined([]) == ()
