"""Until when a browser is waited for (pure: told the time).

Rule 1. The connection must stand within `ice_timeout_s`. From then on sound and messages are signs
        of life: `close_after_s` after the last one the browser is gone.
Rule 2. A page says over http that it is there while it connects. Once one has said so, it is gone
        `close_after_s` after it said so last: a browser that dies then keeps the place no longer
        than one that dies in the talk. Programs need not say it.
"""

from __future__ import annotations


class Presence:
    """Of the browser of one talk."""

    def __init__(self, *, ice_timeout_s: float, close_after_s: float) -> None:
        """Both in seconds."""
        self._ice_timeout_s, self._close_after_s = ice_timeout_s, close_after_s
        self._given_up_s = 0.0
        self._has_told = self._is_connected = False
        self.ends_s = 0.0
        """When it is given up, unless there is a sign of life before."""

    def begin(self, at_s: float) -> None:
        """The answer is on its way: the connection may come."""
        self.ends_s = self._given_up_s = at_s + self._ice_timeout_s

        if self._has_told:
            self.tell(at_s)

    def tell(self, at_s: float) -> None:
        """The page says that it is there, and will say it again until the connection stands."""
        self._has_told = True

        if not self._is_connected:
            self.ends_s = min(self._given_up_s, at_s + self._close_after_s)

    def note(self, at_s: float) -> None:
        """Something came through the connection, or it stands now."""
        self._is_connected = True
        self.ends_s = at_s + self._close_after_s
