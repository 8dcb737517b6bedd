"""`atonce tune`: how many denoising steps this machine and this writer need, and how fast it is.

Rule 1. Quality by K does not depend on the machine: for the shipped writer it was measured when
        the writer was (llm/embedded/quality.json). Another writer is measured on packs (--packs).
Rule 2. What a step costs and when the first sound comes is measured here, now.
Rule 3. What was measured is kept at once: the same command goes on where it was stopped.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from atonce.agent.events import ChunkSpoken, Event
from atonce.agent.knowledge import build_prompt
from atonce.agent.step_choice import choose, first_audio_ms, middle, nine_tenths
from atonce.config import models
from atonce.config.errors import AtonceError, EngineError, UsageError
from atonce.config.load import load, tuned_file
from atonce.config.tuned import STEPS as STEP_SETTINGS
from atonce.config.tuned import CanvasRow, Tuned, write

if TYPE_CHECKING:
    from atonce.agent.engines import Engines
    from atonce.config.schema import Settings

EMBEDDED = Path(__file__).resolve().parents[1] / "llm" / "embedded"
CANVASES = (16, 24, 32, 48)
"""Measured beside the canvas of the settings."""
STEPS = (1, 2, 4, 6, 8, 12, 16)
"""K that are tried on packs."""
QUESTIONS = (
    "When do you open?",
    "How much is it for an adult?",
    "Where can I park my car?",
    "Is there somewhere to eat?",
    "Can I bring my dog with me?",
    "What is there to see for children?",
    "Do I have to book in advance?",
    "How long does the tour take?",
    "Who can I ask for help?",
    "Until when are you open on Friday?",
    "Can I pay by card?",
    "Is there a lift to the upper floor?",
    "May I take photographs here?",
    "Which bus goes to the station?",
    "What can I do when it rains?",
    "Where can I leave my bag?",
    "Is it cheaper for my grandmother?",
    "What happens on Sunday morning?",
    "Hello, can you help me, please?",
    "How do I get to the toilets?",
)
WARM_UP = "Good morning."
"""Asked first, and not counted: the first call of every engine is slow."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured."""

    rounds: int
    """Replies that are timed for every canvas."""
    questions: int
    """Spoken questions."""
    turns: int
    """Turns of packs."""


WHOLE, QUICK = Effort(12, len(QUESTIONS), 240), Effort(3, 6, 60)


