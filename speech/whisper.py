"""Whisper by faster-whisper: one utterance in, its words out, in a quarter of the usual time.

Whisper pads everything to 30 s, and the padding is nearly all of its work on a short question.
Here the window is only as long as the utterance needs. Three guards make that safe:

Rule 1. Only what the voice detector calls speech is read, so silence and noise give no words.
Rule 2. The length of the text is bounded by the length of the sound.
Rule 3. A text that repeats itself, runs into its bound or is improbable is read again in the full
        window.
"""

from __future__ import annotations

import os
import re
import zlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from atonce.config import models
from atonce.config.errors import EngineError, ModelError, SettingsError
from atonce.config.schema import TranscriberSettings
from atonce.speech.protocols import Audio, Samples, Transcriber, Transcript
from atonce.speech.resample import resample

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.tokenizer import Tokenizer

RATE_HZ = 16_000
_FRAMES_A_SECOND = 100
"""Spectrum frames, as the model was trained."""
_FULL_WINDOW_S = 30.0
_SHORTEST_WINDOW_S = 8.0
"""Below about 7 s whisper-base starts to loop on single words."""
_WINDOW_MARGIN_S = 3.0
"""Silence that the window keeps after the sound; with less, whisper-base loops now and then."""
_LEAD_S = 0.3
"""Silence before the sound: a word at the very start is misheard ("hi my world" for "hello")."""
_TOKENS_A_SECOND = 8
_TOKENS_AT_LEAST = 12
"""Fast speech has about 5 tokens a second; the bound only has to stop a loop."""
_IMPROBABLE = -1.0
"""Mean log-probability of a token, Whisper's own limit for a failed decode."""
_NO_SPEECH = 0.6
"""Probability of the no-speech token, Whisper's own limit."""
_COMPRESSIBLE = 2.4
"""Characters to compressed bytes, Whisper's own limit for a text that repeats itself."""
_LOOP = re.compile(r"\b(\w+(?:\W+\w+){0,5})(?:\W+\1\b){3,}", re.IGNORECASE)
"""One to six words, four times in a row."""
_REPEATED_WORDS = 4
"""Words that are said twice by chance are fewer; a short window now and then says all twice."""
_FRAME = 512
"""Samples the voice detector takes at once: 32 ms."""
_VOICED = 0.5
_VOICED_FRAMES = 3
"""Frames that must be speech: the shortest word has more, a click has fewer."""
_PRE_ROLL = 16
_AFTER_ROLL = 30
"""Frames kept around speech (0.5 s, 1 s): closer cuts cost a point of word errors."""
_PAUSE = 10
_LONGEST = 780
"""Frames (25 s) that fit into the full window together with its margin."""
_LOUD = 0.3
"""Peak to which quiet sound is raised: else the detector misses it, and whisper-base loops."""
_FAINT = 1e-4
"""Peak (-80 dBFS) below which there is nothing to raise but the noise of the device."""


@dataclass(frozen=True, slots=True)
class _Found:
    """One decode."""

    text: str
    """The words."""
    log_probability: float
    """Mean per token, natural logarithm."""
    no_speech: float
    """Probability that there is no speech, 0 to 1."""
    is_cut_off: bool
    """It ran into the bound of its length."""

    @property
    def is_doubtful(self) -> bool:
        """Rule 3."""
        is_improbable = self.log_probability < _IMPROBABLE
        return self.is_cut_off or is_improbable or loops(self.text) or repeats(self.text)

    @property
    def is_worthless(self) -> bool:
        """Not what was said. A loop that came to an end by itself is: people repeat themselves."""
        is_nothing = self.no_speech > _NO_SPEECH and self.log_probability < _IMPROBABLE
        return is_nothing or self.is_cut_off


