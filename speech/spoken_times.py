"""Clock times, dates, years and ordinals, as they are said. Pure.

A date in digits is read month first, as American English writes it, unless the first number is
above 12 or dots part it. A time of the 24-hour clock is said with AM or PM.
"""

from __future__ import annotations

import re

from atonce.speech.spoken_numbers import MONTHS, cardinal, ordinal, year
from atonce.speech.spoken_rules import VALUE, WORD, Piece, Rule, value, word

# fmt: off
_SHORT_MONTHS = {
    "Jan": 1, "Feb": 2, "Mar": 3, "Apr": 4, "Jun": 6, "Jul": 7, "Aug": 8, "Sep": 9, "Sept": 9,
    "Oct": 10, "Nov": 11, "Dec": 12,
}
_WEEKDAYS = {
    "Mon": "Monday", "Tue": "Tuesday", "Tues": "Tuesday", "Wed": "Wednesday",
    "Thu": "Thursday", "Thur": "Thursday", "Thurs": "Thursday", "Fri": "Friday",
    "Sat": "Saturday", "Sun": "Sunday",
}
# fmt: on
_ANY_WEEKDAY = rf"(?:{'|'.join(sorted({*_WEEKDAYS, *_WEEKDAYS.values()}, key=len, reverse=True))})"
_MONTH = rf"(?P<month>{'|'.join(MONTHS)}|(?:{'|'.join(_SHORT_MONTHS)})\b\.?)"
_DAY = r"(?P<day>0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>1[0-9]\d\d|2[01]\d\d)"
_HALF = r"(?:\s*(?P<half>[AaPp])\.?[Mm]\b)"
_CLOCK = r"(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)"
_DASH = r"\s?[-–—]\s?"
_BEFORE = r"(?<![\w.:/-])"
_AFTER = r"(?![\w:/])(?![.,]\d)"
_LAST_SHORT_YEAR = 49
"""A year of two digits above it is one of the last century."""
# Before one of these a number is a count and no year.
_COUNTED = (
    r"(?!\s(?:people|men|women|children|square|cubic|of\b|percent|million|"
    r"thousand|[a-z]+s\b(?<!is|as))"
    r"|\s?[%°€£$])"
)


def _half(hour: int) -> str:
    return "PM" if 12 <= hour < 24 else "AM"


def _clock_words(hour: int, minute: str, half: str) -> str:
    """9, 05, AM → nine oh five AM; 9, 00 → nine o'clock; 17, 30 → five thirty PM."""
    if minute == "00" and ((hour in (0, 24) and not half) or (hour == 12 and half)):
        return "noon" if half == "PM" else "midnight"

    if not half and (hour > 12 or hour == 0):
        half = _half(hour)

    shown = (hour - 1) % 12 + 1
    minutes = {"0": f" oh {cardinal(minute[1])}"}.get(minute[0], f" {cardinal(minute)}")

    if minute == "00":
        minutes = "" if half else " o'clock"

    return f"{cardinal(str(shown))}{minutes}{' ' + half if half else ''}"


def _clock(match: re.Match[str]) -> str:
    half = f"{match['half'].upper()}M" if match["half"] else ""
    return _clock_words(int(match["hour"]), match["minute"], half)


def _opening(match: re.Match[str]) -> str:
    """9:00–17:00 → nine AM to five PM: the second time tells how the first is meant."""
    opens, closes = int(match["opens"]), int(match["closes"])
    first = _clock_words(opens, match["from"], _half(opens))
    return f"{first} {match['to'].strip(' -–—') or 'to'} {_clock_words(closes, match['until'], '')}"


def _hour(match: re.Match[str]) -> str:
    """9 am, 9am → nine AM; 12 pm → noon."""
    return _clock_words(int(match["hour"]), "00", f"{match['half'].upper()}M")


def _seconds(match: re.Match[str]) -> str:
    hour, minute, second = match[0].split(":")
    return f"{_clock_words(int(hour), minute, '')} and {cardinal(str(int(second)))} seconds"


def _score(match: re.Match[str]) -> str:
    """3:1 → three to one."""
    one, _, other = match["all"].partition(":")
    return f"{cardinal(one)} to {cardinal(other)}"


def _date(month: int, day: str, in_year: str | None) -> str:
    return f"{MONTHS[month - 1]} {ordinal(day)}" + (f", {year(in_year)}" if in_year else "")


