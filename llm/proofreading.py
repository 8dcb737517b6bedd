"""Whether a finished reply is a sentence, judged by how likely the reader finds each of its tokens.

Rule 1. A rare word is unlikely wherever it stands. What tells is a token that is unlikely for how
        common it is: " to" after "Welcome to" weighs more than "pottery" anywhere.
Rule 2. What the prompt holds is common: names are copied from it, and torn ones are made of it.

The weights are fitted by scripts/measure_language.py --fit; docs/reply-check.md says what they
catch. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from atonce.llm.protocols import Prompt

Span = tuple[int, int]

BASE = -13.87
"""Log-odds of a reply whose features are all 0."""
WORST, SECOND, MEAN, PLAIN = -0.76, -0.64, 1.75, -1.63
"""Worth of the lowest margin, of the second, of all margins' mean, and of the mean likelihood."""
DOUBT = 0.0
"""Log-odds from which a reply is doubted."""
SLIP = -4.5
"""The same where one word of a fact was changed: most such replies are no English."""
AMISS = -3.0
"""Margin below which a token is part of what is wrong; the lowest always is."""
# A tokenizer's ids grow as its tokens get rarer, about as one over the id (Zipf): minus the
# logarithm of the id is how likely a token is before anything is read. The first ids are marks.
_MARKS = 10
_AT_HAND = 60  # no token of the prompt counts as rarer than this one


@dataclass(frozen=True, slots=True)
class Read:
    """One token of a reply, as the reader found it."""

    text: str
    """What it adds to the reply."""
    token: int
    """Its id."""
    likelihood: float
    """The logarithm of how likely it was there, nats."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the reader thinks of a reply."""

    odds: float
    """Log-odds that it is no sentence."""
    spans: tuple[Span, ...]
    """Where: places in the text, first character and one past the last."""
    features: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """What the odds are made of, see `features`."""

    def is_doubted(self, *, is_slip: bool = False) -> bool:
        """It should not be spoken. is_slip: it differs in one word from what somebody wrote."""
        return self.odds > (SLIP if is_slip else DOUBT)


@runtime_checkable
class Proofreader(Protocol):
    """A writer that can read a reply over, whoever wrote it; not all can."""

    def opinion(self, prompt: Prompt, reply: str) -> Opinion:
        """What it thinks of a reply to this prompt."""
        ...


def opinion_of(tokens: Sequence[Read], at_hand: Container[int]) -> Opinion:
    """The opinion from what the reader found; at_hand: the tokens of the prompt."""
    if not tokens:
        return Opinion(0.0, ())

    margins = [margin(one, at_hand) for one in tokens]
    seen, worth = features(tokens, at_hand), (WORST, SECOND, MEAN, PLAIN)
    odds = BASE + sum(weight * one for weight, one in zip(worth, seen, strict=True))
    limit = max(AMISS, min(margins))
    spans = joined([place for place, low in placed(tokens, margins) if low <= limit])
    return Opinion(odds, spans, seen)


def features(tokens: Sequence[Read], at_hand: Container[int]) -> tuple[float, float, float, float]:
    """What the odds are made of: the two lowest margins, their mean, and the mean likelihood."""
    margins = sorted(margin(one, at_hand) for one in tokens)
    plain = sum(one.likelihood for one in tokens) / len(tokens)
    return margins[0], margins[min(1, len(margins) - 1)], sum(margins) / len(margins), plain


def margin(one: Read, at_hand: Container[int]) -> float:
    """By how much a token was likelier there than it is anywhere, nats; below 0: less likely."""
    rank = min(one.token, _AT_HAND) if one.token in at_hand else one.token
    return one.likelihood + math.log(rank + _MARKS)


def placed(tokens: Sequence[Read], margins: Sequence[float]) -> list[tuple[Span, float]]:
    """Every token's place in the text, without the space before it, with its margin."""
    found, at = [], 0
    for one, low in zip(tokens, margins, strict=True):
        bare = len(one.text.lstrip())
        at += len(one.text)
        found.append(((at - bare, at), low))

    return found


def joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    """The same with those made one that touch, or that only a space parts."""
    found: list[Span] = []
    for start, stop in spans:
        if found and start - found[-1][1] <= 1:
            found[-1] = (found[-1][0], stop)
        else:
            found.append((start, stop))

    return tuple(found)
