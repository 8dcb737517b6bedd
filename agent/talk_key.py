"""Push-to-talk with a key of a terminal, which tells that a key goes down, never that it goes up.

    tap … tap         down ………………… up        the first tap begins, the second ends
    held              down ‥‥‥‥‥‥‥‥‥ up        it repeats; when that stops, it was let go

Pure: it is told the time.
"""

from __future__ import annotations

REPEAT_S = 0.12
"""Keyboards repeat a held key every 20 to 50 ms; nobody taps as fast."""
RELEASED_S = 0.25
"""Without a repeat for so long, a held key was let go."""


class TalkKey:
    """One key."""

    def __init__(self) -> None:
        self.is_down = False
        self._is_held = False
        self._last_s = 0.0
        self._ending_s: float | None = None

    @property
    def due_s(self) -> float | None:
        """When `pass_time` may have something to tell; None: not before the next `press`."""
        if self._ending_s is not None:
            return self._ending_s

        return self._last_s + RELEASED_S if self.is_down and self._is_held else None

    def press(self, at_s: float) -> None:
        """The terminal told of the key."""
        is_repeat = at_s - self._last_s < REPEAT_S
        self._last_s = at_s

        if is_repeat:
            self._is_held, self._ending_s = self.is_down, None
        elif self.is_down and not self._is_held:
            # The second tap, or the first repeat of a key that is held: what follows will tell.
            self._ending_s = at_s + REPEAT_S
        else:
            self.is_down, self._is_held = True, False

    def pass_time(self, at_s: float) -> None:
        """It is that late."""
        due_s = self.due_s

        if due_s is not None and at_s >= due_s:
            self.is_down, self._is_held, self._ending_s = False, False, None
