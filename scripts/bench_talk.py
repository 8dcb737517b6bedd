"""Measure talks in real time: first audio, where its time goes, false interruptions, loop lag.

usage: scripts/bench_talk [--questions N] [--backchannels N] [--picture FILE.svg] [--out DIR]
                          [--config FILE] [--set KEY=VALUE …]

Two talks with the true engines and a scripted caller whose voice is another one than the agent's.
In the first, questions are asked one after the other, all of them different. In the second, people
say "okay" and the like while the agent speaks: a reply that is cut by that is a false interruption.
First audio is measured in the recording, from the last audible sample of the question to the first
audible sample of the reply. One object of JSON on standard output; progress on standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from atonce.agent import rehearsal_report, talk_script
from atonce.agent.events import LoopMeasured
from atonce.agent.rehearsal import Rehearsal, rehearse, settings_of
from atonce.agent.talk_record import plain
from atonce.agent.talk_turns import TalkTurn
from atonce.agent.timeline import at
from atonce.config import processor
from atonce.config.errors import AtonceError

QUESTIONS = (
    "How much is a ticket for an adult?",
    "When do you open in the morning?",
    "Are you open on Tuesday?",
    "Until when are you open on Friday?",
    "What do visitors over sixty five pay?",
    "Do children have to pay?",
    "Where is the great loom?",
    "When is the loom shown at work?",
    "Where is the pottery workshop?",
    "What does a place in the workshop cost?",
    "What is the special exhibition called?",
    "Until when does the special exhibition run?",
    "Do I pay extra for the special exhibition?",
    "Where does the guided tour start?",
    "When does the guided tour start?",
    "How long does the tour take?",
    "How much is the guided tour?",
    "Is there somewhere to eat?",
    "On which floor is the cafe?",
    "When does the cafe close?",
    "Where can I leave my bag?",
    "Do I need a coin for the locker?",
    "May I take photographs here?",
    "Can I use a flash?",
    "Is there a lift to the upper floor?",
    "Can I borrow a wheelchair?",
    "Where can I park my car?",
    "What does parking cost?",
    "How far is the car park?",
    "Which bus stops here?",
    "Can I bring my dog with me?",
    "Are assistance dogs allowed?",
    "Do I have to book the workshop?",
    "Where do I book the pottery workshop?",
    "Is it cheaper for my grandmother?",
    "Is the museum open on Sunday?",
    "What time do you close today?",
    "Is the exhibition free with my ticket?",
    "Do I get the coin back?",
    "Where do I find the lockers?",
    "Which room is the loom in?",
    "Can you tell me the price for two adults?",
    "What can I see in room six?",
    "Is there a workshop for pottery?",
)
"""About the museum that comes as the default; the facts answer most of them."""
BACKCHANNELS = ("Okay.", "Yeah.", "Right.", "I see.", "Uh-huh.", "Sure.", "Great.", "All right.")
LONG = "Where is the pottery workshop and what does a place cost?"
"""Its answer takes some seven seconds: there is time to say something meanwhile."""
STAGES = (
    ("transcript_final", "hearing"),
    ("prompt_read", "reading"),
    ("reply_checked", "writing"),
    ("first_chunk", "speaking"),
    ("first_audio", "waiting"),
)
"""Where the time goes, in its order: until this mark, in this stage. Waiting: a reply that is ready
is held until the person has surely finished."""
WARM_UP = 1
"""Turns that do not count: the first call of every engine is slow."""


def main() -> int:
    """Measure both talks; the exit code."""
    arguments = _arguments()

    try:
        asked = _talk(_questions(arguments.questions), "questions", arguments)
        interrupted = _talk(_backchannels(arguments.backchannels), "backchannels", arguments)
    except AtonceError as error:
        print(f"bench_talk: {error}", file=sys.stderr)
        return error.exit_code

    found = {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": processor.cores(),
            "load": round(os.getloadavg()[0], 1),
        },
        **_first_audio(asked.turns[WARM_UP:]),
        "lag_p99_ms": _lag_ms(asked, interrupted),
        "backchannels": _interruptions(interrupted),
    }
    print(json.dumps(found, indent=1))

    if arguments.picture is not None:
        draw(found["stages_ms"], found["first_audio_ms"], arguments.picture)

    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure talks in real time.")
    parser.add_argument("--questions", type=int, default=len(QUESTIONS), metavar="N")
    parser.add_argument("--backchannels", type=int, default=len(BACKCHANNELS), metavar="N")
    parser.add_argument("--picture", type=Path, metavar="FILE.svg", help="the stages as a picture")
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep sound, events and turns")
    parser.add_argument("--config", type=Path, metavar="FILE")
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    return parser.parse_args()


# ---- the talks ----


def _questions(count: int) -> Iterator[dict[str, object]]:
    yield {"say": "Good morning, are you there?", "at_s": 2.0}

    for question in QUESTIONS[:count]:
        yield {"say": question, "after": "agent_ends", "wait_s": 1.2}


def _backchannels(count: int) -> Iterator[dict[str, object]]:
    for number in range(count):
        place: dict[str, object] = {"after": "agent_ends", "wait_s": 1.2}
        yield {"say": LONG, **(place if number else {"at_s": 2.0})}
        said = BACKCHANNELS[number % len(BACKCHANNELS)]
        yield {"say": said, "after": "agent_begins", "wait_s": 1.5 + 0.3 * (number % 5)}


def _talk(
    lines: Iterator[dict[str, object]], name: str, arguments: argparse.Namespace
) -> Rehearsal:
    """Have it, in real time."""
    told = {
        "about": name,
        "engines": "real",
        "clock": "real",
        "at_most_s": 3600,
        "quiet_s": 4,
        "room": {"rate_hz": 24_000, "noise": "white", "noise_db": -55},
        "settings": {"turn": {"silence_prompt_s": 0}},
        "caller": list(lines),
    }
    print(f"{name}: {len(told['caller'])} lines", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / f"{name}.yaml"
        script.write_text(yaml.safe_dump(told, sort_keys=False), encoding="utf-8")
        talk = talk_script.read(script)

    loaded = settings_of(talk, arguments.config, tuple(arguments.overrides))
    done = rehearse(talk, loaded, say=lambda text: print(text, file=sys.stderr))

    for sentence in done.unmet:
        print(f"{name}: {sentence}", file=sys.stderr)

    if arguments.out is not None:
        rehearsal_report.write(done, arguments.out / name)

    return done


# ---- the figures ----


def _first_audio(turns: Sequence[TalkTurn]) -> dict[str, Any]:
    heard = [turn for turn in turns if turn.first_audio_ms is not None]
    times = sorted(turn.first_audio_ms or 0 for turn in heard)
    return {
        "questions": len(turns),
        "answered": len(heard),
        "first_audio_ms": {
            "median": round(median(times)),
            "p95": at(times, 0.95),
            "max": times[-1],
        },
        "stages_ms": stages([turn.marks_s for turn in heard]),
        "sources": dict(Counter(turn.source for turn in heard if turn.reply)),
        "planned_steps": dict(Counter(turn.planned_steps for turn in heard)),
        "endpointed_ms": round(
            1000 * median(turn.marks_s.get("endpointed", 0.0) for turn in heard)
        ),
    }


def stages(marks_s: Sequence[Mapping[str, float]]) -> dict[str, int]:
    """The mean of every stage, ms: together they are the mean first audio. A mark that a turn does
    not have (nothing was written) takes no time."""
    sums_s = {stage: 0.0 for _, stage in STAGES}

    for marks in marks_s:
        before = 0.0

        for mark, stage in STAGES:
            now = max(before, marks.get(mark, before))
            sums_s[stage] += now - before
            before = now

    return {stage: round(1000 * took / max(1, len(marks_s))) for stage, took in sums_s.items()}


def _lag_ms(*talks: Rehearsal) -> float | None:
    """The worst ten seconds' p99."""
    lags = [
        event.lag_p99_ms
        for talk in talks
        for event in talk.recording.events
        if isinstance(event, LoopMeasured)
    ]
    return round(max(lags), 1) if lags else None


