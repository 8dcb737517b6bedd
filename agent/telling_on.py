"""What else may be told after a reply, by somebody who is to speak for a while. Pure.

Rule 1. Facts are told word for word, the likeliest answers first: they are nearest to the subject.
Rule 2. Nothing follows a reply that says no fact: small talk, or that it does not know.
Rule 3. What the reply says already is not told again, and a sentence that points back ("It costs
        $5.") only stands behind the one it points to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from atonce.agent.reply_form import sentences
from atonce.agent.values import find_values
from atonce.llm.leading import order
from atonce.llm.protocols import Found, Prompt
from atonce.llm.ranking import rank, stems

CHOSEN_FROM = 6
"""Facts that may follow; those behind them have little to do with the question."""
MOST = 3
"""How many of them follow at most."""
REPEATED = 0.5
"""A sentence of which the reply holds such a share of the words is not told again."""
_POINTING = re.compile(r"(?:it|its|they|their|each|that|this|these|those|both|he|she)\b", re.I)


@dataclass(frozen=True, slots=True)
class Told:
    """Sentences that may follow a reply."""

    text: str
    """All of them."""
    passed_over: int
    """Facts that are nearer to the question and are not told, and one for every fact that is."""


def by_nearness(prompt: Prompt, found: Found | None) -> list[str]:
    """The facts, the likeliest answers first; found: what the engine found; None: by words."""
    scores = found.scores if found else rank(prompt.question, prompt.facts, prompt.history)
    return [prompt.facts[place] for place in order(Found(tuple(scores)))]


def told_on(reply: str, facts: Sequence[str]) -> Iterator[Told]:
    """What may follow, in all lengths; facts: the likeliest first."""
    if not any(repeats(one.text, reply) for fact in facts for one in sentences(fact)):
        return

    beginnings = [one for fact in facts if (one := fresh(reply, fact))][:CHOSEN_FROM]
    for count in range(1, min(MOST, len(beginnings)) + 1):
        for places in combinations(range(len(beginnings)), count):
            for texts in product(*(beginnings[place] for place in places)):
                yield Told(" ".join(texts), places[-1] + 1)


def fresh(reply: str, fact: str) -> list[str]:
    """The beginnings of a fact that can stand behind the reply: one sentence, two, and so on."""
    told = [one.text.strip() for one in sentences(fact)]
    new = [one for one in told if not repeats(one, reply)]
    if new != told and is_pointing(new) and not reply.endswith(told[-len(new) - 1]):
        return []

    return [" ".join(new[:count]) for count in range(1, len(new) + 1)]


def is_pointing(told: Sequence[str]) -> bool:
    """Whether it begins with a word that stands for something said before."""
    return bool(told and _POINTING.match(told[0]))


def repeats(sentence: str, reply: str) -> bool:
    """Whether a reply holds a value of this sentence, or many of its words."""
    words, said = set(stems(sentence)), set(stems(reply))
    values = {value.text.lower() for value in find_values(sentence)}
    is_there = values & {value.text.lower() for value in find_values(reply)}
    return bool(is_there) or len(words & said) >= REPEATED * max(1, len(words))
