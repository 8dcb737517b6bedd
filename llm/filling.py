"""Gaps in a text, filled from the facts: pins to both sides, and what stands between is denoised.

Rule 1. Gaps are filled from left to right. How wide a gap is nobody knows: every width is tried, as
        rows of one pass, and the likeliest text is kept.
Rule 2. Likely is what the reader alone finds so, word by word from the left: the denoiser's own
        confidences are of different texts, and cannot be compared.
Rule 3. A gap is filled with something that can be said, and does not repeat the words beside it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from atonce.config.errors import EngineError
from atonce.llm.commit import Marks
from atonce.llm.protocols import Draft, Plan, Prompt, PromptCache
from atonce.llm.rows import Row, Rows

WIDEST = 8
"""Positions of the widest gap that is tried: "from 9:30 am to 5:45 pm" is two gaps."""
GUESSED = 3
"""Positions that a gap further right is taken to have."""


@runtime_checkable
class GapWriter(Protocol):
    """A writer that can be asked to fill gaps."""

    @property
    def max_canvas(self) -> int:
        """Longest canvas it takes."""
        ...

    @property
    def marks(self) -> Marks:
        """Its special tokens."""
        ...

    def encode(self, text: str) -> list[int]:
        """The tokens of a text."""
        ...

    def read(self, prompt: Prompt) -> PromptCache:
        """Read a prompt; see Writer."""
        ...

    def rows(self, *, most: int) -> Rows:
        """Rows to be written together."""
        ...

    def likelihood(self, prompt: Prompt, reply: Sequence[int]) -> float:
        """The logarithm of how likely a reply begins so."""
        ...


@dataclass(frozen=True, slots=True)
class Filled:
    """A text without gaps."""

    text: str
    """All of it."""
    gaps: tuple[str, ...]
    """What was put in each."""


def fill(writer: GapWriter, prompt: Prompt, parts: Sequence[str], plan: Plan) -> Filled:
    """Fill the gaps between these parts; plan: steps, rule and seed, its canvas is not used."""
    cache, fixed = writer.read(prompt), [writer.encode(part) if part else [] for part in parts]
    longest = sum(map(len, fixed)) + (len(parts) - 1) * WIDEST + 1
    if longest > writer.max_canvas:
        raise EngineError(
            f"the text and its gaps take up to {longest} positions, but the engine writes at most "
            f"{writer.max_canvas}: fill a shorter text."
        )

    done, gaps = list(fixed[0]), list[str]()
    for gap in range(1, len(parts)):
        drafts = tried(writer, cache, done, fixed[gap:], plan)
        # The part behind the gap tells whether it was filled well; behind the last, the end too.
        more = len(fixed[gap]) + (gap == len(parts) - 1)
        known = {
            width: [cell.token for cell in draft.cells[: len(done) + width + more]]
            for width, draft in drafts.items()
        }
        said = {
            width: "".join(cell.text for cell in draft.cells[len(done) : len(done) + width])
            for width, draft in drafts.items()
        }
        fitting = [width for width in said if fits(parts[gap - 1], said[width], parts[gap])]
        best = max(fitting or known, key=lambda width: writer.likelihood(prompt, known[width]))
        gaps.append(said[best].strip())
        done = known[best]

    return Filled(drafts[best].text, tuple(gaps))


def fits(left: str, said: str, right: str) -> bool:
    """Rule 3."""
    words = [re.findall(r"\w+", text.lower()) for text in (left, said, right)]
    if not words[1]:
        return False

    return words[0][-1:] != words[1][:1] and words[2][:1] != words[1][-1:]


def tried(
    writer: GapWriter,
    cache: PromptCache,
    done: Sequence[int],
    right: Sequence[Sequence[int]],
    plan: Plan,
) -> dict[int, Draft]:
    """The text by the width of its next gap; right: the parts that follow the gap."""
    rows, widths = writer.rows(most=WIDEST), dict[Row, int]()
    for width in range(1, WIDEST + 1):
        given: list[int | None] = [*done, *[None] * width, *right[0]]
        for part in right[1:]:
            given += [*[None] * GUESSED, *part]

        given.append(writer.marks.end)
        row = rows.add(cache, replace(plan, canvas=len(given)), given=given)
        widths[row] = width

    drafts: dict[int, Draft] = {}
    while len(rows):
        drafts |= {widths[row]: draft for row, draft in rows.step().items()}

    for row in widths:
        if row.fault:
            raise row.fault

    return drafts
