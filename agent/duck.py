"""The first hint of a voice over the agent's: it falls silent at once, and goes on if it was none.

Whether something is speech is known 64 ms later; a person who is not heard out for so long has
already raised their voice. It is the turn that decides all the rest.

Rule 1. What the turn has paused, only the turn resumes; all else goes on, also where the reply has
        ended in this very moment: the next one would never be heard.
Rule 2. Where hints come to nothing again and again (a rattling room), they are ignored for the rest
        of the reply.
"""

from __future__ import annotations

from atonce.agent.events import State
from atonce.agent.playback import Playback

MOST_VAIN = 3
"""Hints in one reply that were none: each is a gap of about a tenth of a second."""


class Duck:
    """Follows one session's playback, frame by frame."""

    def __init__(self, playback: Playback) -> None:
        self._playback = playback
        self._is_down = False
        self._vain = 0

    def follow(self, state: State, *, hint_s: float, is_paused: bool = False) -> None:
        """After each frame. state: the turn's; hint_s: seconds of a voice that is no speech yet;
        is_paused: the turn has paused the voice."""
        if state not in ("speaking", "paused"):
            self._vain = 0

        if is_paused:
            self._is_down = False
        elif self._is_down and not (hint_s and state == "speaking"):
            self._playback.resume()
            self._is_down = False
            self._vain += state == "speaking"
        elif not self._is_down and hint_s and state == "speaking" and self._vain < MOST_VAIN:
            self._playback.pause()
            self._is_down = True
