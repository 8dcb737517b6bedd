"""A voice that is no voice, and ears that understand it: for talks without models. Pure.

Every word has a sound of its own, a burst of noise that its letters choose. Whoever keeps the
sounds in a book finds the words again in any recording: what is heard is really in the sound,
at its level, cut where it was cut, gone where it was drowned or never played.

Rule 1. Sounds are compared in cells of 25 ms, whatever their level: a cell is found where the
        recording goes the way it does, and each stretch of a recording is found once.
Rule 2. A word is found where most of its cells are, in one place or in several: what a pause tore
        apart is one word still.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from atonce.speech.protocols import Audio, Samples, SpokenWord
from atonce.speech.resample import resample

RATE_HZ = 16_000
"""Of the sounds that are made here."""
LEVEL_DB = -23.0
"""Loudness (RMS, dBFS) of a word: about that of a recorded person."""
_COARSE_HZ = 4_000
"""At which sounds are compared: bursts lie below 2 kHz."""
_LETTER_S = 0.06
"""Of a word; speech takes about as long."""
_GAP_S = 0.04
"""Between two words: shorter than any pause."""
_RAMP_S = 0.005
_CELL = 100
"""Coarse samples of a cell: 25 ms. By chance two differ by ten deviations from what counts."""
_ALIKE = 0.5
"""Correlation from which a cell is found: what is louder than the sound drowns it."""
_MOST = 0.6
"""Of a word's cells: enough to understand it."""
_FEWEST_CELLS = 2
_STILL = 1e-4
"""Level (RMS) below which there is nothing to find."""
_MOST_PIECES = 12
"""Into which a sound may be torn."""


def spoken(text: str, *, voice: str = "person", level_db: float = LEVEL_DB) -> Audio:
    """The sound of a text, and when each word of it is heard; two voices sound different."""
    pieces: list[Samples] = []
    words: list[SpokenWord] = []
    begin = 0

    for word in text.split():
        burst = _burst(word, voice) * np.float32(10 ** (level_db / 20))
        if not len(burst):
            continue

        end = begin + len(burst)
        words.append(SpokenWord(word, begin / RATE_HZ, end / RATE_HZ))
        pieces += [burst, np.zeros(round(_GAP_S * RATE_HZ), dtype=np.float32)]
        begin = end + len(pieces[-1])

    samples = np.concatenate(pieces[:-1]) if pieces else np.zeros(0, dtype=np.float32)
    return Audio(samples, RATE_HZ, tuple(words))


