"""One reply as a generator: a draft after every denoising step, for whoever has one row only.

The loop belongs to the caller, who may stop between two steps; what was written is then dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from atonce.llm.protocols import Draft, Plan, PromptCache
from atonce.llm.rows import Row, Rows


def denoise(
    rows: Rows, prompt: PromptCache, plan: Plan, given: Sequence[int | None] | None = None
) -> Iterator[Draft]:
    """Write one reply in rows that nobody else steps; EngineError: it cannot be written."""
    return follow(rows, rows.add(prompt, plan, given=given))


def follow(rows: Rows, row: Row) -> Iterator[Draft]:
    """The drafts of a row, to its end; ReplyError: it came to nothing."""
    try:
        while row in rows:
            drafts = rows.step()
            if row.fault:
                raise row.fault

            yield drafts[row]
    finally:
        rows.drop(row)
