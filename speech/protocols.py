"""What ears and mouth are: audio, transcripts, and the protocols engines fulfil."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
"""Mono samples, shape (n,), full scale -1 to 1."""


@dataclass(frozen=True, slots=True)
class Audio:
    """Mono sound. The rate travels with the samples."""

    samples: Samples
    """Shape (n,), float32, full scale -1 to 1."""
    rate_hz: int
    """Samples a second."""

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate_hz


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said, as far as the transcriber can tell."""

    text: str
    """Empty when nothing was said."""
    is_final: bool = True
    """No later transcript of the same utterance will change it."""
    log_probability: float = 0.0
    """Mean per token, natural logarithm; 0 where the engine does not tell."""


class Transcriber(Protocol):
    """Writes down speech. Blocking."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages it hears (ISO 639-1)."""
        ...

    def transcribe(self, audio: Audio) -> Transcript:
        """The transcript of one utterance, of any rate; empty for silence and noise."""
        ...


class Synthesizer(Protocol):
    """Speaks text. Blocking."""

    @property
    def rate_hz(self) -> int:
        """Rate of the audio it gives."""
        ...

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages it speaks (ISO 639-1)."""
        ...

    def synthesize(self, text: str) -> Iterator[Audio]:
        """The sound of a text, piece by piece as it becomes ready."""
        ...
