"""Find the values in a text (times, prices, dates, codes ...) and compare them by meaning.

Rule 1: a value keeps its kind and its unit: $14 is 14 dollars and never 14 minutes.
Rule 2: a bare number may stand for any value with that figure ("at nine" for 9:00 am).
Rule 3: "one", "first" and "second" are values only where a unit or a floor makes them one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from atonce.agent.number_words import (
    BELOW_100,
    DIGITS,
    NUMBER,
    ORDINALS,
    UNITS,
    either,
    number,
    ordinal,
)

Meaning = tuple[float | str, ...]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Value:
    """One value in a text."""

    kind: str
    """Name of a row of KINDS."""
    meaning: Meaning
    """What it says in the kind's base unit; compare with `same`, not with ==."""
    figure: float | None
    """The bare number that may stand for it in speech, None if there is none."""
    start: int
    """First character."""
    end: int
    """One past the last character."""
    text: str
    """As written."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table: what such a value looks like and what it means."""

    name: str
    """The kind's name."""
    hints: tuple[str, ...]
    """One of these stands in every text that holds such a value; saves nine searches of ten."""
    pattern: re.Pattern[str]
    """Finds it."""
    meaning: Callable[[re.Match[str]], tuple[Meaning, float | None] | None]
    """Meaning and bare figure of a match; None when it is no value after all."""


WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)

# Unit word -> (dimension, size in the dimension's base unit).
MEASURES = {
    "met(?:re|er)s?|m": ("length", 1.0),
    "kilomet(?:re|er)s?|km": ("length", 1000.0),
    "centimet(?:re|er)s?|cm": ("length", 0.01),
    "millimet(?:re|er)s?|mm": ("length", 0.001),
    "miles?": ("length", 1609.344),
    "feet|foot|ft": ("length", 0.3048),
    "inch(?:es)?": ("length", 0.0254),
    "yards?": ("length", 0.9144),
    "kilos?|kilograms?|kg": ("mass", 1000.0),
    "grams?|g": ("mass", 1.0),
    "tons?|tonnes?": ("mass", 1e6),
    "lit(?:re|er)s?": ("volume", 1.0),
    "millilit(?:re|er)s?|ml": ("volume", 0.001),
    "knots?": ("speed", 1.0),
    "mph": ("speed mph", 1.0),
    "km/h|kph": ("speed kmh", 1.0),
    "kilowatts?|kw": ("power", 1000.0),
    "watts?": ("power", 1.0),
    "megabits?|mbps": ("rate", 1.0),
    "gigabytes?|gb": ("data", 1000.0),
    "megabytes?|mb": ("data", 1.0),
}
# Span of time -> minutes.
SPANS = {
    "seconds?|secs?": 1 / 60,
    "minutes?|mins?": 1.0,
    "hours?|hrs?": 60.0,
    "days?|nights?": 1440.0,
    "weeks?": 10080.0,
    "months?": 43200.0,
    "years?": 525600.0,
}
CURRENCIES = {
    r"\$": "dollar",
    "€": "euro",
    "£": "pound",
    "dollars?|bucks?": "dollar",
    "euros?": "euro",
    "pounds?": "pound",
}
CENTS = {"cents?": "dollar", "pence|p": "pound"}


_SPAN = either(SPANS)
_HOUR_WORD = either(list(UNITS)[1:13])
_HOUR = rf"(?:\d{{1,2}}|{_HOUR_WORD})"
_MINUTE_WORD = r"(?:ten|fifteen|(?:twenty|thirty|forty|fifty)(?:[ -]five)?)"
_MINUTE = rf"(?:\d{{2}}|{BELOW_100})"
_HALF = r"(?:[ap]\.m\.|[ap] ?m\b|in the (?:morning|afternoon|evening)|at night)"
_MONTH = either(MONTHS)
_DAY = (
    rf"(?:\d{{1,2}}(?:st|nd|rd|th)?\b|(?:{either(['twenty', 'thirty'])})[ -](?:{either(ORDINALS)})"
    rf"|{either(ORDINALS)}|thirtieth|{BELOW_100})"
)
# Nouns that a number or an ordinal names one of: here "first" and a letter are values.
_PLACES = (
    "floor|level|platform|gate|room|hall|pier|bay|track|door|channel|line|zone|terminal|deck|"
    "screen|aisle|counter|desk|window|stop|seat|row|building|block|wing|lane|stand|dock|berth|"
    "street|avenue|stage|studio|court|car|carriage|group|tier|wall|section|ward|unit|box|plan"
)


def _look_up(table: Mapping[str, T], word: str) -> T:
    return next(found for unit, found in table.items() if re.fullmatch(unit, word, re.I))


