"""Sound from one rate to another, at the same pitch and length: in whole, or piece by piece."""

from __future__ import annotations

import numpy as np
import soxr

from atonce.speech.protocols import Audio, Samples


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
    return Audio(exact, rate_hz, audio.words)


class StreamResampler:
    """One sound that arrives in pieces: they join as if it had been converted in whole.

    Pieces that are converted one by one have an edge each, which is heard as a crackle.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._from_hz = from_hz
        self._to_hz = to_hz
        self._taken = 0
        self._given = 0
        self._stream = (
            None
            if from_hz == to_hz
            else soxr.ResampleStream(from_hz, to_hz, num_channels=1, dtype="float32")
        )

    def push(self, samples: Samples) -> Samples:
        """What can be given by now; some milliseconds lag behind."""
        return self._converted(samples, is_last=False)

    def close(self) -> Samples:
        """The rest. All together have the length that follows from the rates, to the sample."""
        rest = self._converted(np.zeros(0, dtype=np.float32), is_last=True)
        missing = round(self._taken * self._to_hz / self._from_hz) - self._given
        return np.concatenate([rest, np.zeros(max(0, missing), dtype=np.float32)])

    def _converted(self, samples: Samples, *, is_last: bool) -> Samples:
        self._taken += len(samples)
        made = samples

        if self._stream is not None:
            sound = np.ascontiguousarray(samples, dtype=np.float32)
            made = self._stream.resample_chunk(sound, last=is_last)

        room = round(self._taken * self._to_hz / self._from_hz) - self._given
        given: Samples = made[: max(0, room)]
        self._given += len(given)
        return given
