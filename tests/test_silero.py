"""Voice activity on real sound, frame by frame, and what the whole of the ears makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from atonce.config import registry
from atonce.config.errors import EngineError, ModelError
from atonce.config.load import defaults
from atonce.speech import audio_file
from atonce.speech.protocols import Samples
from atonce.speech.silero import SileroDetector

RECORDINGS = Path(__file__).parent / "audio"
FRAME = 512


@pytest.fixture(scope="module")
def detector() -> SileroDetector:
    """The one of the settings; tests reset it."""
    settings = defaults().settings.voice_detector
    made = registry.find("voice_detector", settings.engine).from_settings(settings)
    assert isinstance(made, SileroDetector)
    return made


def voices(detector: SileroDetector, samples: Samples) -> Samples:
    """The probability of every whole frame of a new stream."""
    detector.reset()
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    return np.array([detector.probability(frame) for frame in frames], dtype=np.float32)


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.wav")), ids=lambda path: path.stem)
def test_every_human_voice_is_one(path: Path, detector: SileroDetector) -> None:
    found = voices(detector, audio_file.read(path).samples)

    assert np.count_nonzero(found >= 0.5) * FRAME / 16_000 > 0.5


def test_noise_hum_and_silence_are_none(detector: SileroDetector) -> None:
    times = np.arange(3 * 16_000) / 16_000
    noise = 0.1 * np.random.default_rng(0).standard_normal(len(times))

    for sound in (0 * times, noise, 0.1 * np.sin(2 * np.pi * 50 * times)):
        assert voices(detector, sound.astype(np.float32)).max() < 0.5


def test_frame_by_frame_gives_the_same_as_the_whole_recording_at_once(
    detector: SileroDetector,
) -> None:
    from faster_whisper.vad import get_vad_model

    samples = audio_file.read(RECORDINGS / "ast_one_moment.wav").samples
    whole = samples[: len(samples) // FRAME * FRAME]
    # The batch form blanks the end of its last frame, so it is given one more.
    padded = np.concatenate([whole, np.zeros(FRAME, dtype=np.float32)])

    at_once = np.ravel(get_vad_model()(padded.copy()))[:-1]

    assert np.abs(voices(detector, whole) - at_once).max() < 1e-3


def test_a_reset_forgets_the_stream(detector: SileroDetector) -> None:
    samples = audio_file.read(RECORDINGS / "ast_hello_world.wav").samples

    assert np.array_equal(voices(detector, samples), voices(detector, samples))


@pytest.mark.parametrize("value", [np.nan, np.inf, 40.0])
def test_broken_sound_leaves_no_trace(value: float, detector: SileroDetector) -> None:
    detector.reset()
    assert 0 <= detector.probability(np.full(FRAME, value, dtype=np.float32)) <= 1
    samples = audio_file.read(RECORDINGS / "ast_hello_world.wav").samples
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)

    assert max(detector.probability(frame) for frame in frames) > 0.5


def test_a_frame_of_another_length_is_refused(detector: SileroDetector) -> None:
    with pytest.raises(ValueError, match="512 samples, not 100"):
        detector.probability(np.zeros(100, dtype=np.float32))


def test_a_missing_or_damaged_network_is_told_in_one_sentence(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"no network")

    for path in (tmp_path / "nothing.onnx", damaged):
        with pytest.raises(ModelError, match=path.name) as caught:
            SileroDetector(path)

        assert "\n" not in str(caught.value)


def test_a_fault_of_the_engine_is_told_and_the_next_frame_works(detector: SileroDetector) -> None:
    detector.reset()
    detector._hidden = np.zeros((1, 1, 5), dtype=np.float32)  # a state that does not fit

    with pytest.raises(EngineError, match="the voice detector failed"):
        detector.probability(np.zeros(FRAME, dtype=np.float32))

    assert detector.probability(np.zeros(FRAME, dtype=np.float32)) < 0.5
