"""The reply check keeps its promise on the development packs, which it was not fitted on."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "measure_check.py"
DEV = SCRIPT.parent.parent / "corpus" / "dev"


@pytest.fixture(scope="module")
def measure() -> ModuleType:
    spec = importlib.util.spec_from_file_location("measure_check", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["measure_check"] = module
    spec.loader.exec_module(module)
    return module


def test_right_replies_pass_and_wrong_ones_are_caught(measure: ModuleType) -> None:
    right = list(measure.cases(measure.load_packs(DEV), seed=0))
    assert len(right) > 1000
    alarms = sum(not measure.passes(case) for case, _ in right)
    assert alarms / len(right) <= 0.02

    wrong = measure.wrong_replies(right, count=500, seed=0)
    made = [case for name in measure.COUNTED for case in wrong[name]]
    assert len(made) == 500
    caught = sum(not measure.passes(case) for case in made)
    assert caught / len(made) >= 0.8

    for name in ("invented", "named"):
        caught = sum(not measure.passes(case) for case in wrong[name])
        assert caught / len(wrong[name]) >= 0.95


def test_a_swapped_value_is_another_one_of_its_kind(measure: ModuleType) -> None:
    right = list(measure.cases(measure.load_packs(DEV), seed=1))
    for case in measure.wrong_replies(right, count=60, seed=1)["swapped"]:
        values = [value for value in measure.find_values(case.reply) if value.kind == case.kind]
        facts = [value for fact in case.prompt.facts for value in measure.find_values(fact)]
        assert any(measure.same(value, fact) for value in values for fact in facts)


def test_the_check_alone_catches_part_of_what_is_garbled_and_hardly_refuses_what_is_good(
    measure: ModuleType,
) -> None:
    garbled, good = (list(measure.labelled(label)) for label in ("garbled", "good"))
    assert len(garbled) > 90
    assert len(good) > 500
    assert sum(not measure.passes(case) for case in garbled) / len(garbled) > 0.45
    assert sum(not measure.passes(case) for case in good) / len(good) < 0.02
