"""The agent's own voice is taken out of what its microphone hears; a person's is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from atonce.config import registry
from atonce.config.load import defaults, load
from atonce.speech import audio_file
from atonce.speech.echo import NoCanceller, WebRtcCanceller
from atonce.speech.noise_floor import level_db
from atonce.speech.protocols import EchoCanceller, Samples

RECORDINGS = Path(__file__).parent / "audio"
RATE_HZ = 16_000


def voice(name: str, *, seconds: float) -> Samples:
    """A human voice, repeated to a length."""
    samples = audio_file.read(RECORDINGS / name).samples
    wanted = int(seconds * RATE_HZ)
    return np.tile(samples, -(-wanted // len(samples)))[:wanted]


def echo_of(played: Samples, *, delay_ms: int, gain_db: float) -> Samples:
    """What a microphone hears of it in a small room."""
    random = np.random.default_rng(1)
    tail = random.standard_normal(RATE_HZ // 5) * np.exp(-np.arange(RATE_HZ // 5) / 500)
    tail[0] = 6.0
    room = np.concatenate([np.zeros(delay_ms * RATE_HZ // 1000), tail / np.abs(tail).sum()])
    heard = np.convolve(played, room)[: len(played)]
    scale = 10 ** ((level_db(played) + gain_db) / 20) / np.sqrt(np.square(heard).mean())
    noise = 1e-4 * random.standard_normal(len(played))
    return (heard * scale + noise).astype(np.float32)


def freed(heard: Samples, played: Samples, canceller: EchoCanceller | None = None) -> Samples:
    """Through the canceller in frames of 20 ms."""
    canceller = canceller or WebRtcCanceller()
    step = RATE_HZ // 50
    return np.concatenate(
        [
            canceller.cancel(heard[first : first + step], played[first : first + step])
            for first in range(0, len(heard), step)
        ]
    )


@pytest.mark.parametrize("delay_ms", [20, 150, 250])
def test_an_echo_is_at_least_20_db_weaker_after_the_first_seconds(delay_ms: int) -> None:
    played = voice("ast_not_in_service.wav", seconds=8)
    heard = echo_of(played, delay_ms=delay_ms, gain_db=-12)

    left = freed(heard, played)

    after = slice(3 * RATE_HZ, None)
    assert level_db(heard[after]) - level_db(left[after]) >= 20


def test_a_person_is_heard_over_the_echo() -> None:
    played = voice("ast_not_in_service.wav", seconds=9)
    person = np.zeros_like(played)
    said = audio_file.read(RECORDINGS / "jfk.wav").samples[: 3 * RATE_HZ]
    person[5 * RATE_HZ : 5 * RATE_HZ + len(said)] = 0.5 * said
    heard = echo_of(played, delay_ms=100, gain_db=-12) + person

    left = freed(heard, played)

    speaking = slice(5 * RATE_HZ, 8 * RATE_HZ)
    before = slice(3 * RATE_HZ, 5 * RATE_HZ)
    assert level_db(left[speaking]) > level_db(person[speaking]) - 6
    assert level_db(left[speaking]) > level_db(left[before]) + 15


def test_a_voice_passes_while_nothing_is_played() -> None:
    said = voice("ast_one_moment.wav", seconds=2)

    left = freed(said, np.zeros_like(said))

    assert abs(level_db(left) - level_db(said)) < 1.5


def test_what_is_no_number_does_not_stay_in_the_filter() -> None:
    canceller = WebRtcCanceller()
    broken = np.full(320, np.nan, dtype=np.float32)
    said = voice("ast_one_moment.wav", seconds=2)

    assert np.isfinite(canceller.cancel(broken, broken)).all()
    assert np.isfinite(canceller.cancel(9 * np.ones(320, np.float32), broken)).all()
    assert abs(level_db(freed(said, np.zeros_like(said), canceller)) - level_db(said)) < 1.5
    canceller.reset()
    assert np.isfinite(freed(said, np.zeros_like(said), canceller)).all()


def test_lengths_that_do_not_fit_are_refused_and_the_next_call_works() -> None:
    canceller = WebRtcCanceller()
    sound = np.zeros(320, dtype=np.float32)

    for heard, played in ((sound, sound[:160]), (sound[:100], sound[:100])):
        with pytest.raises(ValueError, match="whole frames of 160"):
            canceller.cancel(heard, played)

    assert len(canceller.cancel(sound, sound)) == 320
    assert len(canceller.cancel(sound[:0], sound[:0])) == 0


def test_the_settings_choose_the_canceller() -> None:
    assert registry.find("echo", defaults().settings.echo.engine) is WebRtcCanceller
    off = load(None, ["echo.engine=off"]).settings.echo
    none = registry.find("echo", off.engine).from_settings(off)
    sound = np.ones(7, dtype=np.float32)

    assert isinstance(none, NoCanceller)
    none.reset()
    assert none.cancel(sound, sound) is sound
    assert none.rate_hz == WebRtcCanceller.from_settings(off).rate_hz == RATE_HZ
