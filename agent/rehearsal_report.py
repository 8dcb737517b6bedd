"""What a rehearsal leaves behind: the sound of both, the events, a table, a picture.

    OUT/talk.wav        what the microphone heard (left) and the loudspeaker played (right)
        events.jsonl    what happened, one event a line, in seconds of the talk; `atonce report`
                        reads it, too
        turns.jsonl     what came of every question, one a line
        timeline.png    who sounded when, whose turn it was, what each reply took

Rule 1. A picture takes matplotlib; without it everything else is written, and that is said.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import soundfile
from rich.console import Console
from rich.table import Table

from atonce.agent.event_json import as_json
from atonce.agent.rehearsal import Rehearsal
from atonce.agent.talk_record import Recording
from atonce.agent.talk_turns import TalkTurn
from atonce.config.errors import AudioError

_PLACES = 6


def write(rehearsal: Rehearsal, folder: Path) -> None:
    """Write everything but the picture; AudioError where that cannot be."""
    recording = rehearsal.recording
    tracks = np.stack([recording.heard, recording.played], axis=1)

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "talk.wav").open("wb") as file:
            soundfile.write(file, tracks, recording.rate_hz, format="WAV", subtype="PCM_16")

        _write_lines(folder / "events.jsonl", events(recording))
        _write_lines(folder / "turns.jsonl", map(turn_json, rehearsal.turns))
    except OSError as error:
        raise AudioError(
            f"{folder} cannot be written: {error.strerror or error}; choose another folder (--out)"
        ) from error


def events(recording: Recording) -> Iterator[dict[str, object]]:
    """All events in seconds of the talk; the person's lines are among them."""
    told = [as_json(event) for event in recording.events]
    said = [
        {
            "event": "line_said",
            "at_s": round(line.begin_s, _PLACES),
            "line": line.number,
            "end_s": round(line.end_s, _PLACES),
        }
        for line in recording.lines
    ]
    yield from sorted([*told, *said], key=_moment)


def turn_json(turn: TalkTurn) -> dict[str, object]:
    """One question, for programs."""
    return {
        "turn": turn.number,
        "heard": turn.question,
        "reply": turn.reply.text if turn.reply else None,
        "source": turn.source or None,
        "steps": turn.reply.steps if turn.reply else None,
        "marks_ms": {name: round(1000 * at_s) for name, at_s in turn.marks_s.items()},
        "first_audio_ms": turn.first_audio_ms,
        "sounded": turn.ended.heard if turn.ended else None,
        "cut": turn.ended.is_cut if turn.ended else None,
    }


def show(rehearsal: Rehearsal) -> None:
    """A table of the turns on standard output."""
    table = Table(box=None, header_style="dim", padding=(0, 1))

    for name in ("turn", "first audio", "source", "heard", "reply"):
        table.add_column(name, justify="right" if name == "first audio" else "left")

    for number, turn in enumerate(rehearsal.turns, start=1):
        took_ms = turn.first_audio_ms
        table.add_row(
            str(number),
            "–" if took_ms is None else f"{took_ms} ms",
            turn.source or "–",
            turn.question,
            (turn.reply.text if turn.reply else "–") + (" (cut)" if turn.is_cut else ""),
        )

    Console(highlight=False).print(table)


def draw(rehearsal: Rehearsal, picture: Path) -> None:
    """The timeline as a picture; ImportError without matplotlib, AudioError where it cannot be
    written."""
    from atonce.agent.rehearsal_picture import timeline

    try:
        timeline(rehearsal, picture)
    except OSError as error:
        raise AudioError(
            f"{picture} cannot be written: {error.strerror or error}; choose another folder (--out)"
        ) from error


def _moment(event: Mapping[str, object]) -> float:
    at_s = event["at_s"]
    return float(at_s) if isinstance(at_s, int | float) else 0.0


def _write_lines(file: Path, items: Iterator[dict[str, object]] | map[dict[str, object]]) -> None:
    lines = [json.dumps(item, ensure_ascii=False) + "\n" for item in items]
    file.write_text("".join(lines), encoding="utf-8")
