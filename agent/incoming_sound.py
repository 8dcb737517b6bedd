"""The person's sound as it comes from a browser: 48 kHz stereo in, 16 kHz mono out.

Rule 1. The stamps of the frames are the truth: where some are missing, silence of the same length
        stands, so that seconds of sound stay seconds of the clock.
Rule 2. Nothing is held back: neither to even out when packets come, for whoever takes the sound
        counts samples; nor for a packet that is missing, for it seldom comes. One that comes late
        all the same is dropped, and silence stands for it.
Rule 3. A jump that no loss explains (back, or further than LONGEST_GAP_S) begins a new count.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from aiortc import RTCRtpReceiver
from aiortc.jitterbuffer import MAX_MISORDER, JitterBuffer, JitterFrame
from aiortc.rtp import RtpPacket
from av import AudioFrame, AudioResampler

from atonce.speech.protocols import Audio, Samples

RATE_HZ: Final = 16_000  # what ears take
_FULL_SCALE: Final = 32768
_NUMBERS: Final = 1 << 16  # of packets, after which they begin anew
LONGEST_GAP_S: Final = 10.0  # a talk is ended earlier than that (serve.close_after_s)


class AsTheyCome:
    """In the place of aiortc's jitter buffer: every packet is given out when it comes (rule 2).

    aiortc's waits for four newer ones, 80 ms that each first sound would come later. When one is
    lost it is silent for 0.3 s, and from then on gives out everything so much later.
    """

    def __init__(self) -> None:
        self.late = 0
        """Packets that came after a newer one, or twice."""
        self._last: int | None = None

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Whether a new picture is wanted (never), and what is to be decoded."""
        back = 0 if self._last is None else (self._last - packet.sequence_number) % _NUMBERS

        if self._last is not None and back < MAX_MISORDER:
            self.late += 1
            return False, None

        self._last = packet.sequence_number
        sound: bytes = getattr(packet, "_data", b"")  # as the depayloader left it; padding is empty
        return False, JitterFrame(sound, packet.timestamp) if sound else None


def held_back_s(receiver: RTCRtpReceiver) -> float:
    """Have a receiver give out packets as they come; how long it holds them back all the same."""
    name = "_RTCRtpReceiver__jitter_buffer"  # there is no option for it

    if not isinstance(getattr(receiver, name, None), JitterBuffer):  # another aiortc
        return 0.08

    setattr(receiver, name, AsTheyCome())
    return 0.0


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
