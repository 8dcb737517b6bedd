"""Write one reply: denoise, check, mask again what fails, and say where the words come from.

Rule 1: a reply that fails the check is never spoken.
Rule 2: a repair denoises only the failing spans and their neighbours; the rest is pinned.
Rule 3: `source` tells the truth: `denoiser`, `twin` (the reader's own form, word by word), `fact`
        (the best-matching fact read out), `courtesy` (a sentence of the settings for small talk) or
        `unknown`. Facts that follow any of these because the reply is to last longer
        (reply_length.py) are said as they stand in the settings.
Rule 4: a deadline holds for reading, writing and repairs together; past it nothing is repaired.
Rule 5: what a reply begins with because it was heard is never written anew, repairs included.
Rule 6: where the engine finds that no fact answers, that is said, and nothing is written; so it is
        where nothing is asked, but small talk that the settings have a sentence for is made.
Rule 7: words that stand in no fact are read over by an engine that can (llm/proofreading.py): a
        draft that is no English is repaired, and never spoken. Past the deadline nobody reads it
        over, and it is not spoken either.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from atonce.agent.copied import is_copied, slips
from atonce.agent.early_draft import EarlyDraft
from atonce.agent.events import DraftMade, Event, PromptRead, ReplyChecked
from atonce.agent.knowledge import best_fact
from atonce.agent.read_out import spoken_part
from atonce.agent.refining import Begun, begin
from atonce.agent.reply_check import Problem, Verdict, check
from atonce.agent.reply_length import fitted
from atonce.agent.reply_rules import Reply, ReplyRules, plan_of
from atonce.agent.small_talk import FACTUAL, courtesy, kind_of, makeshift
from atonce.agent.telling_on import by_nearness
from atonce.agent.worker import Runner
from atonce.config.errors import ReplyError
from atonce.llm.editing import remasked
from atonce.llm.leading import CHAT, is_silent
from atonce.llm.lessons import UNKNOWN
from atonce.llm.proofreading import Proofreader
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

        if (
            said := self._without_a_step(prompt, plan, _found(cache), is_open=pins is None)
        ) is not None:
            emit(ReplyChecked(self._clock(), Verdict(()), final=True))
            return said

        repairs = self._repairs(cache)
        if plan.steps < 1:  # late is better than nothing, but not later than it must be
            plan, repairs = replace(plan, steps=max(1, plan.min_steps), deadline_s=None), 0

        try:
            begun = None
            if pins is None and early is not None:
                begun = await self._worker.run(lambda: begin(self._writer, cache, early, plan))

            reply = await self._settle(
                cache, prompt, plan, emit, progress, pins, begun, repairs=repairs
            )
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

    def _without_a_step(
        self, prompt: Prompt, plan: Plan, found: Found | None, *, is_open: bool
    ) -> Reply | None:
        """What is said without the writer, if anything is: rule 6, or no time for a step.

        is_open: nothing of the reply has been heard.
        """
        if is_open and (polite := self._courtesy(prompt, found)):
            return Reply(polite, "courtesy", 0, 0, forced=False)

        if plan.steps < 1 and (match := best_fact(prompt, found)) is not None:
            return Reply(spoken_part(match.text, prompt.question), "fact", 0, 0, forced=True)

        if plan.steps >= 1 and is_open and self._is_silent(found):
            return Reply(self._rules.unknown, "unknown", 0, 0, forced=False)

        return None

    async def _settle(
        self,
        cache: PromptCache,
        prompt: Prompt,
        plan: Plan,
        emit: Callable[[Event], None],
        progress: Progress,
        pins: Sequence[int | None] | None,
        begun: Begun | None = None,
        *,
        repairs: int,
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
            if verdict.passes and draft is not None:
                verdict = await self._read_over(draft.text, prompt, plan)

            is_over = self._is_over(plan)
            is_last = verdict.passes or progress.repairs >= repairs or is_over
            emit(ReplyChecked(self._clock(), verdict, final=is_last or draft is None))

            if draft is not None and verdict.passes:
                return Reply(text, "denoiser", 0, 0, draft.forced, is_refined)

            if draft is None or is_last:
                return None

            progress.repairs += 1
            plan, given = self._repair(plan, draft, verdict, pins, margin=progress.repairs)

    def _repairs(self, cache: PromptCache) -> int:
        """How often a reply may be repaired: not at all where there is a sentence for small talk,
        which the writer seldom mends."""
        found = _found(cache)
        return 0 if self._rules.small_talk and found and found.talk > CHAT else self._rules.repairs

    async def _by_twin(self, prompt: Prompt, plan: Plan) -> Reply | None:
        """The twin's reply, if there is a twin, time left, and nothing against what it says."""
        twin, draft = self._twin, None
        if twin is None or self._is_over(plan):
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

    async def _read_over(self, text: str, prompt: Prompt, plan: Plan) -> Verdict:
        """Whether a draft that the check lets through is English: rule 7."""
        reader = self._writer
        if not (self._rules.is_checked and isinstance(reader, Proofreader)):
            return Verdict(())

        said = (past.reply for past in prompt.history)
        known = (*prompt.facts, *said, UNKNOWN, self._rules.unknown)
        if is_copied(text, known):
            return Verdict(())

        if self._is_over(plan):
            return Verdict((Problem("language", 0, len(text), "no time to read it over"),))

        opinion = await self._worker.run(lambda: reader.opinion(prompt, text))
        slipped = slips(text, prompt.facts)
        if not opinion.is_doubted(is_slip=bool(slipped)):
            return Verdict(())

        return Verdict(
            tuple(
                Problem("language", start, end, f"no English: {text[start:end]!r}")
                for start, end in sorted({*opinion.spans, *slipped})
            )
        )

    def _is_over(self, plan: Plan) -> bool:
        return plan.deadline_s is not None and self._clock() >= plan.deadline_s

    def _courtesy(self, prompt: Prompt, found: Found | None) -> str:
        """What the settings say to this small talk; empty where it is none, or a fact answers."""
        rules = self._rules
        if not rules.is_checked or not rules.small_talk:
            return ""

        is_factual = kind_of(prompt.question) in FACTUAL and best_fact(prompt, found) is not None
        return "" if is_factual else courtesy(prompt, rules.small_talk)

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

    def _is_silent(self, found: Found | None) -> bool:
        # Where nobody can tell small talk from questions, a greeting would be refused.
        return (
            self._rules.is_checked
            and found is not None
            and found.talk > -math.inf
            and is_silent(found)
        )

    def _check(self, text: str, prompt: Prompt) -> Verdict:
        return check(text, prompt=prompt) if self._rules.is_checked else Verdict(())

    def _fallback(self, prompt: Prompt, found: Found | None) -> Reply:
        is_talk = found is not None and found.talk > CHAT  # no fact answers a greeting
        if is_talk and (polite := makeshift(prompt, self._rules.small_talk)):
            return Reply(polite, "courtesy", 0, 0, forced=False)

        match = best_fact(prompt, found)

        if match is None:
            return Reply(self._rules.unknown, "unknown", 0, 0, forced=False)

        text, _ = self._judge(spoken_part(match.text, prompt.question), prompt, found)
        return Reply(text, "fact", 0, 0, forced=False)


def _as_long_as(given: Sequence[int | None], canvas: int) -> list[int | None]:
    return [*given[:canvas], *[None] * (canvas - len(given))]


def _found(cache: PromptCache) -> Found | None:
    return cache.found if isinstance(cache, Searched) else None
