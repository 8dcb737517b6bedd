"""A reply made to last as long as was asked for: how long a text is spoken, and which texts say the
reply in about so many seconds. Pure.

Rule 1. The answer stays: every value of the kind that was asked for, and every word of the question
        that the reply takes up.
Rule 2. What is too long loses sentences, then clauses, but none that limits what is said ("except",
        "but not"). Nothing is worded anew.
Rule 3. What is too short is followed by more of what is known, see telling_on.py.
Rule 4. Texts are only offered, the best first: the caller says the first that passes the check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from atonce.agent.reply_form import sentences
from atonce.agent.telling_on import told_on
from atonce.agent.values import WEEKDAYS, find_values
from atonce.llm.ranking import stems
from atonce.speech.spoken import speak

# Measured on 20 replies (docs/engine.md) with the voice "joe": of the spoken form, where $9.50 is
# "nine dollars fifty", 18 % off at most; by tokens it is 30 %.
CHARACTER_S = 0.0511
SENTENCE_S = 0.22
TOLERANCE = 0.25
"""How far from what was asked for is still right: a quarter."""
NEAR = 0.1
"""So near is as good as exact: the estimate itself is no better."""
OFFERED = 12
"""Texts that are offered at most: each costs a check."""

_TIMES = frozenset({"time", "date", "weekday", "month"})
_ASKED = (
    (re.compile(r"\b(?:when|what time|until|how late|how early|open|close)\b", re.I), _TIMES),
    (re.compile(r"\b(?:how much|cost|price|pay|fee|cheap)", re.I), frozenset({"money"})),
    (re.compile(r"\bhow long\b", re.I), frozenset({"duration", *_TIMES})),
    (re.compile(r"\bhow (?:far|high|big|deep|wide|old|many)\b", re.I), None),
)
"""What a question asks for, by its words: kinds of value (values.py); None: any."""
_WHERE = re.compile(r"\b(?:where|which (?:floor|room|way)|how do (?:i|we) get)\b", re.I)
_PLACE = re.compile(
    r"\b(?:in|on|behind|near|opposite|beside|past|next to|in front of|at(?= the))"
    rf" (?!(?:{'|'.join(WEEKDAYS)})s?\b)(?:the )?\w+(?: \d+)?",
    re.I,
)
_VERB = (
    r"(?:is|are|was|were|has|have|can|may|must|costs?|takes?|starts?|begins?|runs?|goes|go|opens?"
    r"|closes?|lasts?|stops?|ends?|leaves?|leads?|lies|pays?|gets?)"
)
_END = r"[^,;]*(?=[.!?]+$)"
_CLAUSES = (
    re.compile(rf", (?:which|who|where)\b{_END}"),
    re.compile(rf", (?:on|in|at|near|behind|next to|opposite|beside|past|\d+ metres)\b{_END}"),
    re.compile(rf",? and (?=[^,;]*\b{_VERB}\b){_END}"),
)
"""What can be taken from the end of a sentence, if what is left has a verb."""
_LIMIT = re.compile(r"\b(?:except|but|unless|only|if|without|no|not|never|until)\b|n't\b", re.I)


@dataclass(frozen=True, slots=True)
class Offer:
    """A text that might be said."""

    text: str
    """The text."""
    seconds: float
    """How long it lasts, about."""
    change: int = 0
    """How far it is from the reply as it was written: sentences lost, or facts passed over."""

    def rank(self, seconds: float) -> tuple[int, int, float]:
        """The lower the better, where so many seconds were asked for."""
        off = abs(self.seconds / seconds - 1)
        return int(off / NEAR), self.change, off


def speech_s(text: str) -> float:
    """How long a text will last when it is spoken, in seconds."""
    return sum(sentence_s(one.text.strip()) for one in sentences(text))


@lru_cache(maxsize=1024)
def sentence_s(sentence: str) -> float:
    """How long one sentence will; the same ones are put together in many ways."""
    return SENTENCE_S + CHARACTER_S * sum(len(word.text) + 1 for word in speak(sentence).words)


def fitted(reply: str, question: str, seconds: float, more: Sequence[str] = ()) -> list[str]:
    """Texts that say the reply in about `seconds`, the best first; empty: nothing whole was said.

    A last sentence that was not finished is left out. more: facts that may follow, best first.
    """
    whole = [one.text.strip() for one in sentences(reply) if is_whole(one.text)]
    if not whole:
        return []

    text = " ".join(whole)
    length = speech_s(text)
    offers = [Offer(text, length)]
    if length > seconds:
        offers += shortened(whole, question)
    else:
        offers += (
            Offer(f"{text} {told.text}", length + speech_s(told.text), told.passed_over)
            for told in told_on(text, more)
        )

    offers.sort(key=lambda offer: offer.rank(seconds))
    return list(dict.fromkeys(offer.text for offer in offers))[:OFFERED]


def shortened(whole: Sequence[str], question: str) -> Iterator[Offer]:
    """The runs of these sentences that still answer, with and without their last clauses."""
    complete = answer_in(" ".join(whole), question)
    for i, j in combinations(range(len(whole) + 1), 2):
        for clauses, last in enumerate(without_clauses(whole[j - 1])):
            run = " ".join([*whole[i : j - 1], last])
            if answer_in(run, question) == complete:
                yield Offer(run, speech_s(run), len(whole) - (j - i) + clauses)


def without_clauses(sentence: str) -> Iterator[str]:
    """The sentence, and then as it is without its last clause, the one before that, and so on."""
    yield sentence
    for pattern in _CLAUSES:
        clause = pattern.search(sentence)
        if clause and not _LIMIT.search(clause[0]):
            shorter = sentence[: clause.start()] + sentence[clause.end() :]
            if re.search(rf"\b{_VERB}\b", shorter):
                yield from without_clauses(shorter)
                return


def answer_in(text: str, question: str) -> frozenset[str]:
    """What of a text the question asks for: values of the kind it wants, and its own words."""
    values = find_values(text)
    asked = {
        value.text
        for pattern, kinds in _ASKED
        if pattern.search(question)
        for value in values
        if kinds is None or value.kind in kinds
    }
    if _WHERE.search(question):
        asked |= places_in(text, question)

    return frozenset(asked | (set(stems(question)) & set(stems(text))))


def places_in(text: str, question: str) -> set[str]:
    """The places it names: of what the question names, or else all."""
    words = set(stems(question))
    named = [one.text for one in sentences(text) if words & set(stems(one.text))]
    return set(_PLACE.findall(" ".join(named)) or _PLACE.findall(text))


def is_whole(sentence: str) -> bool:
    """Whether it was brought to its end."""
    return sentence.rstrip().rstrip("\"'’”)").endswith((".", "!", "?"))
