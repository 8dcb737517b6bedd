"""Which value of the facts a reply's value ought to be: the one whose words fit what is asked.

Facts hold several values of one kind: "Adults pay $14, children $7." Each is scored by how well the
words around it fit the reply, the question and the last turn; a reply whose value is beaten clearly
by another value of its kind most likely says the wrong one. The weights are fitted on the training
packs by scripts/measure_check.py --fit, which explains what they mean in numbers.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from atonce.agent.clauses import Clause, Reading, read_fact
from atonce.agent.content_words import stems_of
from atonce.agent.values import Value, same
from atonce.llm.protocols import Prompt

# What speaks for a value of the facts, and how strongly (log-odds); shares are 0 to 1, the rest
# is yes or no. Fitted, not chosen.
WEIGHTS: Mapping[str, float] = {
    "clause": 1.6,  # the words close to it are close to the reply's value, too
    "reply_near": 0.2,  # the reply's words stand close to it
    "question_near": 1.3,  # the question's words stand close to it
    "sentence": 1.2,  # its fact has the words of the reply's sentence
    "reply": 1.8,  # its fact has the words of the reply
    "question": 1.2,  # its fact has the words of the question
    "past_question": 0.7,  # its fact has the words of the last question
    "past_reply": 1.4,  # its fact has the words of the last reply
    "same_bound": 1.3,  # both begin something (from, opens) or both end it (until, closes)
    "other_bound": -2.1,  # one begins, the other ends
    "after": 0.3,  # the same word comes after it
    "before": 0.8,  # the same word stands before it
    "company": 0.9,  # its fact holds another value of the reply
    "follow_up": 1.3,  # its fact has the words of the last turn, and the question has few
    "owns": 1.4,  # words of the sentence or question are nearer to it than to its like
    "other_after": -0.5,  # another word comes after it
    "first": 0.5,  # its fact is the first: what a place says first is asked most
    "used": -4.9,  # the reply says it elsewhere
}


@dataclass(frozen=True, slots=True)
class FactBook:
    """All facts, read, with how telling each word is."""

    facts: tuple[Reading, ...]
    """In the prompt's order."""
    weight: Mapping[str, float]
    """Stem -> how telling it is: rare among the facts is high."""

    def told(self, stems: Iterable[str]) -> Mapping[str, float]:
        """The stems that the facts know, with their shares of the weight; together 1."""
        known = {stem: self.weight[stem] for stem in stems if stem in self.weight}
        total = sum(known.values())
        return {stem: weight / total for stem, weight in known.items()}


@dataclass(frozen=True, slots=True)
class Talk:
    """What was said around a value, as shares of telling words."""

    sentence: Mapping[str, float]
    """The reply's sentence."""
    reply: Mapping[str, float]
    """The whole reply."""
    question: Mapping[str, float]
    """The question."""
    past_question: Mapping[str, float]
    """The last question before it."""
    past_reply: Mapping[str, float]
    """The last reply before it."""
    near: Mapping[str, float]
    """The words close to the value, shared by closeness."""
    said: Mapping[str, float]
    """Sentence and question."""
    past: Mapping[str, float]
    """The last turn, where the question alone says little; else nothing."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value of the facts that the reply might mean."""

    value: Value
    """The value."""
    features: Mapping[str, float]
    """What speaks for it, by the names of WEIGHTS."""

    @property
    def score(self) -> float:
        """All evidence together, in log-odds."""
        return sum(WEIGHTS[name] * amount for name, amount in self.features.items())


@lru_cache(maxsize=16)
def read_facts(facts: tuple[str, ...]) -> FactBook:
    """All facts, read once for many replies."""
    readings = tuple(read_fact(fact) for fact in facts)
    counts = Counter(stem for reading in readings for stem in reading.stems)
    # As in BM25: a word of every fact says nothing, a word of one fact says most.
    weight = {stem: math.log((len(facts) + 1) / (count + 0.5)) for stem, count in counts.items()}
    return FactBook(readings, weight)


