"""Events as plain data, for logs and transports. Pure.

Rule 1: `event` names the kind in snake_case, `at_s` comes next; the other keys are the event's own
        fields, with the same names and units.
Rule 2: what is no number (NaN, infinite) is null: strict JSON has no word for it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass

from atonce.agent.events import PlaybackBegan, PlaybackEnded, SessionEvent
from atonce.llm.protocols import Cell, Draft

_PLACES = 6
"""Decimals that are kept: a microsecond."""


def as_json(event: SessionEvent | PlaybackBegan | PlaybackEnded) -> dict[str, object]:
    """An event as data that json.dumps takes."""
    told = _plain(event)
    assert isinstance(told, dict)  # an event is a dataclass
    return {"event": name(event), **told}


def name(event: object) -> str:
    """How an event is called in logs: `SpeechDetected` is speech_detected."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()


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
