"""The model's card, its data and its picture tell the same scores."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

EMBEDDED = Path(__file__).parents[1] / "llm" / "embedded"
CANVAS = "40"


@pytest.fixture(scope="module")
def quality() -> dict[str, Any]:
    """Of the usual canvas, by K."""
    told = json.loads((EMBEDDED / "quality.json").read_text("utf-8"))
    of_canvas: dict[str, Any] = told["by_canvas"][CANVAS]
    return of_canvas


def rows() -> dict[str, list[str]]:
    """The cells of the card's table by the name of the row."""
    card = (EMBEDDED / "README.md").read_text("utf-8")
    lines = re.findall(r"^\| ([^|]+) \|(.+)\|$", card, re.M)
    return {name.strip(): [cell.strip() for cell in cells.split("|")] for name, cells in lines}


def share(cell: str) -> float:
    """ "75.2 (70–80)" as a share from 0 to 1."""
    return float(cell.split(" ")[0]) / 100


def test_the_card_tells_what_atonce_tune_chooses_by(quality: dict[str, Any]) -> None:
    for steps, told in quality.items():
        grounded, unknown, *_, agent, taken, _ms = rows()[f"K={steps}"]
        assert share(grounded) == pytest.approx(told["grounded"], abs=6e-4)
        assert share(unknown) == pytest.approx(told["unknown"], abs=6e-4)
        assert share(agent) == pytest.approx(told["agent_grounded"], abs=6e-4)
        assert float(taken) == pytest.approx(told["steps"], abs=0.06)


def test_the_picture_shows_what_the_card_tells(quality: dict[str, Any]) -> None:
    picture = (EMBEDDED / "quality.svg").read_text("utf-8")
    (shown,) = re.findall(r"grounded turns right, checked, percent: (K=[^<]+)<", picture)

    assert shown == ", ".join(
        f"K={steps} {rows()[f'K={steps}'][0].split(' ')[0]}" for steps in quality
    )


def test_the_card_has_the_rivals_and_the_other_ways_of_asking() -> None:
    names = " / ".join(rows())
    for row in (
        "AR zero-shot", "AR fine-tuned", "best fact, read out always", "honest sentence, always",
        "asked as heard", "begun after half the question",
    ):  # fmt: skip
        assert row in names