@dataclass(slots=True)
class Kept:
    """What was measured so far, one JSON line each."""

    path: Path
    """The file; it goes when the tuned file stands."""
    found: dict[str, list[float]] = field(default_factory=dict)
    """Name of a measurement → what it gave."""

    def __post_init__(self) -> None:
        lines = self.path.read_text("utf-8").splitlines() if self.path.exists() else []
        for line in lines:
            try:
                name, values = json.loads(line)
                self.found[str(name)] = [float(value) for value in values]
            except (ValueError, TypeError):  # the line that a kill cut off
                continue

    def add(self, name: str, values: Sequence[float]) -> None:
        """One more measurement."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps([name, list(values)]) + "\n")

        self.found[name] = list(values)

    def of(self, kind: str) -> list[float]:
        """All values whose names begin so."""
        return [v for name, values in self.found.items() if name.startswith(kind) for v in values]


def run(
    config: Path | None, overrides: Sequence[str], *, packs: Path | None, is_quick: bool
) -> int:
    """Measure, choose, and write the tuned file."""
    busy = how_busy()
    settings = load(config, overrides, with_tuned=False).settings
    tuned = asyncio.run(_tune(settings, packs, QUICK if is_quick else WHOLE))
    write(tuned_file(), tuned)
    sys.stdout.write("\n".join([*report(tuned), *busy, f"written to {tuned_file()}"]) + "\n")
    return 0


async def _tune(settings: Settings, packs: Path | None, effort: Effort) -> Tuned:
    from atonce.agent import engines

    shipped = None if packs else shipped_quality(settings, EMBEDDED)
    engines.ensure_models(settings, say=say)
    say("loading the engines")
    loaded = await engines.load(settings)
    kept = Kept(models.cache_folder() / "tuning" / f"{state(settings, effort)}.jsonl")
    canvases = canvases_for(settings, loaded)
    measured = await _quality(settings, loaded, canvases, packs, effort) if packs else {}
    quality = measured or {canvas: nearest(shipped or {}, canvas) for canvas in canvases}
    await _step_costs(settings, loaded, canvases, kept, effort)
    by_canvas = {canvas: row(quality[canvas], kept.of(f"step {canvas} ")) for canvas in canvases}
    chosen = {name: getattr(by_canvas[settings.llm.canvas], name) for name in STEP_SETTINGS}
    llm = settings.llm.model_copy(update=chosen)
    await _first_audio(settings.model_copy(update={"llm": llm}), loaded, kept, effort)
    reached = kept.of("first audio ")
    kept.path.unlink(missing_ok=True)
    return Tuned(
        engine=settings.llm.engine,
        writer=weights_name(settings),
        machine=machine(),
        canvas=settings.llm.canvas,
        by_canvas=by_canvas,
        reached_ms=reached,
        first_audio_ms=first_audio_ms(reached),
    )


def say(text: str) -> None:
    """Progress, on standard error."""
    sys.stderr.write(f"tune: {text}\n")
    sys.stderr.flush()


# --- quality by K -----------------------------------------------------------------------------


def shipped_quality(settings: Settings, folder: Path) -> dict[int, dict[int, float]]:
    """Canvas → K → grounded turns right, as it was measured with the writer; UsageError: it was
    measured with another one, or with another commit rule."""
    table = folder / "quality.json"
    if settings.llm.engine == "embedded" and table.exists():
        told = json.loads(table.read_text("utf-8"))
        if (told["weights"], told["rule"]) == (sha256(*decisive(folder)), settings.llm.rule):
            return {
                int(canvas): {int(k): one["grounded"] for k, one in rows.items()}
                for canvas, rows in told["by_canvas"].items()
            }

    raise UsageError(
        f"nothing is known of how well the writer {settings.llm.engine} answers with few steps "
        f"(rule {settings.llm.rule}): "
        "name a folder of scenario packs to try it on (atonce tune --packs DIR; their format: "
        "corpus/FORMAT.md)"
    )


def nearest(table: Mapping[int, dict[int, float]], canvas: int) -> dict[int, float]:
    """Of the smallest canvas that holds this one, else of the largest."""
    return table[min((c for c in table if c >= canvas), default=max(table))]


async def _quality(
    settings: Settings, loaded: Engines, canvases: Sequence[int], packs: Path, effort: Effort
) -> dict[int, dict[int, float]]:
    """The same, measured here; what was written before is taken over."""
    from atonce.agent.pipeline import rules_of
    from atonce.agent.trial import Trial, Way, settling
    from atonce.agent.trial_log import TrialLog, state_name
    from atonce.llm.corpus import load_packs
    from atonce.llm.evaluation import draw_turns, shares

    rules = rules_of(settings)
    examples = draw_turns(load_packs(packs), effort.turns)
    ways = {
        canvas: [Way(replace(rules.plan, steps=k, canvas=canvas), is_checked=True) for k in STEPS]
        for canvas in canvases
    }
    every = [way for of_canvas in ways.values() for way in of_canvas]
    name = f"tune-{state_name(weights(settings), settings.llm.engine, settling(settings))}.jsonl"
    log = TrialLog(models.cache_folder() / "evaluation" / name)
    trial = Trial(loaded.writer, loaded.writing, rules, log, loaded.twin)
    await trial.run(examples, every, lambda done: say(f"{done} of {len(examples)} turns written"))
    return {
        canvas: {way.plan.steps: shares(trial.scored(examples, way)).grounded for way in of_canvas}
        for canvas, of_canvas in ways.items()
    }


# --- what this machine takes ------------------------------------------------------------------


async def _step_costs(
    settings: Settings, loaded: Engines, canvases: Sequence[int], kept: Kept, effort: Effort
) -> None:
    """Times of denoising steps, one canvas after the other in every round."""
    from atonce.llm.protocols import Plan

    writer, agent = loaded.writer, settings.agent

    def steps(canvas: int, question: str) -> list[float]:
        cache = writer.read(build_prompt(agent.role, agent.facts, question))
        return list(times_ms(writer.write(cache, Plan(8, canvas, settings.llm.rule))))

    await loaded.writing.run(lambda: steps(canvases[0], WARM_UP))
    for number in range(effort.rounds):
        say(f"denoising steps: round {number + 1} of {effort.rounds}")
        for canvas in canvases:
            name, question = f"step {canvas} {number}", QUESTIONS[number % len(QUESTIONS)]
            if name not in kept.found:
                took = await loaded.writing.run(lambda c=canvas, q=question: steps(c, q))  # type: ignore[misc]
                kept.add(name, took)


def times_ms(items: Iterator[object]) -> Iterator[float]:
    """How long each item took to come."""
    begun = time.perf_counter()
    for _ in items:
        yield (time.perf_counter() - begun) * 1000
        begun = time.perf_counter()


async def _first_audio(settings: Settings, loaded: Engines, kept: Kept, effort: Effort) -> None:
    """Times from the last word of a spoken question to the first sound of its reply."""
    from atonce.agent import pipeline
    from atonce.speech.audio_file import join

    wanted = [WARM_UP, *QUESTIONS[: effort.questions]]
    if all(f"first audio {number}" in kept.found for number in range(1, len(wanted))):
        return

    for number, question in enumerate(wanted):
        if f"first audio {number}" in kept.found:
            continue

        say(f"first audio: question {number} of {effort.questions}")
        sound = await loaded.speaking.run(
            lambda q=question: join(list(loaded.synthesizer.synthesize(q)))  # type: ignore[misc]
        )
        begun = time.perf_counter()
        heard: list[float] = []

        def emit(event: Event, begun: float = begun, heard: list[float] = heard) -> None:
            if isinstance(event, ChunkSpoken) and not heard:
                heard.append((time.perf_counter() - begun) * 1000)

        await pipeline.answer(sound, settings, loaded, emit=emit)
        if number and heard:
            # Before a question is handed over, a silence tells that it has ended.
            kept.add(f"first audio {number}", [heard[0] + settings.endpoint.complete_ms])

    if not kept.of("first audio "):
        raise EngineError(
            "no spoken question was answered aloud, so no time to first audio can be given: try "
            "`atonce ask` with these settings"
        )


# --- names and the report ---------------------------------------------------------------------


def canvases_for(settings: Settings, loaded: Engines) -> list[int]:
    """What is measured, from small to large."""
    most = loaded.writer.max_canvas
    return sorted({settings.llm.canvas, *(canvas for canvas in CANVASES if canvas <= most)})


def row(quality: Mapping[int, float], steps_ms: Sequence[float]) -> CanvasRow:
    """What was found for one canvas."""
    try:
        choice = choose(quality)
    except ValueError:
        raise AtonceError(
            "this writer answered no turn right at any number of steps: nothing can be chosen"
        ) from None

    return CanvasRow(
        choice.steps,
        choice.min_steps,
        choice.max_steps,
        middle(steps_ms),
        nine_tenths(steps_ms),
        {k: 100 * right for k, right in quality.items()},
    )


def decisive(folder: Path) -> list[Path]:
    """The weights that decide what the embedded writer says."""
    names = ("writer.safetensors", "finder.safetensors", "gaze.safetensors")
    return [folder / name for name in names if (folder / name).exists()]


def weights(settings: Settings) -> list[Path]:
    """The files of weights that come with atonce, where the engine is made of them."""
    is_ours = settings.llm.engine in ("embedded", "reader", "twin")
    return sorted(EMBEDDED.glob("*.safetensors")) if is_ours else []


def weights_name(settings: Settings) -> str:
    """The first letters of their sha256."""
    return sha256(*weights(settings))[:16] if weights(settings) else ""


def sha256(*paths: Path) -> str:
    """Of all files together."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())

    return digest.hexdigest()


