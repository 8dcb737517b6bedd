"""The settings of who the agent is, what it knows, and what it says by itself.

An entry of emergencies or live_facts is the user's own, so default.yaml cannot hold defaults for
it; what may be left out has its default here.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from atonce.config import registry
from atonce.config.section import (
    Facts,
    Line,
    LineOrNothing,
    Section,
    UrlOrNothing,
    Words,
    named,
    unfit,
)

VALUE = "{value}"
"""Stands in a live fact's sentence for what was found out."""


def _place(text: str) -> str:
    if not text or registry.is_place(text):
        return text

    raise unfit("a function as module:function is wanted here, such as my_place:waiting_minutes")


def _with_value(sentence: str) -> str:
    if VALUE in sentence:
        return sentence

    raise unfit(f"must hold {VALUE}, where the value is to stand")


class Sentences(Section):
    """What the agent says by itself, word for word. An empty text: it says nothing then."""

    unknown: Line
    """Said when the facts do not answer the question, or no reply passed the check."""
    greeting: LineOrNothing
    """Said when a talk begins; the person may talk over it."""
    silence: LineOrNothing
    """Said once when nobody has spoken for turn.silence_prompt_s."""
    goodbye: LineOrNothing
    """Said when the person says goodbye; then the talk ends."""
    too_quiet: LineOrNothing
    """Said when somebody speaks too softly to be understood."""
    too_long: LineOrNothing
    """Said when somebody spoke for longer than endpoint.longest_s, after the reply to that."""
    other_language: LineOrNothing
    """Said when another language than transcriber.language was spoken."""
    apology: LineOrNothing
    """Said when an engine failed, and there is no reply."""
    one_moment: LineOrNothing
    """Said when a reply will come late (watchdog.acknowledge), to buy time."""


class SmallTalk(Section):
    """What the agent says to small talk, which no fact answers. {role} stands for agent.role. An
    empty text: the writer answers."""

    hello: LineOrNothing
    """Said to a greeting."""
    how_are_you: LineOrNothing
    """Said to "how are you?"."""
    who: LineOrNothing
    """Said to "who are you?"."""
    machine: LineOrNothing
    """Said to "are you a robot?"."""
    abilities: LineOrNothing
    """Said to "what can you do?" and "help me"."""
    thanks: LineOrNothing
    """Said to thanks."""
    praise: LineOrNothing
    """Said to praise."""
    insult: LineOrNothing
    """Said to an insult."""
    fun: LineOrNothing
    """Said to "tell me a joke" and "sing a song"."""
    assent: LineOrNothing
    """Said to "okay", "yes" and "never mind"."""
    goodbye: LineOrNothing
    """Said to a goodbye that does not end the talk (turn.goodbyes do)."""
    again: LineOrNothing
    """Said to "can you repeat that?" when nothing was said before; else that is said again."""
    other: LineOrNothing
    """Said to other small talk, if what the writer makes of it is no English."""


class Emergency(Section):
    """Words that leave no time for facts, and what is said to them."""

    phrases: Words
    """Spoken phrases that call for it, compared without capitals and punctuation; none: it is
    off."""
    say: Line
    """Said at once, word for word."""


class LiveFact(Section):
    """A fact that is found out while the agent runs, in exactly one of three ways."""

    python: Annotated[
        str,
        AfterValidator(_place),
        Field(json_schema_extra={"wanted": "a function as module:function"}),
    ] = ""
    """A Python function without arguments, as module:function; what it returns is the value."""
    command: Annotated[
        tuple[Line, ...],
        Field(json_schema_extra={"wanted": "a list: a program, then its arguments"}),
    ] = ()
    """A program and its arguments, started without a shell; what it prints is the value."""
    http: UrlOrNothing = ""
    """An address; what it answers is the value."""
    field: LineOrNothing = ""
    """Where the value stands when the answer is JSON, such as current.temperature; empty: the
    whole answer is the value."""
    sentence: Annotated[Line, AfterValidator(_with_value)]
    """The fact as it would be said, with {value} where the value stands."""
    when: Literal["timer", "asked"] = "timer"
    """timer: found out at the start and every every_s; asked: when a question is near it."""
    every_s: Annotated[float, Field(ge=1, le=86_400)] = 300.0
    """Seconds from one time to the next (timer); for how long a value is fresh (asked)."""
    limit_s: Annotated[float, Field(ge=0.1, le=60)] = 2.0
    """Time limit (s); what takes longer is given up, and the last value stays."""

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        given = [name for name in ("python", "command", "http") if getattr(self, name)]

        if len(given) != 1:
            found = "none" if not given else " and ".join(given)
            raise unfit(f"exactly one of python, command and http is wanted here, not {found}")

        return self


class AgentSettings(Section):
    """Who the agent is and what it knows."""

    role: Line
    """Who it is; completes "You are …"."""
    facts: Facts
    """What it knows: a short name and one or two spoken sentences for each.
    A file that gives facts replaces all of them."""
    live_facts: Annotated[Mapping[str, LiveFact], *named("names with a live fact each")]
    """Facts that are found out while the agent runs, by name; only in a file, and a file that
    gives them replaces all of them. One with the name of a fact takes its place."""
    check: bool
    """Whether every reply is checked against the facts before it is spoken."""
    reply_s: Annotated[float, Field(ge=0, le=60)]
    """How long a reply is to last when it is spoken, in seconds, by leaving sentences out or
    telling more facts; 0: as long as its answer takes."""
    sentences: Sentences
    """What the agent says by itself, word for word. An empty text: it says nothing then."""
    small_talk: SmallTalk
    """What the agent says to small talk, which no fact answers."""
    emergencies: Annotated[Mapping[str, Emergency], *named("names with phrases and say each")]
    """Words that leave no time for facts, by name, and what is said to them."""
