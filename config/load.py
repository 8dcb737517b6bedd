"""YAML → settings: default.yaml ← tuned.yaml ← a file ← single values from the command line.

Later layers win, key by key; only `agent.facts` and `agent.live_facts` in a file replace all of
them. Whatever is wrong is said in one sentence with file, line, key and the nearest right key; all
of it at once.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ValidationError

from atonce.config import tuned
from atonce.config.complaints import Complaint, about, not_a_section, refusal
from atonce.config.errors import SettingsError
from atonce.config.plain_yaml import (
    HALF_CHARACTER,
    Keys,
    Layer,
    Origin,
    Value,
    is_broken,
    parse,
    scalar,
)
from atonce.config.schema import Settings

DEFAULT_FILE = Path(__file__).with_name("default.yaml")
VARIABLE = "ATONCE_CONFIG"
"""Environment variable that names the user's settings file."""
LIVE_FACTS: Keys = ("agent", "live_facts")
REPLACED: frozenset[Keys] = frozenset({("agent", "facts"), LIVE_FACTS})
"""Sections that a file gives as a whole: an agent must not know facts of another place."""

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each of them came from."""

    settings: Settings
    """What is in force."""
    origins: Mapping[Keys, Origin]
    """For every setting, such as ("llm", "steps"), where its value stands."""


def load(
    config: Path | None = None,
    overrides: Sequence[str] = (),
    *,
    with_tuned: bool = True,
    over: Layer | None = None,
) -> Loaded:
    """All settings in force. config: a file, else the user's own if there is one; overrides: as
    behind --set, "llm.steps=8"; with_tuned: what `atonce tune` found, too; over: settings that
    stand in another file, such as a talk's script, above those of the file."""
    file = config or user_file()
    layers = [*([_file_layer(file)] if file else []), *([over] if over else [])]
    found = _tuned_layers([*layers, _override_layer(overrides)]) if with_tuned else []
    return _loaded([*found, *layers], overrides)


def defaults(
    overrides: Sequence[str] = (), *, config: Path | None = None, over: Layer | None = None
) -> Loaded:
    """The settings of somebody who has no file, or only this one; over: as in `load`."""
    layers = [*([_file_layer(config)] if config else []), *([over] if over else [])]
    return _loaded(layers, overrides)


def tuned_file() -> Path:
    """Where `atonce tune` keeps what it finds: beside the user's own settings."""
    return (user_file() or _usual_file()).with_name(tuned.FILE_NAME)


def _tuned_layers(said: Sequence[Layer]) -> list[Layer]:
    """What `atonce tune` found for the engine and the canvas that are in force; said: by the user,
    the last wins."""
    if not tuned_file().exists():
        return []

    default = parse(DEFAULT_FILE.read_text(encoding="utf-8"), Origin("default"))
    llm: dict[str, Value] = {}
    for layer in (default, *said):
        section = layer.tree.get("llm")
        llm |= section if isinstance(section, dict) else {}

    canvas = llm["canvas"] if isinstance(llm["canvas"], int) else 0
    return [tuned.chosen(_file_layer(tuned_file(), "tuned"), str(llm["engine"]), canvas)]


def user_file() -> Path | None:
    """The user's own settings file: $ATONCE_CONFIG, else settings.yaml in the folder for settings
    if it exists."""
    named = os.environ.get(VARIABLE)

    if named:
        return Path(named).expanduser()

    usual = _usual_file()
    return usual if usual.exists() else None


def _usual_file() -> Path:
    folder = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(folder).expanduser() / "atonce" / "settings.yaml"


def _loaded(files: Sequence[Layer], overrides: Sequence[str]) -> Loaded:
    base = parse(DEFAULT_FILE.read_text(encoding="utf-8"), Origin("default", DEFAULT_FILE.name))
    problems: list[Complaint] = []

    for layer in files:
        _merge(base, layer, (), REPLACED, problems)

    _merge(base, _override_layer(overrides), (), frozenset(), problems)
    tuned.make_room(base)
    settings = validated(Settings, base, problems)
    return Loaded(settings, base.origins)


