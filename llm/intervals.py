"""How sure a share is: 95 % intervals by bootstrap, paired between ways of writing. Pure.

Rule 1. What is drawn anew are questions, not turns: a question that was drawn with several sets of
        values is one observation, or the intervals would be too narrow.
Rule 2. Every share is resampled with the same draws, so that differences are paired.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

ROUNDS = 2000
SEED = 7
TAIL = 2.5  # percent on either side

Hits = Sequence[bool | None]
"""One for every turn: whether it counts; None where the share is not about it."""


class Bootstrap:
    """Resamples of one list of turns."""

    def __init__(self, questions: Sequence[str]) -> None:
        """questions: what each turn asks, the same for turns that differ in their values only."""
        names = sorted(set(questions))
        place = {name: i for i, name in enumerate(names)}
        self._places = np.array([place[question] for question in questions], dtype=np.intp)
        self._count = len(names)
        dice = np.random.default_rng(SEED)
        even = np.full(self._count, 1 / max(1, self._count))
        self._weights = dice.multinomial(self._count, even, ROUNDS).astype(float)  # (ROUNDS, Q)

    def interval(self, hits: Hits) -> tuple[float, float]:
        """Of a share."""
        return _middle(self._shares(hits))

    def difference(self, hits: Hits, others: Hits) -> tuple[float, float]:
        """Of a share less another one."""
        return _middle(self._shares(hits) - self._shares(others))

    def _shares(self, hits: Hits) -> NDArray[np.float64]:
        about = np.array([hit is not None for hit in hits], dtype=float)
        met = np.array([bool(hit) for hit in hits], dtype=float)
        all_of = self._weights @ np.bincount(self._places, about, self._count)
        met_of = self._weights @ np.bincount(self._places, met, self._count)
        return np.divide(met_of, all_of, out=np.zeros(ROUNDS), where=all_of > 0)


def _middle(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.percentile(values, [TAIL, 100 - TAIL])
    return float(low), float(high)
