"""Which value of the facts a reply's value ought to be: the one whose words fit what is asked.

Facts hold several values of one kind: "Adults pay $14, children $7." Each is scored by how well the
words around it fit the reply, the question and the last turn; a reply whose value is beaten clearly
by another value of its kind most likely says the wrong one. The weights are fitted on the training
packs by scripts/measure_check.py --fit, which explains what they mean in numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from atonce.agent.content_words import Word, words_of
from atonce.agent.values import Value, find_values, same
from atonce.llm.protocols import Prompt

# What speaks for a value of the facts, and how strongly (log-odds); shares are 0 to 1, the rest
# is yes or no. Fitted, not chosen.
WEIGHTS: Mapping[str, float] = {
    "clause": 1.7,  # the words close to it are close to the reply's value, too
    "reply_near": 0.7,  # the reply's words stand close to it
    "question_near": 1.4,  # the question's words stand close to it
    "sentence": 1.7,  # its fact has the words of the reply's sentence
    "reply": 1.7,  # its fact has the words of the reply
    "question": 1.5,  # its fact has the words of the question
    "past_question": 1.1,  # its fact has the words of the last question
    "past_reply": 1.9,  # its fact has the words of the last reply
    "same_bound": 1.4,  # both begin something (from, opens) or both end it (until, closes)
    "other_bound": -1.8,  # one begins, the other ends
    "after": 0.9,  # the same word comes after it
    "before": 0.8,  # the same word stands before it
    "company": 0.8,  # its fact holds another value of the reply
    "asked": 1.1,  # the person said it
    "used": -4.8,  # the reply says it elsewhere
}

_START_WORDS = "from open opens opening opened start starts begin begins after since"
_END_WORDS = "to until till close closes closing closed end ends by before latest through shut over"
_STARTS = frozenset(_START_WORDS.split())
_ENDS = frozenset(_END_WORDS.split())
_BREAK = re.compile(r"[,;:]|\b(?:and|but|or|while)\b", re.I)
_STOP = re.compile(r"[.!?](?=\s)")


@dataclass(frozen=True, slots=True)
class Clause:
    """A value and the words around it."""

    value: Value
    """The value."""
    near: Mapping[str, float]
    """Stem of a word in the same text -> closeness, 0 to 1."""
    bound: int
    """1: the words before it say a beginning; -1: an end; 0: neither."""
    before: str
    """The word just before it."""
    after: str
    """Stem of the next word that carries meaning."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A text, read for evidence."""

    stems: frozenset[str]
    """Its words that carry meaning."""
    clauses: tuple[Clause, ...]
    """Its values with their words."""


@dataclass(frozen=True, slots=True)
class FactBook:
    """All facts, read, with how telling each word is."""

    facts: tuple[Reading, ...]
    """In the prompt's order."""
    weight: Mapping[str, float]
    """Stem -> how telling it is: rare among the facts is high."""

    def share(self, stems: frozenset[str], closeness: Mapping[str, float]) -> float:
        """How much of the stems' weight the closeness covers, 0 to 1."""
        total = covered = 0.0

        for stem in stems:
            weight = self.weight.get(stem, 0.0)
            total += weight
            covered += weight * closeness.get(stem, 0.0)

        return covered / total if total else 0.0


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


@lru_cache(maxsize=512)
def read(text: str) -> Reading:
    """A text's words that carry meaning, and its values."""
    words = words_of(text)
    values = find_values(text)
    breaks = [match.start() for match in _BREAK.finditer(text)]
    stops = [match.start() for match in _STOP.finditer(text)]
    clauses = tuple(_clause(value, values, words, breaks, stops) for value in values)
    return Reading(frozenset(word.stem for word in words if word.stem), clauses)


