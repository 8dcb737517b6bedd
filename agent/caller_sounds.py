"""Noises of a room and of a person, the same each time. Pure.

Rule 1. A level is the loudness (RMS, dBFS) of what sounds; pauses do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from atonce.agent.fake_voice import RATE_HZ, spoken
from atonce.speech.levels import active_level_db
from atonce.speech.protocols import Audio, Samples
from atonce.speech.resample import resample

AUDIBLE = 1e-4
"""Sample (-80 dBFS) from which something is heard."""
Sound = Literal["cough", "click", "clap", "white", "hum", "babble"]
_SEED = 6
_BLOCK_S = 0.01
_SOUNDING_DB = 32.0
_COUGH_S, _CLICK_S, _CLAP_S = 0.3, 0.012, 0.06
_HUM_HZ = (120.0, 240.0, 360.0, 600.0)
"""A fan or a fridge: the mains and what is above it."""
_BABBLERS = 4
_BABBLE_WORDS = "and so then they were going about things"


@dataclass(frozen=True, slots=True)
class Span:
    """From where to where something sounds."""

    begin_s: float
    """Seconds from the sound's first sample to the first that is heard."""
    end_s: float
    """The same, to the one behind the last that is heard."""


@dataclass(frozen=True, slots=True)
class SpokenLine:
    """A line that was said."""

    number: int
    """Which, from 1."""
    start_s: float
    """Its first sample, seconds of the talk."""
    begin_s: float
    """Its first audible sample."""
    end_s: float
    """Behind its last audible sample."""
    is_words: bool
    """It is no mere noise."""


def noise(kind: Sound, seconds: float, rate_hz: int) -> Samples:
    """A noise; seconds: of those that have no length of their own."""
    dice = np.random.default_rng(_SEED)

    match kind:
        case "cough":
            return _cough(dice, rate_hz)
        case "click":
            return _decaying(dice, _CLICK_S, rate_hz)
        case "clap":
            return _decaying(dice, _CLAP_S, rate_hz)
        case "white":
            return dice.standard_normal(round(seconds * rate_hz)).astype(np.float32)
        case "hum":
            times = np.arange(round(seconds * rate_hz)) / rate_hz
            waves = [np.sin(2 * np.pi * hz * times) / n for n, hz in enumerate(_HUM_HZ, start=1)]
            summed: Samples = np.sum(waves, axis=0).astype(np.float32)
            return summed
        case "babble":
            return _babble(seconds, rate_hz)


def at_level(samples: Samples, level_db: float, rate_hz: int) -> Samples:
    """The same sound, so loud; silence stays silence."""
    now_db = active_level_db(samples, rate_hz)

    if not np.isfinite(now_db):
        return samples

    raised: Samples = np.clip(samples * 10 ** ((level_db - now_db) / 20), -1.0, 1.0)
    return raised.astype(np.float32)


def span_of(audio: Audio) -> Span:
    """From where to where it sounds: blocks of 10 ms no more than 32 dB below the loudest one; all
    of it where it is still. What is softer is the room of a recording, or a breath."""
    width = max(1, round(_BLOCK_S * audio.rate_hz))
    count = len(audio.samples) // width
    blocks = audio.samples[: count * width].reshape(count, width).astype(np.float64)
    levels = np.sqrt(np.square(blocks).mean(axis=1))
    loudest = float(levels.max(initial=0.0))

    if loudest < AUDIBLE:
        return Span(0.0, audio.seconds)

    heard = np.flatnonzero(levels > loudest * 10 ** (-_SOUNDING_DB / 20))
    return Span(int(heard[0]) * _BLOCK_S, (int(heard[-1]) + 1) * _BLOCK_S)


def _decaying(dice: np.random.Generator, seconds: float, rate_hz: int) -> Samples:
    count = max(1, round(seconds * rate_hz))
    fall = np.exp(-5 * np.arange(count) / count)
    return (dice.standard_normal(count) * fall).astype(np.float32)


def _cough(dice: np.random.Generator, rate_hz: int) -> Samples:
    """Two bursts, the second one longer."""
    first = _decaying(dice, _COUGH_S / 3, rate_hz)
    second = _decaying(dice, 2 * _COUGH_S / 3, rate_hz)
    return np.concatenate([first, second])


def _babble(seconds: float, rate_hz: int) -> Samples:
    """Several people at once whom nobody understands."""
    mixed = np.zeros(round(seconds * RATE_HZ), dtype=np.float32)

    for person in range(_BABBLERS):
        said = spoken(_BABBLE_WORDS, voice=f"babble {person}").samples
        shifted = np.roll(np.resize(said, len(mixed)), person * len(said) // _BABBLERS)
        mixed += shifted

    return resample(Audio(mixed, RATE_HZ), rate_hz).samples
