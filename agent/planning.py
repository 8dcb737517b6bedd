"""How a reply is to be written: what a planner is told, and what it decides. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from atonce.llm.protocols import Plan


@dataclass(frozen=True, slots=True)
class Asked:
    """A reply that is about to be written."""

    at_s: float
    """Now, seconds on the session's clock."""
    reply: int
    """Its number."""
    question: str
    """What it answers."""
    spoken_end_s: float
    """When the person's last word ended, on the same clock; for written questions: now."""
    is_early: bool
    """The person may go on: it is a draft."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The decision."""

    plan: Plan
    """K, canvas, rule and deadline; the deadline is on the writer's clock."""
    reason: str
    """Why, in a few words."""


class Planner(Protocol):
    """Decides before each reply."""

    def plan(self, asked: Asked) -> Planned:
        """How this reply is written."""
        ...


class FixedPlanner:
    """Every reply as the settings say, however long it takes."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def plan(self, asked: Asked) -> Planned:  # noqa: ARG002
        """The same for all."""
        return Planned(self._plan, f"K {self._plan.steps}")


_: type[Planner] = FixedPlanner
