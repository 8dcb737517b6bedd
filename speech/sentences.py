"""Where the sentences of a text end. Pure.

The finding is sentencex's; ours is what it does not know: "approx. 5", "No. It is closed.",
"on Main St. Thanks.", and that a paragraph, a heading or a row of a table ends a sentence without
a mark.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import sentencex

from atonce.speech.spoken_names import OPEN_ABBREVIATION

_MORE_ENDS = re.compile(
    r"(?:\b(?:No|etc|hrs)\.|[!?…][\"')\]”’]*|\.[\"')\]”’]+)\s+(?=[\"'(“‘]?[A-Z])"
)
_STREET_ENDS = re.compile(
    r"\b[A-Z][a-z]+ (?:St|Dr|Ave|Rd|Blvd|Ln|Sq|Ct|Pl|Hwy)\.\s+(?=[AI] [a-z]|(?:Thanks?|Ask|Call"
    r"|Turn|Walk|Follow|Look|Parking|Tickets|Open|Opening|Enter|Use|Admission|Entry|Buses|Trams"
    r"|Welcome|Enjoy|Come|Bring|Doors|Visit|Hours|Anyone)\b)"
)
"""A street, and not a saint or a doctor: what follows begins a sentence and is nobody's name."""
_GOES_ON = re.compile(r"[ap]\.m\.\s+(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?\b", re.I)
_ALIKE = str.maketrans("“”„’‘–—", '"""\'\'--')
_NO_ASCII = re.compile(r"[^\x20-\x7e]")


def sentence_ends(text: str, ends: Collection[int] = ()) -> tuple[int, ...]:
    """Places in the text where a sentence ends and the next may begin; the last is its length.

    ends: places where one ends in any case.
    """
    # The finder counts bytes and stumbles over rare blanks: it is shown a text as long in ASCII.
    alike = _NO_ASCII.sub(_ascii, text.translate(_ALIKE))
    found = {int(one["end_index"]) for one in sentencex.get_sentence_boundaries("en", alike)}
    found |= {match.end() for match in _MORE_ENDS.finditer(text)}
    found |= {match.end() for match in _STREET_ENDS.finditer(text)}
    found = {end for end in found if not _is_inside(alike, end)}
    return tuple(sorted({end for end in (*found, *ends) if 0 < end < len(text)} | {len(text)}))


def _ascii(match: re.Match[str]) -> str:
    character = match[0]

    if character.isspace() or not character.isalpha():
        return " "

    return "A" if character.isupper() else "a"


def _is_inside(text: str, end: int) -> bool:
    """The dot before this place is an abbreviation's, and the sentence goes on; or it is no place
    between words at all (museum.org)."""
    if end < len(text) and not text[end - 1].isspace():
        return True

    goes_on = _GOES_ON.match(text, max(0, end - 5))
    follows = text[end : end + 1]
    return bool(goes_on) or bool(OPEN_ABBREVIATION.search(text, 0, end) and not follows.isupper())
