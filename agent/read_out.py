"""What of a fact is said when it is read out: one or two sentences, those that answer. Pure.

Rule 1. A sentence is said whole, in the order in which it is written.
Rule 2. A sentence that points back ("It costs $5.") is said behind the one it points to.
"""

from __future__ import annotations

import re

from atonce.agent.content_words import stems_of
from atonce.agent.reply_form import sentences

MOST = 2
"""Sentences; who listens forgets the first one over a third."""
_POINTING = re.compile(r"(?:it|its|they|their|each|that|this|these|those|both|he|she)\b", re.I)


def spoken_part(fact: str, question: str) -> str:
    """The fact, or of a long one the sentences next to each other with most of the question."""
    told = [one.text.strip() for one in sentences(fact)]
    if len(told) <= MOST:
        return fact

    asked = stems_of(question)
    starts = range(len(told) - MOST + 1)
    met = [len(asked & stems_of(" ".join(told[start : start + MOST]))) for start in starts]
    start = met.index(max(met))
    first = start - 1 if start and _POINTING.match(told[start]) else start
    return " ".join(told[first : start + MOST])
