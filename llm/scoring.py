"""Whether a reply is right: compares it with what a turn demands. Pure.

Its own reading of values: it shares no code with the reply check, so that one cannot hide the
other's mistakes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from atonce.llm.corpus import Example

WORD = re.compile(r"[a-z0-9$%]+(?:[:.'][a-z0-9]+)*")
NUMBER = re.compile(r"\d+(?:[:.]\d+)*")
NOT_KNOWN = re.compile(
    r"(don't|do not|doesn't|didn't) (have|know)|not sure|no (information|idea)|(can't|couldn't) say"
)
STUTTER = re.compile(r"\b(\w+)(\W+\1\b)+", re.IGNORECASE)
LOOP = 4  # words that stand twice in the same order are a loop


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of one reply."""

    kind: str
    """"grounded", "unknown" or "talk": what the turn was."""
    is_right: bool
    """Every value that the turn demands is there; or the reply says that it does not know, and
    at most whom to call."""
    is_invented: bool
    """A number that stands nowhere in the prompt."""
    is_wrong_value: bool
    """A grounded turn: a number from other facts, and what is demanded is not there."""
    is_repeating: bool
    """A stutter or a loop."""
    is_refused: bool
    """A grounded turn was answered with "I don't know"."""


def judge(example: Example, reply: str) -> Verdict:
    """Score one reply."""
    prompt = example.prompt
    kind = "unknown" if example.is_unknown else "grounded" if example.gold else "talk"
    not_known = bool(NOT_KNOWN.search(reply.lower().replace("\u2019", "'")))
    said = numbers([reply])
    talk = [part for past in prompt.history for part in (past.question, past.reply)]
    known = numbers([prompt.role, *prompt.facts, prompt.question, *talk])
    own = numbers([prompt.facts[i] for i in example.gold] + [prompt.question])
    holds = satisfies(reply, example.must)
    right = {"unknown": not_known and not said - known, "grounded": holds}
    return Verdict(
        kind=kind,
        is_right=right.get(kind, not not_known and bool(reply.strip())),
        is_invented=bool(said - known),
        is_wrong_value=kind == "grounded" and not holds and bool((said & known) - own),
        is_repeating=repeats(reply),
        is_refused=kind == "grounded" and not_known and not holds,
    )


def satisfies(reply: str, must: Iterable[str]) -> bool:
    """Whether a reply holds everything demanded, as whole words and numbers."""
    spaced = plain(reply)
    return all(any(plain(way) in spaced for way in one.split("|")) for one in must)


def plain(text: str) -> str:
    """Lower-case words and numbers with a blank around each."""
    return f" {' '.join(WORD.findall(text.lower().replace(chr(0x2019), chr(39))))} "


def numbers(texts: Iterable[str]) -> set[str]:
    """All numbers of some texts, as written."""
    return {number for text in texts for number in NUMBER.findall(text)}


def repeats(reply: str) -> bool:
    """A word twice in a row, or four words that come back."""
    words = plain(reply).split()
    runs = Counter(tuple(words[i : i + LOOP]) for i in range(len(words) - LOOP + 1))
    doubled = any(not match[1].isdigit() for match in STUTTER.finditer(reply))
    return doubled or any(count > 1 for count in runs.values())
