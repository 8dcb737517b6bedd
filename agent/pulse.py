"""The devices of PulseAudio and of PipeWire (which speaks its protocol), asked for by name.

PortAudio shows one device, `pulse`, for all of them: which one it opens is told to the library
below it, by an environment variable at the moment of opening.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from atonce.agent.devices import Device

if TYPE_CHECKING:
    from pulsectl import Pulse

HOST = "PulseAudio"
CONNECT_S = 2.0
"""A server on the same machine answers within milliseconds."""


class PulseServer:
    """One connection, made again when it breaks. For one thread at a time."""

    def __init__(self) -> None:
        self._connection: Pulse | None = None
        self._is_there = True

    def devices(self) -> list[Device]:
        """Microphones and loudspeakers; empty where no such server runs."""
        if not self._is_there:
            return []

        try:
            import pulsectl
        except (ImportError, OSError):  # a system without libpulse
            self._is_there = False
            return []

        try:
            return self._asked(pulsectl.Pulse)
        except (pulsectl.PulseError, OSError):
            self.close()
            return []

    def close(self) -> None:
        """Hang up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _asked(self, pulse: type[Pulse]) -> list[Device]:
        if self._connection is None:
            self._connection = pulse("atonce", connect=False)
            self._connection.connect(timeout=CONNECT_S)

        server = self._connection.server_info()
        # A monitor is a loudspeaker's own sound: to hear with it is to hear oneself.
        sources = [s for s in self._connection.source_list() if not s.monitor_of_sink_name]
        return [
            *(_device(s, is_input=True, default=server.default_source_name) for s in sources),
            *(
                _device(sink, is_input=False, default=server.default_sink_name)
                for sink in self._connection.sink_list()
            ),
        ]


@contextmanager
def chosen(device: Device) -> Iterator[None]:
    """What is opened inside is this device."""
    key = "PULSE_SOURCE" if device.is_input else "PULSE_SINK"
    before = os.environ.get(key)
    os.environ[key] = device.ident

    try:
        yield
    finally:
        if before is None:
            del os.environ[key]
        else:
            os.environ[key] = before


def _device(node: object, *, is_input: bool, default: str) -> Device:
    """A source or a sink as pulsectl has it."""
    name, description = str(getattr(node, "name", "")), str(getattr(node, "description", ""))
    rate_hz = int(getattr(getattr(node, "sample_spec", None), "rate", 48_000))
    channels = int(getattr(node, "channel_count", 1))
    return Device(description or name, name, HOST, is_input, rate_hz, channels, name == default)
