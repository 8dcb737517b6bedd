"""Write one reply: denoise, check, mask again what fails, and say where the words come from.

Rule 1: a reply that fails the check is never spoken.
Rule 2: a repair denoises only the failing spans and their neighbours; the rest is pinned.
Rule 3: `source` tells the truth: `denoiser`, `fact` (the best-matching fact read out) or `unknown`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from atonce.agent.events import DraftMade, Event, PromptRead, ReplyChecked
from atonce.agent.knowledge import best_fact
from atonce.agent.reply_check import Problem, Verdict, check
from atonce.agent.worker import Worker
from atonce.llm.protocols import Cell, Draft, Plan, Prompt, PromptCache, Writer

Source = Literal["denoiser", "fact", "unknown"]


@dataclass(frozen=True, slots=True)
class Reply:
    """A settled reply, as it will be spoken."""

    text: str
    """Written form."""
    source: Source
    """Who wrote it."""
    steps: int
    """Denoising steps that were run, repairs included."""
    repaired: int
    """How often a span was masked again."""
    forced: bool
    """A deadline forced the last commit."""


@dataclass(frozen=True, slots=True)
class ReplyRules:
    """What the operator allows and wants said."""

    plan: Plan
    """How a reply is written."""
    is_checked: bool
    """Run the reply check."""
    repairs: int
    """How often a failing reply may be repaired."""
    unknown: str
    """The honest sentence when nothing else may be said."""


class ReplyWriter:
    """Writes checked replies with one engine, on the engine's own thread."""

    def __init__(
        self, writer: Writer, worker: Worker, rules: ReplyRules, *, clock: Callable[[], float]
    ) -> None:
        self._writer = writer
        self._worker = worker
        self._rules = rules
        self._clock = clock

    async def write(self, prompt: Prompt, emit: Callable[[Event], None]) -> Reply:
        """The reply to a prompt; every step on the way is emitted."""
        cache = await self._worker.run(lambda: self._writer.read(prompt))
        emit(PromptRead(self._clock(), cache.tokens))

        steps = repair = 0
        given: Sequence[int | None] | None = None

        while True:
            draft: Draft | None = None
            async for draft in self._denoise(cache, given):
                emit(DraftMade(self._clock(), draft, repair))
                steps += 1

            verdict = self._judge(draft.text if draft else "", prompt)
            is_last = verdict.passes or repair >= self._rules.repairs or draft is None
            emit(ReplyChecked(self._clock(), verdict, final=is_last))

            if is_last or draft is None:
                break

            repair += 1
            given = pinned_outside(draft.cells, verdict.problems, margin=repair)

        if draft is not None and verdict.passes:
            return Reply(draft.text, "denoiser", steps, repair, forced=False)

        return replace(self._fallback(prompt), steps=steps, repaired=repair)

    def _denoise(
        self, cache: PromptCache, given: Sequence[int | None] | None
    ) -> AsyncIterator[Draft]:
        plan = self._rules.plan

        if given is not None:
            # A repair writes few positions: as many steps as there are, at most K.
            plan = replace(plan, steps=max(1, min(plan.steps, given.count(None))))

        return self._worker.iterate(self._writer.write(cache, plan, given=given))

    def _judge(self, text: str, prompt: Prompt) -> Verdict:
        return check(text, prompt=prompt) if self._rules.is_checked else Verdict(())

    def _fallback(self, prompt: Prompt) -> Reply:
        match = best_fact(prompt)

        if match is None:
            return Reply(self._rules.unknown, "unknown", 0, 0, forced=False)

        return Reply(match.text, "fact", 0, 0, forced=False)


def pinned_outside(
    cells: Sequence[Cell], problems: Sequence[Problem], *, margin: int
) -> list[int | None]:
    """Pin every cell but those in a failing span, its `margin` neighbours, and the end.

    Spans are characters of the draft's text. The cells after the last word are masked again too, so
    that a repair may be longer or shorter than what it replaces.
    """
    text = "".join(cell.text for cell in cells)
    shift = len(text) - len(text.lstrip())  # the draft's text is stripped
    failing: set[int] = set()
    position = -shift
    last_word = max((i for i, cell in enumerate(cells) if cell.text), default=-1)

    for i, cell in enumerate(cells):
        start, position = position, position + len(cell.text)

        if any(start < problem.end and position > problem.start for problem in problems):
            failing.update(range(i - margin, i + margin + 1))

    if not failing:  # a fault without a place: everything is written anew
        return [None] * len(cells)

    return [None if i in failing or i > last_word else cell.token for i, cell in enumerate(cells)]
