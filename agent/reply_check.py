"""Check a whole reply before it is spoken: its form, its values, its names.

Rule 1: a value (time, price, date, code ...) must stand in the role, the facts or the talk so far.
Rule 2: a value that only the person said may be turned down or taken up, not affirmed.
Rule 3: a value must belong to what is asked: the adults' price is no answer about children.
Rule 4: a name must stand in the role, the facts, the question or the talk so far.
Rule 5: an honest "I don't know" passes when it holds no wrong value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from atonce.agent.clauses import Clause, Reading, day_sets, read
from atonce.agent.content_words import stems_of
from atonce.agent.evidence import read_facts, rival_of
from atonce.agent.reply_form import Problem, Sentence, form_problems, sentences
from atonce.agent.values import Value, find_values, same
from atonce.llm.protocols import Prompt

__all__ = ["Problem", "Verdict", "check"]

# By how much (log-odds) another value of the facts must fit better before the one said is doubted.
# At 1.5: 2 % of right values, and nine of ten wrong ones (docs/reply-check.md has the curve).
DOUBT = 1.5


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
    known = (prompt.role, *prompt.facts, *talk, prompt.question)
    found = [*form_problems(reply, known="\n".join(known))]

    if not any(problem.kind == "empty" for problem in found):
        found += _value_problems(reply, prompt)
        found += _name_problems(reply, known)

    return Verdict(tuple(sorted(found, key=lambda problem: (problem.start, problem.end))))


# --- values ---------------------------------------------------------------------------------

# Words that turn a value down: "not at eleven", "eleven is too late".
_TURNED_DOWN = re.compile(
    r"\b(?:no|not|nor|never|too|sorry|afraid|unfortunately)\b|n['\u2019]t\b",
    re.I,
)
_AFFIRMED = re.compile(r"\s*(?:yes|yeah|exactly|correct|right|that's right|of course)\b", re.I)
_DENIED = re.compile(r"\b(?:no|not|never)\b|n['\u2019]t\b", re.I)
# A number of the person's that a reply takes up: "room for five", "At twenty metres, ...".
_TAKEN_UP = re.compile(r"(?:\b[Ff]or |^(?:At|With|In) )$")
_TAKEABLE = frozenset(("number", "measure", "duration"))


def _value_problems(reply: str, prompt: Prompt) -> Iterator[Problem]:
    whole = read(reply)
    grounds = _values((prompt.role, *(past.reply for past in prompt.history)))
    grounds += [c.value for fact in read_facts(prompt.facts).facts for c in fact.clauses]
    asked = _values((*(past.question for past in prompt.history), prompt.question))
    known = "\n".join((prompt.role, *prompt.facts))

    for sentence in sentences(reply):
        for clause in _clauses_in(sentence, whole):
            value = clause.value
            detail = None

            if any(same(value, ground) for ground in grounds):
                is_asked = any(same(value, said) for said in asked)

                if not (is_asked and _is_turned_down(sentence, reply)):
                    detail = _doubt(clause, sentence, whole, prompt)
            elif not _follows(value, whole, reply, known):
                detail = _unfounded(value, sentence, asked, reply)

            if detail:
                yield Problem("value", value.start, value.end, detail)


def _values(texts: Iterable[str]) -> list[Value]:
    return [value for text in texts for value in find_values(text)]


def _clauses_in(sentence: Sentence, whole: Reading) -> list[Clause]:
    return [c for c in whole.clauses if sentence.start <= c.value.start < sentence.end]


def _is_turned_down(sentence: Sentence, reply: str) -> bool:
    """A reply that begins with "yes" turns nothing down by being sorry."""
    words = _DENIED if _AFFIRMED.match(reply) else _TURNED_DOWN
    return words.search(sentence.text) is not None


def _doubt(clause: Clause, sentence: Sentence, whole: Reading, prompt: Prompt) -> str | None:
    rival = rival_of(clause, sentence=stems_of(sentence.text), reply=whole, prompt=prompt)

    if rival is None or rival[1] < DOUBT:
        return None

    return f"{clause.value.text!r} belongs to something else; {rival[0].text!r} fits better"


def _unfounded(value: Value, sentence: Sentence, asked: list[Value], reply: str) -> str | None:
    if not any(same(value, said) for said in asked):
        return f"no fact says {value.text!r}"

    ahead = sentence.text[: value.start - sentence.start]
    is_taken_up = value.kind in _TAKEABLE and _TAKEN_UP.search(ahead)

    if is_taken_up or _is_turned_down(sentence, reply):
        return None

    return f"only the person said {value.text!r}"


# --- what follows from the facts without standing in them -------------------------------------


def _follows(value: Value, whole: Reading, reply: str, known: str) -> bool:
    """ "Six days a week", one of a unit, a count of what the reply lists."""
    if value.kind == "duration" and reply[value.end :].startswith(" a week"):
        return any(value.figure == len(days) for days in day_sets(known))

    words = value.text.lower().split()

    if value.kind == "duration" and words[0] == "one":
        return words[-1] in known.lower()

    listed = Counter(clause.value.kind for clause in whole.clauses if clause.value != value)
    return value.kind == "number" and value.meaning[0] != 1 and value.figure in listed.values()


# --- names ----------------------------------------------------------------------------------

# Capitalised words that are nobody's name.
_NO_NAMES = (
    "i i'm i'll i've i'd ok okay english mr mrs ms miss mister missus dr doctor professor captain "
    "sir madam tv wi-fi wifi gps pin atm id christmas easter new year"
)
_ORDINARY = frozenset(_NO_NAMES.split())
_CAPITAL = re.compile(r"(?<=[\w,;] )[A-Z][^\W\d_]+\d*(?:[-'\u2019][^\W\d_]+)*")
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")


def _name_problems(reply: str, known: Iterable[str]) -> Iterator[Problem]:
    words = frozenset().union(*(_spoken(text) for text in known))

    for match in _CAPITAL.finditer(reply):
        word = _bare(match[0])

        if word not in words and word not in _ORDINARY and not find_values(match[0]):
            yield Problem("name", *match.span(), f"nobody spoke of {match[0]!r}")


@lru_cache(maxsize=512)
def _spoken(text: str) -> frozenset[str]:
    return frozenset(_bare(word) for word in _WORD.findall(text))


def _bare(word: str) -> str:
    return re.sub(r"'s?$", "", word.lower().replace("\u2019", "'"))
