"""How many denoising steps are enough: from quality by K to the settings. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NEAR = 0.01
"""`steps` may be this far (share of grounded turns) below the best K."""
HELD = 0.92
"""`min_steps` holds at least this share of the best."""
SLACK = 1.2
"""The budget of first audio, as a multiple of what nine of ten replies reach."""

SHORTEST_MS, LONGEST_MS = 100, 60_000
"""What `watchdog.first_audio_ms` may be."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The three settings of K."""

    steps: int
    """Where it works."""
    min_steps: int
    """What it may be lowered to."""
    max_steps: int
    """What more would not change."""


def choose(quality: Mapping[int, float]) -> Choice:
    """quality: K → grounded turns right, 0 to 1; ValueError where nothing is right at any K."""
    best = max(quality.values(), default=0.0)
    if best <= 0:
        raise ValueError("nothing is right at any K")

    def smallest(enough: float) -> int:
        return min(k for k, right in quality.items() if right >= enough)

    steps = smallest(best - NEAR)
    return Choice(steps, min(steps, smallest(HELD * best)), smallest(best))


def first_audio_ms(reached_ms: Sequence[float]) -> int:
    """The budget: p90 of what was reached and some slack, in tens of milliseconds, as far as the
    setting goes."""
    return min(LONGEST_MS, max(SHORTEST_MS, math.ceil(SLACK * nine_tenths(reached_ms) / 10) * 10))


def nine_tenths(values: Sequence[float]) -> float:
    """The smallest value that nine of ten do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-9 * len(ordered) // 10) - 1)]


def middle(values: Sequence[float]) -> float:
    """The median; of an even number the upper of the two."""
    return sorted(values)[len(values) // 2]