def _burst(word: str, voice: str) -> Samples:
    """Noise of RMS 1 below 2 kHz that belongs to this word; nothing for a mark."""
    letters = re.sub(r"[^\w]", "", word.lower())
    coarse = round(_LETTER_S * max(2, len(letters)) * _COARSE_HZ) if letters else 0
    dice = np.random.default_rng(zlib.crc32(f"{voice} {letters}".encode()))
    noise = dice.uniform(-1.0, 1.0, coarse)
    steps = RATE_HZ // _COARSE_HZ
    fine = (
        np.interp(np.arange(coarse * steps) / steps, np.arange(coarse), noise) if coarse else noise
    )
    ramp = np.minimum(np.arange(len(fine)), np.arange(len(fine))[::-1]) / (_RAMP_S * RATE_HZ)
    fine = fine * np.minimum(1.0, ramp)
    return (fine / (np.sqrt(np.square(fine).mean()) if coarse else 1.0)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class FoundWord:
    """A word that lies in a recording."""

    text: str
    """As it was given to the voice, marks included."""
    start_s: float
    """Where the first of it is, seconds from the recording's beginning."""
    share: float
    """How much of it is there, 0 to 1."""


@dataclass(slots=True)
class _Known:
    """A sound, and when it may be heard."""

    samples: Samples
    """At the coarse rate."""
    words: tuple[SpokenWord, ...]
    from_s: float
    until_s: float
    spectra: dict[int, npt.NDArray[np.complex128]] = field(default_factory=dict)
    """By their length; conjugated."""

    def spectrum(self, size: int) -> npt.NDArray[np.complex128]:
        """Of the sound, conjugated."""
        if size not in self.spectra:
            self.spectra[size] = np.conj(np.fft.rfft(self.samples, size))

        return self.spectra[size]


class SoundBook:
    """Sounds, the words that they are, and when they may be heard."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], _Known] = {}

    def add(self, audio: Audio, *, at_s: float = 0.0, until_s: float = np.inf) -> None:
        """A sound of a voice that is played at some time between these, again if it is said again.
        Without words: a voice that says nothing, such as a cough."""
        text = " ".join(word.text for word in audio.words)
        key = (text, len(audio.samples))
        known = self._known.get(key)
        first_s = at_s if known is None else min(known.from_s, at_s)
        last_s = until_s if known is None else max(known.until_s, until_s)
        self._known[key] = _Known(_coarse(audio), audio.words, first_s, last_s)

    def find(
        self,
        audio: Audio,
        *,
        from_s: float = -np.inf,
        until_s: float = np.inf,
        starts_s: float | None = None,
    ) -> list[FoundWord]:
        """The words that lie in a recording from this time to that, in order. starts_s: when its
        first sample was heard, where that is known: no sound is looked for where it cannot be."""
        recording = _coarse(audio)
        found: list[FoundWord] = []

        for known in self._known.values():
            first, last = _window(known, len(recording), starts_s)
            part = recording[first:last]  # a view: what is found is taken out of the whole
            is_near = known.from_s <= until_s and known.until_s >= from_s

            while known.words and is_near and (again := _found(known, part)):
                found += [
                    replace(word, start_s=word.start_s + first / _COARSE_HZ) for word in again
                ]

        return sorted(found, key=lambda word: word.start_s)

    def is_voice(self, audio: Audio, *, at_s: float) -> bool:
        """Whether a moment of sound is a moment of one of the voices, however loud."""
        moment = _coarse(audio)
        return _level(moment) > _STILL and any(
            _is_moment_of(known, moment)
            for known in self._known.values()
            if known.from_s <= at_s <= known.until_s
        )


def _window(known: _Known, length: int, starts_s: float | None) -> tuple[int, int]:
    """From which coarse sample to which a sound may lie."""
    if starts_s is None:
        return 0, length

    edges = np.clip((known.from_s - starts_s, known.until_s - starts_s), 0, length / _COARSE_HZ)
    return int(edges[0] * _COARSE_HZ), int(np.ceil(edges[1] * _COARSE_HZ))


def _is_moment_of(known: _Known, moment: Samples) -> bool:
    size = 1 << (len(known.samples) + len(moment)).bit_length()
    # Where the moment begins in the sound: correlation the other way round.
    alike = np.fft.irfft(np.conj(np.fft.rfft(moment, size) * known.spectrum(size)), size)
    lag = int(np.argmax(alike))
    lag = lag if lag < len(known.samples) else lag - size
    piece = known.samples[max(0, lag) : lag + len(moment)]
    part = moment[max(0, -lag) : max(0, -lag) + len(piece)]
    sizes = float(np.linalg.norm(piece) * np.linalg.norm(moment))
    return sizes > 0 and float(piece @ part) >= _ALIKE * sizes


def text_of(words: Iterable[FoundWord]) -> str:
    """Words as a transcript."""
    return " ".join(word.text for word in words)


def _found(known: _Known, recording: Samples) -> list[FoundWord]:
    """The words of one sound; what is found is taken out of the recording."""
    places = dict(_places(known.samples, recording))
    words: list[FoundWord] = []

    for word in known.words:
        first, last = (round(at_s * _COARSE_HZ / _CELL) for at_s in (word.start_s, word.end_s))
        cells = range(first, max(first + 1, last))
        there = [places[cell] for cell in cells if cell in places]

        if len(there) >= _MOST * len(cells):
            words.append(FoundWord(word.text, min(there) / _COARSE_HZ, len(there) / len(cells)))

    return words


def _places(sound: Samples, recording: Samples) -> Iterator[tuple[int, int]]:
    """Cells of a sound, and at which sample of the recording each lies."""
    left = sound.copy()

    for _ in range(_MOST_PIECES):
        if _level(recording) < _STILL or _level(left) < _STILL:
            return

        lag = _best_lag(left, recording)
        alike = [
            cell for cell in range(len(left) // _CELL) if _is_alike(left, recording, cell, lag)
        ]

        if len(alike) < _FEWEST_CELLS:
            return

        for cell in alike:
            first = cell * _CELL
            yield cell, first + lag
            left[first : first + _CELL] = 0
            recording[first + lag : first + lag + _CELL] = 0


def _best_lag(sound: Samples, recording: Samples) -> int:
    """Where in the recording the sound begins, most likely; negative: before it."""
    size = 1 << (len(sound) + len(recording)).bit_length()
    spectrum = np.fft.rfft(recording, size) * np.conj(np.fft.rfft(sound, size))
    lag = int(np.argmax(np.fft.irfft(spectrum, size)))
    return lag if lag < len(recording) else lag - size


def _is_alike(sound: Samples, recording: Samples, cell: int, lag: int) -> bool:
    first = cell * _CELL

    if first + lag < 0:
        return False

    one, other = sound[first : first + _CELL], recording[first + lag : first + lag + _CELL]

    if len(other) < _CELL or _level(one) < _STILL or _level(other) < _STILL:
        return False

    sizes = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) >= _ALIKE * sizes


def _coarse(audio: Audio) -> Samples:
    return resample(audio, _COARSE_HZ).samples.copy()


def _level(samples: Samples) -> float:
    return float(np.sqrt(np.square(samples).mean())) if len(samples) else 0.0
