"""Piper: text to sound on one thread, a sentence at a time (streaming_piper.py: in pieces)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
from piper import PiperVoice, SynthesisConfig

from atonce.config import models
from atonce.config.schema import SynthesizerSettings
from atonce.speech.levels import (
    REFERENCE_TEXT,
    finished,
    pause_s,
    refuse_no_numbers,
    silence,
    voice_gain,
)
from atonce.speech.onnx_session import open_session
from atonce.speech.piper_voice import (
    Phonemes,
    Phonemizer,
    language,
    read_config,
    told,
    voice_file,
)
from atonce.speech.protocols import Audio, Samples, Synthesizer
from atonce.speech.word_times import Timetable, has_words


class PiperSynthesizer:
    """One Piper voice on the processor."""

    def __init__(self, voice: str | Path) -> None:
        """voice: the .onnx file, its .json beside it, or a folder with one such pair."""
        path = voice_file(voice)
        config = read_config(path)
        self._voice = PiperVoice(session=open_session(path), config=config)
        self._phonemizer = Phonemizer(self._voice)
        self._gain = self._measured_gain()

    @classmethod
    def from_settings(cls, settings: SynthesizerSettings) -> Self:
        """As the settings want it: a voice of the model store, or a path."""
        return cls(models.place(settings.voice))

    @property
    def rate_hz(self) -> int:
        """Rate of the audio it gives."""
        return int(self._voice.config.sample_rate)

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages it speaks (ISO 639-1)."""
        return (language(self._voice.config),)

    def synthesize(self, text: str) -> Iterator[Audio]:
        """The sound of a text, one sentence at a time; nothing for a text without words."""
        if not has_words(text):
            return

        with told(text):
            sentences = self._phonemizer.sentences(text)

        timetable = Timetable(text, [one.sizes for one in sentences])

        for number, phonemes in enumerate(sentences):
            samples = self._spoken(text, phonemes)
            each_s = len(samples) / self.rate_hz / len(phonemes.ids)
            spans = phonemes.spans([each_s] * len(phonemes.ids))
            words = timetable.words(number, spans)

            if number < len(sentences) - 1:
                samples = np.concatenate([samples, silence(pause_s("."), self.rate_hz)])

            yield Audio(samples, self.rate_hz, tuple(words))

    def _spoken(self, text: str, phonemes: Phonemes) -> Samples:
        with told(text):
            raw = self._raw(phonemes)

        refuse_no_numbers(raw, text)
        return finished(raw, self.rate_hz, self._gain)

    def _measured_gain(self) -> float:
        with told(REFERENCE_TEXT):
            phonemes = self._phonemizer.sentences(REFERENCE_TEXT)[0]
            raw = self._raw(phonemes, SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0))

        return voice_gain(raw, self.rate_hz)

    def _raw(self, phonemes: Phonemes, config: SynthesisConfig | None = None) -> Samples:
        made = self._voice.phoneme_ids_to_audio(list(phonemes.ids), config)
        return np.atleast_1d(made[0] if isinstance(made, tuple) else made)


_: type[Synthesizer] = PiperSynthesizer
