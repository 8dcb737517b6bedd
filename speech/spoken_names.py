"""Titles, abbreviations, Roman numerals and signs, as they are said. Pure.

A title or an abbreviation that stands inside a sentence takes its dot along. One that may end a
sentence leaves the dot to whoever ends it.
"""

from __future__ import annotations

import re
import unicodedata

from atonce.speech.spoken_numbers import cardinal, ordinal
from atonce.speech.spoken_rules import VALUE, WORD, Piece, Rule, word

# fmt: off
_TITLES = {
    "Dr": "Doctor", "Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Drs": "Doctors", "St": "Saint",
    "Prof": "Professor", "Mt": "Mount",
}
_TITLES_WITH_DOT = {
    "Rev": "Reverend", "Capt": "Captain", "Sgt": "Sergeant", "Lt": "Lieutenant",
    "Col": "Colonel", "Gen": "General", "Gov": "Governor", "Sen": "Senator",
    "Pres": "President", "Ft": "Fort", "Hon": "Honorable",
}
_STREETS = {
    "St": "Street", "Ave": "Avenue", "Rd": "Road", "Blvd": "Boulevard", "Ln": "Lane",
    "Dr": "Drive", "Sq": "Square", "Ct": "Court", "Pl": "Place", "Hwy": "Highway",
}
# fmt: on
_SIDES = {"N": "North", "S": "South", "E": "East", "W": "West"}
# fmt: off
_OPEN = {
    "approx": "approximately", "incl": "including", "excl": "excluding", "vs": "versus",
    "cf": "compare", "e.g": "for example", "i.e": "that is", "a.k.a": "also known as",
}
_BEFORE_NUMBERS = {
    "no": "number", "nos": "numbers", "max": "maximum", "min": "minimum", "fig": "figure",
    "vol": "volume", "op": "opus", "ch": "chapter", "sec": "section", "pp": "pages", "p": "page",
    "c": "circa", "ca": "circa", "est": "established", "ext": "extension",
    "apt": "apartment", "tel": "telephone",
}
_CLOSED = {
    "etc": "et cetera", "Jr": "Junior", "Sr": "Senior", "Inc": "Incorporated",
    "Ltd": "Limited", "Co": "Company", "Corp": "Corporation", "dept": "department",
    "Dept": "Department", "govt": "government", "Bros": "Brothers", "hrs": "hours",
}
# fmt: on
OPEN_ABBREVIATION = re.compile(
    rf"\b(?:{'|'.join(map(re.escape, (*_OPEN, *_BEFORE_NUMBERS)))}"
    r"|Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun)\.,?\s+$",
    re.IGNORECASE,
)
"""The end of a text after which the sentence goes on, if no capital follows."""
_COUNTED = (
    "war|chapter|part|act|scene|volume|book|phase|type|level|stage|class|grade|article|section|"
    "title|appendix|figure|table|bowl|wars|unit|hall|gate|episode|series|mark|tier|division|group|"
    "category|fantasy|olympiad|wing|platform|room|line|zone|version|step|apollo"
)
_REGNAL = (
    "Charles|Henry|Elizabeth|James|Francis|Napoleon|Richard|William|Edward|George|Philip|Peter|"
    "Catherine|Nicholas|Alexander|Leopold|Otto|Frederick|Franz|Josef|Joseph|Mary|Karl|Ludwig|Louis|"
    "Gustav|Christian|Harald|Ferdinand|Isabella|Maximilian|Wilhelm|Victor|Emmanuel|Umberto|Pius|"
    "Leo|Benedict|Ramses|Ramesses|Darius|Xerxes|Cyrus|John|Juan|Carlos|Albert|Ivan|Stephen|Robert|"
    "Ptolemy|Rudolf|Sigismund|Gregory|Clement|Innocent|Urban|Constantine|Paul"
)
_ROMAN = r"(?P<roman>(?=[IVX]+\b)X{0,3}(?:IX|IV|V?I{0,3}))(?!\w)"
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10}
_NOT_ME = (
    r"(?!['’]|\s(?:am|have|had|will|would|can|could|think|do|did|know|like|want|need|see|saw)\b)"
)
_LETTERED = (
    "section|gate|hall|room|line|zone|level|platform|block|wing|group|building|terminal|row|"
    "entrance|exit|pier|option|plan|vitamin|door|stand|lot"
)
# fmt: off
_SIGNS = {
    "&": " and ", "=": " equals ", "±": " plus or minus ", "≈": " about ", "→": " to ",
    "⇒": " to ", "©": " copyright ", "§": " section ", "×": " times ", "÷": " divided by ",
    "≥": " at least ", "≤": " at most ", "≠": " is not ", "✓": " yes ", "✔": " yes ", "✗": " no ",
    "✅": " yes ", "❌": " no ", "°": " degrees ", "%": " percent ", "€": " euro ",
    "£": " pound ", "$": " dollar ", "¢": " cent ", "№": " number ", "²": " squared ",
    "³": " cubed ", "•": ", ", "·": ", ", "|": ", ", ";": ";", "+": " plus ", "@": " at ",
}
# fmt: on
_SILENT = set('"“”„«»*_`~{}[]<>^\\#')
_HTML = "a|b|i|u|s|em|strong|br|p|span|div|ul|ol|li|h[1-6]|hr|code|pre|sub|sup|small|mark"
_PERIODS = (
    "person|adult|child|hour|day|week|month|year|night|head|group|ticket|visitor|student|family|"
    "minute|second|hr|h"
)


