"""Money, measures, percents, fractions, sums and plain numbers, as they are said. Pure."""

from __future__ import annotations

import re

from atonce.speech.spoken_numbers import NUMBER, cardinal, is_one, ordinal
from atonce.speech.spoken_rules import VALUE, Piece, Rule, value, word

_CURRENCIES = {
    "$": ("dollar", "cent"),
    "£": ("pound", "penny"),
    "€": ("euro", "cent"),
    "¥": ("yen", ""),
    "USD": ("dollar", "cent"),
    "EUR": ("euro", "cent"),
    "GBP": ("pound", "penny"),
}
_SCALES = {"k": "thousand", "m": "million", "bn": "billion", "b": "billion"}
_PLURALS = {"penny": "pence", "foot": "feet", "inch": "inches", "yen": "yen"}
# As written → the unit in the singular. A trailing "per …" stays as it is in the plural.
# fmt: off
_UNITS = {
    "km": "kilometer", "m": "meter", "cm": "centimeter", "mm": "millimeter", "mi": "mile",
    "ft": "foot", "yd": "yard", "yds": "yard", "nm": "nanometer", "ha": "hectare",
    "kg": "kilogram", "g": "gram", "mg": "milligram", "lb": "pound", "lbs": "pound",
    "oz": "ounce", "l": "liter", "L": "liter", "cl": "centiliter", "ml": "milliliter",
    "mL": "milliliter", "h": "hour", "hr": "hour", "hrs": "hour", "min": "minute",
    "mins": "minute", "s": "second", "sec": "second", "secs": "second", "ms": "millisecond",
    "wk": "week", "wks": "week", "yr": "year", "yrs": "year", "mo": "month",
    "km/h": "kilometer per hour", "kph": "kilometer per hour", "mph": "mile per hour",
    "m/s": "meter per second", "kcal": "kilocalorie", "cal": "calorie", "W": "watt",
    "kW": "kilowatt", "MW": "megawatt", "kWh": "kilowatt hour", "V": "volt", "Hz": "hertz",
    "kHz": "kilohertz", "MHz": "megahertz", "GHz": "gigahertz", "KB": "kilobyte",
    "kB": "kilobyte", "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte", "dB": "decibel",
    "Mbps": "megabit per second", "Mbit/s": "megabit per second",
    "sq ft": "square foot", "sq m": "square meter", "sqm": "square meter",
    "m²": "square meter", "m2": "square meter", "km²": "square kilometer", "ft²": "square foot",
    "m³": "cubic meter", "m3": "cubic meter", "cm³": "cubic centimeter",
    "°C": "degree Celsius", "°F": "degree Fahrenheit", "°": "degree", "℃": "degree Celsius",
    "%": "percent", "‰": "per mille", "¢": "cent", "p": "penny", "px": "pixel",
}
# fmt: on
_UNIT = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
# fmt: off
_VULGAR = {
    "½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5),
    "⅛": (1, 8), "⅜": (3, 8), "⅝": (5, 8), "⅞": (7, 8), "⅙": (1, 6),
}
_SIGNS = {
    "+": "plus", "-": "minus", "−": "minus", "–": "minus", "*": "times", "×": "times",
    "x": "times", "·": "times", "/": "divided by", "÷": "divided by", ":": "divided by",
    "^": "to the power of", "=": "equals", "≈": "is about", "<": "is less than",
    ">": "is more than", "≤": "is at most", "≥": "is at least", "≠": "is not",
}
# fmt: on
_HALVED = (" price", " day", " hour", " board", " an ", " a ")
"""After one half, these are said with "half": half price, half an hour."""
_START = r"(?<![\w#])(?<!\d[.,])"
_END = r"(?![\w])(?![.,]\d)"
_MINUS = rf"(?P<minus>(?<![\w.%°)\]{VALUE}])[-−])?"


def _with_point(number: str) -> str:
    """7,5 → 7.5: a comma before one or two last digits stands for the point."""
    return re.sub(r"^(\d+),(\d{1,2})$", r"\1.\2", number)


def _counted(number: str, unit: str) -> str:
    """1 → minute; 30 → minutes; miles per hour."""
    if is_one(number) or unit.endswith(("percent", "per mille", "hertz")):
        return unit

    first, blank, rest = unit.partition(" ")

    if first in ("square", "cubic", "kilowatt"):
        return f"{first} {_counted(number, rest)}"

    return _PLURALS.get(first, first + "s") + blank + rest


