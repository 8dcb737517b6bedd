"""Keeps the microphone and the loudspeaker open: notices what is gone, says it, opens it again.

Rule 1. It is told the time, and looks when it is called; what it calls may block.
Rule 2. What is lost is found again by name, in the sound system that it was in.
Rule 3. With no name chosen, the system's own device is used, also when the system changes it.
Rule 4. Every trouble is said once, and its end as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from atonce.agent.devices import Device, find
from atonce.agent.sound_system import OpenLine, SoundSystem
from atonce.config.errors import AudioError
from atonce.speech.protocols import Samples

STALLED_S = 1.0
"""Callbacks come every 20 ms; a busy machine may hold them up for some tenths of a second."""
SILENT_S = 2.0
"""A microphone that works has noise; nothing but zeros is a switch, a cable or a permission."""
RETRY_S = 1.0
"""Between two looks for a device that is lost …"""
SLOW_RETRY_S = 3.0
"""… where a look takes a process of its own."""


@dataclass(slots=True)
class Line:
    """One device that is wanted."""

    is_input: bool
    """A microphone; else a loudspeaker."""
    wanted: str
    """A part of its name; "" is the system's own."""
    opened: Callable[[SoundSystem, Device, Line], OpenLine]
    """Opens it."""
    device: Device | None = None
    """The one in use, or the one that is lost."""
    open: OpenLine | None = None
    """None while it is lost."""
    generation: int = 0
    """How often it was opened or given up: callbacks of an earlier time are none of ours."""
    moved_at_s: float = 0.0
    """The last callback."""
    sounded_at_s: float = 0.0
    """The last one with sound in it."""
    stillest_s: float = 0.0
    """The longest silence after which sound came again by itself: some microphones have a gate."""
    retry_at_s: float = 0.0
    """When it is looked for again."""
    trouble: str = ""
    """What was said last, and still holds."""
    lost_faults: int = 0
    """Faults of earlier lines."""

    def note(self, samples: Samples, at_s: float) -> None:
        """A callback came; for the thread of the sound system."""
        self.moved_at_s = at_s
        if not self.is_input or samples.any():
            self.stillest_s = max(self.stillest_s, at_s - self.sounded_at_s)
            self.sounded_at_s = at_s

    @property
    def name(self) -> str:
        """The device as it stands in a sentence."""
        what = "microphone" if self.is_input else "loudspeaker"
        return f"the {what} {self.device.name}" if self.device else f"the {what}"

    @property
    def faults(self) -> int:
        """How often sound was lost, because a callback came too late."""
        return self.lost_faults + (self.open.faults if self.open else 0)


