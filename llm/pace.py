"""How long a denoising step will take, and what fits before a deadline. Pure: it is told the time.

Rule 1. A step is begun only where it is expected to end by the deadline, except a row's first.
Rule 2. What does not fit costs steps first; below `min_steps` it costs canvas, before the start.
Rule 3. A new row waits while it would take a running one past its deadline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from atonce.llm.protocols import Plan

NARROWER = 4
"""By so many positions a canvas is made smaller at a time."""
MOST_FITTING = 1_000_000.0
"""Steps: more are never asked for, and an endless time holds no countable number."""
STEEPEST = 4.0
"""How many times slower a single step may make the machine look: where a whole machine stood still
for seconds, all replies of the next minutes would be cut to one step."""
CALMING = 0.2
"""A slower step is believed at once, a faster one by this share: a deadline forgives no optimism,
and a machine that is busy now is mostly still busy in the next step."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a denoising step takes: a line over the positions of all rows, times the load."""

    step_s: float
    """Of a step, whatever its positions: calls, and weights brought from memory."""
    position_s: float
    """More for each position, its share of the arithmetic."""
    load: float = 1.0
    """How many times slower the machine is at present."""

    def seconds(self, positions: int) -> float:
        """What the next step is expected to take."""
        return (self.step_s + self.position_s * positions) * self.load

    def after(self, positions: int, took_s: float) -> Cost:
        """What is expected after a step that took so long."""
        load = took_s / (self.step_s + self.position_s * positions)
        load = min(load, STEEPEST * self.load)
        return replace(self, load=max(load, self.load + CALMING * (load - self.load)))


class Meter:
    """What steps cost, kept up to date by every step; the rows of one engine share it."""

    def __init__(self, cost: Cost) -> None:
        self.cost = cost

    def record(self, positions: int, took_s: float) -> None:
        """A step of so many positions took so long."""
        if took_s > 0:  # a clock that stands still tells nothing
            self.cost = self.cost.after(positions, took_s)


@dataclass(frozen=True, slots=True)
class Need:
    """What a row still wants of the machine."""

    positions: int
    """Its canvas."""
    steps: int
    """Still to do."""
    deadline_s: float | None
    """When it has to stand."""


def steps_within(seconds: float, step_s: float) -> int:
    """How many whole steps fit; none where the time is over, or no number."""
    if not seconds > 0:
        return 0

    # A hair more than fits still fits: 0.3 / 0.1 is 2.9999999999999996.
    return int(min(seconds / step_s, MOST_FITTING) + 1e-6)


def fit(plan: Plan, cost: Cost, *, now_s: float, beside: int, shortest: int) -> Plan:
    """The plan as it can be kept: fewer steps, or else a smaller canvas.

    beside: positions of the rows that run already. shortest: a canvas is made no smaller.
    """
    if plan.deadline_s is None:
        return plan

    wanted, canvas = min(plan.min_steps, plan.steps), plan.canvas
    left_s = plan.deadline_s - now_s
    while True:
        steps = steps_within(left_s, cost.seconds(canvas + beside))
        if steps >= wanted or canvas <= shortest:
            return replace(plan, canvas=canvas, steps=max(1, min(plan.steps, steps)))

        canvas = max(shortest, canvas - NARROWER)


def admits(running: Sequence[Need], new: Need, cost: Cost, *, now_s: float) -> bool:
    """Whether every running row still ends by its deadline when a new one joins it."""
    step_s = cost.seconds(new.positions + sum(need.positions for need in running))
    return all(
        need.deadline_s is None or steps_within(need.deadline_s - now_s, step_s) >= need.steps
        for need in running
    )
