"""Write one reply: denoise, check, mask again what fails, and say where the words come from.

Rule 1: a reply that fails the check is never spoken.
Rule 2: a repair denoises only the failing spans and their neighbours; the rest is pinned.
Rule 3: `source` tells the truth: `denoiser`, `twin` (the reader's own form, word by word), `fact`
        (the best-matching fact read out) or `unknown`.
Rule 4: a deadline holds for reading, writing and repairs together; past it nothing is repaired.
Rule 5: what a reply begins with because it was heard is never written anew, repairs included.
Rule 6: where the engine finds that no fact answers, that is said, and nothing is written.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from atonce.agent.early_draft import EarlyDraft
from atonce.agent.events import DraftMade, Event, PromptRead, ReplyChecked
from atonce.agent.knowledge import best_fact
from atonce.agent.refining import Begun, begin
from atonce.agent.reply_check import Problem, Verdict, check
from atonce.agent.reply_length import fitted
from atonce.agent.reply_rules import Reply, ReplyRules, plan_of
from atonce.agent.telling_on import by_nearness
from atonce.agent.worker import Runner
from atonce.config.errors import ReplyError
from atonce.llm.editing import remasked
from atonce.llm.leading import is_silent
from atonce.llm.protocols import Draft, Found, Plan, Prompt, PromptCache, Searched, Writer

__all__ = ["Reply", "ReplyRules", "ReplyWriter", "plan_of"]

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Progress:
    """What writing a reply has taken so far."""

    steps: int = 0
    """Denoising steps, those of repairs included."""
    repairs: int = 0
    """How often a span was masked again."""


class ReplyWriter:
    """Writes checked replies with one engine, on the engine's own thread."""

    def __init__(
        self,
        writer: Writer,
        worker: Runner,
        rules: ReplyRules,
        *,
        clock: Callable[[], float],
        twin: Writer | None = None,
    ) -> None:
        """twin: who may try when the writer's replies all failed; None: nobody."""
        self._writer = writer
        self._twin = twin
        self._worker = worker
        self._rules = rules
        self._clock = clock

    async def write(
        self,
        prompt: Prompt,
        emit: Callable[[Event], None],
        *,
        plan: Plan | None = None,
        deadline_s: float | None = None,
        given: Sequence[int | None] | None = None,
        early: EarlyDraft | None = None,
    ) -> Reply:
        """The reply to a prompt; every step on the way is emitted.

        plan: how; None: as the rules say. deadline_s: when it has to stand, on the writer's clock;
        None: as the plan says. given: tokens that stand, None where the writer writes; it is made
        as long as the canvas. early: a draft for the beginning of the question. A plan without
        steps does without the writer, if a fact clearly answers.
        """
        plan = plan or self._rules.plan
        plan = plan if deadline_s is None else replace(plan, deadline_s=deadline_s)
        pins = None if given is None else _as_long_as(given, plan.canvas)
        cache = await self._worker.run(lambda: self._writer.read(prompt))
        emit(PromptRead(self._clock(), cache.tokens))
        progress = Progress()

        if plan.steps < 1:
            if (match := best_fact(prompt, _found(cache))) is not None:
                emit(ReplyChecked(self._clock(), Verdict(()), final=True))
                return Reply(match.text, "fact", 0, 0, forced=True)

            # Late is better than nothing.
            plan = replace(plan, steps=max(1, plan.min_steps), deadline_s=None)

        if pins is None and self._is_silent(cache):  # rule 6
            emit(ReplyChecked(self._clock(), Verdict(()), final=True))
            return Reply(self._rules.unknown, "unknown", 0, 0, forced=False)

        try:
            begun = None
            if pins is None and early is not None:
                begun = await self._worker.run(lambda: begin(self._writer, cache, early, plan))

            reply = await self._settle(cache, prompt, plan, emit, progress, pins, begun)
        except ReplyError as fault:
            logger.warning("the reply came to nothing: %s", fault)
            verdict = Verdict((Problem("fault", 0, 0, str(fault)),))
            emit(ReplyChecked(self._clock(), verdict, final=True))
            reply = None

        if reply is None:
            reply = await self._by_twin(prompt, plan)

        if reply is None:
            reply = self._fallback(prompt, _found(cache))

        return replace(reply, steps=progress.steps, repaired=progress.repairs)

    async def _settle(
        self,
        cache: PromptCache,
        prompt: Prompt,
        plan: Plan,
        emit: Callable[[Event], None],
        progress: Progress,
        pins: Sequence[int | None] | None,
        begun: Begun | None = None,
    ) -> Reply | None:
        """The reply that passes the check; None where repairs or time ran out first."""
        given = pins
        is_refined = begun is not None

        while True:
            draft: Draft | None = None
            if begun is not None:
                draft, plan, given = begun.draft, begun.plan, begun.given
                emit(DraftMade(self._clock(), draft, progress.repairs))
                progress.steps, begun = 1, None

            if draft is None or not draft.is_finished:
                drafts = self._writer.write(cache, plan, given=given)
                async for draft in self._worker.iterate(drafts):
                    emit(DraftMade(self._clock(), draft, progress.repairs))
                    progress.steps += 1

            text, verdict = self._judge(draft.text if draft else "", prompt, _found(cache))
            is_over = plan.deadline_s is not None and self._clock() >= plan.deadline_s
            is_last = verdict.passes or progress.repairs >= self._rules.repairs or is_over
            emit(ReplyChecked(self._clock(), verdict, final=is_last or draft is None))

            if draft is not None and verdict.passes:
                return Reply(text, "denoiser", 0, 0, draft.forced, is_refined)

            if draft is None or is_last:
                return None

            progress.repairs += 1
            plan, given = self._repair(plan, draft, verdict, pins, margin=progress.repairs)

    async def _by_twin(self, prompt: Prompt, plan: Plan) -> Reply | None:
        """The twin's reply, if there is a twin, time left, and nothing against what it says."""
        twin, draft = self._twin, None
        if twin is None or (plan.deadline_s is not None and self._clock() >= plan.deadline_s):
            return None

        cache = await self._worker.run(lambda: twin.read(prompt))
        async for word in self._worker.iterate(twin.write(cache, plan)):
            draft = word  # between two words it can be stopped

        text, verdict = self._judge(draft.text if draft else "", prompt, _found(cache))
        is_whole = draft is not None and not draft.forced
        return Reply(text, "twin", 0, 0, forced=False) if is_whole and verdict.passes else None

    def _judge(self, text: str, prompt: Prompt, found: Found | None) -> tuple[str, Verdict]:
        """What is to be said of a draft, and what the check has against it."""
        seconds = self._rules.reply_s
        if seconds and text:
            for said in fitted(text, prompt.question, seconds, by_nearness(prompt, found)):
                verdict = self._check(said, prompt)
                if verdict.passes:
                    return said, verdict

        return text, self._check(text, prompt)

    def _repair(
        self,
        plan: Plan,
        draft: Draft,
        verdict: Verdict,
        pins: Sequence[int | None] | None,
        *,
        margin: int,
    ) -> tuple[Plan, list[int | None]]:
        """How the failing spans are written anew, on a whole canvas."""
        spans = [(problem.start, problem.end) for problem in verdict.problems]
        given = remasked(draft.cells, spans, margin=margin)
        given += [None] * (self._rules.plan.canvas - len(given))

        if pins is not None:  # rule 5
            given[: len(pins)] = [
                new if pin is None else pin for pin, new in zip(pins, given, strict=False)
            ]

        # A repair writes few positions: as many steps as there are, at most K.
        steps = max(1, min(self._rules.plan.steps, given.count(None)))
        return replace(plan, steps=steps, canvas=len(given)), given

    def _is_silent(self, cache: PromptCache) -> bool:
        found = _found(cache)
        # Where nobody can tell small talk from questions, a greeting would be refused.
        return (
            self._rules.is_checked
            and found is not None
            and found.talk > -math.inf
            and (is_silent(found))
        )

    def _check(self, text: str, prompt: Prompt) -> Verdict:
        return check(text, prompt=prompt) if self._rules.is_checked else Verdict(())

    def _fallback(self, prompt: Prompt, found: Found | None) -> Reply:
        match = best_fact(prompt, found)

        if match is None:
            return Reply(self._rules.unknown, "unknown", 0, 0, forced=False)

        text, _ = self._judge(match.text, prompt, found)
        return Reply(text, "fact", 0, 0, forced=False)


def _as_long_as(given: Sequence[int | None], canvas: int) -> list[int | None]:
    return [*given[:canvas], *[None] * (canvas - len(given))]


def _found(cache: PromptCache) -> Found | None:
    return cache.found if isinstance(cache, Searched) else None