def _time(match: re.Match[str]) -> tuple[Meaning, float | None] | None:
    word, half = match["word"], (match["half"] or "").lower()

    if word:
        return (0.0, "am" if word.lower() == "midnight" else "pm"), 12.0

    names = ("past", "sharp", "worded", "hour", "cue")
    hour = int(number(next(match[name] for name in names if match[name])))
    minute = int(number(match["minute"] or match["minutes"] or "0"))

    if match["shift"]:
        minute = _minutes_of(match["shift"])

    if match["before"]:
        hour, minute = hour - 1, 60 - _minutes_of(match["before"])

    if hour > 24 or minute > 60:
        return None

    side = "am" if half[:1] == "a" or "morning" in half else "pm" if half else ""
    side = "pm" if 12 < hour < 24 else "am" if hour in (0, 24) else side
    bare = float((hour - 1) % 12 + 1) if minute == 0 else None
    return (float(hour % 12 * 60 + minute), side), bare


def _minutes_of(words: str) -> int:
    last = words.lower().removesuffix(" minutes").split()[-1]
    return {"quarter": 15, "half": 30}.get(last) or int(number(last))


def _money(match: re.Match[str]) -> tuple[Meaning, float | None]:
    if match["cents"]:
        cents = number(match["cents"])
        return (cents / 100, _look_up(CENTS, match["coin"])), cents

    amount = number(match["signed"] or match["amount"])
    currency = _look_up(CURRENCIES, match["sign"] or match["currency"])
    rest = number(match["rest"]) / 100 if match["rest"] else 0.0
    return (amount + rest, currency), amount + rest


def _date(match: re.Match[str]) -> tuple[Meaning, float | None] | None:
    month = MONTHS.index((match["month"] or match["of"]).lower()) + 1
    day = ordinal(match["day"] or match["first"])
    return ((float(month), float(day)), float(day)) if 1 <= day <= 31 else None


def _duration(match: re.Match[str]) -> tuple[Meaning, float | None]:
    phrase = match["phrase"]

    if phrase:
        words = phrase.lower()
        minutes = 45 if "three" in words else 15 if "quarter" in words else 30
        return (float(minutes + (60 if "and a half" in words else 0)),), None

    count = number(match["count"])
    total = (count + (0.5 if match["and_half"] else 0)) * _look_up(SPANS, match["unit"])

    if match["more"]:
        total += number(match["more"]) * _look_up(SPANS, match["less"])

    return (round(total, 4),), None if match["more"] else count


def _measure(match: re.Match[str]) -> tuple[Meaning, float | None]:
    dimension, size = _look_up(MEASURES, match["unit"])

    if match["half"]:
        return (dimension, round(size / 2, 6)), None

    count = number(match["count"])
    return (dimension, round(count * size, 6)), count


def _plain(match: re.Match[str]) -> tuple[Meaning, float | None]:
    amount = number(match[1])
    return (amount,), amount


def _phone(match: re.Match[str]) -> tuple[Meaning, float | None]:
    words = re.findall(r"[a-z]+|\d", match[0].lower())
    return ("".join("0" if w == "oh" else str(UNITS[w]) if w in UNITS else w for w in words),), None


def _code(match: re.Match[str]) -> tuple[Meaning, float | None]:
    return (re.sub(r"[\s-]", "", match[0]).upper(),), None


def _place(match: re.Match[str]) -> tuple[Meaning, float | None]:
    place = float(ordinal(match["rank"]))
    return (place,), place


def _day(match: re.Match[str]) -> tuple[Meaning, float | None]:
    return (float(WEEKDAYS.index(match[1].lower())),), None


def _month(match: re.Match[str]) -> tuple[Meaning, float | None]:
    return (float(MONTHS.index((match[1] or match[2]).lower()) + 1),), None


def _kind(
    name: str,
    hints: str,
    pattern: str,
    meaning: Callable[[re.Match[str]], tuple[Meaning, float | None] | None],
    *,
    flags: int = re.I,
) -> Kind:
    return Kind(
        name,
        tuple(hint.replace("_", " ") for hint in hints.split()),
        re.compile(pattern, flags),
        meaning,
    )


_DIGIT_WORD = either(["oh", *list(UNITS)[:10]])

