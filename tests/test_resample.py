"""A tone keeps its pitch and its length on every way that sound can take."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from atonce.speech import audio_file
from atonce.speech.protocols import Audio, Samples, SpokenWord
from atonce.speech.resample import StreamResampler, resample

RATES_HZ = (8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
PITCH_HZ = 440.0
SECONDS = 0.75


def tone(rate_hz: int) -> Audio:
    """A tone that fades in and out."""
    time_s = np.arange(round(SECONDS * rate_hz)) / rate_hz
    swell = np.sin(np.pi * time_s / SECONDS)
    return Audio((0.5 * swell * np.sin(2 * np.pi * PITCH_HZ * time_s)).astype(np.float32), rate_hz)


def pitch_hz(audio: Audio) -> float:
    """Of a clean tone, by where its spectrum is highest."""
    length = 4 * len(audio.samples)
    spectrum = np.abs(np.fft.rfft(audio.samples * np.hanning(len(audio.samples)), n=length))
    return float(spectrum.argmax()) * audio.rate_hz / length


def in_pieces(audio: Audio, rate_hz: int, piece: int) -> Samples:
    """Converted in pieces of so many samples."""
    stream = StreamResampler(audio.rate_hz, rate_hz)
    cuts = range(piece, len(audio.samples), piece)
    given = [stream.push(one) for one in np.split(audio.samples, list(cuts))]
    return np.concatenate([*given, stream.close()])


@pytest.mark.parametrize(("from_hz", "to_hz"), list(permutations(RATES_HZ, 2)))
def test_a_tone_keeps_pitch_length_and_level_from_any_rate_to_any_other(
    from_hz: int, to_hz: int
) -> None:
    changed = resample(tone(from_hz), to_hz)

    assert changed.rate_hz == to_hz
    assert abs(changed.seconds - tone(from_hz).seconds) <= 1 / to_hz
    assert pitch_hz(changed) == pytest.approx(PITCH_HZ, rel=0.01)
    assert np.abs(changed.samples).max() == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize(("from_hz", "to_hz"), [*permutations(RATES_HZ, 2), (16_000, 16_000)])
def test_pieces_join_as_if_the_sound_had_been_converted_in_whole(from_hz: int, to_hz: int) -> None:
    whole = resample(tone(from_hz), to_hz)

    joined = in_pieces(tone(from_hz), to_hz, from_hz // 50)

    assert len(joined) == len(whole.samples)
    assert np.abs(joined - whole.samples).max() <= 1e-4


@pytest.mark.parametrize("piece", [1, 7, 4_000, 100_000])
def test_pieces_may_be_of_any_size(piece: int) -> None:
    sound = Audio(tone(22_050).samples[:4_410], 22_050)

    assert np.abs(in_pieces(sound, 48_000, piece) - resample(sound, 48_000).samples).max() <= 1e-4


@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_the_length_follows_from_the_rates_even_for_the_shortest_sound(count: int) -> None:
    sound = Audio(np.ones(count, np.float32), 22_050)
    wanted = round(count * 48_000 / 22_050)

    assert len(resample(sound, 48_000).samples) == wanted
    assert len(in_pieces(sound, 48_000, 10)) == wanted


def test_words_travel_with_the_sound() -> None:
    word = SpokenWord("Sure.", 0.0, 0.5)
    spoken = Audio(tone(22_050).samples, 22_050, (word,))

    assert resample(spoken, 48_000).words == (word,)
    assert audio_file.join([spoken, spoken]).words == (word, word.moved(spoken.seconds))


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_a_tone_keeps_pitch_and_length_through_a_file(
    suffix: str, rate_hz: int, tmp_path: Path
) -> None:
    path = tmp_path / f"tone{suffix}"

    audio_file.write(tone(rate_hz), path)
    read = audio_file.read(path)

    assert read.rate_hz == rate_hz
    assert read.seconds == pytest.approx(SECONDS, abs=0.001)
    assert pitch_hz(read) == pytest.approx(PITCH_HZ, rel=0.01)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_tone_joined_with_another_rate_keeps_pitch_and_length(rate_hz: int) -> None:
    joined = audio_file.join([tone(22_050), tone(rate_hz)])
    second = Audio(joined.samples[len(tone(22_050).samples) :], joined.rate_hz)

    assert joined.rate_hz == 22_050
    assert joined.seconds == pytest.approx(2 * SECONDS, abs=1e-4)
    assert pitch_hz(second) == pytest.approx(PITCH_HZ, rel=0.01)
