"""How still the room is, and how far sound is raised."""

from __future__ import annotations

import numpy as np
import pytest

from atonce.speech.noise_floor import SILENT_DB, NoiseFloor, level_db
from atonce.speech.protocols import Samples

FRAME_S = 0.032


def tone(peak_db: float) -> Samples:
    """One frame of a tone."""
    times = np.arange(512) / 16_000
    return np.asarray(10 ** (peak_db / 20) * np.sin(2 * np.pi * 500 * times), dtype=np.float32)


def test_levels_are_those_of_the_full_scale() -> None:
    assert level_db(tone(0)) == pytest.approx(-3.01, abs=0.01)
    assert level_db(np.zeros(5, dtype=np.float32)) == SILENT_DB
    assert level_db(np.zeros(0, dtype=np.float32)) == SILENT_DB


def test_the_floor_is_the_stillest_moment_of_the_last_seconds() -> None:
    floor = NoiseFloor()
    assert floor.floor_db == SILENT_DB

    for peak_db in (-20, -60, -20):
        floor.hear(tone(peak_db), FRAME_S)

    assert floor.floor_db == pytest.approx(-63, abs=0.1)

    for _ in range(200):
        floor.hear(tone(-30), FRAME_S)

    assert floor.floor_db == pytest.approx(-33, abs=0.1)


def test_a_quiet_voice_is_raised_and_a_loud_one_is_not() -> None:
    quiet, loud = NoiseFloor(), NoiseFloor()
    quiet.hear(tone(-90), FRAME_S)
    quiet.hear(tone(-45), FRAME_S)
    loud.hear(tone(-5), FRAME_S)

    assert quiet.gain_db == pytest.approx(31, abs=0.5)
    assert loud.gain_db == 0


def test_noise_is_not_raised_to_be_loud() -> None:
    floor = NoiseFloor()

    for _ in range(300):
        floor.hear(tone(-50), FRAME_S)

    assert level_db(tone(-50)) + floor.gain_db <= -34.9


def test_a_loud_moment_is_forgotten_slowly() -> None:
    floor = NoiseFloor()
    floor.hear(tone(-90), FRAME_S)
    floor.hear(tone(-20), FRAME_S)
    floor.hear(tone(-60), FRAME_S)

    assert floor.gain_db == pytest.approx(6, abs=1)