class DeviceKeeper:
    """Looks after the lines of one talk. For one thread."""

    def __init__(
        self, system: SoundSystem, lines: Sequence[Line], say: Callable[[str], None]
    ) -> None:
        """say: gets every trouble in one sentence."""
        self._system = system
        self._lines = lines
        self._say = say
        self._looked_at_s = 0.0

    def open(self, now_s: float) -> None:
        """Open all of them; AudioError, with none open, when one cannot be."""
        devices = self._system.devices()
        found = [find(devices, line.wanted, is_input=line.is_input) for line in self._lines]

        try:
            for line, device in zip(self._lines, found, strict=True):
                self._open(line, device, now_s)
        except AudioError:
            self.close()
            raise

    def look(self, now_s: float) -> None:
        """Notice what is lost, and open again what is back."""
        was_late = now_s - self._looked_at_s > STALLED_S
        self._looked_at_s = now_s

        # First without asking the system: where it hangs, the question would not return.
        for line in self._lines:
            self._check_alive(line, now_s, was_late=was_late)

        if any(line.open for line in self._lines):
            there = self._there()
            for line in self._lines:
                self._check(line, there, now_s)

        lost = [line for line in self._lines if not line.open and line.retry_at_s <= now_s]
        if lost:
            self._find_again(lost, now_s)

    def close(self) -> None:
        """Give all of them back."""
        for line in self._lines:
            self._give_up(line)

    def _there(self) -> Sequence[Device] | None:
        try:
            return self._system.watched()
        except AudioError:
            return None

    def _check_alive(self, line: Line, now_s: float, *, was_late: bool) -> None:
        """Whether callbacks come."""
        if line.open is None:
            return

        if not line.open.is_running():
            self._lose(line, "stopped (was it unplugged?)", now_s)
        elif now_s - line.moved_at_s > STALLED_S and not was_late:
            self._lose(line, "does not answer any more", now_s)

    def _check(self, line: Line, there: Sequence[Device] | None, now_s: float) -> None:
        """Whether it is still the right one, and of use."""
        if line.open is None or line.device is None:
            return

        if there is not None and line.device.ident not in [device.ident for device in there]:
            self._lose(line, "is gone (was it unplugged?)", now_s)
        elif there is not None and self._is_outvoted(line, there):
            self._give_up(line)
            line.trouble = "outvoted"
        else:
            self._check_silence(line)

    def _is_outvoted(self, line: Line, there: Sequence[Device]) -> bool:
        """Rule 3: the system's own device is another one now."""
        if line.wanted.strip():
            return False

        ident = line.device.ident if line.device else ""
        return find(there, "", is_input=line.is_input).ident != ident

    def _check_silence(self, line: Line) -> None:
        still_s = line.moved_at_s - line.sounded_at_s
        is_silent = line.is_input and still_s > max(SILENT_S, 2 * line.stillest_s)

        if is_silent and not line.trouble:
            line.trouble = "silent"
            self._say(f"{_capital(line.name)} gives nothing but silence: is it muted?")
        elif line.trouble and still_s < SILENT_S:
            line.trouble = ""
            self._say(f"{_capital(line.name)} is heard again.")

    def _lose(self, line: Line, trouble: str, now_s: float) -> None:
        # Said before it is given up: giving up may take as long as the system hangs.
        line.trouble = trouble
        line.retry_at_s = now_s
        back = (
            "it is used again as soon as it returns" if line.wanted.strip() else "another is sought"
        )
        self._say(f"{_capital(line.name)} {trouble}; {back}.")
        self._give_up(line)

    def _give_up(self, line: Line) -> None:
        line.generation += 1
        line.lost_faults = line.faults
        opened, line.open = line.open, None
        if opened is not None:
            opened.close()

    def _find_again(self, lost: Sequence[Line], now_s: float) -> None:
        try:
            is_slow = self._system.watched() is None
            devices = self._system.devices()
        except AudioError:
            return

        for line in lost:
            line.retry_at_s = now_s + (SLOW_RETRY_S if is_slow else RETRY_S)

        found = [(line, device) for line in lost if (device := self._again(line, devices))]

        if not all(self._system.is_within_reach(device) for _, device in found):
            found += [(line, line.device) for line in self._lines if line.open and line.device]
            self.close()
            self._system.restart()

        for line, device in found:
            self._reopen(line, device, now_s)

    def _again(self, line: Line, devices: Sequence[Device]) -> Device | None:
        """Rule 2: the lost device if it is there, else one that the name stands for."""
        before = line.device
        there = [d for d in devices if before is None or d.host == before.host]
        same = [d for d in there if before and d.ident == before.ident]

        if line.wanted.strip() and same:
            return same[0]

        try:
            return find(there, line.wanted, is_input=line.is_input)
        except AudioError:
            return None

    def _reopen(self, line: Line, device: Device, now_s: float) -> None:
        before = line.device
        is_lost = bool(line.trouble)

        try:
            self._open(line, device, now_s)
        except AudioError as error:
            if line.trouble != str(error):
                line.trouble = str(error)
                self._say(f"{_capital(str(error))}; it is tried again every second.")
            return

        if before and before.ident != device.ident:
            self._say(f"{_capital(line.name)} is used now.")
        elif is_lost:
            self._say(f"{_capital(line.name)} is back.")

    def _open(self, line: Line, device: Device, now_s: float) -> None:
        line.generation += 1
        line.moved_at_s = line.sounded_at_s = now_s
        line.stillest_s = 0.0
        line.open = line.opened(self._system, device, line)
        line.device = device
        line.trouble = ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
