"""Every setting as data: its name, what is wanted there, what it means, whether it is a secret.

Drawn from the schema, for whoever tells a person about settings: errors, `atonce settings`, docs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel

from atonce.config.plain_yaml import Keys
from atonce.config.schema import Settings

ANY = "NAME"
"""Stands, in the keys of an entry, for a name that the user chooses; settings have small names."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting, or one section of them."""

    keys: Keys
    """Section, then name."""
    wanted: str
    """What may stand there, with its range: "a whole number from 1 to 64"."""
    meaning: str
    """What it does, with its unit."""
    is_section: bool
    """Holds settings of its own."""
    is_open: bool
    """Holds names that the user chooses."""
    is_secret: bool
    """Its value is never shown."""

    @property
    def name(self) -> str:
        """As it is written behind --set."""
        return ".".join(self.keys)


@cache
def entries(model: type[BaseModel] = Settings) -> Mapping[Keys, Entry]:
    """All settings of a model, sections before what they hold."""
    schema = model.model_json_schema()
    return {entry.keys: entry for entry in _section(schema, schema, ())}


def pattern(keys: Keys, known: Mapping[Keys, Entry]) -> Keys:
    """The keys as the entries have them: names that the user chose become ANY."""
    found: Keys = ()

    for key in keys:
        is_own = found in known and known[found].is_open
        found = (*found, ANY if is_own else key)

    return found


def _section(schema: Mapping[str, Any], root: Mapping[str, Any], keys: Keys) -> Iterator[Entry]:
    for name, node in schema["properties"].items():
        target = _target(node, root)
        is_section = "properties" in target
        yield Entry(
            keys=(*keys, name),
            wanted="a section" if is_section else _wanted(node),
            meaning=" ".join(node.get("description", target.get("description", "")).split()),
            is_section=is_section,
            is_open="additionalProperties" in node,
            is_secret=bool(node.get("writeOnly") or node.get("secret")),
        )

        if is_section:
            yield from _section(target, root, (*keys, name))
        elif isinstance(inner := node.get("additionalProperties"), dict) and "$ref" in inner:
            yield from _section(_target(inner, root), root, (*keys, name, ANY))


def _target(node: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a node refers to, or the node itself."""
    if "$ref" not in node:
        return node

    target: Mapping[str, Any] = root["$defs"][node["$ref"].rpartition("/")[2]]
    return target


def _wanted(node: Mapping[str, Any]) -> str:
    """What may stand there, in words."""
    if "wanted" in node:
        return str(node["wanted"])

    if "enum" in node:
        return "one of " + ", ".join(node["enum"])

    if node.get("type") in ("integer", "number"):
        kind = "a whole number" if node["type"] == "integer" else "a number"
        return f"{kind} from {node['minimum']} to {node['maximum']}"

    return {"boolean": "true or false", "string": "text"}[node["type"]]
