"""What was audible when: the loudspeaker's sound, laid beside what the microphone heard (pure).

The two come from callbacks whose times jitter by some milliseconds; an echo canceller needs them
side by side without a jump. So sound is laid end to end, and laid anew only where its time is off
by more than SLACK_S: after a device came back, or when its clock has drifted so far.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from atonce.speech.protocols import Audio, Samples

SLACK_S = 0.03
"""Measured jitter under load stays below 25 ms, and the canceller follows slow drift by itself."""
LEAD_S = 0.03
"""What is played is handed over that much early: a canceller finds an echo that comes after its
cause, never one that seems to come before. Times of a virtual card were right to 10 ms."""
KEPT_S = 3.0
"""Longer than what was heard ever waits to be paired."""


class PlayedTrack:
    """The last seconds of what was played. One thread puts, another takes."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._blocks: deque[tuple[int, Samples]] = deque()
        self._end = 0
        self._next = 0
        self._owed_s = 0.0

    def put(self, samples: Samples, at_s: float) -> None:
        """Sound that becomes audible at that time."""
        start = self._near(self._end, at_s)
        self._blocks.append((start, samples))
        self._end = start + len(samples)

        while self._blocks and self._blocks[0][0] < self._end - round(KEPT_S * self._rate_hz):
            self._blocks.popleft()

    def take(self, seconds: float, from_s: float) -> Audio:
        """What was audible for so long from that time on; silence where nothing was played."""
        self._owed_s += seconds
        count = round(self._owed_s * self._rate_hz)
        self._owed_s -= count / self._rate_hz  # no drift, whatever the two rates are
        start = self._near(self._next, from_s + LEAD_S)
        self._next = start + count
        taken = np.zeros(count, dtype=np.float32)

        for begin, samples in tuple(self._blocks):
            first, last = max(begin, start), min(begin + len(samples), start + count)
            if first < last:
                taken[first - start : last - start] = samples[first - begin : last - begin]

        return Audio(taken, self._rate_hz)

    def _near(self, expected: int, at_s: float) -> int:
        """The expected place, unless the time is too far from it."""
        place = round(at_s * self._rate_hz)
        return expected if abs(place - expected) <= SLACK_S * self._rate_hz else place
