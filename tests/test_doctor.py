"""What the doctor finds, what it advises, and whether it lets a question through."""

from __future__ import annotations

import tomllib
from collections import namedtuple
from pathlib import Path

import numpy
import pytest
from safetensors.numpy import save_file

from atonce.agent import doctor, probe
from atonce.agent.doctor import Finding, exit_code, report
from atonce.config.catalogue import MODELS
from atonce.config.load import defaults

ROOT = Path(__file__).parent.parent
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATONCE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("ATONCE_CONFIG", raising=False)


def test_every_package_that_is_asked_for_is_tried() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = {doctor.Requirement(each).name for each in project["dependencies"]}

    assert set(doctor.PACKAGES) == asked


def test_only_what_is_missing_for_a_question_ends_with_an_error() -> None:
    fine, note = Finding("a", "there"), Finding("b", "nothing", "buy one")
    missing = Finding("c", "nothing", "fetch it", needed_for_ask=True)

    assert exit_code([fine, note]) == 0
    assert exit_code([fine, note, missing]) == 1
    assert exit_code([Finding("c", "there", needed_for_ask=True)]) == 0


def test_the_report_says_what_to_do() -> None:
    text = report(
        [
            Finding("disk", "1 GB"),
            Finding("sound", "none", "connect one"),
            Finding("settings", "line one\nline two", "correct this", needed_for_ask=True),
        ]
    )

    assert text.splitlines() == [
        "ok       disk      1 GB",
        "note     sound     none",
        "                   → connect one",
        "MISSING  settings  line one",
        "                   line two",
        "                   → correct this",
        "",
        "A question cannot be answered yet: see what is marked MISSING.",
    ]
    assert report([Finding("disk", "1 GB")]).endswith('atonce ask --text "When do you open?"')


@pytest.mark.parametrize(
    ("version", "ok"),
    [((3, 10, 9), False), ((3, 11, 0), True), ((3, 13, 5), True), ((3, 14, 0), False)],
)
def test_the_version_of_python_is_checked(version: tuple[int, ...], ok: bool) -> None:
    found = doctor.python_version(version)

    assert found.ok is ok
    assert found.needed_for_ask


def test_packages_that_are_missing_old_or_torn_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def torn(modules: list[str]) -> dict[str, str]:
        tried.extend(modules)
        return {module: "OSError: torn" if module == "yaml" else "" for module in modules}

    monkeypatch.setattr(probe, "import_problems", torn)
    first, *others = doctor.packages(
        [
            "rich>=1",
            "pydantic>=99",
            "pyyaml>=6",
            "sounddevice",
            "no-such-thing",
            'x; extra == "dev"',
        ]
    )

    assert first.found == "2 of 5 are as wanted"
    assert tried == ["rich", "pydantic", "yaml"]
    assert [(finding.name, finding.needed_for_ask) for finding in others] == [
        ("package pydantic", True),
        ("package pyyaml", True),
        ("package no-such-thing", True),
    ]
    assert others[0].found.endswith(", but >=99 is wanted")
    assert others[1].found.endswith(": OSError: torn")
    assert others[2].found == "not installed"


def test_packages_for_talking_only_do_not_stop_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "import_problems", lambda _: {"aiortc": "ImportError: torn"})
    _, found = doctor.packages(["aiortc>=1"])

    assert not found.ok
    assert not found.needed_for_ask


def test_models_that_are_not_there_are_named_with_the_command_to_fetch_them() -> None:
    findings = list(doctor.engine_models(defaults().settings))

    # Smart Turn is for those who build it in; nothing needs it by itself.
    needed = MODELS.keys() - {"smart-turn"}
    assert {finding.name for finding in findings} == {f"model {name}" for name in needed}
    assert all(finding.todo == "run: atonce models fetch" for finding in findings)
    assert exit_code(findings) == 1


def test_engines_without_models_need_none() -> None:
    overrides = [f"{kind}.engine=fake" for kind in ("transcriber", "synthesizer", "llm")]
    settings = defaults(overrides).settings

    assert list(doctor.engine_models(settings)) == []
    assert list(doctor.own_files(settings)) == []


def test_models_and_voices_of_the_users_own_are_looked_for(tmp_path: Path) -> None:
    def found(model: str, voice: str) -> list[Finding]:
        overrides = [f"transcriber.model={model}", f"synthesizer.voice={voice}"]
        return list(doctor.own_files(defaults(overrides).settings))

    model, voice = tmp_path / "whisper", tmp_path / "voice.onnx"
    assert [finding.ok for finding in found(str(model), str(voice))] == [False, False]

    model.mkdir()
    voice.touch()
    assert [finding.ok for finding in found(str(model), str(voice))] == [False, False]

    (model / "model.bin").touch()
    (tmp_path / "voice.onnx.json").touch()
    assert [finding.ok for finding in found(str(model), str(voice))] == [True, True]

    assert found(str(model), str(tmp_path))[1].ok
    (tmp_path / "second.onnx").touch()
    assert "holds 2 voices" in found(str(model), str(tmp_path))[1].found

    assert found("small.en", "joe")[0].found.endswith("the model hub at first use")
    assert list(doctor.own_files(defaults().settings)) == []


