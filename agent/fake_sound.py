"""A sound system of which a test is the master: devices come and go, callbacks come when told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from atonce.agent.devices import Device
from atonce.agent.sound_system import Fill, OnSound, OpenLine, SoundSystem
from atonce.config.errors import AudioError
from atonce.speech.protocols import Samples


class FakeLine:
    """A line that the test drives."""

    def __init__(self, device: Device, rate_hz: int, on_sound: OnSound | None, fill: Fill | None):
        self.device = device
        self.rate_hz = rate_hz
        self.faults = 0
        self.is_open = True
        self.is_alive = True
        """Set to False: the system gave it up."""
        self._on_sound = on_sound
        self._fill = fill

    def push(self, samples: Samples, at_s: float) -> None:
        """Somebody is heard."""
        if self._on_sound is not None and self.is_open:
            self._on_sound(samples, self.rate_hz, at_s)

    def pull(self, count: int, at_s: float) -> Samples:
        """The loudspeaker wants sound."""
        if self._fill is None or not self.is_open:
            return np.zeros(count, dtype=np.float32)

        return self._fill(count, at_s)

    def is_running(self) -> bool:
        """Unless the test has it fail."""
        return self.is_open and self.is_alive

    def close(self) -> None:
        """Give it back."""
        self.is_open = False


class FakeSound:
    """Devices in a list that the test changes."""

    def __init__(self, devices: Sequence[Device], *, is_watched: bool = True) -> None:
        """is_watched: it can tell in passing what is there, as PulseAudio can."""
        self.there = list(devices)
        """Change it to plug and unplug."""
        self.busy: set[str] = set()
        """Names of devices that another program holds."""
        self.is_mute = False
        """It does not answer."""
        self.lines: list[FakeLine] = []
        """All that were ever opened."""
        self.restarts = 0
        """How often it was started again."""
        self._is_watched = is_watched
        self._known = list(devices)

    def devices(self) -> list[Device]:
        """What is there."""
        if self.is_mute:
            raise AudioError("the sound system does not answer")

        return list(self.there)

    def watched(self) -> list[Device] | None:
        """The same, or None."""
        return self.devices() if self._is_watched else None

    def is_within_reach(self, device: Device) -> bool:
        """A watched one always is; else only what was there when it started."""
        return self._is_watched or device in self._known

    def restart(self) -> None:
        """See what is there; ValueError where a line is open: it would break."""
        if any(line.is_open for line in self.lines):
            raise ValueError("a line is open")

        self.restarts += 1
        self._known = list(self.there)

    def listen(self, device: Device, on_sound: OnSound) -> FakeLine:
        """Open a microphone at its own rate."""
        return self._opened(FakeLine(device, device.rate_hz, on_sound, None))

    def play(self, device: Device, rate_hz: int, fill: Fill) -> FakeLine:
        """Open a loudspeaker at the rate of its sound."""
        return self._opened(FakeLine(device, rate_hz, None, fill))

    def line(self, name: str) -> FakeLine:
        """The open line of a device."""
        return next(line for line in self.lines if line.is_open and line.device.name == name)

    def _opened(self, line: FakeLine) -> FakeLine:
        if line.device.name in self.busy or line.device not in self.there:
            raise AudioError(f"the {line.device.kind} {line.device.name} cannot be opened: busy")

        self.lines.append(line)
        return line


_system: type[SoundSystem] = FakeSound
_line: type[OpenLine] = FakeLine
