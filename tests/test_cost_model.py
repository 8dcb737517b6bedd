"""What stages take, learnt from what they took."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.agent.cost_model import FIRST_LINE, CostModel, Line, Recent, Stage


def fed(
    costs: CostModel, line: Line, *, rounds: int, load: float = 1.0, noise: float = 0.0
) -> None:
    """Steps over canvases of four lengths, as this line has them."""
    dice = random.Random(1)
    for number in range(rounds):
        positions, prompt = (16, 24, 40, 64)[number % 4], 400
        seconds = line.seconds(positions, prompt) * load * math.exp(dice.gauss(0, noise))
        costs.note_step(positions, prompt, seconds)


@pytest.mark.parametrize("positions", [16, 24, 40, 64])
def test_the_shape_of_another_machine_is_learnt(positions: int) -> None:
    costs, truth = CostModel(), Line(0.030, 0.0002)
    fed(costs, truth, rounds=400, noise=0.05)

    assert costs.step_s(positions, 400) == pytest.approx(truth.seconds(positions, 400), rel=0.12)


def test_a_load_is_believed_after_two_steps_and_its_end_after_two() -> None:
    costs = CostModel()
    fed(costs, FIRST_LINE, rounds=20)
    idle_s = costs.step_s(40, 400)
    for _ in range(2):
        costs.note_step(40, 400, 3 * idle_s)

    assert costs.step_s(40, 400) == pytest.approx(3 * idle_s, rel=0.15)
    for _ in range(3):
        costs.note_step(40, 400, idle_s)

    assert costs.step_s(40, 400) == pytest.approx(idle_s, rel=0.15)


def test_one_outlier_changes_neither_what_is_usual_nor_what_is_safe() -> None:
    one = Recent(1.0)
    for _ in range(30):
        one.note(1.0)

    before = one.usual, one.safe
    one.note(50.0)
    assert (one.usual, one.safe) == before


def test_one_that_took_no_time_is_only_half_believed() -> None:
    one = Recent(1.0)
    for _ in range(5):
        one.note(1.0)

    one.note(1e-6)
    assert 0.5 < one.usual < 0.7


def test_safe_is_what_nineteen_of_twenty_do_not_exceed() -> None:
    dice = random.Random(2)
    one = Recent(1.0)
    above = 0
    for number in range(1000):
        value = math.exp(dice.gauss(0, 0.3))
        above += number >= 100 and value > one.safe
        one.note(value)

    assert above / 900 < 0.10


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -0.1, 3600.0])
def test_what_is_no_duration_is_refused_and_counted(seconds: float) -> None:
    costs = CostModel()
    before = costs.step_s(40), costs.safe_s(Stage.PROMPT)
    costs.note_step(40, 400, seconds)
    costs.note(Stage.PROMPT, seconds)

    assert (costs.step_s(40), costs.safe_s(Stage.PROMPT)) == before
    assert costs.refused == 2


def test_a_step_without_positions_tells_nothing() -> None:
    costs = CostModel()
    costs.note_step(0, 0, 1.0)
    assert costs.load == 1.0


@given(
    st.lists(st.tuples(st.integers(1, 400), st.integers(0, 9000), st.floats(0, 70)), max_size=60)
)
def test_whatever_it_is_told_a_step_stays_a_number_above_nothing(
    told: list[tuple[int, int, float]],
) -> None:
    costs = CostModel()
    for positions, prompt, seconds in told:
        costs.note_step(positions, prompt, seconds)
        assert 0 <= costs.step_s(40, 400) <= costs.safe_step_s(40, 400) < math.inf


def loaded_costs() -> CostModel:
    """A calm talk, and then one at three times the cost."""
    costs = CostModel()
    costs.rest(0.0)
    for slow in (1, 3):
        for _ in range(12):
            costs.note_step(40, 400, 0.04 * slow)
            costs.note(Stage.PROMPT, 0.13 * slow)

    return costs


def test_a_load_is_forgotten_while_nobody_asks_and_not_between_the_turns_of_a_talk() -> None:
    costs = loaded_costs()
    costs.rest(29.0)
    assert costs.step_s(40, 400) == pytest.approx(0.12, rel=0.05)

    costs.rest(29.0 + 180.0)
    assert costs.step_s(40, 400) < 0.05
    assert costs.usual_s(Stage.PROMPT) < 0.17
    assert costs.safe_s(Stage.PROMPT) < 0.21


def test_a_machine_that_was_never_calm_is_not_taken_for_a_busy_one() -> None:
    costs = CostModel()
    costs.rest(0.0)
    for _ in range(20):
        costs.note_step(40, 400, 0.12)

    costs.rest(600.0)
    assert costs.step_s(40, 400) == pytest.approx(0.12, rel=0.1)


@pytest.mark.parametrize("at_s", [-5.0, math.nan, math.inf, -math.inf])
def test_a_clock_that_jumps_forgets_nothing(at_s: float) -> None:
    costs = loaded_costs()
    costs.rest(at_s)
    assert costs.step_s(40, 400) == pytest.approx(0.12, rel=0.05)


def test_a_stage_that_the_load_spared_keeps_its_cost_and_one_that_it_slowed_does_not() -> None:
    costs = CostModel()
    for slow in (1.0, 4.0):
        for _ in range(6):
            costs.note_step(40, 400, 0.04 * slow)

        costs.note(Stage.CHUNK, 0.06)
        costs.note(Stage.PROMPT, 0.13 * slow)

    assert costs.usual_s(Stage.CHUNK) == pytest.approx(0.06, rel=0.05)
    assert costs.usual_s(Stage.PROMPT) == pytest.approx(0.52, rel=0.05)


def test_a_first_turn_that_was_slow_is_no_habit() -> None:
    costs = CostModel()
    before_s = costs.usual_s(Stage.PROMPT)
    costs.note(Stage.PROMPT, 1.5)
    assert costs.usual_s(Stage.PROMPT) == before_s
    costs.note(Stage.PROMPT, 1.5)
    assert costs.usual_s(Stage.PROMPT) == 1.5


def test_what_a_reply_mostly_takes_is_learnt_of_those_that_ended_by_themselves() -> None:
    costs = CostModel()
    assert costs.wanted_steps == math.inf
    costs.note_reply(2, has_ended=False)  # K was 2
    assert costs.wanted_steps == math.inf, "it may have wanted more"
    for steps in (4, 3, 4, 9, 4):
        costs.note_reply(steps, has_ended=True)

    costs.note_reply(2, has_ended=False)
    costs.note_reply(0, has_ended=True)  # a fact was read out
    assert costs.wanted_steps == 4
    for _ in range(20):
        costs.note_reply(8, has_ended=False)

    assert costs.wanted_steps == 8


def test_what_strayed_under_a_load_is_no_matter_once_the_load_is_over() -> None:
    dice = random.Random(3)
    costs = CostModel()
    for slow, spread in ((1.0, 0.02), (3.0, 0.4), (1.0, 0.02)):
        for _ in range(12):
            for _ in range(3):
                costs.note_step(40, 400, 0.04 * slow)

            costs.note(Stage.PROMPT, 0.13 * slow * math.exp(abs(dice.gauss(0, spread))))

    assert costs.safe_s(Stage.PROMPT) < 1.3 * costs.usual_s(Stage.PROMPT)
