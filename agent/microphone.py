"""A talk through this machine's microphone and loudspeaker.

    sound system's threads        a thread of ours              event loop
    heard ─► ring ──────────────────────────────────────► listen ─► Frame(heard, played)
    take ◄─ playback ─► played track ─────────────────────────┘
                                  device keeper: lost, back, busy ─► say

Rule 1. What runs in a callback copies and returns.
Rule 2. The ring holds RING_S; when the loop does not follow, the oldest sound is dropped, counted,
        and silence takes its place.
Rule 3. While the microphone is lost, silence comes in its pace: an utterance ends, time goes on.
        While the loudspeaker is lost nothing is pulled: the voice goes on when one is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType

import numpy as np

from atonce.agent.device_keeper import DeviceKeeper, Line
from atonce.agent.devices import Device
from atonce.agent.events import ErrorRaised, SessionEvent
from atonce.agent.playback import Playback
from atonce.agent.played import PlayedTrack
from atonce.agent.sound_clock import SoundClock
from atonce.agent.sound_system import BLOCK_S, HANG_S, HANGS, OpenLine, SoundSystem
from atonce.agent.transport import Frame, Transport
from atonce.config.errors import AtonceError, AudioError
from atonce.speech.protocols import Audio, Samples

RING_S = 2.0
"""Longer than the loop is ever held up; later than that an answer would come too late anyhow."""
LOOK_EVERY_S = 0.5
"""Devices are looked after twice a second: what is lost is noticed well within 2 s."""
PATIENCE_S = 0.8
"""Without sound for so long, silence is given instead; what came later would be dropped, so it is
longer than anything in this program holds up a callback."""
CLOSE_S = 2.0
"""A sound system that works closes one at once."""


class Microphone:
    """The transport of `atonce talk`; an asynchronous context that opens and closes the devices."""

    def __init__(
        self,
        start: Callable[[], SoundSystem],
        *,
        show: Callable[[SessionEvent], None],
        clock: Callable[[], float],
        microphone: str = "",
        loudspeaker: str = "",
        is_cancelled: bool = True,
        plays: bool = True,
        tap: Callable[[Audio, Audio | None, float], None] | None = None,
    ) -> None:
        """start: starts the sound system, which may take long: it is called in a thread.

        show: gets what is published, and the troubles of the devices; in the event loop.
        clock: the event loop's. microphone, loudspeaker: parts of their names; "": the system's
        own. is_cancelled: what was played is handed over for the echo canceller. plays: with a
        loudspeaker. tap: gets all that is heard and played, and when that was.
        """
        self._start = start
        self._show = show
        self._clock = clock
        self._is_cancelled = is_cancelled
        self._tap = tap
        line = Line(is_input=True, wanted=microphone, opened=self._open_microphone)
        other = Line(is_input=False, wanted=loudspeaker, opened=self._open_loudspeaker)
        self._lines = (line, other) if plays else (line,)
        self._ring: deque[tuple[int, Audio, float]] = deque(maxlen=round(RING_S / BLOCK_S))
        self._sound_clock = SoundClock()
        self._rate_hz = 0
        self._generation = 0
        self._playback: Playback | None = None
        self._played: PlayedTrack | None = None
        self._arrived = asyncio.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tend, name="devices", daemon=True)
        self.dropped_s = 0.0
        """Sound that was lost or came too late, seconds; silence took its place."""

    async def __aenter__(self) -> Microphone:
        """Open the devices; AudioError when one cannot be."""
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._thread.start()

        try:
            async with asyncio.timeout(HANG_S):
                await asyncio.shield(self._opened)
        except TimeoutError as error:
            self._over.set()
            raise AudioError(HANGS) from error

        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._arrived.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await asyncio.shield(self._closed)

    @property
    def is_hanging(self) -> bool:
        """The sound system did not take its devices back: the process must be left at once."""
        return self._over.is_set() and not self._closed.done()

    @property
    def playback(self) -> Playback:
        """What the person hears."""
        assert self._playback is not None  # opened with the loudspeaker
        return self._playback

    @property
    def names(self) -> tuple[str, ...]:
        """The microphone and the loudspeaker in use."""
        return tuple(line.device.name if line.device else "" for line in self._lines)

    @property
    def faults(self) -> tuple[int, ...]:
        """How often sound was lost at the microphone, and at the loudspeaker."""
        return tuple(line.faults for line in self._lines)

    async def listen(self) -> AsyncIterator[Frame]:
        """The sound of the microphone from now on, without a gap, until the context ends."""
        self._ring.clear()

        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_S / 4):
                    await self._arrived.wait()

            self._arrived.clear()

            while self._ring:
                for frame in self._frames(*self._ring.popleft()):
                    yield frame

            for frame in self._silence():
                yield frame

    def publish(self, event: SessionEvent) -> None:
        """Hand it on."""
        self._show(event)

    # ---- in the event loop ----

    def _frames(self, generation: int, heard: Audio, at_s: float) -> Iterator[Frame]:
        """What came, after silence for what is missing before it."""
        clock = self._sound_clock

        if generation != self._generation:
            self._generation = generation
            clock.restart()

        if clock.is_too_late(heard.seconds, at_s):
            self.dropped_s += heard.seconds
            return

        self._rate_hz = heard.rate_hz
        missing_s = clock.receive(heard.seconds, at_s)
        self.dropped_s += missing_s
        until_s = (clock.end_s or at_s) - heard.seconds

        for number in range(blocks := int(missing_s / BLOCK_S)):
            yield self._frame(self._still(), until_s - (blocks - 1 - number) * BLOCK_S)

        yield self._frame(heard, clock.end_s or at_s)

    def _silence(self) -> Iterator[Frame]:
        """Silence, where nothing has come for a while."""
        while (end_s := self._sound_clock.end_s) is not None and self._rate_hz:
            if self._clock() - end_s < PATIENCE_S:
                return

            self._sound_clock.skip(BLOCK_S)
            yield self._frame(self._still(), end_s + BLOCK_S)

    def _still(self) -> Audio:
        return Audio(np.zeros(round(BLOCK_S * self._rate_hz), dtype=np.float32), self._rate_hz)

    def _frame(self, heard: Audio, end_s: float) -> Frame:
        track = self._played
        played = track.take(heard.seconds, end_s - heard.seconds) if track else None

        if self._tap is not None:
            self._tap(heard, played, end_s)

        return Frame(heard, played if self._is_cancelled else None, end_s)

    def _tell(self, trouble: str) -> None:
        self._show(ErrorRaised(self._clock(), trouble))

    # ---- in the sound system's threads ----

    def _open_microphone(self, system: SoundSystem, device: Device, line: Line) -> OpenLine:
        generation = line.generation

        def heard(samples: Samples, rate_hz: int, at_s: float) -> None:
            if generation == line.generation:
                line.note(samples, self._clock())
                self._ring.append((generation, Audio(samples, rate_hz), at_s))
                self._in_loop(self._arrived.set)

        return system.listen(device, heard)

    def _open_loudspeaker(self, system: SoundSystem, device: Device, line: Line) -> OpenLine:
        generation = line.generation

        if self._playback is None or self._played is None:
            self._playback = Playback(device.rate_hz)
            self._played = PlayedTrack(device.rate_hz)

        playback, played = self._playback, self._played

        def wanted(count: int, at_s: float) -> Samples:
            if generation != line.generation:  # given up: it must not swallow the voice
                return np.zeros(count, dtype=np.float32)

            samples = playback.take(count, at_s)
            line.note(samples, self._clock())
            played.put(samples, at_s)
            return samples

        return system.play(device, playback.rate_hz, wanted)

    # ---- in the thread that looks after the devices ----

    def _tend(self) -> None:
        try:
            keeper = DeviceKeeper(
                self._start(), self._lines, lambda trouble: self._in_loop(self._tell, trouble)
            )
            keeper.open(self._clock())
        except AtonceError as error:
            self._in_loop(self._opened.set_exception, error)
            return

        self._in_loop(self._opened.set_result, None)

        while not self._over.wait(LOOK_EVERY_S):
            keeper.look(self._clock())

        keeper.close()
        self._in_loop(self._closed.set_result, None)

    def _in_loop(self, call: Callable[..., object], *arguments: object) -> None:
        """Have the event loop do it, if there still is one."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *arguments)


_: type[Transport] = Microphone