def _title(match: re.Match[str]) -> list[Piece]:
    """Dr. Smith → Doctor Smith, in one breath."""
    title = _TITLES.get(match["title"] or "") or _TITLES_WITH_DOT[match["dotted"]]
    return [Piece(*match.span(), title, is_tied=True)]


def _street(match: re.Match[str]) -> list[Piece]:
    """12 Main St. North → Street; its dot goes, where the sentence goes on."""
    return [Piece(match.start("street"), match.end(), _STREETS[match["street"]])]


def _letters(match: re.Match[str]) -> str:
    """U.S. → US, p.m. → PM, Ph.D. → PhD; the last dot may end the sentence."""
    bare = match[0].replace(".", "").replace(" ", "")
    return bare.upper() if bare in ("am", "pm") else bare


def _roman(match: re.Match[str]) -> str:
    values = [_ROMAN_VALUES[letter] for letter in match["roman"]]
    pairs = zip(values, [*values[1:], 0], strict=True)
    return str(sum(-one if one < other else one for one, other in pairs))


def _counted(match: re.Match[str]) -> list[Piece]:
    """World War II → two."""
    return [Piece(*match.span("roman"), cardinal(_roman(match)))]


def _regnal(match: re.Match[str]) -> list[Piece]:
    """Henry VIII → the eighth."""
    return [Piece(*match.span("roman"), f"the {ordinal(_roman(match))}")]


def _sign(match: re.Match[str]) -> str | None:
    """A sign's name; nothing for pictures, quotation marks and what is left of markup."""
    sign = match[0]

    if sign in _SIGNS:
        return _SIGNS[sign]

    kind = unicodedata.category(sign)
    is_silent = kind[0] == "C" or kind in ("So", "Sk", "Me") or sign in _SILENT
    return " " if is_silent or sign in "\ufe0e\ufe0f" else None


