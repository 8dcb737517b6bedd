"""Microphones and loudspeakers: what one is, how it is found by name, and `atonce devices`.

Rule 1. Devices are named, never numbered: numbers move when something is plugged in.
Rule 2. The same name in several sound systems is one device; the best system of them is used.
"""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from atonce.config.errors import AudioError

HOSTS = (
    "PulseAudio",
    "Core Audio",
    "Windows WASAPI",
    "Windows DirectSound",
    "MME",
    "Windows WDM-KS",
    "ALSA",
)
"""Sound systems, the one to prefer first: those that share a device before those that seize it."""
SEE_DEVICES = "`atonce devices` lists what there is"
NOTHING_THERE = {
    True: "no microphone was found: connect one and start again; without one, `atonce ask` takes a "
    "question from a file or as text",
    False: "no loudspeaker was found: connect one (or headphones) and start again; without one, "
    "`atonce ask` writes the reply to a file",
}


@dataclass(frozen=True, slots=True)
class Device:
    """One microphone or loudspeaker."""

    name: str
    """For people, such as "Blue Yeti Analog Stereo"."""
    ident: str
    """As its sound system calls it; no two are the same."""
    host: str
    """The sound system: one of HOSTS, or another."""
    is_input: bool
    """A microphone; else a loudspeaker."""
    rate_hz: int
    """The rate at which it works by itself."""
    channels: int
    """How many it has."""
    is_default: bool
    """What the system uses unless told otherwise."""

    @property
    def kind(self) -> str:
        """In one word."""
        return kind(is_input=self.is_input)


def kind(*, is_input: bool) -> str:
    """What people call it."""
    return "microphone" if is_input else "loudspeaker"


def find(devices: Sequence[Device], wanted: str, *, is_input: bool) -> Device:
    """The device that a name, or a part of one, stands for; "" is the system's own.

    AudioError, in one sentence with what there is, when it is none or several.
    """
    there = [device for device in devices if device.is_input == is_input]

    if not there:
        raise AudioError(NOTHING_THERE[is_input])

    if not wanted.strip():
        defaults = [device for device in there if device.is_default]
        return (defaults or there)[0]

    exact = [d for d in there if wanted in (d.ident, d.name)]
    found = _best(exact or [device for device in there if _fits(device, wanted)])

    if len(found) == 1:
        return found[0]

    raise AudioError(_unclear(there, found, wanted, kind(is_input=is_input)))


def run(*, is_json: bool) -> int:
    """`atonce devices`: list them; 1 when there is neither microphone nor loudspeaker."""
    from atonce.agent.native_noise import caught

    with caught():
        devices = there()

    if is_json:
        sys.stdout.write(json.dumps([asdict(device) for device in devices]) + "\n")
    else:
        sys.stdout.write(listing(devices) + "\n")

    return 0 if devices else 1


def there() -> list[Device]:
    """What this machine has; where its sound system hangs, the program ends with that error."""
    from atonce.agent.portaudio import PortAudio
    from atonce.agent.sound_system import HANG_S, HANGS
    from atonce.agent.stopping import within

    return within(HANG_S, lambda: PortAudio().devices(), AudioError(HANGS))


def listing(devices: Sequence[Device]) -> str:
    """All devices as text, the system's own ones marked."""
    lines: list[str] = []

    for is_input, title, key in (
        (True, "microphones", "microphone.input"),
        (False, "loudspeakers", "microphone.output"),
    ):
        there = [device for device in devices if device.is_input == is_input]
        lines.append(f"{title} ({key})")
        lines += [_line(device) for device in there] or [f"  {NOTHING_THERE[is_input]}"]

    if devices:
        lines.append("* what the system uses by itself. Choose by a part of the name:")
        device = next((each for each in devices if each.is_input), devices[0])
        option = "--input" if device.is_input else "--output"
        lines.append(f'  atonce talk {option} "{device.name}"')

    return "\n".join(lines)


def _fits(device: Device, wanted: str) -> bool:
    """Every word of what was wanted stands in the name."""
    names = f"{device.name} {device.ident}".casefold()
    return all(word in names for word in wanted.casefold().split())


def _best(found: Sequence[Device]) -> list[Device]:
    """Rule 2: of several systems only the first that has any."""
    if not found:
        return []

    first = min(map(_rank, found))
    return [device for device in found if _rank(device) == first]


def _rank(device: Device) -> int:
    return HOSTS.index(device.host) if device.host in HOSTS else len(HOSTS)


def _unclear(there: Sequence[Device], found: Sequence[Device], wanted: str, what: str) -> str:
    names = ", ".join(_names(found or there))

    if found:
        return f"{wanted!r} may be one of several {what}s: {names}; write more of the name"

    if wanted.strip().isdigit():
        return f"{what}s are chosen by name, because numbers move: {wanted} is none of {names}"

    near = difflib.get_close_matches(wanted, [d.name for d in there], n=1, cutoff=0.5)
    ask = f"; did you mean {near[0]!r}?" if near else ""
    return f"there is no {what} {wanted!r}; there is {names}{ask} ({SEE_DEVICES})"


def _names(devices: Sequence[Device]) -> list[str]:
    """Names that tell the devices apart."""
    names = [device.name for device in devices]
    return [
        device.name if names.count(device.name) == 1 else f"{device.name} ({device.ident})"
        for device in devices
    ]


def _line(device: Device) -> str:
    mark = "*" if device.is_default else " "
    channels = {1: "mono", 2: "stereo"}.get(device.channels, f"{device.channels} channels")
    name = f"{mark} {device.name}"
    ident = f", {device.ident}" if device.ident != device.name else ""
    return f"{name}\n      {device.host}, {device.rate_hz} Hz, {channels}{ident}"