def _interruptions(done: Rehearsal) -> dict[str, object]:
    """Whom it happened to: a reply that was cut, and words that were answered as a question."""
    said = [line for line in done.recording.lines if line.number % 2 == 0]
    cut_s = [turn.ended.at_s for turn in done.turns if turn.ended and turn.is_cut]
    cutting = [
        done.talk.caller[line.number - 1].say
        for line in said
        if any(line.begin_s <= at_s <= line.end_s + 0.5 for at_s in cut_s)
    ]
    answered = [turn.question for turn in done.turns if not _is_same(turn.question, LONG)]
    return {"said": len(said), "cut_by": cutting, "answered": answered}


def _is_same(one: str, other: str) -> bool:
    """A transcriber writes one word of a long question otherwise now and then."""
    return len(set(plain(one).split()) & set(plain(other).split())) > 4


# ---- the picture ----


def draw(stages_ms: Mapping[str, int], first_audio_ms: Mapping[str, int], picture: Path) -> None:
    """One bar: what each stage contributes to the mean first audio."""
    import matplotlib as mpl

    mpl.use("agg")
    mpl.rcParams["svg.hashsalt"] = "atonce"  # the same figures give the same file
    mpl.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 1.9), layout="constrained")
    inks = ("#fdae6b", "#9ecae1", "#3182bd", "#756bb1", "#bdbdbd")
    begin = 0

    for ink, (stage, took_ms) in zip(inks, stages_ms.items(), strict=True):
        axes.barh(0, took_ms, left=begin, color=ink, label=f"{stage} {took_ms} ms")
        begin += took_ms

    axes.axvline(first_audio_ms["median"], color="0.2", linestyle="--", linewidth=1)
    axes.text(first_audio_ms["median"], 0.45, " median", fontsize=8)
    axes.set(yticks=[], xlabel="ms since the last word", xlim=(0, None))
    axes.legend(ncols=5, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.45), frameon=False)
    figure.savefig(picture)
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