def _iso(match: re.Match[str]) -> str:
    """2027-03-01 → March first, twenty twenty-seven."""
    return _date(int(match["month"]), match["day"], match["year"])


def _digits(match: re.Match[str]) -> str | None:
    """12-10-1990 → December tenth, nineteen ninety; 31.12.2026 → December thirty-first."""
    first, second = int(match["first"]), int(match["second"])
    is_day_first = first > 12 or match["sign"] == "."
    day, month = (first, second) if is_day_first else (second, first)

    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None

    short = match["year"]
    century = "" if len(short) == 4 else "19" if int(short) > _LAST_SHORT_YEAR else "20"
    return _date(month, str(day), century + short)


def _day_month(match: re.Match[str]) -> str | None:
    """on 12/24 → on December twenty-fourth."""
    return _date(int(match["month"]), match["day"], None)


def _month(name: str) -> int:
    bare = name.rstrip(".")
    return _SHORT_MONTHS.get(bare) or MONTHS.index(bare) + 1


def _month_day(match: re.Match[str]) -> str:
    """Oct. 18, 2026 → October eighteenth, twenty twenty-six; October 3-5 → third to fifth."""
    until = f" to {ordinal(match['until'])}" if match["until"] else ""
    in_year = f", {year(match['year'])}" if match["year"] else ""
    return f"{MONTHS[_month(match['month']) - 1]} {ordinal(match['day'])}{until}{in_year}"


def _the_day(match: re.Match[str]) -> str:
    """18 October → the eighteenth of October; 3–5 May → the third to fifth of May."""
    until = f" to {ordinal(match['until'])}" if match["until"] else ""
    in_year = f", {year(match['year'])}" if match["year"] else ""
    named = MONTHS[_month(match["month"]) - 1]
    return f"{match['the'] or 'the '}{ordinal(match['day'])}{until} of {named}{in_year}"


def _month_year(match: re.Match[str]) -> str:
    """Oct. 2026 → October twenty twenty-six."""
    return f"{MONTHS[_month(match['month']) - 1]} {year(match['year'])}"


def _year_range(match: re.Match[str]) -> str:
    """1990-95 → nineteen ninety to ninety-five."""
    until = match["until"]
    return f"{year(match['year'])} to {year(until) if len(until) == 4 else cardinal(until)}"


def _decade(match: re.Match[str]) -> str:
    """the 1990s → the nineteen nineties; the '60s → the sixties."""
    words = year(match[1]) if len(match[1]) == 4 else cardinal(match[1])
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


