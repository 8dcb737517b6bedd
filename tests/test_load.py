"""Layers of settings, and the sentences for what is wrong with them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import Field, SecretStr, ValidationError

from atonce.config import registry
from atonce.config.complaints import quoted
from atonce.config.errors import SettingsError
from atonce.config.load import Loaded, defaults, load, user_file, validated
from atonce.config.plain_yaml import Origin, parse
from atonce.config.section import Section


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ATONCE_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "museum.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def complaint(config: Path | None = None, *overrides: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(config, overrides)

    assert caught.value.exit_code == 2
    return str(caught.value)


def test_the_defaults_are_whole_and_every_fact_is_a_sentence() -> None:
    settings = defaults().settings

    assert 12 <= len(settings.agent.facts) <= 18
    assert all(fact.endswith(".") and len(fact) > 10 for fact in settings.agent.facts.values())
    assert all(not fact.startswith(" ") for fact in settings.agent.facts.values())
    assert not settings.agent.role.endswith(".")
    assert settings.llm.min_steps <= settings.llm.steps <= settings.llm.max_steps


def test_every_default_stands_in_the_file_of_defaults() -> None:
    assert {origin.layer for origin in defaults().origins.values()} == {"default"}
    assert defaults().origins["llm", "steps"].line > 0


def test_a_file_changes_what_it_names_and_leaves_the_rest(tmp_path: Path) -> None:
    loaded = load(
        written(tmp_path, "llm:\n  steps: 6\nagent:\n  sentences:\n    unknown: No idea.\n")
    )

    assert loaded.settings.llm.steps == 6
    assert loaded.settings.llm.canvas == defaults().settings.llm.canvas
    assert loaded.settings.agent.sentences.unknown == "No idea."
    assert loaded.settings.agent.facts == defaults().settings.agent.facts
    assert str(loaded.origins["llm", "steps"]) == f"{tmp_path / 'museum.yaml'}:2"
    assert str(loaded.origins["llm", "canvas"]) == "default"


def test_facts_in_a_file_replace_all_facts(tmp_path: Path) -> None:
    loaded = load(written(tmp_path, "agent:\n  facts:\n    bus: Bus 9 stops here.\n"))

    assert dict(loaded.settings.agent.facts) == {"bus": "Bus 9 stops here."}
    assert [keys for keys in loaded.origins if keys[:2] == ("agent", "facts")] == [
        ("agent", "facts"),
        ("agent", "facts", "bus"),
    ]


def test_an_agent_may_know_nothing(tmp_path: Path) -> None:
    assert not load(written(tmp_path, "agent:\n  facts: {}\n")).settings.agent.facts


def test_facts_left_empty_by_accident_are_asked_about(tmp_path: Path) -> None:
    said = complaint(written(tmp_path, "agent:\n  facts:\n    # bus: Bus 9 stops here.\n"))

    assert "museum.yaml:2: agent.facts: names with a sentence each is wanted here" in said
    assert "not an empty value; write {} for none" in said


def test_a_value_from_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    loaded = load(written(tmp_path, "llm:\n  steps: 6\n"), ["llm.steps=4", "llm.threshold=1"])

    assert loaded.settings.llm.steps == 4
    assert loaded.settings.llm.threshold == 1.0
    assert str(loaded.origins["llm", "steps"]) == "command line"


def test_one_fact_can_be_set_from_the_command_line() -> None:
    facts = defaults(
        ["agent.facts.hours=Open at 9:30 am.", "agent.facts.new=A. = B."]
    ).settings.agent.facts

    assert facts["hours"] == "Open at 9:30 am."
    assert facts["new"] == "A. = B."
    assert set(facts) == {*defaults().settings.agent.facts, "new"}


@pytest.mark.parametrize(
    ("value", "role"),
    [
        ("9:30", "9:30"),
        ("010", "010"),
        ("off", "off"),
        ("'8'", "8"),
        ('"true"', "true"),
        ("'", "'"),
    ],
)
def test_values_on_the_command_line_are_read_as_in_a_file(value: str, role: str) -> None:
    assert defaults([f"agent.role={value}"]).settings.agent.role == role


def test_the_last_of_two_values_on_the_command_line_wins() -> None:
    assert defaults(["llm.steps=4", "llm.steps=5"]).settings.llm.steps == 5
    assert defaults(["llm.steps.x=4", "llm.steps=5"]).settings.llm.steps == 5


def test_a_section_with_everything_commented_out_says_nothing(tmp_path: Path) -> None:
    assert load(written(tmp_path, "llm:\n#  steps: 6\n")).settings == defaults().settings


@pytest.mark.parametrize("text", ["", "# nothing\n", b"\xef\xbb\xbf# nothing"])
def test_an_empty_file_changes_nothing(tmp_path: Path, text: str | bytes) -> None:
    assert load(written(tmp_path, text)).settings == defaults().settings


def test_texts_are_one_line_however_they_are_written(tmp_path: Path) -> None:
    loaded = load(written(tmp_path, "agent:\n  role: >\n    the guide\n\n    of  the mill\n"))

    assert loaded.settings.agent.role == "the guide of the mill"


def test_the_users_own_file_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert user_file() is None

    usual = tmp_path / "config" / "atonce" / "settings.yaml"
    usual.parent.mkdir(parents=True)
    usual.write_text("llm:\n  steps: 3\n", "utf-8")
    assert user_file() == usual
    assert load().settings.llm.steps == 3

    monkeypatch.setenv("ATONCE_CONFIG", str(written(tmp_path, "llm:\n  steps: 5\n")))
    assert load().settings.llm.steps == 5
    assert load(usual).settings.llm.steps == 3
    assert defaults().settings.llm.steps == 4


def test_a_missing_file_named_by_the_environment_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATONCE_CONFIG", "/nowhere/settings.yaml")

    assert complaint() == (
        "/nowhere/settings.yaml: there is no such settings file "
        "(named by the environment variable ATONCE_CONFIG)"
    )
    assert complaint(Path("other.yaml")) == "other.yaml: there is no such settings file"


def test_files_that_are_none_are_named(tmp_path: Path) -> None:
    assert complaint(tmp_path) == f"{tmp_path}: is a folder; name the settings file in it"
    assert "museum.yaml:2: this is not text in UTF-8" in complaint(
        written(tmp_path, b"a: 1\nb: \xff")
    )
    assert "museum.yaml:1: this is not text in UTF-8" in complaint(
        written(tmp_path, "llm: {}".encode("utf-16"))
    )
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    assert "the settings file cannot be read: " in complaint(loop)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_rights_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    path.chmod(0)
    assert "cannot be read: permission denied" in complaint(path)


STEPS = "a whole number from 1 to 64 is wanted here, not "


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("llm:\n  stpes: 3", ":2: llm.stpes: there is no such setting; did you mean llm.steps?"),
        ("llm:\n  Steps: 3", ":2: llm.Steps: there is no such setting; did you mean llm.steps?"),
        ("LLM: {}", ":1: LLM: there is no such setting; did you mean llm?"),
        ("steps: 3", ":1: steps: there is no such setting; did you mean llm.steps?"),
        ("zzz: 3", ":1: zzz: there is no such setting; there are agent, voice_detector"),
        ("llm:\n  zzz: 3", ":2: llm.zzz: there is no such setting; llm has engine, steps"),
        ("agent:\n  sentences:\n    unknwon: x", ":3: agent.sentences.unknwon: there is no such"),
        ("llm:\n  steps: 0", f":2: llm.steps: {STEPS}the number 0"),
        ("llm:\n  steps: 65", f":2: llm.steps: {STEPS}the number 65"),
        ("llm:\n  steps: 8.0", f":2: llm.steps: {STEPS}the number 8.0"),
        ("llm:\n  steps: true", f":2: llm.steps: {STEPS}true"),
        ("llm:\n  steps: '8'", f':2: llm.steps: {STEPS}the text "8"; take the quotes away'),
        ("llm:\n  steps: eight", f':2: llm.steps: {STEPS}the text "eight"'),
        ("llm:\n  steps: 1e30", f":2: llm.steps: {STEPS}the number 1e+30"),
        ("llm:\n  steps: " + "9" * 200, f":2: llm.steps: {STEPS}the number 99999"),
        ("llm:\n  steps: " + "9" * 999, f':2: llm.steps: {STEPS}the text "99999'),
        ("llm:\n  steps:", f":2: llm.steps: {STEPS}an empty value"),
        ("llm:\n  steps: [8]", f":2: llm.steps: {STEPS}a list"),
        ("llm:\n  steps: {x: 8}", f":2: llm.steps: {STEPS}a section"),
        ("llm:\n  canvas: 5000", ":2: llm.canvas: a whole number from 8 to 400 is wanted here"),
        ("llm:\n  threshold: 1.5", ":2: llm.threshold: a number from 0 to 1 is wanted here"),
        ("llm:\n  rule: cosin", ":2: llm.rule: one of cosine, quota, doubling,"),
        (
            "llm:\n  engine: embeded",
            ":2: llm.engine: there is no llm engine 'embeded'; did you mean",
        ),
        (
            "llm:\n  engine: 7",
            ":2: llm.engine: embedded, reader, twin, fake, or your own as module:Class is wanted",
        ),
        ("llm: 8", ":1: llm: a section is wanted here, not the number 8"),
        ("llm: [8]", ":1: llm: a section is wanted here, not a list"),
        (
            "agent:\n  check: yes",
            ':2: agent.check: true or false is wanted here, not the text "yes"',
        ),
        ("agent:\n  check: 1", ":2: agent.check: true or false is wanted here, not the number 1"),
        ("agent:\n  role: 12", ":2: agent.role: text is wanted here, not the number 12; put it in"),
        ("agent:\n  role: ' '", ":2: agent.role: is empty"),
        ('agent:\n  role: "\\e[1m"', ":2: agent.role: holds the control character U+001B"),
        ("agent:\n  facts: none", ":2: agent.facts: names with a sentence each is wanted here"),
        ("agent:\n  facts: [a]", ":2: agent.facts: names with a sentence each is wanted here"),
        (
            "agent:\n  facts:\n    room: 12",
            ":3: agent.facts.room: text is wanted here, not the number",
        ),
        ("agent:\n  facts:\n    a: ''", ":3: agent.facts.a: is empty; write something, or leave"),
        ("agent:\n  facts:\n    a:", ":3: agent.facts.a: text is wanted here, not an empty value"),
        (
            "agent:\n  facts:\n    a: {b: c}",
            ":3: agent.facts.a: text is wanted here, not a section",
        ),
        (
            "agent:\n  facts:\n    a: true",
            ":3: agent.facts.a: text is wanted here, not true; put it",
        ),
        (
            "transcriber:\n  language: English",
            ":2: transcriber.language: a language code such as en",
        ),
        ("llm: {steps: 1, steps: 2}", ":1: llm.steps: already stands on line 1"),
    ],
)
def test_a_wrong_setting_is_said_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    lines = complaint(written(tmp_path, text)).splitlines()

    assert len(lines) == 1
    assert f"museum.yaml{said}" in lines[0]
    assert len(lines[0]) < 250 + len(str(tmp_path))


def test_all_that_is_wrong_is_said_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    text = "llm:\n  steps: 0\n  zzz: 1\nagent:\n  facts:\n    a: ''\n  sentences: 3\nlmm: {}\n"
    lines = complaint(written(tmp_path, text), "llm.canvas=1").splitlines()

    assert [line.split(": ")[0].removeprefix(f"{tmp_path}/museum.yaml:") for line in lines] == [
        *("2", "3", "6", "7", "8"),
        "command line",
    ]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["llm.steps=0"], f"command line: llm.steps: {STEPS}the number 0"),
        (["llm=4"], "command line: llm: a section is wanted here, not the number 4"),
        (["llm.steps.x=4"], f"command line: llm.steps: {STEPS}a section"),
        (["foo.bar=4"], "command line: foo: there is no such setting"),
        (["llm.steps"], "command line: 'llm.steps' sets nothing; write it like llm.steps=8"),
        (["=4"], "command line: '=4' sets nothing"),
        (["llm..steps=4"], "command line: 'llm..steps=4' sets nothing"),
        (["agent.role=\udcff"], "command line: 'agent.role=\\udcff' holds half a character"),
        (["llm.seed="], "command line: llm.seed: a whole number from 0 to 4294967295 is wanted"),
        (["agent.facts.room=12"], "command line: agent.facts.room: text is wanted here"),
        (["agent.facts=x"], "command line: agent.facts: a section is wanted here"),
    ],
)
def test_a_wrong_value_on_the_command_line_is_said(overrides: list[str], said: str) -> None:
    assert complaint(None, *overrides).startswith(said)


def test_steps_must_lie_between_their_bounds(tmp_path: Path) -> None:
    path = written(tmp_path, "llm:\n  min_steps: 3\n  max_steps: 12\n")

    assert complaint(path, "llm.steps=16") == (
        f"command line: llm.steps: 16 is above llm.max_steps, which is 12 ({path}:3)"
    )
    assert complaint(path, "llm.steps=2") == (
        f"command line: llm.steps: 2 is below llm.min_steps, which is 3 ({path}:2)"
    )
    assert complaint(written(tmp_path, "llm:\n  max_steps: 2\n")) == (
        f"{path}:2: llm.max_steps: 2 is below llm.steps, which is 4 (default)"
    )
    assert complaint(written(tmp_path, "llm:\n  min_steps: 9\n  max_steps: 3\n")).startswith(
        f"{path}:2: llm.min_steps: 9 is above llm.max_steps, which is 3"
    )


def test_settings_do_not_change(tmp_path: Path) -> None:
    settings = load(written(tmp_path, "")).settings

    with pytest.raises(ValidationError):
        settings.llm.steps = 3  # type: ignore[misc]

    with pytest.raises(TypeError):
        settings.agent.facts["x"] = "y"  # type: ignore[index]


class _Service(Section):
    """A section with a secret, as an engine behind a key would have."""

    key: SecretStr
    """Never shown."""
    token: str = Field(min_length=5, max_length=9, json_schema_extra={"secret": True})
    """Never shown either."""


class _Remote(Section):
    """Settings of a test."""

    service: _Service
    """The section with secrets."""


def test_a_wrong_secret_is_not_shown() -> None:
    layer = parse("service:\n  key: 123456\n  token: hush-hush-hush\n", Origin("file", "x.yaml"))

    with pytest.raises(SettingsError) as caught:
        validated(_Remote, layer)

    assert str(caught.value) == (
        "x.yaml:2: service.key: text is wanted here, not what stands there; put it in quotes\n"
        "x.yaml:3: service.token: text is wanted here, not what stands there"
    )


def test_a_missing_setting_is_named_where_its_section_stands() -> None:
    with pytest.raises(SettingsError, match=r"^x.yaml:1: service.key: is missing$"):
        validated(_Remote, parse("service:\n  token: abcdef", Origin("file", "x.yaml")))

    with pytest.raises(SettingsError, match=r"^service: is missing$"):
        validated(_Remote, parse("", Origin("file", "x.yaml")))


def test_long_values_are_shortened() -> None:
    assert quoted("x" * 500) == f'the text "{"x" * 39}…"'
    assert len(quoted(10**290)) < 60


def test_all_engines_of_the_schema_are_in_the_registry() -> None:
    loaded: Loaded = defaults()

    assert loaded.settings.llm.engine in registry.names("llm")
    assert loaded.settings.transcriber.engine in registry.names("transcriber")
    assert loaded.settings.synthesizer.engine in registry.names("synthesizer")
