"""`atonce kiosk`: talks through the microphone, unattended, and tells over MQTT how it is.

Rule 1. The talk needs no broker: what is wrong with it is said, and the talk goes on.
Rule 2. It is `online` once everything is loaded, was run once, and the devices are open; a device
        that is missing at the start is awaited.
Rule 3. SIGTERM and Ctrl-C end politely: the agent says goodbye, `offline` is published, exit code
        0. A second one ends at once, and the broker says `offline`.
Rule 4. What is printed or logged holds no word of a talk.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from atonce.agent import engines
from atonce.agent.events import ErrorRaised, SessionEvent
from atonce.agent.kiosk_news import KioskNews
from atonce.agent.kiosk_notify import Supervisor
from atonce.agent.kiosk_quiet import hush
from atonce.agent.kiosk_talk import KioskTalk
from atonce.agent.kiosk_warm import warm
from atonce.agent.metrics import Metrics, observers_of, watching
from atonce.agent.microphone import Microphone
from atonce.agent.mqtt_commands import Commands, Refused
from atonce.agent.mqtt_link import FAREWELL_S, Broker, MqttLink, security
from atonce.agent.mqtt_messages import Presence, Presences, Topics
from atonce.agent.native_noise import caught
from atonce.agent.portaudio import PortAudio
from atonce.agent.stopping import STOPPED, end, leave, signals
from atonce.agent.talk import for_microphone
from atonce.config.errors import AtonceError, AudioError, UsageError, first_fault
from atonce.config.load import load
from atonce.config.schema import Settings

logger = logging.getLogger(__name__)

PASSWORD_VARIABLE: Final = "ATONCE_MQTT_PASSWORD"
GOODBYE_S: Final = 9.0
"""A session says goodbye within 8 s; whatever hangs then is cut."""
CUT_S: Final = 4.0
"""Whatever was cut has ended by then, or hangs: the process ends without it, before systemd's
TimeoutStopSec (docs/mqtt.md)."""
LOOK_AGAIN_S: Final = 5.0
"""For a microphone that is not there yet: nobody waits long after plugging one in."""


def run(config: Path | None, overrides: Sequence[str], *, is_check: bool = False) -> int:
    """Be a kiosk until a signal ends it; the exit code. is_check: only say what would be wrong."""
    settings = for_microphone(load(config, overrides).settings)

    if settings.microphone.push_to_talk:
        raise UsageError("a kiosk has no key to push: set microphone.push_to_talk=false")

    broker = Broker(settings.kiosk, os.environ.get(PASSWORD_VARIABLE, ""), security(settings.kiosk))

    if is_check:
        from atonce.agent import kiosk_check

        return kiosk_check.run(settings, broker)

    hush(logging.getLogger().handlers)
    engines.ensure_models(settings, say=_say)

    with caught(), watching(settings) as watched:
        kiosk = Kiosk(settings, broker, watched, say=_say)

        try:
            asyncio.run(kiosk.run())
        except ExceptionGroup as group:
            fault = first_fault(group)

            if not isinstance(fault, AtonceError):
                raise

            kiosk.fault = fault

    end(kiosk.fault, is_hanging=kiosk.is_hanging)
    return 0


class Kiosk:
    """One kiosk, from its start to its end."""

    def __init__(
        self,
        settings: Settings,
        broker: Broker,
        watched: Metrics | None,
        *,
        say: Callable[[str], None],
    ) -> None:
        self.fault: AtonceError | None = None
        """Why it ended, unless it was told to."""
        self._settings, self._broker, self._watched, self._say = settings, broker, watched, say
        kiosk = settings.kiosk
        self._topics = Topics(kiosk.base_topic)
        self._presences = Presences(
            self._topics, version("atonce"), kiosk.commands, kiosk.publish_transcripts
        )
        self._news = KioskNews(self._topics, now=_now, with_words=kiosk.publish_transcripts)
        self._commands = Commands(kiosk.commands)
        self._supervisor = Supervisor()
        self._is_loaded = self._is_stopping = False
        self._microphone: Microphone | None = None
        self._talk: KioskTalk | None = None

    @property
    def is_hanging(self) -> bool:
        """A thread still works, in the loading of a model or in a sound system that hangs."""
        microphone = self._microphone
        return not self._is_loaded or (microphone is not None and microphone.is_hanging)

    async def run(self) -> None:
        """Until it is stopped; AtonceError in a group: it cannot go on."""
        link = self._link = MqttLink(
            self._broker,
            self._topics,
            will=self._presences.of("offline", "the connection was lost", None),
            farewell=lambda: self._presences.of("offline", self._why_over(), _now()),
            receive=self._obey,
            say=self._say,
        )
        self._tell("starting", "loading the models")

        async with asyncio.TaskGroup() as group:
            linking = group.create_task(link.run())
            told = group.create_task(self._supervisor.keep_told())
            serving = group.create_task(self._serve())

            with signals(lambda: self._stop(serving)):
                await asyncio.wait([serving])

            self._supervisor.tell("STOPPING=1")
            await link.settle(FAREWELL_S)
            linking.cancel()
            told.cancel()

    async def _serve(self) -> None:
        self._say("loading the models …")
        loaded = await engines.load(self._settings)
        await warm(self._settings, loaded)
        self._is_loaded = True
        clock = asyncio.get_running_loop().time

        async with contextlib.AsyncExitStack() as stack:
            microphone = await self._open(stack, clock)
            talk = self._talk = KioskTalk(
                self._settings,
                loaded,
                microphone,
                self._news,
                self._commands,
                clock=clock,
                publish=self._link.publish,
                observers=observers_of(self._watched),
            )
            heard, played = microphone.names
            self._say(f"microphone {heard}, loudspeaker {played}")
            self._say("ready")
            self._tell("online", "ready")
            self._supervisor.tell("READY=1")
            await talk.run()

    async def _open(
        self, stack: contextlib.AsyncExitStack, clock: Callable[[], float]
    ) -> Microphone:
        """The devices, as soon as they are there; AudioError: the sound system hangs."""
        section = self._settings.microphone
        told = ""

        while True:
            microphone = self._microphone = Microphone(
                lambda: PortAudio(clock),
                show=self._show,
                clock=clock,
                microphone=section.input,
                loudspeaker=section.output,
                is_cancelled=section.mode == "loudspeakers",
            )

            try:
                return await stack.enter_async_context(microphone)
            except AudioError as fault:
                if microphone.is_hanging:
                    raise

                if str(fault) != told:
                    told = str(fault)
                    self._complain(f"{told} (it is looked for again)")
                    self._tell("starting", "a microphone or a loudspeaker is missing")

            await asyncio.sleep(LOOK_AGAIN_S)

    # ---- what happens ----

    def _show(self, event: SessionEvent) -> None:
        """Troubles of the devices; what happens in the talk goes its own way."""
        if isinstance(event, ErrorRaised):
            self._complain(event.message)

    def _complain(self, message: str) -> None:
        self._say(message)
        self._link.publish(self._news.trouble(message))

    def _obey(self, name: str, payload: bytes, is_retained: bool) -> None:  # noqa: FBT001
        asked = self._commands.read(name, payload, is_retained=is_retained, now=_now())

        if isinstance(asked, Refused):
            self._link.publish(self._news.refusal(asked))
        elif self._talk is not None:
            self._talk.obey(asked)

    def _tell(self, status: Presence, reason: str) -> None:
        self._link.publish(self._presences.of(status, reason, _now()))
        self._supervisor.tell(f"STATUS={status}: {reason}")

    def _why_over(self) -> str:
        return "stopped" if self._is_stopping else "failed"

    def _stop(self, serving: asyncio.Task[None]) -> None:
        if self._is_stopping:
            os._exit(STOPPED)

        self._is_stopping = True
        self._say("stopping; once more to stop at once")

        if self._talk is None:
            self._cut(serving)
            return

        self._talk.end()
        asyncio.get_running_loop().call_later(GOODBYE_S, self._cut, serving)

    def _cut(self, serving: asyncio.Task[None]) -> None:
        serving.cancel()
        asyncio.get_running_loop().call_later(CUT_S, self._leave, serving)

    def _leave(self, serving: asyncio.Task[None]) -> None:
        if not serving.done():
            leave(AtonceError("the talk did not end when it was cut; the kiosk ended without it"))


def _now() -> datetime:
    return datetime.now(UTC)


def _say(line: str) -> None:
    sys.stderr.write(f"atonce: {line}\n")
    sys.stderr.flush()
