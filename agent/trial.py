"""Turns of scenario packs through the run-time path: prompt, writer, check, repair, fallbacks.

Rule 1. A prompt is built as at run time, from all facts, and read once for all ways of writing.
Rule 2. The first drafts of several turns and plans are written side by side where the engine can
        do that; a reply is then checked and repaired by the very `ReplyWriter` of a talk.
Rule 3. What was done is kept at once (trial_log.py): a trial that is stopped goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Protocol, runtime_checkable

from atonce.agent.early_draft import EarlyDraft
from atonce.agent.events import Event
from atonce.agent.knowledge import build_prompt
from atonce.agent.pipeline import rules_of
from atonce.agent.refining import begin
from atonce.agent.reply import ReplyRules, ReplyWriter
from atonce.agent.trial_log import Told, TrialLog
from atonce.agent.worker import Runner
from atonce.config.schema import Settings
from atonce.llm.clues import Clues
from atonce.llm.corpus import Example
from atonce.llm.evaluation import Written, ranks_by_words, ranks_told
from atonce.llm.joining import add_parts, joined
from atonce.llm.lessons import partial_question
from atonce.llm.proofreading import Proofreader
from atonce.llm.protocols import Draft, Plan, Prompt, PromptCache, Writer
from atonce.llm.rows import Row, Rows
from atonce.llm.scoring import judge

TOGETHER = 24
"""Rows in one pass of the model."""
TIMED = 12
"""Turns whose replies are written alone, to take the time."""
FALLBACKS = frozenset({"twin", "fact", "courtesy", "unknown"})
"""Sources that no writer counts as its own."""


@dataclass(frozen=True, slots=True)
class Way:
    """One row of the table: how replies are written."""

    plan: Plan
    """Steps, canvas, rule."""
    is_checked: bool
    """With check, repair and fallbacks, as the agent speaks; or as it was drafted."""
    is_early: bool = False
    """The draft is a reply to half of the question, and what still stands of it is kept."""

    @property
    def name(self) -> str:
        """In the log: all that a reply depends on besides turn and engine."""
        begun = " from half the question" if self.is_early else ""
        return f"{self.plan!r} {'checked' if self.is_checked else 'as drafted'}{begun}"


@dataclass(frozen=True, slots=True)
class Trial:
    """Who writes, and how a reply is settled."""

    writer: Writer
    """The engine."""
    worker: Runner
    """Its thread."""
    rules: ReplyRules
    """Repairs, and what is said when nothing else may be; plan and check are each way's own."""
    log: TrialLog
    """What was done before, and is done now."""
    twin: Writer | None = None
    """Who may try where the writer's replies all fail; None: nobody."""

    async def run(
        self, examples: Sequence[Example], ways: Sequence[Way], tell: Callable[[int], None]
    ) -> None:
        """Write every turn in every way; `tell` gets the number of turns that are done."""
        plans = list(dict.fromkeys(way.plan for way in ways))
        at_once = max(1, TOGETHER // len(plans))
        timed = max(1, len(examples) // TIMED)
        done = 0
        waiting: list[Example] = []
        for place, example in enumerate(examples):
            if self.log.has(example.prompt, [way.name for way in ways]):
                done += 1
            elif place % timed == 0:
                await self._write([example], ways, is_timed=True)
                done += 1
            else:
                waiting.append(example)

            if len(waiting) == at_once or (waiting and example is examples[-1]):
                await self._write(waiting, ways, is_timed=False)
                done += len(waiting)
                waiting = []

            tell(done)

    async def _write(
        self, examples: Sequence[Example], ways: Sequence[Way], *, is_timed: bool
    ) -> None:
        plans = list(dict.fromkeys(way.plan for way in ways))
        prompts = [prompt_of(example) for example in examples]
        caches = [
            await self.worker.run(lambda prompt=prompt: self.writer.read(prompt))  # type: ignore[misc]
            for prompt in prompts
        ]
        asked = [(cache, plan) for cache in caches for plan in plans]
        drafted = iter(await self.worker.run(lambda: write(self.writer, asked, is_alone=is_timed)))
        for example, prompt, cache in zip(examples, prompts, caches, strict=True):
            first = {plan: next(drafted) for plan in plans}
            told = {way.name: await self._settle(prompt, cache, way, first) for way in ways}
            self.log.add(example.prompt, told, ranks(example, cache))

    async def run_early(
        self, examples: Sequence[Example], way: Way, tell: Callable[[int], None]
    ) -> None:
        """Write every turn from a draft that was begun when half of it had been said."""
        for done, example in enumerate(examples, 1):
            if not self.log.has(example.prompt, [way.name]):
                prompt = prompt_of(example)
                asked = half(prompt)
                drafts, cache = await self.worker.run(
                    lambda asked=asked, prompt=prompt: refine(  # type: ignore[misc]
                        self.writer, asked, prompt, way.plan
                    )
                )
                told = await self._settle(prompt, cache, way, {way.plan: Drafted(drafts, None)})
                self.log.add(example.prompt, {way.name: told}, ranks(example, cache))

            tell(done)

    async def _settle(
        self, prompt: Prompt, cache: PromptCache, way: Way, first: dict[Plan, Drafted]
    ) -> Told:
        """The reply as it would be spoken, from a first draft that stands."""
        drafted = first[way.plan]
        begun = time.perf_counter()
        rules = replace(self.rules, plan=way.plan, is_checked=way.is_checked)
        ready = Prewritten(self.writer, cache, drafted.drafts)
        writer = ReplyWriter(ready, self.worker, rules, clock=time.perf_counter, twin=self.twin)
        reply = await writer.write(prompt, ignore)
        settled_ms = (time.perf_counter() - begun) * 1000
        ms = None if drafted.ms is None else round(drafted.ms + settled_ms, 1)
        return Told(reply.text, reply.source, reply.steps, reply.repaired, ms)

    def scored(self, examples: Sequence[Example], way: Way) -> list[Written]:
        """The replies that are in the log, with their verdicts, in the order of the turns."""
        return [written(example, self.log.told(example.prompt, way.name)) for example in examples]


@dataclass(frozen=True, slots=True)
class Drafted:
    """A first draft, step by step."""

    drafts: list[Draft]
    """After every step."""
    ms: float | None
    """How long they took; None where others were written at the same time."""


class Prewritten:
    """A writer whose first draft stands; only repairs are written."""

    def __init__(self, writer: Writer, cache: PromptCache, drafts: Sequence[Draft]) -> None:
        self._writer, self._cache, self._drafts = writer, cache, drafts
        self.name, self.languages = writer.name, writer.languages
        self.max_canvas = writer.max_canvas
        if isinstance(writer, Proofreader):
            self.opinion = writer.opinion

    def read(self, prompt: Prompt) -> PromptCache:  # noqa: ARG002
        """It was read."""
        return self._cache

    def write(
        self, cache: PromptCache, plan: Plan, *, given: Sequence[int | None] | None = None
    ) -> Iterator[Draft]:
        """What stands, or a repair of it."""
        if given is None:
            yield from self._drafts
        else:
            yield from self._writer.write(cache, plan, given=given)


def prompt_of(example: Example) -> Prompt:
    """As the agent builds it in a talk."""
    told = example.prompt
    facts = {str(i): fact for i, fact in enumerate(told.facts)}
    return build_prompt(told.role, facts, told.question, told.history)


@runtime_checkable
class SideBySide(Protocol):
    """A writer whose drafts can be written in the same passes of its model."""

    def rows(self, *, most: int) -> Rows:
        """See llm/rows.py."""
        ...


def write(
    writer: Writer, asked: Sequence[tuple[PromptCache, Plan]], *, is_alone: bool
) -> list[Drafted]:
    """Drafts side by side where the engine can do that; is_alone: one by one, with their times."""
    if isinstance(writer, SideBySide) and not is_alone:
        return write_together(writer.rows(most=TOGETHER), asked, most=writer.max_canvas)

    drafted = []
    for cache, plan in asked:
        begun = time.perf_counter()
        drafts = list(writer.write(cache, plan))
        drafted.append(Drafted(drafts, (time.perf_counter() - begun) * 1000))

    return drafted


def write_together(
    rows: Rows, asked: Sequence[tuple[PromptCache, Plan]], *, most: int
) -> list[Drafted]:
    """All drafts in the same passes, those of a reply's parts too; most: positions of a reply."""
    parts = [add_parts(rows, cache, plan, most=most) for cache, plan in asked]
    drafts: dict[Row, list[Draft]] = {row: [] for of_reply in parts for row in of_reply}
    while len(rows):
        for row, draft in rows.step().items():
            drafts[row].append(draft)

    for row in drafts:
        if row.fault:
            raise row.fault

    return [
        Drafted(step_by_step([drafts[row] for row in of_reply], most=most), None)
        for of_reply in parts
    ]


def step_by_step(parts: Sequence[Sequence[Draft]], *, most: int) -> list[Draft]:
    """The drafts of a reply out of those of its parts; a part that has ended stays as it is."""
    steps = max(len(drafts) for drafts in parts)
    return [
        joined([drafts[min(step, len(drafts) - 1)] for drafts in parts], most=most)
        for step in range(steps)
    ]


def half(prompt: Prompt) -> Prompt:
    """The same with the first part of the question alone; whole where it is too short to cut."""
    begun = partial_question(prompt.question, Random(prompt.question))
    return prompt if begun is None else replace(prompt, question=begun)


def refine(
    writer: Writer, early: Prompt, final: Prompt, plan: Plan
) -> tuple[list[Draft], PromptCache]:
    """A reply to half a question made one to the whole, as in a talk (refining.py)."""
    *_, half_way = writer.write(writer.read(early), plan)
    cache = writer.read(final)
    begun = begin(writer, cache, EarlyDraft(early.question, half_way.cells), plan)
    if begun is None:
        return list(writer.write(cache, plan)), cache

    if begun.draft.is_finished:
        return [begun.draft], cache

    return [begun.draft, *writer.write(cache, begun.plan, given=begun.given)], cache


def ranks(example: Example, cache: PromptCache) -> list[int]:
    """The rank of every fact, as the writer was told, see evaluation.py."""
    clues = getattr(cache, "clues", None)
    facts = len(example.prompt.facts)
    return ranks_told(clues, facts) if isinstance(clues, Clues) else ranks_by_words(example)


def settling(settings: Settings) -> str:
    """All of the settings that a reply depends on besides the plan, for the name of the log."""
    rules = replace(rules_of(settings), plan=Plan(1, 1))
    return repr((rules, settings.llm.twin, settings.llm.precision))


def written(example: Example, told: Told) -> Written:
    """A reply with its verdict."""
    is_own = told.source not in FALLBACKS
    verdict = judge(example, told.reply)
    return Written(example, told.reply, verdict, told.steps, told.ms, told.source, is_own)


def ignore(event: Event) -> None:
    """Only the reply is wanted."""
    del event
