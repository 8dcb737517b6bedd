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
from atonce.config.reference import ANY, Entry, entries

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

        if ANY in keys:
            continue  # shown with the names that the user chose

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

    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_yaml, value))}]"

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
        keys = (*entry.keys, name)

        if isinstance(value, BaseModel):
            yield f"{indent}{_INDENT}{as_yaml(name)}:"
            yield from _own_section(value, keys, origins)
        else:
            text = MASK if entry.is_secret else as_yaml(value)
            yield f"{indent}{_INDENT}{as_yaml(name)}: {text}  # {_origin(keys, origins)}"


def _own_section(section: BaseModel, keys: Keys, origins: Mapping[Keys, Origin]) -> Iterator[str]:
    """What stands under a name that the user chose; what was left out is left out here, too."""
    for name in type(section).model_fields:
        if name in section.model_fields_set:
            text = as_yaml(getattr(section, name))
            yield f"{_INDENT * len(keys)}{name}: {text}  # {_origin((*keys, name), origins)}"


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

    for entry in entries(type(settings)).values():
        if entry.is_section:
            continue

        shown = _default(settings, entry)
        lines.append(f"| `{entry.name}` | {shown} | {entry.wanted} | {entry.meaning} |")

    return "\n".join(lines)


def _default(settings: BaseModel, entry: Entry) -> str:
    """What the table shows as the default of a setting."""
    if ANY in entry.keys:
        return ""

    if entry.is_secret:
        return f"`{MASK}`"

    value = _value(settings, entry.keys)

    if isinstance(value, Mapping | tuple) and value:
        return f"{len(value)} of them"

    return f"`{'{}' if isinstance(value, Mapping) else as_yaml(value)}`"
