"""The measurement of the watchdog: it goes on where it was stopped, and says how sure it is."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    sys.path.insert(0, str(SCRIPTS))
    yield importlib.import_module("bench_watchdog")
    sys.path.remove(str(SCRIPTS))


def test_what_was_measured_is_there_after_a_stop_even_one_that_cut_a_line(
    bench: ModuleType, tmp_path: Path
) -> None:
    file = tmp_path / "new" / "run.jsonl"
    turn = bench.Turn("When?", first_audio_s=0.8, steps=3, planned=8, marks_ms={"first_audio": 790})
    bench.Kept(file).add("watched 0", [turn, bench.Turn("Where?")])
    with file.open("a") as open_file:
        open_file.write('["watched 10", [{"quest')

    again = bench.Kept(file)
    assert [t.question for t in again.of("watched")] == ["When?", "Where?"]
    assert again.of("watched")[0].marks_ms == {"first_audio": 790}
    again.add("watched 10", [turn])
    assert len(bench.Kept(file).of("watched")) == 3


def test_a_row_counts_what_was_late_or_never_heard_with_its_interval(bench: ModuleType) -> None:
    turns = [bench.Turn("", first_audio_s=s) for s in (0.5, 0.9, 1.2)] + [bench.Turn("")]
    row = bench.row("fixed", turns, 1000)
    assert "| 4 | 900 ms | 1200 ms | 2: 50.0 % | 15.0 to 85.0 % |" in row


def test_what_the_ears_are_late_by_is_taken_off_the_budget(bench: ModuleType) -> None:
    turns = [
        bench.Turn("", first_audio_s=0.8, marks_ms={"first_audio": ms}) for ms in (700, 740, 745)
    ]
    assert bench.later_ms([*turns, bench.Turn("")]) == 60
    assert bench.later_ms([]) == 0


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"), [(0, 60, 0.0, 0.060), (1, 60, 0.003, 0.089), (60, 60, 0.94, 1.0)]
)
def test_an_interval_holds_for_no_hits_and_for_all(
    bench: ModuleType, hits: int, of: int, low: float, high: float
) -> None:
    assert bench.wilson(hits, of) == pytest.approx((low, high), abs=0.001)


def test_the_competing_process_ends_with_the_one_that_began_it(bench: ModuleType) -> None:
    begin = (
        "import os, subprocess, sys;"
        f"busy = [sys.executable, '-c', {bench.BUSY!r}, str(os.getpid())];"
        "print(subprocess.Popen(busy, stdout=subprocess.DEVNULL).pid)"
    )
    host = subprocess.run([sys.executable, "-c", begin], stdout=subprocess.PIPE, timeout=20)
    thief = Path("/proc") / host.stdout.decode().strip()
    for _ in range(200):
        if not thief.exists():
            return

        subprocess.run([sys.executable, "-c", "import time; time.sleep(0.05)"], timeout=20)

    pytest.fail("it goes on working")
