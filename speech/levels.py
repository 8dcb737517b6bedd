"""How loud, and how still: gain, peaks, the ends of a sentence, and the pause behind it. Pure.

Rule 1. A voice has one gain, measured once: sentences keep their loudness against each other.
Rule 2. Nothing here looks at more than the piece in hand and what was held back of the one before,
        so a sentence that comes in pieces sounds like the same sentence in one.
"""

from __future__ import annotations

import numpy as np

from atonce.config.errors import EngineError
from atonce.speech.protocols import Samples

REFERENCE_TEXT = "The museum is open from ten to five, and a ticket costs fourteen dollars."
"""Spoken once at the start, to measure how loud a voice is; it warms the engine up, too."""
TARGET_DB = -21.0
"""Loudness of speech while it sounds (dBFS): as a recorded announcement, with room for peaks."""
LOUDEST = 0.89
"""Peak (-1 dBFS) that no sample passes: resamplers and codecs overshoot."""
KNEE = 0.7
"""Peak (-3 dBFS) from which samples are bent instead of cut."""
STILL = 10 ** (-50 / 20)
"""Level (-50 dBFS) below which a sample belongs to no word."""
FADE_S = 0.005
"""At a cut: shorter clicks, longer eats consonants."""
HEAD_S = 0.02
"""Stillness kept before a sentence: a soft consonant starts below the level of stillness."""
TAIL_S = 0.06
"""Stillness kept behind it, for the end of a breath."""
_BLOCK_S = 0.02
"""Of speech: long enough for one period of a low voice, shorter than a sound."""
_SOUNDING_DB = 30.0
"""A block this far below the loudest one is a pause."""
_MOST_GAIN = 10.0
"""A voice that needs more than 20 dB is not quiet but broken."""

_SENTENCE_PAUSE_S = 0.35
_CLAUSE_PAUSE_S = 0.18
_SHORTEST_PAUSE_S = 0.1
"""From sound to sound; people leave 0.2 to 0.6 s between sentences that belong together."""


def active_level_db(samples: Samples, rate_hz: int) -> float:
    """Loudness (RMS, dBFS) of the parts that sound; pauses do not count. -inf for silence."""
    width = max(1, int(_BLOCK_S * rate_hz))
    padded = np.zeros(-(-max(1, len(samples)) // width) * width)
    padded[: len(samples)] = samples
    powers = np.square(padded.reshape(-1, width)).mean(axis=1)  # (blocks,)
    sounding = powers[powers > powers.max() * 10 ** (-_SOUNDING_DB / 10)]
    return float(10 * np.log10(sounding.mean())) if len(sounding) else -np.inf


def refuse_no_numbers(samples: Samples, text: str) -> None:
    """EngineError for samples that are NaN or infinite: a loudspeaker would crack, or stay dead."""
    if not np.isfinite(samples).all():
        raise EngineError(
            f"the voice gave samples that are no numbers while it spoke {text!r}; get the voice"
            " again where it came from"
        )


def voice_gain(reference: Samples, rate_hz: int) -> float:
    """The factor that brings a voice to the target, from its sound of a reference text."""
    level_db = active_level_db(reference, rate_hz)

    if not np.isfinite(level_db):
        return 1.0

    return float(min(_MOST_GAIN, 10 ** ((TARGET_DB - level_db) / 20)))


def limited(samples: Samples) -> Samples:
    """The same below the knee; above it bent so that no peak passes the loudest.

    It has no memory: a join between two pieces stays as smooth as it was.
    """
    sizes = np.abs(samples)

    if sizes.max(initial=0.0) <= KNEE:
        return samples

    room = LOUDEST - KNEE
    bent = KNEE + room * np.tanh((sizes - KNEE) / room)
    kept: Samples = np.where(sizes > KNEE, np.copysign(bent, samples), samples).astype(np.float32)
    return kept


def faded(
    samples: Samples, rate_hz: int, *, at_start: bool = False, at_end: bool = False
) -> Samples:
    """A copy whose ends rise from and fall to nothing, where asked for."""
    soft = samples.copy()
    ramp = np.linspace(0.0, 1.0, min(len(soft) // 2, int(FADE_S * rate_hz)), dtype=np.float32)

    if at_start:
        soft[: len(ramp)] *= ramp

    if at_end:
        soft[len(soft) - len(ramp) :] *= ramp[::-1]

    return soft


def silence(seconds: float, rate_hz: int) -> Samples:
    """Nothing to hear, for so long."""
    return np.zeros(max(0, round(seconds * rate_hz)), dtype=np.float32)


def pause_s(text: str) -> float:
    """Silence to add behind a piece of text before the next: what its last mark asks for."""
    last = text.rstrip(" \n\"'’”)]*_")[-1:]
    wanted_s = _SHORTEST_PAUSE_S

    if last in (".", "!", "?", "…"):
        wanted_s = _SENTENCE_PAUSE_S
    elif last in (",", ";", ":", "–", "—"):
        wanted_s = _CLAUSE_PAUSE_S

    return wanted_s - TAIL_S - HEAD_S


def finished(samples: Samples, rate_hz: int, gain: float) -> Samples:
    """A whole sentence as a voice gave it, ready to be played."""
    edges = Edges(rate_hz)
    return np.concatenate([edges.push(limited(samples * np.float32(gain))), edges.close()])


class Edges:
    """Trims one sentence as it arrives: the stillness around it goes, its two ends are faded."""

    def __init__(self, rate_hz: int, *, dropped: int = 0) -> None:
        """dropped: samples of the sentence's start that were not even computed."""
        self._rate_hz = rate_hz
        self._fade = int(FADE_S * rate_hz)
        self._head = int(HEAD_S * rate_hz)
        self._tail = int(TAIL_S * rate_hz)
        self._held = np.zeros(0, dtype=np.float32)
        self._is_started = False
        self.dropped = dropped
        """Samples that went from the start; final once the first sample came out."""

    def push(self, piece: Samples) -> Samples:
        """What can be played now; what may turn out to be the end is held back."""
        self._held = np.concatenate([self._held, piece])

        if not self._is_started and not self._start():
            return self._held[:0]

        ready = max(0, min(self._sounding(), len(self._held) - self._fade))
        played, self._held = self._held[:ready], self._held[ready:]
        return played

    def close(self) -> Samples:
        """The end of the sentence; nothing where it had no sound at all."""
        if not self._is_started:
            return self._held[:0]

        return faded(self._held[: self._sounding() + self._tail], self._rate_hz, at_end=True)

    def _start(self) -> bool:
        """Drop the stillness at the start; False while there is nothing else."""
        first = int(np.argmax(np.abs(self._held) > STILL)) if self._sounding() else len(self._held)
        cut = max(0, first - self._head)
        self.dropped += cut
        self._held = self._held[cut:]
        self._is_started = first < cut + len(self._held)

        if self._is_started:
            self._held = faded(self._held, self._rate_hz, at_start=True)

        return self._is_started

    def _sounding(self) -> int:
        """Samples held up to the last one that sounds."""
        loud = np.flatnonzero(np.abs(self._held) > STILL)
        return int(loud[-1]) + 1 if len(loud) else 0
