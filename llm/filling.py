"""Gaps in a text, filled from the facts: pins to both sides, and what stands between is denoised.

Rule 1. Gaps are filled from left to right. How wide a gap is nobody knows: every width is tried, as
        rows of one pass. The writer reads facts out, so what it put there is tried without its
        first words, or its last, too: of "open from 9:30 am" a sentence may want the end.
Rule 2. The likeliest is kept, as the reader alone finds it, word by word from the left: the
        denoiser's own confidences are of different texts, and cannot be compared.
Rule 3. A gap is filled with something that can be said, and does not repeat the words beside it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from atonce.config.errors import EngineError
from atonce.llm.commit import Marks
from atonce.llm.protocols import Cell, Draft, Plan, Prompt, PromptCache
from atonce.llm.rows import Row, Rows

WIDEST = 12
"""Positions of the widest gap that is tried: "open from 9:30 am to 5:45 pm" takes them all."""
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

    def likelihoods(
        self, prompt: Prompt, beginning: Sequence[int], endings: Sequence[Sequence[int]]
    ) -> list[float]:
        """The logarithms of how likely a reply that begins so goes on in each of these ways."""
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
    least = sum(map(len, fixed)) + (len(parts) - 1) * GUESSED + 1
    if least > writer.max_canvas:
        raise EngineError(
            f"the text and its gaps take at least {least} positions, but the engine writes at most "
            f"{writer.max_canvas}: fill a shorter text, or fewer gaps."
        )

    done, text, gaps = list(fixed[0]), parts[0], list[str]()
    for gap in range(1, len(parts)):
        drafts = tried(writer, cache, done, fixed[gap:], plan)
        said: dict[tuple[int, ...], str] = {}
        for width, draft in drafts.items():
            said |= runs(draft.cells[len(done) : len(done) + width])

        fitting = [run for run, words in said.items() if fits(parts[gap - 1], words, parts[gap])]
        best = likeliest(writer, prompt, done, fitting or list(said), behind(fixed, gap, writer))
        gaps.append(said[best].strip())
        done += [*best, *fixed[gap]]
        text += said[best] + parts[gap]

    return Filled(text.strip(), tuple(gaps))


def behind(fixed: Sequence[list[int]], gap: int, writer: GapWriter) -> list[int]:
    """What tells whether a gap was filled well: the part that follows; after the last, the end."""
    return fixed[gap] + [writer.marks.end] * (gap == len(fixed) - 1)


def likeliest(
    writer: GapWriter,
    prompt: Prompt,
    done: Sequence[int],
    runs: Sequence[tuple[int, ...]],
    behind: Sequence[int],
) -> tuple[int, ...]:
    """Rule 2; done: what stands before the gap."""
    odds = writer.likelihoods(prompt, done, [[*run, *behind] for run in runs])
    return max(zip(odds, runs, strict=True), key=lambda pair: pair[0])[1]


def runs(cells: Sequence[Cell]) -> dict[tuple[int, ...], str]:
    """What stands in a gap, whole and without its first words or its last: tokens and text."""
    words = [i for i, cell in enumerate(cells) if cell.text[:1].isspace() or i == 0]
    spans = [(0, stop) for stop in words[1:]] + [(start, len(cells)) for start in words]
    return {
        tuple(cell.token for cell in cells[start:stop]): "".join(
            cell.text for cell in cells[start:stop]
        )
        for start, stop in spans
    }


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
    later = sum(map(len, right)) + (len(right) - 1) * GUESSED + 1  # the end mark, too
    room = min(WIDEST, writer.max_canvas - len(done) - later)
    rows, widths = writer.rows(most=room), dict[Row, int]()
    for width in range(1, room + 1):
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
