"""Replies in parts: each part is written on a canvas of its own, in the same passes, and they are
said one after the other. A question that takes two facts is answered so; see leading.py.

Rule 1. The first part counts: a later one is left out where it says nothing new, says that it does
        not know, or does not fit on one canvas with what stands before it.
Rule 2. A fact is not cut off for the want of a few positions: see `stretched`.
Rule 3. What comes out is a draft like any other: it can be checked, re-masked and written anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Protocol, runtime_checkable

from atonce.llm.lessons import UNKNOWN
from atonce.llm.protocols import Cell, Draft, Plan, PromptCache
from atonce.llm.rows import Row, Rows

STRETCH = 1.2
"""A canvas of 40 becomes at most one of 48, the longest there is; a step takes a fifth more."""


@runtime_checkable
class InParts(Protocol):
    """A prompt whose reply is written in parts."""

    @property
    def parts(self) -> Sequence[PromptCache]:
        """The prompt as it is told for each part, at least one."""
        ...

    @property
    def wanted(self) -> int:
        """Positions that this part takes, as far as is known before."""
        ...


def parts_of(cache: PromptCache) -> Sequence[PromptCache]:
    """The prompt for every part of the reply; most replies have one."""
    return cache.parts if isinstance(cache, InParts) else (cache,)


def write_parts(rows: Rows, cache: PromptCache, plan: Plan, *, most: int) -> Iterator[Draft]:
    """Write a reply with all its parts in rows that nobody else steps; a draft after every step.

    most: positions of the whole reply. EngineError: it cannot be written. ReplyError, while it is
    written: the first part came to nothing.
    """
    return follow_parts(rows, add_parts(rows, cache, plan, most=most), most)


def add_parts(rows: Rows, cache: PromptCache, plan: Plan, *, most: int) -> list[Row]:
    """A row for every part; most: positions of a canvas. EngineError: it cannot be written."""
    return [rows.add(part, stretched(plan, part, most)) for part in parts_of(cache)]


def stretched(plan: Plan, part: PromptCache, most: int) -> Plan:
    """The plan with a somewhat longer canvas where the fact that answers would just not fit."""
    wanted = part.wanted if isinstance(part, InParts) else 0
    if plan.canvas < wanted <= min(most, int(STRETCH * plan.canvas)):
        return replace(plan, canvas=wanted)

    return plan


def follow_parts(rows: Rows, parts: Sequence[Row], most: int) -> Iterator[Draft]:
    """The drafts of a reply, to its end."""
    drafts: dict[Row, Draft] = {}
    try:
        while any(row in rows for row in parts):
            drafts |= rows.step()
            if parts[0].fault:
                raise parts[0].fault

            yield joined([drafts[row] for row in parts if row in drafts], most=most)
    finally:
        for row in parts:
            rows.drop(row)


def joined(drafts: Sequence[Draft], *, most: int) -> Draft:
    """The parts as one draft, see rule 1; the first comes first."""
    first, chosen = drafts[0], [drafts[0]]
    for draft in drafts[1:]:
        if first.text == UNKNOWN and chosen == [first]:
            chosen = [draft]
        elif is_news(draft, chosen) and sum(len(said(one)) for one in (*chosen, draft)) < most:
            chosen.append(draft)

    cells = [cell for draft in chosen for cell in said(draft)]
    for place in accumulate(len(said(one)) for one in chosen[:-1]):
        if cells[place].text and not cells[place].text[0].isspace():
            cells[place] = replace(cells[place], text=f" {cells[place].text}")

    ends = chosen[-1].cells[len(said(chosen[-1])) :]
    room = max(len(first.cells), len(cells) + 1) - len(cells)
    return replace(
        first,
        step=max(draft.step for draft in drafts),
        steps=max(draft.steps for draft in drafts),
        cells=(*cells, *ends[:room]),
        forced=any(draft.forced for draft in chosen),
    )


def is_news(draft: Draft, chosen: Sequence[Draft]) -> bool:
    """Whether it says what the others do not: each was told of all facts."""
    return draft.text != UNKNOWN and not any(draft.text in one.text for one in chosen)


def said(draft: Draft) -> list[Cell]:
    """Its cells without the end marks behind the reply."""
    cells = list(draft.cells)
    while cells and not cells[-1].is_open and not cells[-1].text:
        cells.pop()

    return cells
