"""The commit rules: what is settled in a step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.llm.commit import (
    RULES,
    Choice,
    Guess,
    Marks,
    best_token,
    crowds,
    draw,
    reply_end,
    settle,
)
from atonce.llm.protocols import Plan

MASK, END, DIGIT = 0, 1, 9
MARKS = Marks(MASK, END, frozenset({DIGIT}))


def guess(position: int, token: int, confidence: float, end: float = 0.0) -> Guess:
    """One that has a second token at hand."""
    other = token + 1
    return Guess(position, (token, other), (confidence, (1 - confidence) / 2), end)


def plan(**changes: object) -> Plan:
    """Eight steps on a canvas of eight, unless said otherwise."""
    return Plan(**({"steps": 8, "canvas": 8, "rule": "quota"} | changes))  # type: ignore[arg-type]


def positions(choices: list[Choice]) -> list[int]:
    """Where they stand, from left to right."""
    return sorted(choice.position for choice in choices)


@pytest.mark.parametrize(
    ("rule", "counts"),
    [("quota", [2, 2, 2, 2]), ("cosine", [1, 2, 3, 2]), ("threshold", [4, 1, 2, 1])],
)
def test_a_rule_plans_how_many_are_settled_in_each_of_four_steps(
    rule: str, counts: list[int]
) -> None:
    left, seen = 8, []
    for step in range(1, 5):
        count = RULES[rule](left, step, 4, 4 if step == 1 else 0)
        seen.append(count)
        left -= count

    assert seen == counts
    assert left == 0


@given(work=st.integers(1, 400), steps=st.integers(1, 64), rule=st.sampled_from(sorted(RULES)))
def test_every_rule_is_done_by_the_last_step(work: int, steps: int, rule: str) -> None:
    for step in range(1, steps + 1):
        count = RULES[rule](work, step, steps, 0)
        assert count >= 1
        work = max(0, work - count)
        if not work:
            break

    assert work == 0


def test_the_surest_position_is_settled_first() -> None:
    guesses = [guess(0, 10, 0.3), guess(1, 20, 0.8), guess(2, 30, 0.5)]
    choices = settle([MASK] * 3, guesses, plan=plan(steps=3, canvas=3), step=1, marks=MARKS)
    assert choices == [Choice(1, 20, 0.8)]


def test_of_two_unsure_neighbours_only_one_is_settled_in_a_step() -> None:
    guesses = [guess(0, 10, 0.8), guess(1, 20, 0.7), guess(2, 30, 0.6), guess(3, 40, 0.5)]
    choices = settle([MASK] * 4, guesses, plan=plan(steps=2, canvas=4), step=1, marks=MARKS)
    assert positions(choices) == [0, 2]


def test_confident_neighbours_are_settled_together() -> None:
    guesses = [guess(0, 10, 0.95), guess(1, 20, 0.92), guess(2, 30, 0.6), guess(3, 40, 0.5)]
    choices = settle([MASK] * 4, guesses, plan=plan(steps=2, canvas=4), step=1, marks=MARKS)
    assert positions(choices) == [0, 1]


def test_the_quota_wins_over_the_distance_of_neighbours() -> None:
    guesses = [guess(0, 10, 0.8), guess(1, 20, 0.7), guess(2, 30, 0.6)]
    choices = settle([MASK] * 3, guesses, plan=plan(steps=1, canvas=3), step=1, marks=MARKS)
    assert positions(choices) == [0, 1, 2]


def test_the_threshold_settles_all_that_are_sure() -> None:
    guesses = [guess(i, 10 * (i + 1), 0.95 if i < 5 else 0.2) for i in range(8)]
    choices = settle([MASK] * 8, guesses, plan=plan(rule="threshold"), step=1, marks=MARKS)
    assert positions(choices) == [0, 1, 2, 3, 4]


def test_the_end_waits_until_nothing_before_it_is_open() -> None:
    guesses = [guess(i, 10 * (i + 1), 0.5, end=0.99 if i >= 2 else 0.01) for i in range(4)]
    two = plan(steps=2, canvas=4)
    first = settle([MASK] * 4, guesses, plan=two, step=1, marks=MARKS)
    assert first == [Choice(0, 10, 0.5)]
    second = settle([10, MASK, MASK, MASK], guesses[1:], plan=two, step=2, marks=MARKS)
    assert second == [Choice(1, 20, 0.5), Choice(2, END, 0.99), Choice(3, END, 0.99)]


def test_a_reply_is_never_only_an_end_mark() -> None:
    guesses = [guess(i, 10 * (i + 1), 0.01, end=0.99) for i in range(3)]
    choices = settle([MASK] * 3, guesses, plan=plan(steps=1, canvas=3), step=1, marks=MARKS)
    assert [choice.token for choice in choices] == [10, END, END]


def test_the_end_does_not_come_before_a_word_that_stands() -> None:
    guesses = [guess(0, 10, 0.1, end=0.9), guess(1, 20, 0.1, end=0.9), guess(3, 40, 0.1, end=0.9)]
    board = [MASK, MASK, 77, MASK]
    choices = settle(board, guesses, plan=plan(steps=1, canvas=4), step=1, marks=MARKS)
    assert {choice.position: choice.token for choice in choices} == {0: 10, 1: 20, 3: END}


def test_a_reply_that_fills_the_canvas_needs_no_end() -> None:
    assert reply_end([MASK] * 2, [guess(0, 10, 0.5), guess(1, 20, 0.5)], MARKS) == 2
    assert reply_end([MASK, 20], [guess(0, 10, 0.5, end=0.9)], MARKS) == 2


def test_an_end_that_stands_is_the_end() -> None:
    assert reply_end([MASK, END, END], [guess(0, 10, 0.5, end=0.9)], MARKS) == 1


def test_one_wrong_guess_does_not_move_the_end() -> None:
    ends = [0.0, 0.1, 0.7, 0.1, 0.2, 0.9, 0.95, 0.99]
    guesses = [guess(i, 10, 0.5, end=end) for i, end in enumerate(ends)]
    assert reply_end([MASK] * 8, guesses, MARKS) == 5


def test_a_word_does_not_stand_twice_in_a_row() -> None:
    assert best_token([5, MASK, 7], Guess(1, (5, 7, 6), (0.6, 0.2, 0.1), 0.0), MARKS) == Choice(
        1, 6, 0.1
    )


def test_a_very_confident_word_may_repeat() -> None:
    assert best_token([5, MASK], Guess(1, (5, 6), (0.99, 0.01), 0.0), MARKS).token == 5


def test_a_digit_may_repeat() -> None:
    assert best_token([DIGIT, MASK], Guess(1, (DIGIT, 6), (0.5, 0.4), 0.0), MARKS).token == DIGIT


def test_where_every_guess_repeats_a_neighbour_the_likeliest_is_taken() -> None:
    assert best_token([5, MASK, 6], Guess(1, (5, 6), (0.6, 0.3), 0.0), MARKS).token == 5


def test_a_choice_crowds_only_its_neighbours() -> None:
    taken = [Choice(3, 10, 0.5)]
    assert crowds(Choice(2, 20, 0.95), taken)
    assert not crowds(Choice(5, 20, 0.5), taken)
    assert not crowds(Choice(4, 20, 0.95), [Choice(3, 10, 0.95)])


def test_seed_0_takes_the_best_guess_and_other_seeds_sometimes_another() -> None:
    one = Guess(4, (10, 20), (0.5, 0.4), 0.2)
    assert draw(one, 0, 1) == one
    firsts = {draw(one, seed, 1).tokens[0] for seed in range(1, 30)}
    assert firsts == {10, 20}


def test_a_drawn_guess_keeps_each_tokens_own_confidence() -> None:
    one = Guess(4, (10, 20, 30), (0.5, 0.4, 0.0), 0.2)
    drawn = draw(one, 3, 1)
    assert drawn == draw(one, 3, 1)
    assert sorted(zip(drawn.tokens, drawn.confidences, strict=True)) == [
        (10, 0.5),
        (20, 0.4),
        (30, 0.0),
    ]
