"""Check a whole reply before it is spoken: its form, its values, its names.

Rule 1: a value (time, price, date, code ...) must stand in the role, the facts or the talk so far.
Rule 2: a value that only the person said may be turned down or taken up, not affirmed.
Rule 3: a value must belong to what is asked: the adults' price is no answer about children.
Rule 4: a name must stand in the role, the facts, the question or the talk so far.
Rule 5: an honest "I don't know" passes when it holds no wrong value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from atonce.agent.evidence import Clause, Reading, read, rival_of
from atonce.agent.reply_form import Problem, Sentence, form_problems, sentences
from atonce.agent.values import WEEKDAYS, Value, find_values, same
from atonce.llm.protocols import Prompt

__all__ = ["Problem", "Verdict", "check"]

# By how much (log-odds) another value of the facts must fit better before the one said is doubted:
# 2 doubts 1 to 2 % of right values and nine of ten wrong ones (docs/reply-check.md has the curve).
DOUBT = 2.0


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
    talk = (part for past in prompt.history for part in (past.question, past.reply))
    known = "\n".join((prompt.role, *prompt.facts, *talk, prompt.question))
    found = [*form_problems(reply, known=known)]

    if not any(problem.kind == "empty" for problem in found):
        found += _value_problems(reply, prompt)
        found += _name_problems(reply, known)

    return Verdict(tuple(sorted(found, key=lambda problem: (problem.start, problem.end))))


# --- values ---------------------------------------------------------------------------------

# Words that turn a value down: "not at eleven", "eleven is too late".
_TURNED_DOWN = re.compile(
    r"\b(?:no|not|nor|never|too|sorry|afraid|only|unfortunately|instead|than|without|except|but)\b"
    r"|n['\u2019]t\b",
    re.I,
)
# A number of the person's that a reply takes up: "room for five", "At twenty metres, ...".
_TAKEN_UP = re.compile(r"(?:\b[Ff]or |^(?:At|With|In) )$")
_TAKEABLE = frozenset(("number", "measure", "duration"))


def _value_problems(reply: str, prompt: Prompt) -> Iterator[Problem]:
    whole = read(reply)
    grounds = _values((prompt.role, *prompt.facts, *(past.reply for past in prompt.history)))
    asked = _values((*(past.question for past in prompt.history), prompt.question))
    known = "\n".join((prompt.role, *prompt.facts))

    for sentence in sentences(reply):
        for clause in _clauses_in(sentence, whole):
            value = clause.value
            detail = None

            if any(same(value, ground) for ground in grounds):
                if not _is_turned_down(value, sentence, asked):
                    detail = _doubt(clause, sentence, whole, prompt)
            elif not _follows(value, whole, reply, known):
                detail = _unfounded(value, sentence, asked)

            if detail:
                yield Problem("value", value.start, value.end, detail)


def _values(texts: Iterable[str]) -> list[Value]:
    return [value for text in texts for value in find_values(text)]


def _clauses_in(sentence: Sentence, whole: Reading) -> list[Clause]:
    return [c for c in whole.clauses if sentence.start <= c.value.start < sentence.end]


def _is_turned_down(value: Value, sentence: Sentence, asked: list[Value]) -> bool:
    is_asked = any(same(value, said) for said in asked)
    return is_asked and _TURNED_DOWN.search(sentence.text) is not None


def _doubt(clause: Clause, sentence: Sentence, whole: Reading, prompt: Prompt) -> str | None:
    rival = rival_of(clause, sentence=read(sentence.text), reply=whole, prompt=prompt)

    if rival is None or rival[1] < DOUBT:
        return None

    return f"{clause.value.text!r} belongs to something else; {rival[0].text!r} fits better"


def _unfounded(value: Value, sentence: Sentence, asked: list[Value]) -> str | None:
    if not any(same(value, said) for said in asked):
        return f"no fact says {value.text!r}"

    ahead = sentence.text[: value.start - sentence.start]
    is_taken_up = value.kind in _TAKEABLE and _TAKEN_UP.search(ahead)

    if is_taken_up or _TURNED_DOWN.search(sentence.text):
        return None

    return f"only the person said {value.text!r}"


# --- what follows from the facts without standing in them -------------------------------------

_DAY = "|".join(WEEKDAYS)
_DAY_RANGE = re.compile(rf"\b({_DAY})s? (?:to|through|till|until|-|\u2013) ({_DAY})s?\b", re.I)
_NAMED_DAYS = (
    (re.compile(r"\bweekdays?\b|\bworking days?\b|\bschool days?\b", re.I), range(5)),
    (re.compile(r"\bweekends?\b", re.I), range(5, 7)),
    (
        re.compile(r"\b(?:every|each) (?:day|night|evening)\b|\bdaily\b|\ball week\b", re.I),
        range(7),
    ),
)


def _follows(value: Value, whole: Reading, reply: str, known: str) -> bool:
    """Days of a named range, "six days a week", one of a unit, a count of what the reply lists."""
    if value.kind == "weekday":
        return any(value.meaning[0] in days for days in _day_sets(known))

    if value.kind == "duration" and reply[value.end :].startswith(" a week"):
        return any(value.figure == len(days) for days in _day_sets(known))

    words = value.text.lower().split()

    if value.kind == "duration" and words[0] == "one":
        return words[-1] in known.lower()

    listed = [clause.value.kind for clause in whole.clauses if clause.value != value]
    return value.kind == "number" and value.figure in {listed.count(kind) for kind in listed}


def _day_sets(known: str) -> Iterator[set[int]]:
    for match in _DAY_RANGE.finditer(known):
        first, last = (WEEKDAYS.index(match[group].lower()) for group in (1, 2))
        yield {(first + step) % 7 for step in range((last - first) % 7 + 1)}

    for pattern, days in _NAMED_DAYS:
        if pattern.search(known):
            yield set(days)


# --- names ----------------------------------------------------------------------------------

# Capitalised words that are nobody's name.
_NO_NAMES = (
    "i i'm i'll i've i'd ok okay english mr mrs ms miss mister missus dr doctor professor captain "
    "sir madam tv wi-fi wifi gps pin atm id christmas easter new year"
)
_ORDINARY = frozenset(_NO_NAMES.split())
_CAPITAL = re.compile(r"(?<=[\w,;] )[A-Z][^\W\d_]+(?:[-'\u2019][^\W\d_]+)*")
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")


def _name_problems(reply: str, known: str) -> Iterator[Problem]:
    words = {_bare(word) for word in _WORD.findall(known)}

    for match in _CAPITAL.finditer(reply):
        word = _bare(match[0])

        if word not in words and word not in _ORDINARY and not find_values(match[0]):
            yield Problem("name", *match.span(), f"nobody spoke of {match[0]!r}")


def _bare(word: str) -> str:
    return re.sub(r"'s?$", "", word.lower().replace("\u2019", "'"))
