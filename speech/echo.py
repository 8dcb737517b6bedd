"""The agent's own voice, taken out of what its microphone hears: WebRTC's echo canceller (AEC3).

It learns the room while something is played, finds the delay by itself up to a few hundred
milliseconds, and lets a person through who speaks meanwhile. docs/ears.md has what was measured.
"""

from __future__ import annotations

from typing import Self

import numpy as np

from atonce.config.errors import EngineError
from atonce.config.schema import EchoSettings
from atonce.speech.protocols import EchoCanceller, Samples

_RATE_HZ = 16_000
_FRAME = 160
"""Samples (10 ms) that the canceller takes at once."""


class WebRtcCanceller:
    """One object for one microphone and its loudspeaker."""

    def __init__(self) -> None:
        from pywebrtc_audio import EchoCanceller as Processor

        self._processor = Processor(sample_rate=_RATE_HZ)

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
            freed = self._processor.process(_numbers(heard), _numbers(played))
        except (RuntimeError, ValueError, TypeError) as error:
            raise EngineError(f"the echo canceller failed: {error}") from error

        return np.asarray(freed, dtype=np.float32)

    def reset(self) -> None:
        """Forget the room."""
        self._processor.reset()


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
