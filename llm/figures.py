"""The values in a text, as the scorer reads them. Pure, and nothing to do with the reply check's.

Times, amounts, percents, phone numbers, codes, plain numbers, weekdays, months; names are found by
their capital letter. Ordinals are left to the words that a turn demands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from atonce.llm.ranking import STOP

UNITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEENS = [
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
AMOUNT = {word: number for number, word in enumerate(UNITS + TEENS)} | {
    word: 10 * number for number, word in enumerate(TENS, 2)
}
SPELT = re.compile(
    rf"\b(?:({'|'.join(TENS)})(?:[- ]({'|'.join(UNITS[1:])}))?|({'|'.join(UNITS + TEENS)}))\b", re.I
)
DAYS = "monday tuesday wednesday thursday friday saturday sunday"
MONTHS = "january february march april may june july august september october november december"
NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
VALUE = re.compile(
    rf"""
    \b(?P<phone>\d{{3}}[ -]\d{{4}})\b
    | \b(?P<hour>\d{{1,2}})(?::(?P<minute>\d\d))?\s?(?P<half>[ap])\.?m\b
    | \b(?P<noon>noon|midday|midnight)\b
    | \$\s?(?P<dollars>{NUMBER})
    | (?<![\w.])(?P<spelt_dollars>{NUMBER})\s(?:dollars?|bucks)\b
    | (?<![\w.])(?P<percent>{NUMBER})\s?(?:%|percent\b)
    | \b(?P<code>[A-Z]\d{{1,3}})\b
    | (?<![\w.])(?P<number>\d{{1,2}}:\d\d|{NUMBER})
    | \b(?P<day>{DAYS.replace(" ", "|")})s?\b
    | \b(?P<month>{MONTHS.replace(" ", "|")})\b
    """,
    re.X | re.I,
)
WORD = re.compile(r"(?<!\w)[^\W\d_]{2,}(?:['\u2019-][^\W\d_]+)*(?!\w)")
NO_NAMES = STOP.union(
    f"i i'll ok okay english mr mrs ms dr yes no {DAYS} {MONTHS}".split(),
    (f"{day}s" for day in DAYS.split()),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One value."""

    kind: str
    """time, money, percent, phone, code, number, day, month or name."""
    text: str
    """The value in one form: minutes of a day, an amount, lower-case letters."""
    bare: str = ""
    """What is left without its unit: the 9 of 9 am and of $9; empty where that makes no sense."""


def figures(text: str) -> frozenset[Figure]:
    """All values of a text but names."""
    return _figures(text)


@lru_cache(4096)
def _figures(text: str) -> frozenset[Figure]:
    return frozenset(_found(in_digits(text)))


def _found(text: str) -> Iterator[Figure]:
    for match in VALUE.finditer(text):
        kind, said = str(match.lastgroup), str(match[str(match.lastgroup)])
        if match["hour"]:
            minute = match["minute"] or "00"
            hour = int(match["hour"]) % 12 + 12 * (match["half"].lower() == "p")
            bare = match["hour"] if minute == "00" else f"{match['hour']}:{minute}"
            yield Figure("time", str(60 * hour + int(minute)), bare)
        elif kind == "noon":
            yield Figure("time", "0" if said.lower() == "midnight" else "720", "12")
        elif kind in ("dollars", "spelt_dollars"):
            yield Figure("money", amount(said), amount(said))
        elif kind in ("percent", "number"):
            yield Figure(kind, amount(said), amount(said))
        else:
            letters = said.lower().replace("-", " ")
            # "may" is a verb unless it has its capital.
            if kind != "month" or said[0].isupper():
                yield Figure(kind, letters)


def amount(digits: str) -> str:
    """A number in one form: 1,200 → 1200, 14.00 → 14, 9:00 → 9."""
    plain = digits.replace(",", "").removesuffix(":00")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def names(text: str, *, with_first: bool = False) -> frozenset[Figure]:
    """Words with a capital letter, lower-case; with_first: those that open a sentence, too."""
    found = set()
    for match in WORD.finditer(text):
        opens = re.search(r"(?:^|[.!?:]|[\"\u201c])\s*$", text[: match.start()])
        word = bare(match[0])
        if match[0][0].isupper() and word not in NO_NAMES and (with_first or not opens):
            found.add(Figure("name", word))

    return frozenset(found)


def letters(texts: Iterable[str]) -> set[str]:
    """All words of some texts, to look names up in; both parts of "check-up", too."""
    found = {bare(match[0]) for text in texts for match in WORD.finditer(text)}
    return found | {part for word in found for part in word.split("-")}


def bare(word: str) -> str:
    """A word as names are compared: lower-case, nobody's."""
    return re.sub(r"'s?$", "", word.lower().replace("\u2019", "'"))


def stands_in(figure: Figure, texts: Iterable[str]) -> bool:
    """Whether some text holds this value; a bare number may have lost its unit on either side."""
    return any(is_same(figure, other) for text in texts for other in figures(text))


def is_same(one: Figure, other: Figure) -> bool:
    """9 am is 9, and 9 is $9; but 9 am is not 9 pm."""
    if "number" in (one.kind, other.kind):
        return one.bare == other.bare != ""

    return (one.kind, one.text) == (other.kind, other.text)


def in_digits(text: str) -> str:
    """Number words as digits: twenty-five → 25. "One" stays: it is a pronoun more often."""

    def digits(match: re.Match[str]) -> str:
        tens, unit, small = match.groups()
        if small:
            return match[0] if small.lower() == "one" else str(AMOUNT[small.lower()])

        return str(AMOUNT[tens.lower()] + (AMOUNT[unit.lower()] if unit else 0))

    return SPELT.sub(digits, text)
