"""What `atonce tune` found, between the defaults and what a user says."""

from __future__ import annotations

from pathlib import Path

import pytest

from atonce.config import tuned
from atonce.config.errors import SettingsError
from atonce.config.load import defaults, load, tuned_file
from atonce.config.tuned import CanvasRow, Tuned, write

NARROW = CanvasRow(3, 1, 6, 20.0, 31.0, {1: 40.0, 3: 60.0, 6: 60.5})
WIDE = CanvasRow(5, 2, 12, 40.0, 61.0, {2: 70.0, 5: 75.0, 12: 75.5})
FOUND = Tuned("embedded", "3f2a", "2 cores", 40, {24: NARROW, 40: WIDE}, [900.0, 1000.0], 1200)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the tuned file lies, beside a user's own settings."""
    monkeypatch.delenv("ATONCE_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    write(tuned_file(), FOUND)
    return tuned_file()


def steps(*overrides: str) -> tuple[int, int, int]:
    """In force: K, and its bounds."""
    llm = load(None, overrides).settings.llm
    return llm.steps, llm.min_steps, llm.max_steps


def test_it_lies_beside_the_users_own_settings_whichever_they_are(
    place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert place == tmp_path / "atonce" / "tuned.yaml"
    monkeypatch.setenv("ATONCE_CONFIG", str(tmp_path / "kiosk" / "mine.yaml"))
    assert tuned_file() == tmp_path / "kiosk" / "tuned.yaml"


def test_what_was_found_wins_over_the_defaults_and_says_where_it_stands(place: Path) -> None:
    loaded = load()
    assert steps() == (5, 2, 12)
    assert loaded.settings.watchdog.first_audio_ms == 1200
    assert str(loaded.origins["llm", "steps"]) == f"{place}:4"
    assert str(loaded.origins["llm", "canvas"]) == "default"
    assert not [keys for keys in loaded.origins if keys[0] == "tuned"]


def test_what_a_user_says_wins_over_what_was_found(place: Path) -> None:
    (place.parent / "settings.yaml").write_text("llm:\n  steps: 7\n", encoding="utf-8")
    assert steps() == (7, 2, 12)
    assert steps("llm.steps=9") == (9, 2, 12)


def test_a_bound_that_nobody_set_gives_way_to_a_k_that_somebody_set(place: Path) -> None:
    assert steps("llm.steps=1") == (1, 1, 12)
    assert steps("llm.steps=20") == (20, 2, 20)
    place.unlink()
    low, high = defaults().settings.llm.min_steps, defaults().settings.llm.max_steps
    assert steps("llm.steps=1") == (1, 1, high)
    assert steps("llm.steps=64") == (64, low, 64)


def test_a_bound_that_somebody_set_stays(place: Path) -> None:
    with pytest.raises(SettingsError, match=r"2 is above llm\.steps, which is 1"):
        steps("llm.steps=1", "llm.min_steps=2")

    with pytest.raises(SettingsError, match=rf"9 is above llm.steps, which is 5 \({place}:4\)"):
        steps("llm.min_steps=9")


@pytest.mark.parametrize(
    ("canvas", "found"), [(16, (3, 1, 6)), (24, (3, 1, 6)), (32, (5, 2, 12)), (48, (5, 2, 12))]
)
def test_another_canvas_has_its_own_steps(
    place: Path, canvas: int, found: tuple[int, int, int]
) -> None:
    assert steps(f"llm.canvas={canvas}") == found
    origins = load(None, [f"llm.canvas={canvas}"]).origins
    assert str(origins["llm", "steps"]).startswith(f"{place}:")


def test_what_was_found_for_another_engine_is_left_alone(place: Path) -> None:
    assert place.exists()
    llm = defaults().settings.llm
    assert steps("llm.engine=fake") == (llm.steps, llm.min_steps, llm.max_steps)


def test_a_nonsense_canvas_is_complained_about_and_nothing_else(place: Path) -> None:
    assert place.exists()
    with pytest.raises(SettingsError, match=r"^command line: llm\.canvas: a whole number"):
        steps("llm.canvas=wide")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tuned:", "tuned: 3\nx:"),
        ("by_canvas:", "by_canvas: 3\n  x:"),
        ("24: {steps: 3, ", "24: {"),
        ("    24: {steps", "    wide: {steps"),
    ],
)
def test_a_table_that_somebody_changed_is_said_in_one_sentence(
    place: Path, old: str, new: str
) -> None:
    place.write_text(place.read_text().replace(old, new, 1))
    with pytest.raises(SettingsError, match=r"tuned\.yaml: the table .* cannot be read; run"):
        steps("llm.canvas=16")


def test_a_wrong_value_in_it_is_said_with_file_and_line(place: Path) -> None:
    place.write_text(place.read_text().replace("first_audio_ms: 1200", "first_audio_ms: 1"))
    with pytest.raises(SettingsError, match=rf"^{place}:8: watchdog.first_audio_ms: "):
        steps()


def test_the_file_is_replaced_whole(place: Path) -> None:
    write(place, FOUND)
    assert [path.name for path in place.parent.iterdir()] == ["tuned.yaml"]
    assert place.read_text() == tuned.render(FOUND)
