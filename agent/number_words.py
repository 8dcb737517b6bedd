"""Numbers in digits and in words: one pattern that finds them, and what they are."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_ROUND = "twenty thirty forty fifty sixty seventy eighty ninety"
_RANKS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
    "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
UNITS = {word: value for value, word in enumerate(_SMALL.split())}
TENS = {word: 10 * value for value, word in enumerate(_ROUND.split(), start=2)}
ORDINALS = {word: value for value, word in enumerate(_RANKS.split(), start=1)}


def either(words: Iterable[str]) -> str:
    """A pattern's alternatives."""
    return "|".join(words)


_ONE_TO_NINE = either(list(UNITS)[1:10])
BELOW_100 = rf"(?:(?:{either(TENS)})(?:[ -](?:{_ONE_TO_NINE})\b)?|{either(reversed(UNITS))})"
_BELOW_1000 = rf"(?:(?:(?:{_ONE_TO_NINE}|a) hundred\b(?:(?: and)? {BELOW_100})?)|{BELOW_100})"
_IN_WORDS = rf"(?:{_BELOW_1000} thousand\b(?:(?: and)? {_BELOW_1000})?|a dozen|{_BELOW_1000})"
DIGITS = r"(?:\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
NUMBER = rf"(?:(?<![\w.,])(?:{DIGITS})|\b{_IN_WORDS}\b)"


def number(text: str) -> float:
    """The number that digits or number words name."""
    digits = text.replace(",", "")

    if digits.lstrip("-")[:1].isdigit():
        return float(digits)

    words = text.lower().replace("-", " ").replace(" and ", " ")
    total = group = 0

    for word in words.split():
        if word == "dozen":
            group = 12
        elif word == "hundred":
            group = max(group, 1) * 100
        elif word == "thousand":
            total, group = group * 1000, 0
        else:
            group += UNITS.get(word, 0) + TENS.get(word, 0)

    return float(total + group)


def ordinal(text: str) -> int:
    """The number that 14th, fourteenth or twenty-first names; a plain number is taken as one."""
    words = re.sub(r"(?<=\d)(?:st|nd|rd|th)\b", "", text.lower()).replace("-", " ")
    last = words.split()[-1]

    if last in ORDINALS:
        return ORDINALS[last] + (TENS.get(words.split()[0], 0) if " " in words else 0)

    return 30 if last == "thirtieth" else int(number(words))
