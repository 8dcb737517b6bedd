"""What the microphone wants of the system's sound: devices that come and go, and open lines.

A line is one device in use. Its callbacks come from a thread of the sound system's and are in a
hurry: they copy, and return. All else is asked from one thread at a time, and may take long or
never return where the system hangs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from atonce.agent.devices import Device
from atonce.speech.protocols import Samples

BLOCK_S = 0.02
"""Length of the pieces in which sound comes and goes."""

HANG_S = 5.0
"""A sound system that works opens a device within some tenths of a second."""
HANGS = (
    "the sound system does not answer: restart it (with PulseAudio or PipeWire: systemctl --user "
    "restart pulseaudio, or pipewire), then start again"
)

OnSound = Callable[[Samples, int, float], None]
"""Mono sound that was heard, its rate, and when its last sample was, on the session's clock."""
Fill = Callable[[int, float], Samples]
"""So many samples that are audible from that time on; mono, exactly that many."""


class OpenLine(Protocol):
    """A microphone or a loudspeaker in use."""

    @property
    def rate_hz(self) -> int:
        """Rate of its sound."""
        ...

    @property
    def faults(self) -> int:
        """How often sound was lost, because a callback came too late."""
        ...

    def is_running(self) -> bool:
        """False once the system gave it up."""
        ...

    def close(self) -> None:
        """Give it back; never an error."""
        ...


class SoundSystem(Protocol):
    """Opens lines. Blocking."""

    def devices(self) -> Sequence[Device]:
        """What is there at this moment; AudioError when the system cannot be asked. May take
        seconds."""
        ...

    def watched(self) -> Sequence[Device] | None:
        """The same, where it costs next to nothing and disturbs no line; else None."""
        ...

    def is_within_reach(self, device: Device) -> bool:
        """It can be opened as it is; else only after `restart`."""
        ...

    def restart(self) -> None:
        """See devices that came since the start; every line must be closed."""
        ...

    def listen(self, device: Device, on_sound: OnSound) -> OpenLine:
        """Open a microphone; AudioError when it cannot be."""
        ...

    def play(self, device: Device, rate_hz: int, fill: Fill) -> OpenLine:
        """Open a loudspeaker for sound of that rate, whatever its own; AudioError as above."""
        ...
