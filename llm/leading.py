"""Whom a reply follows: the finder decides which facts answer, the writer writes. Pure.

Rule 1. Where the finder sees an answer, its first fact is told to the writer as clearly the first:
        left to weigh them, the writer mixed two facts, or refused what is known.
Rule 2. Where perhaps no fact answers, or nothing is asked, the writer is told just what was found,
        and may refuse or chat.
Rule 3. A question that takes two facts gets a reply in two parts, each led by one of them.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace

from atonce.llm.protocols import Found

LEAD = 4.0
"""Logits by which a leader leads. At 2 the writer still refuses 3 % of what is known; 8 is as 4."""
HESITANT = -1.25
"""Log-odds of "no fact answers" from which the writer may refuse."""
SILENT = 0.75
"""Log-odds of it, two to one, from which nobody needs to write: on training packs held out, 19 % of
what the facts do not answer, and 1 % of what they do."""
CHAT = -2.0
"""Log-odds of small talk from which no fact is pushed: 81 % of it, and 2 % of the questions."""

# Log-odds that a question takes two facts, fitted on the training packs: a base, how likely the
# first fact is and how near the second comes to it, and words that ask for two things.
TWO, LIKELY, NEAR = 0.12, 2.0, 1.26
TELLING = (
    (re.compile(r"\bor\b"), 1.6),
    (re.compile(r"\bwhich\b"), 0.7),
    (
        re.compile(
            r"\b(?:cheap|dear|long|short|earli|late|bigg|fast|quick|slow|high|furth|near|clos|soon"
            r")(?:er|est|r|st)\b|\b(?:more|less|most|least|than|better|older|first)\b"
        ),
        2.1,
    ),
    (re.compile(r"\w\W+and\b\W+\w"), 2.9),
)
BOTH = -0.5
"""Log-odds from which both are said: on the training packs two of three times it helps."""


def told(question: str, found: Found) -> tuple[Found, ...]:
    """What the writer is told of the facts, for every part of its reply: one, or two."""
    if not found.scores or found.talk > CHAT or none_odds(found) > HESITANT:
        return (found,)

    first, *others = order(found)
    if others and takes_two(question, found) > BOTH:
        return led_by(found, first), led_by(found, others[0])

    return (led_by(found, first),)


def is_silent(found: Found) -> bool:
    """Whether it is clear that the facts do not answer what is asked."""
    return bool(found.scores) and found.talk <= CHAT and none_odds(found) > SILENT


def none_odds(found: Found) -> float:
    """The log-odds that no fact answers; minus infinity where that was not asked."""
    top = max(found.scores)
    return found.none - top - math.log(sum(math.exp(score - top) for score in found.scores))


def takes_two(question: str, found: Found) -> float:
    """The log-odds that the question takes the two likeliest facts."""
    first, second = (max(found.chances[fact], 1e-6) for fact in order(found)[:2])
    odds = TWO + LIKELY * math.log(first) + NEAR * math.log(second / first)
    low = question.lower()
    return odds + sum(worth for telling, worth in TELLING if telling.search(low))


def led_by(found: Found, fact: int) -> Found:
    """The same, with this fact clearly first."""
    scores = list(found.scores)
    scores[fact] = max(scores) + LEAD
    return replace(found, scores=tuple(scores))


def order(found: Found) -> list[int]:
    """The facts, the likeliest first."""
    return sorted(range(len(found.scores)), key=lambda fact: (-found.scores[fact], fact))