def test_engines_of_the_users_own_are_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_ears.py").write_text("class Ears:\n    pass\n", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    overrides = ["transcriber.engine=my_ears:Ears", "llm.engine=no_such_writer:Writer"]

    assert list(doctor.own_engines(defaults(overrides).settings)) == [
        Finding("transcriber.engine", "my_ears:Ears: my_ears can be imported", needed_for_ask=True),
        Finding(
            "llm.engine",
            "ModuleNotFoundError: No module named 'no_such_writer'",
            "install its package, or name its folder in PYTHONPATH",
            needed_for_ask=True,
        ),
    ]
    assert list(doctor.own_engines(defaults().settings)) == []


def test_weights_of_the_writer_must_be_whole(tmp_path: Path) -> None:
    file = tmp_path / "writer.safetensors"
    assert "there is no such file" in doctor.writer_weights(file).found

    save_file({"weight": numpy.ones((8, 8), numpy.float32)}, file)
    assert doctor.writer_weights(file) == Finding("writer weights", "whole, 0 MB")

    file.write_bytes(file.read_bytes()[:-1])
    torn = doctor.writer_weights(file)
    assert "is damaged" in torn.found
    assert torn.needed_for_ask
    assert not torn.ok


def test_a_full_disk_matters_while_models_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, cache = defaults().settings, tmp_path / "cache" / "deep"
    assert doctor.disk(settings, cache).ok

    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 10**6))
    full = doctor.disk(settings, cache)
    assert not full.ok
    assert full.needed_for_ask
    assert full.found.startswith("0.0 GB free")

    fakes = [f"{kind}.engine=fake" for kind in ("transcriber", "synthesizer", "llm")]
    assert doctor.disk(defaults(fakes).settings, cache).ok

    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    assert "cannot be written to" in doctor.disk(settings, cache).found


def test_a_small_machine_gets_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.os, "sched_getaffinity", lambda _: {0}, raising=False)
    monkeypatch.setattr(doctor.os, "sysconf", lambda name: 4096 if "SIZE" in name else 250_000)

    for finding in (doctor.processor(), doctor.memory()):
        assert not finding.ok
        assert not finding.needed_for_ask

    monkeypatch.setattr(doctor.os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr(doctor.os, "sysconf", lambda name: 4096 if "SIZE" in name else 1_000_000)
    assert doctor.processor().ok
    assert doctor.memory() == Finding("memory", "4.1 GB")


def test_a_system_that_hides_its_memory_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: str) -> int:
        raise ValueError

    monkeypatch.setattr(doctor.os, "sysconf", unknown)
    assert doctor.memory().ok


@pytest.mark.parametrize(
    ("devices", "todo"),
    [
        (probe.SoundDevices(1, 2), ""),
        (probe.SoundDevices(0, 2), "connect a microphone"),
        (probe.SoundDevices(0, 0, "PortAudio library not found"), "apt-get install libportaudio2"),
        (probe.SoundDevices(0, 0, "No module named 'sounddevice'"), "pip install"),
    ],
)
def test_sound_is_wished_for_not_needed(
    monkeypatch: pytest.MonkeyPatch, devices: probe.SoundDevices, todo: str
) -> None:
    monkeypatch.setattr(probe, "sound_devices", lambda: devices)
    finding = doctor.sound()

    assert finding.ok is (todo == "")
    assert todo in finding.todo
    assert not finding.needed_for_ask


@pytest.mark.parametrize(
    ("speed", "todo"),
    [
        (probe.VoiceSpeed(0.08, 0.1), ""),
        (probe.VoiceSpeed(0.4, 0.2), "--set synthesizer.engine=hibari"),
        (probe.VoiceSpeed(0.2, 0.8), "--set synthesizer.engine=hibari"),
        (probe.VoiceSpeed(0.0, 0.0, "code 1"), "see what is said above"),
    ],
)
def test_where_the_voice_is_slow_a_smaller_one_is_proposed(
    monkeypatch: pytest.MonkeyPatch, speed: probe.VoiceSpeed, todo: str
) -> None:
    monkeypatch.setattr(probe, "voice_speed", lambda *_: speed)

    (finding,) = doctor.voice_speed(defaults().settings)

    assert finding.ok is (todo == "")
    assert todo in finding.todo
    assert not finding.needed_for_ask


def test_a_voice_that_is_fast_anyway_is_not_tried() -> None:
    assert list(doctor.voice_speed(defaults(["synthesizer.engine=hibari"]).settings)) == []


def test_wrong_settings_are_a_finding_and_the_rest_is_still_looked_at(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(probe, "import_problems", lambda _: {})
    monkeypatch.setattr(probe, "sound_devices", lambda: probe.SoundDevices(1, 1))

    assert doctor.run(None, ["llm.steps=0"]) == 1
    shown = capsys.readouterr().out
    assert "MISSING  settings" in shown
    assert "llm.steps: a whole number from 1 to 64 is wanted here" in shown
    assert "MISSING  model whisper-base" in shown
    assert "licences" in shown


@pytest.mark.models
def test_the_doctor_lets_a_question_through_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ATONCE_CACHE")

    assert doctor.run() == 0
    shown = capsys.readouterr().out
    assert "ok       model joe" in shown
    assert "of real time" in shown