class WhisperTranscriber:
    """A Whisper model on the processor, in 8-bit integers."""

    def __init__(self, model: str | Path, *, language: str = "en", threads: int = 0) -> None:
        """model: a folder, or a name that faster-whisper knows; threads: 0 chooses by cores."""
        from faster_whisper.tokenizer import Tokenizer
        from faster_whisper.vad import get_vad_model

        self._model = _load(model, threads or min(4, _cores()))

        if language not in self.languages:
            raise SettingsError(
                f"transcriber.language: the model {model} does not hear '{language}'; it hears"
                f" {', '.join(self.languages[:12])}{' …' if len(self.languages) > 12 else ''}"
            )

        self._language = language
        self._tokenizer: Tokenizer = Tokenizer(
            self._model.hf_tokenizer,
            self._model.model.is_multilingual,
            task="transcribe",
            language=language,
        )
        self._prompt: list[int] = self._model.get_prompt(
            self._tokenizer, [], without_timestamps=True
        )
        self._voice_detector = get_vad_model()

    @classmethod
    def from_settings(cls, settings: TranscriberSettings) -> Self:
        """As the settings want it: a model of the store, a folder, or faster-whisper's name."""
        return cls(
            models.place(settings.model), language=settings.language, threads=settings.threads
        )

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages it hears (ISO 639-1)."""
        return tuple(self._model.supported_languages)

    def transcribe(self, audio: Audio) -> Transcript:
        """The transcript of one utterance, of any rate; empty for silence and noise."""
        # Before the rate is changed, which would spread one NaN over everything.
        finite = Audio(np.nan_to_num(audio.samples, posinf=0.0, neginf=0.0), audio.rate_hz)
        samples = _raised(resample(finite, RATE_HZ).samples)
        pieces = speech_pieces(self._voiced(samples))

        try:
            found = [self._read(samples[first:last]) for first, last in pieces]
        # The engine reports what it cannot do as the one, what it will not do as the other.
        except (RuntimeError, ValueError) as error:
            raise EngineError(
                f"Whisper failed on {audio.seconds:.1f} s of sound: {error}"
            ) from error

        return Transcript(
            " ".join(one.text for one in found if one.text and not one.is_worthless),
            log_probability=float(np.mean([one.log_probability for one in found] or [0.0])),
        )

    def _read(self, speech: Samples) -> _Found:
        speech = np.concatenate([np.zeros(int(_LEAD_S * RATE_HZ), dtype=np.float32), speech])
        seconds = len(speech) / RATE_HZ
        window_s = min(_FULL_WINDOW_S, max(_SHORTEST_WINDOW_S, seconds + _WINDOW_MARGIN_S))
        bound = _TOKENS_AT_LEAST + int(_TOKENS_A_SECOND * seconds)
        found = self._decode(speech, window_s, bound)

        if found.is_doubtful:
            # A second look may be longer: what runs into this bound too has derailed.
            found = self._decode(speech, _FULL_WINDOW_S, 2 * bound)

        return found

    def _decode(self, speech: Samples, window_s: float, bound: int) -> _Found:
        # Frames come in pairs: the encoder halves them.
        frames = 2 * round(window_s * _FRAMES_A_SECOND / 2)
        padded = np.zeros(frames * RATE_HZ // _FRAMES_A_SECOND, dtype=np.float32)
        padded[: len(speech)] = speech
        spectrum = self._model.feature_extractor(padded)[:, :frames]  # (mels, frames)
        result = self._model.model.generate(
            self._model.encode(spectrum),
            [self._prompt],
            beam_size=1,
            max_length=len(self._prompt) + bound,
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        tokens = result.sequences_ids[0]
        return _Found(
            text=self._tokenizer.decode(tokens).strip(),
            # The engine's mean leaves the end mark out; Whisper's limits are for one with it.
            log_probability=float(result.scores[0]) * len(tokens) / (len(tokens) + 1),
            no_speech=float(result.no_speech_prob),
            is_cut_off=len(tokens) >= bound,
        )

    def _voiced(self, samples: Samples) -> Samples:
        """For every 32 ms, the probability that somebody speaks."""
        frames = -(-len(samples) // _FRAME)

        if not samples.any():
            return np.zeros(frames, dtype=np.float32)

        # One frame more than there is: this detector blanks the end of the last one.
        padded = np.zeros((frames + 1) * _FRAME, dtype=np.float32)
        padded[: len(samples)] = samples
        return np.ravel(self._voice_detector(padded))[:frames]


_: type[Transcriber] = WhisperTranscriber


def speech_pieces(voiced: Samples) -> list[tuple[int, int]]:
    """Where speech is, as first and last sample; cut at its stillest moments where it is long.

    voiced: the probability of speech in every frame. Too little speech to be a word gives none.
    """
    frames = np.flatnonzero(voiced >= _VOICED)

    if len(frames) < _VOICED_FRAMES:
        return []

    first = max(0, int(frames[0]) - _PRE_ROLL)
    end = min(len(voiced), int(frames[-1]) + 1 + _AFTER_ROLL)
    # Pauses, not single consonants: the mean of about a third of a second.
    still = np.convolve(voiced, np.full(_PAUSE, 1 / _PAUSE), mode="same")
    edges = [first]

    while end - edges[-1] > _LONGEST:
        earliest = edges[-1] + _LONGEST // 2
        edges.append(earliest + int(still[earliest : edges[-1] + _LONGEST].argmin()))

    edges.append(end)
    return [(start * _FRAME, stop * _FRAME) for start, stop in pairwise(edges)]


def _raised(samples: Samples) -> Samples:
    """Quiet sound at the level the models were trained with; nothing where there is only noise."""
    peak = float(np.abs(samples).max(initial=0.0))
    return samples * np.float32(0.0 if peak < _FAINT else max(1.0, _LOUD / peak))


def loops(text: str) -> bool:
    """The text says the same again and again, as a derailed decode does."""
    encoded = text.encode()
    ratio = len(encoded) / len(zlib.compress(encoded))
    return ratio > _COMPRESSIBLE or _LOOP.search(text) is not None


def repeats(text: str) -> bool:
    """The same four words stand in the text twice: people do that, but it is worth another look."""
    words = re.findall(r"\w+", text.lower())
    runs = list(zip(*(words[first:] for first in range(_REPEATED_WORDS)), strict=False))
    return len(set(runs)) < len(runs)


def _load(model: str | Path, threads: int) -> WhisperModel:
    folder = Path(model).expanduser()
    settings: dict[str, Any] = {"device": "cpu", "compute_type": "int8", "cpu_threads": threads}
    from faster_whisper import WhisperModel

    if folder.is_dir():
        if not (folder / "model.bin").is_file():
            raise ModelError(f"{folder} holds no Whisper model (model.bin); name another folder")

        settings["local_files_only"] = True
    elif isinstance(model, Path) or folder.is_absolute() or model.startswith((".", "~")):
        raise ModelError(f"there is no folder {folder}; check transcriber.model")

    try:
        return WhisperModel(str(folder if folder.is_dir() else model), **settings)
    # Names are resolved by a hub whose client raises errors of many kinds, all below OSError
    # or ValueError; the engine itself reports damaged files as RuntimeError.
    except (OSError, ValueError, RuntimeError) as error:
        first_line = str(error).strip().partition("\n")[0]
        raise ModelError(
            f"the Whisper model {model} cannot be loaded: {first_line}; name a folder with a"
            " model, or whisper-base in transcriber.model"
        ) from error


def _cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
