"""Whole talks with scripted engines: every example, and what a rehearsal itself promises."""

from __future__ import annotations

import json
import re
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from atonce.agent import rehearsal_report, talk_script
from atonce.agent.cli import main
from atonce.agent.expectations import unmet
from atonce.agent.rehearsal import Rehearsal, rehearse
from atonce.agent.talk_format import (
    CallerLine,
    Expected,
    ExpectedLine,
    ExpectedTurn,
    Fakes,
    Head,
    Room,
    Slow,
)

TALKS = Path(__file__).parents[1] / "examples" / "talks"
DOCUMENT = TALKS.parents[1] / "docs" / "rehearsals.md"
QUESTION = """
caller:
  - say: How much is a ticket for an adult?
    at_s: 1
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "talk.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def rehearsed(folder: Path, text: str) -> Rehearsal:
    return rehearse(talk_script.read(written(folder, text)))


def scripts() -> list[Path]:
    return sorted(TALKS.glob("*.yaml"))


@pytest.mark.parametrize("script", scripts(), ids=lambda script: script.stem)
def test_everything_comes_as_the_example_expects(script: Path) -> None:
    talk = talk_script.read(script)
    assert talk.head.engines == "fakes"
    assert rehearse(talk).unmet == ()


@pytest.mark.parametrize("script", sorted(TALKS.glob("real/*.yaml")), ids=lambda it: it.stem)
def test_the_examples_with_true_engines_are_scripts_without_slips(script: Path) -> None:
    talk = talk_script.read(script)
    assert (talk.head.engines, talk.head.clock) == ("real", "real")


def test_the_documents_script_and_code_do_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    written(tmp_path, re.findall(r"```yaml\n(.*?)```", document, re.DOTALL)[0])
    exec(re.findall(r"```python\n(.*?)```", document, re.DOTALL)[0], {})
    question, unmet = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"Is there a guided tour\? \d+", question)
    assert unmet == "()"


def test_the_document_names_every_example_and_every_key() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    examples = [path.relative_to(TALKS).with_suffix("") for path in TALKS.rglob("*.yaml")]
    models = (Head, Room, Fakes, Slow, CallerLine, Expected, ExpectedTurn, ExpectedLine)
    keys = [key for model in models for key in model.model_fields]
    assert [name for name in (*map(str, examples), *keys) if f"`{name}" not in document] == []


def test_the_same_script_makes_the_same_recording() -> None:
    talk = talk_script.read(TALKS / "backchannels.yaml")
    one, other = rehearse(talk), rehearse(talk)
    assert np.array_equal(one.recording.played, other.recording.played)
    assert np.array_equal(one.recording.heard, other.recording.heard)
    events = [list(rehearsal_report.events(each.recording)) for each in (one, other)]
    assert events[0] == events[1]


@pytest.mark.parametrize(
    ("expectation", "sentence"),
    [
        ("turns: []", "replies to 0 questions were expected, not to 1"),
        ("turns: [{heard: goodbye}]", '"goodbye" is not in what was heard'),
        ("turns: [{reply: goodbye}]", '"goodbye" is not in what was replied'),
        ("turns: [{lacks: adult ticket}]", 'the reply must not hold "adult ticket"'),
        ("turns: [{source: unknown}]", "from unknown, not from denoiser"),
        ("turns: [{within_ms: 100}]", "not within 100 ms"),
        ("turns: [{cut: true}]", "was to be cut, and was not cut"),
        ("turns: [{most_steps: 1}]", "planned with 1 to 1 steps, not with 4"),
        ("turns: [{prompt: goodbye}]", '"goodbye" is not in what stands in its prompt'),
        ("said: goodbye", '"goodbye" did not sound'),
        ("said: [free, adult ticket]", '"adult ticket" did not sound, or not in this order'),
        ("unsaid: fourteen dollars", '"fourteen dollars" must not sound, and did'),
        ("states: [paused]", "the states were to be paused, and were hearing"),
        ("never: [speaking]", "the state speaking must not come, and came"),
        ("sentences: [greeting]", "were to be greeting, and were none"),
        ("ended: goodbye", "to end for goodbye, and ended for closed"),
        ("errors: 1", "1 errors were expected, and there were 0"),
        ("lines: [{line: 1, ducked_within_ms: 200}]", "the agent was silent already"),
    ],
)
def test_what_is_not_as_expected_is_said_in_one_sentence(
    tmp_path: Path, expectation: str, sentence: str
) -> None:
    done = rehearsed(tmp_path, f"{QUESTION}expect:\n  {expectation}\n")
    assert len(done.unmet) == 1
    assert sentence in done.unmet[0]


def test_an_interruption_that_is_none_is_measured_where_it_is_expected(tmp_path: Path) -> None:
    talk = """
caller:
  - {say: How much is a ticket for an adult, at_s: 1}
  - {say: Mhm., after: agent_begins, wait_s: 1}
expect:
  lines:
    - {line: 2, silent_within_ms: 20, unmoved: true, back_within_ms: 120}
