"""Pieces of a sentence: the first is early on any machine, and none comes late."""

from __future__ import annotations

import pytest

from atonce.speech.pacing import FEWEST, HELD_BACK_S, Pace, Slowness, Work, first_frames

FRAME_S = 256 / 22_050
WORK = Work(flow_margin=28, wave_margin=10)
FAST = 0.0005
"""A quiet machine of two cores."""


def spoken(total: int, slowness: float, *, delay_s: float = 0.0) -> tuple[list[int], float]:
    """The pieces of a sentence on a machine of this speed, and how late the latest one came."""
    pace, now_s, pieces, late_s, until_s = (
        Pace(FRAME_S, WORK, Slowness(slowness)),
        0.0,
        [],
        0.0,
        0.0,
    )
    left = total

    while left:
        frames = pace.frames(left, now_s)
        now_s += slowness * WORK.units(frames) + delay_s
        sound_s = frames * FRAME_S - (0 if pieces else HELD_BACK_S)
        late_s = max(late_s, now_s - until_s) if pieces else 0.0
        pace.made(sound_s, now_s)
        until_s = max(until_s, now_s) + sound_s
        left -= frames
        pieces.append(frames)

    return pieces, late_s


@pytest.mark.parametrize("total", [5, 16, 30, 47, 100, 250, 700, 1500])
@pytest.mark.parametrize("slowness", [0.0001, FAST, 0.001, 0.002, 0.004, 0.007, 0.02])
def test_no_piece_comes_late_on_any_machine(total: int, slowness: float) -> None:
    pieces, late_s = spoken(total, slowness)

    assert sum(pieces) == total
    assert late_s <= 0


def test_a_fast_machine_starts_with_the_shortest_piece_and_then_takes_longer_ones() -> None:
    pieces, _ = spoken(700, FAST)

    assert pieces[0] == FEWEST
    assert pieces[:-1] == sorted(pieces[:-1])
    assert len(pieces) <= 4


def test_a_slower_machine_starts_with_longer_pieces_up_to_the_whole_sentence() -> None:
    firsts = [
        first_frames(250, FRAME_S, slowness, WORK) for slowness in (FAST, 0.002, 0.004, 0.006, 0.02)
    ]

    assert firsts == sorted(firsts)
    assert firsts[0] == FEWEST
    assert firsts[-1] == 250


def test_no_last_scrap_is_left_that_costs_more_than_it_holds() -> None:
    for total in range(1, 400):
        pieces, _ = spoken(total, FAST)

        assert len(pieces) == 1 or min(pieces[1:]) >= FEWEST


def test_sound_that_ran_out_is_started_again_like_a_first_piece() -> None:
    pace = Pace(FRAME_S, WORK, Slowness(FAST))
    pace.made(0.2, 10.0)

    assert pace.frames(700, 10.1) > FEWEST
    assert pace.frames(700, 11.0) == FEWEST


def test_sound_plays_behind_what_was_there_before() -> None:
    pace = Pace(FRAME_S, WORK, Slowness(FAST))
    pace.made(1.0, 10.0)
    pace.made(1.0, 10.5)

    assert pace.frames(700, 11.9) < pace.frames(700, 10.6)
    assert pace.frames(700, 12.5) == FEWEST


def test_a_machine_that_gets_busy_is_believed_sooner_than_one_that_gets_calm() -> None:
    slowness = Slowness(0.001)
    slowness.note(0.3, 100)
    worse = slowness.seconds
    slowness.note(0.1, 100)

    assert worse == pytest.approx(0.002)
    assert slowness.seconds == pytest.approx(0.0018)
