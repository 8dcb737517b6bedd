"""A broker of one's own, for tests and for trying out: mosquitto, on this machine alone.

Needs the program mosquitto (Debian: mosquitto).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from atonce.config.errors import AtonceError

START_S = 10.0
"""It starts within a tenth of a second; a busy machine takes longer."""
_PLACES = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
"""Debian has it where only root looks for programs."""


def program(name: str = "mosquitto") -> str | None:
    """Where it is; None: this machine has none."""
    return shutil.which(name, path=_PLACES)


class OwnBroker:
    """A context: inside it the broker runs, at a free port of 127.0.0.1."""

    def __init__(self, folder: Path, *, lines: Sequence[str] = ("allow_anonymous true",)) -> None:
        """folder: for its files. lines: of its configuration, behind the listener's."""
        self.port = _free_port()
        """It stays the same when the broker is started again."""
        self._folder, self._lines = folder, lines
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> OwnBroker:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it; AtonceError if it will not."""
        config, log = self._folder / "mosquitto.conf", self._folder / "mosquitto.log"
        # Where root starts it, it would become somebody who cannot read the folder.
        who = ["user root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        lines = [*who, f"listener {self.port} 127.0.0.1", *self._lines, ""]
        config.write_text("\n".join(lines))

        with log.open("ab") as kept:
            self._process = subprocess.Popen(
                [program() or "mosquitto", "-c", str(config)], stdout=kept, stderr=kept
            )

        deadline_s = time.monotonic() + START_S

        while not _listens(self.port):
            if time.monotonic() > deadline_s or self._process.poll() is not None:
                raise AtonceError(f"mosquitto did not start: {log.read_text()}")

            time.sleep(0.02)

    def freeze(self) -> None:
        """It does not answer any more."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It answers again."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def stop(self) -> None:
        """End it; what it retained is gone, too."""
        process, self._process = self._process, None

        if process is not None:
            process.terminate()
            process.wait()


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that a watcher got."""

    topic: str
    """All of it."""
    payload: bytes
    """As it came."""
    is_retained: bool
    """It was there before the watcher was."""

    @property
    def content(self) -> Any:
        """Its JSON."""
        return json.loads(self.payload)


class Watcher:
    """A context: inside it all that is published is heard, and anything can be sent."""

    def __init__(
        self,
        port: int,
        *,
        username: str = "",
        password: str = "",
        is_old: bool = False,
    ) -> None:
        """is_old: speaks MQTT 3.1.1, and not 5."""
        self.heard: list[Heard] = []
        """All messages so far."""
        self._port = port
        self._arrived = threading.Condition()
        self._is_in = threading.Event()
        client = self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311 if is_old else mqtt.MQTTv5
        )
        client.reconnect_delay_set(1, 1)
        client.on_connect = self._connected
        client.on_subscribe = lambda *_: self._is_in.set()
        client.on_message = self._message

        if username:
            client.username_pw_set(username, password)

    def __enter__(self) -> Watcher:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()

        if not self._is_in.wait(START_S):
            raise AtonceError("the broker did not let the watcher in")

        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, topic: str, message: object, *, is_retained: bool = False) -> None:
        """Publish bytes, or what becomes JSON."""
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        self._client.publish(topic, payload, qos=1, retain=is_retained).wait_for_publish(START_S)

    def wait_for(
        self,
        topic: str,
        fits: Callable[[Any], bool] = lambda _: True,
        *,
        within_s: float = 20.0,
        after: int = 0,
    ) -> Heard:
        """The first such message, whether it came already or comes; after: so many messages."""

        def found() -> Heard | None:
            return next(
                (
                    one
                    for one in self.heard[after:]
                    if one.topic == topic and one.payload and fits(one.content)
                ),
                None,
            )

        with self._arrived:
            self._arrived.wait_for(lambda: found() is not None, within_s)

        message = found()

        if message is None:
            told = "\n".join(f"{one.topic} {one.payload.decode()}" for one in self.heard)
            raise AtonceError(f"no such message on {topic} within {within_s:.0f} s; came:\n{told}")

        return message

    def _connected(
        self, client: mqtt.Client, data: Any, flags: Any, code: ReasonCode, rest: Any
    ) -> None:
        del data, flags, code, rest
        client.subscribe("#", qos=1)

    def _message(self, client: mqtt.Client, data: Any, message: mqtt.MQTTMessage) -> None:
        del client, data

        with self._arrived:
            self.heard.append(Heard(message.topic, bytes(message.payload), bool(message.retain)))
            self._arrived.notify_all()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except OSError:
        return False

    return True
