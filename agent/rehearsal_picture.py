"""The timeline of a rehearsal as a picture: both voices, whose turn it was, first sounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from atonce.agent.events import StateChanged
from atonce.agent.rehearsal import Rehearsal
from atonce.agent.talk_record import Recording
from atonce.speech.protocols import Samples

mpl.use("agg")  # no screen is needed

from matplotlib import pyplot as plt
from matplotlib.patches import Patch

_COLOURS = {
    "listening": "#d9d9d9",
    "hearing": "#fdae6b",
    "thinking": "#9ecae1",
    "speaking": "#3182bd",
    "paused": "#e7298a",
}
_PERSON, _AGENT = "#a63603", "#08519c"
_BLOCK_S = 0.02
_WIDTH_S = 2.5
"""Of the talk, for an inch; at least 8 inches, at most 40."""


def timeline(rehearsal: Rehearsal, picture: Path) -> None:
    """Draw it; the format is that of the file's name."""
    recording = rehearsal.recording
    width = min(40.0, max(8.0, recording.seconds / _WIDTH_S))
    figure, axes = plt.subplots(figsize=(width, 3.6), layout="constrained")
    _wave(axes, recording.heard, recording.rate_hz, 2.0, _PERSON)
    _wave(axes, recording.played, recording.rate_hz, 1.0, _AGENT)
    _states(axes, recording)
    _turns(axes, rehearsal)
    axes.set_yticks([2.0, 1.0, 0.25], labels=["microphone", "agent", "state"])
    axes.set_xlim(0, max(1.0, recording.seconds))
    axes.set_ylim(0, 3.1)
    axes.set_xlabel("seconds")
    axes.set_title(rehearsal.talk.head.about or rehearsal.talk.path.stem, loc="left", fontsize=10)
    seen = [Patch(color=colour) for colour in _COLOURS.values()]
    axes.legend(seen, list(_COLOURS), ncols=5, fontsize=7, loc="upper right", frameon=False)

    try:
        figure.savefig(picture, dpi=100)
    finally:
        plt.close(figure)


def _wave(axes: Any, samples: Samples, rate_hz: int, middle: float, colour: str) -> None:
    width = max(1, round(_BLOCK_S * rate_hz))
    count = len(samples) // width
    peaks = np.abs(samples[: count * width]).reshape(count, width).max(axis=1, initial=0.0)
    peaks = 0.42 * peaks / max(0.05, float(peaks.max(initial=0.0)))
    times = np.arange(count) * _BLOCK_S
    axes.fill_between(times, middle - peaks, middle + peaks, color=colour, linewidth=0)


def _states(axes: Any, recording: Recording) -> None:
    changes = [event for event in recording.events if isinstance(event, StateChanged)]
    starts = [0.0, *(event.at_s for event in changes)]
    names = ["listening", *(event.state for event in changes)]
    ends = [*starts[1:], recording.seconds]

    for name, start, end in zip(names, starts, ends, strict=True):
        axes.broken_barh([(start, end - start)], (0.05, 0.4), color=_COLOURS[name])


def _turns(axes: Any, rehearsal: Rehearsal) -> None:
    for line in rehearsal.recording.lines:
        script = rehearsal.talk.caller[line.number - 1]
        what = script.say or script.text or script.sound or script.file or ""
        axes.text(line.begin_s, 2.5, _short(what), fontsize=7, color=_PERSON)

    for turn in rehearsal.turns:
        first_s = turn.audible_s

        if first_s is None:
            continue

        took = "" if turn.first_audio_ms is None else f"{turn.first_audio_ms} ms  "
        said = turn.reply.text if turn.reply else ""
        axes.axvline(first_s, ymin=0.14, ymax=0.46, color=_AGENT, linewidth=1)
        axes.text(first_s, 1.46, took + _short(said), fontsize=7, color=_AGENT)


def _short(text: str) -> str:
    return text if len(text) <= 42 else text[:41] + "…"
