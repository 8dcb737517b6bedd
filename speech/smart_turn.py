"""Smart Turn: from the sound of the last seconds, the probability that somebody has finished.

It hears what words do not show, such as a voice that stays up. It is off unless it is built into
the endpoint by hand: it takes 0.1 to 0.2 s of a processor, and on short recordings it was right
too seldom to decide alone (docs/ears.md). Noise counts as finished: ask it at a pause only.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from atonce.config.errors import EngineError
from atonce.speech.onnx_session import SESSION_FAULTS, open_session
from atonce.speech.protocols import Audio, Samples
from atonce.speech.resample import resample

NETWORK = "smart-turn-v3.2-cpu.onnx"
_RATE_HZ = 16_000
_SECONDS = 8
_FRAMES_A_SECOND = 100
_LEAST_VARIANCE = 1e-7


class SmartTurn:
    """The network of one folder, on one thread."""

    def __init__(self, folder: Path) -> None:
        """folder: where the model store keeps it."""
        from faster_whisper.feature_extractor import FeatureExtractor

        self._session = open_session(folder / NETWORK)
        # The same spectrum that Whisper hears, over eight seconds.
        self._spectrum = FeatureExtractor(chunk_length=_SECONDS)

    def finished(self, audio: Audio) -> float:
        """Probability, 0 to 1, that the speech at the end of this sound is complete."""
        features = self._features(resample(audio, _RATE_HZ).samples)  # (1, mels, frames)

        try:
            found = self._session.run(None, {"input_features": features})[0]
        except SESSION_FAULTS as error:
            raise EngineError(f"Smart Turn failed: {error}") from error

        return float(np.ravel(found)[0])

    def _features(self, samples: Samples) -> Samples:
        """The last eight seconds, at the end of the window, at one loudness."""
        size = _SECONDS * _RATE_HZ
        window = np.zeros(size, dtype=np.float32)
        last = np.nan_to_num(samples[-size:], posinf=0.0, neginf=0.0)
        window[size - len(last) :] = last
        window = (window - window.mean()) / np.sqrt(window.var() + _LEAST_VARIANCE)
        spectrum = self._spectrum(window.astype(np.float32))
        frames = spectrum[:, : _SECONDS * _FRAMES_A_SECOND]
        features: Samples = np.asarray(frames[None], dtype=np.float32)
        return features
