"""What the agent says: replies are written and spoken, fixed sentences are spoken.

Rule 1. Everything that is spoken has a number; under it, it waits in the playback until released.
Rule 2. Written and spoken are one task: who cancels it drops the row between two steps, or stops
        the synthesizer between two pieces of sound.
Rule 3. A reply that goes on where it was cut keeps what was heard of it; only the rest is written
        anew and spoken. Where that fails, the rest of the old one is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from atonce.agent.conversation import Continuation, Conversation
from atonce.agent.early_draft import EarlyDraft, goes_on
from atonce.agent.engines import Engines
from atonce.agent.events import (
    ChunkSpoken,
    DraftMade,
    Event,
    NothingToSay,
    PlanMade,
    ReplySettled,
    ReplyStarted,
    ReplyWaits,
    SessionEvent,
)
from atonce.agent.facts import Facts
from atonce.agent.knowledge import build_prompt
from atonce.agent.mouth import Mouth
from atonce.agent.planning import Asked, Planned, Planner
from atonce.agent.reply import Reply, ReplyWriter
from atonce.agent.reply_rules import ReplyRules
from atonce.agent.turn_events import Kind, ReplyFailed, ReplyReady, TurnEvent
from atonce.agent.worker import Stage, Staged
from atonce.llm.editing import kept_until
from atonce.llm.protocols import Cell, Exchange, Prompt
from atonce.speech.protocols import Audio
from atonce.speech.turn_end import completeness
from atonce.speech.word_times import has_words

_REMEMBERED = 4
"""Replies whose canvas is kept: only the last one that was cut can go on."""


@dataclass(slots=True)
class Speech:
    """Something that is said, from its first step to its last sound."""

    number: int
    """Its own."""
    question: str
    """What it answers; empty: nothing was asked."""
    kind: Kind | Literal["one_moment"] | None = None
    """Which of the fixed sentences; None: a reply."""
    text: str = ""
    """As written, once it stands."""
    is_early: bool = False
    """The person may go on: nothing waits for it."""
    is_released: bool = False
    """It may be heard."""
    is_waiting: bool = False
    """Its first sound is in the playback."""
    has_begun: bool = False
    """It was audible."""
    is_whole: bool = False
    """All of its sound is in the playback."""
    cells: tuple[Cell, ...] = field(default=(), repr=False)
    """The canvas it was written on; none where the writer did not write it."""
    is_due: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    """The person has finished, as far as anybody knows."""

    @property
    def tag(self) -> str:
        """Its name in the playback."""
        return one_moment_tag(self.number) if self.kind == "one_moment" else str(self.number)

    def hurry(self) -> None:
        """It is waited for now."""
        self.is_early = False
        self.is_due.set()

    @property
    def stage(self) -> Stage:
        """How urgent its steps are."""
        return Stage.EARLY_DRAFT if self.is_early else Stage.REPLY


def one_moment_tag(reply: int) -> str:
    """The name in the playback of what is said while this reply is late."""
    return f"one moment {reply}"


class Replier:
    """Says what the turn wants said."""

    def __init__(
        self,
        engines: Engines,
        mouth: Mouth,
        conversation: Conversation,
        *,
        role: str,
        facts: Facts,
        rules: ReplyRules,
        planner: Planner,
        clock: Callable[[], float],
        tell: Callable[[TurnEvent], None],
        publish: Callable[[SessionEvent], None],
    ) -> None:
        """facts: asked before every prompt. tell: what the turn has to know."""
        self._engines, self._mouth, self._conversation = engines, mouth, conversation
        self._role, self._facts, self._rules, self._planner = role, facts, rules, planner
        self._clock, self._tell, self._publish = clock, tell, publish
        self.steps: int | None = None
        """K, where somebody chose it; None: as planned."""
        self.acknowledge: Callable[[Speech], None] = lambda _: None
        """Called for a reply that will be late, while it is written."""
        self._early: EarlyDraft | None = None  # the last one, until a reply has been heard
        self._written: deque[tuple[str, tuple[Cell, ...]]] = deque(maxlen=_REMEMBERED)

    async def reply(self, speech: Speech, *, spoken_end_s: float, continues: bool) -> None:
        """Write a reply and speak it."""
        unfinished = self._conversation.continuation() if continues else None

        if unfinished is not None and not has_words(unfinished.text[unfinished.heard_characters :]):
            self._tell(ReplyFailed(self._clock(), speech.number, is_over=True))
            return

        if not self._may_begin(speech):
            await speech.is_due.wait()

        begun_s, asked = self._clock(), speech.question
        self._publish(ReplyStarted(begun_s, speech.number, asked, speech.is_early, continues))
        await self._facts.ask(asked)

        with self._facts.undisturbed():
            planned = self._planned(speech, spoken_end_s)

            if planned.acknowledges:
                self.acknowledge(speech)

            reply = await self._writer(speech).write(
                self._prompt(asked, unfinished),
                self._watched(speech),
                plan=planned.plan,
                given=self._pins(unfinished),
                early=self._begun(asked),
            )

        kept = self._settle(speech, reply, unfinished)
        await self._speak(speech, speech.text[kept:].strip())

    async def sentence(self, speech: Speech, text: str) -> None:
        """Speak a fixed sentence."""
        speech.text = text

        if speech.question:
            self._conversation.settled(speech.number, speech.question, text)

        await self._speak(speech, text)

    async def read_ahead(self, *, stage: Stage = Stage.EARLY_DRAFT) -> None:
        """Read role, facts and the talk so far, so that only the question is left to be read."""
        self._early = None  # what it was for has been answered
        prompt = self._prompt("", None)
        await self._engines.writing.run(lambda: self._engines.writer.read(prompt), stage=stage)

    # ---- writing ----

    def _may_begin(self, speech: Speech) -> bool:
        """Where drafts are given up: only what breaks off waits for its end. All else mostly waits
        for its silence alone, and its reply would only be later."""
        may_go_on = speech.is_early and not self._planner.drafts_early
        return not may_go_on or completeness(speech.question) != "incomplete"

    def _writer(self, speech: Speech) -> ReplyWriter:
        return ReplyWriter(
            self._engines.writer,
            Staged(self._engines.writing, lambda: speech.stage),
            self._rules,
            clock=self._clock,
            twin=self._engines.twin,
        )

    def _planned(self, speech: Speech, spoken_end_s: float) -> Planned:
        at_s = self._clock()
        asked = Asked(at_s, speech.number, speech.question, spoken_end_s, speech.is_early)
        planned = self._planner.plan(asked)

        if self.steps is not None:
            steps = min(max(self.steps, self._rules.plan.min_steps), self._rules.max_steps)
            plan = replace(planned.plan, steps=steps, deadline_s=None)
            planned = Planned(plan, f"K {steps}: chosen by hand")

        self._publish(PlanMade(at_s, planned.plan, planned.reason, speech.number))
        return planned

    def _prompt(self, question: str, unfinished: Continuation | None) -> Prompt:
        history = self._conversation.history()

        if unfinished is not None and _is_last(history, unfinished):
            history = history[:-1]  # what was heard of it stands on the canvas

        return build_prompt(self._role, self._facts.facts(), question, history)

    def _watched(self, speech: Speech) -> Callable[[Event], None]:
        """Hand on what happens, and keep the canvas."""

        def watch(event: Event) -> None:
            if isinstance(event, DraftMade):
                speech.cells = event.draft.cells
                self._early = EarlyDraft(speech.question, speech.cells)

            self._publish(event)

        return watch

    def _begun(self, question: str) -> EarlyDraft | None:
        """A draft for the beginning of this question."""
        early = self._early
        return early if early is not None and goes_on(early.question, question) else None

    def _pins(self, unfinished: Continuation | None) -> list[int | None] | None:
        cells = dict(self._written).get(unfinished.text) if unfinished else None
        return kept_until(cells, unfinished.heard_characters) if unfinished and cells else None

    def _settle(self, speech: Speech, reply: Reply, unfinished: Continuation | None) -> int:
        """Take note of the reply; how many of its first characters were heard before."""
        text, kept = reply.text, 0

        if unfinished is not None:
            kept = unfinished.heard_characters
            heard = unfinished.text[:kept].strip()
            goes_on = text.startswith(heard) and text[kept:].strip() and self._pins(unfinished)
            text = text if goes_on else unfinished.text

        speech.text = text

        if text == reply.text and reply.source == "denoiser":
            self._written.append((text, speech.cells))

        self._conversation.settled(speech.number, speech.question, text, heard_characters=kept)
        self._publish(ReplySettled(self._clock(), reply, speech.number))
        return kept

    # ---- speaking ----

    async def _speak(self, speech: Speech, text: str) -> None:
        def waits(piece: Audio) -> None:
            if speech.kind == "one_moment":
                return

            self._publish(ChunkSpoken(self._clock(), piece.seconds))

            if not speech.is_waiting:
                speech.is_waiting = True
                self._publish(ReplyWaits(self._clock(), speech.number))
                self._tell(ReplyReady(self._clock(), speech.number))

        is_said = await self._mouth.say(
            speech.tag,
            text,
            is_released=lambda: speech.is_released,
            tell=waits,
            is_kept=speech.kind not in (None, "asked"),
        )
        speech.is_whole = is_said

        if not is_said:
            self._publish(NothingToSay(self._clock(), speech.text))
            self._tell(ReplyFailed(self._clock(), speech.number))


def _is_last(history: tuple[Exchange, ...], unfinished: Continuation) -> bool:
    return bool(history) and history[-1].question == unfinished.question
