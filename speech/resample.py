"""Sound from one rate to another, at the same pitch and length."""

from __future__ import annotations

import numpy as np
import soxr

from atonce.speech.protocols import Audio


def resample(audio: Audio, rate_hz: int) -> Audio:
    """The same sound at another rate; the same object when the rate is right already."""
    if audio.rate_hz == rate_hz:
        return audio

    # soxr's length differs by a sample or two with the rates; a length that follows from the
    # rates alone keeps seconds equal, whichever way sound travels.
    length = round(len(audio.samples) * rate_hz / audio.rate_hz)
    converted = np.asarray(soxr.resample(audio.samples, audio.rate_hz, rate_hz), dtype=np.float32)
    exact = np.zeros(length, dtype=np.float32)
    kept = min(length, len(converted))
    exact[:kept] = converted[:kept]
    return Audio(exact, rate_hz)
