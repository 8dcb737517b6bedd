"""A reply cut into chunks, each given to the synthesizer at once. Pure.

Rule 1. No chunk ends inside a word, a number, an abbreviation or an address.
Rule 2. The first chunk is short, so that the first sound is early; later ones are whole sentences.
Rule 3. Together the chunks are the whole text, and none is without words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

FIRST_CHARACTERS = 60
"""A first sentence longer than this is cut at a clause: Piper needs about 5 ms a character."""
SHORTEST_CLAUSE_WORDS = 3
"""A clause of fewer words sounds torn off."""

_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'’”)]*\s+(?=[\"'‘“(]?[A-Z0-9])")
_CLAUSE_END = re.compile(r"(?<=[,;:–—])\s+")
_ABBREVIATION = re.compile(r"(?:\b(?:Dr|Mr|Mrs|Ms|St|Prof|vs|approx|Ave|Rd|[A-Z])|\b[ei]\.[eg])\.$")
_NUMBER_SIGN = re.compile(r"\b[Nn]o\.$")
"""An abbreviation only before a number: "No. It is closed." are two sentences."""


def chunks(text: str) -> Iterator[str]:
    """The chunks of a reply, in order."""
    for number, sentence in enumerate(sentences(text)):
        if number == 0:
            yield from _early(sentence)
        else:
            yield sentence


def sentences(text: str) -> list[str]:
    """The sentences of a text; what holds no letter or digit goes with the one before."""
    found: list[str] = []

    for piece in _SENTENCE_END.split(" ".join(text.split())):
        if found and (_is_unfinished(found[-1], piece) or not _has_words(piece)):
            found[-1] += " " + piece
        elif _has_words(piece):
            found.append(piece)

    return found


def _early(sentence: str) -> Iterator[str]:
    """A first sentence, its first clause apart when the whole is long."""
    if len(sentence) <= FIRST_CHARACTERS:
        yield sentence
        return

    for cut in _CLAUSE_END.finditer(sentence):
        clause, rest = sentence[: cut.start()], sentence[cut.end() :]

        if min(len(clause.split()), len(rest.split())) >= SHORTEST_CLAUSE_WORDS:
            yield clause
            yield rest
            return

    yield sentence


def _is_unfinished(before: str, after: str) -> bool:
    """The dot between the two is an abbreviation's."""
    if _NUMBER_SIGN.search(before):
        return after[0].isdigit()

    return bool(_ABBREVIATION.search(before))


def _has_words(text: str) -> bool:
    return any(character.isalnum() for character in text)
