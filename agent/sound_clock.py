"""When sound was heard, from the times that callbacks tell: smooth, and true about what is missing.

A callback can come late, never early: of some callbacks the earliest tells the truth. Where even
the earliest of the last ones is late, sound was lost, and silence of that length takes its place.
Pure: it is told the time.
"""

from __future__ import annotations

from collections import deque

GAP_S = 0.06
"""Less than that is not missed: three blocks, twice the jitter that was measured."""
FORGETTING = 10
"""Silence that was given instead of sound is remembered ten times as long as it lasted; and time
that would go back goes on at a tenth of its pace."""
WINDOW = 10
"""Callbacks that are looked at together, 0.2 s."""


class SoundClock:
    """The end of what was heard, on the session's clock: it never goes back."""

    def __init__(self) -> None:
        self._total_s = 0.0
        self._offsets_s: deque[float] = deque(maxlen=WINDOW)
        self._base_s: float | None = None
        self._end_s: float | None = None
        self._credit_s = 0.0

    @property
    def end_s(self) -> float | None:
        """When the last sound was heard; None before the first."""
        return self._end_s

    def restart(self) -> None:
        """The sound that comes now is of another line: what its first callback tells holds."""
        self._offsets_s.clear()

    def skip(self, seconds: float) -> None:
        """Silence was given in the place of so much sound."""
        self._credit_s += seconds
        self._total_s += seconds
        self._offsets_s.clear()
        self._move_on(seconds)

    def is_too_late(self, seconds: float, at_s: float) -> bool:
        """Silence was given in the place of this sound already: it is to be dropped."""
        if self._end_s is None or at_s - seconds > self._end_s - GAP_S or self._credit_s <= 0:
            return False

        self._credit_s -= seconds
        return True

    def receive(self, seconds: float, at_s: float) -> float:
        """So much sound, with its last sample at that time: seconds that are missing before it."""
        self._total_s += seconds
        offset_s = at_s - self._total_s

        if self._base_s is None:
            self._base_s = offset_s

        is_first = not self._offsets_s
        self._offsets_s.append(offset_s)
        earliest_s = min(self._offsets_s)
        is_full = len(self._offsets_s) == WINDOW
        gap_s = earliest_s - self._base_s

        if gap_s > GAP_S and (is_first or is_full):
            self._total_s += gap_s
            self._offsets_s = deque((each - gap_s for each in self._offsets_s), WINDOW)
        else:
            self._base_s = earliest_s if gap_s < 0 or is_full else self._base_s
            gap_s = 0.0

        # What was silence for long ago is not looked for any more.
        self._credit_s = max(0.0, self._credit_s - seconds / FORGETTING)
        self._move_on(seconds + gap_s)
        return gap_s

    def _move_on(self, seconds: float) -> None:
        assert self._base_s is not None  # silence is given after sound only
        end_s = self._total_s + self._base_s
        soonest_s = end_s if self._end_s is None else self._end_s + seconds / FORGETTING
        self._end_s = max(end_s, soonest_s)
