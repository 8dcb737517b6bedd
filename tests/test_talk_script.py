"""The format of talks: what it holds, and what is said of slips."""

from __future__ import annotations

from pathlib import Path

import pytest

from atonce.agent import talk_script
from atonce.agent.rehearsal import settings_of
from atonce.config.errors import SettingsError


def refused(folder: Path, text: str) -> list[str]:
    """The complaints about a script, without its name."""
    file = folder / "talk.yaml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(SettingsError) as caught:
        settings_of(talk_script.read(file))

    return [line.removeprefix(f"{file}:") for line in str(caught.value).splitlines()]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("caler: []", "1: caler: there is no such key; did you mean caller?"),
        ("about: x", "1: caller: is missing: a talk needs somebody who says something"),
        ("caller: hello", "1: caller: a list is wanted here (lines with a dash)"),
        ("caller:\n  - hello", "2: caller.0: a section is wanted here"),
        ("caller:\n  - {say: hi}", "2: caller.0: needs one of at_s and after, to know when"),
        (
            "caller:\n  - {say: hi, at_s: 1, after: line}",
            "2: caller.0: needs one of at_s and after, to know when",
        ),
        ("caller:\n  - {at_s: 1}", "2: caller.0: needs one of say, file and sound"),
        ("caller:\n  - {say: '', at_s: 1}", "2: caller.0: says nothing; write words behind say"),
        (
            "caller:\n  - say: hi\n    at_s: soon",
            '3: caller.0.at_s: seconds of the talk is wanted here, not the text "soon"',
        ),
        ("caller: []\nroom: {noise: humm}", "2: room.noise: one of none, white, hum, babble"),
        (
            "caller: []\nroom:\n  echo_db: 3",
            "3: room.echo_db: a number from -60 to 0 is wanted here, not the number 3",
        ),
        (
            "caller: []\nslow:\n  - {engine: voice}",
            "3: slow.0.engine: one of transcriber, writer, synthesizer is wanted here",
        ),
        (
            "caller: []\nexpect:\n  turns:\n    - heart: yes",
            "4: expect.turns.0.heart: there is no such setting; did you mean heard?",
        ),
        (
            "caller: []\nexpect:\n  turns:\n    - reply: 10",
            "4: expect.turns.0.reply: a text, or a list of texts is wanted here, not the number 10",
        ),
        (
            "caller: []\nexpect:\n  lines:\n    - line: 2",
            "4: expect.lines.0.line: there is no line 2: the caller has 0",
        ),
        (
            "caller: []\nexpect:\n  turn: []",
            "3: expect.turn: there is no such key; did you mean turns?",
        ),
        ("caller: []\nexpect: now", "2: expect: a section is wanted here"),
        (
            "caller: []\nsettings:\n  llm:\n    stepps: 4",
            "4: llm.stepps: there is no such setting; did you mean llm.steps?",
        ),
        ("caller: [", "1:10: this is not YAML"),
    ],
)
def test_a_slip_is_said_with_its_line_and_key(tmp_path: Path, text: str, complaint: str) -> None:
    (found,) = refused(tmp_path, text)
    assert found.startswith(complaint)


def test_all_slips_are_said_at_once(tmp_path: Path) -> None:
    text = "clok: real\nroom: {noise: x}\ncaller:\n  - {say: hi}\n  - {sound: bang, at_s: 1}\n"
    assert len(refused(tmp_path, text)) == 4


def test_settings_of_a_script_lie_over_the_others(tmp_path: Path) -> None:
    file = tmp_path / "talk.yaml"
    file.write_text("caller: []\nsettings:\n  agent:\n    facts: {one: We open at ten.}\n")
    loaded = settings_of(talk_script.read(file), None, ("llm.steps=3",))
    assert dict(loaded.settings.agent.facts) == {"one": "We open at ten."}
    assert loaded.settings.llm.steps == 3
    assert str(loaded.origins["agent", "facts", "one"]) == f"{file}:4"
