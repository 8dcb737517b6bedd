"""The talks of a kiosk, one after the other, and the commands to them.

Rule 1. When a person has said goodbye, or nobody has spoken for a while, everything of the talk is
        forgotten, and K, volume and mute are as at the start.
Rule 2. A talk that fails is followed by another; only one that fails again and again ends the
        kiosk, so that whoever watches over it starts it afresh.
Rule 3. Commands are done in the event loop, at once; none waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Final

from atonce.agent.ears import open_listener
from atonce.agent.engines import Engines
from atonce.agent.events import ErrorRaised, SessionEvent, TalkEnded
from atonce.agent.kiosk_calm import Calm
from atonce.agent.kiosk_news import KioskNews
from atonce.agent.mqtt_commands import Ask, Asked, Commands, Mute, Say, Stop, Volume
from atonce.agent.mqtt_messages import Message
from atonce.agent.playback import Playback
from atonce.agent.session import Session
from atonce.agent.transport import Frame, Transport
from atonce.agent.turn_rules import TurnRules
from atonce.config.errors import AtonceError, first_fault
from atonce.config.schema import Settings
from atonce.speech.listener import Listener

logger = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.5
"""A talk is forgotten no later than this after its time."""
AGAIN_AFTER_S: Final = 2.0
"""After a talk that failed."""
MOST_FAILURES: Final = 5
"""So many talks in a row may fail …"""
SOUND_AFTER_S: Final = 60.0
"""… one that lasted so long has not."""


class KioskTalk:
    """Talks with whoever comes."""

    def __init__(
        self,
        settings: Settings,
        engines: Engines,
        transport: Transport,
        news: KioskNews,
        commands: Commands,
        *,
        clock: Callable[[], float],
        publish: Callable[[Message], None],
        ears: Callable[[], Listener] | None = None,
        observers: Sequence[Callable[[SessionEvent], None]] = (),
    ) -> None:
        """publish: never blocks. ears: opened for each talk, as the settings say if not given.
        observers: told every event of every talk."""
        self._settings, self._engines, self._transport = settings, engines, transport
        self._news, self._commands, self._publish = news, commands, publish
        self._clock, self._observers = clock, observers
        self._ears = ears or (lambda: open_listener(settings))
        self._calm = Calm(settings.kiosk.clear_after_s)
        self._session: Session | None = None
        self._running: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()
        self._reason = ""
        self._rules = TurnRules.from_settings(settings)

    # ---- commands ----

    def obey(self, asked: Asked) -> None:
        """Do a command that was found good."""
        session = self._session

        if session is None:
            return

        self._calm.touch(self._clock())

        match asked:
            case Ask():
                session.ask(asked.text)
            case Say():
                session.say(asked.text)
            case Stop():
                session.stop()
            case Mute():
                self._turn_dials(is_muted=asked.is_muted, volume=self._news.volume)
            case Volume():
                self._turn_dials(is_muted=self._news.is_muted, volume=asked.volume)

    def end(self) -> None:
        """Say goodbye, if anybody is there, and then be over."""
        self._ending.set()

        if self._session is None or self._running is None:
            return

        if self._calm.is_deserted:
            self._running.cancel()
        else:
            self._session.end()

    # ---- talks ----

    async def run(self) -> None:
        """Until it is ended, or the transport is; AtonceError: talks fail again and again."""
        failures = 0

        while not self._ending.is_set():
            began_s = self._clock()
            await self._talk()

            if self._reason == "closed":
                return

            if self._reason in ("goodbye", "silence"):
                self._forget()
                # Who comes next has not come yet: nobody is there to be greeted.
                self._rules = _without_greeting(self._rules)

            if self._reason == "error":
                failures = 1 if self._clock() - began_s > SOUND_AFTER_S else failures + 1
                await self._rest(failures)

    async def _rest(self, failures: int) -> None:
        if failures >= MOST_FAILURES:
            raise AtonceError(
                f"{failures} talks in a row failed (see above): the kiosk ends, to be started anew"
            )

        try:
            async with asyncio.timeout(AGAIN_AFTER_S):
                await self._ending.wait()
        except TimeoutError:
            pass

    async def _talk(self) -> None:
        """One talk; why it is over stands in _reason afterwards."""
        self._reason = "error"
        self._news.begin()

        try:
            session = self._session = self._opened()
            self._turn_dials(is_muted=self._news.is_muted, volume=self._news.volume)
            self._commands.is_ready = True

            async with asyncio.TaskGroup() as group:
                calming = group.create_task(self._keep_calm(session))
                running = self._running = group.create_task(session.run())
                await asyncio.wait([running])
                calming.cancel()
        except Exception as fault:  # the kiosk goes on, whatever happened to this talk
            self._reason = "error"
            logger.exception("the talk failed")
            self._receive(ErrorRaised(self._clock(), f"the talk failed: {first_fault(fault)}"))
        finally:
            self._commands.is_ready = False
            self._session = None

    def _opened(self) -> Session:
        return Session(
            self._settings,
            self._engines,
            _Overheard(self._transport, self._receive),
            clock=self._clock,
            listener=self._ears(),
            rules=self._rules,
            observers=self._observers,
        )

    def _receive(self, event: SessionEvent) -> None:
        self._calm.receive(event)

        if isinstance(event, TalkEnded):
            self._reason = event.reason

        for message in self._news.receive(event):
            self._publish(message)

    async def _keep_calm(self, session: Session) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            due_s = self._calm.due_s

            if due_s is not None and due_s <= self._clock():
                session.clear()
                session.choose_steps(None)
                self._forget()

    def _forget(self) -> None:
        """The next person finds all as it was at the start."""
        self._calm.settle()
        logger.info("the talk is forgotten")
        self._turn_dials(is_muted=False, volume=100)

    def _turn_dials(self, *, is_muted: bool, volume: int) -> None:
        self._news.is_muted, self._news.volume = is_muted, volume
        self._transport.playback.volume = volume / 100

        if self._session is not None:
            self._session.mute(is_muted=is_muted)

        self._publish(self._news.state)


class _Overheard:
    """A transport of which the kiosk is told what happens."""

    def __init__(self, transport: Transport, told: Callable[[SessionEvent], None]) -> None:
        self._transport, self._told = transport, told

    @property
    def playback(self) -> Playback:
        """What the person hears."""
        return self._transport.playback

    def listen(self) -> AsyncIterator[Frame]:
        """The sound of the person."""
        return self._transport.listen()

    def publish(self, event: SessionEvent) -> None:
        """Something happened."""
        self._told(event)


_: type[Transport] = _Overheard


def _without_greeting(rules: TurnRules) -> TurnRules:
    return replace(rules, sentences={**rules.sentences, "greeting": ""})
