"""What fits before a deadline."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.llm.pace import Cost, Meter, Need, admits, fit, steps_within
from atonce.llm.protocols import Plan

COST = Cost(step_s=0.010, position_s=0.001)
costs = st.builds(Cost, st.floats(0.001, 0.1), st.floats(0.0, 0.01), st.floats(0.5, 4))


def fitted(plan: Plan, now_s: float = 0.0, beside: int = 0, shortest: int = 8) -> tuple[int, int]:
    """Steps and canvas of the plan that can be kept."""
    kept = fit(plan, COST, now_s=now_s, beside=beside, shortest=shortest)
    return kept.steps, kept.canvas


def test_a_plan_without_a_deadline_is_kept_as_it_is() -> None:
    assert fitted(Plan(64, 400)) == (64, 400)


@pytest.mark.parametrize(
    ("left_s", "expected"),
    [
        (1.0, (8, 40)),  # a step takes 50 ms
        (0.3, (6, 40)),
        (0.1, (2, 40)),
        (0.099, (2, 36)),  # of 46 ms
        (0.04, (2, 8)),  # of 18 ms
        (0.02, (1, 8)),  # not even that: it is forced
        (0.0, (1, 8)),
        (-5.0, (1, 8)),
    ],
)
def test_time_costs_steps_first_and_then_canvas(left_s: float, expected: tuple[int, int]) -> None:
    assert fitted(Plan(8, 40, min_steps=2, deadline_s=100 + left_s), now_s=100) == expected


def test_a_canvas_is_not_made_smaller_than_what_is_pinned() -> None:
    assert fitted(Plan(8, 40, min_steps=2, deadline_s=0.04), shortest=33) == (1, 33)


def test_other_rows_take_time_too() -> None:
    assert fitted(Plan(8, 40, deadline_s=0.3), beside=50) == (3, 40)


@given(
    plan=st.builds(
        Plan,
        steps=st.integers(1, 16),
        canvas=st.integers(8, 64),
        min_steps=st.integers(1, 4),
        deadline_s=st.floats(-1, 2),
    ),
    cost=costs,
    beside=st.integers(0, 100),
)
def test_what_is_fitted_ends_by_the_deadline_or_is_as_small_as_can_be(
    plan: Plan, cost: Cost, beside: int
) -> None:
    kept = fit(plan, cost, now_s=0.0, beside=beside, shortest=8)
    assert plan.deadline_s is not None
    ends_s = kept.steps * cost.seconds(kept.canvas + beside)
    assert ends_s <= plan.deadline_s + 1e-6 * ends_s + 1e-9 or (kept.steps, kept.canvas) == (1, 8)
    assert 1 <= kept.steps <= plan.steps
    assert 8 <= kept.canvas <= plan.canvas


def test_a_tenth_fits_three_times_into_three_tenths() -> None:
    assert steps_within(0.3, 0.1) == 3
    assert steps_within(0.299, 0.1) == 2
    assert steps_within(-0.1, 0.1) == 0


@pytest.mark.parametrize(("seconds", "expected"), [(math.nan, 0), (-math.inf, 0), (-0.0, 0)])
def test_what_is_no_time_holds_no_step(seconds: float, expected: int) -> None:
    assert steps_within(seconds, 0.1) == expected
    assert steps_within(math.inf, 0.1) >= 1000


def test_a_slow_step_is_believed_at_once_and_a_fast_one_slowly() -> None:
    meter = Meter(COST)
    meter.record(40, 0.100)
    assert meter.cost.seconds(40) == pytest.approx(0.100)
    meter.record(40, 0.050)
    assert 0.085 < meter.cost.seconds(40) < 0.095
    for _ in range(30):
        meter.record(40, 0.050)

    assert meter.cost.seconds(40) == pytest.approx(0.050, rel=0.01)


def test_a_machine_that_stood_still_for_once_is_fast_again_after_a_few_steps() -> None:
    meter = Meter(COST)
    usual_s = COST.seconds(40)
    meter.record(40, 30.0)
    assert meter.cost.seconds(40) <= 4 * usual_s * 1.001
    for _ in range(8):
        meter.record(40, usual_s)

    assert meter.cost.seconds(40) < 1.6 * usual_s


def test_a_machine_that_stays_ten_times_slower_is_believed_after_two_steps() -> None:
    meter = Meter(COST)
    slow_s = 10 * COST.seconds(40)
    meter.record(40, slow_s)
    meter.record(40, slow_s)
    assert meter.cost.seconds(40) == pytest.approx(slow_s)


def test_a_clock_that_stands_still_changes_nothing() -> None:
    meter = Meter(COST)
    meter.record(40, 0.0)
    assert meter.cost == COST


def test_a_row_is_admitted_where_no_running_row_is_late_by_it() -> None:
    running = [Need(40, 4, 0.2), Need(40, 2, None)]  # with 80 positions a step takes 90 ms
    assert not admits(running, Need(8, 4, None), COST, now_s=0.0)
    assert admits([Need(40, 2, 0.2)], Need(40, 4, None), COST, now_s=0.0)
    assert not admits([Need(40, 2, 0.2)], Need(40, 4, None), COST, now_s=0.03)
    assert admits([Need(40, 64, None)], Need(400, 64, 0.0), COST, now_s=5.0)
    assert admits([], Need(400, 64, 0.0), COST, now_s=5.0)
