"""What ears and mouth are: audio, transcripts, and the protocols engines fulfil."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
"""Mono samples, shape (n,), full scale -1 to 1."""


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """One word of the spoken text, and when it is heard."""

    text: str
    """As the text given to the synthesizer has it, marks included."""
    start_s: float
    """Seconds from the first sample of the piece of sound that it comes with."""
    end_s: float
    """The same; it may lie in a later piece."""

    def moved(self, seconds: float) -> SpokenWord:
        """The same word, that much later."""
        return SpokenWord(self.text, self.start_s + seconds, self.end_s + seconds)


@dataclass(frozen=True, slots=True)
class Audio:
    """Mono sound. The rate travels with the samples."""

    samples: Samples
    """Shape (n,), float32, full scale -1 to 1."""
    rate_hz: int
    """Samples a second."""
    words: tuple[SpokenWord, ...] = ()
    """The words that begin in it; empty where the engine does not tell."""

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


class VoiceDetector(Protocol):
    """Tells a voice from other sound, frame by frame. Blocking, well below the frame's length."""

    @property
    def rate_hz(self) -> int:
        """Rate of the sound it judges."""
        ...

    @property
    def frame_samples(self) -> int:
        """Samples of a frame."""
        ...

    def probability(self, frame: Samples) -> float:
        """Probability of a voice in the next frame of the stream, 0 to 1."""
        ...

    def reset(self) -> None:
        """Forget the stream: the next frame is the first of another."""
        ...


class EchoCanceller(Protocol):
    """Takes what is played out of what is heard. Blocking, well below the sound's length."""

    @property
    def rate_hz(self) -> int:
        """Rate of both."""
        ...

    def cancel(self, heard: Samples, played: Samples) -> Samples:
        """The next stretch of what was heard, freed of what was played meanwhile; same length."""
        ...

    def reset(self) -> None:
        """Forget the room: another device, or another person's stream."""
        ...


class TranscriptUnwantedError(Exception):
    """A transcription was given up half-way, because whoever wanted it wants it no more."""


def always() -> bool:
    """For those who want a result in any case."""
    return True


class Transcriber(Protocol):
    """Writes down speech. Blocking."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages it hears (ISO 639-1)."""
        ...

    def expect(self, names: Sequence[str]) -> None:
        """Names that people may say, the likeliest first: they are spelled as they stand here."""
        ...

    def transcribe(
        self, audio: Audio, *, is_final: bool = True, is_wanted: Callable[[], bool] = always
    ) -> Transcript:
        """The transcript of one utterance, of any rate; empty for silence and noise.

        is_final: nobody speaks any more; else one quick look is enough, and may give nothing.
        is_wanted: asked between two heavy steps; once it says no, TranscriptUnwantedError.
        """
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
