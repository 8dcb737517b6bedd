"""Whether somebody has finished, judged by the sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from atonce.config import models
from atonce.config.errors import EngineError, ModelError
from atonce.speech import audio_file
from atonce.speech.protocols import Audio
from atonce.speech.resample import resample
from atonce.speech.smart_turn import SmartTurn

RECORDINGS = Path(__file__).parent / "audio"


@pytest.fixture(scope="module")
def smart_turn() -> SmartTurn:
    """The real network, fetched if it is missing."""
    models.ensure(["smart-turn"], say=lambda _: None)
    return SmartTurn(models.folder("smart-turn"))


@pytest.mark.models
def test_a_whole_sentence_is_finished_and_half_of_one_is_not(smart_turn: SmartTurn) -> None:
    whole = audio_file.read(RECORDINGS / "ast_check_number.wav")
    half = audio_file.read(RECORDINGS / "ast_unfinished_turn.wav")

    assert smart_turn.finished(whole) > 0.8
    assert smart_turn.finished(half) < 0.4
    assert smart_turn.finished(resample(whole, 48_000)) > 0.8


@pytest.mark.models
@pytest.mark.parametrize("length", [0, 1, 200_000])
def test_any_length_and_broken_samples_give_a_probability(
    length: int, smart_turn: SmartTurn
) -> None:
    assert 0 <= smart_turn.finished(Audio(np.full(length, np.nan, np.float32), 16_000)) <= 1


@pytest.mark.models
def test_a_fault_is_told_and_the_next_call_works(
    smart_turn: SmartTurn, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = audio_file.read(RECORDINGS / "ast_hello_world.wav")

    with monkeypatch.context() as patch:
        patch.setattr(smart_turn, "_features", lambda _: np.zeros((1, 2, 3), np.float32))

        with pytest.raises(EngineError, match="Smart Turn failed"):
            smart_turn.finished(sound)

    assert 0 <= smart_turn.finished(sound) <= 1


def test_a_folder_without_the_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"smart-turn-v3\.2-cpu\.onnx"):
        SmartTurn(tmp_path)