DATES: tuple[Rule, ...] = (
    value(rf"{_BEFORE}{_YEAR}-(?P<month>0[1-9]|1[0-2])-(?P<day>[0-2]\d|3[01])(?![\w-])", _iso),
    value(
        r"(?<![\w/.-])(?P<first>\d{1,2})(?P<sign>[-/.])(?P<second>\d{1,2})(?P=sign)"
        r"(?P<year>(?:1[0-9]|2[01])\d\d|\d\d)(?![\w/-])(?!\.\d)",
        _digits,
    ),
    value(
        r"(?:(?<=\bon )|(?<=\buntil )|(?<=\bthrough )|(?<=day, )|(?<=day ))"
        rf"(?P<month>0?[1-9]|1[0-2])/{_DAY}(?![\w/])",
        _day_month,
    ),
    value(
        rf"\b{_MONTH}\s{_DAY}(?:(?:{_DASH}|\sto\s)(?P<until>[12]?\d|3[01])(?:st|nd|rd|th)?(?![\w:.]\d|\d))?"
        rf"(?:,?\s{_YEAR}\b)?(?![\w:])(?!\.\d)(?!\s?[ap]\.?m\b)",
        _month_day,
    ),
    value(
        rf"(?<![\w.,:/-])(?P<the>\b[Tt]he\s)?{_DAY}"
        rf"(?:{_DASH}(?P<until>[12]?\d|3[01])(?:st|nd|rd|th)?)?\s(?:of\s)?{_MONTH}(?:,?\s{_YEAR})?(?!\w)",
        _the_day,
    ),
    value(rf"\b{_MONTH}\s{_YEAR}(?![\w:-])", _month_year),
    value(r"(?<![\w.,:/])(?<!\d-)['’]?((?:1\d|20)\d0|[2-9]0)s\b", _decade),
)
CLOCK: tuple[Rule, ...] = (
    value(rf"{_BEFORE}(?:[01]?\d|2[0-3]):[0-5]\d:[0-5]\d{_AFTER}", _seconds),
    value(
        rf"{_BEFORE}(?P<opens>0?\d|1[0-2]):(?P<from>[0-5]\d)(?P<to>{_DASH}|\sto\s|\suntil\s)"
        rf"(?P<closes>1[3-9]|2[0-4]):(?P<until>[0-5]\d)(?!{_HALF}){_AFTER}",
        _opening,
    ),
    value(  # 5:00-6:00 pm: the first hour is of the same half
        rf"(?<![\w.:/])(?P<hour>[1-9]|1[0-2]):00(?=(?:{_DASH}|\sto\s)\d\d?:[0-5]\d{_HALF})",
        lambda match: cardinal(match["hour"]),
    ),
    value(
        r"\b(?:scale|ratio|score|odds)(?: of| is| was| are)? (?P<all>\d+:\d+)(?![\w:])",
        lambda match: [Piece(*match.span("all"), _score(match))],
    ),
    value(rf"(?<![\w.:/]){_CLOCK}{_HALF}?{_AFTER}", _clock),
    value(rf"(?<![\w.:/])(?P<hour>0?\d|1[0-2])\.(?P<minute>[0-5]\d){_HALF}{_AFTER}", _clock),
    value(rf"(?<![\w.:/])(?P<hour>[1-9]|1[0-2]){_HALF}{_AFTER}", _hour),
    value(rf"(?<![\w.:/])(?P<hour>[1-9]|1[0-2])(?P<minute>[0-5]\d){_HALF}{_AFTER}", _clock),
    value(r"(?<![\w.:/])(?P<all>\d+:\d+)(?![\w:/])", _score),
)
YEARS: tuple[Rule, ...] = (
    value(r"(?<!\w)['’](\d\d)\b", lambda match: cardinal(match[1])),
    value(
        rf"{_BEFORE}{_YEAR}{_DASH}(?P<until>(?:1\d|2[01])\d\d|\d\d)(?![\w/-]|[.,]\d){_COUNTED}",
        _year_range,
    ),
    value(
        r"(?:(?<=\b[Ii]n )|(?<=\b[Ss]ince )|(?<=\bfrom )|(?<=\buntil )|(?<=year )|(?<=\bc\. ))"
        rf"{_YEAR}(?![\w/-]|[.,]\d)",
        lambda match: year(match["year"]),
    ),
    value(
        rf"(?<![\w.,:/$£€#])(?<!\d-)(?P<year>1[5-9]\d\d|20\d\d)(?![\w/]|[.,]\d|-\w){_COUNTED}",
        lambda match: year(match["year"]),
    ),
    value(r"(?<![\w.,])(\d{1,3}(?:,\d{3})+|\d+)(?:st|nd|rd|th)\b", lambda match: ordinal(match[1])),
)
WEEKDAYS: tuple[Rule, ...] = (
    # Wed, Sat and Sun are words of their own: they need a day or an hour beside them.
    word(
        r"\b(Mon|Tues?|Thu(?:rs?)?|Fri)\b(?!['’])(?:\.(?=\s[a-z\d]))?",
        lambda match: _WEEKDAYS[match[1]],
    ),
    word(
        rf"\b({'|'.join(_WEEKDAYS)})\b\.?"
        rf"(?=(?:{_DASH}|,\s|,?\s(?:to|and|or|through|&)\s){_ANY_WEEKDAY}\b|:?,?\s[\d{VALUE}])",
        lambda match: _WEEKDAYS[match[1]],
    ),
    word(
        rf"(?<=[y{WORD}])((?:{_DASH}|,\s|,?\s(?:to|and|or|through|&)\s))({'|'.join(_WEEKDAYS)})\b",
        lambda match: [Piece(*match.span(2), _WEEKDAYS[match[2]])],
    ),
    word(
        rf"(?:(?<=day|ary|rch|ril|May|une|uly|ust|ber)|(?<={WORD}))"
        rf"{_DASH}(?={_ANY_WEEKDAY}|{'|'.join(MONTHS)}|{WORD})",
        " to ",
    ),
)
