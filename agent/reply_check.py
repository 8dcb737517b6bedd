"""Check a whole reply before it is spoken: its form, its values, its names.

Rule 1: a value (time, price, date, code ...) must stand in the role, the facts or the talk so far.
Rule 2: a value that only the person said may be turned down, not affirmed.
Rule 3: a value must belong to what is asked: the adults' price is no answer about children.
Rule 4: a name must stand in the role, the facts, the question or the talk so far.
Rule 5: an honest "I don't know" passes when it holds no wrong value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from atonce.agent.reply_form import Problem, form_problems, sentences
from atonce.agent.values import Value, find_values, same
from atonce.llm.protocols import Prompt

__all__ = ["Problem", "Verdict", "check"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the check found."""

    problems: tuple[Problem, ...]
    """Every fault with its place, in the order of the text; none: the reply may be spoken."""

    @property
    def passes(self) -> bool:
        """Nothing is wrong."""
        return not self.problems


def check(reply: str, *, prompt: Prompt) -> Verdict:
    """All faults of a reply to this prompt."""
    known = _known_text(prompt)
    found = [*form_problems(reply, known=known)]

    if not any(problem.kind == "empty" for problem in found):
        found += _value_problems(reply, prompt)
        found += _name_problems(reply, known)

    return Verdict(tuple(sorted(found, key=lambda problem: (problem.start, problem.end))))


def _known_text(prompt: Prompt) -> str:
    talk = (part for past in prompt.history for part in (past.question, past.reply))
    return "\n".join((prompt.role, *prompt.facts, *talk, prompt.question))


# Words that turn a value down: "not at eleven", "eleven is too late".
_TURNED_DOWN = re.compile(
    r"\b(?:no|not|nor|never|too|sorry|afraid|only|unfortunately|instead|than|without|except|but)\b"
    r"|n['\u2019]t\b",
    re.I,
)


def _value_problems(reply: str, prompt: Prompt) -> Iterator[Problem]:
    grounds = [value for text in (prompt.role, *prompt.facts) for value in find_values(text)]
    grounds += [value for past in prompt.history for value in find_values(past.reply)]
    asked = [
        value
        for text in (prompt.question, *(past.question for past in prompt.history))
        for value in find_values(text)
    ]

    for sentence in sentences(reply):
        for value in find_values(sentence.text):
            if any(same(value, ground) for ground in grounds):
                continue

            span = sentence.start + value.start, sentence.start + value.end

            if not any(same(value, said) for said in asked):
                yield Problem("value", *span, f"no fact says {value.text!r}")
            elif not _TURNED_DOWN.search(sentence.text):
                yield Problem("value", *span, f"only the person said {value.text!r}")


# Capitalised words that are nobody's name.
_NO_NAMES = (
    "i i'm i'll i've i'd ok okay english mr mrs ms miss mister missus dr doctor professor captain "
    "sir madam tv wi-fi wifi gps pin atm id christmas easter new year"
)
_ORDINARY = frozenset(_NO_NAMES.split())
_CAPITAL = re.compile(r"(?<=[\w,;] )[A-Z][^\W\d_]+(?:[-'\u2019][^\W\d_]+)*")


def _name_problems(reply: str, known: str) -> Iterator[Problem]:
    words = {bare_word(word) for word in re.findall(r"[^\W_]+(?:['\u2019-][^\W_]+)*", known)}

    for match in _CAPITAL.finditer(reply):
        word = bare_word(match[0])

        if word in words or word in _ORDINARY or find_values(match[0]):
            continue

        yield Problem("name", *match.span(), f"nobody named {match[0]!r}")


def bare_word(word: str) -> str:
    """A word as it is compared: lower case, without a genitive s."""
    return re.sub(r"['\u2019]s?$", "", word.lower()).replace("\u2019", "'")
