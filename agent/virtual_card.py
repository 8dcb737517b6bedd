"""A sound card that is not there: a PulseAudio server of its own, for tests and for trying out.

    speak ─► sink mouth ─► source "microphone" ─► whoever listens
    hear  ◄─ sink "loudspeaker" ◄─ whoever plays

Needs the programs pulseaudio, pactl, paplay and parec (Debian: pulseaudio, pulseaudio-utils), and
libasound2-plugins for programs that use ALSA, as PortAudio does.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np

from atonce.speech.protocols import Audio

MICROPHONE = "atonce_microphone"
LOUDSPEAKER = "atonce_loudspeaker"
PROGRAMS = ("pulseaudio", "pactl", "paplay", "parec")
START_S = 15.0
"""A server starts within a second; a busy machine takes longer."""
_MOUTH = "atonce_mouth"
_RATE_HZ = 16_000


def is_available() -> bool:
    """Whether this machine has what it needs."""
    return all(shutil.which(program) for program in PROGRAMS)


class VirtualCard:
    """A context: inside it the server runs."""

    def __init__(self, folder: Path, *, rate_hz: int = 48_000, channels: int = 2) -> None:
        """folder: an empty one for its files; rate_hz, channels: those of both devices."""
        self._folder = folder
        self._form = f"rate={rate_hz} channels={channels}"
        self._rate_hz = rate_hz
        self._server: subprocess.Popen[bytes] | None = None
        self._speakers: list[subprocess.Popen[bytes]] = []
        run = folder / "run"
        self.environment = {
            "XDG_RUNTIME_DIR": str(run),
            "PULSE_SERVER": f"unix:{run / 'pulse' / 'native'}",
            "PULSE_COOKIE": str(folder / "cookie"),
            "PULSE_CONFIG": str(folder / "daemon.conf"),
        }
        """What a program needs to find it, on top of its own environment."""

    def __enter__(self) -> VirtualCard:
        (self._folder / "run").mkdir(mode=0o700, exist_ok=True)
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        for speaker in self._speakers:
            speaker.wait()

    def start(self) -> None:
        """Start the server, with a microphone and a loudspeaker; RuntimeError if it will not."""
        # Else the server changes a card's rate to suit whoever plays first.
        (self._folder / "daemon.conf").write_text(
            f"default-sample-rate = {self._rate_hz}\nalternate-sample-rate = {self._rate_hz}\n"
        )
        script = self._folder / "start.pa"
        # norewinds: what was recorded begins at once, and not when something is first played.
        script.write_text(
            f"load-module module-native-protocol-unix auth-anonymous=1 "
            f"socket={self._folder / 'run' / 'pulse' / 'native'}\n"
            f"load-module module-null-sink sink_name={_MOUTH} norewinds=1 {self._form}\n"
            f"{self._loading(LOUDSPEAKER)}\n{self._loading(MICROPHONE)}\n"
            f"set-default-sink {LOUDSPEAKER}\nset-default-source {MICROPHONE}\n"
        )
        options = (
            "-n --daemonize=no --exit-idle-time=-1 --disallow-exit=yes --use-pid-file=no "
            "--realtime=no --high-priority=no"
        )
        with (self._folder / "server.log").open("ab") as log:
            self._server = subprocess.Popen(
                ["pulseaudio", *options.split(), "-F", str(script)],
                env=self._env(),
                stdout=log,
                stderr=log,
            )

        deadline_s = time.monotonic() + START_S
        while LOUDSPEAKER not in self._pactl("list", "short", "sinks", is_checked=False):
            if time.monotonic() > deadline_s or self._server.poll() is not None:
                raise RuntimeError(
                    f"PulseAudio did not start: {(self._folder / 'server.log').read_text()}"
                )

            time.sleep(0.05)

    def kill(self) -> None:
        """End the server at once, as if it had crashed."""
        server, self._server = self._server, None
        if server is not None:
            server.kill()
            server.wait()

    def freeze(self) -> None:
        """The server does not answer any more."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It answers again."""
        self._signal(signal.SIGCONT)

    def unplug(self, name: str) -> None:
        """Take MICROPHONE or LOUDSPEAKER away."""
        lines = self._pactl("list", "short", "modules").splitlines()
        module = next(line.split()[0] for line in lines if name in line)
        self._pactl("unload-module", module)

    def plug(self, name: str) -> None:
        """Bring it back."""
        self._pactl(*self._loading(name).split())

    def loop_back(self, *, latency_ms: int = 20, volume: float = 1.0) -> None:
        """Let the microphone hear the loudspeaker; volume: of the amplitude, 0 to 1."""
        loading = f"load-module module-loopback source={LOUDSPEAKER}.monitor sink={_MOUTH}"
        module = self._pactl(*loading.split(), f"latency_msec={latency_ms}").strip()
        inputs = self._pactl("list", "sink-inputs").split("Sink Input #")
        number = next(each.split()[0] for each in inputs if f"Owner Module: {module}\n" in each)
        # A linear volume, which is what an amplitude is; PulseAudio's own scale is cubic.
        scaled = round(65_536 * volume ** (1 / 3))
        self._pactl("set-sink-input-volume", number, str(scaled))

    def short_circuit(self) -> str:
        """The name of another microphone, which hears the loudspeaker without any way between."""
        name = "atonce_short_circuit"
        self._pactl(
            "load-module",
            "module-remap-source",
            f"master={LOUDSPEAKER}.monitor",
            f"source_name={name}",
            f"source_properties=device.description={name}",
        )
        return name

    def speak(self, sound: Path) -> subprocess.Popen[bytes]:
        """Say a sound file into the microphone; the process ends when all was said."""
        speaker = subprocess.Popen(
            ["paplay", f"--device={_MOUTH}", "--latency-msec=50", str(sound)], env=self._env()
        )
        self._speakers.append(speaker)
        return speaker

    @contextmanager
    def recorder(self) -> Iterator[Recording]:
        """Records what the loudspeaker plays, and what is said, from here to the end."""
        files = {name: self._folder / f"{name}.raw" for name in (LOUDSPEAKER, _MOUTH)}
        options = f"--rate={_RATE_HZ} --channels=1 --format=s16le --raw --latency-msec=20"
        processes = []
        for name, file in files.items():
            with file.open("wb") as raw:
                processes.append(
                    subprocess.Popen(
                        ["parec", f"--device={name}.monitor", *options.split()],
                        env=self._env(),
                        stdout=raw,
                    )
                )

        try:
            yield Recording(files[LOUDSPEAKER], files[_MOUTH])
        finally:
            for process in processes:
                process.terminate()
                process.wait()

    def _loading(self, name: str) -> str:
        if name == MICROPHONE:
            return (
                f"load-module module-remap-source master={_MOUTH}.monitor source_name={name} "
                f"source_properties=device.description={name}"
            )

        return (
            f"load-module module-null-sink sink_name={name} norewinds=1 {self._form} "
            f"sink_properties=device.description={name}"
        )

    def _signal(self, number: signal.Signals) -> None:
        if self._server is not None:
            self._server.send_signal(number)

    def _pactl(self, *words: str, is_checked: bool = True) -> str:
        done = subprocess.run(
            ["pactl", *words], env=self._env(), capture_output=True, text=True, check=is_checked
        )
        return done.stdout

    def _env(self) -> dict[str, str]:
        return {**os.environ, **self.environment, "LC_ALL": "C"}


class Recording:
    """What was recorded so far."""

    def __init__(self, played: Path, said: Path) -> None:
        self._played = played
        self._said = said

    @property
    def played(self) -> Audio:
        """What came out of the loudspeaker."""
        return _read(self._played)

    @property
    def said(self) -> Audio:
        """What was said into the microphone."""
        return _read(self._said)


def _read(file: Path) -> Audio:
    data = file.read_bytes()
    whole = np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2")
    return Audio((whole / 32_768).astype(np.float32), _RATE_HZ)
