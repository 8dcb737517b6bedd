"""The system's sound through PortAudio (sounddevice), on Linux with PulseAudio's names.

Rule 1. PortAudio knows the devices that were there when it started; to see others it must be
        started again, which breaks every line that is open.
Rule 2. A device is opened at its own rate, or at the nearest usual one that it takes.
Rule 3. A callback copies, counts, and returns.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np

from atonce.agent import pulse
from atonce.agent.devices import Device
from atonce.agent.sound_system import BLOCK_S, HANGS, Fill, OnSound, OpenLine, SoundSystem
from atonce.config.errors import AudioError
from atonce.speech.protocols import Samples
from atonce.speech.resample import StreamResampler

USUAL_HZ = (48_000, 44_100, 32_000, 16_000, 96_000, 8_000)
"""What devices take, the likeliest first."""
BUFFER_S = {True: 0.0, False: 0.06}
"""Asked of a microphone and of a loudspeaker: PortAudio takes two blocks at least. A microphone's
sound waits in the system when a callback is late; a loudspeaker's third block bridges what else is
heard as a click, and costs 20 ms."""
IN_PASSING_S = 0.3
"""Whoever asks twice a second cannot wait longer."""
LOOK_S = 5.0
"""A fresh process lists the devices within a second; a slow disk takes longer."""
INSTALL = (
    "the sound library PortAudio is missing: sudo apt-get install libportaudio2 "
    "(macOS: brew install portaudio)"
)
_SHARED = ("pulse", "default", "pipewire", "sysdefault")
"""What ALSA calls the way to PulseAudio; its devices are listed by their names instead."""
_UNAVAILABLE = -9985
"""PortAudio's number for a device that is in use, or gone."""


class _Times(Protocol):
    """What PortAudio tells a callback about time, seconds."""

    currentTime: float  # noqa: N815
    inputBufferAdcTime: float  # noqa: N815
    outputBufferDacTime: float  # noqa: N815


class PortAudio:
    """All sound of this machine."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, library: Any = None) -> None:
        """clock: what the times of sound are told on. library: sounddevice, or what looks like it;
        AudioError where it is missing.
        """
        self._clock = clock
        self._pulse = pulse.PulseServer()
        self._open: list[_Line] = []
        self._library = library or _library()
        self._is_named = False

    def devices(self) -> list[Device]:
        """What is there at this moment."""
        named = self._pulse.devices()

        if named and self._shared_index() is None and not self._open:
            self.restart()

        if named and self._shared_index() is not None:
            return named + [d for d in self._known() if d.name not in _SHARED]

        if not self._open:
            self.restart()
            return self._known()

        return _seen_afresh()

    def watched(self) -> list[Device] | None:
        """What is there, where that can be told in passing."""
        named = self._pulse.devices(within_s=IN_PASSING_S)
        self._is_named = self._is_named or bool(named)
        return named if self._is_named else None

    def is_within_reach(self, device: Device) -> bool:
        """Whether PortAudio knows it already."""
        if device.host == pulse.HOST:
            return self._shared_index() is not None

        return device.ident in (known.ident for known in self._known())

    def restart(self) -> None:
        """Start PortAudio again."""
        self._library._terminate()

        try:
            self._library._initialize()
        except self._library.PortAudioError as error:
            raise AudioError(f"the sound system does not start: {_reason(error)}") from error

    def listen(self, device: Device, on_sound: OnSound) -> OpenLine:
        """Open a microphone."""
        clock = self._clock
        faults = _Faults()

        def heard(sound: Samples, count: int, times: _Times, flags: object) -> None:
            delay_s = times.currentTime - times.inputBufferAdcTime  # of the first sample
            delay_s = delay_s if 0 < delay_s < 1 else BLOCK_S
            faults.count += bool(flags)
            mono = sound[:, 0].copy() if sound.shape[1] == 1 else sound.mean(axis=1)
            now_s, rate_hz = clock(), line.rate_hz
            on_sound(mono, rate_hz, min(now_s, now_s - delay_s + count / rate_hz))

        line = self._line(device, faults, heard, rates_hz=(device.rate_hz, *USUAL_HZ))
        return self._started(line, device)

    def play(self, device: Device, rate_hz: int, fill: Fill) -> OpenLine:
        """Open a loudspeaker."""
        clock = self._clock
        faults = _Faults()

        def wanted(sound: Samples, count: int, times: _Times, flags: object) -> None:
            delay_s = times.outputBufferDacTime - times.currentTime
            delay_s = delay_s if 0 < delay_s < 1 else line.latency_s
            faults.count += bool(flags)
            sound[:] = source(count, clock() + delay_s)[:, None]

        line = self._line(device, faults, wanted, rates_hz=(rate_hz, device.rate_hz, *USUAL_HZ))
        source = fill if line.rate_hz == rate_hz else _Converted(fill, rate_hz, line.rate_hz)
        return self._started(line, device)

    def _started(self, line: _Line, device: Device) -> _Line:
        try:
            line.start()
        except self._library.PortAudioError as error:
            line.close()
            raise _unopened(device, error) from error

        return line

    def _line(
        self,
        device: Device,
        faults: _Faults,
        callback: Callable[[Samples, int, _Times, object], None],
        *,
        rates_hz: Sequence[int],
    ) -> _Line:
        """An opened line, not started yet."""
        index = self._index(device)
        kind = self._library.InputStream if device.is_input else self._library.OutputStream
        choice = pulse.chosen(device) if device.host == pulse.HOST else contextlib.nullcontext()
        error: Exception | None = None

        with choice:
            for rate_hz, channels in _forms(device, rates_hz):
                try:
                    stream = kind(
                        device=index,
                        samplerate=rate_hz,
                        channels=channels,
                        blocksize=round(BLOCK_S * rate_hz),
                        dtype="float32",
                        latency=BUFFER_S[device.is_input],
                        callback=callback,
                    )
                except self._library.PortAudioError as fault:
                    error = fault
                    if _UNAVAILABLE in fault.args:
                        break  # another rate would not help
                else:
                    return _Line(stream, rate_hz, faults, self._open)

        raise _unopened(device, error)

    def _index(self, device: Device) -> int:
        index = (
            self._shared_index()
            if device.host == pulse.HOST
            else next((i for i, known in self._numbered() if known.ident == device.ident), None)
        )

        if index is None:
            raise AudioError(f"the {device.kind} {device.name} is not there any more")

        return index

    def _shared_index(self) -> int | None:
        """Where ALSA leads to PulseAudio."""
        names = [each["name"] for each in self._library.query_devices()]
        return names.index("pulse") if "pulse" in names else None

    def _known(self) -> list[Device]:
        return [device for _, device in self._numbered()]

    def _numbered(self) -> Iterator[tuple[int, Device]]:
        """PortAudio's own devices, a microphone and a loudspeaker each where it is both."""
        hosts = self._library.query_hostapis()
        first_in, first_out = self._library.default.device

        for index, each in enumerate(self._library.query_devices()):
            host = hosts[each["hostapi"]]["name"]

            for is_input, key in ((True, "max_input_channels"), (False, "max_output_channels")):
                if each[key] > 0:
                    name, rate_hz = str(each["name"]), int(each["default_samplerate"])
                    ident = f"{name}, {host}"
                    is_default = index == (first_in if is_input else first_out)
                    yield index, Device(name, ident, host, is_input, rate_hz, each[key], is_default)