def validated(model: type[_Model], layer: Layer, problems: Sequence[Complaint] = ()) -> _Model:
    """The model that a layer describes; problems: what was found wrong before."""
    try:
        settings = model.model_validate_json(json.dumps(layer.tree))
    except ValidationError as error:
        found = about(error.errors(include_url=False), layer.origins, model)
        raise refusal([*problems, *found]) from None

    if problems:
        raise refusal(problems)

    return settings


def complaints_about(model: type[_Model], layer: Layer, *, under: Keys = ()) -> list[Complaint]:
    """What is wrong with a part of a file; under: where in the file it stands. The part's own
    place, if it is known, is the origin of ()."""
    try:
        model.model_validate_json(json.dumps(layer.tree))
    except ValidationError as error:
        return [
            Complaint((*under, *one.keys), one.what, one.origin or layer.origins.get(()))
            for one in about(error.errors(include_url=False), layer.origins, model)
        ]

    return []


def _file_layer(path: Path, layer: Literal["tuned", "file"] = "file") -> Layer:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such settings file{_who_named(path)}") from None
    except IsADirectoryError:
        raise SettingsError(f"{path}: is a folder; name the settings file in it") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SettingsError(f"{path}: the settings file cannot be read: {reason}") from None

    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError(
            f"{path}:{line}: this is not text in UTF-8; save the file as UTF-8"
        ) from None

    return parse(text, Origin(layer, str(path)))


def _who_named(path: Path) -> str:
    """Where a missing file was named, when the command line did not."""
    is_from_variable = os.environ.get(VARIABLE) and path == user_file()
    return f" (named by the environment variable {VARIABLE})" if is_from_variable else ""


def _override_layer(overrides: Sequence[str]) -> Layer:
    """ "llm.steps=8" → a layer. The last of two for the same key wins, as on any command line."""
    layer = Layer()
    origin = Origin("command line")

    for override in overrides:
        name, equals, text = override.partition("=")
        keys = tuple(part.strip() for part in name.split("."))

        if not equals or not all(keys):
            raise SettingsError(
                f"command line: {override!r} sets nothing; write it like llm.steps=8"
            )

        if is_broken(override):
            raise SettingsError(f"command line: {override!r} {HALF_CHARACTER}")

        if keys[: len(LIVE_FACTS)] == LIVE_FACTS:
            raise SettingsError(
                f"command line: {override!r} is refused: live facts run programs, so they stand in"
                " a settings file only"
            )

        section = layer.tree

        for depth, key in enumerate(keys[:-1], start=1):
            inner = section.get(key)
            inner = inner if isinstance(inner, dict) else {}
            section[key] = inner
            section = inner
            layer.origins[keys[:depth]] = origin

        section[keys[-1]] = _override_value(text.strip())
        layer.origins[keys] = origin

    return layer


def _override_value(text: str) -> Value:
    """One value as it would be read in a file: a quoted one is text, whatever stands in it."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]

    return scalar(text)


def _merge(
    base: Layer, layer: Layer, keys: Keys, replaced: frozenset[Keys], problems: list[Complaint]
) -> None:
    """Puts a layer over the base, which changes."""
    old_section = _at(base.tree, keys)

    for key, value in _at(layer.tree, keys).items():
        path = (*keys, key)
        old = old_section.get(key)

        if not isinstance(old, dict) or path in replaced:
            old_section[key] = value
            _replace_origins(base, layer, path)
        elif isinstance(value, dict):
            _merge(base, layer, path, replaced, problems)
        elif value is not None:
            # A section whose settings are all commented out is empty, and says nothing.
            problems.append(not_a_section(path, value, layer.origins[path]))


def _at(tree: dict[str, Value], keys: Keys) -> dict[str, Value]:
    for key in keys:
        section = tree[key]
        assert isinstance(section, dict)
        tree = section

    return tree


def _replace_origins(base: Layer, layer: Layer, path: Keys) -> None:
    depth = len(path)

    for keys in [keys for keys in base.origins if keys[:depth] == path]:
        del base.origins[keys]

    base.origins.update(
        (keys, origin) for keys, origin in layer.origins.items() if keys[:depth] == path
    )
