"""The person's sound as it comes from a browser: 48 kHz stereo in, 16 kHz mono out.

Rule 1. The stamps of the frames are the truth: where some are missing, silence of the same length
        stands, so that seconds of sound stay seconds of the clock.
Rule 2. Nothing is held back to even out when packets come: whoever takes the sound counts samples.
        What came out of order is put in order all the same.
Rule 3. A jump that no loss explains (back, or further than LONGEST_GAP_S) begins a new count.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from aiortc import RTCRtpReceiver
from av import AudioFrame, AudioResampler

from atonce.speech.protocols import Audio, Samples

RATE_HZ: Final = 16_000  # what ears take
_FULL_SCALE: Final = 32768
LONGEST_GAP_S: Final = 10.0  # a talk is ended earlier than that (serve.close_after_s)


def fetched_ahead_s(receiver: RTCRtpReceiver) -> float:
    """Have a receiver give out a packet as soon as the next one is there; how long it then waits.

    aiortc waits for four newer ones, and has no option for it: 60 ms that each first sound would
    come later. A missing packet is waited for either way.
    """
    buffer = getattr(receiver, "_RTCRtpReceiver__jitter_buffer", None)

    if buffer is None or not hasattr(buffer, "_prefetch"):  # another aiortc
        return 0.08

    buffer._prefetch = 1
    return 0.02


class IncomingSound:
    """Converts the frames of one stream, in order."""

    def __init__(self) -> None:
        self.lost_s = 0.0
        """Sound that never came, and for which silence stands."""
        # Mixed down as floats, two equal channels would come out 3 dB louder.
        self._resampler = AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
        self._expected: int | None = None

    def convert(self, frame: AudioFrame) -> Audio:
        """A frame, and before it the silence for those that are missing."""
        missing = self._missing(frame)
        pieces = [np.zeros(missing * RATE_HZ // frame.sample_rate, np.float32)]
        frame.pts = None  # the resampler would fill the gap in its own way
        pieces += [_samples(done) for done in self._resampler.resample(frame)]
        return Audio(np.concatenate(pieces), RATE_HZ)

    def _missing(self, frame: AudioFrame) -> int:
        """Samples of the stream that should have come before this frame."""
        if frame.pts is None:
            return 0

        expected = frame.pts if self._expected is None else self._expected
        gap = frame.pts - expected
        self._expected = frame.pts + frame.samples

        if not 0 < gap <= LONGEST_GAP_S * frame.sample_rate:
            return 0

        self.lost_s += gap / frame.sample_rate
        return gap


def _samples(frame: AudioFrame) -> Samples:
    samples: Samples = frame.to_ndarray().reshape(-1).astype(np.float32)
    samples /= _FULL_SCALE
    return samples
