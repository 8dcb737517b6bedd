"""The devices of PulseAudio and of PipeWire (which speaks its protocol), asked for by name.

PortAudio shows one device, `pulse`, for all of them: which one it opens is told to the library
below it, by an environment variable at the moment of opening.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from atonce.agent.devices import Device
from atonce.agent.sound_system import HANGS
from atonce.config.errors import AudioError

if TYPE_CHECKING:
    from pulsectl import Pulse

HOST = "PulseAudio"
ANSWER_S = 2.0
"""A server on the same machine answers within milliseconds, and waits for ever where it hangs."""


class PulseServer:
    """One connection, made again when it breaks. For one thread at a time."""

    def __init__(self) -> None:
        self._connection: Pulse | None = None
        self._is_there = True
        self._asking: threading.Thread | None = None
        self._answers: list[list[Device]] = []

    def devices(self, *, within_s: float = ANSWER_S) -> list[Device]:
        """Microphones and loudspeakers; empty where no such server runs, AudioError where it does
        not answer in time."""
        if not self._is_there:
            return []

        if self._asking is None or not self._asking.is_alive():
            self._answers.clear()
            self._asking = threading.Thread(target=self._ask, name="pulse", daemon=True)
            self._asking.start()

        self._asking.join(within_s)

        if self._asking.is_alive():
            raise AudioError(HANGS)

        return self._answers[0] if self._answers else []

    def _ask(self) -> None:
        self._answers.append(self._answer())

    def _answer(self) -> list[Device]:
        try:
            import pulsectl
        except (ImportError, OSError):  # a system without libpulse
            self._is_there = False
            return []

        for info in (pulsectl.PulseSourceInfo, pulsectl.PulseSinkInfo):
            info._init_from_struct = _keep_rate

        try:
            return self._asked(pulsectl.Pulse)
        except (pulsectl.PulseError, OSError):
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

            return []

    def _asked(self, pulse: type[Pulse]) -> list[Device]:
        if self._connection is None:
            self._connection = pulse("atonce", connect=False)
            self._connection.connect()

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


def _keep_rate(node: Any, told: Any) -> None:
    """pulsectl keeps a pointer to the rate, into memory that libpulse frees: take it in time."""
    node.rate_hz = int(told.sample_spec.rate)


def _device(node: Any, *, is_input: bool, default: str) -> Device:
    """A source or a sink as pulsectl has it."""
    name = str(node.name)
    title = str(node.description or name)
    return Device(
        title, name, HOST, is_input, node.rate_hz, int(node.channel_count), name == default
    )
