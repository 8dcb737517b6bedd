"""Where the time of one turn went, as bars on one axis. Pure.

Rule 1. Zero is the end of the person's last word; an early draft may lie before it.
Rule 2. A bar of a turn ends when what it names was there, and begins when that could begin: what
        was ready before is not waited for again. So bars may overlap, and none is longer than it
        took.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from atonce.agent.events import DraftMade, PromptRead, ReplyChecked, ReplyWaits
from atonce.agent.talk_turns import TalkTurn

BESIDE = ("endpointed", "acknowledged")
"""Marks beside the line: they end no stage."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One stretch of a turn."""

    name: str
    """What happened, or the mark at its end."""
    start_s: float
    """Seconds since zero."""
    end_s: float
    """Seconds since zero."""

    @property
    def start_ms(self) -> int:
        """In whole milliseconds."""
        return round(1000 * self.start_s)

    @property
    def end_ms(self) -> int:
        """In whole milliseconds."""
        return round(1000 * self.end_s)


def of_marks(marks_s: Mapping[str, float]) -> tuple[Bar, ...]:
    """Mark → seconds since zero, as stages in the order of time; a moment is a bar of no length."""
    made: list[Bar] = []
    before_s = 0.0

    for name, at_s in sorted(marks_s.items(), key=lambda mark: mark[1]):
        made.append(Bar(name, at_s if name in BESIDE else before_s, at_s))
        before_s = before_s if name in BESIDE else at_s

    return tuple(made)


def of_turn(turn: TalkTurn) -> tuple[Bar, ...]:
    """What a turn waited for until it was audible; none before that."""
    zero_s, audible_s = turn.zero_s, turn.audible_s

    if audible_s is None:
        return ()

    stretches = [*_heard(turn), *_written(turn)]

    if turn.endpoint_s is not None:
        stretches.append(("endpoint", zero_s, turn.endpoint_s))

    # A ready reply is held until the endpoint; only then is it on its way to the loudspeaker.
    ready_s = next((e.at_s for e in turn.events if isinstance(e, ReplyWaits)), audible_s)
    gone_s = max(ready_s, turn.began_s if turn.endpoint_s is None else turn.endpoint_s)
    stretches.append(("on its way", min(gone_s, audible_s), audible_s))
    return tuple(Bar(name, start_s - zero_s, end_s - zero_s) for name, start_s, end_s in stretches)


def _heard(turn: TalkTurn) -> Iterator[tuple[str, float, float]]:
    if turn.transcript_s is not None:
        yield "transcript", turn.zero_s, turn.transcript_s


def _written(turn: TalkTurn) -> Iterator[tuple[str, float, float]]:
    """Each began when what precedes it ended."""
    before_s = turn.began_s

    for event in turn.events:
        match event:
            case PromptRead():
                name = "prompt read"
            case DraftMade():
                what = f"repair {event.repair}, step" if event.repair else "step"
                name = f"{what} {event.draft.step}"
            case ReplyChecked():
                name = "check"
            case ReplyWaits():
                name = "voice"
            case _:
                continue

        yield name, before_s, event.at_s
        before_s = event.at_s
