"""The timeline of a turn as bars for a terminal: what took how long, from zero on. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

BAR_WIDTH = 40
BESIDE = ("endpointed", "acknowledged")
"""Moments beside the line: they end no stage."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One stage of a turn."""

    name: str
    """The mark at its end."""
    start_s: float
    """Seconds since zero."""
    end_s: float
    """Seconds since zero."""


def bars(marks_s: Mapping[str, float]) -> list[Bar]:
    """Mark → seconds since zero, as stages in the order of time; a moment is a bar of no length."""
    made: list[Bar] = []
    before = 0.0
    for name, at_s in sorted(marks_s.items(), key=lambda mark: mark[1]):
        start_s = at_s if name in BESIDE else before
        made.append(Bar(name, start_s, at_s))
        before = before if name in BESIDE else at_s

    return made


def waterfall(marks_s: Mapping[str, float], *, budget_s: float | None = None) -> Table:
    """Mark → seconds since zero, drawn; budget_s: where the first sound was due."""
    rows = bars(marks_s)
    whole = max([*(bar.end_s for bar in rows), 1e-9])
    table = Table(box=None, show_header=True, header_style="dim", padding=(0, 1))
    table.add_column("mark")
    table.add_column("ms", justify="right")
    table.add_column("took", justify="right")
    table.add_column("")
    for bar in rows:
        left = round(BAR_WIDTH * bar.start_s / whole)
        if bar.name in BESIDE:
            drawn, took, ink = "│", "", "dim"
        else:
            drawn = "█" * max(1, round(BAR_WIDTH * (bar.end_s - bar.start_s) / whole))
            took, ink = f"{1000 * (bar.end_s - bar.start_s):.0f}", "cyan"

        if budget_s is not None and bar.name == "first_audio" and bar.end_s > budget_s:
            ink = "red"

        table.add_row(bar.name, f"{1000 * bar.end_s:.0f}", took, Text(" " * left + drawn, ink))

    return table
