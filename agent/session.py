"""One talk: what is heard goes to the turn, what the turn wants is done.

    transport.listen ─► hearing ─► TURN ─► speeches ─► replier ─► mouth ─► playback ─► transport
                                    ▲ ▼                                       │
                              time limits  commands                 what was heard ─► conversation

Rule 1. Everything that happens is told to the turn, one event after the other; nothing else decides
        whose turn it is.
Rule 2. All tasks live in one group and end with the talk. None waits for a thread that hangs.
Rule 3. Whatever fails is said once, in an event; the talk goes on (boundary.py). Only a fault of
        the session itself, or of its transport, ends it.
Rule 4. All times are those of the given clock.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from atonce.agent import live_facts, loop_lag
from atonce.agent.boundary import Boundary
from atonce.agent.conversation import Conversation
from atonce.agent.duck import Duck
from atonce.agent.engines import Engines
from atonce.agent.events import (
    ErrorRaised,
    FactsRenewed,
    PlanMade,
    ReplyEnded,
    SessionEvent,
    StateChanged,
    TalkEnded,
)
from atonce.agent.facts import Facts, FixedFacts
from atonce.agent.hearing import Hearing
from atonce.agent.live_facts import LiveFacts, Renew
from atonce.agent.mouth import Mouth
from atonce.agent.pacer import planner_of
from atonce.agent.pipeline import rules_of
from atonce.agent.planning import Planner
from atonce.agent.replier import Replier
from atonce.agent.speeches import Speeches
from atonce.agent.transport import Transport
from atonce.agent.turn import Turn
from atonce.agent.turn_events import (
    Action,
    ButtonPressed,
    ButtonReleased,
    ClearAsked,
    EndTalk,
    Forget,
    MuteAsked,
    QuestionAsked,
    Report,
    SentenceAsked,
    StopAsked,
    TalkStarted,
    TimePassed,
    TurnEvent,
)
from atonce.agent.turn_rules import TurnRules
from atonce.config.schema import Settings
from atonce.speech.listener import Listener

logger = logging.getLogger(__name__)

_FAREWELL_S = 8.0
"""A last sentence has so long to be heard; then the talk is over anyhow."""


class Session:
    """One person's talk with the agent."""

    def __init__(
        self,
        settings: Settings,
        engines: Engines,
        transport: Transport,
        *,
        clock: Callable[[], float],
        listener: Listener | None = None,
        rules: TurnRules | None = None,
        facts: Facts | None = None,
        planner: Planner | None = None,
        observers: Sequence[Callable[[SessionEvent], None]] = (),
    ) -> None:
        """clock: that of the event loop which runs it. listener, rules, facts: as the settings say,
        if not given; facts that are given are kept up by whoever gives them. observers: told what
        the transport is told. ValueError: engines without ears.
        """
        self._clock, self._transport, self._observers = clock, transport, observers
        self._rules = rules or TurnRules.from_settings(settings)
        self._turn = Turn(self._rules)
        self._state = self._turn.state
        self._boundary = Boundary(clock, self._publish)
        self._own_facts = None if facts else _live(settings, clock, self._renew)
        self._read_facts = live_facts.reader(settings, engines)
        self._known_facts: Mapping[str, str] = settings.agent.facts
        self._conversation = Conversation(
            most_turns=settings.turn.history_turns,
            most_words=settings.turn.history_words,
            unheard_s=self._rules.unheard_s,
        )
        self._mouth = Mouth(
            engines.synthesizer, engines.speaking, transport.playback, engines.sentences
        )
        self._planner = planner or planner_of(settings, engines.costs)
        self._replier = self._open_replier(settings, engines, facts)
        self._speeches = self._open_speeches(settings)
        self._hearing = self._open_hearing(settings, engines, listener)
        said = settings.agent.sentences
        self._sentences = [*self._rules.sentences.values(), said.unknown, said.one_moment]
        self._inbox: list[TurnEvent] = []
        self._is_telling, self._last_words = False, ""
        self._changed = asyncio.Event()
        self._over: asyncio.Future[str] | None = None

    def _open_replier(self, settings: Settings, engines: Engines, facts: Facts | None) -> Replier:
        return Replier(
            engines,
            self._mouth,
            self._conversation,
            role=settings.agent.role,
            facts=facts or self._own_facts or FixedFacts(settings.agent.facts),
            rules=rules_of(settings, slowness=engines.slowness),
            planner=self._planner,
            clock=self._clock,
            tell=self._tell,
            publish=self._publish,
        )

    def _open_speeches(self, settings: Settings) -> Speeches:
        return Speeches(
            self._replier,
            self._transport.playback,
            self._conversation,
            self._boundary,
            clock=self._clock,
            tell=self._tell,
            publish=self._publish,
            one_moment=settings.agent.sentences.one_moment,
        )

    def _open_hearing(
        self, settings: Settings, engines: Engines, listener: Listener | None
    ) -> Hearing:
        return Hearing(
            settings,
            engines,
            self._speeches,
            Duck(self._transport.playback),
            self._boundary,
            rules=self._rules,
            listener=listener,
            clock=self._clock,
            tell=self._tell,
            publish=self._publish,
        )

    # ---- commands, from the loop's own thread, while the talk goes on ----

    def ask(self, text: str) -> None:
        """Answer a written question."""
        self._speeches.spoken_end_s = self._clock()
        self._tell(QuestionAsked(self._clock(), text))

    def say(self, text: str) -> None:
        """Have this sentence said."""
        self._tell(SentenceAsked(self._clock(), text))

    def stop(self) -> None:
        """Fall silent."""
        self._tell(StopAsked(self._clock()))

    def clear(self) -> None:
        """Forget the talk so far."""
        self._tell(ClearAsked(self._clock()))

    def mute(self, *, is_muted: bool) -> None:
        """Hear nothing from now on, or hear again."""
        self._hearing.mute(is_muted=is_muted)
        self._tell(MuteAsked(self._clock(), is_muted))

    def press(self) -> None:
        """Push-to-talk: the button is held; what was being said before does not count."""
        self._tell(ButtonPressed(self._clock()))
        self._boundary.spawn(self._hearing.close_utterance())

    def release(self) -> None:
        """Push-to-talk: it is let go; what was being said ends there."""
        self._tell(ButtonReleased(self._clock()))
        self._boundary.spawn(self._hearing.close_utterance())

    def choose_steps(self, steps: int | None) -> None:
        """Write with this K; None: as planned. What the settings do not allow is brought in."""
        self._replier.steps = steps

    def end(self) -> None:
        """Say goodbye, and then be over."""
        self._last_words = self._rules.sentences.get("goodbye", "")

        if not self._last_words:
            self._finish("ended")
            return

        self.stop()
        self.say(self._last_words)
        asyncio.get_running_loop().call_later(_FAREWELL_S, self._finish, "ended")

    # ---- the talk ----

    async def run(self) -> None:
        """Talk until the person is gone, says goodbye, or is silent for too long."""
        self._over = asyncio.get_running_loop().create_future()
        reason = "cancelled"

        try:
            async with asyncio.TaskGroup() as group:
                self._boundary.open(group)
                self._begin()
                reason = await self._over
                self._boundary.close()
        finally:
            self._boundary.close()
            self._speeches.silence()
            self._publish(TalkEnded(self._clock(), reason))

    def _begin(self) -> None:
        spawn = self._boundary.spawn

        if self._planner.complaint is not None:
            logger.warning("%s", self._planner.complaint)
            self._publish(ErrorRaised(self._clock(), self._planner.complaint))

        for work in (self._listen(), self._keep_time(), self._hearing.transcribe()):
            spawn(work, failed=lambda: self._finish("error"))

        spawn(loop_lag.measure(self._clock, self._publish))
        spawn(self._mouth.prepare([text for text in self._sentences if text]))

        if self._own_facts is not None:
            spawn(self._own_facts.run())

        self._tell(TalkStarted(self._clock()))

    def _finish(self, reason: str) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_result(reason)

    async def _listen(self) -> None:
        await self._hearing.listen(self._transport.listen(), self._turn)
        self._finish("closed")

    async def _keep_time(self) -> None:
        while True:
            self._changed.clear()
            due_s = self._turn.due_s
            wait_s = None if due_s is None else max(0.0, due_s - self._clock())

            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                # The loop may wake a nanosecond early.
                self._tell(TimePassed(max(self._clock(), due_s or 0.0)))

    # ---- what happens is told to the turn, what it wants is done ----

    def _tell(self, event: TurnEvent) -> None:
        """One after the other, also where an action has something to tell."""
        self._inbox.append(event)

        if self._is_telling or not self._boundary.is_open:
            return

        self._is_telling = True

        try:
            while self._inbox:
                for action in self._turn.receive(self._inbox.pop(0)):
                    self._do(action)

                if self._turn.state != self._state:
                    self._state = self._turn.state
                    self._publish(StateChanged(self._clock(), self._state))
        finally:
            self._is_telling = False

        self._changed.set()

    def _do(self, action: Action) -> None:
        match action:
            case Forget():
                self._conversation.clear()
            case EndTalk():
                self._finish(action.reason)
            case Report():
                self._report(action)
            case _:
                self._speeches.do(action)

    async def _renew(self, facts: Mapping[str, str]) -> None:
        """Facts changed: the writer reads them now, not when the next question has come."""
        await self._read_facts(facts)
        await self._replier.read_ahead()
        known, self._known_facts = self._known_facts, dict(facts)
        changed = [name for name, fact in facts.items() if known.get(name) != fact]
        self._publish(FactsRenewed(self._clock(), tuple(changed)))

    def _report(self, report: Report) -> None:
        if report.is_fault:
            logger.warning("%s while %s", report.message, report.state)
            self._publish(ErrorRaised(self._clock(), report.message))
        else:
            logger.info("%s while %s", report.message, report.state)

    def _publish(self, event: SessionEvent) -> None:
        self._transport.publish(event)
        self._planner.observe(event)

        if isinstance(event, PlanMade):
            self._hearing.read_partials(are_read=self._planner.reads_partials)

        for observe in self._observers:
            observe(event)

        if isinstance(event, ReplyEnded) and event.heard == self._last_words != "":
            self._finish("ended")


def _live(settings: Settings, clock: Callable[[], float], renew: Renew) -> LiveFacts | None:
    return (
        LiveFacts(settings.agent, clock=clock, renew=renew) if settings.agent.live_facts else None
    )
