"""The embedded model's prompt: the words and marks it was trained with. Pure.

Rule 1. Marks are values of their own, never characters in a text: `<|im_end|>` in a fact, in a role
        or in what somebody said stays text.
Rule 2. Prefix (role and facts) + past turns + question: each part stands alone, so that what was
        read of one can be kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from atonce.llm.protocols import Exchange, Prompt


class Mark(Enum):
    """A special token of the ChatML template."""

    START = "<|im_start|>"
    END = "<|im_end|>"


BULLET = "\n-"

Piece = Mark | str
"""A mark, or text that is only ever text."""


def prefix(prompt: Prompt) -> list[Piece]:
    """Who the agent is and all that it knows; every fact is a piece of its own, see `facts`."""
    head = (
        f"You are {clean(prompt.role).rstrip('.')}. Answer aloud in one or two short sentences, "
        "from these facts:"
    )
    lines = [piece for fact in prompt.facts for piece in (BULLET, f" {clean(fact)}")]
    return [Mark.START, f"system\n{head}", *lines, Mark.END, "\n"]


def facts(pieces: Sequence[Piece]) -> list[int]:
    """Which pieces of a prefix are the facts, in their order."""
    return [i + 1 for i, piece in enumerate(pieces) if piece == BULLET]


def past_turn(exchange: Exchange) -> list[Piece]:
    """What was asked and what was heard of the reply."""
    return message("user", clean(exchange.question)) + message("assistant", clean(exchange.reply))


def turn(question: str) -> list[Piece]:
    """The question, and the head of the reply that is to be written."""
    return [*message("user", clean(question)), Mark.START, "assistant\n"]


def message(speaker: str, text: str) -> list[Piece]:
    """One whole message."""
    return [Mark.START, f"{speaker}\n{text}", Mark.END, "\n"]


def clean(text: str) -> str:
    """On one line: a line break would begin a new fact."""
    return " ".join(encodable(text).split())


def encodable(text: str) -> str:
    """Without halves of surrogate pairs, which have no bytes; a broken command line brings them."""
    return text.encode("utf-8", "replace").decode()
