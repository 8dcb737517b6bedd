"""Measure the watchdog beside fixed K: real engines, spoken questions, a process that takes a core.

usage: scripts/bench_watchdog [--turns N] [--idle N] [--block N] [--budget-ms MS] [--json FILE]
                              [--again] [--set KEY=VALUE …]

First turns on an idle machine: their first audio gives the budget (a fifth above nine of ten, as
`atonce tune` has it), unless --budget-ms names one. Then a competing process takes a whole core,
and blocks with the watchdog and with fixed K take turns, with the same engines, settings and
questions. Then the process ends, and it is counted after how many turns K has its old value.

Every block is kept as soon as it is over: stop it (Ctrl-C) whenever you like, the same command goes
on. A run that is whole, or that other code, weights, settings or options made, is begun anew.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from bench_line import BenchLine, Turn

from atonce.agent import engines
from atonce.agent.pacer import planner_of
from atonce.agent.planning import FixedPlanner, Planner
from atonce.agent.reply_rules import plan_of
from atonce.agent.session import Session
from atonce.agent.step_choice import SHORTEST_MS, first_audio_ms, middle
from atonce.agent.timeline import at
from atonce.agent.trial_log import state_name
from atonce.agent.tune import QUESTIONS, how_busy, machine, weights
from atonce.config import models
from atonce.config.errors import AtonceError, EngineError
from atonce.config.load import defaults
from atonce.config.schema import Settings
from atonce.speech.audio_file import join
from atonce.speech.protocols import Audio

BUSY = "import os, sys\nwhile str(os.getppid()) == sys.argv[1]: sum(range(10_000))"
WARM_UP = 3
"""Turns that do not count: the first call of every engine is slow."""
AFTER = 6
"""Turns after the load."""
WAYS = {
    "idle fixed": "idle, fixed K",
    "idle watched": "idle, watchdog",
    "fixed": "a core taken, fixed K",
    "watched": "a core taken, watchdog",
    "after": "after the load, watchdog",
}
PAUSE_S = 0.4
"""Silence between a reply that was cut and the next question."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What all blocks share."""

    settings: Settings
    """With the budget."""
    loaded: engines.Engines
    """Real ones."""
    sounds: Sequence[tuple[str, Audio]]
    """Questions, spoken by the agent's own voice."""
    kept: Kept
    """Where turns are written down."""

    async def blocks(self, way: str, planner: Planner, count: int, size: int) -> None:
        """So many questions of one way, as far as they were not asked before."""
        for first in range(0, count, size):
            await self.one(f"{way} {first}", planner, first, min(size, count - first))

    async def one(self, name: str, planner: Planner, first: int, count: int) -> None:
        """One block, if it was not done before."""
        if name in self.kept.blocks:
            print(f"{name}: {count} turns, kept from before", flush=True)
            return

        began_s = time.monotonic()
        turns = await self.block(planner, first, count)
        self.kept.add(name, turns)
        heard = [1000 * turn.first_audio_s for turn in turns if turn.first_audio_s is not None]
        half = f"{at(heard, 0.5):.0f} ms" if heard else "nothing heard"
        took_s = time.monotonic() - began_s
        print(f"{name}: {count} turns in {took_s:.0f} s, first audio {half}", flush=True)

    async def block(self, planner: Planner, first: int, count: int) -> list[Turn]:
        """So many questions, one after the other, in one talk."""
        clock = asyncio.get_running_loop().time
        line, turns = BenchLine(clock), list[Turn]()
        session = Session(self.settings, self.loaded, line, clock=clock, planner=planner)
        async with asyncio.TaskGroup() as group:
            group.create_task(session.run())
            for number in range(first, first + count):
                await asyncio.sleep(PAUSE_S)
                turns.append(await line.ask(*self.sounds[number % len(self.sounds)]))
                session.stop()  # the rest of the reply tells nothing
                session.clear()

            session.end()
            line.close()

        return turns