def candidates(
    clause: Clause, *, sentence: frozenset[str], reply: Reading, prompt: Prompt
) -> tuple[Candidate, ...]:
    """Every value of the facts that this value of the reply might be, with its evidence."""
    book = read_facts(prompt.facts)
    talk = _talk(clause, sentence, reply, prompt)
    others = [other for other in reply.clauses if not same(other.value, clause.value)]
    found = []

    for fact in book.facts:
        rivals = [rival for rival in fact.clauses if _may_be_meant(clause, rival)]

        if not rivals:
            continue

        shared = _fact_features(fact, talk, others) | {"first": float(fact is book.facts[0])}
        found += [
            Candidate(rival.value, shared | _own_features(clause, rival, talk, others))
            for rival in rivals
        ]

    return tuple(found)


def _talk(clause: Clause, sentence: frozenset[str], reply: Reading, prompt: Prompt) -> Talk:
    book = read_facts(prompt.facts)
    past = prompt.history[-1] if prompt.history else None
    question = book.told(stems_of(prompt.question))
    past_question = stems_of(past.question if past else "")
    past_reply = stems_of(past.reply if past else "")
    near = {
        stem: book.weight[stem] * close
        for stem, close in clause.near.items()
        if stem in book.weight
    }
    total = sum(near.values())
    return Talk(
        sentence=book.told(sentence),
        reply=book.told(reply.stems),
        question=question,
        past_question=book.told(past_question),
        past_reply=book.told(past_reply),
        near={stem: weight / total for stem, weight in near.items()},
        said=book.told(sentence | question.keys()),
        past=book.told(past_question | past_reply) if len(question) < 2 else {},
    )


def _may_be_meant(clause: Clause, rival: Clause) -> bool:
    """An implied day is no rival: it only bears out a reply that says it."""
    if rival.is_implied:
        return same(clause.value, rival.value)

    return are_alike(clause.value, rival.value)


def are_alike(one: Value, other: Value) -> bool:
    """Whether one could be said in place of the other: the same kind and dimension."""
    if one.kind != other.kind:
        return same(one, other)

    return one.kind != "measure" or one.meaning[0] == other.meaning[0]


def _fact_features(fact: Reading, talk: Talk, others: Sequence[Clause]) -> dict[str, float]:
    return {
        "sentence": _covered(talk.sentence, fact.stems),
        "reply": _covered(talk.reply, fact.stems),
        "question": _covered(talk.question, fact.stems),
        "past_question": _covered(talk.past_question, fact.stems),
        "past_reply": _covered(talk.past_reply, fact.stems),
        "follow_up": _covered(talk.past, fact.stems),
        "company": _is_among(fact.clauses, others),
    }


def _own_features(
    clause: Clause, rival: Clause, talk: Talk, others: Sequence[Clause]
) -> dict[str, float]:
    return {
        "clause": _nearness(talk.near, rival),
        "reply_near": _nearness(talk.reply, rival),
        "question_near": _nearness(talk.question, rival),
        "owns": _covered(talk.said, rival.owned),
        "same_bound": float(clause.bound * rival.bound > 0),
        "other_bound": float(clause.bound * rival.bound < 0),
        "after": float(clause.after == rival.after != ""),
        "other_after": float("" != clause.after != rival.after != ""),
        "before": float(clause.before == rival.before != ""),
        "used": _is_among((rival,), others),
    }


def _covered(told: Mapping[str, float], stems: frozenset[str]) -> float:
    return sum(share for stem, share in told.items() if stem in stems)


def _nearness(told: Mapping[str, float], rival: Clause) -> float:
    return sum(share * rival.near.get(stem, 0.0) for stem, share in told.items())


def _is_among(clauses: Sequence[Clause], others: Sequence[Clause]) -> float:
    return float(any(same(one.value, other.value) for one in clauses for other in others))


def rival_of(
    clause: Clause, *, sentence: frozenset[str], reply: Reading, prompt: Prompt
) -> tuple[Value, float] | None:
    """The best value that the reply did not say, and by how much (log-odds) it beats the one said.

    None when the facts hold no other value of the kind, or not the one said.
    """
    said = -math.inf
    best: tuple[float, Value] | None = None

    for candidate in candidates(clause, sentence=sentence, reply=reply, prompt=prompt):
        if same(candidate.value, clause.value):
            said = max(said, candidate.score)
        elif best is None or candidate.score > best[0]:
            best = candidate.score, candidate.value

    if best is None or said == -math.inf:
        return None

    return best[1], best[0] - said
