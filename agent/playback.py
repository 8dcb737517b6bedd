"""What the person hears: a queue of sound that the device pulls, and the truth about what sounded.

    put ─► held? ─► waits ─► take ─► device          heard ◄─ place in the sound at any moment

Rule 1. Nothing is lost by a pause: after it the sound goes on from the place where the fade began.
Rule 2. What was given to the device sounds, audible yet or not: a stop cannot call it back.
Rule 3. A new name begins a new part. Parts sound one after the other, whole; a held one waits for
        its release, and those behind it pass it.
Rule 4. Any thread may call anything; no call waits for more than a copy of some samples.
"""

from __future__ import annotations

from threading import Lock

import numpy as np

from atonce.agent.events import Heard, PlaybackBegan, PlaybackEnded
from atonce.agent.playback_part import Part
from atonce.speech.protocols import Audio, Samples

__all__ = ["Heard", "News", "Playback"]

News = PlaybackBegan | PlaybackEnded
"""What a session is told of its playback."""
PAUSE_FADE_S = 0.02
"""Fast enough to be heard as listening, slow enough not to be heard as a fault."""
STOP_FADE_S = 0.005
"""Shorter clicks."""
RESUME_FADE_S = 0.01
"""Back at full level before the first sound of a syllable has passed."""


class Playback:
    """The sound of one agent, at one rate."""

    def __init__(self, rate_hz: int) -> None:
        """rate_hz: the device's."""
        self.rate_hz = rate_hz
        self.volume = 1.0
        """0 to 1; a change is heard within the next samples, without a click."""
        self.underruns = 0
        """How often a reply had to wait in its middle for more of its sound."""
        self._lock = Lock()
        self._parts: list[Part] = []
        self._last: Part | None = None  # the one that sounded last, for `heard`
        self._news: list[News] = []
        self._is_paused = False
        self._is_held = False  # the next part will be
        self._tail = _silence(0)  # what fades out beside everything else
        self._rise = 0  # samples of a fade in that are still to come
        self._gain = 1.0

    # ---- filled by the session ----

    def begin(self, tag: str, *, is_held: bool = False) -> None:
        """What is put from now on is a part of its own, known under this name."""
        with self._lock:
            self._close_last()
            self._parts.append(Part(tag, self.rate_hz, is_held=is_held or self._is_held))

    def put(self, audio: Audio) -> None:
        """More sound, behind what waits. Its words travel with it; their times may point back."""
        part = self._open()
        samples, words = part.converted(audio)  # outside the lock: it takes a moment

        with self._lock:
            self.underruns += part.append(samples, words)

    def finish(self) -> None:
        """No more sound of this part."""
        with self._lock:
            part = self._parts[-1] if self._parts else None

        rest = _silence(0) if part is None else part.rest()

        with self._lock:
            if part is not None and part.is_open:
                part.append(rest, ())
                self._close_last()

    def hold(self) -> None:
        """What has not begun to sound, and what comes after it, waits for the release."""
        with self._lock:
            self._is_held = True

            for part in self._parts:
                part.is_held = not part.has_begun

    def release(self, tag: str | None = None) -> None:
        """This part is not held any more; None: nothing is."""
        with self._lock:
            self._is_held = self._is_held and tag is not None

            for part in self._parts:
                part.is_held = part.is_held and tag not in (None, part.tag)

    def withdraw(self, tag: str | None = None) -> None:
        """Drop this part, of which nobody has heard anything; None: all that is held."""
        with self._lock:
            self._is_held = self._is_held and tag is not None
            self._parts = [
                part
                for part in self._parts
                if part.has_begun or (part.tag != tag if tag is not None else not part.is_held)
            ]

    @property
    def waiting_s(self) -> float:
        """Seconds of sound that wait, held ones included."""
        with self._lock:
            return sum(part.left for part in self._parts) / self.rate_hz

    @property
    def is_sounding(self) -> bool:
        """A part has begun and is not over; it may be paused."""
        with self._lock:
            return self._sounding() is not None

    # ---- the person interrupts ----

    def pause(self) -> None:
        """Fall silent, and keep the place."""
        with self._lock:
            if not self._is_paused:
                self._fade_out(PAUSE_FADE_S)
                self._is_paused = True

    def resume(self) -> None:
        """Go on, from the place where the fade began."""
        with self._lock:
            if self._is_paused:
                self._is_paused = False
                self._rise = round(RESUME_FADE_S * self.rate_hz)

    def stop(self, at_s: float) -> Heard:
        """Fall silent at once; what had sounded of the part that did. Only what is held stays."""
        with self._lock:
            sounding = self._sounding()

            if sounding is not None:
                if not self._is_paused:
                    self._fade_out(STOP_FADE_S)

                ended_s = max(at_s, sounding.last_s)
                self._news.append(PlaybackEnded(ended_s, sounding.tag))
                sounding.free()

            self._parts = [part for part in self._parts if part.is_held]
            self._is_paused = False
            return Heard(0.0, "") if sounding is None else sounding.heard(None)

    # ---- pulled by the device ----

    def take(self, samples: int, at_s: float) -> Samples:
        """The next samples, always so many; at_s: when the first is audible, session's clock."""
        given = _silence(samples)

        with self._lock:
            filled = 0

            while filled < samples and not self._is_paused:
                piece = self._next(samples - filled, at_s + filled / self.rate_hz)

                if not len(piece):
                    break

                given[filled : filled + len(piece)] = piece
                filled += len(piece)

            self._raise(given)
            length = min(samples, len(self._tail))
            given[:length] += self._tail[:length]
            self._tail = self._tail[length:]
            volume = min(1.0, max(0.0, self.volume))

            if volume != 1.0 or self._gain != 1.0:
                given *= np.linspace(self._gain, volume, samples, dtype=np.float32)
                self._gain = volume

        return given

    def heard(self, at_s: float) -> Heard:
        """What had sounded at that moment of the part that sounded last before it."""
        with self._lock:
            known = [*([self._last] if self._last else []), *self._parts]
            begun = [part for part in known if part.has_begun and part.first_s <= at_s]
            return begun[-1].heard(at_s) if begun else Heard(0.0, "")

    def news(self) -> list[News]:
        """What happened since somebody last asked; a time may lie a little ahead (the device)."""
        with self._lock:
            news, self._news = self._news, []
            return news

    # ---- with the lock held ----

    def _open(self) -> Part:
        with self._lock:
            if not self._parts or not self._parts[-1].is_open:
                self._parts.append(Part("", self.rate_hz, is_held=self._is_held))

            return self._parts[-1]

    def _close_last(self) -> None:
        if self._parts and self._parts[-1].is_open:
            self._parts[-1].is_open = False
            self._drop_finished()

    def _sounding(self) -> Part | None:
        return next((part for part in self._parts if part.has_begun), None)

    def _next(self, samples: int, at_s: float) -> Samples:
        """Some of the sound that is due; nothing where there is none."""
        ready = (part for part in self._parts if part.left and not part.is_held)
        part = self._sounding() or next(ready, None)

        if part is None:
            return _silence(0)

        if not part.has_begun:
            self._last = part
            self._news.append(PlaybackBegan(at_s, part.tag))

        piece = part.take(samples, at_s)
        self._drop_finished()
        return piece

    def _drop_finished(self) -> None:
        finished = [part for part in self._parts if not part.is_open and not part.left]

        for part in finished:
            self._parts.remove(part)

            if part.has_begun:
                self._news.append(PlaybackEnded(part.last_s, part.tag))
                part.free()

    def _fade_out(self, seconds: float) -> None:
        """What would come next fades out beside whatever comes instead."""
        sounding = self._sounding()

        if sounding is None:
            return

        length = round(seconds * self.rate_hz)
        ahead = sounding.ahead(length)
        self._raise(ahead)
        self._rise = 0
        ahead *= np.linspace(1.0, 0.0, length, dtype=np.float32)[: len(ahead)]
        longer = max(len(ahead), len(self._tail))
        mixed = _silence(longer)
        mixed[: len(self._tail)] += self._tail
        mixed[: len(ahead)] += ahead
        self._tail = mixed

    def _raise(self, samples: Samples) -> None:
        """Fade in, as far as that is still to be done. Changes the samples."""
        if not self._rise:
            return

        whole = round(RESUME_FADE_S * self.rate_hz)
        length = min(self._rise, len(samples))
        done = whole - self._rise
        samples[:length] *= np.arange(done, done + length, dtype=np.float32) / whole
        self._rise -= length


def _silence(samples: int) -> Samples:
    return np.zeros(samples, dtype=np.float32)
