"""What of a reply that was drafted too early still stands, once the whole question is known. Pure.

Rule 1. One pass over an empty canvas tells what the writer would say now; of the draft stays what
        that pass finds likely too, in the same place.
Rule 2. The length stays only where the pass ends the reply at the same place; else all behind the
        last word that stays is open.
Rule 3. Where little stays, nothing does: the draft was an answer to another question.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from atonce.llm.commit import Guess, Marks, reply_end
from atonce.llm.protocols import Cell

SURE = 0.5
"""Probability from which a word of the draft stays."""
LITTLE = 0.4
"""Share of the draft's words below which it is written anew."""
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


@dataclass(frozen=True, slots=True)
class EarlyDraft:
    """A reply to the beginning of a question, given up because the person went on."""

    question: str
    """What it answers."""
    cells: tuple[Cell, ...]
    """Its canvas as it stood."""


def goes_on(before: str, now: str) -> bool:
    """Whether a question is the same one, or begins with it; its last word may have changed."""
    begun, whole = words(before), words(now)
    return len(begun) >= 1 and whole[: max(1, len(begun) - 1)] == begun[: max(1, len(begun) - 1)]


def words(text: str) -> list[str]:
    """For comparison."""
    return WORD.findall(text.lower())


def kept(
    cells: Sequence[Cell], guesses: Sequence[Guess], marks: Marks, *, sure: float = SURE
) -> list[int | None] | None:
    """A token for every position that stays, None for those to be written; None: write anew.

    guesses: of a pass over an empty canvas as long as `cells`, one for each position.
    """
    if len(guesses) != len(cells):
        return None

    said = [i for i, cell in enumerate(cells) if cell.text and not cell.is_open]
    stays = [i for i in said if likelihood(cells[i].token, guesses[i]) >= sure]
    if not said or len(stays) < LITTLE * len(said):
        return None

    given: list[int | None] = [
        cells[i].token if i in set(stays) else None for i in range(len(cells))
    ]
    end = said[-1] + 1
    if reply_end([marks.mask] * len(cells), guesses, marks) == end and not cells[-1].is_open:
        given[end:] = [marks.end] * (len(cells) - end)

    return given


def likelihood(token: int, guess: Guess) -> float:
    """Of a token at the place of a guess; 0 where it is not among the likeliest."""
    return dict(zip(guess.tokens, guess.confidences, strict=True)).get(token, 0.0)


def steps_for(given: Sequence[int | None], steps: int) -> int:
    """K for what is left: in proportion, one fewer than from nothing, since one pass was done."""
    is_open = [token is None for token in given]
    if not any(is_open):
        return 0

    return max(1, min(steps - 1, math.ceil(steps * sum(is_open) / len(given))))


def as_cells(cells: Sequence[Cell], given: Sequence[int | None], marks: Marks) -> tuple[Cell, ...]:
    """The draft with its doubtful places masked again, to be shown."""
    masked = Cell(marks.mask, "", is_open=True, confidence=0.0)
    return tuple(
        masked if token is None else cell for cell, token in zip(cells, given, strict=True)
    )
