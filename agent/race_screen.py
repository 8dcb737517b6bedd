"""What a person sees of a race: two panels that fill, and the result."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from atonce.agent.screen import OPEN_CELL

if TYPE_CHECKING:
    from atonce.agent.race import Lane


class RaceScreen:
    """Draws on standard error where there is a terminal; the result goes to standard output."""

    def __init__(self, *, is_silent: bool) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._is_live = self._console.is_terminal and sys.stdout.isatty() and not is_silent
        self._live: Live | None = None

    def __enter__(self) -> RaceScreen:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def say(self, line: str) -> None:
        """A line about progress."""
        self._console.print(f"atonce: {line}", markup=False, soft_wrap=True)

    def show(self, lanes: Sequence[Lane]) -> None:
        """The race as it stands."""
        if not self._is_live:
            return

        if self._live is None:
            self._live = Live(console=self._console, transient=True, auto_refresh=False)
            self._live.start()

        self._live.update(side_by_side(lanes), refresh=True)

    def show_result(
        self, lanes: Sequence[Lane], checks: Sequence[bool], verdict: Sequence[str]
    ) -> None:
        """Both replies with their times, and who won and why."""
        self._stop()
        console = Console(highlight=False)
        if self._is_live:
            console.print(side_by_side(lanes))

        for lane, passes in zip(lanes, checks, strict=True):
            fate = "passes the check" if passes else "fails the check"
            said = Text.assemble(
                (lane.text, "bold"),
                f"  ({1000 * lane.seconds:.0f} ms, {1000 * lane.reading_s:.0f} of them for reading "
                f"the question; {fate})",
            )
            tell(console, lane.name, said)

        for number, line in enumerate(verdict):
            tell(console, "" if number else "result", Text(line))

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def tell(console: Console, head: str, said: Text) -> None:
    """A few words in front of a text: it is wrapped beside them, or one line where nobody looks."""
    if not console.is_terminal:
        console.print(Text.assemble((f"{head:<9}", "dim"), said), soft_wrap=True)
        return

    table = Table.grid()
    table.add_column(style="dim", min_width=9)
    table.add_column()
    table.add_row(head, said)
    console.print(table)


def side_by_side(lanes: Sequence[Lane]) -> Table:
    """One panel a lane."""
    table = Table.grid(expand=True)
    for _ in lanes:
        table.add_column(ratio=1)

    table.add_row(*(panel(lane) for lane in lanes))
    return table


def panel(lane: Lane) -> Panel:
    """The draft with its open positions, and the watch."""
    words = Text()
    for cell in lane.draft.cells if lane.draft else ():
        words.append(OPEN_CELL if cell.is_open else cell.text, "dim cyan" if cell.is_open else "")

    step = f"{lane.draft.step}" if lane.draft else "reading"
    watch = f"{1000 * lane.seconds:.0f} ms · step {step}"
    style = "green" if lane.is_finished else "cyan"
    return Panel(words, title=lane.name, subtitle=watch, border_style=style, height=7)