"""
    found = " ".join(rehearsed(tmp_path, talk).unmet)
    assert "was to be silent 20 ms after its onset, and still sounded" in found
    assert "was to go on, and was down after" in found
    assert "back at its level within 120 ms of its onset, and was after" in found


def test_a_line_whose_moment_never_comes_is_amiss(tmp_path: Path) -> None:
    talk = QUESTION + "  - {say: Hello, after: paused}\nat_most_s: 12\n"
    unmet = rehearsed(tmp_path, talk).unmet
    assert "line 2 was never said: what it waits for did not come" in unmet
    assert "the talk did not end: it was stopped after 12 s (at_most_s)" in unmet


def test_a_reply_that_stutters_is_not_whole(tmp_path: Path) -> None:
    """What the check of sound calls whole is told from what is torn."""
    done = rehearsed(tmp_path, QUESTION + "expect: {whole: true}\n")
    assert done.unmet == ()
    words = done.recording.words
    assert words is not None

    torn = replace(done.recording, words=(replace(words[0], share=0.7), *words[1:]))
    twice = replace(done.recording, words=(words[0], *words))
    assert "parts of these words were lost: An" in unmet(done.talk, torn, done.turns)[0]
    assert "did not sound whole and once" in unmet(done.talk, twice, done.turns)[0]


def test_slow_engines_are_slow_from_their_second_on(tmp_path: Path) -> None:
    slow = "slow: [{engine: transcriber, times: 4, from_s: 6}]\n"
    again = "  - {say: How much is a ticket for an adult, after: agent_ends, wait_s: 1}\n"
    turns = rehearsed(tmp_path, QUESTION + again + slow).turns
    first, second = (turn.first_audio_ms or 0 for turn in turns)
    assert second > first + 400


def test_lost_frames_are_silent_and_counted(tmp_path: Path) -> None:
    done = rehearsed(tmp_path, QUESTION + "room: {lost: 0.2, noise: white, noise_db: -40}\n")
    recording = done.recording
    frames = recording.heard.reshape(-1, 320)
    assert np.count_nonzero(~frames.any(axis=1)) == recording.lost_frames > 20


def test_an_echo_comes_back_late_and_fainter(tmp_path: Path) -> None:
    recording = rehearsed(tmp_path, QUESTION + "room: {echo_db: -12, echo_ms: 300}\n").recording
    late = 4_800
    begin = int(np.flatnonzero(recording.played)[0])
    sound = recording.played[begin : begin + 16_000]
    heard = recording.heard[begin + late : begin + late + 16_000]
    assert heard == pytest.approx(sound * 10 ** (-12 / 20), abs=1e-6)


def test_a_microphone_of_any_rate_hears_the_same_words(tmp_path: Path) -> None:
    for rate_hz in (8000, 22_050, 48_000):
        talk = f"{QUESTION}room: {{rate_hz: {rate_hz}}}\nexpect: {{whole: true}}\n"
        done = rehearsed(tmp_path, talk)
        assert [turn.question for turn in done.turns] == ["How much is a ticket for an adult?"]
        assert done.unmet == ()


def test_the_command_keeps_sound_events_turns_and_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["rehearse", str(TALKS / "stop.yaml"), "--out", str(out)]) == 0
    assert "all as expected" in capsys.readouterr().out

    with wave.open(str(out / "talk.wav")) as sound:
        assert (sound.getnchannels(), sound.getframerate()) == (2, 16_000)
        assert sound.getnframes() > 5 * 16_000

    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    assert all("at_s" in event for event in events)
    assert {"line_said", "first_audio", "reply_ended"} <= {event["event"] for event in events}
    assert (out / "timeline.png").stat().st_size > 5_000
    assert main(["report", str(out)]) == 0  # it is a log like any other


def test_json_has_one_object_a_turn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talk = written(tmp_path, QUESTION)
    assert main(["rehearse", str(talk), "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    turn = json.loads(line)
    assert turn["heard"] == "How much is a ticket for an adult?"
    assert turn["source"] == "denoiser"
    assert turn["marks_ms"]["first_audio"] == turn["first_audio_ms"] > 0
    assert turn["cut"] is False


def test_an_unmet_expectation_is_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    talk = written(tmp_path, QUESTION + "expect: {said: goodbye}\n")
    assert main(["rehearse", str(talk), "--json"]) == 1
    assert 'talk.yaml: "goodbye" did not sound' in capsys.readouterr().err


def test_a_missing_script_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rehearse", "nowhere.yaml"]) == 2
    expected = "atonce: nowhere.yaml: the script of the talk cannot be read: no such file"
    assert capsys.readouterr().err.startswith(expected)


def test_a_missing_recording_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    talk = written(tmp_path, "caller:\n  - {file: gone.wav, at_s: 1}\n")
    assert main(["rehearse", str(talk)]) == 1
    assert "gone.wav does not exist" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    talk = written(tmp_path, QUESTION)
    assert main(["rehearse", str(talk), "--out", str(blocked)]) == 1
    assert "choose another folder (--out)" in capsys.readouterr().err
