"""Measure the watchdog beside fixed K: real engines, spoken questions, a process that takes a core.

usage: scripts/bench_watchdog [--turns N] [--block N] [--budget-ms MS] [--set KEY=VALUE …]

First turns on an idle machine: their first audio gives the budget (a fifth above nine of ten, as
`atonce tune` has it), unless --budget-ms names one. Then a competing process takes a whole core,
and blocks with the watchdog and with fixed K take turns, with the same engines, settings and
questions. Then the process ends, and it is counted after how many turns K has its old value.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench_line import BenchLine, Turn

from atonce.agent import engines
from atonce.agent.pacer import planner_of
from atonce.agent.planning import FixedPlanner, Planner
from atonce.agent.reply_rules import plan_of
from atonce.agent.session import Session
from atonce.agent.step_choice import first_audio_ms
from atonce.agent.timeline import at
from atonce.agent.tune import QUESTIONS
from atonce.config.load import defaults
from atonce.config.schema import Settings
from atonce.speech.audio_file import join
from atonce.speech.protocols import Audio

BUSY = "while True: pass"
WARM_UP = 3
"""Turns that do not count: the first call of every engine is slow."""
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


@contextmanager
def a_core_taken() -> Iterator[None]:
    """Another process works all the time."""
    with subprocess.Popen([sys.executable, "-c", BUSY]) as thief:
        try:
            yield
        finally:
            thief.kill()


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/bench_watchdog", description=__doc__)
    parser.add_argument("--turns", type=int, default=60, help="of each way, under the load")
    parser.add_argument("--idle", type=int, default=20, help="questions on the idle machine")
    parser.add_argument("--block", type=int, default=10, help="turns of one way in a row")
    parser.add_argument("--budget-ms", type=int, help="instead of what the idle turns give")
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every turn")
    options = parser.parse_args(arguments)
    found = asyncio.run(measure(options))
    if options.json:
        told = {
            name: [{k: getattr(t, k) for k in KEPT} for t in turns] for name, turns in found.items()
        }
        options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")

    return 0


KEPT = ("question", "first_audio_s", "steps", "planned", "source", "reason", "is_draft")


async def measure(options: argparse.Namespace) -> dict[str, list[Turn]]:
    """All blocks."""
    settings = defaults(options.overrides).settings
    engines.ensure_models(settings, say=print)
    loaded = await engines.load(settings)
    bench = Bench(settings, loaded, await spoken(loaded))
    fixed = FixedPlanner(plan_of(settings.llm))
    await bench.block(fixed, 0, WARM_UP)
    idle = await bench.block(fixed, WARM_UP, options.idle)
    print_row("idle, fixed K", idle, None)
    reached = [1000 * turn.first_audio_s for turn in idle if turn.first_audio_s is not None]
    budget_ms = options.budget_ms or first_audio_ms(reached)
    print(f"budget {budget_ms} ms")
    settings = defaults([*options.overrides, f"watchdog.first_audio_ms={budget_ms}"]).settings
    bench = Bench(settings, loaded, bench.sounds)
    watched = planner_of(settings, loaded.costs)
    found: dict[str, list[Turn]] = {"idle fixed": idle, "fixed": [], "watched": [], "after": []}
    found["idle watched"] = await bench.block(watched, 0, options.idle)
    print_row("idle, watchdog", found["idle watched"], budget_ms)
    with a_core_taken():
        for first in range(0, options.turns, options.block):
            found["watched"] += await bench.block(watched, first, options.block)
            found["fixed"] += await bench.block(fixed, first, options.block)

        # The watchdog comes last, so that it is the one that sees the load end.
        await bench.block(watched, 0, 3)

    found["after"] = await bench.block(watched, 3, 6)
    print_row("a core taken, fixed K", found["fixed"], budget_ms)
    print_row("a core taken, watchdog", found["watched"], budget_ms)
    print("K after the load ended:", *[turn.planned for turn in found["after"]])
    for reason in dict.fromkeys(turn.reason for turn in found["watched"]):
        print("  ", reason)

    return found


async def spoken(loaded: engines.Engines) -> list[tuple[str, Audio]]:
    """The questions as sound."""
    sounds = []
    for question in QUESTIONS:
        pieces = await loaded.speaking.run(
            lambda q=question: list(loaded.synthesizer.synthesize(q))  # type: ignore[misc]
        )
        sounds.append((question, join(pieces)))

    return sounds


def print_row(name: str, turns: Sequence[Turn], budget_ms: int | None) -> None:
    """One way, in a line."""
    heard = [1000 * turn.first_audio_s for turn in turns if turn.first_audio_s is not None]
    if not heard:
        print(f"{name}: no reply was heard")
        return

    own = sum(turn.source == "denoiser" for turn in turns) / len(turns)
    drafts = sum(turn.is_draft for turn in turns) / len(turns)
    line = f"{name}: {len(turns)} turns, first audio median {at(heard, 0.5):.0f} ms, p95 "
    line += f"{at(heard, 0.95):.0f} ms, denoiser {100 * own:.0f} %, held or refined "
    line += f"{100 * drafts:.0f} %, K {sum(t.steps for t in turns) / len(turns):.1f}"
    if budget_ms is not None:
        late = sum(t.first_audio_s is None or 1000 * t.first_audio_s > budget_ms for t in turns)
        low, high = wilson(late, len(turns))
        line += f", late {late} of {len(turns)} (95 %: {100 * low:.1f} to {100 * high:.1f} %)"

    print(line, flush=True)


def wilson(hits: int, of: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson's): it holds for no hits at all, too."""
    z, share = 1.96, hits / of
    middle = share + z * z / (2 * of)
    spread = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    whole = 1 + z * z / of
    return max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
