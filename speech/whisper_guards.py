"""What keeps Whisper from writing what nobody said: judged from text and voice activity. Pure.

Rule 1. Nothing is dropped for its words alone: "thank you" is invented by Whisper and said by
        people. What counts is whether there was enough voice for the words, at their place.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection
from itertools import pairwise

import numpy as np

from atonce.speech.protocols import Samples

FRAME = 512
"""Samples (at 16 kHz) for which the voice detector gives one probability: 32 ms."""
FRAME_S = FRAME / 16_000
VOICED = 0.5
"""Probability from which a frame is voice."""
_VOICED_FRAMES = 3
"""Frames that must be speech: the shortest word has more, a click has fewer."""
_PRE_ROLL = 16
_AFTER_ROLL = 30
"""Frames kept around speech (0.5 s, 1 s): closer cuts cost a point of word errors."""
_PAUSE = 10
_LONGEST = 780
"""Frames (25 s) that fit into the full window together with its margin."""
_COMPRESSIBLE = 2.4
"""Characters to compressed bytes, Whisper's own limit for a text that repeats itself."""
_LOOP = re.compile(r"\b(\w+(?:\W+\w+){0,5})(?:\W+\1\b){3,}", re.IGNORECASE)
"""One to six words, four times in a row."""
_REPEATED_WORDS = 4
"""Words that are said twice by chance are fewer; a short window now and then says all twice."""
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_FASTEST_WORDS = 5.0
"""Words in a second of voice: hardly anybody speaks faster, and nobody to a machine."""
_SHORTEST_WORD_S = 0.12
"""Voice in a word that is said fast."""
_LEAST_VOICE_S = 0.2
"""Voice in the shortest thing that people say."""
_STOCK = re.compile(
    r"(?:thank you(?: (?:so|very) much)?(?: for (?:watching|listening|your attention))?"
    r"|thanks(?: a lot)?(?: for (?:watching|listening))?|please subscribe.*|subtitles by.*"
    r"|see you(?: (?:next time|later|soon|in the next video))?|bye(?: bye)?|goodbye|you|okay|ok|oh"
    r"|so|the end|i'm sorry|amen|hello|yeah|mm|hmm|uh|music|applause|laughter)"
)
"""What Whisper writes where nobody speaks: the last words of the films it was taught with."""


def speech_pieces(voiced: Samples) -> list[tuple[int, int]]:
    """Where speech is, as first and last sample; cut at its stillest moments where it is long.

    voiced: the probability of speech in every frame. Too little speech to be a word gives none.
    """
    frames = np.flatnonzero(voiced >= VOICED)

    if len(frames) < _VOICED_FRAMES:
        return []

    first = max(0, int(frames[0]) - _PRE_ROLL)
    end = min(len(voiced), int(frames[-1]) + 1 + _AFTER_ROLL)
    # Pauses, not single consonants: the mean of about a third of a second.
    still = np.convolve(voiced, np.full(_PAUSE, 1 / _PAUSE), mode="same")
    edges = [first]

    while end - edges[-1] > _LONGEST:
        earliest = edges[-1] + _LONGEST // 2
        edges.append(earliest + int(still[earliest : edges[-1] + _LONGEST].argmin()))

    edges.append(end)
    return [(start * FRAME, stop * FRAME) for start, stop in pairwise(edges)]


def loops(text: str) -> bool:
    """The text says the same again and again, as a derailed decode does."""
    encoded = text.encode()
    ratio = len(encoded) / len(zlib.compress(encoded))
    return ratio > _COMPRESSIBLE or _LOOP.search(text) is not None


def repeats(text: str) -> bool:
    """The same four words stand in the text twice: people do that, but it is worth another look."""
    words = _words(text)
    runs = list(zip(*(words[first:] for first in range(_REPEATED_WORDS)), strict=False))
    return len(set(runs)) < len(runs)


def unrepeated(text: str, *, voice_s: float) -> str:
    """The text without what it says again, where nobody can speak that fast.

    A short window now and then says all twice; a person may too, but takes the time for it.
    """
    spans = [match.span() for match in _WORD.finditer(text)]
    words = [text[first:last].lower() for first, last in spans]

    if len(words) <= _FASTEST_WORDS * voice_s:
        return text

    for period in range(2, len(words)):
        again = len(words) - period

        if again < min(period, _REPEATED_WORDS):
            break

        if words[period:] == words[:again]:
            return text[: spans[period][0]].rstrip()

    return text


def is_invented(text: str, voiced: Samples, names: Collection[str] = ()) -> bool:
    """A stock phrase, or nothing but expected names, with too little voice to have been said.

    voiced: the probability of speech in every frame of the sound that was read.
    """
    words = _words(text)
    known = {word for name in names for word in _words(name)}
    is_suspect = _STOCK.fullmatch(" ".join(words)) is not None or known.issuperset(words)
    return is_suspect and voice_s(voiced) < max(_LEAST_VOICE_S, _SHORTEST_WORD_S * len(words))


def stock_tail(text: str) -> str:
    """The stock phrase that a longer text ends with, as a sentence of its own; empty if none."""
    body, mark, tail = text.rstrip(" .!?").rpartition(". ")

    if not mark:
        body, mark, tail = text.rstrip(" .!?").rpartition("? ")

    is_stock = bool(body) and _STOCK.fullmatch(" ".join(_words(tail))) is not None
    return text[len(body) + len(mark) :] if is_stock else ""


def is_voiced(voiced: Samples, *, from_s: float) -> bool:
    """Somebody speaks after a moment of the sound: at least as long as the shortest word."""
    after = voiced[max(0, round(from_s / FRAME_S)) :]
    return voice_s(after) >= _SHORTEST_WORD_S


def voice_s(voiced: Samples) -> float:
    """Seconds in which somebody speaks."""
    return int(np.count_nonzero(voiced >= VOICED)) * FRAME_S


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower().replace("’", "'"))
