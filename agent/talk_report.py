"""`atonce report LOG`: what went on in a talk, from the events that `atonce talk --log` kept."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from atonce.agent.event_json import event_of
from atonce.agent.events import (
    ReplyEnded,
    ReplyWithdrawn,
    SessionEvent,
    SpeechDetected,
    SpeechStopped,
)
from atonce.agent.talk_turns import TalkTurn, TalkTurns
from atonce.agent.timeline import percentiles
from atonce.agent.turn_bars import of_marks
from atonce.agent.waterfall import waterfall
from atonce.config.errors import AtonceError, UsageError


@dataclass(frozen=True, slots=True)
class Talk:
    """A talk, as its log tells it."""

    turns: tuple[TalkTurn, ...]
    """In the order in which they ended."""
    spoken: tuple[tuple[float, float], ...]
    """When the person spoke, from and to, on the talk's clock."""
    budget_s: float | None
    """What replies were held to; None: the log's settings do not say."""
    broken: int
    """Lines that were no events."""


def run(log: Path, *, picture: Path | None, turn: int | None, is_json: bool) -> int:
    """Print a talk, and draw it; the exit code."""
    talk = read(log)
    if is_json:
        sys.stdout.write(json.dumps(summary(talk), ensure_ascii=False) + "\n")
    elif turn is not None:
        _print_turn(talk, turn)
    else:
        _print(talk)

    if talk.broken:
        sys.stderr.write(f"atonce: {talk.broken} lines of {log} are no events; left out\n")

    if picture is not None:
        draw(talk, picture)

    return 0


def read(log: Path) -> Talk:
    """log: a file of events in JSON lines, or the folder of a talk. UsageError: there is none."""
    file = log / "events.jsonl" if log.is_dir() else log
    try:
        lines = file.read_text("utf-8", errors="replace").splitlines()
    except OSError as error:
        raise UsageError(
            f"{file}: {error.strerror or error}; name the folder that `atonce talk --log` wrote"
        ) from error

    events: list[SessionEvent] = []
    lines = [line for line in lines if line.strip()]
    broken = 0
    for line in lines:
        try:
            event = _event(line)
        except ValueError:
            broken += 1
            continue

        events += [event] if event is not None else []

    if broken == len(lines):
        raise UsageError(f"{file} holds no events: it is not the log of a talk, or an empty one")

    return Talk(tuple(_turns(events)), tuple(_spoken(events)), _budget_s(file.parent), broken)


def _event(line: str) -> SessionEvent | None:
    """None: it tells of something beside the talk. ValueError: it is no event."""
    told = json.loads(line)
    if not isinstance(told, dict) or not isinstance(told.get("event"), str):
        raise ValueError("no event")

    return event_of(told)


def _turns(events: Sequence[SessionEvent]) -> Iterator[TalkTurn]:
    follows = TalkTurns()
    for event in events:
        turn = follows.take(event)
        if turn is not None and isinstance(event, ReplyEnded | ReplyWithdrawn):
            yield turn


def _spoken(events: Sequence[SessionEvent]) -> Iterator[tuple[float, float]]:
    begun: float | None = None
    for event in events:
        if isinstance(event, SpeechDetected):
            begun = event.from_s
        elif isinstance(event, SpeechStopped) and begun is not None:
            yield begun, event.speech_end_s
            begun = None


def _budget_s(folder: Path) -> float | None:
    """From the settings that lie beside the events."""
    import yaml

    try:
        settings = yaml.safe_load((folder / "settings.yaml").read_text("utf-8"))
        return float(settings["watchdog"]["first_audio_ms"]) / 1000
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        return None


# ---- figures ----


def heard(talk: Talk) -> list[TalkTurn]:
    """Turns whose reply was heard."""
    return [turn for turn in talk.turns if turn.first_audio_s is not None]


def is_late(turn: TalkTurn, talk: Talk) -> bool:
    """Over the budget, where that is known."""
    first_s = turn.first_audio_s
    return talk.budget_s is not None and first_s is not None and first_s > talk.budget_s


def summary(talk: Talk) -> dict[str, object]:
    """For programs."""
    turns = heard(talk)
    marks = percentiles({k: 1000 * v for k, v in turn.marks_s.items()} for turn in turns)
    return {
        "turns": len(turns),
        "withdrawn": sum(turn.is_withdrawn for turn in talk.turns),
        "late": sum(is_late(turn, talk) for turn in turns),
        "budget_ms": None if talk.budget_s is None else round(1000 * talk.budget_s),
        "marks_ms": {
            name: dict(zip(("p50", "p95", "p99"), map(round, values), strict=True))
            for name, values in marks.items()
        },
        "drafts": dict(Counter(turn.draft for turn in turns)),
        "sources": dict(Counter(turn.source for turn in turns)),
        "acknowledged": sum("acknowledged" in turn.marks_s for turn in turns),
        "forced": sum(turn.is_forced for turn in turns),
        "cut": sum(turn.is_cut for turn in turns),
    }


