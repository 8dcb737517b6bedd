"""How late an echo is, found from what was played and what was heard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from atonce.speech import audio_file
from atonce.speech.echo import WebRtcCanceller
from atonce.speech.echo_delay import DelayFinder
from atonce.speech.noise_floor import level_db
from atonce.speech.protocols import Samples

RECORDINGS = Path(__file__).parent / "audio"
RATE_HZ = 16_000
FRAME = 320


def voice(name: str, seconds: float) -> Samples:
    samples = audio_file.read(RECORDINGS / name).samples
    return np.resize(samples, round(seconds * RATE_HZ)).astype(np.float32)


def late(played: Samples, delay_s: float, gain: float = 0.25) -> Samples:
    """What a microphone hears of it in a still room with some reverberation."""
    dice = np.random.default_rng(1)
    tail = dice.standard_normal(RATE_HZ // 5) * np.exp(-np.arange(RATE_HZ // 5) / 500) / 30
    tail[0] = 1.0
    room = np.concatenate([np.zeros(round(delay_s * RATE_HZ)), tail])
    heard = gain * np.convolve(played, room)[: len(played)]
    return (heard + 1e-4 * dice.standard_normal(len(played))).astype(np.float32)


def followed(heard: Samples, played: Samples) -> DelayFinder:
    finder = DelayFinder()

    for first in range(0, len(heard), FRAME):
        finder.hear(heard[first : first + FRAME], played[first : first + FRAME])

    return finder


@pytest.mark.parametrize("delay_s", [0.02, 0.15, 0.4, 1.2, 1.9])
def test_the_delay_is_found_to_5_ms(delay_s: float) -> None:
    played = voice("ast_not_in_service.wav", 5)
    assert followed(late(played, delay_s), played).delay_s == pytest.approx(delay_s, abs=0.005)


def test_it_is_found_within_half_a_second_of_the_echo() -> None:
    played = voice("ast_not_in_service.wav", 5)
    heard = late(played, 1.2)
    end = round(1.7 * RATE_HZ)
    assert followed(heard[:end], played[:end]).delay_s is not None


def test_a_person_is_no_echo() -> None:
    played = voice("ast_not_in_service.wav", 8)
    person = voice("ps_ten_of_clubs.wav", 8)
    assert followed(person, played).delay_s is None


def test_noise_and_silence_are_no_echo() -> None:
    played = voice("ast_not_in_service.wav", 5)
    noise = (0.05 * np.random.default_rng(2).standard_normal(len(played))).astype(np.float32)
    still = np.zeros(len(played), dtype=np.float32)
    assert followed(noise, played).delay_s is None
    assert followed(still, played).delay_s is None
    assert followed(played, still).delay_s is None


def test_the_delay_stays_while_a_person_speaks_over_the_echo() -> None:
    played = voice("ast_not_in_service.wav", 8)
    heard = late(played, 0.8)
    heard[4 * RATE_HZ :] += voice("ps_ten_of_clubs.wav", 4)
    assert followed(heard, played).delay_s == pytest.approx(0.8, abs=0.005)


@pytest.mark.parametrize("delay_s", [0.15, 0.4, 1.2])
def test_an_echo_is_taken_out_however_late_it_is(delay_s: float) -> None:
    played = voice("ast_not_in_service.wav", 8)
    heard = late(played, delay_s)
    canceller = WebRtcCanceller()
    frames = range(0, len(heard), FRAME)
    left = np.concatenate(
        [canceller.cancel(heard[at : at + FRAME], played[at : at + FRAME]) for at in frames]
    )
    after = slice(4 * RATE_HZ, None)
    assert level_db(heard[after]) - level_db(left[after]) >= 20


def test_a_person_is_heard_over_a_late_echo() -> None:
    played = voice("ast_not_in_service.wav", 8)
    person = np.zeros(len(played), dtype=np.float32)
    person[5 * RATE_HZ :] = voice("ps_ten_of_clubs.wav", 3)
    heard = late(played, 1.2) + person
    canceller = WebRtcCanceller()
    frames = range(0, len(heard), FRAME)
    left = np.concatenate(
        [canceller.cancel(heard[at : at + FRAME], played[at : at + FRAME]) for at in frames]
    )
    after = slice(5 * RATE_HZ, None)
    assert level_db(left[after]) >= level_db(person[after]) - 6


def test_another_room_is_another_delay() -> None:
    played = voice("ast_not_in_service.wav", 5)
    canceller = WebRtcCanceller()
    canceller.cancel(late(played, 0.8), played)
    canceller.reset()
    silent = np.zeros(FRAME, dtype=np.float32)
    assert np.abs(canceller.cancel(silent, silent)).max() < 1e-3
