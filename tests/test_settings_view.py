"""What `atonce settings` shows, and the page about settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, SecretStr

from atonce.agent.settings_view import MASK, as_yaml, reference, render, rendered
from atonce.config.errors import SettingsError
from atonce.config.load import defaults, load, validated
from atonce.config.plain_yaml import Layer, Origin, parse
from atonce.config.reference import ANY, entries
from atonce.config.schema import Settings
from atonce.config.section import Section

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"
FILE = Origin("file", "x.yaml")


class _Engine(Section):
    """An engine behind a key."""

    key: SecretStr
    """A secret by its type."""
    token: str = Field(json_schema_extra={"secret": True})
    """A secret by its mark."""
    passwords: dict[str, str] = Field(json_schema_extra={"secret": True, "wanted": "names"})
    """Many secrets."""
    limit: float | None = Field(json_schema_extra={"wanted": "a number or null"})
    """No secret."""


class _Remote(Section):
    """Settings of a test."""

    engine: _Engine
    """The section with secrets."""


def test_every_setting_is_shown_with_its_origin(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("agent:\n  check: false\n", "utf-8")
    lines = render(load(path, ["llm.steps=6"])).splitlines()

    assert f"  check: false  # {path}:2" in lines
    assert "  steps: 6  # command line" in lines
    assert "  canvas: 40  # default" in lines
    shown = {line.split(":")[0].strip() for line in lines}
    assert shown >= {keys[-1] for keys in entries() if ANY not in keys}


def test_secrets_are_masked() -> None:
    text = "engine: {key: 's3cret', token: t0ken, passwords: {a: p4ss}, limit: null}"
    remote = validated(_Remote, parse(text, FILE))
    shown = "\n".join(rendered(remote, {}))

    assert shown == (
        "engine:\n"
        f"  key: {MASK}  # default\n"
        f"  token: {MASK}  # default\n"
        "  passwords:\n"
        f"    a: {MASK}  # default\n"
        "  limit: null  # default"
    )
    assert "s3cret" not in reference(remote)
    assert "t0ken" not in reference(remote)
    assert f"| `engine.key` | `{MASK}` | text | A secret by its type. |" in reference(remote)


def test_an_agent_without_facts_is_shown_as_such(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("agent:\n  facts: {}\n", "utf-8")

    assert f"  facts: {{}}  # {path}:2" in render(load(path)).splitlines()


characters = st.characters(exclude_categories=("Cs",))
sayable = st.characters(exclude_categories=("Cs", "Cc"))
lines = st.text(sayable, min_size=1).map(lambda text: " ".join(text.split())).filter(bool)


@settings(deadline=None)
@given(st.text(characters))
def test_any_text_is_read_back_as_it_was(text: str) -> None:
    assert parse(f"x: {as_yaml(text)}  # default", FILE).tree == {"x": text}


@settings(deadline=None)
@given(st.one_of(st.booleans(), st.none(), st.integers(), st.floats(-1e9, 1e9), st.just("8")))
def test_any_value_is_read_back_as_what_it_was(value: object) -> None:
    read = parse(f"x: {as_yaml(value)}  # default", FILE).tree["x"]

    assert read == value
    assert type(read) is type(value)


@settings(deadline=None, max_examples=40)  # other work on the machine is no fault of the test
@given(
    st.dictionaries(lines, lines, max_size=4),
    lines,
    st.booleans(),
    st.integers(1, 64),
    st.floats(0, 1),
)
def test_what_is_shown_can_be_used_as_a_file(
    facts: dict[str, str], role: str, check: bool, steps: int, threshold: float
) -> None:
    loaded = defaults()
    tree = loaded.settings.model_dump(mode="json")
    tree["agent"] |= {"facts": facts, "role": role, "check": check}
    tree["llm"] |= {"steps": steps, "min_steps": 1, "max_steps": 64, "threshold": threshold}

    before = validated(Settings, Layer(tree))
    after = validated(Settings, parse("\n".join(rendered(before, {})), FILE))
    assert after == before


def test_the_page_about_settings_is_up_to_date() -> None:
    page = PAGE.read_text("utf-8")

    assert reference(defaults().settings) in page, "run scripts/document_settings"


def test_every_setting_says_what_it_means() -> None:
    for entry in entries().values():
        assert entry.meaning.endswith("."), entry.name
        assert "|" not in entry.meaning, entry.name


def test_the_example_of_the_page_works(tmp_path: Path) -> None:
    example = re.search(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert example is not None
    path = tmp_path / "mill.yaml"
    path.write_text(example[1], "utf-8")
    agent = load(path).settings.agent

    assert agent.role == "the voice guide at the Old Mill"
    assert set(agent.facts) == {"hours", "tickets"}


def test_the_errors_of_the_page_are_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("museum.yaml").write_text("\nllm:\n  stpes: 8\n  canvas: 5000\n", "utf-8")

    with pytest.raises(SettingsError) as caught:
        load(Path("museum.yaml"))

    assert f"```\n{caught.value}\n```" in PAGE.read_text("utf-8")
