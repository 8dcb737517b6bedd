"""What a person sees of one turn: the reply as it denoises, then the timeline.

In a terminal the drafts are drawn live on standard error and the result is printed on standard
output; where that is a file or a pipe, only plain lines are printed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from atonce.agent.events import DraftMade, Event, PlanMade, QuestionHeard, ReplyChecked
from atonce.agent.turn_bars import of_marks
from atonce.agent.waterfall import waterfall

if TYPE_CHECKING:
    from atonce.agent.ask import Outcome
    from atonce.llm.protocols import Cell

OPEN_CELL = "▁▁▁ "  # a masked position: about as wide as a word
SOURCES = {
    "denoiser": "written by the diffusion model",
    "twin": "written word by word by the reader's twin: no draft passed the check",
    "fact": "the best-matching fact, read out: no draft passed the check",
    "courtesy": "the sentence of the settings for small talk",
    "unknown": "the honest sentence: neither a draft nor a fact would do",
}

NO_TIME = "the best-matching fact, read out: the watchdog saw no time for a step"


class Screen:
    """Shows the events of one turn."""

    def __init__(self, *, is_silent: bool) -> None:
        self._is_silent = is_silent
        self._console = Console(stderr=True, highlight=False)
        self._is_live = self._console.is_terminal and sys.stdout.isatty() and not is_silent
        self._live: Live | None = None
        self._heard = self._plan = ""

    def __enter__(self) -> Screen:
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

    def show(self, event: Event) -> None:
        """Draw an event, where there is a terminal to draw on."""
        if not self._is_live:
            return

        match event:
            case QuestionHeard():
                self._heard = event.text
            case PlanMade():
                self._plan = event.reason
            case DraftMade():
                self._draw(draft_line(event))
            case ReplyChecked() if not event.verdict.passes:
                problem = event.verdict.problems[0]
                note = "given up" if event.final else "masked again"
                self._console.print(
                    f"  check: {problem.detail} ({note})", style="yellow", markup=False
                )
            case _:
                pass

    def show_outcome(self, outcome: Outcome, out: Path) -> None:
        """The result, on standard output."""
        self._stop()
        console = Console(highlight=False)
        console.print(Text.assemble(("heard  ", "dim"), outcome.heard), soft_wrap=True)
        console.print(
            Text.assemble(("reply  ", "dim"), (outcome.reply.text, "bold")), soft_wrap=True
        )
        console.print(
            Text.assemble(("source ", "dim"), outcome.reply.source, f" ({told(outcome)})"),
            soft_wrap=True,
        )
        console.print(
            Text.assemble(("sound  ", "dim"), f"{out} ({outcome.audio.seconds:.1f} s)"),
            soft_wrap=True,
        )
        console.print(waterfall(of_marks(outcome.timeline.marks_s), budget_s=outcome.budget_s))

    def _draw(self, line: Text) -> None:
        if self._live is None:
            self._live = Live(console=self._console, transient=True, auto_refresh=False)
            self._live.start()

        heard = Text.assemble(("heard  ", "dim"), self._heard)
        plan = [Text.assemble(("plan   ", "dim"), self._plan)] if self._plan else []
        self._live.update(Group(heard, *plan, line), refresh=True)

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def told(outcome: Outcome) -> str:
    """Where the reply comes from, and why."""
    reply, plan = outcome.reply, outcome.plan
    is_bare = plan is not None and plan.plan.steps == reply.steps == 0
    return NO_TIME if reply.source == "fact" and is_bare else SOURCES[reply.source]


def draft_line(event: DraftMade) -> Text:
    """The canvas after one step: open positions as bars, words the brighter the surer they are."""
    draft = event.draft
    what = f"repair {event.repair} " if event.repair else "draft  "
    line = Text.assemble((what, "dim"))

    for cell in draft.cells:
        line.append(OPEN_CELL if cell.is_open else cell.text, style=_style(cell))

    line.append(f"   step {draft.step} of {draft.steps}", style="dim")
    return line


def _style(cell: Cell) -> str:
    if cell.is_open:
        return "dim cyan"

    return "bold" if cell.confidence > 0.9 else "default" if cell.confidence > 0.5 else "yellow"
