"""Written text → text that the voice says as a host would. Pure.

Only what Piper says wrongly is rewritten (each was spoken, transcribed back and compared): money,
round minutes, ranges, phone numbers, days in digits, titles, markup. Plain numbers, dates, times
such as 9:30 am and addresses it says well by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_CURRENCIES = {"$": ("dollar", "cent"), "£": ("pound", "penny"), "€": ("euro", "cent")}
_PLURALS = {"penny": "pence"}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_TITLES = {"Dr": "Doctor", "Mr": "Mister", "Mrs": "Missus", "St": "Saint", "Prof": "Professor"}


def speakable(text: str) -> str:
    """The text as it is given to the synthesizer."""
    for pattern, spoken in _RULES:
        text = pattern.sub(spoken, text)

    return " ".join(text.split())


def _money(match: re.Match[str]) -> str:
    """$14.50 → 14 dollars 50; $0.75 → 75 cents; $3 million → 3 million dollars."""
    whole, cents, scale = match["whole"].replace(",", ""), match["cents"], match["scale"]
    unit, small = _CURRENCIES[match["sign"]]

    if scale:
        number = f"{whole}.{cents}" if cents else whole
        return f"{number} {scale} {unit}s"

    if not cents or cents == "00":
        return f"{whole} {_counted(unit, int(whole))}"

    if int(whole) == 0:
        return f"{int(cents)} {_counted(small, int(cents))}"

    return f"{whole} {_counted(unit, int(whole))} {int(cents)}"


def _counted(unit: str, number: int) -> str:
    return unit if number == 1 else _PLURALS.get(unit, unit + "s")


def _clock(match: re.Match[str]) -> str:
    """9:05 → 9 oh 5; 9:00 am → 9 am; 17:00 → 17 hundred is said as 17 o'clock."""
    hour, minute, half = int(match["hour"]), match["minute"], match["half"] or ""

    if minute == "00":
        return f"{hour}{half}" if half else f"{hour} o'clock"

    return f"{hour} oh {minute[1]}{half}"


def _digits(match: re.Match[str]) -> str:
    """555 0142 → 5 5 5, 0 1 4 2: digit by digit, a short pause between the groups."""
    return ", ".join(" ".join(group) for group in re.findall(r"\d+", match[0]))


def _day(match: re.Match[str]) -> str:
    """2027-03-01 → March 1, 2027."""
    year, month, day = match.groups()
    return f"{_MONTHS[int(month) - 1]} {int(day)}, {year}"


_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str] | str], ...] = (
    # Markup that should not be there: **bold**, `code`, # heading, [text](address).
    (re.compile(r"\[([^\]]+)\]\([^)]*\)"), r"\1"),
    (re.compile(r"(\*\*|__|`+)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?m)^\s*(?:#{1,6}|[-*•])\s+"), ""),
    # A day as computers write it, before its hyphens are taken for ranges.
    (re.compile(r"(?<![\d-])(\d{4})-(0[1-9]|1[0-2])-([0-2]\d|3[01])(?![\d-])"), _day),
    # A phone number ends in four digits. Two groups of four with a hyphen are years or pages.
    (
        re.compile(
            r"(?<![\d$£€.,-])"
            r"(?:\+\d{1,3}[ -](?:\d{2,4}[ -]){1,3}|(?:\d{1,2}[ -])?(?:\d{3,4}[ -]){2}"
            r"|\d{3}[ -]|\d{4} )\d{4}(?![\d-]|[.,]\d)"
        ),
        _digits,
    ),
    # Ranges: 9-5, 4–6, Monday–Friday.
    (re.compile(r"(?<=\d)\s?[-–]\s?(?=[$£€]?\d)"), " to "),
    (re.compile(r"(?<=\w)\s?–\s?(?=\w)"), " to "),
    # Money; "$10-$12" and "$10 to $12" are two amounts.
    (
        re.compile(
            r"(?P<sign>[$£€])(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?:\.(?P<cents>\d{2}|\d(?=\s*[mb]illion)))?"
            r"(?:\s*(?P<scale>thousand|million|billion))?(?!\d)"
        ),
        _money,
    ),
    # $5/person; 24/7.
    (re.compile(r"(?<=[a-z\d])/(?=(?:person|adult|child|hour|day|week|month|year)\b)"), " per "),
    (re.compile(r"\b24/7\b"), "24 7"),
    # Times that Piper reads as 905 or 900.
    (
        re.compile(
            r"\b(?P<hour>[01]?\d|2[0-3]):(?P<minute>0\d)(?P<half>\s*[ap]\.?m\b\.?)?(?!\d)",
            re.IGNORECASE,
        ),
        _clock,
    ),
    (
        re.compile(r"\bDr\.?(?=\s[A-Z])|\b(?:Mr|Mrs|St|Prof)\.(?=\s[A-Z])"),
        lambda match: _TITLES[match[0].rstrip(".")],
    ),
    (re.compile(r"\b[Nn]o\.\s?(?=\d)"), "number "),
    (re.compile(r"#(?=\d)"), "number "),
    (re.compile(r"~\s?(?=[$£€]?\d)"), "about "),
    (re.compile(r"\be\.g\.,?"), "for example"),
    (re.compile(r"\bi\.e\.,?"), "that is"),
    (re.compile(r"\s&\s"), " and "),
    # Pictures are not said.
    (re.compile("[\u2600-\u27bf\U0001f000-\U0001faff\ufe0f]"), " "),
)
