"""Ears and a mouth without models: for tests, and to try everything else without them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Self

import numpy as np

from atonce.config.schema import (
    SynthesizerSettings,
    TranscriberSettings,
    VoiceDetectorSettings,
)
from atonce.speech.protocols import (
    Audio,
    Samples,
    Synthesizer,
    Transcriber,
    Transcript,
    TranscriptUnwantedError,
    VoiceDetector,
    always,
)
from atonce.speech.word_times import by_share

SILENCE = 1e-3
"""Peak below which the fake ears hear nothing."""


class FakeVoiceDetector:
    """Takes all that is not silent for a voice."""

    @classmethod
    def from_settings(cls, settings: VoiceDetectorSettings) -> Self:  # noqa: ARG003
        """It has nothing to set."""
        return cls()

    @property
    def rate_hz(self) -> int:
        """Rate of the sound it judges."""
        return 16_000

    @property
    def frame_samples(self) -> int:
        """Samples of a frame: 32 ms."""
        return 512

    def probability(self, frame: Samples) -> float:
        """1 or 0."""
        return float(np.abs(frame).max(initial=0.0) > SILENCE)

    def reset(self) -> None:
        """There is nothing to forget."""


class FakeTranscriber:
    """Hears the same words in any sound that is not silent."""

    def __init__(self, text: str = "When do you open?") -> None:
        """text: what it hears."""
        self._text = text

    @classmethod
    def from_settings(cls, settings: TranscriberSettings) -> Self:  # noqa: ARG003
        """It has nothing to set."""
        return cls()

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages it hears."""
        return ("en",)

    def expect(self, names: Sequence[str]) -> None:
        """It needs no help."""

    def transcribe(
        self, audio: Audio, *, is_final: bool = True, is_wanted: Callable[[], bool] = always
    ) -> Transcript:
        """Its words, or none."""
        if not is_wanted():
            raise TranscriptUnwantedError

        loud = len(audio.samples) > 0 and float(np.abs(audio.samples).max()) > SILENCE
        return Transcript(self._text if loud else "", is_final=is_final)


class FakeSynthesizer:
    """Hums: 60 ms of a low tone for every character."""

    @classmethod
    def from_settings(cls, settings: SynthesizerSettings) -> Self:  # noqa: ARG003
        """It has nothing to set."""
        return cls()

    @property
    def rate_hz(self) -> int:
        """Rate of the audio it gives."""
        return 16_000

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages it hums."""
        return ("en",)

    def synthesize(self, text: str) -> Iterator[Audio]:
        """One piece of sound, as long as a voice would need."""
        if not any(character.isalnum() for character in text):
            return

        time_s = np.arange(int(0.06 * len(text) * self.rate_hz)) / self.rate_hz
        samples = (0.2 * np.sin(2 * np.pi * 120 * time_s)).astype(np.float32)
        yield Audio(samples, self.rate_hz, by_share(text, len(samples) / self.rate_hz))


_activity: type[VoiceDetector] = FakeVoiceDetector
_ears: type[Transcriber] = FakeTranscriber
_mouth: type[Synthesizer] = FakeSynthesizer
