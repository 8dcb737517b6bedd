"""A reply made to last as long as was asked for: how long a text is spoken, and which sentences of
a reply are said. Pure.

Rule 1. A reply is made shorter by leaving sentences out, never by cutting one. It is not made
        longer: that would take another answer.
Rule 2. The answer stays: no value of the kind that was asked for is left out, and no word of the
        question that the reply takes up. Then the run of sentences is said that lasts best.
"""

from __future__ import annotations

import re
from itertools import combinations

from atonce.agent.reply_form import sentences
from atonce.agent.values import find_values
from atonce.llm.ranking import stems
from atonce.speech.spoken import speak

# Measured on 20 replies (docs/engine.md) with the voice "joe": of the spoken form, where $9.50 is
# "nine dollars fifty", 18 % off at most; by tokens it is 30 %.
CHARACTER_S = 0.0511
SENTENCE_S = 0.22
TOLERANCE = 0.25
"""How far from what was asked for is still right: a quarter."""

_TIMES = frozenset({"time", "date", "weekday", "month"})
_ASKED = (
    (re.compile(r"\b(?:when|what time|until|how late|how early|open|close)\b", re.I), _TIMES),
    (re.compile(r"\b(?:how much|cost|price|pay|fee|cheap)", re.I), frozenset({"money"})),
    (re.compile(r"\bhow long\b", re.I), frozenset({"duration", *_TIMES})),
    (re.compile(r"\bhow (?:far|high|big|deep|wide|old|many)\b", re.I), None),
)
"""What a question asks for, by its words: kinds of value (values.py); None: any."""


def speech_s(text: str) -> float:
    """How long a text will last when it is spoken, in seconds."""
    said = sum(len(word.text) + 1 for word in speak(text).words)
    return CHARACTER_S * said + SENTENCE_S * len(sentences(text))


def fitted(reply: str, question: str, seconds: float) -> str:
    """Of the runs of sentences that answer the one that lasts about `seconds`, or comes nearest.

    A last sentence that was not finished is left out; where that leaves nothing: empty.
    """
    whole = [one.text.strip() for one in sentences(reply) if is_whole(one.text)]
    runs = [" ".join(whole[i:j]) for i, j in combinations(range(len(whole) + 1), 2)]
    if not runs:
        return ""

    complete = answer_in(" ".join(whole), question)
    answering = [run for run in runs if answer_in(run, question) == complete]
    return min(answering, key=lambda run: abs(speech_s(run) / seconds - 1))


def answer_in(text: str, question: str) -> frozenset[str]:
    """What of a text the question asks for: its own words, and values of the kind it wants."""
    words = set(stems(question)) & set(stems(text))
    values = find_values(text)
    for pattern, kinds in _ASKED:
        if pattern.search(question):
            words |= {value.text for value in values if kinds is None or value.kind in kinds}

    return frozenset(words)


def is_whole(sentence: str) -> bool:
    """Whether it was brought to its end."""
    return sentence.rstrip().rstrip("\"'’”)").endswith((".", "!", "?"))
