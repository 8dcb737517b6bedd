"""The commit rules: what is settled in a step."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.llm.commit import (
    QUOTAS,
    RULES,
    Choice,
    Guess,
    Marks,
    best_token,
    crowds,
    draw,
    how_many,
    is_calm,
    outlook,
    reply_end,
    settle,
    sure_by_entropy,
    sure_by_factor,
    sure_by_threshold,
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


def settled(board: list[int], guesses: list[Guess], plan: Plan, step: int = 1) -> list[Choice]:
    """The choices of a step, with K as the plan has it."""
    return settle(board, guesses, plan=plan, step=step, steps=plan.steps, marks=MARKS)


def counts(rule: str, work: int, steps: int) -> list[int]:
    """How many a quota settles in each step, until all are."""
    seen = []
    for step in range(1, steps + 1):
        if work:
            seen.append(QUOTAS[rule](work, step, steps))
            work -= seen[-1]

    assert work == 0
    return seen


@pytest.mark.parametrize(
    ("rule", "work", "steps", "expected"),
    [
        ("quota", 8, 4, [2, 2, 2, 2]),
        ("quota", 10, 4, [3, 3, 2, 2]),  # the first take what does not divide
        ("cosine", 8, 4, [1, 2, 3, 2]),
        ("cosine", 48, 8, [1, 3, 5, 6, 8, 8, 9, 8]),  # 48 (cos(a) - cos(b)), rounded up
        ("doubling", 15, 4, [1, 2, 4, 8]),
        ("doubling", 15, 8, [1, 2, 4, 8]),  # log2 of the length, however large K is
        ("doubling", 31, 4, [3, 4, 8, 16]),  # in proportion 1 : 2 : 4 : 8
    ],
)
def test_a_quota_plans_how_many_are_settled_in_each_step(
    rule: str, work: int, steps: int, expected: list[int]
) -> None:
    assert counts(rule, work, steps) == expected


@given(work=st.integers(1, 400), steps=st.integers(1, 64), rule=st.sampled_from(sorted(QUOTAS)))
def test_every_quota_is_done_by_the_last_step(work: int, steps: int, rule: str) -> None:
    assert all(count >= 1 for count in counts(rule, work, steps))


sure = st.lists(st.floats(0, 1), min_size=1, max_size=30)
doubts = st.lists(st.floats(0, 8), min_size=1, max_size=30)


@given(confidences=sure, threshold=st.floats(0, 1))
def test_the_threshold_takes_those_that_reach_it(
    confidences: list[float], threshold: float
) -> None:
    guesses = [guess(i, 10, sure) for i, sure in enumerate(confidences)]
    count = sure_by_threshold(guesses, plan(threshold=threshold))
    ranked = sorted(confidences, reverse=True)
    assert all(one >= threshold for one in ranked[:count])
    assert all(one < threshold for one in ranked[count:])


@given(confidences=sure, factor=st.floats(0, 4))
def test_the_factor_takes_the_most_of_which_even_the_last_is_sure_enough_for_their_number(
    confidences: list[float], factor: float
) -> None:
    guesses = [guess(i, 10, sure) for i, sure in enumerate(confidences)]
    ranked = sorted(confidences, reverse=True)
    fitting = [n for n in range(1, len(ranked) + 1) if (n + 1) * (1 - ranked[n - 1]) <= factor]
    assert sure_by_factor(guesses, plan(factor=factor)) == (fitting[-1] if fitting else 0)


@given(entropies=doubts, bound=st.floats(0, 4))
def test_the_entropy_bound_takes_the_most_whose_sum_without_the_largest_keeps_it(
    entropies: list[float], bound: float
) -> None:
    guesses = [Guess(i, (10,), (0.5,), 0.0, one) for i, one in enumerate(entropies)]
    ranked = sorted(entropies)
    fitting = [n for n in range(1, len(ranked) + 1) if sum(ranked[: n - 1]) <= bound]
    assert sure_by_entropy(guesses, plan(entropy_bound=bound)) == fitting[-1]


def test_a_rule_that_looks_at_guesses_settles_no_fewer_than_the_cosine() -> None:
    doubtful = [Guess(i, (10 * i,), (0.1,), 0.0, 3.0) for i in range(8)]
    for rule in ("threshold", "factor", "entropy"):
        asked = plan(rule=rule, factor=0.0, entropy_bound=0.0)
        assert [how_many(doubtful, asked, step, 8) for step in (1, 4, 8)] == [1, 2, 8]


def test_the_surest_position_is_settled_first() -> None:
    guesses = [guess(0, 10, 0.3), guess(1, 20, 0.8), guess(2, 30, 0.5)]
    choices = settled([MASK] * 3, guesses, plan(steps=3, canvas=3))
    assert choices == [Choice(1, 20, 0.8)]


def test_of_two_unsure_neighbours_only_one_is_settled_in_a_step() -> None:
    guesses = [guess(0, 10, 0.8), guess(1, 20, 0.7), guess(2, 30, 0.6), guess(3, 40, 0.5)]
    choices = settled([MASK] * 4, guesses, plan(steps=2, canvas=4))
    assert positions(choices) == [0, 2]


def test_confident_neighbours_are_settled_together() -> None:
    guesses = [guess(0, 10, 0.95), guess(1, 20, 0.92), guess(2, 30, 0.6), guess(3, 40, 0.5)]
    choices = settled([MASK] * 4, guesses, plan(steps=2, canvas=4))
    assert positions(choices) == [0, 1]


def test_the_quota_wins_over_the_distance_of_neighbours() -> None:
    guesses = [guess(0, 10, 0.8), guess(1, 20, 0.7), guess(2, 30, 0.6)]
    choices = settled([MASK] * 3, guesses, plan(steps=1, canvas=3))
    assert positions(choices) == [0, 1, 2]


def test_the_threshold_settles_all_that_are_sure() -> None:
    guesses = [guess(i, 10 * (i + 1), 0.95 if i < 5 else 0.2) for i in range(8)]
    choices = settled([MASK] * 8, guesses, plan(rule="threshold"))
    assert positions(choices) == [0, 1, 2, 3, 4]


def test_the_end_waits_until_nothing_before_it_is_open() -> None:
    guesses = [guess(i, 10 * (i + 1), 0.5, end=0.99 if i >= 2 else 0.01) for i in range(4)]
    two = plan(steps=2, canvas=4)
    first = settled([MASK] * 4, guesses, two)
    assert first == [Choice(0, 10, 0.5)]
    second = settled([10, MASK, MASK, MASK], guesses[1:], two, step=2)
    assert second == [Choice(1, 20, 0.5), Choice(2, END, 0.99), Choice(3, END, 0.99)]


def test_a_reply_is_never_only_an_end_mark() -> None:
    guesses = [guess(i, 10 * (i + 1), 0.01, end=0.99) for i in range(3)]
    choices = settled([MASK] * 3, guesses, plan(steps=1, canvas=3))
    assert [choice.token for choice in choices] == [10, END, END]


def test_the_end_does_not_come_before_a_word_that_stands() -> None:
    guesses = [guess(0, 10, 0.1, end=0.9), guess(1, 20, 0.1, end=0.9), guess(3, 40, 0.1, end=0.9)]
    board = [MASK, MASK, 77, MASK]
    choices = settled(board, guesses, plan(steps=1, canvas=4))
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
    taken = {3: Choice(3, 10, 0.5)}
    assert crowds(Choice(2, 20, 0.95), taken)
    assert not crowds(Choice(5, 20, 0.5), taken)
    assert not crowds(Choice(4, 20, 0.95), {3: Choice(3, 10, 0.95)})


def test_a_left_bias_lets_a_reply_grow_from_the_left() -> None:
    guesses = [guess(i, 10 * (i + 1), 0.5 + i / 100) for i in range(6)]
    three = plan(steps=2, canvas=6)
    assert positions(settled([MASK] * 6, guesses, three)) == [1, 3, 5]
    assert positions(settled([MASK] * 6, guesses, replace(three, left_bias=0.1))) == [0, 2, 4]


def test_the_entropy_rule_takes_the_positions_of_the_least_doubt() -> None:
    doubts_of = {0: 2.0, 2: 0.11, 4: 1.0}
    guesses = [Guess(i, (10 + i,), (0.5,), 0.0, doubt) for i, doubt in doubts_of.items()]
    board = [MASK, 5, MASK, 5, MASK]
    chosen = settled(board, guesses, plan(rule="entropy", steps=8, canvas=5))
    assert positions(chosen) == [2]


def test_a_word_that_a_neighbour_took_in_the_same_step_is_not_said_again() -> None:
    twins = [Guess(i, (10, 20 + i), (0.95, 0.04), 0.0) for i in range(2)]
    chosen = settled([MASK] * 2, twins, plan(steps=1, canvas=2))
    assert [choice.token for choice in sorted(chosen, key=lambda one: one.position)] == [10, 21]


# Any board and any guesses about it.
tokens = st.integers(2, 9)


@st.composite
def moments(draw: st.DrawFn) -> tuple[list[int], list[Guess], Plan, int]:
    """A board with something open, its guesses, a plan and a step of it."""
    board = draw(st.lists(st.just(MASK) | tokens, min_size=1, max_size=20))
    board[draw(st.integers(0, len(board) - 1))] = MASK
    guesses = [
        Guess(
            i,
            tuple(draw(st.lists(tokens, min_size=1, max_size=4, unique=True))),
            (),
            draw(st.floats(0, 1)),
            draw(st.floats(0, 5)),
        )
        for i, token in enumerate(board)
        if token == MASK
    ]
    for i, one in enumerate(guesses):
        odds = draw(st.lists(st.floats(0, 1), min_size=len(one.tokens), max_size=len(one.tokens)))
        guesses[i] = replace(one, confidences=tuple(sorted(odds, reverse=True)))

    steps = draw(st.integers(1, 12))
    asked = Plan(
        steps,
        len(board),
        draw(st.sampled_from(RULES)),
        threshold=draw(st.floats(0, 1)),
        seed=draw(st.integers(0, 3)),
        factor=draw(st.floats(0, 3)),
        entropy_bound=draw(st.floats(0, 3)),
        left_bias=draw(st.sampled_from([0.0, 0.02, 1.0])),
    )
    return board, guesses, asked, draw(st.integers(1, steps))


@given(moment=moments())
def test_whatever_is_guessed_a_step_keeps_the_rules(
    moment: tuple[list[int], list[Guess], Plan, int],
) -> None:
    board, guesses, asked, step = moment
    chosen = settled(board, guesses, asked, step)
    again = settled(board, guesses, asked, step)
    after = list(board)
    for choice in chosen:
        assert board[choice.position] == MASK
        assert choice.token != MASK
        after[choice.position] = choice.token

    assert chosen == again
    assert chosen
    assert len({choice.position for choice in chosen}) == len(chosen)
    if step == asked.steps:
        assert MASK not in after

    if END in after:
        stop = after.index(END)
        assert stop > 0
        assert set(after[stop:]) == {END}
        assert MASK not in after[:stop]


@given(moment=moments())
def test_unsure_neighbours_are_settled_together_only_where_the_quota_asks_for_it(
    moment: tuple[list[int], list[Guess], Plan, int],
) -> None:
    board, guesses, asked, step = moment
    chosen = settled(board, guesses, asked, step)
    words = {choice.position: choice for choice in chosen if choice.token != END}
    crowded = [one for one in words.values() if crowds(one, words)]
    end = reply_end(board, guesses, MARKS)
    left = [g.position for g in guesses if g.position < end and g.position not in words]
    # Who is left stands beside a choice as well, or nobody would have had to crowd.
    assert not crowded or all({i - 1, i + 1} & set(words) for i in left)


@given(moment=moments())
def test_a_word_repeats_its_neighbour_only_if_it_is_very_sure_or_there_is_no_other(
    moment: tuple[list[int], list[Guess], Plan, int],
) -> None:
    board, guesses, asked, step = moment
    after = list(board)
    by_place = {one.position: one for one in guesses}
    for choice in settled(board, guesses, asked, step):  # in the order of their choice
        i = choice.position
        beside = {after[j] for j in (i - 1, i + 1) if 0 <= j < len(after)} - {DIGIT}
        if choice.token in beside and choice.token != END:
            assert choice.confidence >= 0.98 or set(by_place[i].tokens) <= beside

        after[i] = choice.token


def test_the_outlook_is_the_canvas_if_all_were_settled_now() -> None:
    guesses = [guess(1, 20, 0.5), guess(2, 30, 0.5, end=0.9), guess(3, 40, 0.5, end=0.9)]
    assert outlook([7, MASK, MASK, MASK], guesses, MARKS) == (7, 20, END, END)


def test_a_draft_is_calm_when_its_open_positions_are_hardly_in_doubt() -> None:
    assert is_calm([Guess(0, (1,), (0.9,), 0, 0.08), Guess(1, (1,), (0.9,), 0, 0.01)])
    assert not is_calm([Guess(0, (1,), (0.9,), 0, 0.2), Guess(1, (1,), (0.9,), 0, 0.01)])


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