LEFTOVERS: tuple[Rule, ...] = (
    word(rf"</?(?:{_HTML})\b[^<>]*>", " ", flags=re.IGNORECASE),
    word(r"(?<!\S)\[[ xX]\](?=\s)|\[\^?\d{1,3}\](?!\w)", " "),
    word(r"(?<!\S)(?:[:;=8][-']?[()DPpO/\\|]|<3|\^_?\^|:\*)(?=[\s.,!?]|$)", " "),
    word(r"(?<=\w)\((s|es|ed)\)", lambda match: match[1]),
)
NAMES: tuple[Rule, ...] = (
    word(
        rf"\b(?P<side>[NSEW])\b\.?(?=\s(?:[A-Z][a-z]+|\d+\w*)\s"
        rf"(?:{'|'.join((*_STREETS, *_STREETS.values()))})\b)",
        lambda match: _SIDES[match["side"]],
    ),
    word(
        rf"(?:[\d{VALUE}]\s(?:[A-Z][a-z]+\s){{1,2}}|(?<=[A-Z]. )[A-Z][a-z]+\s)"
        rf"(?P<street>{'|'.join(_STREETS)})\b(?:\.(?=,?\s*\S))?",
        _street,
    ),
    word(
        rf"\b(?:(?P<title>{'|'.join(_TITLES)})\b\.?|(?P<dotted>{'|'.join(_TITLES_WITH_DOT)})\.)"
        r"(?=\s[A-Z\u00c0-\u00de]|\s(?:and|or|&)\s(?:Mr|Mrs|Ms|Dr)\b)",
        _title,
    ),
    word(rf"\b[A-Z][a-z]+\.?\s(?P<street>{'|'.join(_STREETS)})\b(?:\.(?=,?\s*\S))?", _street),
    word(
        rf"\b(?P<short>{'|'.join(_BEFORE_NUMBERS)})\.\s?(?=[\d{VALUE}])",
        lambda match: _BEFORE_NUMBERS[match["short"].lower()] + " ",
        flags=re.IGNORECASE,
    ),
    word(
        rf"\b(?P<short>{'|'.join(map(re.escape, _OPEN))})\.,?(?=\s)",
        lambda match: _OPEN[match["short"].lower()],
        flags=re.IGNORECASE,
    ),
    word(r"\bvs\b", "versus"),
    word(rf"\b(?:{'|'.join(_CLOSED)})(?=\.)", lambda match: _CLOSED[match[0]]),
    word(r"\b[ap]\.\s?m(?=\.)|\b(?:[A-Z]\.){1,4}[A-Z](?=\.)|\bPh\.\s?D(?=\.)", _letters),
    word(rf"\b(?:{_COUNTED})\s(?!I\b){_ROMAN}", _counted),
    word(rf"\b(?:{_COUNTED.title()})\s{_ROMAN}{_NOT_ME}", _counted),
    word(rf"\b(?:{_REGNAL})\s{_ROMAN}{_NOT_ME}", _regnal),
    word(rf"\b[A-Z][a-z\u00e0-\u00ff]+\s(?=[IVX]{{2}}){_ROMAN}", _regnal),
    word(
        rf"\b(?:{_LETTERED})\s(?P<letter>A\s)(?=\w)",
        lambda match: [Piece(*match.span("letter"), "A-")],
    ),
)
SIGNS: tuple[Rule, ...] = (
    word(rf"(?<=[\w{VALUE}])\s?/\s?(?=(?:{_PERIODS})\b)", " per "),
    word(r"\bw/o\b", "without"),
    word(r"\bw/(?=\s|\w)", "with "),
    word(r"\b[nN]/[aA]\b", "not applicable"),
    word(r"\b[aA]nd/or\b", "or"),
    word(rf"(?<=[\w{VALUE}])\s?/\s?(?=[\w{VALUE}$£€])", " or "),
    word(rf"[~≈]\s?(?=[\d{VALUE}])", "about "),
    word(rf"<\s?(?=[\d{VALUE}])", " less than "),
    word(rf">\s?(?=[\d{VALUE}])", " more than "),
    word(rf"#\s?(?=[\d{VALUE}])", "number "),
    word(r"(?<=\b[A-F])\+", "-plus"),
    word(r"(?<=\w)–(?=\w)", " to "),
    word(r"(?<=\s)[-–—−]+(?=\s)|(?<=[\w,.!?'\"”’)])\s?(?:—|--)\s?(?=[\w'\"“‘(])", ", "),
    word(r"\(|\)", ", "),
    word(r"[’‘]", "'"),
    word(r"(?:\.\s?){2,}\.(?=\s*\S)|…(?=\s*\S)", ", "),
    word(r"…", "..."),
    word(r"([!?])[!?]+", lambda match: "?" if "?" in match[0] else "!"),
    word(rf"[^\w\s.,:!?'()/{VALUE}{WORD}-]|_", _sign),
)
