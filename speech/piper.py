"""Piper: text to sound on one thread, sentence by sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from atonce.config import models
from atonce.config.errors import EngineError, ModelError
from atonce.config.schema import SynthesizerSettings
from atonce.speech.protocols import Audio, Samples, Synthesizer

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from piper import PiperVoice

_FADE_S = 0.005
"""At both ends of a sentence, so that no join clicks."""
_LOUDEST = 0.89
"""Peak (-1 dBFS) above which a sentence is turned down: resamplers and codecs overshoot."""


class PiperSynthesizer:
    """One Piper voice on the processor."""

    def __init__(self, voice: str | Path) -> None:
        """voice: the .onnx file, its .json beside it, or a folder with one such pair."""
        path = _voice_file(Path(voice).expanduser())
        self._voice = _load(path)
        self._faults: tuple[type[Exception], ...] = (RuntimeError, ValueError, *_engine_faults())
        self._language = str(self._voice.config.espeak_voice).partition("-")[0]

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
        return (self._language,)

    def synthesize(self, text: str) -> Iterator[Audio]:
        """The sound of a text, one sentence at a time; nothing for a text without words."""
        if not any(character.isalnum() for character in text):
            return

        # Piper reads [[…]] as phonemes, which a reply never means, and refuses the zero character.
        plain = text.replace("[[", " ").replace("]]", " ").replace("\0", " ")

        try:
            for chunk in self._voice.synthesize(plain):
                yield Audio(_soft(chunk.audio_float_array, self.rate_hz), self.rate_hz)
        except self._faults as error:
            raise EngineError(f"Piper failed while it spoke {text!r}: {error}") from error


_: type[Synthesizer] = PiperSynthesizer


def _voice_file(path: Path) -> Path:
    if path.is_dir():
        found = sorted(path.glob("*.onnx"))

        if len(found) != 1:
            raise ModelError(
                f"{path} holds {len(found)} voices (.onnx); name the file of one voice"
            )

        path = found[0]

    if not path.is_file():
        raise ModelError(f"the voice {path} does not exist; check synthesizer.voice")

    return path


def _load(path: Path) -> PiperVoice:
    config_path = Path(f"{path}.json")

    if not config_path.is_file():
        raise ModelError(
            f"the voice {path} has no config: {config_path.name} must lie beside it; get it where"
            " the voice came from"
        )

    from piper import PiperConfig, PiperVoice

    try:
        config = PiperConfig.from_dict(json.loads(config_path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{config_path} is no config of a Piper voice ({error!r}); get it where the voice came"
            " from"
        ) from error

    return PiperVoice(session=_session(path), config=config)


def _session(path: Path) -> InferenceSession:
    """One thread that never spins: more of them steal the cores the other stages need."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")

    try:
        return onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except _engine_faults() as error:
        raise ModelError(
            f"the voice {path} is damaged or no Piper voice; get it again where it came from"
        ) from error


def _engine_faults() -> tuple[type[Exception], ...]:
    """What onnxruntime raises: classes below no common one but Exception."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NoSuchFile,
        state.NotImplemented,
        state.RuntimeException,
    )


def _soft(samples: Samples, rate_hz: int) -> Samples:
    """Ends faded, and no sample beyond the loudest peak; the sentence keeps its shape."""
    peak = float(np.abs(samples).max(initial=0.0))
    soft = samples * np.float32(min(1.0, _LOUDEST / max(peak, _LOUDEST)))
    fade = np.linspace(0.0, 1.0, min(len(soft) // 2, int(_FADE_S * rate_hz)), dtype=np.float32)
    soft[: len(fade)] *= fade
    soft[len(soft) - len(fade) :] *= fade[::-1]
    return soft
