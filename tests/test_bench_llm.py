"""The benchmark: what it counts, that the alternatives take turns, and what it writes."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from atonce.llm import passes
from atonce.llm.model import Sizes
from atonce.llm.passes import (
    PROMPT,
    Subject,
    bare_products,
    denoising_pass,
    in_rounds,
    random_subject,
    token_pass,
)
from atonce.llm.roofline import ROWS, Roofline, best, large_product, measure_reading

SCRIPTS = Path(__file__).parent.parent / "scripts"
TINY = Sizes(width=24, layers=2, heads=3, kv_heads=1, head=8, hidden=40, vocabulary=50)
CPU = torch.device("cpu")
WEIGHTS = 2 * (24 * 40 + 24 * 24 + 24 * 80 + 40 * 24) + 24 * 50  # two layers and the head


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, on a tiny random model."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    spec = importlib.util.spec_from_file_location("bench_llm", SCRIPTS / "bench_llm.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "bench_llm", module)
    spec.loader.exec_module(module)

    def tiny(_: str, precision: str, device: torch.device) -> Subject:
        return random_subject(TINY, precision, device)

    monkeypatch.setattr(module, "make_subject", tiny)
    monkeypatch.setattr(
        module, "make_pass", lambda subject, _, canvas, rows: denoising_pass(subject, canvas, rows)
    )
    return module


@pytest.mark.parametrize(("precision", "size"), [("float32", 4), ("bfloat16", 2), ("int8", 1)])
def test_a_pass_costs_its_weights_once_and_its_products_for_every_position(
    precision: str, size: int
) -> None:
    cost = random_subject(TINY, precision, CPU).cost(5, of_tower=True)
    assert cost.weight_bytes == size * WEIGHTS
    assert cost.operations == 2 * 5 * WEIGHTS


@pytest.mark.parametrize("precision", passes.PRECISIONS)
def test_every_pass_has_its_choice_in_hand(precision: str) -> None:
    subject = random_subject(TINY, precision, CPU)
    with torch.inference_mode():
        assert len(denoising_pass(subject, 6, 2)()) == 12  # type: ignore[arg-type]
        assert len(token_pass(subject, 3)()) == 3  # type: ignore[arg-type]
        bare_products(subject, 4, of_tower=False)()


def test_a_token_after_the_last_begins_the_reply_anew() -> None:
    one = token_pass(random_subject(TINY, "float32", CPU), 1, room=2)
    with torch.inference_mode():
        said = [one() for _ in range(5)]

    assert said[0] == said[2] == said[4]


def test_alternatives_take_turns_and_the_first_round_does_not_count() -> None:
    order: list[str] = []
    work = [lambda: order.append("a"), lambda: order.append("b")]
    times = in_rounds(work, 2, CPU)
    assert order == ["a", "b"] * 3
    assert [len(of_one) for of_one in times] == [2, 2]


def test_the_roofline_is_the_slower_of_reading_and_multiplying() -> None:
    roofline = Roofline(bytes_s=100, flops_s=1000)
    assert roofline.seconds(weights=200, operations=500) == 2
    assert roofline.seconds(weights=20, operations=500) == 0.5


def test_the_machine_is_measured() -> None:
    work, operations = large_product(torch.nn.Linear(8, 4), 8, torch.zeros(1))
    assert operations == 2 * ROWS * 8 * 4
    assert best(work, CPU, 2) > 0
    assert measure_reading(CPU, tries=1, size=4000) > 0


def test_what_was_measured_is_printed_and_written(
    bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    found, picture = tmp_path / "bench.json", tmp_path / "bench.svg"
    argv = ["bench_llm", "--canvas", "8", "--rows", "1", "2", "--precision", "float32"]
    argv += [
        "--rounds",
        "2",
        "--read-bytes",
        "4000",
        "--json",
        str(found),
        "--picture",
        str(picture),
    ]
    monkeypatch.setattr(sys, "argv", argv)
    assert bench.main() == 0
    shown = capsys.readouterr().out
    said = json.loads(found.read_text())
    kinds = [(step["kind"], step["canvas"], step["rows"]) for step in said["steps"]]
    assert kinds == [("denoise", 8, 1), ("denoise", 8, 2), ("engine", 8, 1), ("engine", 8, 2),
                     ("token", 1, 1), ("token", 1, 2)]  # fmt: skip
    assert all(step["share"] > 0 < step["best_share"] for step in said["steps"])
    assert [one["tokens"] for one in said["lengths"]] == [8, 16, 24, 32, 48]
    assert [one["canvas"] for one in said["lengths"]] == [12, 20, 28, 36, 48]
    assert said["roofline_float32"]["bytes_s"] > 0
    assert "| denoise | float32 | 8 | 1 |" in shown
    assert picture.read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--canvas", "0"], "has 1 to 48 positions"),
        (["--canvas", "32", "49"], "has 1 to 48 positions"),
        (["--shape", "8b", "--canvas", "9000"], "has 1 to 8192 positions"),
        (["--rows", "0"], "begin with 1"),
        (["--rounds", "0"], "begin with 1"),
        (["--json", "no-such-folder/bench.json"], "there is no folder no-such-folder"),
    ],
)
def test_what_cannot_be_measured_is_told_before_anything_is(
    argv: list[str], words: str, bench: ModuleType,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["bench_llm", *argv])
    with pytest.raises(SystemExit):
        bench.main()

    shown = capsys.readouterr()
    assert words in shown.err
    assert not shown.out


def test_a_gpu_is_not_asked_for_int8(bench: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bench_llm"])
    assert bench.parse(torch.device("cuda")).precision == ["float32", "bfloat16"]
    assert bench.parse(CPU).precision == ["float32", "bfloat16", "int8"]
    monkeypatch.setattr(sys, "argv", ["bench_llm", "--precision", "int8"])
    with pytest.raises(SystemExit):
        bench.parse(torch.device("cuda"))


def test_random_weights_are_told_to_show_speed_alone(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "REFERENCE_TOKENS", 6)
    argv = ["bench_llm", "--shape", "8b", "--canvas", "6", "--rounds", "1"]
    argv += ["--read-bytes", "4000"]
    monkeypatch.setattr(sys, "argv", argv)
    assert bench.main() == 0
    shown = capsys.readouterr().out
    assert "random weights (speed, not quality)" in shown
    assert "'tokens': 6" in shown


def test_the_prompt_of_every_pass_is_as_long() -> None:
    subject = random_subject(TINY, "float32", CPU)
    for layers_of in (subject.reader, subject.tower):
        assert passes.drawn_past(subject, layers_of, 2).tokens == PROMPT
