"""What is known of the live facts: their last values, and which are to be found out when. Pure.

Rule 1. A fact is found out once at a time: what was begun is not begun again before it ended,
        whoever asks, and however often somebody interrupts.
Rule 2. A failure never takes away the last value. It is told once, until the fact is found again.
Rule 3. A value is one clean line, short enough to be said, before it gets into a sentence.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from atonce.agent.content_words import stems_of
from atonce.agent.knowledge import clean
from atonce.config.agent_settings import VALUE, LiveFact

LONGEST_VALUE = 200
"""Characters of a value: what is said in a quarter of a minute. More is no value but a page."""
AGAIN_S = 10.0
"""After a failure a fact that is asked for rests so long: else every question would wait for a
server that is down."""


_NO_NUMBER = frozenset(("nan", "inf", "-inf", "infinity", "-infinity", "none", "null"))
"""What programs print when they have nothing to say."""


class ValueRefusedError(Exception):
    """What was found out is no value; the message says why."""


@dataclass(slots=True)
class _Known:
    """One live fact."""

    fact: LiveFact
    stems: frozenset[str]
    """The telling words of its name and sentence, by which a question is near."""
    sentence: str = ""
    """With its last value; empty: there is none yet."""
    begun_s: float = -math.inf
    """When it was last begun."""
    found_s: float = -math.inf
    """When its last value was found."""
    is_running: bool = False
    """It was begun and has not ended, in time or not."""
    is_awaited: bool = False
    """It runs, and its time limit is not over."""
    is_failing: bool = False
    """Its last try failed."""


class LiveBook:
    """The live facts of one agent; is told the time."""

    def __init__(self, facts: Mapping[str, str], live: Mapping[str, LiveFact]) -> None:
        """facts: the fixed ones, which a live fact of the same name replaces once it is known."""
        self._facts = dict(facts)
        self._known = {
            name: _Known(fact, stems_of(f"{_spaced(name)} {fact.sentence.replace(VALUE, ' ')}"))
            for name, fact in live.items()
        }

    def facts(self) -> Mapping[str, str]:
        """All facts as they stand now, the fixed ones first; a live one without a value is not
        among them."""
        live = {name: known.sentence for name, known in self._known.items() if known.sentence}
        return self._facts | live

    def due(self, at_s: float) -> tuple[str, ...]:
        """The facts on a timer whose time has come."""
        return tuple(
            name
            for name, known in self._known.items()
            if known.fact.when == "timer" and not known.is_running and _due_s(known) <= at_s
        )

    def next_due_s(self) -> float:
        """When the next fact on a timer is due; infinity: only when one that runs has ended."""
        return min(
            (
                _due_s(known)
                for known in self._known.values()
                if known.fact.when == "timer" and not known.is_running
            ),
            default=math.inf,
        )

    def near(self, question: str, at_s: float) -> tuple[str, ...]:
        """The facts to wait for before this question is answered: those found out when asked that
        share a telling word with it and have no fresh value."""
        stems = stems_of(question)
        return tuple(
            name
            for name, known in self._known.items()
            if known.fact.when == "asked" and known.stems & stems and _is_wanted(known, at_s)
        )

    def is_running(self, name: str) -> bool:
        """It was begun and has not ended."""
        return self._known[name].is_running

    def begun(self, name: str, at_s: float) -> None:
        """Somebody finds it out now."""
        known = self._known[name]
        known.is_running = known.is_awaited = True
        known.begun_s = at_s

    def found(self, name: str, value: str, at_s: float) -> bool:
        """It was found in time; whether its sentence is another one than before.

        ValueRefusedError: this is no value; the fact has not been found.
        """
        known = self._known[name]
        sentence = known.fact.sentence.replace(VALUE, value_of(value, known.fact.field))
        is_new = sentence != known.sentence
        known.sentence, known.found_s = sentence, at_s
        known.is_awaited = known.is_failing = False
        return is_new

    def failed(self, name: str) -> bool:
        """It was not found, or not in time; whether this is news."""
        known = self._known[name]
        is_news = not known.is_failing
        known.is_awaited, known.is_failing = False, True
        return is_news

    def ended(self, name: str) -> None:
        """Nobody works on it any more: it may be begun again."""
        self._known[name].is_running = self._known[name].is_awaited = False

    def has_value(self, name: str) -> bool:
        """It was found at least once."""
        return bool(self._known[name].sentence)

    def is_failing(self, name: str) -> bool:
        """Its last try failed."""
        return self._known[name].is_failing


def value_of(text: str, field: str = "") -> str:
    """The value in what was found out: one clean line. field: its place in JSON."""
    value = clean(_picked(text, field) if field else text)

    if not value or value.lower() in _NO_NUMBER:
        raise ValueRefusedError(f"it gave {value or 'nothing'}")

    if len(value) > LONGEST_VALUE:
        raise ValueRefusedError(
            f"it gave {len(value)} characters, and at most {LONGEST_VALUE} can be said"
            + ("" if field else "; name a part of it with field, if it is JSON")
        )

    return value


def _picked(text: str, field: str) -> str:
    """What stands at "current.temperature" or "stops.0.name" in JSON."""
    try:
        found = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        raise ValueRefusedError(f"it gave no JSON to find {field} in") from None

    for key in field.split("."):
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        else:
            raise ValueRefusedError(f"its JSON has no {field}: {key} is missing")

    if isinstance(found, dict | list) or found is None:
        what = "null" if found is None else "more than one value"
        raise ValueRefusedError(f"{field} of its JSON is {what}")

    return str(found).lower() if isinstance(found, bool) else str(found)


def _spaced(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")


def _due_s(known: _Known) -> float:
    return known.begun_s + known.fact.every_s


def _is_wanted(known: _Known, at_s: float) -> bool:
    """Somebody finds it out in time, or should."""
    if known.is_running:
        return known.is_awaited

    if known.is_failing:
        return known.begun_s + AGAIN_S <= at_s

    return known.found_s + known.fact.every_s <= at_s
