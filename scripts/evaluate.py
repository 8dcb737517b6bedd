"""Score writers on packs that nobody trains on, through the run-time path.

usage: scripts/evaluate [--packs DIR] [--steps K ...] [--engine NAME] [--quick] [--json]
                        [--card] [--picture FILE] [--replies] [--ranker-only]

Every turn is told all facts of its place; the list of facts that it rests on is used for scoring
alone. What was written is kept in the cache: a run that is stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import card
import score_table
from score_table import Entry

from atonce.agent.pipeline import rules_of
from atonce.agent.trial import Trial, Way, settling
from atonce.agent.trial_log import TrialLog, state_name
from atonce.agent.worker import Worker
from atonce.config import models, registry
from atonce.config.errors import AtonceError
from atonce.config.load import defaults
from atonce.config.schema import Settings
from atonce.llm.corpus import Example, load_packs
from atonce.llm.denoiser import SHIPPED_WRITER, EmbeddedWriter
from atonce.llm.evaluation import (
    Written,
    best_fact,
    draw_heard,
    draw_turns,
    found_within,
    honest,
    ranks_by_words,
    ranks_of,
)
from atonce.llm.finder import Finder
from atonce.llm.protocols import Writer

ROOT = Path(__file__).resolve().parents[1]
DEV = ROOT / "corpus" / "dev"
ALL_STEPS = (1, 2, 4, 6, 8, 12, 16, 32)
QUICK_STEPS = (1, 2, 4, 8, 32)
TURNS, QUICK_TURNS = 1000, 240
# The rivals write token by token, ten times as slowly: they get every fifth turn.
RIVAL_TURNS, QUICK_RIVAL_TURNS = 200, 80
# Other canvases are for `atonce tune` alone: how much a shorter one costs.
CANVASES, CANVAS_STEPS = (16, 24, 32, 48), (1, 2, 4, 8, 16)
CANVAS_TURNS, QUICK_CANVAS_TURNS = 120, 80
# Replies that were begun after half of the question are written one by one.
EARLY_TURNS, QUICK_EARLY_TURNS = 120, 40
QUICK_HEARD = 60
T = TypeVar("T")
RIVALS = {"reader": "AR zero-shot (reader)", "twin": "AR fine-tuned (twin)"}


def main() -> int:
    """Write what is missing, and print the table."""
    args = arguments()
    try:
        return asyncio.run(evaluate(args))
    except AtonceError as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("evaluate: stopped; the same command goes on", file=sys.stderr)
        return 130


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--packs", type=Path, default=DEV, metavar="DIR", help="scenario packs (corpus/dev)")
    add("--turns", type=int, metavar="N", help=f"{TURNS}; with --quick {QUICK_TURNS}")
    add("--steps", type=int, nargs="+", metavar="K", help=f"{ALL_STEPS}; --quick {QUICK_STEPS}")
    add("--engine", metavar="NAME", help="only this writer; default: embedded and its rivals")
    add("--writer", type=Path, default=SHIPPED_WRITER, metavar="FILE", help="another tower")
    add("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    add("--quick", action="store_true", help="fewer turns and rows: ten minutes instead of an hour")
    add("--replies", action="store_true", help="print what is wrong in the main row")
    add("--ranker-only", action="store_true", help="only: are the right facts ranked first?")
    add("--card", action="store_true", help="write the scores into llm/embedded")
    add("--picture", type=Path, metavar="FILE", help="draw quality against K and time (.svg, .png)")
    add("--json", action="store_true", help="one line, the last: shares from 0 to 1")
    args = parser.parse_args()
    args.turns = args.turns or (QUICK_TURNS if args.quick else TURNS)
    args.steps = sorted(set(args.steps or (QUICK_STEPS if args.quick else ALL_STEPS)))
    return args


async def evaluate(args: argparse.Namespace) -> int:
    """The whole run."""
    settings = defaults(args.overrides).settings
    examples = draw_turns(load_packs(args.packs), args.turns)
    if args.ranker_only:
        show_rankers(examples)
        return 0

    scores = Scores([], [ranks_by_words(one) for one in examples], {})
    for engine in [args.engine] if args.engine else ["embedded", *RIVALS]:
        try:
            writer = make(engine, settings, args.writer)
        except AtonceError as error:
            if args.engine:
                raise

            print(f"evaluate: {RIVALS.get(engine, engine)} is left out: {error}", file=sys.stderr)
        else:
            await add_engine(scores, engine, writer, examples, settings, args)

    told = [best_fact(one, ranks) for one, ranks in zip(examples, scores.ranks, strict=True)]
    fixed = [
        Entry("best fact, read out always", told, is_fixed=True),
        Entry("honest sentence, always", [honest(one) for one in examples], is_fixed=True),
    ]
    report(args, settings, scores, fixed)
    return 0


@dataclass
class Scores:
    """What was written so far."""

    entries: list[Entry]
    """Rows of the table."""
    ranks: Sequence[Sequence[int]]
    """For every turn the ranks of all facts, as the denoiser was told; else by words."""
    by_canvas: dict[int, list[Entry]]
    """Rows of other canvases."""


async def add_engine(
    scores: Scores,
    engine: str,
    writer: Writer,
    examples: Sequence[Example],
    settings: Settings,
    args: argparse.Namespace,
) -> None:
    """Write every turn with one engine."""
    is_rival, llm = engine in RIVALS, settings.llm
    canvas = min(llm.canvas, writer.max_canvas)
    steps = [llm.steps] if is_rival else args.steps
    wanted = QUICK_RIVAL_TURNS if args.quick else RIVAL_TURNS
    turns = thinned(examples, wanted) if is_rival else examples
    ways = ways_of(settings, steps, canvas)
    trial, rows = await write(engine, writer, settings, turns, ways, args.writer)
    scores.entries += rows
    if is_rival:
        return

    scores.ranks = [trial.log.ranks(one.prompt) for one in turns]
    scores.by_canvas[canvas] = rows
    scores.entries += await asked_otherwise(trial, turns, rows, settings, args)
    if args.card:
        few = thinned(examples, QUICK_CANVAS_TURNS if args.quick else CANVAS_TURNS)
        ways = [
            way
            for other in CANVASES
            if other != canvas
            for way in ways_of(settings, CANVAS_STEPS, other)
            if way.is_checked
        ]
        _, rows = await write(engine, writer, settings, few, ways, args.writer)
        for way, row in zip(ways, rows, strict=True):
            scores.by_canvas.setdefault(way.plan.canvas, []).append(row)


async def asked_otherwise(
    trial: Trial,
    turns: Sequence[Example],
    rows: Sequence[Entry],
    settings: Settings,
    args: argparse.Namespace,
) -> list[Entry]:
    """Questions as Whisper wrote them, and replies that were begun after half of the question."""
    main = main_row(rows, settings)
    way = next(way for way in ways_of(settings, [main.steps or 1], settings.llm.canvas))
    pairs = draw_heard(load_packs(args.packs))
    pairs = list(thinned(pairs, QUICK_HEARD)) if args.quick else pairs
    found: list[Entry] = []
    if pairs:
        written, heard = ([pair[which] for pair in pairs] for which in (0, 1))
        await trial.run([*written, *heard], [way], progress("heard", 2 * len(pairs)))
        base = aside(f"{main.name}, asked as written", trial.scored(written, way))
        found = [base, aside(f"{main.name}, asked as heard", trial.scored(heard, way), base)]

    few = thinned(turns, QUICK_EARLY_TURNS if args.quick else EARLY_TURNS)
    early = replace(way, is_early=True)
    await trial.run_early(few, early, progress("early", len(few)))
    at_once = aside(f"{main.name}, the same turns at once", trial.scored(few, way))
    begun = trial.scored(few, early)
    return [*found, aside(f"{main.name}, begun after half the question", begun, at_once)]


def aside(name: str, written: Sequence[Written], twin: Entry | None = None) -> Entry:
    """A row beside the table."""
    return Entry(name, written, is_checked=True, is_aside=True, twin=twin)


def make(engine: str, settings: Settings, writer: Path) -> Writer:
    """The engine, loaded."""
    llm = settings.llm.model_copy(update={"engine": engine})
    models.ensure(registry.models("llm", llm), lambda text: print(text, file=sys.stderr))
    if engine == "embedded" and writer != SHIPPED_WRITER:
        return EmbeddedWriter.from_settings(llm, writer)

    made: Writer = registry.find("llm", engine).from_settings(llm)
    return made


def thinned(examples: Sequence[T], wanted: int) -> Sequence[T]:
    """About as many turns, evenly."""
    return examples[:: max(1, round(len(examples) / wanted))]


async def write(
    engine: str,
    writer: Writer,
    settings: Settings,
    turns: Sequence[Example],
    ways: Sequence[Way],
    weights: Path,
) -> tuple[Trial, list[Entry]]:
    """All rows of one engine."""
    log = TrialLog(log_path(engine, weights, settings))
    # A rival that writes from left to right cannot mend the middle of a reply.
    rules = rules_of(settings)
    rules = replace(rules, repairs=rules.repairs if engine not in RIVALS else 0)
    has_twin = settings.llm.twin and engine not in RIVALS
    twin = make("twin", settings, weights) if has_twin else None
    trial = Trial(writer, Worker("writing"), rules, log, twin)
    await trial.run(turns, ways, progress(engine, len(turns)))
    return trial, [
        Entry(
            row_name(engine, way),
            trial.scored(turns, way),
            None if engine in RIVALS else way.plan.steps,
            way.is_checked,
        )
        for way in ways
    ]


def ways_of(settings: Settings, steps: Sequence[int], canvas: int) -> list[Way]:
    """Every K, with the check and without."""
    plans = [replace(rules_of(settings).plan, steps=k, canvas=canvas) for k in steps]
    return [Way(plan, is_checked) for is_checked in (True, False) for plan in plans]


def log_path(engine: str, writer: Path, settings: Settings) -> Path:
    """Where the replies of this engine, with these weights, settings and this code, are kept."""
    weights = sorted(SHIPPED_WRITER.parent.glob("*.safetensors"))
    weights += [] if writer == SHIPPED_WRITER else [writer]
    state = state_name(weights, settling(settings))
    return models.cache_folder() / "evaluation" / f"{engine}-{state}.jsonl"


def row_name(engine: str, way: Way) -> str:
    """For a person."""
    base = RIVALS.get(engine, f"K={way.plan.steps}")
    return base if way.is_checked else f"{base}, as drafted"


def progress(engine: str, turns: int) -> Callable[[int], None]:
    """A line on standard error every ten seconds, with the time left."""
    begun = shown = time.monotonic()
    first: int | None = None

    def tell(done: int) -> None:
        nonlocal shown, first
        first = done if first is None else first
        now = time.monotonic()
        if now - shown > 10 or done == turns:
            left = (now - begun) / max(1, done - first) * (turns - done)
            print(
                f"{engine}: {done} of {turns} turns, {left:.0f} s left", file=sys.stderr, flush=True
            )
            shown = now

    return tell


def show_rankers(examples: Sequence[Example]) -> None:
    """Are the right facts ranked first? By words alone, and as the embedded writer is told."""
    by_words = [ranks_by_words(one) for one in examples]
    print(found_line(facts_found(examples, by_words), "by words alone"))
    finder = Finder.load(models.folder("minilm"))
    told = []
    for place, one in enumerate(examples, 1):
        prompt = one.prompt
        scores = finder.find(prompt.question, prompt.facts, prompt.history).scores
        told.append(ranks_of(scores))
        if place % 50 == 0:
            print(f"{place} of {len(examples)} turns", file=sys.stderr, flush=True)

    print(found_line(facts_found(examples, told), "as the writer is told"))


def facts_found(examples: Sequence[Example], ranks: Sequence[Sequence[int]]) -> list[float]:
    """Share of grounded turns whose facts are all among the first 1, 2, 3."""
    return [found_within(examples, ranks, most) for most in (1, 2, 3)]


def found_line(found: Sequence[float], how: str) -> str:
    """For a person."""
    shares = " / ".join(f"{100 * part:.1f}" for part in found)
    return f"all facts that answer are among the first 1 / 2 / 3 ({how}): {shares} %"


def main_row(entries: Sequence[Entry], settings: Settings) -> Entry:
    """The row that counts: what is in the settings, else the last K, with the check."""
    checked = [entry for entry in entries if entry.is_checked]
    chosen = [entry for entry in checked if entry.steps == settings.llm.steps]
    ours = [entry for entry in checked if entry.steps is not None]
    return (chosen or ours[-1:] or checked)[0]


def report(
    args: argparse.Namespace, settings: Settings, scores: Scores, fixed: Sequence[Entry]
) -> None:
    """Everything that is printed and drawn."""
    main_entry = main_row(scores.entries, settings)
    rows = [*scores.entries, *fixed]
    if args.replies:
        print_wrong(main_entry)

    print(score_table.summary(main_entry.written))
    print(f"canvas {settings.llm.canvas}, rule {settings.llm.rule}")
    print("\n".join(score_table.text_table(rows)))
    print("\n".join(score_table.comparisons(main_entry, card.rivals(main_entry, rows))))
    print("\n".join(score_table.asides(rows)))
    found = facts_found([one.example for one in fixed[0].written], scores.ranks)
    print(found_line(found, "as the writer was told"))
    print("\n".join(score_table.kinds_table(main_entry)))
    if args.picture:
        from score_picture import draw

        ours = [entry for entry in scores.entries if entry.steps is not None]
        rivals = [
            entry
            for entry in scores.entries
            if entry.steps is None and entry.is_checked and not entry.is_aside
        ]
        draw(args.picture, ours, [*rivals, fixed[0]])

    if args.card:
        command = f"scripts/evaluate{' --quick' if args.quick else ''}"
        card.write_card(main_entry, rows, found, settings.llm, command)
        card.write_quality(scores.by_canvas, settings.llm)

    if args.json:
        print(json.dumps(score_table.as_json(main_entry, rows, found)))


def print_wrong(entry: Entry) -> None:
    """What is wrong, or was not its own."""
    for one in entry.written:
        if not (one.verdict.is_right and one.is_own):
            print(f"{one.verdict.kind} {one.example.key}, {one.source}")
            print(f"  > {one.example.prompt.question}\n  < {one.reply}")


if __name__ == "__main__":
    sys.exit(main())
