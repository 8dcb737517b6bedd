"""The marks of one turn, in order (pure: the time is an argument).

Rule 1: a mark has a name of MARKS and is set once.
Rule 2: marks come in the order of MARKS, and time does not run backwards.
Rule 3: zero is the moment at which the whole question was handed over, models loaded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, get_args

Mark = Literal[
    "transcript_final",
    "prompt_read",
    "first_draft",
    "reply_checked",
    "first_audio",
    "done",
]
MARKS: Final[tuple[Mark, ...]] = get_args(Mark)


@dataclass(slots=True)
class Timeline:
    """When what happened in one turn."""

    started_at_s: float
    """Zero of the turn, on the caller's clock."""
    marks_s: dict[Mark, float] = field(default_factory=dict)
    """Seconds since zero of every mark that was reached."""
    drafts_s: list[float] = field(default_factory=list)
    """Seconds since zero of every denoising step, repairs included."""

    def mark(self, name: Mark, *, at_s: float) -> None:
        """Set a mark; ValueError when it is out of order, set twice or in the past."""
        since = at_s - self.started_at_s
        position = MARKS.index(name)
        last = max((MARKS.index(done) for done in self.marks_s), default=-1)

        if position <= last:
            raise ValueError(f"mark {name!r} came after {MARKS[last]!r}")

        if since < max(self.marks_s.values(), default=0.0):
            raise ValueError(f"mark {name!r} lies before the mark that precedes it")

        self.marks_s[name] = since

    def draft(self, *, at_s: float) -> None:
        """A denoising step ended; the first one sets its mark."""
        if not self.drafts_s:
            self.mark("first_draft", at_s=at_s)

        self.drafts_s.append(at_s - self.started_at_s)

    def milliseconds(self) -> dict[str, int]:
        """Every mark that was reached, in whole milliseconds since zero."""
        return {name: round(1000 * since) for name, since in self.marks_s.items()}