def _money(match: re.Match[str]) -> str:
    """$14.50 → fourteen dollars fifty; $9-12 → nine to twelve dollars; $75 million."""
    unit, small = _CURRENCIES[match["sign"].strip()]
    amount = _with_point(match["whole"])
    whole, _, cents = amount.partition(".")
    scale, until = match["scale"] or "", match["until"]
    minus = "minus " if match["minus"] else ""

    if until:
        return f"{minus}{cardinal(amount)} to {cardinal(until)} {_counted(until, unit)}"

    if scale:
        named = _SCALES.get(scale.lower(), scale)
        return f"{minus}{cardinal(amount)} {named} {_counted('2', unit)}"

    return minus + _price(whole.replace(",", "") or "0", cents, unit, small)


def _price(whole: str, cents: str, unit: str, small: str) -> str:
    if len(cents) not in (0, 2):
        return f"{cardinal(f'{whole}.{cents}')} {_counted('2', unit)}"

    front = f"{cardinal(whole)} {_counted(whole, unit)}"

    if not cents.strip("0"):
        return front

    if not whole.strip("0"):
        return f"{cardinal(cents.lstrip('0'))} {_counted(cents.lstrip('0'), small)}"

    if cents[0] == "0":
        return f"{front} and {cardinal(cents[1])} {_counted(cents[1], small)}"

    return f"{front} {cardinal(cents)}"


def _money_behind(match: re.Match[str]) -> str:
    """14.50 € → fourteen euros fifty."""
    unit, small = _CURRENCIES[match["sign"]]
    whole, _, cents = _with_point(match["whole"]).partition(".")
    return _price(whole.replace(",", ""), cents, unit, small)


def _measure(match: re.Match[str]) -> str:
    """30 min → thirty minutes; a 5-km walk → five-kilometer; 20% → twenty percent."""
    minus = "minus " if match["minus"] else ""
    number = _with_point(match["number"])
    unit = _UNITS[match["unit"]]

    if match["tie"] == "-":
        return f"{minus}{cardinal(number)}-{unit.replace(' ', '-')}"

    return f"{minus}{cardinal(number)} {_counted(number, unit)}"


def _sizes(match: re.Match[str]) -> str:
    """3 x 4 m → three by four meters."""
    numbers = re.split(r"\s?[x×]\s?", match["sizes"])
    unit = f" {_counted(numbers[-1], _UNITS[match['unit']])}" if match["unit"] else ""
    return " by ".join(map(cardinal, numbers)) + unit


def _height(match: re.Match[str]) -> str:
    """5'10" → five foot ten."""
    return f"{cardinal(match[1])} foot {cardinal(match[2])}"


def _part(upper: int, lower: int, whole: str = "") -> str:
    """1, 2 → one half; 3, 4 → three quarters; 1, 2 after 1 → one and a half."""
    name = {2: "half", 4: "quarter"}.get(lower) or ordinal(str(lower))
    many = {"half": "halves"}.get(name, name + "s")
    front = f"{cardinal(whole)} and " if whole else ""

    if upper == 1:
        return f"{front}{'a' if whole else 'one'} {name}"

    return f"{front}{cardinal(str(upper))} {many}"


def _fraction(match: re.Match[str]) -> str | None:
    """3/4 → three quarters; 1 1/2 → one and a half; 7/12 stars stay out of twelve."""
    upper, lower = int(match["upper"]), int(match["lower"])

    if match["of"]:
        return f"{cardinal(match['upper'])} out of {cardinal(match['lower'])}{match['of']}"

    if 0 < upper < lower and lower in {*range(2, 11), 12, 16, 20, 100}:
        said = _part(upper, lower, match["whole"] or "")
        is_bare = _follows_article(match) or match.string.startswith(_HALVED, match.end())
        return said.removeprefix("one ") if is_bare and not match["whole"] else said

    return None if match["whole"] else f"{cardinal(match['upper'])} {cardinal(match['lower'])}"


def _vulgar(match: re.Match[str]) -> str:
    said = _part(*_VULGAR[match[2]], match[1])
    return said.removeprefix("one ") if _follows_article(match) else said


def _follows_article(match: re.Match[str]) -> bool:
    return bool(re.search(r"\b[Aa]\s$", match.string[: match.start()]))


def _sum(match: re.Match[str]) -> list[Piece]:
    """2 * 3 = 6 → two times three equals six, each for its own sign."""
    found = []

    for part in re.finditer(rf"{NUMBER}|[a-z]\b|\S", match[0]):
        text = part[0]
        said = _SIGNS.get(text) if not text[0].isalnum() or text == "x" else text

        if text == "x" and (match[0][: part.start()].rstrip()[-1:] or "=") in "=+-−–*×/÷":
            said = "x"  # a name, not a sign

        said = cardinal(text) if text[0].isdigit() else said or text
        start, end = (match.start() + place for place in part.span())
        found.append(Piece(start, end, f" {said} ", is_tied=part.end() < len(match[0])))

    return found


