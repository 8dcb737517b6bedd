"""Choosing K for a machine, and what is kept while it is measured."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from atonce.agent import tune
from atonce.agent.cli import main
from atonce.agent.step_choice import Choice, choose, first_audio_ms, middle, nine_tenths
from atonce.agent.tune import Effort, Kept
from atonce.config.errors import AtonceError, UsageError
from atonce.config.load import defaults, load, tuned_file

DEV = Path(__file__).parents[1] / "corpus" / "dev"
FAKES = [f"{section}.engine=fake" for section in ("transcriber", "synthesizer", "llm")]
SETTINGS = [argument for override in FAKES for argument in ("--set", override)]


# --- the choice -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quality", "choice"),
    [
        ({1: 0.40, 2: 0.70, 4: 0.745, 8: 0.75, 16: 0.75}, Choice(4, 2, 8)),
        ({1: 0.40, 2: 0.60, 4: 0.70, 8: 0.90}, Choice(8, 8, 8)),
        ({1: 0.50, 2: 0.50}, Choice(1, 1, 1)),
        ({2: 0.76, 4: 0.75, 8: 0.70}, Choice(2, 2, 2)),
        ({4: 0.742, 8: 0.75, 12: 0.751}, Choice(4, 4, 12)),
    ],
)
def test_k_is_the_smallest_that_is_nearly_the_best(
    quality: dict[int, float], choice: Choice
) -> None:
    assert choose(quality) == choice


@pytest.mark.parametrize("quality", [{}, {1: 0.0, 8: 0.0}])
def test_where_nothing_is_right_nothing_is_chosen(quality: dict[int, float]) -> None:
    with pytest.raises(ValueError, match="nothing is right"):
        choose(quality)

    with pytest.raises(AtonceError, match="no turn right at any number of steps"):
        tune.row(quality, [1.0])


def test_the_budget_is_a_fifth_above_what_nine_of_ten_reach() -> None:
    reached = [float(ms) for ms in range(1000, 0, -100)]
    assert nine_tenths(reached) == 900
    assert first_audio_ms(reached) == 1080
    assert first_audio_ms([1.0]) == 100
    assert first_audio_ms([1e6]) == 60_000
    assert nine_tenths([7.0]) == middle([7.0]) == 7
    assert middle([3.0, 1.0, 2.0]) == 2


# --- what is known of the shipped writer ------------------------------------------------------


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """A folder with weights and their table."""
    (tmp_path / "writer.safetensors").write_bytes(b"weights")
    table = {"16": {"2": {"grounded": 0.5}}, "40": {"2": {"grounded": 0.7}, "4": {"grounded": 0.8}}}
    weights = tune.sha256(tmp_path / "writer.safetensors")
    (tmp_path / "quality.json").write_text(
        json.dumps({"weights": weights, "rule": "cosine", "by_canvas": table})
    )
    return tmp_path


def test_the_shipped_writer_comes_with_its_quality_by_canvas_and_k(shipped: Path) -> None:
    table = tune.shipped_quality(defaults().settings, shipped)
    assert table == {16: {2: 0.5}, 40: {2: 0.7, 4: 0.8}}
    assert tune.nearest(table, 24) == table[40]
    assert tune.nearest(table, 48) == table[40]
    assert tune.nearest(table, 8) == table[16]


def test_of_other_weights_or_another_engine_nothing_is_known(shipped: Path) -> None:
    with pytest.raises(UsageError, match=r"the writer fake .* name a folder of scenario packs"):
        tune.shipped_quality(defaults(["llm.engine=fake"]).settings, shipped)

    with pytest.raises(UsageError, match=r"the writer embedded .*rule quota"):
        tune.shipped_quality(defaults(["llm.rule=quota"]).settings, shipped)

    (shipped / "writer.safetensors").write_bytes(b"other weights")
    with pytest.raises(UsageError, match="the writer embedded"):
        tune.shipped_quality(defaults().settings, shipped)


@pytest.mark.skipif(
    not (tune.EMBEDDED / "quality.json").exists(), reason="no table is shipped with these weights"
)
def test_the_shipped_table_was_made_with_the_shipped_weights() -> None:
    table = tune.shipped_quality(defaults().settings, tune.EMBEDDED)
    assert defaults().settings.llm.canvas in table, "run scripts/evaluate --card"


# --- what is kept -----------------------------------------------------------------------------


def test_what_was_measured_is_kept_past_a_line_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "kept.jsonl"
    kept = Kept(path)
    kept.add("step 40 0", [1.0, 2.0])
    kept.add("step 40 1", [3.0])
    path.write_text(path.read_text()[:-4])
    again = Kept(path)
    assert again.of("step 40 ") == [1.0, 2.0]
    again.add("step 40 1", [4.0])
    assert Kept(path).found == {"step 40 0": [1.0, 2.0], "step 40 1": [4.0]}
    assert again.of("step 4 ") == []


# --- the whole command ------------------------------------------------------------------------


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A machine of its own on which little is measured."""
    monkeypatch.delenv("ATONCE_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("ATONCE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tune, "QUICK", Effort(rounds=2, questions=3, turns=5))
    monkeypatch.setattr(tune, "CANVASES", (16,))
    monkeypatch.setattr(tune, "STEPS", (1, 4))
    return tmp_path


