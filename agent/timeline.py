"""The marks of one turn, in order (pure: the time is an argument).

    speech_ended · transcript_final · prompt_read · draft_1 … draft_K · reply_checked · first_chunk
                 · first_audio · playback_ended
    endpointed and acknowledged come anywhere between the first and the last of them

Rule 1: a mark has a name of MARKS, or is a draft; it is set once.
Rule 2: marks come in the order of MARKS, and time does not run backwards. `endpointed` comes before
        `first_audio`: a reply may be ready before it, and is held. `acknowledged` is never taken
        for first audio.
Rule 3: zero is the person's last sample of speech; for a question that is handed over whole, the
        moment at which it was, models loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from atonce.agent.cost_model import Stage

Mark = Literal[
    "speech_ended",
    "transcript_final",
    "prompt_read",
    "reply_checked",
    "first_chunk",
    "first_audio",
    "playback_ended",
    "done",
    "endpointed",
    "acknowledged",
]
MARKS: Final[tuple[Mark, ...]] = get_args(Mark)
_LINE: Final = MARKS[: MARKS.index("endpointed")]
_DRAFTS_AFTER: Final = _LINE.index("prompt_read") + 0.5
"""Where the drafts stand in the line."""
_BEFORE: Final[Mapping[str, float]] = {
    "endpointed": _LINE.index("first_audio"),
    "acknowledged": _LINE.index("playback_ended"),
}
"""Marks beside the line: the place that must not have been reached."""


@dataclass(slots=True)
class Timeline:
    """When what happened in one turn."""

    started_at_s: float
    """Zero of the turn, on the caller's clock."""
    marks_s: dict[str, float] = field(default_factory=dict)
    """Seconds since zero of every mark that was reached, in the order in which they were."""
    drafts_s: list[float] = field(default_factory=list)
    """Seconds since zero of every denoising step, repairs included."""

    def mark(self, name: Mark, *, at_s: float) -> None:
        """Set a mark; ValueError when it is out of order, set twice or in the past."""
        reached, last = self._reached()
        if name in self.marks_s:
            raise ValueError(f"mark {name!r} came after {name!r}")

        if name in _BEFORE:
            if reached >= _BEFORE[name]:
                raise ValueError(f"mark {name!r} came after {last!r}")

            floor_s = 0.0  # it may become known late, with the moment at which it happened
        else:
            if reached >= _LINE.index(name):
                raise ValueError(f"mark {name!r} came after {last!r}")

            floor_s = self._latest_s()

        self._set(name, at_s, floor_s)

    def draft(self, *, at_s: float) -> None:
        """A denoising step ended: draft_1, draft_2 … ValueError as for a mark."""
        reached, last = self._reached()
        name = f"draft_{len(self.drafts_s) + 1}"
        if reached > _DRAFTS_AFTER:
            raise ValueError(f"mark {name!r} came after {last!r}")

        self._set(name, at_s, self._latest_s())
        self.drafts_s.append(self.marks_s[name])

    def _set(self, name: str, at_s: float, floor_s: float) -> None:
        since = at_s - self.started_at_s
        if not since >= floor_s:  # nor what is no number
            raise ValueError(f"mark {name!r} lies before the mark that precedes it")

        self.marks_s[name] = since

    def _reached(self) -> tuple[float, str]:
        """How far along the line the turn is, and the mark there."""
        places = [(_LINE.index(n), n) for n in _LINE if n in self.marks_s]
        if self.drafts_s:
            places.append((_DRAFTS_AFTER, f"draft_{len(self.drafts_s)}"))  # type: ignore[arg-type]

        return max(places, default=(-1, ""))

    def _latest_s(self) -> float:
        along = [since for name, since in self.marks_s.items() if name not in _BEFORE]
        return max(along, default=0.0)

    # ---- what it tells ----

    @property
    def first_audio_s(self) -> float | None:
        """Seconds from zero to the first sample of the reply; None: it was not reached."""
        return self.marks_s.get("first_audio")

    def milliseconds(self) -> dict[str, int]:
        """Every mark that was reached, in whole milliseconds since zero, in the order of time."""
        ordered = sorted(self.marks_s.items(), key=lambda mark: mark[1])
        return {name: round(1000 * since) for name, since in ordered}

    def durations_s(self, *, begun_s: float = 0.0) -> Iterator[tuple[Stage, float]]:
        """What each stage took, of those that came to an end; denoising steps are steps_s.

        begun_s: since zero; before that nobody could read the prompt.
        """
        marks = self.marks_s
        drafted = self.drafts_s[-1] if self.drafts_s else marks.get("prompt_read")
        heard = marks.get("transcript_final")
        begun = None if heard is None else max(heard, begun_s)
        audible_from = max(marks.get("first_chunk", 0.0), marks.get("endpointed", 0.0))
        parts: list[tuple[Stage, float | None, float | None]] = [
            (Stage.TRANSCRIPT, 0.0, marks.get("transcript_final")),
            (Stage.PROMPT, begun, marks.get("prompt_read")),
            (Stage.CHECK, drafted, marks.get("reply_checked")),
            (Stage.CHUNK, marks.get("reply_checked"), marks.get("first_chunk")),
            (Stage.PLAYBACK, audible_from, marks.get("first_audio")),
        ]
        for stage, start, end in parts:
            if start is not None and end is not None and end > 0:
                yield stage, max(0.0, end - start)

    def steps_s(self) -> list[float]:
        """What each denoising step took; of repairs, the check before them included."""
        begun = self.marks_s.get("prompt_read")
        if begun is None:
            return []

        starts = [begun, *self.drafts_s[:-1]]
        return [end - start for start, end in zip(starts, self.drafts_s, strict=False)]

    @property
    def stalled(self) -> str | None:
        """The last mark before the reply came to a halt; None: its first sound was heard."""
        if "first_audio" in self.marks_s:
            return None

        return self._reached()[1] or "speech_ended"


def percentiles(
    timelines: Iterable[Mapping[str, float]],
) -> dict[str, tuple[float, float, float]]:
    """p50, p95 and p99 of every mark; each timeline: mark → time, whatever its unit.

    By rank: a value that was measured, the smallest that so many do not exceed.
    """
    found: dict[str, list[float]] = {}
    for timeline in timelines:
        for name, value in timeline.items():
            found.setdefault(name, []).append(value)

    return {name: (at(v, 0.5), at(v, 0.95), at(v, 0.99)) for name, v in found.items()}


def at(values: Iterable[float], share: float) -> float:
    """The smallest value that such a share of all does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
