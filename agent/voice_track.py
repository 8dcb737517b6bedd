"""How loud the agent is at every moment of a recording. Pure.

Rule 1. Loudness (RMS, dBFS) is that of blocks of 20 ms; seconds are those of the recording.
"""

from __future__ import annotations

import numpy as np

from atonce.speech.levels import active_level_db
from atonce.speech.protocols import Samples

BLOCK_S = 0.02
STILL_DB = -60.0
"""Below, nobody speaks."""


class VoiceTrack:
    """The agent's loudness, block by block."""

    def __init__(self, played: Samples, rate_hz: int) -> None:
        self._played = played
        self._rate_hz = rate_hz
        width = round(BLOCK_S * rate_hz)
        count = len(played) // width
        blocks = played[: count * width].reshape(count, width).astype(np.float64)
        self._levels_db = 10 * np.log10(np.square(blocks).mean(axis=1) + 1e-12)

    def level_db(self, begin_s: float, end_s: float) -> float:
        """Of what sounds in a stretch; -inf where nothing does."""
        first, last = (max(0, round(at_s * self._rate_hz)) for at_s in (begin_s, end_s))
        return active_level_db(self._played[first:last], self._rate_hz)

    def falls_s(self, from_s: float, below_db: float, for_s: float) -> float | None:
        """From when on it stays below a level for so long."""
        needed = round(for_s / BLOCK_S)
        low = self._levels_db < below_db

        for block in range(self._block(from_s), len(low) - needed + 1):
            if low[block : block + needed].all():
                return block * BLOCK_S

        return None

    def rises_s(self, from_s: float, above_db: float) -> float | None:
        """When it is above a level again."""
        loud = np.flatnonzero(self._levels_db[self._block(from_s) :] >= above_db)
        return (self._block(from_s) + int(loud[0])) * BLOCK_S if len(loud) else None

    def last_above_s(self, from_s: float, until_s: float, above_db: float) -> float | None:
        """When it last was above a level."""
        first = self._block(from_s) + 1  # the block in which the time limit lies does not count
        loud = np.flatnonzero(self._levels_db[first : self._block(until_s)] >= above_db)
        return (first + int(loud[-1])) * BLOCK_S if len(loud) else None

    def _block(self, at_s: float) -> int:
        return max(0, int(at_s / BLOCK_S + 1e-6))
