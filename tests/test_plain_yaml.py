"""How settings text is read: which words are numbers, and what is refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atonce.config.errors import SettingsError
from atonce.config.plain_yaml import Layer, Origin, is_broken, parse, scalar

FILE = Origin("file", "museum.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("null", None),
        ("Null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("8", 8),
        ("-12", -12),
        ("+5", 5),
        ("0.9", 0.9),
        (".5", 0.5),
        ("1.", 1.0),
        ("-1.5e-3", -0.0015),
        ("1e3", 1000.0),
    ],
)
def test_only_these_words_are_more_than_text(text: str, value: object) -> None:
    layer = parse(f"x: {text}", FILE)

    assert scalar(text) == value
    assert layer.tree == {"x": value}
    assert type(layer.tree["x"]) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "no",
        "on",
        "off",
        "y",
        "tRUE",
        "nULL",
        "9:30",
        "190:20:30",
        "010",
        "00",
        "0x1F",
        "0o17",
        "0b11",
        "1_000",
        "2027-03-01",
        "2027-03-01 10:00:00",
        ".inf",
        "-.inf",
        ".nan",
        ".",
        "+",
        "e5",
        "1.2.3",
        "00.5",
        "١٢",
        "1e999",
        "9" * 5000,
        "=",
    ],
)
def test_what_looks_like_something_else_stays_text(text: str) -> None:
    assert scalar(text) == text
    assert parse(f"x: {text}", FILE).tree == {"x": text}


@pytest.mark.parametrize("text", ["'8'", '"8"', "!!str 8", "|-\n  8"])
def test_a_number_in_quotes_is_text(text: str) -> None:
    assert parse(f"x: {text}", FILE).tree == {"x": "8"}


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "\ufeff"])
def test_a_file_without_settings_is_an_empty_layer(text: str) -> None:
    assert parse(text.lstrip("\ufeff"), FILE) == Layer()


def test_every_key_knows_its_line() -> None:
    layer = parse("a:\n  b: 1\n\n  c:\n    - x\n    - y\nd: {e: 2}\n", FILE)

    assert layer.tree == {"a": {"b": 1, "c": ["x", "y"]}, "d": {"e": 2}}
    assert {keys: origin.line for keys, origin in layer.origins.items()} == {
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "c"): 4,
        ("a", "c", "0"): 5,
        ("a", "c", "1"): 6,
        ("d",): 7,
        ("d", "e"): 7,
    }


def test_names_are_text_whatever_they_look_like() -> None:
    assert parse("12: a\ntrue: b\n9:30: c\n", FILE).tree == {"12": "a", "true": "b", "9:30": "c"}


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("a: 1\na: 2", [":2: a: already stands on line 1; keep one of the two"]),
        ("a:\n  b: 1\n  'b': 1", [":3: a.b: already stands on line 2"]),
        ("a: {b: 1, b: 2}\na: 3", [":1: a.b: already stands", ":2: a: already stands"]),
        ("a: &x 1\nb: *x", [":2: b: anchors and aliases (& and *) are not supported"]),
        ("a: &x\n  b: *x", [":2: a.b: anchors and aliases"]),
        ("a: &x [*x]", [":1: a.0: anchors and aliases"]),
        ("a: *x", [":1:4: this is not YAML", "a text that begins with * must stand in quotes"]),
        ("a: {}\nb:\n  <<: {}", [":3: b: merge keys (<<) are not supported"]),
        ("a: !!int 1", [":1: a: tags (!!int) are not supported; remove it"]),
        ("a: !!python/name:os.system x", [":1: a: tags (!!python/name:os.system)"]),
        ("a:\n  - !x y", [":2: a.0: tags (!x) are not supported"]),
        ("{x: 1}: 2", [":1: the name of a setting must be a word"]),
        ("a:\n  ? \n  : 2", [":2: a: the name of a setting is missing before the colon"]),
        ('a: "\\ud800"', [":1: a: holds half a character"]),
        ('"\\udfff": 1', [":1: the name of a setting holds half a character"]),
        ("- a\n- b", [":1: sections of settings are wanted (agent:, llm: …), not a list"]),
        ("\nhello", [":2: sections of settings are wanted", "not a single text"]),
        ("a: b: c", [":1:5: this is not YAML", "a text with a colon in it must stand in quotes"]),
        ("a:\n\tb: 1", [":2:1: this is not YAML", "indent with spaces"]),
        ("a: @x", [":1:4: this is not YAML", "in quotes"]),
        ("a: 'x", [":1:6: this is not YAML", "a closing quote or bracket is missing"]),
        ("a: [1, 2", [":1:9: this is not YAML", "comma is missing"]),
        ("a: [1,", [":1:7: this is not YAML", "missing at the end"]),
        ("a:\n  b: 1\n c: 2", [":3:2: this is not YAML", "look at the indentation"]),
        ("a:\n  b: 1\n  c\n", [":4:1: this is not YAML", "a colon and a space must follow"]),
        ("a: 1\n---\nb: 2", [":2:1: this is not YAML", "remove the line with ---"]),
        ("%YAML 9.0\n---\na: 1", [":1:1: this is not YAML", "incompatible YAML document"]),
        ("a: 1\nb: \x07", [":2: the character U+0007 is not allowed in YAML; remove it"]),
        ("a: " + "[" * 5000, [": brackets are nested too deeply"]),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(text: str, sentences: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(text, FILE)

    lines = str(caught.value).splitlines()
    assert all(line.startswith("museum.yaml:") for line in lines)

    for sentence in sentences:
        assert sentence in str(caught.value)


def test_all_faults_of_a_file_are_said_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        parse("a: !x 1\nb: 1\nb: 2\n<<: 1\n", FILE)

    assert re.findall(r"museum.yaml:(\d)", str(caught.value)) == ["1", "3", "4"]


def refusal_or_nothing(text: str) -> None:
    """Any other exception fails the test that calls this."""
    said = "museum.yaml:"

    try:
        parse(text, FILE)
    except SettingsError as error:
        said = str(error)

    assert said.startswith("museum.yaml:")


@settings(deadline=None)  # other work on the machine is no fault of the test
@given(st.text(max_size=60))
def test_any_text_is_either_read_or_refused(text: str) -> None:
    refusal_or_nothing(text)


@settings(deadline=None)  # other work on the machine is no fault of the test
@given(st.text(alphabet=":-{}[]&*!|>'\"%@`#,? \nab01.<", max_size=30))
def test_any_mix_of_marks_is_either_read_or_refused(text: str) -> None:
    refusal_or_nothing(text)


@given(st.integers(-(10**18), 10**18))
def test_whole_numbers_are_read_as_they_are_written(number: int) -> None:
    assert scalar(str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_with_a_point_are_read_as_they_are_written(number: float) -> None:
    assert scalar(repr(number)) == number


def test_half_a_character_is_found() -> None:
    assert is_broken("a\ud83d")
    assert not is_broken("a😀")
