"""Settings text → values that know their line. YAML, with fewer surprises.

Rule 1. Only true, false, null and decimal numbers (as in YAML 1.2) are more than text: 9:30, 010,
        off, yes, 0x1F, 1_000 and 2027-03-01 stay as they were written.
Rule 2. No key twice; no anchors, aliases, merge keys, tags or second document: what stands in the
        file is what holds.
Rule 3. The line of every key is kept, so that whoever finds a value wrong can say where it is.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Literal

import yaml

from atonce.config.errors import SettingsError

Keys = tuple[str, ...]
"""The way to a value, such as ("llm", "steps")."""
Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]
"""What a settings file can hold."""

LONGEST_NUMBER = 300
"""Characters; Python refuses to read longer ones, and no setting needs them."""

HALF_CHARACTER = "holds half a character (\\ud800 to \\udfff); remove it"

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_WORDS: dict[str, bool | None] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TEXT = "tag:yaml.org,2002:str"
_SECTION = "tag:yaml.org,2002:map"
_LIST = "tag:yaml.org,2002:seq"
_PLAIN = "plain"
_HINTS = {
    "mapping values are not allowed here": "a text with a colon in it must stand in quotes",
    "cannot start any token": "indent with spaces, and put a text that begins so in quotes",
    "expected <block end>": "look at the indentation, here and above",
    "could not find expected ':'": "a colon and a space must follow the name of a setting",
    "found unexpected end of stream": "a closing quote or bracket is missing",
    "expected ',' or": "a closing bracket or a comma is missing",
    "another document": "a file holds one set of settings; remove the line with ---",
    "but found '<stream end>'": "something is missing at the end",
    "undefined alias": "a text that begins with * must stand in quotes",
}
"""What the parser says → what to do about it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from."""

    layer: Literal["default", "tuned", "file", "command line"]
    """Later layers win."""
    source: str = ""
    """The file, as the user named it; empty for the other layers."""
    line: int = 0
    """Line in the file, from 1; 0 where there is none."""

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.layer in ("tuned", "file") else self.layer


@dataclass(frozen=True, slots=True)
class Layer:
    """Some settings, and where each of them stands."""

    tree: dict[str, Value] = field(default_factory=dict)
    """The settings, section within section."""
    origins: dict[Keys, Origin] = field(default_factory=dict)
    """For every key of the tree, sections included, where it stands."""


class _Loader(yaml.SafeLoader):
    """PyYAML's reader without its YAML 1.1 guesses about unquoted text."""

    yaml_implicit_resolvers: dict[str | None, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


# Every unquoted text is tagged as such, to be told apart from one with an explicit !!str.
_Loader.add_implicit_resolver(_PLAIN, re.compile(""), None)


def scalar(text: str) -> str | int | float | bool | None:
    """The meaning of an unquoted value."""
    if text in _WORDS:
        return _WORDS[text]

    if len(text) > LONGEST_NUMBER:
        return text

    if _INTEGER.fullmatch(text):
        return int(text)

    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text

    return text


def parse(text: str, origin: Origin) -> Layer:
    """The settings that a text holds; origin: the file they stand in, its line is ignored."""
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise SettingsError(_not_yaml(origin.source, error)) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SettingsError(
            f"{origin.source}:{line}: the character U+{error.character:04X} is not allowed in "
            "YAML; remove it"
        ) from error
    except RecursionError as error:
        raise SettingsError(f"{origin.source}: brackets are nested too deeply") from error

    if node is None or (node.tag == _PLAIN and scalar(str(node.value)) is None):
        return Layer()

    if not isinstance(node, yaml.MappingNode):
        raise SettingsError(
            f"{origin.source}:{_line(node)}: sections of settings are wanted (agent:, llm: …), "
            f"not {'a list' if isinstance(node, yaml.SequenceNode) else 'a single text'}"
        )

    return _Reading(origin).layer(node)


def _not_yaml(source: str, error: yaml.MarkedYAMLError) -> str:
    """One sentence for a text that is not YAML."""
    mark = error.problem_mark or error.context_mark
    place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
    problem = " ".join((error.problem or error.context or "it cannot be read").split())
    hint = next((hint for words, hint in _HINTS.items() if words in problem), "")
    return f"{place}: this is not YAML: {problem}" + (f"; {hint}" if hint else "")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


class _Reading:
    """Walks the nodes of one file; notes origins and everything that is wrong on the way."""

    def __init__(self, origin: Origin) -> None:
        self._source = origin
        self._origins: dict[Keys, Origin] = {}
        self._problems: list[str] = []
        self._seen: set[int] = set()

    def layer(self, root: yaml.MappingNode) -> Layer:
        """Everything below the root, or all problems at once."""
        tree = self._section(root, ())

        if self._problems:
            raise SettingsError("\n".join(self._problems))

        return Layer(tree, self._origins)

    def _problem(self, keys: Keys, what: str, line: int | None = None) -> None:
        """line: where the key of `keys` does not stand."""
        line = line or self._origins[keys].line
        key = f" {'.'.join(keys)}:" if keys else ""
        self._problems.append(f"{self._source.source}:{line}:{key} {what}")

    def _section(self, node: yaml.MappingNode, keys: Keys) -> dict[str, Value]:
        section: dict[str, Value] = {}
        lines: dict[str, int] = {}

        for key_node, value_node in node.value:
            name = self._name(key_node, keys)

            if name is None:
                continue

            if name in lines:
                what = f"already stands on line {lines[name]}; keep one of the two"
                self._problem((*keys, name), what, _line(key_node))
                continue

            lines[name] = _line(key_node)
            self._origins[*keys, name] = Origin(
                self._source.layer, self._source.source, lines[name]
            )
            section[name] = self._value(value_node, (*keys, name))

        return section

    def _name(self, node: yaml.Node, keys: Keys) -> str | None:
        """The key as it is written, or None when it cannot be one."""
        if not isinstance(node, yaml.ScalarNode):
            self._problem(keys, "the name of a setting must be a word", _line(node))
            return None

        if node.tag == _PLAIN and node.value == "<<":
            what = "merge keys (<<) are not supported; write the settings out"
            self._problem(keys, what, _line(node))
            return None

        text = str(node.value)

        if is_broken(text):
            self._problem(keys, f"the name of a setting {HALF_CHARACTER}", _line(node))
            return None

        if not text.strip():
            what = "the name of a setting is missing before the colon"
            self._problem(keys, what, _line(node))
            return None

        return text

    def _value(self, node: yaml.Node, keys: Keys) -> Value:
        if id(node) in self._seen:
            what = "anchors and aliases (& and *) are not supported; write the value out"
            self._problem(keys, what)
            return None

        self._seen.add(id(node))

        if node.tag not in (_PLAIN, _TEXT, _SECTION, _LIST):
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            self._problem(keys, f"tags ({tag}) are not supported; remove it")
            return None

        if isinstance(node, yaml.MappingNode):
            return self._section(node, keys)

        if isinstance(node, yaml.SequenceNode):
            return [self._item(item, (*keys, str(at))) for at, item in enumerate(node.value)]

        text = str(node.value)

        if is_broken(text):
            self._problem(keys, HALF_CHARACTER)
            return None

        return scalar(text) if node.tag == _PLAIN else text

    def _item(self, node: yaml.Node, keys: Keys) -> Value:
        """One line of a list; its number, from 0, is its key."""
        self._origins[keys] = Origin(self._source.layer, self._source.source, _line(node))
        return self._value(node, keys)


def is_broken(text: str) -> bool:
    """Holds half of a character, as a bad escape or bytes that are not UTF-8 leave behind."""
    return _SURROGATE.search(text) is not None
