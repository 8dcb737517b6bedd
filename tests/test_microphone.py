"""The microphone's parts without a sound card: time, what was played, devices that come and go."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from atonce.agent.played import LEAD_S, PlayedTrack
from atonce.agent.sound_clock import GAP_S, WINDOW, SoundClock

BLOCK_S = 0.02


def test_times_that_jitter_become_smooth() -> None:
    clock = SoundClock()
    jitter = np.random.default_rng(1).uniform(0, 0.025, size=500)
    missing_s = [clock.receive(BLOCK_S, n * BLOCK_S + late) for n, late in enumerate(jitter)]
    assert not any(missing_s)
    assert clock.end_s == pytest.approx(499 * BLOCK_S, abs=0.01)


def test_sound_that_is_missing_is_told_once() -> None:
    clock = SoundClock()
    times = [n * BLOCK_S for n in range(50)] + [n * BLOCK_S + 0.5 for n in range(50, 100)]
    missing_s = [clock.receive(BLOCK_S, at_s) for at_s in times]
    assert sum(missing_s) == pytest.approx(0.5)
    assert missing_s.index(max(missing_s)) < 50 + WINDOW
    assert clock.end_s == pytest.approx(times[-1])


def test_a_callback_that_was_held_up_is_no_gap() -> None:
    clock = SoundClock()
    times = [n * BLOCK_S for n in range(100)]
    times[50:55] = [times[55]] * 5  # five at once, told as if they had all ended now
    assert not any(clock.receive(BLOCK_S, at_s) for at_s in times)


def test_sound_of_another_line_begins_where_it_says() -> None:
    clock = SoundClock()
    clock.receive(BLOCK_S, 1.0)
    clock.restart()
    assert clock.receive(BLOCK_S, 3.0) == pytest.approx(2.0 - BLOCK_S)
    assert clock.end_s == pytest.approx(3.0)


def test_sound_that_comes_after_silence_took_its_place_is_dropped() -> None:
    clock = SoundClock()
    clock.receive(BLOCK_S, 1.0)
    for _ in range(50):
        clock.skip(BLOCK_S)

    assert clock.end_s == pytest.approx(2.0)
    assert clock.is_too_late(BLOCK_S, 1.02)
    assert not clock.is_too_late(BLOCK_S, 2.0 + BLOCK_S)


def test_time_never_goes_back_even_where_a_device_tells_so() -> None:
    clock = SoundClock()
    ends_s = []
    for at_s in [1.0, 1.02, 1.04, *(0.5 + n * BLOCK_S for n in range(60))]:
        clock.receive(BLOCK_S, at_s)
        ends_s.append(clock.end_s or 0.0)

    assert all(later > earlier for earlier, later in itertools.pairwise(ends_s))
    assert ends_s[-1] == pytest.approx(0.5 + 59 * BLOCK_S)


def test_a_clock_that_drifts_is_followed_without_a_gap() -> None:
    clock = SoundClock()
    missing_s = [clock.receive(BLOCK_S, n * BLOCK_S * 1.0002) for n in range(30_000)]
    assert not any(missing_s)
    assert clock.end_s == pytest.approx(29_999 * BLOCK_S * 1.0002, abs=GAP_S)


def test_what_was_played_lies_beside_what_was_heard_without_a_jump() -> None:
    track = PlayedTrack(1_000)
    jitter = np.random.default_rng(2).uniform(-0.01, 0.01, size=100)
    for n, late in enumerate(jitter):
        track.put(np.arange(20 * n, 20 * n + 20, dtype=np.float32), 1.0 + n * BLOCK_S + late)

    taken = np.concatenate(
        [track.take(BLOCK_S, 1.2 + n * BLOCK_S + jitter[n]).samples for n in range(50)]
    )
    assert np.all(np.diff(taken) == 1.0)
    assert taken[0] == pytest.approx(1_000 * (0.2 + LEAD_S), abs=20)


def test_nothing_played_is_silence() -> None:
    track = PlayedTrack(1_000)
    track.put(np.ones(20, dtype=np.float32), 1.0)
    assert not track.take(BLOCK_S, 5.0).samples.any()
    assert len(PlayedTrack(44_100).take(BLOCK_S, 0.0).samples) == 882


def test_a_voice_that_stopped_for_a_while_is_laid_anew() -> None:
    track = PlayedTrack(1_000)
    track.put(np.ones(20, dtype=np.float32), 1.0)
    track.put(np.full(20, 2.0, dtype=np.float32), 2.0)
    assert set(track.take(BLOCK_S, 2.0 - LEAD_S).samples) == {2.0}


def test_lengths_do_not_drift_where_rates_do_not_divide() -> None:
    track = PlayedTrack(44_100)
    count = sum(len(track.take(0.0213, n * 0.0213).samples) for n in range(1_000))
    assert count == pytest.approx(0.0213 * 1_000 * 44_100, abs=1)
