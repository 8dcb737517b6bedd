"""Imports that may crash, tried in a process of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from atonce.agent import probe


@pytest.fixture
def _modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fine.py").write_text("print('hello')\n", "utf-8")
    (tmp_path / "unfinished_line.py").write_text("print('no line break', end='')\n", "utf-8")
    (tmp_path / "torn.py").write_text("raise OSError('PortAudio library not found')\n", "utf-8")
    (tmp_path / "crash.py").write_text("import os\nos.abort()\n", "utf-8")
    (tmp_path / "leaves.py").write_text("raise SystemExit(3)\n", "utf-8")
    (tmp_path / "stuck.py").write_text("import signal\nsignal.pause()\n", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.mark.usefixtures("_modules")
def test_each_import_tells_what_went_wrong() -> None:
    names = ["fine", "unfinished_line", "torn", "crash", "leaves", "no_such_module", "json"]

    assert probe.import_problems(names) == {
        "fine": "",
        "unfinished_line": "",
        "torn": "OSError: PortAudio library not found",
        "crash": "its import ended the process (signal 6)",
        "leaves": "SystemExit: 3",
        "no_such_module": "ModuleNotFoundError: No module named 'no_such_module'",
        "json": "",
    }


@pytest.mark.usefixtures("_modules")
def test_an_import_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "LONGEST_S", 1.0)

    assert probe.import_problems(["stuck", "fine"]) == {
        "stuck": "its import ended the process (not done after 1 s)",
        "fine": "",
    }


def test_nothing_to_import_is_no_problem() -> None:
    assert probe.import_problems([]) == {}


def sound_library(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> probe.SoundDevices:
    (folder / "sounddevice.py").write_text(body, "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return probe.sound_devices()


def test_sound_devices_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = (
        "def query_devices():\n"
        "    return [{'max_input_channels': 2, 'max_output_channels': 0},\n"
        "            {'max_input_channels': 1, 'max_output_channels': 8}]\n"
    )

    assert sound_library(tmp_path, body, monkeypatch) == probe.SoundDevices(2, 1)


def test_a_sound_library_that_fails_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torn = "raise OSError('PortAudio library not found')\n"
    crash = "import os\nos.abort()\n"

    assert sound_library(tmp_path, torn, monkeypatch).problem == "PortAudio library not found"
    assert sound_library(tmp_path, crash, monkeypatch).problem == "signal 6"


def test_a_voice_is_tried_in_a_process_of_its_own() -> None:
    speed = probe.voice_speed("fake", "joe")

    assert speed.problem == ""
    assert 0 < speed.first_s < 10
    assert 0 < speed.factor < 10


def test_a_voice_that_cannot_be_tried_is_told() -> None:
    assert probe.voice_speed("piper", "/no/such/voice.onnx").problem == "code 1"
