"""The simulation keeps what the watchdog promises, so that a change of either is noticed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture(scope="module")
def simulate() -> Iterator[ModuleType]:
    sys.path.insert(0, str(SCRIPTS))
    yield importlib.import_module("simulate_load")
    sys.path.remove(str(SCRIPTS))


@pytest.mark.parametrize(
    ("trace", "late", "regret"),
    [
        ("steady", 0.0, 0.01),
        ("writer ×3 for a minute", 0.0, 0.15),
        ("all ×3 for a minute", 0.0, 0.15),
        ("saw-tooth", 0.01, 0.15),
        ("heavy tail", 0.01, 0.15),
        ("a core stolen", 0.01, 0.15),
    ],
)
def test_replies_are_in_time_wherever_a_plan_could_be(
    simulate: ModuleType, trace: str, late: float, regret: float
) -> None:
    row = simulate.row(trace, 1200, seed=3)
    assert row.late_after_first <= min(row.hopeless + late, 0.015)
    assert row.regret <= regret
    assert row.acknowledged <= 0.1
    assert row.back_after <= 3


def test_more_talks_on_one_gpu_cost_steps_before_they_cost_time(simulate: ModuleType) -> None:
    from dataclasses import replace

    gpu = replace(simulate.Gpu(), turns=12)
    few, many = simulate.serve(gpu, 5), simulate.serve(gpu, 120)
    assert (few.late, few.mean_k) == (0.0, 16.0)
    assert many.mean_k < 16
    assert many.late <= 0.01 < many.late_fixed


def test_the_watchdog_itself_takes_next_to_nothing(simulate: ModuleType) -> None:
    assert simulate.overhead_s() < 0.0005
