"""Loudness, peaks, ends and pauses: the same for a sentence in pieces as for one in whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.config.errors import EngineError
from atonce.speech.levels import (
    FADE_S,
    HEAD_S,
    KNEE,
    LOUDEST,
    TAIL_S,
    TARGET_DB,
    Edges,
    active_level_db,
    faded,
    finished,
    limited,
    pause_s,
    refuse_no_numbers,
    silence,
    voice_gain,
)
from atonce.speech.protocols import Samples

RATE_HZ = 22_050


def tone(seconds: float, peak: float = 0.2) -> Samples:
    """A low tone that starts and ends at its full level."""
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return (peak * np.cos(2 * np.pi * 150 * time_s)).astype(np.float32)


def sentence(lead_s: float, seconds: float, tail_s: float) -> Samples:
    """A tone between silences."""
    return np.concatenate([silence(lead_s, RATE_HZ), tone(seconds), silence(tail_s, RATE_HZ)])


def in_pieces(samples: Samples, cuts: list[int]) -> Samples:
    """What comes out of the edges when the sentence comes in pieces."""
    edges = Edges(RATE_HZ)
    return np.concatenate([*(edges.push(one) for one in np.split(samples, cuts)), edges.close()])


def test_the_level_is_that_of_the_parts_that_sound() -> None:
    speech = sentence(1.0, 1.0, 3.0)

    assert active_level_db(speech, RATE_HZ) == pytest.approx(
        active_level_db(tone(1.0), RATE_HZ), abs=0.2
    )
    assert active_level_db(tone(1.0, peak=0.2), RATE_HZ) == pytest.approx(-17.0, abs=0.1)


@pytest.mark.parametrize("peak", [0.05, 0.2, 0.9])
def test_a_voice_is_brought_to_the_target_whatever_its_level(peak: float) -> None:
    reference = tone(1.0, peak)

    gain = voice_gain(reference, RATE_HZ)

    assert active_level_db(reference * gain, RATE_HZ) == pytest.approx(TARGET_DB, abs=0.01)


def test_a_reference_that_is_silent_or_nearly_so_is_not_blown_up() -> None:
    assert voice_gain(silence(1.0, RATE_HZ), RATE_HZ) == 1.0
    assert voice_gain(silence(0.0, RATE_HZ), RATE_HZ) == 1.0
    assert voice_gain(tone(1.0, peak=1e-4), RATE_HZ) == 10.0


def test_no_peak_passes_the_loudest_and_what_is_below_the_knee_stays() -> None:
    loud = np.linspace(-4.0, 4.0, 10_001, dtype=np.float32)

    bent = limited(loud)

    assert np.abs(bent).max() <= LOUDEST
    assert (np.diff(bent) >= 0).all()
    assert (bent[np.abs(loud) <= KNEE] == loud[np.abs(loud) <= KNEE]).all()
    assert bent.dtype == np.float32
    assert len(limited(silence(0.0, RATE_HZ))) == 0


def test_the_limiter_has_no_memory_so_pieces_join_as_they_were() -> None:
    loud = tone(0.5, peak=1.5)

    pieces = [limited(one) for one in np.split(loud, [100, 5000])]

    assert (np.concatenate(pieces) == limited(loud)).all()


def test_fades_reach_nothing_at_the_ends_and_leave_the_rest() -> None:
    speech = tone(0.1)
    fade = int(FADE_S * RATE_HZ)

    soft = faded(speech, RATE_HZ, at_start=True, at_end=True)

    assert soft[0] == soft[-1] == 0
    assert (soft[fade:-fade] == speech[fade:-fade]).all()
    assert (faded(speech, RATE_HZ, at_end=True)[:-fade] == speech[:-fade]).all()
    assert speech[0] == pytest.approx(0.2)
    assert len(faded(tone(0.0), RATE_HZ, at_start=True, at_end=True)) == 0
    assert faded(np.ones(1, np.float32), RATE_HZ, at_start=True).tolist() == [1.0]


@pytest.mark.parametrize(
    ("text", "sound_to_sound_s"),
    [
        ("It is open.", 0.35),
        ('He said "yes."', 0.35),
        ("Really?!", 0.35),
        ("On Friday,", 0.18),
        ("Note:", 0.18),
        ("on the ground floor", 0.1),
        ("", 0.1),
    ],
)
def test_a_pause_is_as_long_as_its_mark_asks_for(text: str, sound_to_sound_s: float) -> None:
    kept_s = HEAD_S + TAIL_S

    assert pause_s(text) + kept_s == pytest.approx(sound_to_sound_s)


def test_stillness_around_a_sentence_is_trimmed_to_a_little() -> None:
    edges = Edges(RATE_HZ)

    played = np.concatenate([edges.push(sentence(0.3, 1.0, 0.5)), edges.close()])

    assert len(played) / RATE_HZ == pytest.approx(HEAD_S + 1.0 + TAIL_S, abs=0.002)
    assert edges.dropped / RATE_HZ == pytest.approx(0.3 - HEAD_S, abs=0.001)
    assert played[0] == played[-1] == 0


def test_a_pause_inside_a_sentence_is_kept() -> None:
    speech = np.concatenate([sentence(0.0, 0.4, 0.3), tone(0.4)])

    assert len(finished(speech, RATE_HZ, 1.0)) == len(speech)


def test_a_sentence_that_starts_and_ends_loud_is_faded() -> None:
    played = finished(tone(0.5), RATE_HZ, 1.0)

    assert len(played) == len(tone(0.5))
    assert played[0] == played[-1] == 0


def test_silence_alone_gives_nothing() -> None:
    assert len(finished(silence(1.0, RATE_HZ), RATE_HZ, 1.0)) == 0
    assert len(finished(silence(0.0, RATE_HZ), RATE_HZ, 1.0)) == 0


def test_what_was_not_even_computed_counts_as_dropped() -> None:
    edges = Edges(RATE_HZ, dropped=1000)
    edges.push(sentence(0.3, 1.0, 0.0))

    assert edges.dropped == 1000 + int(0.3 * RATE_HZ) - int(HEAD_S * RATE_HZ)


@given(st.lists(st.integers(0, 20_000), max_size=8).map(sorted))
def test_a_sentence_in_any_pieces_is_trimmed_like_the_whole(cuts: list[int]) -> None:
    speech = np.concatenate([sentence(0.2, 0.2, 0.1), sentence(0.0, 0.2, 0.2)])

    assert np.array_equal(in_pieces(speech, cuts), in_pieces(speech, []))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_refused(bad: float) -> None:
    samples = tone(0.1)
    refuse_no_numbers(samples, "Sure.")
    samples[7] = bad

    with pytest.raises(EngineError, match=r"samples that are no numbers while it spoke 'Sure\.'"):
        refuse_no_numbers(samples, "Sure.")