@dataclass(slots=True)
class Kept:
    """Blocks that are over, one JSON line each."""

    path: Path
    """The file; it goes when all blocks stand."""
    blocks: dict[str, list[Turn]] = field(default_factory=dict)
    """Name → turns."""

    def __post_init__(self) -> None:
        lines = self.path.read_text("utf-8").splitlines() if self.path.exists() else []
        for line in lines:
            with suppress(ValueError, TypeError):  # the line that a kill cut off
                name, turns = json.loads(line)
                self.blocks[str(name)] = [Turn(**turn) for turn in turns]

    def add(self, name: str, turns: list[Turn]) -> None:
        """One more block."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps([name, [told(turn) for turn in turns]]) + "\n")

        self.blocks[name] = turns

    def of(self, kind: str) -> list[Turn]:
        """All turns of one way, in order."""
        return [t for name, turns in self.blocks.items() if name.startswith(kind) for t in turns]


KEPT = tuple(one.name for one in fields(Turn) if one.name != "done")


def told(turn: Turn) -> dict[str, object]:
    """A turn, to be written down."""
    return {name: getattr(turn, name) for name in KEPT}


@contextmanager
def a_core_taken() -> Iterator[None]:
    """Another process works all the time; it ends with this one, however that ends."""
    with subprocess.Popen([sys.executable, "-c", BUSY, str(os.getpid())]) as thief:
        try:
            yield
        finally:
            thief.kill()


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/bench_watchdog", description=__doc__)
    parser.add_argument(
        "--turns", type=at_least_one, default=60, help="of each way, under the load"
    )
    parser.add_argument("--idle", type=at_least_one, default=20, help="on the idle machine")
    parser.add_argument("--block", type=at_least_one, default=10, help="turns of one way in a row")
    parser.add_argument("--budget-ms", type=at_least_one, help="instead of what idle turns give")
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every turn")
    parser.add_argument("--again", action="store_true", help="begin anew")
    options = parser.parse_args(arguments)
    try:
        found = asyncio.run(measure(options))
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on", file=sys.stderr)
        return 130
    except AtonceError as error:
        print(f"bench_watchdog: {error}", file=sys.stderr)
        return 1

    if options.json:
        whole = {name: [told(turn) for turn in turns] for name, turns in found.items()}
        options.json.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")

    return 0


def at_least_one(text: str) -> int:
    """For argparse, which words the complaint."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")

    return int(text)


async def measure(options: argparse.Namespace) -> dict[str, list[Turn]]:
    """All blocks."""
    settings = defaults(options.overrides).settings
    for line in how_busy():
        print(line)

    engines.ensure_models(settings, say=print)
    loaded = await engines.load(settings)
    file = kept_file(settings, options)
    if options.again:
        file.unlink(missing_ok=True)

    kept = Kept(file)
    bench = Bench(settings, loaded, await spoken(loaded), kept)
    fixed = FixedPlanner(plan_of(settings.llm))
    await bench.block(fixed, 0, WARM_UP)
    await bench.blocks("idle fixed", fixed, options.idle, options.block)
    budget_ms = options.budget_ms or budget_of(kept.of("idle fixed"))
    ears_ms = later_ms(kept.of("idle fixed"))
    print(f"budget {budget_ms} ms; the ears tell the end of a word {ears_ms} ms late", flush=True)
    held_ms = max(SHORTEST_MS, budget_ms - ears_ms)
    settings = defaults([*options.overrides, f"watchdog.first_audio_ms={held_ms}"]).settings
    bench = replace(bench, settings=settings)
    watched = planner_of(settings, loaded.costs)
    if kept.of("idle watched"):
        await bench.block(watched, 0, WARM_UP)  # it goes on, and has learnt nothing yet

    await bench.blocks("idle watched", watched, options.idle, options.block)
    await under_load(bench, watched, fixed, options)
    await bench.blocks("after", watched, AFTER, AFTER)
    kept.path.unlink(missing_ok=True)
    found = {way: kept.of(way) for way in WAYS}
    print("\n".join(table(found, budget_ms)))
    return found


