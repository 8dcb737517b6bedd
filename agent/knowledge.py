"""What the agent knows: the settings' role and facts and the talk so far, put into a prompt.

Rule 1: text from outside is cleaned here once: no control characters, single spaces, one line.
Rule 2: a fact is read out only when it clearly answers; an honest "I don't know" beats a wrong
fact.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from atonce.agent.content_words import stems_of
from atonce.agent.evidence import read_facts
from atonce.llm.leaning import leans_by_words
from atonce.llm.protocols import Exchange, Found, Prompt
from atonce.llm.ranking import rank

logger = logging.getLogger(__name__)

MAX_QUESTION_WORDS = (
    80  # half a minute of speech; a longer one would slow the reading of the prompt
)

# How certain a fact must be to be read out. At 0.6 it is read out for 55 of 100 questions that the
# facts answer, and for 25 that they do not (docs/reply-check.md has the curve).
CLEAR = 0.6
# Log-odds that the first fact answers, fitted on the training packs: a base, the worth of the
# ranking's own log-odds, and of the share of the question's words that the fact has.
BASE, RANKED, MET = -0.67, 0.40, 1.67


@dataclass(frozen=True, slots=True)
class Match:
    """The fact that answers a question."""

    text: str
    """The fact, to be read out as it stands."""
    index: int
    """Its place among the prompt's facts."""
    certainty: float
    """Probability that it answers, 0 to 1."""


def build_prompt(
    role: str, facts: Mapping[str, str], question: str, history: Sequence[Exchange] = ()
) -> Prompt:
    """The prompt for one turn; facts keep the order of the settings."""
    return Prompt(
        role=clean(role),
        facts=tuple(clean(fact) for fact in facts.values()),
        question=_shortened(clean(question)),
        history=tuple(history),
    )


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffd]")
# Invisible characters that join, split or turn text.
_INVISIBLE = re.compile(r"[\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")


def clean(text: str) -> str:
    """One line without control or invisible characters and with single spaces."""
    return " ".join(_INVISIBLE.sub("", _CONTROL.sub(" ", text)).split())


def _shortened(question: str) -> str:
    words = question.split(" ")

    if len(words) <= MAX_QUESTION_WORDS:
        return question

    logger.warning(
        "the question has %d words: the last %d are used", len(words), MAX_QUESTION_WORDS
    )
    return " ".join(words[-MAX_QUESTION_WORDS:])


def tokens_about(prompt: Prompt) -> int:
    """About how many tokens a prompt has, before any engine has read it: four letters each."""
    past = [text for turn in prompt.history for text in (turn.question, turn.reply)]
    return sum(len(text) for text in (prompt.role, *prompt.facts, *past, prompt.question)) // 4


def best_fact(prompt: Prompt, found: Found | None = None) -> Match | None:
    """The fact that answers the question, if one clearly does.

    found: what the engine found; None: only words are compared.
    """
    match = likeliest_found(prompt, found) if found else likeliest_fact(prompt)
    return match if match and match.certainty >= CLEAR else None


def likeliest_found(prompt: Prompt, found: Found) -> Match | None:
    """The fact that the engine puts first; by words where it cannot say that none answers."""
    if not found.scores or found.none == -math.inf:
        return likeliest_fact(prompt)

    index = found.scores.index(max(found.scores))
    return Match(prompt.facts[index], index, found.chances[index])


def likeliest_fact(prompt: Prompt) -> Match | None:
    """The fact that the ranking puts first, and how certain it is; None without facts."""
    history = prompt.history if leans_by_words(prompt) else ()
    scores = rank(prompt.question, prompt.facts, history)

    if not scores:
        return None

    top = max(scores)
    index = scores.index(top)
    others = sum(math.exp(score - top) for place, score in enumerate(scores) if place != index)
    odds = -math.log(others + 1e-6)  # the ranking's scores are logits; this is at most 13.8
    certainty = BASE + RANKED * odds + MET * _met(prompt, index)
    return Match(prompt.facts[index], index, 1 / (1 + math.exp(-certainty)))


def _met(prompt: Prompt, index: int) -> float:
    """How much of the question's telling words the fact has; one that no fact knows tells most."""
    book = read_facts(prompt.facts)
    unheard = math.log((len(prompt.facts) + 1) / 0.5)
    weights = {stem: book.weight.get(stem, unheard) for stem in stems_of(prompt.question)}
    met = sum(weight for stem, weight in weights.items() if stem in book.facts[index].stems)
    return met / (sum(weights.values()) or 1.0)
