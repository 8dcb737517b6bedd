"""Proper names of role and facts: what a transcriber cannot know how to spell. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

MOST_NAMES = 30
"""A transcriber takes no more in."""
_SENTENCE = re.compile(r"(?<=[a-z]{3}[.!?])\s+|(?<=\d[.!?])\s+|(?<=[)!?])\s+")
"""Not after "Dr." and "St.": the name that follows is none of a sentence's first words."""
_WORD = re.compile(r"[^\W_][\w'’-]*(?:&\w+)?|[.,;:!?()\"]")


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


_JOINS = _listed("of the and for de la du di von van at on in")
"""Small words inside a name."""
_NO_NAMES = _listed(
    "i i'm i'll you we he she it they a an the this that there here on in at by for from to of"
    " and or but if when where what who which why how is are was can please all each every some"
    " any no not your our my their his her its one two three also most monday tuesday wednesday"
    " thursday friday saturday sunday mondays tuesdays wednesdays thursdays fridays saturdays"
    " sundays january february march april may june july august september october november"
    " december am pm ok tv ask see take press come go please welcome"
)
"""Words that are written with a capital and heard right without help."""


def names(role: str, facts: Mapping[str, str]) -> tuple[str, ...]:
    """The names, those of the role first; each once, and at most 30."""
    found = [name for text in (f"you are {role}", *facts.values()) for name in _of(text)]
    return tuple(dict.fromkeys(found))[:MOST_NAMES]


def _of(text: str) -> Iterator[str]:
    for sentence in _SENTENCE.split(text):
        words = _WORD.findall(sentence)
        run: list[str] = []

        for place, word in enumerate([*words, "."]):
            if _is_capital(word):
                run.append(word)
            elif not (run and word in _JOINS and _is_capital(_at(words, place + 1))):
                yield from _name(run, is_first=place == len(run))
                run = []
            else:
                run.append(word)


def _name(run: list[str], *, is_first: bool) -> Iterator[str]:
    """A run of words as a name, unless it is only the beginning of a sentence."""
    while run and run[0].lower() in _NO_NAMES:
        run, is_first = run[1:], False

    while run and (run[-1].lower() in _NO_NAMES or run[-1] in _JOINS):
        run = run[:-1]

    if run and not (is_first and len(run) == 1):
        yield " ".join(run)


def _is_capital(word: str) -> bool:
    return word[:1].isupper() and any(letter.islower() for letter in word)


def _at(words: list[str], place: int) -> str:
    return words[place] if place < len(words) else ""
