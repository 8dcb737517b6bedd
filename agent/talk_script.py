"""The script of a talk: YAML → who says what when, in which room, and what must come of it.

Rule 1. Whatever is wrong is said in one sentence with file, line, key and the nearest right key;
        all of it at once.
Rule 2. Files that a script names are looked for beside it.
Rule 3. `settings` is a settings file inside the script: it lies over the settings in force.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from atonce.agent.talk_format import (
    CallerLine,
    Expected,
    ExpectedLine,
    ExpectedTurn,
    Head,
    Slow,
)
from atonce.config.complaints import Complaint
from atonce.config.errors import SettingsError
from atonce.config.load import complaints_about, validated
from atonce.config.plain_yaml import Keys, Layer, Origin, Value, parse


@dataclass(frozen=True, slots=True)
class Talk:
    """A script."""

    path: Path
    """Its file."""
    head: Head
    """What holds for all of it."""
    caller: tuple[CallerLine, ...]
    """What the person says."""
    slow: tuple[Slow, ...]
    """Engines that are slow."""
    expected: Expected
    """What must come of it."""
    turns: tuple[ExpectedTurn, ...] | None
    """What must come of every question, in order: no more, no fewer; None: of none."""
    lines: tuple[ExpectedLine, ...]
    """What must come of some lines."""
    settings: Layer
    """Settings that hold in this talk."""


def read(path: Path) -> Talk:
    """The talk that a file describes; SettingsError where it describes none."""
    layer = parse(_text(path), Origin("file", str(path)))
    problems = [*_misspelt(layer, (), (*Head.model_fields, "caller", "slow", "expect", "settings"))]
    problems += _misspelt(layer, ("expect",), (*Expected.model_fields, "turns", "lines"))
    lists = {keys: _taken(layer, keys) for keys in _LISTS}
    settings = _section_of(layer, ("settings",), problems)
    expected = _section_of(layer, ("expect",), problems)
    turns = _items(layer, ("expect", "turns"), lists[("expect", "turns")], ExpectedTurn, problems)
    lines = _items(layer, ("expect", "lines"), lists[("expect", "lines")], ExpectedLine, problems)
    caller = _items(layer, ("caller",), lists[("caller",)], CallerLine, problems)
    slow = _items(layer, ("slow",), lists[("slow",)], Slow, problems)
    problems += complaints_about(Expected, expected, under=("expect",))
    problems += _out_of_range(layer, lines, len(caller))

    if lists[("caller",)] is None and not problems:
        what = "is missing: a talk needs somebody who says something, or caller: [] for nobody"
        problems.append(Complaint(("caller",), what, Origin("file", str(path), 1)))

    head = validated(Head, layer, problems)
    return Talk(
        path=path,
        head=head,
        caller=tuple(caller),
        slow=tuple(slow),
        expected=validated(Expected, expected),
        turns=None if lists[("expect", "turns")] is None else tuple(turns),
        lines=tuple(lines),
        settings=settings,
    )


_LISTS: tuple[Keys, ...] = (("caller",), ("slow",), ("expect", "turns"), ("expect", "lines"))
_Item = TypeVar("_Item", bound=BaseModel)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is no text in UTF-8; name the script of a talk") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SettingsError(f"{path}: the script of the talk cannot be read: {reason}") from None


def _misspelt(layer: Layer, section: Keys, known: Sequence[str]) -> Iterator[Complaint]:
    """Keys of a section that there are not; they are taken out of the tree."""
    tree: Value = layer.tree

    for key in section:
        tree = tree.get(key) if isinstance(tree, dict) else None

    if not isinstance(tree, dict):
        return

    for key in [key for key in tree if key not in known]:
        del tree[key]
        near = get_close_matches(key, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        keys = (*section, key)
        yield Complaint(keys, f"there is no such key; {hint}", layer.origins[keys])


def _taken(layer: Layer, keys: Keys) -> Value:
    """A value, taken out of the tree; None where there is none."""
    section: Value = layer.tree

    for key in keys[:-1]:
        section = section.get(key) if isinstance(section, dict) else None

    return section.pop(keys[-1], None) if isinstance(section, dict) else None


def _section_of(layer: Layer, keys: Keys, problems: list[Complaint]) -> Layer:
    """A section as a layer of its own."""
    value = _taken(layer, keys)

    if value is not None and not isinstance(value, dict):
        problems.append(Complaint(keys, "a section is wanted here", layer.origins[keys]))

    return Layer(value if isinstance(value, dict) else {}, _origins_under(layer, keys))


def _origins_under(layer: Layer, keys: Keys) -> dict[Keys, Origin]:
    depth = len(keys)
    return {
        path[depth:]: origin
        for path, origin in layer.origins.items()
        if path[:depth] == keys and len(path) > depth
    }


def _items(
    layer: Layer, keys: Keys, value: Value, model: type[_Item], problems: list[Complaint]
) -> list[_Item]:
    """The items of a list, each of one model; what is wrong with them is added to the problems."""
    if value is None:
        return []

    if not isinstance(value, list):
        problems.append(
            Complaint(keys, "a list is wanted here (lines with a dash)", layer.origins[keys])
        )
        return []

    made: list[_Item] = []

    for number, item in enumerate(value):
        place = (*keys, str(number))
        tree = {} if item is None else item

        if not isinstance(tree, dict):
            what = "a section is wanted here (keys with a colon)"
            problems.append(Complaint(place, what, layer.origins[place]))
            continue

        part = Layer(tree, {(): layer.origins[place], **_origins_under(layer, place)})
        wrong = complaints_about(model, part, under=place)
        problems += wrong

        if not wrong:
            made.append(validated(model, part))

    return made


def _out_of_range(layer: Layer, lines: Sequence[ExpectedLine], count: int) -> list[Complaint]:
    return [
        Complaint(
            ("expect", "lines", str(number), "line"),
            f"there is no line {line.line}: the caller has {count}",
            layer.origins.get(("expect", "lines", str(number), "line")),
        )
        for number, line in enumerate(lines)
        if line.line > count
    ]
