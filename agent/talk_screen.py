"""The talk on a terminal: what is over scrolls up, what goes on is drawn below it; or plain lines.

    you    How much is a ticket?
    agent  An adult ticket costs $14.  (denoiser, K 4, first sound after 640 ms)
    ──────────────────────────────────────────────────────────────────────────
    ● listening    ▕██████░░░░░░░░░░░░░░▏ -38 dB      K 4
    …

Rule 1. What libraries write goes to the log (level info); on a terminal the log becomes notes.
Rule 2. Where standard output is a file or a pipe there is no picture: what is over is a line.
Rule 3. A picture takes some milliseconds: a thread of its own draws it, and the talk never waits.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Iterator
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from atonce.agent import screen
from atonce.agent.events import DraftMade, SessionEvent, WordsHeard
from atonce.agent.native_noise import caught
from atonce.agent.talk_view import Line, TalkView
from atonce.agent.waterfall import waterfall

logger = logging.getLogger(__name__)

DRAWN_EVERY_S = 0.1
"""As often as the level is measured."""
ENDED_S = 2.0
"""A picture is drawn in much less; a terminal that does not take it must not hold up the end."""
METER = 20
"""Cells of the level meter: 3 dB each."""
LOUDEST_DB, QUIETEST_DB = 0.0, -60.0
MOST_BARS = 9
"""Rows of the waterfall; a talk has to fit on a small terminal."""
STATES = {
    "listening": ("listening", "green"),
    "hearing": ("hearing you", "cyan"),
    "thinking": ("thinking", "yellow"),
    "speaking": ("speaking", "magenta"),
    "paused": ("waiting for you", "cyan"),
}
HEADS = {"you": "you    ", "agent": "agent  ", "note": "note   "}


class TalkScreen:
    """Shows one talk; a context."""

    def __init__(self, *, keys: str = "", console: Console | None = None) -> None:
        """keys: which keys do what, in one line."""
        self.view = TalkView()
        self.is_muted = False
        """Shown, because a muted microphone looks like a broken one."""
        self.needs_key = False
        """Nothing is heard until a key is pressed."""
        self._keys = keys
        self._console = console or Console(highlight=False)
        self._live: Live | None = None
        self._context = contextlib.ExitStack()
        self._lines: queue.SimpleQueue[Line] = queue.SimpleQueue()
        self._is_wanted = threading.Event()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._keep_drawing, name="screen", daemon=True)

    @property
    def is_live(self) -> bool:
        """There is a terminal to draw on."""
        return self._console.is_terminal and not self._console.is_dumb_terminal

    def __enter__(self) -> TalkScreen:
        self._context.enter_context(caught())

        if self.is_live:
            self._context.enter_context(_log_to(self))

        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._is_over.set()
            self._is_wanted.set()
            self._thread.join(ENDED_S)
            self._draw()
            self._live.stop()
            self._live = None

        self._context.close()

    def begin(self) -> None:
        """The talk begins: from now on there is a picture."""
        if self.is_live and self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
            self._thread.start()

    def say(self, text: str) -> None:
        """A line of the program's own; from any thread."""
        self._tell(Line("note", text))

    def show(self, event: SessionEvent) -> None:
        """Take in what happened."""
        for line in self.view.receive(event):
            self._tell(line)

        if isinstance(event, DraftMade | WordsHeard):
            self._is_wanted.set()  # a step may be over before the next picture is due

    def _tell(self, line: Line) -> None:
        if self._live is None:
            self._print(line)
        else:
            self._lines.put(line)

    def _keep_drawing(self) -> None:
        while not self._is_over.is_set():
            self._is_wanted.wait(DRAWN_EVERY_S)
            self._is_wanted.clear()
            self._draw()

    def _draw(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._print(self._lines.get_nowait())

        if self._live is not None:
            deaf = "muted" if self.is_muted else "press the key" if self.needs_key else ""
            self._live.update(picture(self.view, keys=self._keys, deaf=deaf), refresh=True)

    def _print(self, line: Line) -> None:
        text = spoken(line)

        if not self.is_live:
            self._console.print(text, soft_wrap=True)
            return

        # Wrapped beside the head, as a picture is read.
        table = Table.grid(padding=(0, 0))
        table.add_column(min_width=len(HEADS["you"]), style="dim")
        table.add_column()
        table.add_row(HEADS[line.kind], text[len(HEADS[line.kind]) :])
        self._console.print(table)


def spoken(line: Line) -> Text:
    """Something that is over, as one line."""
    text = Text.assemble((HEADS[line.kind], "dim"))
    text.append(line.text, {"you": "", "agent": "bold", "note": "yellow"}[line.kind])

    if line.detail:
        text.append(f"  ({line.detail})", "dim")

    return text


def picture(view: TalkView, *, keys: str = "", deaf: str = "") -> RenderableType:
    """All that goes on, for a terminal of 80 columns or more; deaf: why nothing is heard."""
    rows: list[RenderableType] = [Rule(style="dim"), _status(view, deaf)]
    rows += [_head("you", _words(view)), _head("agent", _reply(view))]

    if view.bars:
        rows += [Text(""), waterfall(view.bars, most=MOST_BARS)]

    if keys:
        rows.append(Text(keys, "dim", no_wrap=True, overflow="ellipsis"))

    return Group(*rows)


def meter(level_db: float, floor_db: float) -> Text:
    """Loudness as a bar; a mark where it is never stiller."""
    filled, floor = (_cell(db) for db in (level_db, floor_db))
    style = "red" if level_db > -3 else "green" if level_db > -45 else "yellow"
    text = Text("▕")

    for cell in range(METER):
        is_floor = cell == floor - 1 and cell >= filled
        text.append(
            "█" if cell < filled else "│" if is_floor else "░", style if cell < filled else "dim"
        )

    text.append("▏")
    text.append(f" {max(level_db, -99):4.0f} dB", "dim")
    return text


def _status(view: TalkView, deaf: str) -> Text:
    name, colour = STATES[view.state]
    if deaf and view.state in ("listening", "hearing"):
        name, colour = deaf, "red"

    line = Text.assemble((f"● {name:<16}", colour))
    line.append_text(meter(view.level_db, view.floor_db))

    if view.steps:
        line.append(f"   K {view.steps}", "bold")
        reason = view.reason.removeprefix(f"K {view.steps}").strip(" ,:()")
        line.append(f"  {reason}" if reason else "", "dim")

    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _head(who: str, text: Text) -> Table:
    table = Table.grid()
    table.add_column(style="dim", min_width=len(HEADS["you"]))
    table.add_column()
    table.add_row(HEADS[who], text)
    return table


def _words(view: TalkView) -> Text:
    words = view.words.split()
    text = Text(" ".join(words[: view.settled]))
    open_words = " ".join(words[view.settled :])
    text.append((" " if text and open_words else "") + open_words, "dim italic")
    return text


def _reply(view: TalkView) -> Text:
    if view.draft is not None:
        text = screen.draft_line(DraftMade(0.0, view.draft, view.repair))
    else:
        text = Text(view.reply, "bold")

    if view.check and view.repair:
        text.append(f"\nmasked again: {view.check}", "yellow")

    return text


def _cell(level_db: float) -> int:
    share = (level_db - QUIETEST_DB) / (LOUDEST_DB - QUIETEST_DB)
    return round(METER * max(0.0, min(1.0, share)))


class _Notes(logging.Handler):
    """Shows what is logged as notes; any thread may log."""

    def __init__(self, shown: TalkScreen) -> None:
        super().__init__()
        self._shown = shown

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        self._shown.say(f"{record.levelname.lower()}: {record.getMessage()}")


@contextlib.contextmanager
def _log_to(shown: TalkScreen) -> Iterator[None]:
    root = logging.getLogger()
    before, notes = root.handlers[:], _Notes(shown)
    root.handlers[:] = [notes]

    try:
        yield
    finally:
        root.handlers[:] = before
