"""Rules that say a stretch of text in other words, and the order between them. Pure.

Rule 1. Order is precedence: what an earlier rule took, a later one sees only as VALUE or WORD.
Rule 2. Every rule reads what was written, never what another rule made of it.
Rule 3. What no rule takes is said as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

VALUE = "\ue000"
"""Stands in the text for every character of a value that was taken: a number, a time, a date."""
WORD = "\ue001"
"""The same for what was taken and is no value."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What is said for a stretch of the text."""

    start: int
    """First character of the stretch."""
    end: int
    """One past its last character."""
    text: str
    """What is said; empty for what is not said. Blanks at its ends keep it apart."""
    is_tied: bool = False
    """Whether it goes on with what follows: no pause between the two."""


Said = str | Sequence[Piece] | None
"""What a rule makes of a match: words for all of it, for its parts, or None to leave it alone."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of thing that is said otherwise than it is written."""

    pattern: re.Pattern[str]
    """Finds it."""
    say: Callable[[re.Match[str]], Said]
    """Says it."""
    is_value: bool = True
    """Whether a dash between two such things means "to"."""


def value(pattern: str, say: Callable[[re.Match[str]], Said], *, flags: int = 0) -> Rule:
    """A rule for numbers, times, dates and the like."""
    return Rule(re.compile(pattern, flags), say)


def word(pattern: str, say: Callable[[re.Match[str]], Said] | str, *, flags: int = 0) -> Rule:
    """A rule for words and signs, or what is always said for them."""
    says = (lambda _match: say) if isinstance(say, str) else say
    return Rule(re.compile(pattern, flags), says, is_value=False)


def pieces(text: str, rules: Iterable[Rule]) -> list[Piece]:
    """What the rules say otherwise, in the order of the text; they never overlap."""
    found: list[Piece] = []

    for rule in rules:
        for match in rule.pattern.finditer(text):
            taken = _taken(rule, match)

            if any(VALUE in stretch or WORD in stretch for stretch in _stretches(text, taken)):
                continue

            found += taken
            text = _marked(text, taken, VALUE if rule.is_value else WORD)

    return sorted(found, key=lambda piece: piece.start)


def _taken(rule: Rule, match: re.Match[str]) -> Sequence[Piece]:
    said = rule.say(match)
    return [Piece(*match.span(), said)] if isinstance(said, str) else said or ()


def _stretches(text: str, taken: Sequence[Piece]) -> Iterator[str]:
    return (text[piece.start : piece.end] for piece in taken)


def _marked(text: str, taken: Sequence[Piece], mark: str) -> str:
    for piece in taken:
        text = text[: piece.start] + mark * (piece.end - piece.start) + text[piece.end :]

    return text
