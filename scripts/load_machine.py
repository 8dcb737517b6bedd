"""Simulated machines for the watchdog: what every stage takes, and one turn through it.

Rule 1. The controller is the agent's own: agent/watchdog.py plans, llm/pace.py cuts steps.
Rule 2. Costs of a turn are drawn once, so fixed K, the watchdog and the oracle meet the same ones.
Rule 3. The oracle knows them all, and takes the most steps that fit.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from atonce.agent.cost_model import CostModel, Line, Stage
from atonce.agent.ladder import Given
from atonce.agent.timeline import Mark, Timeline
from atonce.agent.watchdog import Watchdog
from atonce.agent.watchdog_rules import WatchdogRules
from atonce.llm.pace import Cost, Meter, steps_within
from atonce.llm.protocols import Plan

LINE = Line(0.004, 0.0008, 1e-6)
"""A step of the embedded writer on two idle cores: 37 ms at 40 positions (README)."""
IDLE_S = {
    Stage.TRANSCRIPT: 0.245,
    Stage.PROMPT: 0.129,
    Stage.CHECK: 0.003,
    Stage.CHUNK: 0.054,
    Stage.PLAYBACK: 0.020,
}
"""The other stages there (README)."""
MARKS: Mapping[Stage, Mark] = {
    Stage.CHECK: "reply_checked",
    Stage.CHUNK: "first_chunk",
    Stage.PLAYBACK: "first_audio",
}
"""What stands when each of the last stages is over."""
PROMPT = 400
"""Tokens."""
EVERY_S = 9.0
"""Between two turns of one talk."""
JITTER = 0.06
"""Spread of every single cost on an idle machine, logarithmic."""
RULES = WatchdogRules(1.5, Plan(8, 40, min_steps=1), max_steps=16)
"""The default budget; K = 8, so that there is something to give up."""
CLEAR = 0.5
"""Share of questions that a fact clearly answers (docs/reply-check.md: 55 of 100 that the facts
answer)."""
MOST = 64
"""Steps whose costs are drawn for a turn."""

Load = Callable[[float, random.Random], float]
"""Time, dice → how many times slower the machine is at that moment."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What one turn takes, whoever plans it."""

    load: float
    """How many times slower the machine is at its beginning."""
    stages_s: Mapping[Stage, float]
    """Each stage."""
    slowness: Sequence[float]
    """Of each step, as a multiple of the line."""
    is_clear: bool
    """A fact clearly answers: it can be read out without a step."""

    def steps_s(self, steps: int, canvas: int) -> float:
        """So many steps."""
        return LINE.seconds(canvas, PROMPT) * sum(self.slowness[:steps])


@dataclass(frozen=True, slots=True)
class Done:
    """One turn, as it went."""

    at_s: float
    """When it began."""
    load: float
    """How slow the machine was."""
    steps: int
    """Steps that were done."""
    canvas: int
    """Positions."""
    first_audio_s: float
    """When its first sound was heard."""
    given: Given
    """What had been given up."""
    reason: str
    """What the watchdog said."""


def steady(at_s: float, dice: random.Random) -> float:  # noqa: ARG001
    """Nothing else is going on."""
    return 1.0


def triple(at_s: float, dice: random.Random) -> float:  # noqa: ARG001
    """Three times as slow for one minute in five."""
    return 3.0 if 120 <= at_s % 300 < 180 else 1.0


def saw_tooth(at_s: float, dice: random.Random) -> float:  # noqa: ARG001
    """Slower and slower for two minutes, up to three times, then idle again."""
    return 1 + 2 * (at_s % 120) / 120


def heavy_tail(at_s: float, dice: random.Random) -> float:  # noqa: ARG001
    """One cost in twenty-five is two to eight times as high, by itself."""
    return min(8.0, 2 * dice.paretovariate(1.5)) if dice.random() < 0.04 else 1.0


def thief(at_s: float, dice: random.Random) -> float:
    """Another process takes a core, in bursts of some tens of seconds; what it leaves varies."""
    phase = math.sin(at_s / 23) + math.sin(at_s / 41 + 1)
    return dice.uniform(1.8, 2.6) if phase > 0.4 else 1.0


