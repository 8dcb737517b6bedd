"""The schedule of the agent's sound to a browser, on a clock that only moves when told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError
from hypothesis import given
from hypothesis import strategies as st

from atonce.agent.outgoing_track import (
    FRAME_S,
    FRAME_SAMPLES,
    TOLERATED_FRAMES,
    OutgoingTrack,
    Schedule,
)
from atonce.speech.protocols import Samples


class Hand:
    """A clock moved by hand; sleeping moves it, later than wanted by `oversleep_s`."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.oversleep_s = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds + self.oversleep_s


class Counting:
    """Sound whose frames count up, and can be emptied."""

    def __init__(self) -> None:
        self.audible_s: list[float] = []
        self.is_empty = False
        self._frames = 0

    def take(self, samples: int, at_s: float) -> Samples:
        self.audible_s.append(at_s)
        if self.is_empty:
            return np.zeros(samples, np.float32)

        self._frames += 1
        return np.full(samples, self._frames / 1000, np.float32)


def sent(
    frames: int, hand: Hand, sound: Counting, before: Callable[[int], None] = lambda _: None
) -> tuple[list[tuple[float, int, int]], OutgoingTrack]:
    """(time of sending, time stamp, value) of each frame; `before` may change things first."""

    async def run() -> tuple[list[tuple[float, int, int]], OutgoingTrack]:
        track = OutgoingTrack(sound, clock=hand, sleep=hand.sleep, delay=lambda: 0.06)
        rows = []
        for number in range(frames):
            before(number)
            frame = await track.recv()
            value = round(float(frame.to_ndarray()[0, 0]) / 32767 * 1000)
            assert frame.pts is not None
            rows.append((round(hand.now_s - 100.0, 6), frame.pts, value))

        return rows, track

    return asyncio.run(run())


def test_frame_n_is_sent_at_start_plus_n_times_20_ms() -> None:
    rows, track = sent(200, Hand(), Counting())

    assert [at for at, _, _ in rows] == pytest.approx([n * FRAME_S for n in range(200)])
    assert [pts for _, pts, _ in rows] == [n * FRAME_SAMPLES for n in range(200)]
    assert track.schedule.dropped == 0


def test_a_timer_that_is_always_late_does_not_add_up() -> None:
    hand = Hand()
    hand.oversleep_s = 0.035  # a busy machine

    rows, track = sent(500, hand, Counting())

    assert rows[-1][0] <= 499 * FRAME_S + 0.035 + 1e-6
    assert track.schedule.dropped == 0


def test_after_a_stall_no_frames_burst_out_and_the_missed_ones_are_counted() -> None:
    hand = Hand()

    def stall(number: int) -> None:
        if number == 10:
            hand.now_s += 0.3

    rows, track = sent(30, hand, Counting(), stall)
    gaps = np.diff([at for at, _, _ in rows])

    assert track.schedule.dropped in (14, 15)
    assert sum(gaps < FRAME_S / 2) <= 1  # one frame may be late by less than its length
    assert rows[-1][0] == pytest.approx((29 + track.schedule.dropped) * FRAME_S)


def test_a_short_delay_drops_nothing_because_the_browser_still_has_sound() -> None:
    hand = Hand()

    def stall(number: int) -> None:
        if number == 10:
            hand.now_s += 0.05

    rows, track = sent(20, hand, Counting(), stall)

    assert track.schedule.dropped == 0
    assert rows[-1][0] == pytest.approx(19 * FRAME_S)


def test_after_a_stall_the_time_stamps_are_those_of_the_schedule_and_no_sound_is_lost() -> None:
    hand = Hand()

    def stall(number: int) -> None:
        if number == 5:
            hand.now_s += 0.1

    rows, track = sent(12, hand, Counting(), stall)

    for at, pts, _ in rows:
        assert 0 <= at - pts / 48_000 < FRAME_S
    assert track.schedule.dropped == 4
    assert [value for _, _, value in rows] == list(range(1, 13))


def test_a_barge_in_is_silent_with_the_next_frame_and_the_stream_goes_on() -> None:
    sound = Counting()

    def interrupt(number: int) -> None:
        sound.is_empty = sound.is_empty or number == 7

    rows, _ = sent(12, Hand(), sound, interrupt)

    assert [value for _, _, value in rows] == [1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 0, 0]


def test_the_playback_is_told_when_the_browser_makes_a_frame_audible() -> None:
    sound = Counting()

    sent(3, Hand(), sound)

    assert sound.audible_s == pytest.approx([100.06, 100.08, 100.10])


def test_samples_beyond_full_scale_are_clipped_not_wrapped() -> None:
    class Loud:
        def take(self, samples: int, at_s: float) -> Samples:  # noqa: ARG002
            return np.full(samples, 1.7, np.float32)

    async def run() -> int:
        hand = Hand()
        frame = await OutgoingTrack(Loud(), clock=hand, sleep=hand.sleep).recv()
        return int(frame.to_ndarray().min())

    assert asyncio.run(run()) == 32767


def test_a_stopped_track_says_so() -> None:
    async def run() -> None:
        hand = Hand()
        track = OutgoingTrack(Counting(), clock=hand, sleep=hand.sleep)
        track.stop()
        with pytest.raises(MediaStreamError):
            await track.recv()

    asyncio.run(run())


@given(st.lists(st.floats(min_value=0, max_value=0.5), min_size=1, max_size=60))
def test_whatever_the_delays_no_frame_is_early_and_every_slot_is_sent_or_counted(
    delays_s: list[float],
) -> None:
    schedule, now_s, numbers = Schedule(), 0.0, []

    for delay_s in delays_s:
        number, due_s = schedule.next(now_s)
        numbers.append(number)
        now_s = max(now_s, due_s)
        assert now_s - due_s < (TOLERATED_FRAMES + 1) * FRAME_S + 1e-6
        now_s += delay_s

    assert numbers == sorted(set(numbers))
    assert schedule.dropped == numbers[-1] + 1 - len(numbers)
