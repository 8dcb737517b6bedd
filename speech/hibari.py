"""hibari: a small English voice for slow machines; ten words in about 30 ms on one thread.

It comes with its package, weights and pronunciations included, and does not stream: a whole
sentence is done before a larger voice has its first piece.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
from hibari import Hibari

from atonce.config.catalogue import MODELS
from atonce.config.errors import EngineError, ModelError
from atonce.config.schema import SynthesizerSettings
from atonce.speech.levels import (
    REFERENCE_TEXT,
    finished,
    pause_s,
    refuse_no_numbers,
    silence,
    voice_gain,
)
from atonce.speech.onnx_session import SPEAKING_FAULTS
from atonce.speech.protocols import Audio, Samples, Synthesizer
from atonce.speech.word_times import by_share, has_words

VOICE = "heart"
"""The voice inside the package; its other voices would have to be fetched from a model hub."""
_LOADING_FAULTS: tuple[type[Exception], ...] = (OSError, *SPEAKING_FAULTS)
_SEED = 0
"""Of the breath in the voice: the same text sounds the same every time."""


class HibariSynthesizer:
    """One hibari voice on one thread."""

    def __init__(self, voice: str | Path = VOICE) -> None:
        """voice: heart, or the file of another hibari voice (.onnx)."""
        file = None if voice == VOICE else Path(voice).expanduser()

        if file is not None and not file.is_file():
            raise ModelError(
                f"synthesizer.voice: hibari has no voice {voice}; write {VOICE}, or name the file"
                " of a hibari voice (.onnx)"
            )

        try:
            self._hibari = Hibari(model=str(file) if file else None, threads=1)
        except _LOADING_FAULTS as error:
            raise ModelError(
                f"the hibari voice {voice} cannot be loaded ({error}); install it again: pip"
                " install --force-reinstall hibari-tts"
            ) from error

        self._gain = voice_gain(self._raw(REFERENCE_TEXT), self.rate_hz)

    @classmethod
    def from_settings(cls, settings: SynthesizerSettings) -> Self:
        """As the settings want it; a voice of the model store is Piper's and means: its own."""
        return cls(VOICE if settings.voice in MODELS else settings.voice)

    @property
    def rate_hz(self) -> int:
        """Rate of the audio it gives."""
        return int(self._hibari.sample_rate)

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages it speaks (ISO 639-1)."""
        return ("en",)

    def synthesize(self, text: str) -> Iterator[Audio]:
        """The sound of a text, one sentence at a time; nothing for a text without words."""
        # It reads [word](/phonemes/) as phonemes, which a reply never means.
        sentences = [one for one in Hibari.split_sentences(_plain(text)) if has_words(one)]

        for number, sentence in enumerate(sentences):
            samples = finished(self._raw(sentence), self.rate_hz, self._gain)
            words = by_share(sentence, len(samples) / self.rate_hz)

            if number < len(sentences) - 1:
                samples = np.concatenate([samples, silence(pause_s(sentence), self.rate_hz)])

            yield Audio(samples, self.rate_hz, words)

    def _raw(self, text: str) -> Samples:
        try:
            raw = self._hibari(text, seed=_SEED)
        except SPEAKING_FAULTS as error:
            raise EngineError(f"hibari failed while it spoke {text!r}: {error}") from error

        refuse_no_numbers(raw, text)
        return np.asarray(raw, dtype=np.float32)


_: type[Synthesizer] = HibariSynthesizer


def _plain(text: str) -> str:
    return text.translate(str.maketrans("[]\0", "   "))