def _clause(
    value: Value,
    values: tuple[Value, ...],
    words: tuple[Word, ...],
    breaks: list[int],
    stops: list[int],
) -> Clause:
    kin = [other for other in values if other.kind == value.kind]
    told = [word for word in words if word.stem]
    near: dict[str, float] = {}

    for word in told:
        if value.start <= word.start < value.end and value.kind not in ("weekday", "month"):
            continue

        low, high = (word.end, value.start) if word.start < value.start else (value.end, word.start)
        # Every word in between, comma, value of the same kind and sentence's end takes them apart.
        closeness = (
            0.85 ** _count((other.start for other in told), low, high)
            * 0.7 ** _count(breaks, low, high)
            * 0.5 ** _count((other.start for other in kin), low, high)
            * 0.4 ** _count(stops, low, high)
        )
        near[word.stem] = max(near.get(word.stem, 0.0), closeness)

    ahead = [word for word in words if word.end <= value.start]
    begin = max([0, *(stop for stop in stops if stop < value.start), *_ends_before(kin, value)])
    return Clause(
        value,
        near,
        _bound([word.text for word in ahead if word.start >= begin]),
        ahead[-1].text if ahead else "",
        next((word.stem for word in told if word.start >= value.end), ""),
    )


def _count(places: Iterable[int], low: int, high: int) -> int:
    return sum(low <= place < high for place in places)


def _ends_before(kin: list[Value], value: Value) -> list[int]:
    return [other.end for other in kin if other.end <= value.start]


def _bound(words: list[str]) -> int:
    for word in reversed(words):
        if word in _STARTS or word in _ENDS:
            return 1 if word in _STARTS else -1

    return 0


@lru_cache(maxsize=16)
def read_facts(facts: tuple[str, ...]) -> FactBook:
    """All facts, read once for many replies."""
    readings = tuple(read(fact) for fact in facts)
    counts: dict[str, int] = {}

    for reading in readings:
        for stem in reading.stems:
            counts[stem] = counts.get(stem, 0) + 1

    weight = {stem: math.log((len(facts) + 1) / (count + 0.5)) for stem, count in counts.items()}
    return FactBook(readings, weight)


def candidates(
    clause: Clause, *, sentence: Reading, reply: Reading, prompt: Prompt
) -> tuple[Candidate, ...]:
    """Every value of the facts that this value of the reply might be, with its evidence."""
    book = read_facts(prompt.facts)
    question = read(prompt.question)
    past = prompt.history[-1] if prompt.history else None
    past_question = read(past.question).stems if past else frozenset()
    past_reply = read(past.reply).stems if past else frozenset()
    others = [other for other in reply.clauses if not same(other.value, clause.value)]
    found = []

    for fact in book.facts:
        whole = dict.fromkeys(fact.stems, 1.0)
        shared = {
            "sentence": book.share(sentence.stems, whole),
            "reply": book.share(reply.stems, whole),
            "question": book.share(question.stems, whole),
            "past_question": book.share(past_question, whole),
            "past_reply": book.share(past_reply, whole),
            "company": _holds_any(fact, others),
        }

        for rival in fact.clauses:
            if not are_alike(clause.value, rival.value):
                continue

            own = {
                "clause": _agreement(clause, rival, book),
                "reply_near": book.share(reply.stems, rival.near),
                "question_near": book.share(question.stems, rival.near),
                "same_bound": float(clause.bound * rival.bound > 0),
                "other_bound": float(clause.bound * rival.bound < 0),
                "after": float(clause.after == rival.after != ""),
                "before": float(clause.before == rival.before != ""),
                "asked": float(any(same(rival.value, c.value) for c in question.clauses)),
                "used": float(any(same(rival.value, c.value) for c in others)),
            }
            found.append(Candidate(rival.value, shared | own))

    return tuple(found)


def are_alike(one: Value, other: Value) -> bool:
    """Whether one could be said in place of the other: the same kind and dimension."""
    if one.kind != other.kind:
        return same(one, other)

    return one.kind != "measure" or one.meaning[0] == other.meaning[0]


def _holds_any(fact: Reading, others: list[Clause]) -> float:
    return float(any(same(o.value, c.value) for o in others for c in fact.clauses))


def _agreement(clause: Clause, rival: Clause, book: FactBook) -> float:
    total = agreed = 0.0

    for stem, closeness in clause.near.items():
        weight = book.weight.get(stem, 0.0) * closeness
        total += weight
        agreed += weight * rival.near.get(stem, 0.0)

    return agreed / total if total else 0.0


def rival_of(
    clause: Clause, *, sentence: Reading, reply: Reading, prompt: Prompt
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
