"""Whisper by faster-whisper: one utterance in, its words out, in a quarter of the usual time.

Whisper pads everything to 30 s, and the padding is nearly all of its work on a short question.
Here the window is only as long as the utterance needs. Five guards make that safe:

Rule 1. Only what the voice detector calls speech is read, so silence and noise give no words.
Rule 2. The length of the text is bounded by the length of the sound.
Rule 3. A text that says all of it again, faster than people speak, is cut where it begins anew. One
        that repeats itself otherwise, runs into its bound or is improbable is read again in the
        full window, without the names that were expected; while speech goes on it is dropped.
Rule 4. What Whisper invents, and names that it was told, need enough voice to have been said.
Rule 5. A stock phrase after a whole sentence must lie where somebody speaks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from atonce.config import models
from atonce.config.errors import EngineError, ModelError, SettingsError
from atonce.config.schema import TranscriberSettings
from atonce.speech.protocols import (
    Audio,
    Samples,
    Transcriber,
    Transcript,
    TranscriptUnwantedError,
    always,
)
from atonce.speech.resample import resample
from atonce.speech.whisper_guards import (
    FRAME,
    is_invented,
    is_voiced,
    loops,
    repeats,
    speech_pieces,
    stock_tail,
    unrepeated,
    voice_s,
)

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.tokenizer import Tokenizer

RATE_HZ = 16_000
Device = Literal["auto", "cpu", "cuda"]
_FRAMES_A_SECOND = 100
"""Spectrum frames, as the model was trained."""
_TOKEN_TIME_S = 0.02
"""Whisper's own measure of time: one position of the encoder."""
_FULL_WINDOW_S = 30.0
_SHORTEST_WINDOW_S = 8.0
"""Below about 7 s whisper-base starts to loop on single words."""
_WINDOW_MARGIN_S = 3.0
"""Silence that the window keeps after the sound; with less, whisper-base loops now and then."""
_LEAD_S = 0.6
"""Silence before the sound: a word at the very start is misheard ("hi my world" for "hello"). With
0.6 s the short window was as right as the full one, with 0.3 s a point worse."""
_SILENCE = 1600
"""Samples of silence of which the spectrum is worked out: some of its frames see nothing else."""
_TOKENS_A_SECOND = 8
_TOKENS_AT_LEAST = 12
"""Fast speech has about 5 tokens a second; the bound only has to stop a loop."""
_IMPROBABLE = -1.0
"""Mean log-probability of a token, Whisper's own limit for a failed decode."""
_NO_SPEECH = 0.6
"""Probability of the no-speech token, Whisper's own limit."""
_LOUD = 0.3
"""Peak to which quiet sound is raised: else the detector misses it, and whisper-base loops."""
_FAINT = 1e-4
"""Peak (-80 dBFS) below which there is nothing to raise but the noise of the device."""
MOST_NAMES = 30
"""More would take the room of the words in Whisper's memory."""
_MOST_NAME_TOKENS = 100


@dataclass(frozen=True, slots=True)
class _Found:
    """One decode."""

    text: str
    """The words."""
    tokens: list[int]
    """The same, as the model wrote them."""
    log_probability: float
    """Mean per token, natural logarithm."""
    no_speech: float
    """Probability that there is no speech, 0 to 1."""
    is_cut_off: bool
    """It ran into the bound of its length."""
    encoded: Any
    """The sound as the decoder sees it."""

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


@dataclass(frozen=True, slots=True)
class _Look:
    """One piece of speech to be read."""

    speech: Samples
    """Its sound."""
    voiced: Samples
    """Probability of speech in each of its frames."""
    is_final: bool
    """Nobody speaks any more."""
    is_wanted: Callable[[], bool]
    """Somebody still waits for it."""