_: type[SoundSystem] = PortAudio


class _Faults:
    """How often a line's sound was lost."""

    def __init__(self) -> None:
        self.count = 0


class _Line:
    """One of PortAudio's streams."""

    def __init__(self, stream: Any, rate_hz: int, faults: _Faults, kept_in: list[_Line]) -> None:
        self._stream = stream
        self._rate_hz = rate_hz
        self._faults = faults
        self._kept_in = kept_in
        self.latency_s = float(stream.latency)
        kept_in.append(self)

    @property
    def rate_hz(self) -> int:
        """Rate of its sound."""
        return self._rate_hz

    @property
    def faults(self) -> int:
        """How often sound was lost."""
        return self._faults.count

    def start(self) -> None:
        """Let the callbacks come."""
        self._stream.start()

    def is_running(self) -> bool:
        """Whether callbacks come."""
        return bool(self._stream.active)

    def close(self) -> None:
        """Stop at once."""
        self._stream.abort(ignore_errors=True)
        self._stream.close(ignore_errors=True)
        self._kept_in.remove(self)


class _Converted:
    """A source of sound at another rate."""

    def __init__(self, fill: Fill, from_hz: int, to_hz: int) -> None:
        self._fill = fill
        self._share = from_hz / to_hz
        self._resampler = StreamResampler(from_hz, to_hz)
        self._ready: Samples = np.zeros(0, dtype=np.float32)

    def __call__(self, count: int, at_s: float) -> Samples:
        while len(self._ready) < count:
            missing = round((count - len(self._ready)) * self._share) + 1
            more = self._resampler.push(self._fill(missing, at_s))
            self._ready = np.concatenate([self._ready, more])

        given, self._ready = self._ready[:count], self._ready[count:]
        return given


def tell() -> None:
    """Write the devices to standard output: what a fresh process is started for."""
    sys.stdout.write(json.dumps([asdict(device) for device in PortAudio()._known()]))


def _seen_afresh() -> list[Device]:
    """The devices as another process sees them (rule 1)."""
    program = "from atonce.agent import portaudio; portaudio.tell()"

    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", program],
            capture_output=True,
            text=True,
            timeout=LOOK_S,
            check=True,
        )
        return [Device(**fields) for fields in json.loads(done.stdout)]
    except (subprocess.SubprocessError, ValueError) as error:
        raise AudioError(HANGS) from error


def _library() -> Any:
    try:
        import sounddevice
    except OSError as error:
        raise AudioError(INSTALL) from error

    return sounddevice


def _forms(device: Device, rates_hz: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Rates and channels to try: the wanted rate with every number of channels first."""
    channels = dict.fromkeys((1, 2, device.channels) if device.is_input else (2, 1))
    for rate_hz in dict.fromkeys(rates_hz):
        for count in channels:
            if count <= device.channels:
                yield rate_hz, count


def _unopened(device: Device, error: Exception | None) -> AudioError:
    return AudioError(f"the {device.kind} {device.name} cannot be opened: {_reason(error)}")


def _reason(error: Exception | None) -> str:
    """PortAudio's reason in a few words."""
    numbers = getattr(error, "args", ())
    if _UNAVAILABLE in numbers:
        return "another program holds it, or it was just unplugged"

    return str(numbers[0] if numbers else error)
