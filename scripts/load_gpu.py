"""Many talks on one GPU whose rows share passes, with the watchdog of each talk and with fixed K.

What a pass costs is assumed, not measured: a line over the positions of all rows, as large models
have it. Transcripts and sound are made elsewhere, and take their usual time.
"""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass, field

from atonce.agent.cost_model import CostModel, Line, Stage
from atonce.agent.timeline import at
from atonce.agent.watchdog import Watchdog
from atonce.agent.watchdog_rules import WatchdogRules
from atonce.llm.pace import Cost, Meter, Need, admits, fit, steps_within
from atonce.llm.protocols import Plan

SESSIONS = (1, 5, 10, 20, 40, 60, 80, 100, 150, 200)
PROMPT = 2000
"""Tokens: a place's facts and a talk."""
MOST_ROWS = 32
"""In one pass."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """What is assumed of the card, of its model, and of the people."""

    line: Line = field(default_factory=lambda: Line(0.012, 0.00006))
    """A pass: 12 ms, and 60 µs more for each position of all rows."""
    rules: WatchdogRules = field(
        default_factory=lambda: WatchdogRules(0.9, Plan(16, 64, min_steps=4), 16, shortest=24)
    )
    """Budget 900 ms, K 4 to 16, replies of up to 64 positions."""
    every_s: float = 10.0
    """Between two turns of one talk, mean."""
    turns: int = 40
    """Of each talk; at most MOST_TURNS of all."""


MOST_TURNS = 2500
"""Enough for a share of one in a hundred."""
STAGES_S = {
    Stage.TRANSCRIPT: 0.20,
    Stage.PROMPT: 0.03,
    Stage.CHECK: 0.003,
    Stage.CHUNK: 0.06,
    Stage.PLAYBACK: 0.02,
}


@dataclass(frozen=True, slots=True)
class Served:
    """What became of all turns of so many talks."""

    sessions: int
    """Talks at once."""
    rows: float
    """In a pass, mean."""
    late: float
    """Share of replies over the budget."""
    mean_k: float
    """Steps that were done."""
    median_s: float
    """First audio."""
    p95_s: float
    """First audio."""
    late_fixed: float
    """Share over the budget when every reply gets all its steps."""


@dataclass(slots=True)
class _Row:
    """A reply being written."""

    session: int
    spoken_end_s: float
    plan: Plan
    step: int = 0
    steps: int = 0

    @property
    def need(self) -> Need:
        return Need(self.plan.canvas, self.steps - self.step, self.plan.deadline_s)


class _Server:
    """One GPU and its talks."""

    def __init__(self, gpu: Gpu, sessions: int, *, is_watched: bool) -> None:
        self.gpu, self.dice, self.is_watched = gpu, random.Random(sessions), is_watched
        self.costs = CostModel(Line(0.02, 0.0001), dict(STAGES_S))  # not what is true: learnt
        self.dogs = [Watchdog(gpu.rules, self.costs) for _ in range(sessions)]
        self.meter = Meter(Cost(0.02, 0.0001))
        self.running: list[_Row] = []
        self.waiting: list[_Row] = []
        self.heard_s: list[float] = []
        self.ks: list[int] = []
        self.in_pass: list[int] = []
        self.left = min(MOST_TURNS, sessions * gpu.turns)
        # What happens when: (time, order, session, when speech ended); the prompt is then read.
        self.coming: list[tuple[float, int, int, float]] = []
        self.order = 0
        for session in range(sessions):
            self.speak(session, self.dice.uniform(0, gpu.every_s))

    def jitter(self) -> float:
        return math.exp(self.dice.gauss(0, 0.08))

    def speak(self, session: int, ended_s: float) -> None:
        """A question ends; its transcript comes, and its prompt is read."""
        if self.left <= 0:
            return

        self.left -= 1
        self.order += 1
        wait_s = STAGES_S[Stage.TRANSCRIPT] * self.jitter()
        heapq.heappush(self.coming, (ended_s + wait_s, self.order, session, ended_s))

    def run(self) -> None:
        """All turns of all talks."""
        now_s = 0.0
        while self.coming or self.running or self.waiting:
            if not self.running and not self.waiting:
                now_s = max(now_s, self.coming[0][0])

            while self.coming and self.coming[0][0] <= now_s:
                _, _, session, ended_s = heapq.heappop(self.coming)
                self.ask(session, ended_s, now_s)

            self.let_in(now_s)
            now_s = self.one_pass(now_s)

    def ask(self, session: int, ended_s: float, now_s: float) -> None:
        """The transcript is there: plan."""
        rules, plan = self.gpu.rules, self.gpu.rules.plan
        if self.is_watched:
            beside = sum(row.plan.canvas for row in (*self.running, *self.waiting))
            decision = self.dogs[session].plan(
                now_s, spoken_end_s=ended_s, prompt=PROMPT, beside=beside
            )
            plan = decision.plan
            del rules

        self.waiting.append(_Row(session, ended_s, plan, steps=plan.steps))

    def let_in(self, now_s: float) -> None:
        """As Rows does."""
        while self.waiting and len(self.running) < MOST_ROWS:
            row, needs = self.waiting[0], [row.need for row in self.running]
            if self.is_watched and not admits(needs, row.need, self.meter.cost, now_s=now_s):
                break

            beside = sum(need.positions for need in needs)
            row.plan = fit(row.plan, self.meter.cost, now_s=now_s, beside=beside, shortest=24)
            row.steps = row.plan.steps
            self.running.append(self.waiting.pop(0))

    def one_pass(self, now_s: float) -> float:
        """One step of all rows; the time after it."""
        if not self.running:
            return now_s + 0.001

        reading_s = STAGES_S[Stage.PROMPT] * sum(row.step == 0 for row in self.running) / 8
        positions = sum(row.plan.canvas for row in self.running)
        step_s = self.gpu.line.seconds(positions, 0) * self.jitter()
        now_s += step_s + reading_s
        self.meter.record(positions, step_s)
        self.costs.note_step(positions, PROMPT * len(self.running), step_s)
        self.in_pass.append(len(self.running))
        for row in self.running:
            row.step += 1
            if row.plan.deadline_s is not None:
                more = steps_within(row.plan.deadline_s - now_s, self.meter.cost.seconds(positions))
                row.steps = row.step + min(more, row.plan.steps - row.step)

        for row in [row for row in self.running if row.step >= row.steps]:
            self.running.remove(row)
            self.finish(row, now_s)

        return now_s

    def finish(self, row: _Row, now_s: float) -> None:
        after_s = 0.0
        for stage in (Stage.CHECK, Stage.CHUNK, Stage.PLAYBACK):
            took_s = STAGES_S[stage] * self.jitter()
            self.costs.note(stage, took_s)
            after_s += took_s

        first_s = now_s + after_s - row.spoken_end_s
        self.heard_s.append(first_s)
        self.ks.append(row.step)
        self.dogs[row.session].heard(first_s)
        pause_s = self.dice.expovariate(1 / self.gpu.every_s)
        self.speak(row.session, now_s + after_s + 1.0 + pause_s)


def serve(gpu: Gpu, sessions: int) -> Served:
    """So many talks at once."""
    server = _Server(gpu, sessions, is_watched=True)
    server.run()
    unwatched = _Server(gpu, sessions, is_watched=False)
    unwatched.run()
    budget_s, heard = gpu.rules.first_audio_s, server.heard_s
    return Served(
        sessions,
        sum(server.in_pass) / len(server.in_pass),
        sum(s > budget_s for s in heard) / len(heard),
        sum(server.ks) / len(server.ks),
        at(heard, 0.5),
        at(heard, 0.95),
        sum(s > budget_s for s in unwatched.heard_s) / len(unwatched.heard_s),
    )
