"""Numbers in words, as they are said in American English. Pure.

The words come from Unicode's rules (unicode-rbnf); which kind of number it is, is decided here.
"""

from __future__ import annotations

from functools import lru_cache

from unicode_rbnf import FormatPurpose, RbnfEngine

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
"""Digits with or without commas between thousands, and decimals."""
MOST_DIGITS = 15
"""A longer number is said digit by digit: nobody follows quintillions."""
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@lru_cache(maxsize=1)
def _engine() -> RbnfEngine:
    return RbnfEngine.for_language("en")


@lru_cache(maxsize=1024)
def _spelled(number: int, purpose: FormatPurpose) -> str:
    return str(_engine().format_number(number, purpose).text)


def cardinal(digits: str) -> str:
    """1,250 → one thousand two hundred fifty; 2.75 → two point seven five; 007 digit by digit."""
    whole, _, decimals = digits.replace(",", "").partition(".")

    if len(whole) > MOST_DIGITS or (len(whole) > 1 and whole[0] == "0"):
        words = one_by_one(whole)
    else:
        words = _spelled(int(whole), FormatPurpose.CARDINAL)

    return f"{words} point {one_by_one(decimals)}" if decimals else words


def ordinal(digits: str) -> str:
    """21 → twenty-first."""
    number = int(digits.replace(",", ""))
    return _spelled(number, FormatPurpose.ORDINAL) if number < 10**MOST_DIGITS else digits


def year(digits: str) -> str:
    """1907 → nineteen oh seven; 2026 → twenty twenty-six; 2005 → two thousand five."""
    return _spelled(int(digits), FormatPurpose.YEAR).replace("oh-", "oh ")


def one_by_one(digits: str) -> str:
    """0142 → zero one four two."""
    return " ".join(_DIGITS[int(digit)] for digit in digits)


def of_a_door(digits: str) -> str:
    """A room, a bus, a house: 304 → three oh four; 1204 → twelve oh four; 27 → twenty-seven."""
    if len(digits) not in (3, 4) or digits[0] == "0" or digits[1:].strip("0") == "":
        return cardinal(digits) if len(digits) < 5 else one_by_one(digits)

    front, back = digits[:-2], digits[-2:]

    if back == "00":
        return f"{cardinal(front)} hundred"

    return f"{cardinal(front)} {'oh ' + cardinal(back[1]) if back[0] == '0' else cardinal(back)}"


def letters(text: str) -> str:
    """Letters one by one; an A is tied to what follows, else it is said as the article."""
    return " ".join(text).replace("A ", "A-")


def is_one(digits: str) -> bool:
    """Whether the noun after it stands in the singular."""
    return digits == "1"
