"""The core: replies being written, of one or of many sessions, stepped together by one thread.

    row = rows.add(prompt, plan)      # it starts with the next step, or waits until there is room
    drafts = rows.step()              # one pass of the model for all rows, one more step for each
    rows.drop(row)                    # between two steps, whenever nobody wants it any more

Rule 1. What is settled or pinned never changes.
Rule 2. A row ends after step K at the latest, and as soon as nothing is open or in doubt.
Rule 3. Rows know nothing of each other: each has its own K, canvas, deadline, seed and pins, and
        writes with others what it writes alone.
Rule 4. A row overruns its deadline by one step at most: after every pass the clock says whether
        another one fits, and where none does, this one's guesses close the row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from atonce.config.errors import EngineError, ReplyError
from atonce.llm.commit import RULES, Guess, Marks, is_calm, outlook, settle
from atonce.llm.pace import Cost, Meter, Need, admits, fit, steps_within
from atonce.llm.protocols import Cell, Draft, Plan, PromptCache

MOST_ROWS = 8
"""Rows in one pass; more wait."""
NO_NUMBERS = (
    "the writer computed values that are not numbers; its weights may be damaged. Install atonce "
    "again, and run `atonce models fetch`."
)
NO_ROOM = "too many replies are being written: there was no room for this one in time."


@dataclass(frozen=True, slots=True)
class Asked:
    """One row's part of a pass."""

    prompt: PromptCache
    """What was read for it."""
    canvas: Sequence[int]
    """Its tokens, the mask id where open."""


class Denoiser(Protocol):
    """A model, seen from the rows."""

    @property
    def marks(self) -> Marks:
        """Its special tokens."""
        ...

    def check(self, prompt: PromptCache, plan: Plan, given: Sequence[int | None]) -> None:
        """Raise an EngineError where it cannot write this."""
        ...

    def look(self, rows: Sequence[Asked]) -> Sequence[Sequence[Guess] | None]:
        """One pass: for every row a guess for each open position, from left to right.

        None for a row whose values came out as no numbers.
        """
        ...

    def spell(self, tokens: Sequence[int | None]) -> Sequence[str]:
        """What each token adds to the text; None, an open position, adds nothing."""
        ...


class Row:
    """One reply being written."""

    def __init__(
        self, prompt: PromptCache, plan: Plan, marks: Marks, given: Sequence[int | None]
    ) -> None:
        self.prompt, self.plan, self.marks = prompt, plan, marks
        self.canvas = [marks.mask if token is None else token for token in given]
        self.confidences = [0.0 if token is None else 1.0 for token in given]
        self.step, self.steps = 0, plan.steps
        self.fault: ReplyError | None = None
        """Why it came to nothing."""
        self._promised = plan.steps  # K when it started
        self._is_cut = False
        self._outlook: tuple[int, ...] = ()

    @property
    def is_finished(self) -> bool:
        """Nothing is open."""
        return self.marks.mask not in self.canvas

    @property
    def need(self) -> Need:
        """What it still wants of the machine."""
        return Need(len(self.canvas), self.steps - self.step, self.plan.deadline_s)

    def start(self, cost: Cost, *, now_s: float, beside: int) -> None:
        """Make the plan fit the time that is left; beside: positions of the rows that run."""
        pinned = [i for i, token in enumerate(self.canvas) if token != self.marks.mask]
        shortest = min(len(self.canvas), max(self.plan.shortest, max(pinned, default=0) + 1))
        kept = fit(self.plan, cost, now_s=now_s, beside=beside, shortest=shortest)
        del self.canvas[kept.canvas :], self.confidences[kept.canvas :]
        self.steps = self._promised = kept.steps
        if self.plan.deadline_s is not None:
            step_s = cost.seconds(kept.canvas + beside)
            fitting = steps_within(self.plan.deadline_s - now_s, step_s)
            self._is_cut = fitting < min(self.plan.min_steps, self.plan.steps)

    def advance(self, guesses: Sequence[Guess], *, now_s: float, step_s: float) -> None:
        """Settle some open positions; step_s: what another step is expected to take."""
        self.step += 1
        self._plan_again(guesses, now_s, step_s)
        plan, marks = self.plan, self.marks
        for choice in settle(
            self.canvas, guesses, plan=plan, step=self.step, steps=self.steps, marks=marks
        ):
            self.canvas[choice.position] = choice.token
            self.confidences[choice.position] = choice.confidence

    def _plan_again(self, guesses: Sequence[Guess], now_s: float, step_s: float) -> None:
        """Choose K anew: by what the clock says, and by what the model still doubts."""
        if self.plan.deadline_s is not None:
            more = steps_within(self.plan.deadline_s - now_s, step_s)
            self.steps = self.step + min(more, self.plan.steps - self.step)
            self._is_cut |= self.steps == self.step < self._promised

        before, self._outlook = self._outlook, outlook(self.canvas, guesses, self.marks)
        if self.plan.ends_early and before == self._outlook and is_calm(guesses):
            self.steps = self.step

    def draft(self, texts: Sequence[str]) -> Draft:
        """The canvas as it stands; texts: what each of its tokens adds."""
        mask, end = self.marks.mask, self.marks.end
        stop = self.canvas.index(end) if end in self.canvas else len(self.canvas)
        cells = tuple(
            Cell(token, text if i < stop else "", token == mask, confidence)
            for i, (token, text, confidence) in enumerate(
                zip(self.canvas, texts, self.confidences, strict=True)
            )
        )
        return Draft(max(1, self.step), max(1, self.steps), cells, self._is_cut)