def test_a_busy_machine_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tune.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(tune.os, "getloadavg", lambda: (0.4, 9.0, 9.0))
    assert tune.how_busy() == []
    monkeypatch.setattr(tune.os, "getloadavg", lambda: (7.0, 0.0, 0.0))
    assert "load 7.0 on 2 cores" in tune.how_busy()[0]
    monkeypatch.delattr(tune.os, "getloadavg")
    assert tune.how_busy() == []


def quick() -> int:
    return main(["tune", "--quick", "--packs", str(DEV), *SETTINGS])


def test_the_command_writes_settings_that_hold_from_then_on(
    little: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert quick() == 0
    out, err = capsys.readouterr()
    assert tuned_file() == little / "config" / "atonce" / "tuned.yaml"
    assert out.endswith(f"written to {tuned_file()}\n")
    assert "canvas  step ms   p90    K=1    K=4   min steps  max" in out
    assert "tune: first audio: question 3 of 3" in err

    loaded = load(None, FAKES)
    assert loaded.origins["llm", "steps"].layer == "tuned"
    assert loaded.settings.llm.steps == 1  # the fake writer is as right in one step as in four
    reached = re.search(r"reached_ms: \[(.*)\]", tuned_file().read_text())
    assert reached is not None
    times = [float(ms) for ms in reached[1].split(", ")]
    assert len(times) == 3
    assert min(times) >= loaded.settings.endpoint.complete_ms
    assert loaded.settings.watchdog.first_audio_ms >= 1.2 * (max(times) - 1)
    assert load(None, []).origins["llm", "steps"].layer == "default"  # another engine


def test_a_stopped_run_goes_on_and_a_whole_one_leaves_nothing_behind(
    little: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tune, "_first_audio", stopped)
        with pytest.raises(KeyboardInterrupt):
            tune.run(None, FAKES, packs=DEV, is_quick=True)

    kept = list((little / "cache" / "tuning").iterdir())
    assert len(kept) == 1
    assert len(Kept(kept[0]).found) == 4  # two canvases, two rounds

    timed = list[float]()

    def times(items: Iterator[object]) -> list[float]:
        timed.extend(1.0 for _ in items)
        return timed

    monkeypatch.setattr(tune, "times_ms", times)
    assert quick() == 0
    assert len(timed) == 8  # the steps of the warm-up alone
    assert list((little / "cache" / "tuning").iterdir()) == []


def test_a_broken_tuned_file_is_replaced(little: Path) -> None:
    tuned_file().parent.mkdir(parents=True)
    tuned_file().write_text("tuned: 3\n")
    assert little.exists()
    with pytest.raises(AtonceError, match="run `atonce tune` again"):
        load()

    assert quick() == 0
    assert load(None, FAKES).origins["llm", "steps"].layer == "tuned"


def test_without_packs_another_writer_is_refused_in_one_sentence(
    little: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tune", "--quick", *SETTINGS]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not tuned_file().exists()
    assert little.exists()


def test_a_voice_that_says_nothing_gives_no_time(
    little: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(*_: object, **__: object) -> None:
        return None

    assert little.exists()
    monkeypatch.setattr("atonce.agent.pipeline.answer", silent)
    assert quick() == 1
    assert "no spoken question was answered aloud" in capsys.readouterr().err
