"""Voice activity by Silero: for every 32 ms of sound, the probability that somebody speaks.

The network comes with faster-whisper. It is run frame by frame with its state kept, which gives
the same numbers as a run over the whole recording, at about 0.1 ms a frame.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Self

import numpy as np

from atonce.config.errors import EngineError, ModelError
from atonce.config.schema import VoiceDetectorSettings
from atonce.speech.onnx_session import open_session, session_faults
from atonce.speech.protocols import Samples, VoiceDetector

_RATE_HZ = 16_000
_FRAME = 512
_CONTEXT = 64
"""Samples of the frame before that the network sees again."""
_STATE = (1, 1, 128)
_FILE = Path("assets") / "silero_vad_v6.onnx"


class SileroDetector:
    """Silero on one thread of the processor; one object for one stream of sound."""

    def __init__(self, path: Path | None = None) -> None:
        """path: the network; None takes the one inside faster-whisper."""
        self._session = open_session(path or _packaged())
        self._faults = session_faults()
        self.reset()

    @classmethod
    def from_settings(cls, settings: VoiceDetectorSettings) -> Self:  # noqa: ARG003
        """It has nothing to set."""
        return cls()

    @property
    def rate_hz(self) -> int:
        """Rate of the sound it judges."""
        return _RATE_HZ

    @property
    def frame_samples(self) -> int:
        """Samples of a frame."""
        return _FRAME

    def reset(self) -> None:
        """Forget the stream: the next frame is the first of another."""
        self._hidden = np.zeros(_STATE, dtype=np.float32)
        self._cell = np.zeros(_STATE, dtype=np.float32)
        self._context = np.zeros(_CONTEXT, dtype=np.float32)

    def probability(self, frame: Samples) -> float:
        """Probability of a voice in the next frame, 0 to 1; what is no number counts as silence."""
        if len(frame) != _FRAME:
            raise ValueError(f"a frame has {_FRAME} samples, not {len(frame)}")

        # One NaN would stay in the state for ever.
        sound = np.clip(np.nan_to_num(frame, posinf=0.0, neginf=0.0), -1.0, 1.0)
        joined = np.concatenate([self._context, sound])[None]  # (1, context + frame)
        inputs = {"input": joined, "h": self._hidden, "c": self._cell}

        try:
            found, self._hidden, self._cell = self._session.run(None, inputs)
        except self._faults as error:
            self.reset()
            raise EngineError(f"the voice detector failed: {error}") from error

        self._context = sound[-_CONTEXT:]
        return float(np.ravel(found)[0])


_: type[VoiceDetector] = SileroDetector


def _packaged() -> Path:
    # Found without importing faster-whisper, which takes a third of a second.
    found = find_spec("faster_whisper")

    if found is None or found.origin is None:
        raise ModelError("the voice detector comes with faster-whisper; pip install faster-whisper")

    return Path(found.origin).parent / _FILE