TRACES: Mapping[str, Load] = {
    "steady": steady,
    "writer ×3 for a minute": triple,
    "all ×3 for a minute": triple,
    "saw-tooth": saw_tooth,
    "heavy tail": heavy_tail,
    "a core stolen": thief,
}
WRITER_ALONE = "writer ×3 for a minute"
"""Here only reading and steps get slow."""


def drawn(trace: str, turns: int, seed: int) -> Iterator[tuple[float, Costs]]:
    """When each turn begins, and its costs."""
    dice, load = random.Random(seed), TRACES[trace]
    spared = set(Stage) - {Stage.PROMPT} if trace == WRITER_ALONE else set()
    for number in range(turns):
        at_s = number * EVERY_S

        def cost(load: Load = load, at_s: float = at_s) -> float:
            return load(at_s, dice) * math.exp(dice.gauss(0, JITTER))

        stages = {
            stage: idle_s * (cost(steady) if stage in spared else cost())
            for stage, idle_s in IDLE_S.items()
        }
        slowness = [cost() for _ in range(MOST)]
        yield at_s, Costs(load(at_s, dice), stages, slowness, dice.random() < CLEAR)


def watched(turns: Sequence[tuple[float, Costs]], rules: WatchdogRules = RULES) -> list[Done]:
    """All turns under the watchdog."""
    watchdog, meter = Watchdog(rules, CostModel()), Meter(Cost(0.006, 0.0009))
    return [one_turn(watchdog, meter, at_s, costs) for at_s, costs in turns]


def one_turn(watchdog: Watchdog, meter: Meter, at_s: float, costs: Costs) -> Done:
    """One turn; the row stops where the clock says that no further step fits, as in rows.py, and
    what all of it took is learnt when the first sound is heard, as in pacer.py."""
    took, timeline = costs.stages_s, Timeline(at_s)
    now_s = at_s + took[Stage.TRANSCRIPT]
    timeline.mark("transcript_final", at_s=now_s)
    decision = watchdog.plan(now_s, spoken_end_s=at_s, prompt=PROMPT)
    plan = decision.plan
    now_s += took[Stage.PROMPT]
    timeline.mark("prompt_read", at_s=now_s)
    step = 0
    steps = plan.steps
    if decision.fact_first:
        steps = 0 if costs.is_clear else plan.min_steps

    while step < steps:
        step_s = LINE.seconds(plan.canvas, PROMPT) * costs.slowness[step]
        step, now_s = step + 1, now_s + step_s
        timeline.draft(at_s=now_s)
        meter.record(plan.canvas, step_s)
        if plan.deadline_s is not None:
            more = steps_within(plan.deadline_s - now_s, meter.cost.seconds(plan.canvas))
            steps = min(steps, step + more)

    for stage, mark in MARKS.items():
        now_s += took[stage]
        timeline.mark(mark, at_s=now_s)

    watchdog.learn(timeline, canvas=plan.canvas, prompt=PROMPT)
    reason = decision.reason
    return Done(at_s, costs.load, step, plan.canvas, now_s - at_s, decision.given, reason)


def fixed(turns: Sequence[tuple[float, Costs]], rules: WatchdogRules = RULES) -> list[Done]:
    """All turns with the K of the settings."""
    plan = rules.plan
    return [
        Done(
            at_s,
            costs.load,
            plan.steps,
            plan.canvas,
            sum(costs.stages_s.values()) + costs.steps_s(plan.steps, plan.canvas),
            Given.NOTHING,
            "",
        )
        for at_s, costs in turns
    ]


def oracle(turns: Sequence[tuple[float, Costs]], rules: WatchdogRules = RULES) -> list[int]:
    """For every turn the most steps that fit on any canvas that is still allowed; 1 where none."""
    found = []
    for _, costs in turns:
        left_s = rules.first_audio_s - sum(costs.stages_s.values())
        plan = rules.plan
        steps = [k for k in range(1, plan.steps + 1) if costs.steps_s(k, plan.canvas) <= left_s]
        narrow = costs.steps_s(plan.min_steps, rules.shortest) <= left_s
        found.append(max([1, *steps, plan.min_steps if narrow else 1]))

    return found
