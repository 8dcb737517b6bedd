"""The race: whose turn it is, whose watch runs, and what is said of the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO

import pytest
from rich.console import Console
from rich.text import Text

from atonce.agent.race import Bound, Lane, line_up, run_race, summary_of, tokens_of, verdict
from atonce.agent.race_screen import RaceScreen, side_by_side, tell
from atonce.config.errors import EngineError
from atonce.config.load import load
from atonce.llm.autoregressive import AutoregressiveWriter, TwinWriter
from atonce.llm.fakes import FakeWriter
from atonce.llm.protocols import Draft, Plan, Prompt, PromptCache

PROMPT = Prompt("a guide", ("The loom is in room 6.", "A ticket costs $14."), "where is the loom?")
PLAN = Plan(steps=4, canvas=12)


class Watch:
    """A clock that only the writers move."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Paced:
    """The fake writer at a pace of its own; notes when it worked."""

    watch: Watch
    reading_s: float
    step_s: float
    name: str
    log: list[str]
    languages: tuple[str, ...] = ("en",)
    max_canvas: int = 48

    def __post_init__(self) -> None:
        self._fake = FakeWriter()

    def read(self, prompt: Prompt) -> PromptCache:
        self.watch.now_s += self.reading_s
        self.log.append(f"{self.name} reads")
        return self._fake.read(prompt)

    def write(
        self, cache: PromptCache, plan: Plan, *, given: Sequence[int | None] | None = None
    ) -> Iterator[Draft]:
        for draft in self._fake.write(cache, plan, given=given):
            self.watch.now_s += self.step_s
            self.log.append(f"{self.name} {draft.step}")
            yield draft


def race(fast_s: float, slow_s: float) -> tuple[list[Lane], list[str]]:
    watch, log = Watch(), list[str]()
    writers = [
        Paced(watch, 0.1, fast_s, "denoiser", log),
        Paced(watch, 0.2, slow_s, "twin", log),
    ]

    def show(_: Sequence[Lane]) -> None:
        watch.now_s += 5  # drawing is on nobody's watch

    return run_race(writers, PROMPT, PLAN, watch, show), log


def test_each_watch_counts_only_its_own_work() -> None:
    (denoiser, twin), _ = race(0.1, 0.3)
    assert denoiser.seconds == pytest.approx(0.1 + 0.1 * denoiser.steps)
    assert twin.seconds == pytest.approx(0.2 + 0.3 * twin.steps)
    assert denoiser.reading_s == pytest.approx(0.1)
    assert twin.step_s == pytest.approx(0.3)
    assert twin.fastest_s == pytest.approx(0.3)
    assert denoiser.is_finished
    assert denoiser.text == twin.text == "The loom is in room 6."
    assert tokens_of(denoiser) == 6


def test_who_is_behind_on_its_watch_goes_next() -> None:
    _, log = race(0.1, 0.3)
    assert log[:5] == ["denoiser reads", "twin reads", "denoiser 1", "denoiser 2", "twin 1"]


def test_the_verdict_names_the_winner_and_says_why() -> None:
    (denoiser, twin), _ = race(0.1, 0.3)
    lines = verdict(denoiser, twin, Bound(weights=500_000_000, bytes_s=2e9))
    ours, theirs = 1000 * denoiser.seconds, 1000 * twin.seconds
    assert lines[0] == f"denoiser won: {ours:.0f} ms against {theirs:.0f} ms"
    assert "steps of 100 ms on all 12 positions" in lines[1]
    assert "passes of 300 ms" in lines[2]
    even = (denoiser.seconds - twin.reading_s) / 0.3 - 1  # one pass is the end mark
    assert f"for {even:.0f} tokens" in lines[3]
    assert "500 MB" in lines[4]
    assert "83 %" in lines[4]  # 0.25 s at best, 0.3 s reached


def test_the_rival_can_win() -> None:
    (denoiser, twin), _ = race(0.5, 0.1)
    assert verdict(denoiser, twin, None)[0].startswith("twin won: ")
    assert len(verdict(denoiser, twin, None)) == 4


def test_a_lane_is_summed_up_for_programs() -> None:
    (denoiser, _), _ = race(0.1, 0.3)
    said = summary_of(denoiser, PROMPT)
    assert said["engine"] == "denoiser"
    assert said["reply"] == "The loom is in room 6."
    assert said["passes_check"] is True
    assert said["tokens"] == 6


def test_the_result_is_printed_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    lanes, _ = race(0.1, 0.3)
    with RaceScreen(is_silent=False) as screen:
        screen.show(lanes)
        screen.show_result(lanes, [True, False], verdict(lanes[0], lanes[1], None))

    out = capsys.readouterr().out
    assert "The loom is in room 6." in out
    assert "passes the check" in out
    assert "fails the check" in out
    assert "denoiser won" in out


def test_a_long_verdict_is_wrapped_between_words_beside_its_head() -> None:
    console = Console(width=40, record=True, file=StringIO(), force_terminal=True)
    tell(console, "result", Text("every pass reads all the weights from memory again"))
    assert console.export_text().splitlines() == [
        "result   every pass reads all the       ",
        "         weights from memory again      ",
    ]


def test_a_writer_that_writes_word_by_word_is_no_denoiser_to_race(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = load(None, ["llm.engine=twin"]).settings
    rival = object.__new__(AutoregressiveWriter)
    monkeypatch.setattr(TwinWriter, "from_settings", lambda _: rival)
    with pytest.raises(EngineError, match="the engine twin writes word by word"):
        line_up(settings, is_zero_shot=False)


def test_open_positions_are_seen_beside_words() -> None:
    watch, log, seen = Watch(), list[str](), list[str]()

    def show(lanes: Sequence[Lane]) -> None:
        console = Console(width=100, record=True, file=StringIO())
        console.print(side_by_side(lanes))
        seen.append(console.export_text())

    run_race([Paced(watch, 0.1, 0.1, "denoiser", log)], PROMPT, PLAN, watch, show)
    assert "step reading" in seen[0]
    assert any("▁▁▁" in one for one in seen)
    assert "loom" in seen[-1]
    assert "▁▁▁" not in seen[-1]
