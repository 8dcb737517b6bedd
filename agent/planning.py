"""How a reply is to be written: what a planner is told, and what it decides. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from atonce.agent.events import SessionEvent
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
    """K, canvas, rule and deadline; the deadline is on the writer's clock. K 0: without the writer,
    if a fact clearly answers."""
    reason: str
    """Why, in a few words."""
    acknowledges: bool = False
    """The reply will be late: a sentence of the settings is said meanwhile."""


class Planner(Protocol):
    """Decides before each reply."""

    @property
    def drafts_early(self) -> bool:
        """Replies are begun even to what breaks off; to all else they are in any case."""
        ...

    @property
    def reads_partials(self) -> bool:
        """Transcripts are made while somebody speaks."""
        ...

    @property
    def complaint(self) -> str | None:
        """What is to be said at the start of a budget that cannot be kept; None: it can."""
        ...

    def plan(self, asked: Asked) -> Planned:
        """How this reply is written."""
        ...

    def observe(self, event: SessionEvent) -> None:
        """Something happened in the talk."""
        ...


class FixedPlanner:
    """Every reply as the settings say, however long it takes."""

    def __init__(self, plan: Plan, *, drafts_early: bool = True) -> None:
        self._plan = plan
        self._drafts_early = drafts_early

    @property
    def drafts_early(self) -> bool:
        """As the settings say."""
        return self._drafts_early

    @property
    def reads_partials(self) -> bool:
        """Always."""
        return True

    @property
    def complaint(self) -> str | None:
        """There is no budget."""
        return None

    def plan(self, asked: Asked) -> Planned:  # noqa: ARG002
        """The same for all."""
        return Planned(self._plan, f"K {self._plan.steps}")

    def observe(self, event: SessionEvent) -> None:
        """Nothing is learnt."""


_: type[Planner] = FixedPlanner
