"""What `atonce tune` found out about this machine: a file of its own beside the user's settings.

Rule 1. It lies between the defaults and the user's file: whoever sets a value keeps it.
Rule 2. It holds for the engine that was measured, and gives each canvas its own steps.
Rule 3. The table that the values came from stands in it, for a person to read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from atonce.config.errors import SettingsError
from atonce.config.plain_yaml import Layer, Origin, Value
from atonce.config.schema import MOST_STEPS

FILE_NAME = "tuned.yaml"
STEPS = ("steps", "min_steps", "max_steps")
_CHANGED = "the table of `atonce tune` cannot be read; run `atonce tune` again, or delete the file"


@dataclass(frozen=True, slots=True)
class CanvasRow:
    """What was found for one canvas."""

    steps: int
    """Where it works."""
    min_steps: int
    """What the watchdog may lower it to."""
    max_steps: int
    """What more would not change."""
    step_ms: float
    """One denoising step on this machine, median."""
    step_p90_ms: float
    """The same, nine of ten steps are faster."""
    quality: Mapping[int, float]
    """K → grounded turns right, percent."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """All that was found."""

    engine: str
    """Which writer."""
    writer: str
    """Its weights, as the first letters of their sha256; empty where there are none."""
    machine: str
    """What it was measured on."""
    canvas: int
    """The canvas of the settings."""
    by_canvas: Mapping[int, CanvasRow]
    """Every canvas that was measured."""
    reached_ms: Sequence[float]
    """Times to first audio, from the last word spoken."""
    first_audio_ms: int
    """What the watchdog is to keep to."""


def chosen(layer: Layer, engine: str, canvas: int) -> Layer:
    """The settings in a tuned file, for the engine and the canvas in force.

    SettingsError: somebody changed what `atonce tune` wrote, so that it makes no sense.
    """
    table = layer.tree.pop("tuned", None)
    if not isinstance(table, dict) or not isinstance(table.get("by_canvas"), dict):
        raise SettingsError(f"{_source(layer)}: {_CHANGED}")

    if table.get("engine") != engine:
        return Layer()

    llm = layer.tree.get("llm")
    if table.get("canvas") != canvas and isinstance(llm, dict):
        place, row = _nearest(layer, table["by_canvas"], canvas)
        for name in STEPS:
            llm[name] = row[name]
            layer.origins["llm", name] = layer.origins["tuned", "by_canvas", place]

    for keys in [keys for keys in layer.origins if keys[0] == "tuned"]:
        del layer.origins[keys]

    return layer


def _nearest(layer: Layer, rows: Value, canvas: int) -> tuple[str, Mapping[str, Value]]:
    """The row of the smallest canvas that holds this one, else the largest."""
    if isinstance(rows, dict) and rows and all(name.isdigit() for name in rows):
        places = sorted(rows, key=int)
        place = next((place for place in places if int(place) >= canvas), places[-1])
        row = rows[place]
        if isinstance(row, dict) and row.keys() >= set(STEPS):
            return place, row

    raise SettingsError(f"{_source(layer)}: {_CHANGED}")


def _source(layer: Layer) -> str:
    return next((origin.source for origin in layer.origins.values()), FILE_NAME)


def make_room(base: Layer) -> None:
    """Bounds of K that nobody set give way to a K that somebody set; the base changes."""
    llm = base.tree["llm"]
    assert isinstance(llm, dict)
    steps, origin = llm["steps"], base.origins["llm", "steps"]
    if type(steps) is not int or not 1 <= steps <= MOST_STEPS or is_unsaid(origin):
        return

    for name, is_upper in (("min_steps", False), ("max_steps", True)):
        bound = llm[name]
        if type(bound) is int and is_unsaid(base.origins["llm", name]):
            llm[name] = max(bound, steps) if is_upper else min(bound, steps)
            if llm[name] != bound:
                base.origins["llm", name] = origin


def is_unsaid(origin: Origin) -> bool:
    """Whether a value was set by nobody."""
    return origin.layer in ("default", "tuned")


def write(path: Path, tuned: Tuned) -> None:
    """The file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(render(tuned), encoding="utf-8")
    beside.replace(path)


def render(tuned: Tuned) -> str:
    """As it stands in the file."""
    now = tuned.by_canvas[tuned.canvas]
    rows = [f"    {canvas}: {_row(row)}" for canvas, row in tuned.by_canvas.items()]
    quality = [f"    {canvas}: {_quality(row)}" for canvas, row in tuned.by_canvas.items()]
    reached = ", ".join(f"{ms:.0f}" for ms in sorted(tuned.reached_ms))
    return "\n".join(
        [
            "# Written by `atonce tune` for this machine. Your own settings win over it; run",
            "# `atonce tune` again when the machine or the writer changes, or delete this file.",
            "llm:",
            *(f"  {name}: {getattr(now, name)}" for name in STEPS),
            "watchdog:",
            f"  first_audio_ms: {tuned.first_audio_ms}",
            "",
            "# Where this came from.",
            "tuned:",
            f"  engine: {tuned.engine}",
            f'  writer: "{tuned.writer}"',
            f'  machine: "{tuned.machine}"',
            f"  canvas: {tuned.canvas}",
            "  # For other canvases; a step's time is in ms.",
            "  by_canvas:",
            *rows,
            "  # K: grounded turns right, percent.",
            "  quality:",
            *quality,
            "  # To the first sound of a reply, ms, sorted.",
            f"  reached_ms: [{reached}]",
            "",
        ]
    )


def _row(row: CanvasRow) -> str:
    steps = ", ".join(f"{name}: {getattr(row, name)}" for name in STEPS)
    return f"{{{steps}, step_ms: {row.step_ms:.1f}, step_p90_ms: {row.step_p90_ms:.1f}}}"


def _quality(row: CanvasRow) -> str:
    return "{" + ", ".join(f"{k}: {right:.1f}" for k, right in row.quality.items()) + "}"
