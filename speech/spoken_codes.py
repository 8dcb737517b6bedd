"""Phone numbers, room numbers, codes, addresses and identifiers, as they are said. Pure.

A phone number is said digit by digit, each digit standing for itself, so that a reply cut short
tells which digits were heard.
"""

from __future__ import annotations

import re
from dataclasses import replace

from atonce.speech.spoken_numbers import cardinal, letters, of_a_door, one_by_one
from atonce.speech.spoken_rules import Piece, Rule, value, word

_DOMAINS = (
    "com|org|net|edu|gov|info|museum|museums|io|eu|de|fr|uk|ie|at|ch|nl|es|it|be|dk|se|no|fi|pl|pt|ca|au|nz|"
    "us|in|jp|cn|br|za|app|dev|ai|tv|me|biz|travel|shop|hotel|cafe|events|tickets|test|example"
)
_FILES = (
    "txt|md|pdf|py|js|ts|html|css|json|ya?ml|toml|csv|tsv|xlsx?|docx?|png|jpe?g|svg|mp[34]|wav|zip"
)
_DOORS = (
    "room|rooms|suite|apartment|apt\\.?|flat|gate|bus|buses|tram|train|flight|route|highway|"
    "interstate|platform|track|locker|unit|table|booth|stand|bay|seat|studio|office|cabin|line|"
    "hall|desk|counter|exit|door|bed|ward"
)
_DIGIT_WISE = (
    "post ?code|zip(?: code)?|pin(?: code)?|passcode|password|code|extension|ext\\.|account|"
    "reference|booking|order|ticket|invoice|serial|confirmation"
)
_STREETS = (
    "Street|St|Road|Rd|Avenue|Ave|Boulevard|Blvd|Lane|Ln|Drive|Dr|Square|Sq|Court|Place|Way|"
    "Terrace|Highway|Hill"
)
_CALL = r"(?:[Cc]all|[Dd]ial|[Rr]ing|[Pp]hone|[Tt]ext|[Tt]el\.?|[Ff]ax)"
_MARKS = {".": "dot", "-": "dash", "_": "underscore", "@": "at", "/": "slash", "+": "plus"}
# "100-2000 visitors" are no phone number.
_UNCOUNTED = (
    r"(?!\s(?!(?:is|was|has|as|this|always|unless|across)\b)"
    r"(?:[a-z]+s|people|men|women|children)\b)"
)
_PHONE = (
    r"\+\d{1,3}[ -]?(?:\(\d{1,4}\)[ -]?)?(?:\d{2,4}[ -]){1,4}\d{2,4}"
    r"|(?:\d{1,2}[ -])?\(\d{2,5}\)[ -]?\d{3,4}[ -]?\d{3,4}"
    r"|(?:\d{1,2}[ -])?(?:\d{3,4}[ -]){2}\d{4}|\d{3}\.\d{3}\.\d{4}"
    rf"|(?:\d{{3}}[ -]|\d{{4}} )\d{{4}}{_UNCOUNTED}"
    r"|0\d{2,4}(?:[ -]\d{3,4}){1,3}|0\d{6,11}|\+\d{8,14}"
)


def _phone(match: re.Match[str]) -> list[Piece]:
    """555 0142 → five five five, zero one four two: a short pause between the groups."""
    start = match.start("phone")
    found = []

    for digit in re.finditer(r"(\D*)(\d)(?=(\D)?)", match["phone"]):
        plus = "plus " if "+" in digit[1] else ""
        pause = "," if digit[3] else ""
        said = f"{plus}{one_by_one(digit[2])}{pause} "
        found.append(Piece(start + digit.start(), start + digit.end(), said, is_tied=True))

    return _ended(found)


def _ended(found: list[Piece]) -> list[Piece]:
    return [*found[:-1], replace(found[-1], is_tied=False)]


def _digits(match: re.Match[str]) -> list[Piece]:
    """postcode 10115 → one zero one one five."""
    start = match.start("digits")
    return _ended(
        [
            Piece(place, place + 1, one_by_one(character) + " ", is_tied=True)
            for place, character in enumerate(match["digits"], start)
        ]
    )


def _door(match: re.Match[str]) -> list[Piece]:
    """room 304 → three oh four."""
    return [Piece(*match.span("door"), of_a_door(match["door"]))]


def _code(match: re.Match[str]) -> str:
    """B27 → B twenty-seven; B304 → B three oh four; X7K9 → X seven K nine."""
    return _mixed(match[0])


def _mixed(text: str) -> str:
    """Letters and digits in turn, the hyphens between them left out."""
    runs = re.findall(r"[^\W\d_]+|\d+", text)
    said = " ".join(_run(run, is_long=len(runs) > 2) for run in runs)
    return said.replace("A ", "A-") if runs[:1] == ["A"] or len(runs) > 2 else said


def _run(run: str, *, is_long: bool) -> str:
    if run[0].isdigit():
        return one_by_one(run) if is_long or len(run) > 4 else of_a_door(run)

    return letters(run) if run.isupper() and len(run) < 4 else run


def _address(match: re.Match[str]) -> str:
    """info@museum.org → info at museum dot org."""
    return _spell(match["address"])


