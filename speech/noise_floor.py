"""How loud the room is when nobody speaks, and how far sound must be raised to be judged. Pure.

A microphone's level says nothing: quiet ones are 40 dB below loud ones. So nothing here is a
gate: quiet sound is raised as far as the noise of its room allows, and then judged by its kind.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from atonce.speech.protocols import Samples

SILENT_DB = -120.0
"""Level of digital silence."""
_MEMORY_S = 5.0
"""The floor is the stillest moment of so long: longer than any word or breath."""
_TARGET_DB = -14.0
"""Peak to which a voice is raised: where the voice detector was found to miss nothing."""
_MOST_GAIN_DB = 40.0
"""Enough for a voice that peaks at -65 dBFS."""
_LOUDEST_FLOOR_DB = -35.0
"""Noise (RMS) is not raised above this; white noise so loud was never taken for a voice."""
_RELEASE_DB_A_SECOND = 12.0
"""How fast a loud moment is forgotten: pauses between words must not be raised to be words."""


def level_db(samples: Samples) -> float:
    """Loudness (RMS, dBFS); SILENT_DB at least."""
    power = float(np.square(samples, dtype=np.float64).mean()) if len(samples) else 0.0
    return max(SILENT_DB, 10 * float(np.log10(power + 1e-20)))


class NoiseFloor:
    """Follows one stream: the level of its stillest moments, and the gain it needs."""

    def __init__(self) -> None:
        self._levels: deque[tuple[float, float]] = deque()
        self._now_s = 0.0
        self._peak_db = SILENT_DB

    @property
    def floor_db(self) -> float:
        """Loudness (RMS, dBFS) of the stillest moment of the last seconds."""
        return self._levels[0][1] if self._levels else SILENT_DB

    def hear(self, frame: Samples, seconds: float) -> None:
        """Take the next frame of the stream into account."""
        self._now_s += seconds
        self._keep_smallest(level_db(frame))
        peak_db = 20 * float(np.log10(np.abs(frame).max(initial=0.0) + 1e-9))
        self._peak_db = max(peak_db, self._peak_db - _RELEASE_DB_A_SECOND * seconds)

    @property
    def gain_db(self) -> float:
        """By how much the last frame is to be raised before it is judged; never below 0."""
        wanted_db = min(_TARGET_DB - self._peak_db, _MOST_GAIN_DB)
        allowed_db = _LOUDEST_FLOOR_DB - self.floor_db
        return max(0.0, min(wanted_db, allowed_db))

    def _keep_smallest(self, level: float) -> None:
        """The levels that may still become the smallest of the window, in rising order."""
        while self._levels and self._levels[-1][1] >= level:
            self._levels.pop()

        self._levels.append((self._now_s, level))

        while self._levels[0][0] < self._now_s - _MEMORY_S:
            self._levels.popleft()