# Order matters: a span belongs to the first kind that claims it.
KINDS = (
    _kind(
        "phone",
        "",
        rf"(?<![\w$€£.,])\+?\d(?:[ -]?\d){{6,14}}(?![\w%])|(?<!\w)\d(?: \d){{2,}}(?!\w)"
        rf"|\b(?:{_DIGIT_WORD})(?:[ ,-]+(?:{_DIGIT_WORD})\b){{3,}}",
        _phone,
    ),
    _kind(
        "time",
        ": am pm a.m p.m a_m p_m noon past clock midnight midday morning evening night quarter ten "
        "minutes fifteen twenty thirty forty fifty",
        rf"(?<![\w$€£.,:])(?:"
        rf"(?:(?P<shift>(?:a )?quarter|half|{_MINUTE})(?: minutes)? past"
        rf"|(?P<before>(?:a )?quarter|{_MINUTE} minutes) to) (?P<past>{_HOUR})(?![\w:])"
        rf"|(?P<sharp>{_HOUR}) o'?clock\b"
        rf"|(?P<worded>{_HOUR_WORD})[ -](?P<minutes>{_MINUTE_WORD})\b"
        rf"|(?P<hour>\d{{1,2}})[:.](?P<minute>\d{{2}})(?![\d%])(?:(?<=:\d\d)|(?= ?{_HALF}))"
        rf"|(?P<cue>{_HOUR})(?= ?{_HALF}))(?: ?(?P<half>{_HALF}))?"
        rf"|\b(?P<word>noon|midday|midnight)\b",
        _time,
    ),
    _kind(
        "money",
        "$ € £ dollar buck euro pound cent pence",
        rf"(?P<cents>{NUMBER}) (?P<coin>{either(CENTS)})\b"
        rf"|(?P<sign>[$€£]) ?(?P<signed>{DIGITS})"
        rf"|(?P<amount>{NUMBER})[ -](?P<currency>{either(list(CURRENCIES)[3:])})\b"
        rf"(?:(?: and)? (?P<rest>{_MINUTE})(?: (?:cents|pence))?(?![\w:]))?",
        _money,
    ),
    _kind(
        "date",
        "jan feb mar apr may jun jul aug sep oct nov dec",
        rf"\b(?P<month>{_MONTH})(?: the)? (?P<day>{_DAY})(?![\w:])"
        rf"|\b(?P<first>{_DAY})(?: of)? (?P<of>{_MONTH})\b",
        _date,
    ),
    _kind("percent", "% percent cent", rf"({NUMBER})(?: ?%| per ?cent\b)", _plain),
    _kind(
        "temperature",
        "degree °",
        rf"((?<!\w)-{DIGITS}|{NUMBER}) ?(?:degrees?\b|°)(?: ?(?:celsius|C)\b)?",
        _plain,
    ),
    _kind(
        "duration",
        "second minute hour day night week month year min hr sec half",
        rf"(?P<phrase>\b(?:half an hour|an hour and a half|(?:a |three )quarters? of an hour"
        rf"|half[ -]hour)\b)"
        rf"|(?P<count>{NUMBER})(?P<and_half> and a half)?[ -](?P<unit>{_SPAN})\b"
        rf"(?:(?: and)? (?P<more>{NUMBER}) (?P<less>{_SPAN})\b)?",
        _duration,
    ),
    _kind(
        "measure",
        "",
        rf"(?:\b(?P<half>half a)|(?P<count>{NUMBER}))[ -]?(?P<unit>{either(MEASURES)})\b",
        _measure,
    ),
    _kind(
        "code",
        "",
        r"(?<![\w'\u2019])(?:[A-Z]{1,3}[ -]?\d{1,4}[A-Z]?|\d{1,4}[A-Z])(?![\w'\u2019])"
        r"|(?<=\w )(?:[B-HJ-Z]|A(?! [a-z]))(?![\w'\u2019-])",
        _code,
        flags=0,
    ),
    _kind(
        "place",
        "",
        rf"\b(?P<rank>{either(ORDINALS)}|\d+(?:st|nd|rd|th))(?= (?:{_PLACES})\b)",
        _place,
        flags=0,  # "First room 9, then ..." is no floor
    ),
    _kind("weekday", "day", rf"\b({either(WEEKDAYS)})s?\b", _day),
    _kind(
        "month",
        "jan feb mar apr may jun jul aug sep oct nov dec",
        rf"\b({either(month for month in MONTHS if month != 'may')})\b"
        r"|\b(?:in|until|from|by|of|this|next) (May)\b",
        _month,
    ),
    _kind("number", "", rf"(?!one\b(?!-| hundred| thousand))({NUMBER})(?!\w)", _plain),
)


@lru_cache(maxsize=512)
def find_values(text: str) -> tuple[Value, ...]:
    """All values of a text, in the order in which they stand."""
    found: list[Value] = []
    taken = bytearray(len(text))

    lower = text.lower()

    for kind in KINDS:
        if kind.hints and not any(hint in lower for hint in kind.hints):
            continue

        for match in kind.pattern.finditer(text):
            start, end = match.span()

            if any(taken[start:end]):
                continue

            read = kind.meaning(match)

            if read is None:
                continue

            taken[start:end] = b"\x01" * (end - start)
            found.append(Value(kind.name, *read, start, end, match[0]))

    return tuple(sorted(found, key=lambda value: value.start))


def same(one: Value, other: Value) -> bool:
    """Whether two values say the same: noon = 12 pm, $14 = 14 dollars, 17:30 = 5:30 pm."""
    if one.kind == other.kind == "time":
        return one.meaning[0] == other.meaning[0] and (
            one.meaning[1] == other.meaning[1] or "" in (one.meaning[1], other.meaning[1])
        )

    if one.kind == other.kind:
        return one.meaning == other.meaning

    if {one.kind, other.kind} == {"month", "date"}:
        return one.meaning[0] == other.meaning[0]

    if "number" in (one.kind, other.kind):
        return one.figure is not None and one.figure == other.figure

    return False
