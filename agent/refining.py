"""A reply out of an early draft: one pass of the writer tells what of it stands. Blocking.

Rule 1. Only a writer whose single pass can be seen is asked; with any other the reply is new.
Rule 2. A reply in parts, or one longer than its canvas, is new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from atonce.agent.early_draft import EarlyDraft, as_cells, kept, steps_for
from atonce.llm.commit import Guess, Marks
from atonce.llm.joining import parts_of
from atonce.llm.protocols import Draft, Plan, PromptCache, Writer
from atonce.llm.rows import Asked


@runtime_checkable
class Looking(Protocol):
    """A writer that shows what it would put on a canvas."""

    @property
    def marks(self) -> Marks:
        """Its special tokens."""
        ...

    def look(self, rows: Sequence[Asked]) -> Sequence[Sequence[Guess] | None]:
        """One pass; see llm/rows.py."""
        ...


@dataclass(frozen=True, slots=True)
class Begun:
    """What of an early draft stands."""

    draft: Draft
    """The draft, its doubtful places masked again."""
    plan: Plan
    """How the rest is written."""
    given: list[int | None]
    """What stands, as for Writer.write."""


def begin(
    writer: Writer, cache: PromptCache, early: EarlyDraft, plan: Plan, *, shortest: int = 8
) -> Begun | None:
    """What stands of an early draft, by one pass; None: the reply is written anew."""
    size = len(early.cells)
    is_fit = shortest <= size <= min(plan.canvas, writer.max_canvas)
    if not isinstance(writer, Looking) or not is_fit or len(parts_of(cache)) > 1:
        return None

    marks = writer.marks
    (guesses,) = writer.look([Asked(cache, [marks.mask] * size)])
    given = None if guesses is None else kept(early.cells, guesses, marks)
    if given is None:
        return None

    steps = steps_for(given, plan.steps)
    cells = as_cells(early.cells, given, marks)
    rest = replace(plan, steps=max(1, steps), canvas=size, min_steps=1)
    return Begun(Draft(1, 1 + steps, cells), rest, given)
