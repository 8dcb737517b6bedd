"""A reply made to last as long as was asked for: what a second of speech holds, and which sentences
are said. Pure.

Rule 1. A reply is made shorter by leaving sentences out, never by cutting one. It is not made
        longer: that would take another answer.
Rule 2. Of the runs of sentences that fit, the one is said that has most of the question's words.
"""

from __future__ import annotations

import math
from itertools import combinations

from atonce.agent.reply_form import sentences
from atonce.llm.ranking import stems
from atonce.speech.spoken import speak

# Measured on 20 replies (docs/engine.md) with the voice "joe": of the spoken form, where $9.50 is
# "nine dollars fifty", 18 % off at most; tokens alone are 30 % off.
CHARACTER_S = 0.0511
SENTENCE_S = 0.22
TOKENS_PER_SECOND = 4.43
TOLERANCE = 0.25
"""How far from what was asked for is still right: a quarter."""


def speech_s(text: str) -> float:
    """How long a reply will last when it is spoken, in seconds."""
    said = sum(len(word.text) + 1 for word in speak(text).words)
    return CHARACTER_S * said + SENTENCE_S * len(sentences(text))


def canvas_for(seconds: float) -> int:
    """Positions that hold all that can be said in so many seconds and a quarter more."""
    return math.ceil(seconds * (1 + TOLERANCE) * TOKENS_PER_SECOND) + 1  # and the end mark


def fitted(reply: str, question: str, seconds: float) -> str:
    """The run of the reply's sentences that lasts about `seconds`; else the one that comes nearest.

    A last sentence that was not finished is left out; where that leaves nothing: empty.
    """
    whole = [one.text.strip() for one in sentences(reply) if is_whole(one.text)]
    runs = [" ".join(whole[i:j]) for i, j in combinations(range(len(whole) + 1), 2)]
    if not runs:
        return ""

    asked = set(stems(question))

    def fitness(run: str) -> tuple[float, int, float]:
        off = abs(speech_s(run) / seconds - 1)
        return (-max(0.0, off - TOLERANCE), len(asked & set(stems(run))), -off)

    return max(runs, key=fitness)


def is_whole(sentence: str) -> bool:
    """Whether it was brought to its end."""
    return sentence.rstrip().rstrip("\"'’”)").endswith((".", "!", "?"))
