"""One part of what is played, a reply or a sentence: its samples, words, and when each sounded.

Rule 1. Places are counted in samples of the part, at the device's rate.
Rule 2. A part knows where it was at any moment of the last ten seconds; before that it is as good
        as its first moment.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from atonce.agent.events import Heard
from atonce.speech.protocols import Audio, Samples, SpokenWord
from atonce.speech.resample import StreamResampler

_FIRST_ROOM_S = 4.0
"""Room for the sound of a usual reply; a longer one doubles it."""
_STRETCHES = 500
"""Stretches that are remembered: ten seconds of 20 ms each, much more where they join."""
_JOINED_S = 0.001
"""Two stretches whose times fit this well are one."""


@dataclass(slots=True)
class _Stretch:
    """Samples that sounded without a gap."""

    at_s: float
    place: int
    samples: int

    def end_s(self, rate_hz: int) -> float:
        return self.at_s + self.samples / rate_hz


class Part:
    """Filled on one side, taken on the other; its owner sees to it that only one does at once."""

    def __init__(self, tag: str, rate_hz: int, *, is_held: bool) -> None:
        self.tag = tag
        self.is_held = is_held
        self.is_open = True
        """More may be put."""
        self._rate_hz = rate_hz
        self._samples = np.zeros(round(_FIRST_ROOM_S * rate_hz), dtype=np.float32)
        self._filled = 0
        self._place = 0
        self._words: list[SpokenWord] = []
        self._stretches: deque[_Stretch] = deque(maxlen=_STRETCHES)
        self._first_s = 0.0
        self._has_gap = False
        self._put_s = 0.0
        self._resampler: StreamResampler | None = None
        self._from_hz = rate_hz

    @property
    def left(self) -> int:
        """Samples that have not been taken."""
        return self._filled - self._place

    @property
    def has_begun(self) -> bool:
        """Some were."""
        return self._place > 0

    @property
    def first_s(self) -> float:
        """When the first one sounded."""
        return self._first_s

    @property
    def last_s(self) -> float:
        """When the last one that was taken has sounded."""
        return self._stretches[-1].end_s(self._rate_hz) if self._stretches else 0.0

    def converted(self, audio: Audio) -> tuple[Samples, list[SpokenWord]]:
        """Sound at the device's rate, and its words with their place in the whole part."""
        words = [word.moved(self._put_s) for word in audio.words]
        self._put_s += audio.seconds
        before = np.zeros(0, dtype=np.float32)

        if audio.rate_hz != self._from_hz:
            before = self.rest()
            self._from_hz = audio.rate_hz
            self._resampler = (
                None
                if audio.rate_hz == self._rate_hz
                else StreamResampler(audio.rate_hz, self._rate_hz)
            )

        samples = audio.samples if self._resampler is None else self._resampler.push(audio.samples)
        return np.concatenate([before, samples]), words

    def rest(self) -> Samples:
        """What the change of rate still holds back."""
        rest = np.zeros(0, dtype=np.float32) if self._resampler is None else self._resampler.close()
        self._resampler, self._from_hz = None, self._rate_hz
        return rest

    def append(self, samples: Samples, words: list[SpokenWord] | tuple[()]) -> int:
        """More sound; 1 where the device had to wait for it, else 0."""
        needed = self._filled + len(samples)

        if needed > len(self._samples):
            grown = np.zeros(max(needed, 2 * len(self._samples)), dtype=np.float32)
            grown[: self._filled] = self._samples[: self._filled]
            self._samples = grown

        self._samples[self._filled : needed] = samples
        self._filled = needed
        self._words += words
        waited, self._has_gap = (
            self._has_gap and len(samples) > 0,
            self._has_gap and not len(samples),
        )
        return int(waited)

    def ahead(self, samples: int) -> Samples:
        """A copy of what comes next, as far as it is there."""
        return self._samples[self._place : min(self._filled, self._place + samples)].copy()

    def take(self, samples: int, at_s: float) -> Samples:
        """What comes next, heard from that moment on; nothing where nothing is there."""
        piece = self._samples[self._place : min(self._filled, self._place + samples)]

        if not len(piece):
            self._has_gap = True
            return piece

        if not self._place:
            self._first_s = at_s

        last = self._stretches[-1] if self._stretches else None

        if last is not None and abs(last.end_s(self._rate_hz) - at_s) < _JOINED_S:
            last.samples += len(piece)
        else:
            self._stretches.append(_Stretch(at_s, self._place, len(piece)))

        self._place += len(piece)
        return piece

    def heard(self, at_s: float | None) -> Heard:
        """What had sounded at that moment; None: once all that was taken has."""
        seconds = (self._place if at_s is None else self._placed(at_s)) / self._rate_hz
        # A word of which half has sounded was understood.
        words = [word for word in self._words if (word.start_s + word.end_s) / 2 <= seconds]
        return Heard(seconds, " ".join(word.text for word in words))

    def free(self) -> None:
        """Its sound will not be taken any more; words and times stay."""
        self._samples = np.zeros(0, dtype=np.float32)
        self._filled = self._place
        self.is_open = False

    def _placed(self, at_s: float) -> int:
        place = 0

        for stretch in self._stretches:
            if stretch.at_s > at_s:
                break

            sounded = min(stretch.samples, round((at_s - stretch.at_s) * self._rate_hz))
            place = stretch.place + sounded

        return place