def machine() -> str:
    """For a person to tell machines apart."""
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"


def how_busy() -> list[str]:
    """A line where something else works on this machine; empty where nothing does, or nobody
    knows."""
    load, cores = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0, os.cpu_count() or 1
    told = f"something else was working on this machine (load {load:.1f} on {cores} cores): "
    todo = "these times are too long; run `atonce tune` again when it is quiet"
    return [told + todo] if load > cores / 2 else []


def state(settings: Settings, effort: Effort) -> str:
    """Of what is measured: other settings or another machine begin anew."""
    parts = (settings.model_dump_json(), repr(effort), machine(), weights_name(settings))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def report(tuned: Tuned) -> Iterator[str]:
    """What was found, as a table."""
    ks = sorted({k for found in tuned.by_canvas.values() for k in found.quality})
    yield f"writer {tuned.engine}, {tuned.machine}; grounded turns right by K, percent"
    yield "canvas  step ms   p90" + "".join(f"{f'K={k}':>7}" for k in ks) + "   min steps  max"
    for canvas, found in tuned.by_canvas.items():
        right = "".join(f"{found.quality[k]:7.1f}" if k in found.quality else "      –" for k in ks)
        chosen = f"{found.min_steps:6}{found.steps:6}{found.max_steps:5}"
        times = f"{found.step_ms:9.1f}{found.step_p90_ms:6.0f}"
        yield f"{canvas:6}{times}{right}{chosen}{'  <' if canvas == tuned.canvas else ''}"

    reached = tuned.reached_ms
    yield (
        f"first audio: median {middle(reached):.0f} ms, p90 {nine_tenths(reached):.0f} ms of "
        f"{len(reached)} questions; watchdog.first_audio_ms {tuned.first_audio_ms}"
    )
