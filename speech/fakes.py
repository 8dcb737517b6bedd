"""Ears and a mouth without models: for tests, and to try everything else without them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import numpy as np

from atonce.config.schema import SynthesizerSettings, TranscriberSettings
from atonce.speech.protocols import Audio, Synthesizer, Transcriber, Transcript

SILENCE = 1e-3
"""Peak below which the fake ears hear nothing."""


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

    def transcribe(self, audio: Audio) -> Transcript:
        """Its words, or none."""
        loud = len(audio.samples) > 0 and float(np.abs(audio.samples).max()) > SILENCE
        return Transcript(self._text if loud else "")


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
        yield Audio((0.2 * np.sin(2 * np.pi * 120 * time_s)).astype(np.float32), self.rate_hz)


_ears: type[Transcriber] = FakeTranscriber
_mouth: type[Synthesizer] = FakeSynthesizer
