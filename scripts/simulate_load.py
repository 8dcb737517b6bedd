"""Try the watchdog on simulated machines: thousands of turns in seconds.

usage: scripts/simulate_load [--turns N] [--picture FILE.svg] [--json FILE]

One talk on a machine that gets slow in several ways, beside fixed K and beside an oracle that knows
every cost beforehand; then 1 to 200 talks on one GPU whose rows share passes. Costs of the first
are those of the embedded engines on two idle cores; costs of the GPU are assumed, not measured
(load_gpu.py names them). The watchdog and the rules that cut steps are the agent's own.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from load_gpu import SESSIONS, Gpu, Served, serve
from load_machine import RULES, TRACES, Costs, Done, drawn, fixed, oracle, watched

from atonce.agent.cost_model import CostModel, Stage
from atonce.agent.ladder import Given
from atonce.agent.watchdog import Watchdog

JUMP = 1.5
"""A load that grows by so much between two turns: the first reply after it is affected first."""


@dataclass(frozen=True, slots=True)
class Row:
    """One machine."""

    trace: str
    """What it goes through."""
    turns: int
    """Turns."""
    late: float
    """Share of replies that were late, under the watchdog."""
    late_after_first: float
    """The same, the first reply after a jump of the load left out."""
    hopeless: float
    """Of these, share in which no plan could be in time: the other stages alone took too long."""
    late_fixed: float
    """Share of replies that were late with fixed K."""
    mean_k: float
    """Steps that were done, mean."""
    oracle_k: float
    """What the oracle did."""
    regret: float
    """Share of the oracle's steps that were not done."""
    acknowledged: float
    """Share of turns in which a sentence bought time."""
    back_after: int
    """Turns from the end of a load to the old K, at worst; 0: K was never lowered."""


def main(arguments: Sequence[str]) -> int:
    """Simulate and print."""
    parser = argparse.ArgumentParser(prog="scripts/simulate_load", description=__doc__)
    parser.add_argument("--turns", type=int, default=2000, help="of one talk, for each trace")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    options = parser.parse_args(arguments)
    began_s = time.perf_counter()
    rows = [row(name, options.turns) for name in TRACES]
    print(table(rows))
    gpu = Gpu()
    served = [serve(gpu, sessions) for sessions in SESSIONS]
    print(gpu_table(served))
    print(f"overhead of the watchdog: {1000 * overhead_s():.3f} ms a step")
    print(f"{time.perf_counter() - began_s:.1f} s for all of it")
    if options.json:
        found = {"machines": [asdict(r) for r in rows], "gpu": [asdict(s) for s in served]}
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")

    if options.picture:
        from load_picture import draw

        turns = list(drawn("all ×3 for a minute", 60, 1))
        draw(options.picture, watched(turns), fixed(turns), served)

    return 0


def row(name: str, count: int, seed: int = 1) -> Row:
    """One trace."""
    turns = list(drawn(name, count, seed))
    done, best = watched(turns), oracle(turns)
    later = [turn for turn, is_first in zip(done, firsts(turns), strict=True) if not is_first]
    return Row(
        name,
        count,
        late(done),
        late(later),
        sum(
            is_hopeless(costs)
            for (_, costs), first in zip(turns, firsts(turns), strict=True)
            if not first
        )
        / len(later),
        late(fixed(turns)),
        sum(turn.steps for turn in done) / count,
        sum(best) / count,
        regret(done, best),
        sum(turn.given is Given.PROMPTNESS for turn in done) / count,
        back_after(done),
    )


def firsts(turns: Sequence[tuple[float, Costs]]) -> list[bool]:
    """Whether the load jumped up just before each turn."""
    loads = [costs.load for _, costs in turns]
    return [False, *(after > JUMP * before for before, after in pairwise(loads))]


def is_hopeless(costs: Costs) -> bool:
    """Whether one step on the last canvas was too much."""
    least_s = sum(costs.stages_s.values()) + costs.steps_s(1, RULES.last)
    return least_s > RULES.first_audio_s


def late(turns: Sequence[Done]) -> float:
    """Share of replies over the budget."""
    return sum(turn.first_audio_s > RULES.first_audio_s for turn in turns) / len(turns)


def regret(done: Sequence[Done], best: Sequence[int]) -> float:
    """Steps that the oracle did and the watchdog did not, of all the oracle's."""
    missing = sum(max(0, most - turn.steps) for turn, most in zip(done, best, strict=True))
    return missing / sum(best)


def back_after(done: Sequence[Done]) -> int:
    """Of all loads that end for ten turns at least, the slowest return of K."""
    full, worst = RULES.plan.steps, 0
    for end in range(1, len(done) - 10):
        after = done[end : end + 10]
        if done[end - 1].load > JUMP and all(turn.load == 1.0 for turn in after):
            back = next((n for n, turn in enumerate(after) if turn.steps == full), 10)
            worst = max(worst, back)

    return worst


def overhead_s() -> float:
    """What plan and notes of a turn take, for each of its steps; the best of five rounds."""
    costs = CostModel()
    watchdog, best = Watchdog(RULES, costs), float("inf")
    for _ in range(5):
        began_s = time.perf_counter()
        for turn in range(200):
            watchdog.plan(turn + 0.25, spoken_end_s=turn, prompt=400)
            for stage in Stage:
                costs.note(stage, 0.1)

            for _ in range(RULES.plan.steps):
                costs.note_step(40, 400, 0.037)

            watchdog.heard(0.7)

        best = min(best, (time.perf_counter() - began_s) / (200 * RULES.plan.steps))

    return best


def table(rows: Sequence[Row]) -> str:
    """One talk on two cores."""
    names = ("machine", "turns", "late", "after the first affected", "no plan in time")
    names += ("late with fixed K", "mean K", "oracle's K", "regret", "acknowledged", "K back after")
    lines = [
        (r.trace, str(r.turns), percent(r.late), percent(r.late_after_first), percent(r.hopeless),
         percent(r.late_fixed), f"{r.mean_k:.2f}", f"{r.oracle_k:.2f}", percent(r.regret),
         percent(r.acknowledged), f"{r.back_after} turns")
        for r in rows
    ]  # fmt: skip
    told = [" | ".join(line) for line in (names, ["---"] * len(names), *lines)]
    return "\n".join(f"| {line} |" for line in told)


def percent(share: float) -> str:
    """For the tables."""
    return f"{100 * share:.1f} %"


def gpu_table(served: Sequence[Served]) -> str:
    """Many talks on one GPU."""
    head = "| talks | rows at once | late | mean K | first audio p50 | p95 | late with fixed K |\n"
    lines = [
        f"| {s.sessions} | {s.rows:.1f} | {100 * s.late:.1f} % | {s.mean_k:.1f} |"
        f" {1000 * s.median_s:.0f} ms | {1000 * s.p95_s:.0f} ms | {100 * s.late_fixed:.1f} % |"
        for s in served
    ]
    return "\n".join([head + "|---" * 7 + "|", *lines])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
