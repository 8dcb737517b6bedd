"""docs/licences.md leaves nothing out that is installed or fetched."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from atonce.config.catalogue import MODELS

ROOT = Path(__file__).parents[1]
TERMS = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")


def locked() -> list[str]:
    """Names of the packages that are installed together, the project's and those for work on it."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return [line.partition("==")[0] for line in lines if "==" in line]


def wanted() -> list[str]:
    """Names of the packages that the project asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    return [re.split(r"[<>=!~\[; ]", one)[0] for one in asked]


def bare(name: str) -> str:
    """As the package index compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


NAMED = {bare(name) for name in re.findall(r"[\w.-]+", TERMS)}


@pytest.mark.parametrize("name", sorted({*locked(), *wanted()}))
def test_the_terms_of_every_package_are_told(name: str) -> None:
    assert bare(name) in NAMED


def test_what_the_project_asks_for_is_locked() -> None:
    assert {bare(name) for name in wanted()} <= {bare(name) for name in locked()}


@pytest.mark.parametrize("name", MODELS)
def test_the_terms_of_every_model_are_told(name: str) -> None:
    weights = MODELS[name].weights_licence.split()[0]
    known = [line for line in TERMS.splitlines() if line.startswith("|")]
    titles = {"whisper-base": "Whisper base", "smart-turn": "Smart Turn"}
    title = titles.get(name, name).lower()

    assert any(title in line.lower() and weights in line for line in known)
