"""The agent's own voice, taken out of what its microphone hears: WebRTC's echo canceller (AEC3).

It learns the room while something is played, finds a delay of up to 200 ms by itself, and lets a
person through who speaks meanwhile. Where the echo is later it is given what was played later
(echo_delay.py). docs/ears.md has what was measured.
"""

from __future__ import annotations

from typing import Self

import numpy as np

from atonce.config.errors import EngineError
from atonce.config.schema import EchoSettings
from atonce.speech.echo_delay import DelayFinder
from atonce.speech.protocols import EchoCanceller, Samples

_RATE_HZ = 16_000
_FRAME = 160
"""Samples (10 ms) that the canceller takes at once."""
_BY_ITSELF_S = 0.2
"""A delay that the canceller finds by itself."""
_EARLY_S = 0.06
"""What was played comes to it so much before its echo: the canceller looks backwards only."""
_LONGEST_S = 2.1


class WebRtcCanceller:
    """One object for one microphone and its loudspeaker."""

    def __init__(self) -> None:
        from pywebrtc_audio import EchoCanceller as Processor

        self._processor = Processor(sample_rate=_RATE_HZ)
        self._delay = DelayFinder()
        self._later = 0  # samples by which what was played is held back
        self._played = np.zeros(round(_LONGEST_S * _RATE_HZ), dtype=np.float32)

    @classmethod
    def from_settings(cls, settings: EchoSettings) -> Self:  # noqa: ARG003
        """It has nothing to set."""
        return cls()

    @property
    def rate_hz(self) -> int:
        """Rate of both sounds."""
        return _RATE_HZ

    def cancel(self, heard: Samples, played: Samples) -> Samples:
        """The next stretch of what was heard, freed of what was played meanwhile; same length.

        Both have a whole number of 10 ms frames; ValueError otherwise. What is no number counts
        as silence: it would stay in the filter for ever.
        """
        if len(heard) != len(played) or len(heard) % _FRAME:
            raise ValueError(
                f"{len(heard)} samples were heard and {len(played)} played: equal numbers of whole"
                f" frames of {_FRAME} are wanted"
            )

        if not len(heard):
            return heard

        try:
            there = _numbers(heard)
            freed = self._processor.process(there, self._held_back(there, _numbers(played)))
        except (RuntimeError, ValueError, TypeError) as error:
            raise EngineError(f"the echo canceller failed: {error}") from error

        return np.asarray(freed, dtype=np.float32)

    def reset(self) -> None:
        """Forget the room."""
        self._processor.reset()
        self._delay, self._later = DelayFinder(), 0
        self._played[:] = 0.0

    def _held_back(self, heard: Samples, played: Samples) -> Samples:
        """What was played, as late as the canceller can use it."""
        self._delay.hear(heard, played)
        late_s = self._delay.delay_s

        if late_s is not None and not 0 < late_s - self._later / _RATE_HZ <= _BY_ITSELF_S:
            wanted_s = late_s - _EARLY_S if late_s > _BY_ITSELF_S else 0.0
            self._later = round(wanted_s * _RATE_HZ)
            self._processor.reset()  # what it has learnt of the delay holds no more

        kept = len(self._played)
        both = np.concatenate([self._played, played])
        self._played = both[-kept:]
        return both[kept - self._later :][: len(played)]


class NoCanceller:
    """Changes nothing: for headphones, and where the sound system cancels."""

    @classmethod
    def from_settings(cls, settings: EchoSettings) -> Self:  # noqa: ARG003
        """It has nothing to set."""
        return cls()

    @property
    def rate_hz(self) -> int:
        """Rate of both sounds."""
        return _RATE_HZ

    def cancel(self, heard: Samples, played: Samples) -> Samples:  # noqa: ARG002
        """What was heard."""
        return heard

    def reset(self) -> None:
        """There is nothing to forget."""


_webrtc: type[EchoCanceller] = WebRtcCanceller
_none: type[EchoCanceller] = NoCanceller


def _numbers(samples: Samples) -> Samples:
    finite = np.nan_to_num(samples, posinf=0.0, neginf=0.0)
    clipped: Samples = np.clip(finite, -1.0, 1.0).astype(np.float32)
    return clipped