def _web(match: re.Match[str]) -> str:
    """https://www.museum.org/visit?x=1 → museum dot org slash visit."""
    path = match["path"] or ""
    plain_path = re.fullmatch(r"((?:/[A-Za-z][A-Za-z-]{0,20}){0,2})/?", path)
    return _spell(match["host"] + (plain_path[1] if plain_path else ""))


def _spell(address: str) -> str:
    """Words as words, digits as numbers, marks by their names."""
    parts = re.findall(r"[A-Za-zÀ-ÿ]+|\d+|\S", address)
    said = (_MARKS.get(part) or (of_a_door(part) if part.isdigit() else part) for part in parts)
    return " ".join(said)


def _version(match: re.Match[str]) -> str:
    """v2.0.1 → version two point zero point one; 192.168.0.1 digit by digit."""
    parts = match["parts"].split(".")

    if len(parts) == 4 and not match["v"]:
        return " dot ".join(map(one_by_one, parts))

    return ("version " if match["v"] else "") + " point ".join(map(cardinal, parts))


def _identifier(match: re.Match[str]) -> str:
    """my_file_name → my file name; __init__ → init; room_12 → room twelve."""
    return " ".join(
        _mixed(part) if re.search(r"\d", part) else part for part in match[0].split("_")
    )


ADDRESSES: tuple[Rule, ...] = (
    word(
        r"(?<![\w.+-])(?:mailto:)?(?P<address>[\w.+-]*\w@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,})(?!\w)",
        _address,
    ),
    word(
        r"(?:https?|ftp)://(?:www\.)?(?P<host>[^\s/?#:)>\]]+)(?::\d+)?(?P<path>/[^\s?#)>\],]*?)?(?:[?#][^\s)>\]]*)?"
        r"(?=[.,;:!?]*(?:[\s)>\]]|$))",
        _web,
    ),
    word(
        rf"(?<![\w@.-])(?:www\.)?(?P<host>(?:[\w-]+\.)+(?:{_DOMAINS}))\b(?P<path>/[\w/-]*)?(?![\w@-]|\.[a-z])",
        _web,
    ),
    word(rf"(?<![\w@.-])(?P<address>[\w-]+(?:\.[\w-]+)*\.(?:{_FILES}))(?![\w@]|\.\w)", _address),
    word(r"(?<![\w@.])@(?=[A-Za-z_])", " at "),
    word(r"(?<![\w#&])#(?=[A-Za-z])", "hashtag "),
    word(r"(?<!\w)\.NET\b", "dot NET"),
    word(r"\b(?P<name>[A-G]|[Ff])#(?!\w)", lambda match: f"{match['name']} sharp"),
    word(r"\bC\+\+", "C plus plus"),
    word(r"(?<!\w)(?=\w*_)\w+", _identifier),
    word(r"(?<![\w/.~])(?P<address>[~.]{0,2}(?:/[\w.-]*\w){2,}/?)", _address),
)
VERSIONS: tuple[Rule, ...] = (
    value(r"(?<![\w.])(?P<v>[vV])?\.?(?P<parts>\d+(?:\.\d+){2,})(?![\w]|\.\d)", _version),
    value(r"(?<![\w.])(?P<v>[vV])(?P<parts>\d+(?:\.\d+)?)(?![\w]|\.\d)", _version),
)
PHONES: tuple[Rule, ...] = (
    value(r"(?<![\w./-])(?P<phone>\d(?:-\d){2,3})(?![\w/-]|[.,]\d)", _phone),
    value(rf"(?<![\w$£€.,/-])(?P<phone>{_PHONE})(?![\w/-]|[.,]\d)(?!\s?[%°€£$])", _phone),
    value(
        rf"\b{_CALL}(?::| us)?(?: at| on)? (?P<digits>\d{{3,12}})"
        rf"(?![\w.,:/-]\d|\w|[-:/]){_UNCOUNTED}",
        _digits,
    ),
)
DOORS: tuple[Rule, ...] = (
    value(
        rf"\b(?:{_DIGIT_WISE})(?: number| no\.| code)?(?: is|:)? #?(?P<digits>\d{{3,19}})"
        r"(?![\w.,:/-]\d|\w)",
        _digits,
        flags=re.IGNORECASE,
    ),
    value(
        rf"\b(?:{_DOORS})(?: number| no\.)? #?(?:[A-Z]{{2}} )?(?P<door>\d{{3,5}})"
        r"(?![\w:/]|[.,]\d)",
        _door,
        flags=re.IGNORECASE,
    ),
    value(
        rf"(?<![\w.,:/$£€-])(?P<door>\d{{3,5}})"
        rf"(?= (?:[NSEW]\.? )?(?:[A-Z][a-z]+ ){{1,2}}(?:{_STREETS})\b)",
        _door,
    ),
)
CODES: tuple[Rule, ...] = (
    value(r"\bWW(?:(1|I)|2|II)\b", lambda match: f"World War {'one' if match[1] else 'two'}"),
    value(r"(?<![\w.,/])[A-Z]{1,3}-?\d{1,4}(?![\w-]|[.,]\d)", _code),
    value(r"(?<![\w.,/])(?<!\d-)(?=\w*\d)(?=\w*[A-Za-z])[A-Za-z\d]{2,}(?![\w]|[.,]\d)", _code),
)
