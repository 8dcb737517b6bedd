"""Measure what early drafts save, on questions of the development packs that were cut off.

usage: scripts/measure_drafts [--turns N] [--sure P ...] [--packs DIR]

Each turn is drafted from the first part of its question. Then the whole question is known, and the
reply is written twice: from nothing, and out of the draft (agent/early_draft.py). Both ways take
turns; a reply is judged as scripts/evaluate judges it, without check and repair.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import mean, median

from atonce.agent.early_draft import SURE, kept, steps_for
from atonce.agent.reply import plan_of
from atonce.config import models
from atonce.config.load import defaults
from atonce.llm.corpus import Example, load_packs
from atonce.llm.denoiser import EmbeddedWriter
from atonce.llm.evaluation import draw_turns
from atonce.llm.lessons import draft_then_final
from atonce.llm.protocols import Draft, Plan
from atonce.llm.rows import Asked
from atonce.llm.scoring import judge

DEV = Path(__file__).parents[1] / "corpus" / "dev"


@dataclass(frozen=True, slots=True)
class Way:
    """One reply to the whole question."""

    text: str
    """What was written."""
    steps: int
    """Passes of the model."""
    ms: float
    """What they took."""
    kind: str
    """held: the draft as it was; refined; new."""
    is_right: bool
    """As scripts/evaluate judges."""


class Bench:
    """Writes every turn both ways."""

    def __init__(self, plan: Plan) -> None:
        settings = defaults().settings.llm
        models.ensure(["smollm2-135m", "minilm"], say=print)
        self.writer = EmbeddedWriter.from_settings(settings)
        self.plan = plan

    def draft(self, example: Example, dice: Random) -> tuple[Example, Draft] | None:
        """The early draft of a turn; None: its question is too short to be cut."""
        drafted = draft_then_final(example, dice)
        if drafted is None:
            return None

        *_, last = self.writer.write(self.writer.read(drafted.early), self.plan)
        return drafted.final, last

    def anew(self, example: Example) -> Way:
        """From nothing."""
        cache = self.writer.read(example.prompt)
        began_s = time.perf_counter()
        *_, last = self.writer.write(cache, self.plan)
        return self.way(example, last.text, last.step, began_s, "new")

    def refined(self, example: Example, draft: Draft, sure: float) -> Way:
        """Out of the draft."""
        cache = self.writer.read(example.prompt)
        began_s = time.perf_counter()
        marks, size = self.writer.marks, len(draft.cells)
        (guesses,) = self.writer.look([Asked(cache, [marks.mask] * size)])
        given = (
            kept(draft.cells, guesses or [], marks, sure=sure) if size <= self.plan.canvas else None
        )
        if given is None:
            *_, last = self.writer.write(cache, self.plan)
            return self.way(example, last.text, last.step + 1, began_s, "new")

        steps = steps_for(given, self.plan.steps)
        if not steps:
            return self.way(example, draft.text, 1, began_s, "held")

        plan = Plan(steps, size, self.plan.rule)
        *_, last = self.writer.write(cache, plan, given=given)
        kind = "held" if last.text == draft.text else "refined"
        return self.way(example, last.text, last.step + 1, began_s, kind)

    def way(self, example: Example, text: str, steps: int, began_s: float, kind: str) -> Way:
        """With the time since it began, and its verdict."""
        ms = (time.perf_counter() - began_s) * 1000
        return Way(text, steps, ms, kind, judge(example, text).is_right)


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/measure_drafts", description=__doc__)
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--sure", type=float, nargs="*", default=[SURE])
    parser.add_argument("--packs", type=Path, default=DEV)
    options = parser.parse_args(arguments)
    bench, dice = Bench(plan_of(defaults().settings.llm)), Random(7)
    drawn = draw_turns(load_packs(options.packs), options.turns)
    turns = [found for example in drawn if (found := bench.draft(example, dice))]
    fresh: list[Way] = []
    ways: dict[float, list[Way]] = {sure: [] for sure in options.sure}
    for example, draft in turns:
        fresh.append(bench.anew(example))
        for sure, of_sure in ways.items():
            of_sure.append(bench.refined(example, draft, sure))

    print(f"{len(turns)} turns whose question was cut, of {len(drawn)}")
    print("| way | held | refined | new | right | steps | ms median | same text as from nothing |")
    print("|---|---|---|---|---|---|---|---|")
    print(line("from nothing", fresh, fresh))
    for sure, of_sure in ways.items():
        print(line(f"out of the draft, sure from {sure}", of_sure, fresh))

    return 0


def line(name: str, ways: Sequence[Way], fresh: Sequence[Way]) -> str:
    """A row of the table."""
    shares = [
        sum(way.kind == kind for way in ways) / len(ways) for kind in ("held", "refined", "new")
    ]
    told = " | ".join(f"{100 * share:.0f} %" for share in shares)
    right, steps = mean(way.is_right for way in ways), mean(way.steps for way in ways)
    ms, same = (
        median(way.ms for way in ways),
        mean(one.text == other.text for one, other in zip(ways, fresh, strict=True)),
    )
    return (
        f"| {name} | {told} | {100 * right:.1f} % | {steps:.2f} | {ms:.0f} | {100 * same:.0f} % |"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