async def under_load(
    bench: Bench, watched: Planner, fixed: Planner, options: argparse.Namespace
) -> None:
    """Blocks of both ways in turn, while a core is taken."""
    if bench.kept.of("after"):
        return

    with a_core_taken():
        for first in range(0, options.turns, options.block):
            count = min(options.block, options.turns - first)
            for way, planner in (("watched", watched), ("fixed", fixed)):
                await bench.one(f"{way} {first}", planner, first, count)

        # The watchdog comes last, so that it is the one that sees the load end.
        await bench.block(watched, 0, 3)


def kept_file(settings: Settings, options: argparse.Namespace) -> Path:
    """Of this very run."""
    words = (options.turns, options.idle, options.block, options.budget_ms)
    name = state_name(weights(settings), settings.model_dump_json(), machine(), repr(words))
    return models.cache_folder() / "watchdog" / f"{name}.jsonl"


def budget_of(turns: Sequence[Turn]) -> int:
    """Milliseconds."""
    reached = [1000 * turn.first_audio_s for turn in turns if turn.first_audio_s is not None]
    if not reached:
        raise EngineError(
            "no question was answered aloud on the idle machine, so there is no budget: try "
            "`atonce ask` with these settings, or name one with --budget-ms"
        )

    return first_audio_ms(reached)


def later_ms(turns: Sequence[Turn]) -> int:
    """How much later than here, where sound is known to the sample, a session has the end of a
    question: the watchdog is held to so much less, since lateness is counted from here."""
    heard = [turn for turn in turns if turn.first_audio_s is not None and turn.marks_ms]
    late = [1000 * (t.first_audio_s or 0.0) - t.marks_ms["first_audio"] for t in heard]
    return max(0, round(middle(late))) if late else 0


async def spoken(loaded: engines.Engines) -> list[tuple[str, Audio]]:
    """The questions as sound."""
    sounds = []
    for question in QUESTIONS:
        pieces = await loaded.speaking.run(
            lambda q=question: list(loaded.synthesizer.synthesize(q))  # type: ignore[misc]
        )
        sounds.append((question, join(pieces)))

    return sounds


def table(found: dict[str, list[Turn]], budget_ms: int) -> Iterator[str]:
    """All ways, and what the watchdog did."""
    yield "| way | turns | first audio p50 | p95 | late | 95 % | by the denoiser | drafts | K |"
    yield "|---" * 9 + "|"
    for way, turns in found.items():
        yield row(way, turns, budget_ms)

    usual = sorted(turn.planned for turn in found["idle watched"])[len(found["idle watched"]) // 2]
    back = next((n for n, turn in enumerate(found["after"]) if turn.planned >= usual), None)
    yield f"K before the load {usual}; after it: {' '.join(str(t.planned) for t in found['after'])}"
    yield "it did not come back" if back is None else f"its old value after {back} turns"
    for reason, count in Counter(turn.reason for turn in found["watched"]).most_common(12):
        yield f"  {count} × {reason}"


def row(way: str, turns: Sequence[Turn], budget_ms: int) -> str:
    """One way; a question without a reply is late."""
    heard = [1000 * turn.first_audio_s for turn in turns if turn.first_audio_s is not None]
    half, most = (f"{at(heard, share):.0f} ms" if heard else "–" for share in (0.5, 0.95))
    late = sum(t.first_audio_s is None or 1000 * t.first_audio_s > budget_ms for t in turns)
    low, high = wilson(late, len(turns))
    own = sum(turn.source == "denoiser" for turn in turns) / len(turns)
    drafts = sum(turn.is_draft for turn in turns) / len(turns)
    steps = sum(turn.steps for turn in turns) / len(turns)
    cells = (
        WAYS[way],
        str(len(turns)),
        half,
        most,
        f"{late}: {100 * late / len(turns):.1f} %",
        f"{100 * low:.1f} to {100 * high:.1f} %",
        f"{100 * own:.0f} %",
        f"{100 * drafts:.0f} %",
        f"{steps:.1f}",
    )
    return "| " + " | ".join(cells) + " |"


def wilson(hits: int, of: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson's): it holds for no hits at all, too."""
    z, share = 1.96, hits / of
    middle = share + z * z / (2 * of)
    spread = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    whole = 1 + z * z / of
    return max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