class WhisperTranscriber:
    """A Whisper model: on the processor in 8-bit integers, on a GPU in 16-bit floats."""

    def __init__(
        self,
        model: str | Path,
        *,
        language: str = "en",
        threads: int = 0,
        device: Device = "cpu",
        shortest_window_s: float = _SHORTEST_WINDOW_S,
    ) -> None:
        """model: a folder, or a name that faster-whisper knows; threads: 0 chooses by cores;
        shortest_window_s: never less is looked at at once (30: as Whisper was made)."""
        from faster_whisper.tokenizer import Tokenizer
        from faster_whisper.vad import get_vad_model

        self._model = _load(model, threads or min(4, _cores()), _chosen(device))
        self._shortest_window_s = shortest_window_s

        if language not in self.languages:
            raise SettingsError(
                f"transcriber.language: the model {model} does not hear '{language}'; it hears"
                f" {', '.join(self.languages[:12])}{' …' if len(self.languages) > 12 else ''}"
            )

        self._tokenizer: Tokenizer = Tokenizer(
            self._model.hf_tokenizer,
            self._model.model.is_multilingual,
            task="transcribe",
            language=language,
        )
        self._voice_detector = get_vad_model()
        self._names: tuple[str, ...] = ()
        self._plain_prompt = self._prompt_with([])
        self._prompt = self._plain_prompt

    @classmethod
    def from_settings(cls, settings: TranscriberSettings) -> Self:
        """As the settings want it: a model of the store, a folder, or faster-whisper's name."""
        return cls(
            models.place(settings.model),
            language=settings.language,
            threads=settings.threads,
            device=settings.device,
        )

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages it hears (ISO 639-1)."""
        return tuple(self._model.supported_languages)

    def expect(self, names: Sequence[str]) -> None:
        """Names that people may say, the likeliest first; the first 30 are used."""
        self._names = tuple(dict.fromkeys(name.strip() for name in names if name.strip()))
        self._names = self._names[:MOST_NAMES]
        told: list[int] = self._tokenizer.encode(" " + ", ".join(self._names) + ".")
        self._prompt = self._prompt_with(told[:_MOST_NAME_TOKENS] if self._names else [])

    def transcribe(
        self, audio: Audio, *, is_final: bool = True, is_wanted: Callable[[], bool] = always
    ) -> Transcript:
        """The transcript of one utterance, of any rate; empty for silence and noise.

        is_final: nobody speaks any more; else one quick look is enough, and may give nothing.
        is_wanted: asked between two heavy steps; once it says no, TranscriptUnwantedError.
        """
        # Before the rate is changed, which would spread one NaN over everything.
        finite = Audio(np.nan_to_num(audio.samples, posinf=0.0, neginf=0.0), audio.rate_hz)
        samples = _raised(resample(finite, RATE_HZ).samples)
        voiced = self._voiced(samples)
        found = []

        try:
            for first, last in speech_pieces(voiced):
                piece_voiced = voiced[first // FRAME : last // FRAME]
                look = _Look(samples[first:last], piece_voiced, is_final, is_wanted)
                found.append(self._hear(look))
        # The engine reports what it cannot do as the one, what it will not do as the other.
        except (RuntimeError, ValueError) as error:
            raise EngineError(
                f"Whisper failed on {audio.seconds:.1f} s of sound: {error}"
            ) from error

        return Transcript(
            " ".join(text for text, _ in found if text),
            is_final=is_final,
            log_probability=float(np.mean([probability for _, probability in found] or [0.0])),
        )

    def _hear(self, look: _Look) -> tuple[str, float]:
        """Words of one piece of speech and their mean log-probability."""
        found = self._read(look)
        is_dropped = found.is_worthless or (found.is_doubtful and not look.is_final)

        # Rule 4.
        if is_dropped or is_invented(found.text, look.voiced, self._names):
            return "", found.log_probability

        tail = stock_tail(found.text)

        # Rule 5.
        if tail and not is_voiced(look.voiced, from_s=self._start_s(found, tail)):
            return found.text.removesuffix(tail).rstrip(), found.log_probability

        return found.text, found.log_probability

    def _read(self, look: _Look) -> _Found:
        lead = np.zeros(int(_LEAD_S * RATE_HZ), dtype=np.float32)
        speech = np.concatenate([lead, look.speech])
        seconds = len(speech) / RATE_HZ
        window_s = min(_FULL_WINDOW_S, max(self._shortest_window_s, seconds + _WINDOW_MARGIN_S))
        bound = _TOKENS_AT_LEAST + int(_TOKENS_A_SECOND * seconds)
        encoded = self._encode(speech, window_s, look.is_wanted)
        found = self._decode(encoded, self._prompt, bound, look.is_wanted)
        once = unrepeated(found.text, voice_s=voice_s(look.voiced))

        if once != found.text:
            found = replace(found, text=once, is_cut_off=False)

        if found.is_doubtful and look.is_final:
            # A second look may be longer: what runs into this bound too has derailed.
            encoded = self._encode(speech, _FULL_WINDOW_S, look.is_wanted)
            found = self._decode(encoded, self._plain_prompt, 2 * bound, look.is_wanted)

        return found

    def _encode(self, speech: Samples, window_s: float, is_wanted: Callable[[], bool]) -> Any:
        _go_on(is_wanted)
        # Frames come in pairs: the encoder halves them.
        frames = 2 * round(window_s * _FRAMES_A_SECOND / 2)
        return self._model.encode(self._spectrum(speech, frames))

    def _spectrum(self, speech: Samples, frames: int) -> Samples:
        """(mels, frames) of the sound with silence behind it. All silence has the least value that
        there is, so most of it need not be worked out."""
        samples = frames * RATE_HZ // _FRAMES_A_SECOND
        padded = np.zeros(min(samples, len(speech) + _SILENCE), dtype=np.float32)
        known = min(samples, len(speech))
        padded[:known] = speech[:known]
        heard = self._model.feature_extractor(padded)[:, :frames]
        spectrum = np.full((len(heard), frames), heard.min(), dtype=np.float32)
        spectrum[:, : heard.shape[1]] = heard
        return spectrum

    def _decode(
        self, encoded: Any, prompt: list[int], bound: int, is_wanted: Callable[[], bool]
    ) -> _Found:
        _go_on(is_wanted)
        result = self._model.model.generate(
            encoded,
            [prompt],
            beam_size=1,
            max_length=len(prompt) + bound,
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        tokens = result.sequences_ids[0]
        return _Found(
            text=self._tokenizer.decode(tokens).strip(),
            tokens=tokens,
            # The engine's mean leaves the end mark out; Whisper's limits are for one with it.
            log_probability=float(result.scores[0]) * len(tokens) / (len(tokens) + 1),
            no_speech=float(result.no_speech_prob),
            is_cut_off=len(tokens) >= bound,
            encoded=encoded,
        )

    def _start_s(self, found: _Found, tail: str) -> float:
        """When the last words of a text are heard, from the start of the sound that was read."""
        before = found.text.removesuffix(tail)
        first = len(self._tokenizer.encode(" " + before.strip()))
        aligned = self._model.model.align(
            found.encoded,
            self._tokenizer.sot_sequence,
            [found.tokens],
            [found.encoded.shape[1] * 2],
        )[0]
        times = [time for token, time in aligned.alignments if token >= first]
        return min(times, default=0) * _TOKEN_TIME_S - _LEAD_S

    def _prompt_with(self, told: list[int]) -> list[int]:
        prompt: list[int] = self._model.get_prompt(self._tokenizer, told, without_timestamps=True)
        return prompt

    def _voiced(self, samples: Samples) -> Samples:
        """For every 32 ms, the probability that somebody speaks."""
        frames = -(-len(samples) // FRAME)

        if not samples.any():
            return np.zeros(frames, dtype=np.float32)

        # One frame more than there is: this detector blanks the end of the last one.
        padded = np.zeros((frames + 1) * FRAME, dtype=np.float32)
        padded[: len(samples)] = samples
        return np.ravel(self._voice_detector(padded))[:frames]


_: type[Transcriber] = WhisperTranscriber


def _go_on(is_wanted: Callable[[], bool]) -> None:
    if not is_wanted():
        raise TranscriptUnwantedError


def _raised(samples: Samples) -> Samples:
    """Quiet sound at the level the models were trained with; nothing where there is only noise."""
    peak = float(np.abs(samples).max(initial=0.0))
    return samples * np.float32(0.0 if peak < _FAINT else max(1.0, _LOUD / peak))


def _chosen(device: Device) -> Literal["cpu", "cuda"]:
    """The device to run on; SettingsError for a GPU that the engine cannot use."""
    if device == "cpu":
        return "cpu"

    import ctranslate2

    has_gpu = ctranslate2.get_cuda_device_count() > 0

    if device == "cuda" and not has_gpu:
        raise SettingsError(
            "transcriber.device is cuda, but the engine finds no NVIDIA GPU that it can use: check"
            " the driver (nvidia-smi), or set transcriber.device=auto"
        )

    return "cuda" if has_gpu else "cpu"


def _load(model: str | Path, threads: int, device: Literal["cpu", "cuda"]) -> WhisperModel:
    folder = Path(model).expanduser()
    settings: dict[str, Any] = {
        "device": device,
        "compute_type": "int8" if device == "cpu" else "float16",
        "cpu_threads": threads,
    }
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
