"""The text of `atonce settings`: everything in force, as YAML, and where each value came from.

What is printed can be saved and read again as a settings file; only secrets are masked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import yaml
from pydantic import BaseModel

from atonce.config.load import Loaded
from atonce.config.plain_yaml import Keys, Origin, scalar
from atonce.config.reference import Entry, entries

MASK = "********"
"""Stands for a secret, of whatever length."""
_BARE = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_INDENT = "  "


def render(loaded: Loaded) -> str:
    """All settings, one a line, each with its origin behind it; no line break at the end."""
    return "\n".join(rendered(loaded.settings, loaded.origins))


def rendered(settings: BaseModel, origins: Mapping[Keys, Origin]) -> Iterator[str]:
    """The lines for any model of settings."""
    for keys, entry in entries(type(settings)).items():
        indent = _INDENT * (len(keys) - 1)

        if entry.is_section:
            yield f"{indent}{keys[-1]}:"
        elif entry.is_open:
            yield from _own_names(settings, entry, origins)
        else:
            text = MASK if entry.is_secret else as_yaml(_value(settings, keys))
            yield f"{indent}{keys[-1]}: {text}  # {_origin(keys, origins)}"


def as_yaml(value: object) -> str:
    """One value, written so that it is read again as what it is."""
    if value is None:
        return "null"

    if isinstance(value, bool):
        return str(value).lower()

    if not isinstance(value, str):
        return repr(value)

    if _BARE.fullmatch(value) and isinstance(scalar(value), str):
        return value

    # The widest line: YAML would fold a long one, and its origin could not stand behind it.
    return yaml.safe_dump(value, default_style='"', allow_unicode=True, width=10**9).strip()


def _own_names(settings: BaseModel, entry: Entry, origins: Mapping[Keys, Origin]) -> Iterator[str]:
    """A mapping with names that the user chose."""
    indent = _INDENT * (len(entry.keys) - 1)
    values = _value(settings, entry.keys)
    assert isinstance(values, Mapping)

    if not values:
        yield f"{indent}{entry.keys[-1]}: {{}}  # {_origin(entry.keys, origins)}"
        return

    yield f"{indent}{entry.keys[-1]}:"

    for name, value in values.items():
        text = MASK if entry.is_secret else as_yaml(value)
        origin = _origin((*entry.keys, name), origins)
        yield f"{indent}{_INDENT}{as_yaml(name)}: {text}  # {origin}"


def _value(settings: BaseModel, keys: Keys) -> object:
    value: object = settings

    for key in keys:
        value = getattr(value, key)

    return value


def _origin(keys: Keys, origins: Mapping[Keys, Origin]) -> str:
    return str(origins.get(keys, "default"))


def reference(settings: BaseModel) -> str:
    """All settings as a table in Markdown: name, value, what may stand there, what it means."""
    lines = ["| setting | default | may be | meaning |", "|---|---|---|---|"]

    for keys, entry in entries(type(settings)).items():
        if entry.is_section:
            continue

        value = _value(settings, keys)
        text = MASK if entry.is_secret else as_yaml(value)
        shown = f"{len(value)} of them" if isinstance(value, Mapping) else f"`{text}`"
        lines.append(f"| `{entry.name}` | {shown} | {entry.wanted} | {entry.meaning} |")

    return "\n".join(lines)
