"""Events as plain data, for logs and transports, and back. Pure.

Rule 1: `event` names the kind in snake_case, `at_s` comes next; the other keys are the event's own
        fields, with the same names and units.
Rule 2: what is no number (NaN, infinite) is null: strict JSON has no word for it. It is read back
        as NaN.
Rule 3: the token of a canvas position is not told; it is read back as UNTOLD.
Rule 4: of another version's event, fields that are not known are passed over, and those with a
        default may be missing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from atonce.agent.events import PlaybackBegan, PlaybackEnded, SessionEvent
from atonce.llm.protocols import Cell, Draft

UNTOLD = -1
"""The token of a canvas position that was read back."""

_PLACES = 6
"""Decimals that are kept: a microsecond."""


def as_json(event: SessionEvent | PlaybackBegan | PlaybackEnded) -> dict[str, object]:
    """An event as data that json.dumps takes."""
    told = _plain(event)
    assert isinstance(told, dict)  # an event is a dataclass
    return {"event": name(event), **told}


def event_of(told: Mapping[str, object]) -> SessionEvent | None:
    """The event that as_json told so; None: no event of a talk has that name. ValueError: a field
    is missing, or is not what it should be."""
    kind = _KINDS.get(str(told.get("event")))
    return None if kind is None else _made(kind, told)


def name(event: object) -> str:
    """How an event is called in logs: `SpeechDetected` is speech_detected."""
    return _name(type(event))


def _name(kind: type) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


_KINDS: dict[str, Any] = {_name(kind): kind for kind in get_args(SessionEvent)}


def _plain(value: object) -> object:
    match value:
        case bool() | int() | str() | None:
            return value
        case float():
            return round(value, _PLACES) if math.isfinite(value) else None
        case Draft():
            return _draft(value)
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case tuple() | list():
            return [_plain(item) for item in value]

    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}

    return str(value)


def _draft(draft: Draft) -> dict[str, object]:
    """A canvas as a page draws it: its text, and of every position what is needed to show it."""
    return {
        "step": draft.step,
        "steps": draft.steps,
        "forced": draft.forced,
        "text": draft.text,
        "cells": [_cell(cell) for cell in draft.cells],
    }


def _cell(cell: Cell) -> dict[str, object]:
    return {
        "text": cell.text,
        "is_open": cell.is_open,
        "confidence": _plain(cell.confidence),
    }


# ---- back ----


def _made(kind: Any, told: Mapping[str, object]) -> Any:
    hints = _hints(kind)
    given = {"token": UNTOLD, **told} if kind is Cell else told
    lacking = [f.name for f in fields(kind) if f.name not in given and f.default is MISSING]

    if lacking:
        raise ValueError(f"{_name(kind)} lacks {', '.join(lacking)}")

    return kind(**{key: _read(hints[key], given[key], key) for key in hints if key in given})


def _read(kind: Any, value: object, what: str) -> Any:
    """A value of a field's type; what: the field."""
    origin, parts = get_origin(kind), get_args(kind)

    if kind is float and value is None:
        return math.nan

    if origin is UnionType and value is None:
        return None

    if origin is UnionType:
        return _read(parts[0], value, what)  # the others are None

    if origin is tuple and isinstance(value, list):
        return tuple(_read(parts[0], item, what) for item in value)

    if is_dataclass(kind) and isinstance(value, Mapping):
        return _made(kind, value)

    if kind is float and type(value) is int:
        return float(value)

    if value not in parts if origin is Literal else type(value) is not kind:
        raise ValueError(f"{what} cannot be {value!r:.80}")

    return value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