class Rows:
    """All rows of one model."""

    def __init__(
        self,
        denoiser: Denoiser,
        meter: Meter,
        *,
        clock: Callable[[], float],
        most: int = MOST_ROWS,
    ) -> None:
        """meter: what steps cost; clock: the one that deadlines are on; most: rows in one pass."""
        self._denoiser, self._meter, self._clock, self._most = denoiser, meter, clock, most
        self._running: list[Row] = []
        self._waiting: list[Row] = []

    def __contains__(self, row: Row) -> bool:
        """Whether it is still being written, or waits to be."""
        return row in self._running or row in self._waiting

    def __len__(self) -> int:
        """Rows that are being written or wait."""
        return len(self._running) + len(self._waiting)

    def add(
        self, prompt: PromptCache, plan: Plan, *, given: Sequence[int | None] | None = None
    ) -> Row:
        """A new row; given: as for Writer.write. EngineError: it cannot be written."""
        marks = self._denoiser.marks
        check_plan(plan)
        pins = check_pins([None] * plan.canvas if given is None else given, plan, marks)
        self._denoiser.check(prompt, plan, pins)
        row = Row(prompt, plan, marks, pins)
        self._waiting.append(row)
        return row

    def drop(self, row: Row) -> None:
        """Stop writing it; what was written of it is lost. Nothing happens where it has ended."""
        for rows in (self._running, self._waiting):
            if row in rows:
                rows.remove(row)

    def step(self) -> dict[Row, Draft]:
        """One step of every row that runs; a row that ends is dropped with this draft.

        A row that came to nothing has no draft, but a `fault`, and is dropped.
        """
        self._let_in()
        rows = list(self._running)
        self._advance([row for row in rows if not row.is_finished])
        self._running = [row for row in self._running if not row.is_finished and not row.fault]
        return {row: self._draft(row) for row in rows if not row.fault}

    def _let_in(self) -> None:
        """Start the waiting rows, first come first served, as far as there is room."""
        now_s, cost = self._clock(), self._meter.cost
        while self._waiting and len(self._running) < self._most:
            row, needs = self._waiting[0], [row.need for row in self._running]
            if not admits(needs, row.need, cost, now_s=now_s):
                break

            row.start(cost, now_s=now_s, beside=sum(need.positions for need in needs))
            self._running.append(self._waiting.pop(0))

        for row in [row for row in self._waiting if is_late(row.need, now_s)]:
            row.fault = ReplyError(NO_ROOM)
            self._waiting.remove(row)

    def _advance(self, rows: Sequence[Row]) -> None:
        """One pass of the model for all these rows."""
        if not rows:
            return

        start_s, positions = self._clock(), sum(len(row.canvas) for row in rows)
        looked = self._denoiser.look([Asked(row.prompt, row.canvas) for row in rows])
        now_s = self._clock()
        self._meter.record(positions, now_s - start_s)
        step_s = self._meter.cost.seconds(positions)
        for row, guesses in zip(rows, looked, strict=True):
            if guesses is None:
                row.fault = ReplyError(NO_NUMBERS)
            else:
                row.advance(guesses, now_s=now_s, step_s=step_s)

    def _draft(self, row: Row) -> Draft:
        mask = self._denoiser.marks.mask
        texts = self._denoiser.spell([None if token == mask else token for token in row.canvas])
        return row.draft(texts)


def is_late(need: Need, now_s: float) -> bool:
    """Whether its deadline has come."""
    return need.deadline_s is not None and now_s >= need.deadline_s


def check_plan(plan: Plan) -> None:
    """Refuse a plan that no reply can be written by."""
    if plan.rule not in RULES:
        raise EngineError(f"unknown commit rule {plan.rule!r}; there are {', '.join(RULES)}.")

    if plan.steps < 1 or plan.canvas < 1:
        raise EngineError(
            f"a reply takes at least 1 step and 1 position; the plan has {plan.steps} steps and "
            f"a canvas of {plan.canvas}."
        )

    if plan.deadline_s is not None and not math.isfinite(plan.deadline_s):
        raise EngineError(
            f"a deadline is a time in seconds, not {plan.deadline_s}; None where there is none."
        )


def check_pins(given: Sequence[int | None], plan: Plan, marks: Marks) -> list[int | None]:
    """The pinned tokens; what stands right of a pinned end mark is filled with end marks."""
    if len(given) != plan.canvas:
        raise EngineError(f"{len(given)} positions are given for a canvas of {plan.canvas}.")

    if marks.mask in given:
        raise EngineError("the mask cannot be pinned; give None for a position to be written.")

    pins = list(given)
    if marks.end not in pins:
        return pins

    stop = pins.index(marks.end)
    if any(token not in (None, marks.end) for token in pins[stop:]):
        raise EngineError("a word is pinned behind the end mark; pin nothing there.")

    return pins[:stop] + [marks.end] * (len(pins) - stop)