def _plain(match: re.Match[str]) -> str:
    number = _with_point(match["number"])
    return ("minus " if match["minus"] else "") + cardinal(number)


_TERM = rf"(?:{NUMBER}|[a-z]\b)"
_OPERATOR = r"\s?[-+*×x·/÷^−–]\s?"
_DECIMAL_COMMA = rf"(?P<number>\d+,\d{{1,2}}(?!\d)|{NUMBER})"

SUMS: tuple[Rule, ...] = (
    value(rf"{_START}{_TERM}(?:{_OPERATOR}{_TERM})*\s?[=≈]\s?[-−]?{NUMBER}{_END}", _sum),
    value(
        rf"{_START}{NUMBER}(?:\s[+×÷]\s{NUMBER}|[+×÷^]\s?{NUMBER}|\s[*/]\s{NUMBER})+{_END}", _sum
    ),
    value(rf"{_START}{_TERM}\s?[<>≤≥≠]\s?{NUMBER}{_END}", _sum),
)
MONEY: tuple[Rule, ...] = (
    value(
        rf"{_MINUS}(?:\b(?:US|CA|AU|NZ)(?=\$))?(?P<sign>[$£€¥]|\b(?:USD|EUR|GBP)\s)\s?(?P<whole>\.\d\d|\d+,\d\d(?!\d)|{NUMBER})"
        r"(?:\s?[-–—]\s?(?P<until>(?:\d{1,3}(?:,\d{3})+|\d+))(?![\d.,]*\d)(?!\s?[%°]))?"
        rf"(?:\s?(?P<scale>thousand|million|billion|trillion|[kKmM]|bn)\b)?{_END}",
        _money,
    ),
    value(
        rf"{_START}(?P<whole>\d+,\d\d(?!\d)|{NUMBER})\s?(?P<sign>[€£¥$]|(?:USD|EUR|GBP)\b)",
        _money_behind,
    ),
)
MEASURES: tuple[Rule, ...] = (
    value(rf"{_START}(\d)['\u2032](\d\d?)(?:\"|\u2033|'')?(?!\w)", _height),
    value(
        rf"{_START}(?P<sizes>{NUMBER}(?:\s?[x×]\s?{NUMBER})+)(?:\s?(?P<unit>{_UNIT}))?{_END}",
        _sizes,
    ),
    value(rf"(?<![\w.,/])(\d*)\s?([{''.join(_VULGAR)}])", _vulgar),
    value(
        rf"{_START}{_MINUS}{_DECIMAL_COMMA}(?P<tie>\s?|-)(?P<unit>(?<=\d)p|(?!p\b)(?:{_UNIT}))"
        r"(?![\w/]|-[A-Za-z])(?!\.\w)",
        _measure,
    ),
    value(r"\b24-7\b", lambda _match: "twenty-four seven"),
    value(
        r"(?<![\w.,/-])(?:(?P<whole>\d+) )?(?P<upper>\d{1,3})/(?P<lower>\d{1,3})"
        r"(?P<of> stars?| points?)?(?![\w/]|[.,]\d)",
        _fraction,
    ),
)
PLAIN: tuple[Rule, ...] = (
    value(rf"{_START}{_MINUS}{_DECIMAL_COMMA}(?![\d])", _plain),
    value(r"\d+", lambda match: f" {cardinal(match[0])} "),
    value(rf"()([{''.join(_VULGAR)}])", lambda match: f" {_vulgar(match)} "),
)
RANGES: tuple[Rule, ...] = (
    word(rf"(?<=[{VALUE}])\.?\s?[-–—]\s?(?=[{VALUE}])", " to "),
    word(rf"(?<=[{VALUE}])\+", " plus "),
    word(rf"(?<=[{VALUE}])\s?[x×]\s?(?=[{VALUE}])", " times "),
    word(
        rf"(?<=[{VALUE}])\s?/\s?(?P<unit>km|kg|hr|h|min|m|l|mi|lb|g|s)\b",
        lambda match: f" per {_UNITS[match['unit']]} ",
    ),
    word(rf"(?<=[{VALUE}])\s?[★⭐*](?!\w)", " star "),
    word(r"[★⭐]{2,5}", lambda match: f" {cardinal(str(len(match[0])))} stars "),
)
