"""What connects a session with a person: sound both ways, and somebody to tell what happens.

Rule 1. `listen` gives sound as it comes, without a gap: where sound was lost, the transport gives
        silence of the same length, so that seconds of sound and seconds of the clock stay together.
Rule 2. `playback` is pulled by the transport: each call of its `take` is what is audible at `at_s`.
Rule 3. `publish` never blocks and never raises: whoever cannot follow drops events and counts them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from atonce.agent.events import SessionEvent
from atonce.agent.playback import Playback
from atonce.speech.protocols import Audio

FRAME_S = 0.02
"""Sound in a frame: what the browser and the sound card deal in, too."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A stretch of sound that was heard, about 20 ms."""

    heard: Audio
    """What the microphone gave; any rate, the same from frame to frame."""
    played: Audio | None
    """What was audible meanwhile, for the echo canceller; None where there is nothing to cancel."""
    at_s: float
    """When its last sample was heard, seconds on the session's clock."""


class Transport(Protocol):
    """A microphone with a loudspeaker, a browser's tab, a scripted caller."""

    @property
    def playback(self) -> Playback:
        """What the person hears."""
        ...

    def listen(self) -> AsyncIterator[Frame]:
        """The sound of the person; it ends when the person or the device is gone for good."""
        ...

    def publish(self, event: SessionEvent) -> None:
        """Something happened."""
        ...