def _print(talk: Talk) -> None:
    console, turns = Console(highlight=False), heard(talk)
    table = Table(box=None, header_style="dim", padding=(0, 1))
    for name in ("turn", "first audio", "K", "canvas", "source", "draft", "plan", "question"):
        table.add_column(name, justify="right" if name in ("turn", "first audio") else "left")

    for turn in turns:
        late = " late" if is_late(turn, talk) else ""
        table.add_row(
            str(turn.number),
            f"{1000 * (turn.first_audio_s or 0):.0f} ms{late}",
            f"{turn.steps} of {turn.planned_steps}",
            str(turn.canvas),
            turn.source,
            turn.draft,
            turn.reason,
            turn.question,
        )

    console.print(table)
    marks = Table(box=None, header_style="dim", padding=(0, 1))
    for name in ("mark, ms", "p50", "p95", "p99"):
        marks.add_column(name, justify="left" if name == "mark, ms" else "right")

    found = percentiles({k: 1000 * v for k, v in turn.marks_s.items()} for turn in turns)
    for name, values in sorted(found.items(), key=lambda mark: mark[1]):
        marks.add_row(name, *(f"{value:.0f}" for value in values))

    console.print(marks)
    for line in _sentences(talk):
        console.print(line, soft_wrap=True)


def _sentences(talk: Talk) -> Iterator[str]:
    told = summary(talk)
    yield (
        f"{told['turns']} replies were heard, {told['withdrawn']} drafts withdrawn, "
        f"{told['cut']} replies cut"
    )
    if talk.budget_s is not None:
        yield (
            f"{told['late']} came later than {told['budget_ms']} ms; {told['forced']} were closed "
            "by the deadline"
        )

    for name in ("drafts", "sources"):
        counts = told[name]
        if isinstance(counts, dict) and counts:
            yield f"{name}: " + ", ".join(
                f"{key or 'none'} {count}" for key, count in counts.items()
            )

    if told["acknowledged"]:
        yield f"{told['acknowledged']} times a sentence bought time"


def _print_turn(talk: Talk, wanted: int) -> None:
    turn = next((turn for turn in talk.turns if turn.number == wanted), None)
    if turn is None:
        known = ", ".join(str(turn.number) for turn in talk.turns) or "none"
        raise UsageError(f"there is no turn {wanted} in this log; there are: {known}")

    console = Console(highlight=False)
    for name, text in (
        ("question", turn.question),
        ("reply", turn.reply.text if turn.reply else ""),
        ("heard", turn.heard),
        ("source", turn.source),
        ("reason", turn.reason),
    ):
        console.print(f"{name:9}{text}", markup=False, soft_wrap=True)

    console.print(waterfall(of_marks(turn.marks_s), budget_s=talk.budget_s))


# ---- the picture ----


def draw(talk: Talk, picture: Path) -> None:
    """Who spoke when, and what each turn took."""
    try:
        import matplotlib as mpl

        mpl.use("agg")
        from matplotlib import pyplot as plt
    except ImportError:
        raise UsageError(
            "a picture takes matplotlib, which is not installed: pip install matplotlib"
        ) from None

    turns = heard(talk)
    figure, (lanes, first) = plt.subplots(2, 1, figsize=(10, 5), height_ratios=(1, 2))
    zero_s = min([start for start, _ in talk.spoken] + [turn.zero_s for turn in turns], default=0.0)
    person = [(start - zero_s, end - start) for start, end in talk.spoken]
    agent = [
        (
            turn.zero_s + marks["first_audio"] - zero_s,
            marks["playback_ended"] - marks["first_audio"],
        )
        for turn in turns
        if "playback_ended" in (marks := turn.marks_s)
    ]
    lanes.broken_barh(person, (1, 0.8), color="#d94801")
    lanes.broken_barh(agent, (0, 0.8), color="#084594")
    lanes.set_yticks([0.4, 1.4], labels=["agent", "person"])
    lanes.set_xlabel("seconds")
    _stack(first, turns)
    if talk.budget_s is not None:
        first.axhline(1000 * talk.budget_s, color="0.4", linestyle="--")

    first.set(xlabel="turn", ylabel="ms since the last word")
    first.legend(fontsize=7, ncols=2)
    figure.tight_layout()
    try:
        figure.savefig(picture)
    except (OSError, ValueError) as error:
        raise AtonceError(f"{picture}: {error}; choose another file for the picture") from error
    finally:
        plt.close(figure)


def _stack(axes: object, turns: Sequence[TalkTurn]) -> None:
    """Each turn as a column of what its stages took."""
    names = ("transcript_final", "prompt_read", "reply_checked", "first_chunk", "first_audio")
    before = [0.0] * len(turns)
    for name in names:
        ends = [
            1000 * turn.marks_s.get(name, b / 1000) for turn, b in zip(turns, before, strict=True)
        ]
        heights = [max(0.0, end - start) for end, start in zip(ends, before, strict=True)]
        axes.bar(range(1, len(turns) + 1), heights, bottom=before, label=f"to {name}")  # type: ignore[attr-defined]
        before = [max(end, start) for end, start in zip(ends, before, strict=True)]
