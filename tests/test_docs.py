"""What the documents show works."""

import asyncio
import json
import re
from pathlib import Path

import numpy as np
import pytest

from atonce.agent import virtual_time
from atonce.agent.cli import main
from atonce.agent.engines import Engines
from atonce.agent.session import Session
from atonce.agent.worker import Here
from atonce.config.load import load
from atonce.llm.fakes import FakeWriter
from atonce.speech.fakes import FakeSynthesizer, FakeTranscriber
from atonce.speech.protocols import Audio

ROOT = Path(__file__).parents[1]
EXTEND = (ROOT / "docs" / "extend.md").read_text()
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md"]


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture(autouse=True)
def nobodys_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings file of whoever runs the tests."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("ATONCE_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.models
def test_the_agent_is_used_from_python(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(blocks(EXTEND, "python")[0], "extend.md", "exec"), {"__name__": "example"})

    assert re.search(r"\((denoiser|fact|unknown)\)", capsys.readouterr().out)
    assert Path("reply.wav").stat().st_size > 10_000


@pytest.mark.models
def test_the_writer_is_used_step_by_step(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(blocks(EXTEND, "python")[1], "extend.md", "exec"), {})
    steps = [line.split(" ")[0] for line in capsys.readouterr().out.splitlines()]

    assert steps[0] == "1"
    assert steps == sorted(steps)


def test_an_engine_of_ones_own_speaks_the_reply(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my_voice.py").write_text(blocks(EXTEND, "python")[2])
    monkeypatch.syspath_prepend(tmp_path)
    argv = ["ask", "--text", "When do you open?", "--json", "--set", "llm.engine=fake"]

    assert main([*argv, "--set", "synthesizer.engine=my_voice:Beeps"]) == 0
    answer = json.loads(capsys.readouterr().out)
    # A tenth of a second for a word; numbers are several, and sentences have pauses between them.
    assert answer["audio_s"] == pytest.approx(len(answer["reply"].split()) / 10, abs=0.9)


def test_a_transport_of_ones_own_carries_a_talk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my_transport.py").write_text(blocks(EXTEND, "python")[3])
    monkeypatch.syspath_prepend(tmp_path)
    from my_transport import Recording

    fakes = [f"{kind}.engine=fake" for kind in ("llm", "synthesizer", "transcriber")]
    fakes += ["voice_detector.engine=fake", "echo.engine=off", "turn.silence_prompt_s=0"]
    settings = load(None, [*fakes, 'agent.sentences.greeting=""']).settings
    sound = np.zeros(16_000 * 14, np.float32)
    sound[16_000:32_000] = 0.3

    async def talk() -> np.ndarray:
        clock = asyncio.get_running_loop().time
        fake = FakeWriter.from_settings(settings.llm)
        loaded = Engines(FakeTranscriber(), Here(), fake, Here(), FakeSynthesizer(), Here())
        recording = Recording(Audio(sound, 16_000), clock)
        await Session(settings, loaded, recording, clock=clock).run()
        return np.concatenate(recording.said)

    said = virtual_time.run(talk())
    events = capsys.readouterr().out.split()

    assert said[16_000:].any()
    assert ("first_audio" in events, events[-1]) == (True, "talk_ended")


def test_the_place_of_the_readme_answers_from_its_own_facts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (place,) = blocks((ROOT / "README.md").read_text(), "yaml")
    Path("hotel.yaml").write_text(place)
    argv = ["ask", "--config", "hotel.yaml", "--text", "Until when can I have breakfast?", "--json"]

    assert main([*argv, "--set", "llm.engine=fake", "--set", "synthesizer.engine=fake"]) == 0
    assert "10 am" in json.loads(capsys.readouterr().out)["reply"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_the_list_of_packages_is_the_list_of_folders() -> None:
    import tomllib

    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}

    assert {name.removeprefix("atonce.") for name in listed} == folders
    assert not list(ROOT.glob("*/*/__init__.py"))  # flat: a sub-folder would miss in the wheel


def test_no_file_names_a_place_of_the_machine_it_was_written_on() -> None:
    import subprocess

    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    for name in listed.stdout.split():
        path = ROOT / name

        if path.suffix in {".py", ".md", ".yaml", ".toml", ""} and path.is_file():
            text = path.read_text(encoding="utf-8", errors="ignore")
            assert not re.search(r"(?<![\w.])/(?:work|root|farm)/", text), name
