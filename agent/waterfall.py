"""The bars of a turn for a terminal: what took how long, from zero on. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from atonce.agent.turn_bars import BESIDE, Bar

BAR_WIDTH = 40
NAME_WIDTH = 16
"""Of the longest mark: a picture that is drawn again and again keeps its place."""


def waterfall(
    bars: Sequence[Bar], *, budget_s: float | None = None, most: int | None = None
) -> Table:
    """Bars, drawn. budget_s: where the first sound was due. most: rows, at least 5; those in the
    middle are left out."""
    shown = bars if most is None or len(bars) <= most else (*bars[:4], *bars[4 - most :])
    begin_s = min(0.0, *(bar.start_s for bar in shown)) if shown else 0.0
    whole_s = max([*(bar.end_s - begin_s for bar in shown), 1e-9])
    table = Table(box=None, show_header=True, header_style="dim", padding=(0, 1))
    table.add_column("mark", min_width=NAME_WIDTH)
    table.add_column("ms", justify="right")
    table.add_column("took", justify="right")
    table.add_column("", no_wrap=True)

    for bar in shown:
        is_late = budget_s is not None and bar.name == "first_audio" and bar.end_s > budget_s
        left = min(BAR_WIDTH - 1, round(BAR_WIDTH * (bar.start_s - begin_s) / whole_s))

        if bar.name in BESIDE:
            drawn, took, ink = "│", "", "dim"
        else:
            length = max(1, round(BAR_WIDTH * (bar.end_s - bar.start_s) / whole_s))
            drawn, took = "█" * min(length, BAR_WIDTH - left), f"{bar.end_ms - bar.start_ms}"
            ink = "red" if is_late else "cyan"

        table.add_row(bar.name, f"{bar.end_ms}", took, Text(" " * left + drawn, ink))

    return table
