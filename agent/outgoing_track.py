"""The agent's sound on its way to a browser: one frame every 20 ms, from the playback.

Rule 1. Frame n is due at start + n × 20 ms. A late frame does not move those behind it.
Rule 2. A frame that waits for nothing is silence: the stream never pauses.
Rule 3. A frame that is late by no more than a browser holds ready still goes out. After a longer
        stall nothing is made up for: the frames whose time has passed are not sent, and are
        counted. What waits in the playback goes on with the next frame, so no word is lost.
Rule 4. The time stamp of frame n is n × 960. A dropped frame leaves its place empty, so the
        browser plays what follows at its time, and does not wait longer from then on.
Rule 5. Nothing is fetched ahead: what the playback drops is not heard from the next frame on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from fractions import Fraction
from typing import Final, Protocol

import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame

from atonce.speech.protocols import Samples

RATE_HZ: Final = 48_000  # what Opus carries
FRAME_S: Final = 0.02
FRAME_SAMPLES: Final = round(RATE_HZ * FRAME_S)
TOLERATED_FRAMES: Final = 2  # 40 ms; browsers hold 40 to 80 ms ready (their jitter buffer)
_FULL_SCALE: Final = 32767


class Sound(Protocol):
    """Where the frames come from; a Playback is one."""

    def take(self, samples: int, at_s: float) -> Samples:
        """The next samples, always that many; `at_s`: when the first of them is audible."""
        ...


class Schedule:
    """When frames are due (pure: told the time)."""

    def __init__(self) -> None:
        self.dropped = 0
        """Frames whose time passed before they could be sent."""
        self._start_s: float | None = None
        self._next = 0

    def next(self, now_s: float) -> tuple[int, float]:
        """Number and due time of the frame to send next; the first one is due at once."""
        if self._start_s is None:
            self._start_s = now_s

        missed = int((now_s - self._start_s) / FRAME_S + 1e-6) - self._next
        if missed > TOLERATED_FRAMES:
            self.dropped += missed
            self._next += missed

        number = self._next
        self._next += 1
        return number, self._start_s + number * FRAME_S


class OutgoingTrack(MediaStreamTrack):
    """What aiortc asks for frames."""

    kind = "audio"

    def __init__(
        self,
        sound: Sound,
        *,
        clock: Callable[[], float],
        delay: Callable[[], float] = lambda: 0.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """sound: gives 48 kHz. delay: seconds from sending a frame until it is audible, now."""
        super().__init__()
        self.schedule = Schedule()
        """Tells how many frames were dropped."""
        self._sound = sound
        self._clock = clock
        self._delay = delay
        self._sleep = sleep

    async def recv(self) -> AudioFrame:
        """The next frame, 20 ms of 48 kHz mono, when it is due; MediaStreamError once stopped."""
        if self.readyState != "live":
            raise MediaStreamError

        number, due_s = self.schedule.next(self._clock())
        wait_s = due_s - self._clock()
        if wait_s > 0:
            await self._sleep(wait_s)

        samples = self._sound.take(FRAME_SAMPLES, due_s + self._delay())
        return _frame(samples, number)


def _frame(samples: Samples, number: int) -> AudioFrame:
    whole = np.round(np.clip(samples, -1.0, 1.0) * _FULL_SCALE).astype(np.int16)
    frame = AudioFrame.from_ndarray(whole.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = RATE_HZ
    frame.pts = number * FRAME_SAMPLES
    frame.time_base = Fraction(1, RATE_HZ)
    return frame
