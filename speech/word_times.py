"""Which word is heard at which second. Pure.

Where an engine tells the lengths of its phonemes, a word lasts as long as its phonemes; else it
gets its share of the time by its letters. espeak runs small words together ("of the") and reads
others as several ("AM"), so groups of phonemes are matched to words by their sizes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from atonce.speech.protocols import Audio, SpokenWord

_MOST_JOINED = 4
"""Words that are run together into one group of phonemes, or groups that make one word."""
_JOIN_COST = 1.5
"""Of every word or group above one: plain pairs are the rule."""
_PHONEMES_A_LETTER = 0.9
_PAUSES = {",": 2, ";": 3, ":": 3, ".": 4, "!": 4, "?": 4, "…": 4, "–": 3, "—": 3}
"""What a mark is worth in letters where only letters are known."""


class Span(NamedTuple):
    """A stretch of time, or of phonemes."""

    start: float
    """Where it begins."""
    end: float
    """Where it ends."""


class Match(NamedTuple):
    """Some words and the groups of phonemes that they are spoken as."""

    words: range
    """Numbers of the words."""
    groups: range
    """Numbers of the groups."""


Table = dict[tuple[int, int], tuple[float, int, int]]
"""For the first i words and j groups: the least cost, and how many of each the last match took."""


def has_words(text: str) -> bool:
    """There is something to say."""
    return any(character.isalnum() for character in text)


def words_of(text: str) -> list[str]:
    """The words of a spoken text: what stands between spaces and has a letter or digit."""
    return [word for word in text.split() if has_words(word)]


class Timetable:
    """The words of a text, as its sentences are spoken one after the other."""

    def __init__(self, text: str, sizes: Sequence[Sequence[int]]) -> None:
        """sizes: for each sentence, the phonemes in each of its groups."""
        self._words = words_of(text)
        self._matches = matched(self._words, [size for sentence in sizes for size in sentence])
        self._edges = list(accumulate((len(sentence) for sentence in sizes), initial=0))

    def words(self, sentence: int, groups: Sequence[Span]) -> list[SpokenWord]:
        """The words of one sentence, from the time of each of its groups."""
        first, last = self._edges[sentence], self._edges[sentence + 1]
        spoken: list[SpokenWord] = []

        for match in self._matches:
            if first <= match.groups[0] < last:
                end = min(match.groups[-1], last - 1)  # a match never reaches into the next
                together = Span(groups[match.groups[0] - first].start, groups[end - first].end)
                words = [self._words[number] for number in match.words]
                spans = _shared(together, [_letters(word) for word in words])
                spoken += [SpokenWord(word, *at) for word, at in zip(words, spans, strict=True)]

        return spoken


def matched(words: Sequence[str], sizes: Sequence[int]) -> list[Match]:
    """Words and groups of phonemes that belong together, in order; none of either is left out.

    sizes: phonemes in each group.
    """
    letters = [_letters(word) for word in words]

    if len(letters) == len(sizes):
        return [Match(range(i, i + 1), range(i, i + 1)) for i in range(len(sizes))]

    return _way_back(_best(letters, sizes), len(letters), len(sizes)) if words and sizes else []


def by_share(text: str, seconds: float) -> tuple[SpokenWord, ...]:
    """When each word of a text is heard, by its share of the letters and marks."""
    words = words_of(text)
    spans = _shared(Span(0.0, seconds), [_weight(word) for word in words])
    return tuple(SpokenWord(word, *span) for word, span in zip(words, spans, strict=True))


def heard_words(pieces: Iterable[Audio], seconds: float) -> list[str]:
    """The words that were heard when playback of these pieces stopped after so many seconds.

    A word counts once its middle was played: a listener knows it by then.
    """
    found: list[str] = []
    begin_s = 0.0

    for piece in pieces:
        found += [
            word.text
            for word in piece.words
            if begin_s + (word.start_s + word.end_s) / 2 <= seconds
        ]
        begin_s += piece.seconds

    return found


def _best(letters: Sequence[int], sizes: Sequence[int]) -> Table:
    best: Table = {(0, 0): (0.0, 0, 0)}

    for i in range(1, len(letters) + 1):
        for j in range(1, len(sizes) + 1):
            found = [
                (best[i - m, j - n][0] + _cost(letters[i - m : i], sizes[j - n : j]), m, n)
                for m, n in _STEPS
                if (i - m, j - n) in best
            ]

            if found:
                best[i, j] = min(found)

    return best


def _way_back(best: Table, rows: int, columns: int) -> list[Match]:
    if (rows, columns) not in best:  # more than a step can join: all of one with all of the other
        return [Match(range(rows), range(columns))]

    matches = []

    while rows:
        _, m, n = best[rows, columns]
        matches.append(Match(range(rows - m, rows), range(columns - n, columns)))
        rows, columns = rows - m, columns - n

    return matches[::-1]


_STEPS = [
    *((1, count) for count in range(1, _MOST_JOINED + 1)),
    *((count, 1) for count in range(2, _MOST_JOINED + 1)),
]


def _cost(letters: Sequence[int], sizes: Sequence[int]) -> float:
    joined = len(letters) + len(sizes) - 2
    return abs(_PHONEMES_A_LETTER * sum(letters) - sum(sizes)) + _JOIN_COST * joined


def _letters(word: str) -> int:
    return max(1, sum(character.isalnum() for character in word))


def _weight(word: str) -> int:
    return _letters(word) + 1 + _PAUSES.get(word[-1], 0)


def _shared(span: Span, weights: Sequence[int]) -> list[Span]:
    total = sum(weights) or 1
    edges = [
        span.start + (span.end - span.start) * sum_ / total
        for sum_ in accumulate(weights, initial=0)
    ]
    return [Span(*edge) for edge in pairwise(edges)]
