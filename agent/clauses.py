"""The values of a text together with the words around them: which word speaks of which value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from atonce.agent.content_words import Word, stems_of, words_of
from atonce.agent.values import WEEKDAYS, Value, find_values

_START_WORDS = "from open opens opening opened start starts begin begins after since"
_END_WORDS = "to until till close closes closing closed end ends by before latest through shut over"
_STARTS = frozenset(_START_WORDS.split())
_ENDS = frozenset(_END_WORDS.split())
_BREAK = re.compile(r"[,;:]|\b(?:and|but|or|while)\b", re.I)
_STOP = re.compile(r"[.!?](?=\s)")


@dataclass(frozen=True, slots=True)
class Clause:
    """A value and the words around it."""

    value: Value
    """The value."""
    near: Mapping[str, float]
    """Stem of a word in the same text -> closeness, 0 to 1."""
    bound: int
    """1: the words before it say a beginning; -1: an end; 0: neither."""
    before: str
    """The word just before it."""
    after: str
    """Stem of the next word that carries meaning."""
    owned: frozenset[str]
    """Stems of the words that are nearer to it than to another value of its kind."""
    is_implied: bool = False
    """A day inside a range that the text names: Wednesday in "Tuesday to Sunday"."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A text, read for evidence."""

    stems: frozenset[str]
    """Its words that carry meaning."""
    clauses: tuple[Clause, ...]
    """Its values with their words."""


@lru_cache(maxsize=512)
def read(text: str) -> Reading:
    """A text's words that carry meaning, and its values."""
    words = words_of(text)
    values = find_values(text)
    breaks = [match.start() for match in _BREAK.finditer(text)]
    stops = [match.start() for match in _STOP.finditer(text)]
    clauses = tuple(_clause(value, values, words, breaks, stops) for value in values)
    return Reading(stems_of(text), clauses)


def _clause(
    value: Value,
    values: tuple[Value, ...],
    words: tuple[Word, ...],
    breaks: list[int],
    stops: list[int],
) -> Clause:
    told = [word for word in words if _tells(word, value)]
    kin = [other for other in values if other.kind == value.kind]
    near: dict[str, float] = {}
    owned = set()

    for word in told:
        closeness = _closeness(word, value, told, kin, breaks, stops)
        near[word.stem] = max(near.get(word.stem, 0.0), closeness)

        if all(
            closeness > _closeness(word, other, told, kin, breaks, stops)
            for other in kin
            if other is not value
        ):
            owned.add(word.stem)

    ahead = [word for word in words if word.end <= value.start]
    begin = max(
        0,
        0,
        *(stop for stop in stops if stop < value.start),
        *(other.end for other in kin if other.end <= value.start),
    )
    return Clause(
        value,
        near,
        _bound([word.text for word in ahead if word.start >= begin]),
        ahead[-1].text if ahead else "",
        next((word.stem for word in told if word.start >= value.end), ""),
        frozenset(owned),
    )


_DAY = "|".join(WEEKDAYS)
_DAY_RANGE = re.compile(rf"\b({_DAY})s? (?:to|through|till|until|-|\u2013) ({_DAY})s?\b", re.I)
_NAMED_DAYS = (
    (re.compile(r"\b(?:week|working |school )days?\b", re.I), range(5)),
    (re.compile(r"\bweekends?\b", re.I), range(5, 7)),
    (
        re.compile(r"\b(?:every|each) (?:day|night|evening)\b|\bdaily\b|\ball week\b", re.I),
        range(7),
    ),
)


def day_sets(text: str) -> tuple[frozenset[int], ...]:
    """The sets of days that a text names, 0 for Monday: "Tuesday to Sunday", "weekends"."""
    ranges = (
        [WEEKDAYS.index(match[group].lower()) for group in (1, 2)]
        for match in _DAY_RANGE.finditer(text)
    )
    named = (frozenset(days) for pattern, days in _NAMED_DAYS if pattern.search(text))
    spans = (
        frozenset((first + step) % 7 for step in range((last - first) % 7 + 1))
        for first, last in ranges
    )
    return (*spans, *named)


@lru_cache(maxsize=512)
def read_fact(text: str) -> Reading:
    """A fact, read like any text, with the days it implies as values of their own."""
    reading = read(text)
    days = frozenset().union(*day_sets(text))
    near = dict.fromkeys(reading.stems, 0.5)
    implied = tuple(
        Clause(
            Value("weekday", (float(day),), None, 0, 0, WEEKDAYS[day].capitalize()),
            *(near, 0, "", "", frozenset()),
            is_implied=True,
        )
        for day in sorted(days)
    )
    return replace(reading, clauses=reading.clauses + implied)


# Every price is a price: such a word tells no value of the kind from another.
_INHERENT = {"money": "price", "duration": "long"}


def _tells(word: Word, value: Value) -> bool:
    """Words inside a value say nothing about it, but "Monday" is a word of its own, too."""
    is_inside = value.start <= word.start < value.end
    is_own = is_inside and value.kind not in ("weekday", "month")
    return bool(word.stem) and not is_own and word.stem != _INHERENT.get(value.kind)


def _closeness(
    word: Word,
    value: Value,
    told: list[Word],
    kin: list[Value],
    breaks: list[int],
    stops: list[int],
) -> float:
    """1 for a neighbour; words, commas, values of the kind and full stops in between lessen it."""
    low, high = (word.end, value.start) if word.start < value.start else (value.end, word.start)
    return (
        0.85 ** _count((other.start for other in told), low, high)
        * 0.45 ** _count(breaks, low, high)
        * 0.5 ** _count((other.start for other in kin), low, high)
        * 0.4 ** _count(stops, low, high)
    )


def _count(places: Iterable[int], low: int, high: int) -> int:
    return sum(low <= place < high for place in places)


def _bound(words: list[str]) -> int:
    for word in reversed(words):
        if word in _STARTS or word in _ENDS:
            return 1 if word in _STARTS else -1

    return 0
