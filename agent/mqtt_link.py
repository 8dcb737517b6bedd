"""The connection of a kiosk with its broker: messages out, commands in, and back after a fault.

    publish ─► the last of every retained topic ─┐
            └► waiting (MOST_WAITING) ───────────┴─► broker ─► receive

Rule 1. Nothing waits for the broker: publish only notes. What is too much is dropped, the oldest
        first, and counted.
Rule 2. After every connection the subscriptions are made anew, and the last message of every
        retained topic is published anew.
Rule 3. A status that somebody else published on the kiosk's own topic (the will of a connection
        that is long gone) is put right.
Rule 4. A connection that is ended in order says first that the kiosk is gone; for one that is not,
        the broker says it (last will).
Rule 5. After a loss it is looked, under another name, whether another kiosk took this one's place:
        two that throw each other out help nobody, and not every broker tells.
Rule 6. What is wrong is said once, and so is its end; attempts come ever more slowly.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from atonce.agent import mqtt_faults
from atonce.agent.mqtt_messages import Message, Topics, is_there
from atonce.config.errors import SettingsError
from atonce.config.service_settings import KioskSettings

logger = logging.getLogger(__name__)

MOST_WAITING: Final = 100
"""Messages that wait for the broker."""
FIRST_WAIT_S: Final = 1.0
"""Before the second attempt; then twice as long each time …"""
LONGEST_WAIT_S: Final = 60.0
"""… up to a minute, so that a broker that is back is found within one."""
STANDS_S: Final = 10.0
"""A connection that lasted so long was a good one: after it the attempts begin anew."""
KEEP_AWAY_S: Final = 30.0
"""While another kiosk has the name, it is looked so often whether that one is gone."""
PEEK_S: Final = 0.5
"""What is retained comes right behind the answer to a subscription."""
ANSWER_S: Final = 5.0
"""A broker answers at once; one on the other side of the world within a second."""
FAREWELL_S: Final = 2.0
"""A process that is stopped waits no longer for its broker."""
CORRECTED_EVERY_S: Final = 10.0
"""A wrong status is put right so often: two who disagree must not flood the broker."""
_LARGEST_PACKET: Final = 1 << 20
"""Bytes; larger commands are dropped by the broker, and never reach the kiosk's memory."""
_SENT_REMEMBERED: Final = 16
"""Status messages that may still come back."""
_RETAIN_AS_PUBLISHED: Final = SubscribeOptions(qos=1, retainAsPublished=True)
_LIVE_ONLY: Final = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)


@dataclass(frozen=True, slots=True)
class Broker:
    """Where to, and as whom."""

    kiosk: KioskSettings
    """As the settings say."""
    password: str
    """From the environment; empty: none."""
    security: ssl.SSLContext | None
    """For TLS; None: without."""


def security(kiosk: KioskSettings) -> ssl.SSLContext | None:
    """How the connection is encrypted; SettingsError: the authority's file cannot be used."""
    if not kiosk.tls:
        return None

    try:
        return ssl.create_default_context(cafile=kiosk.tls_authority or None)
    except OSError as fault:  # ssl.SSLError is one, too
        raise SettingsError(
            f"kiosk.tls_authority: {kiosk.tls_authority} cannot be used: {fault}"
        ) from fault


class MqttLink:
    """Keeps one kiosk connected."""

    def __init__(
        self,
        broker: Broker,
        topics: Topics,
        *,
        will: Message,
        farewell: Callable[[], Message],
        receive: Callable[[str, bytes, bool], None],
        say: Callable[[str], None],
        chance: random.Random | None = None,
    ) -> None:
        """will: what the broker says when the kiosk is lost; farewell: what the kiosk says before
        it goes. receive: gets name, payload and whether it was retained of each command."""
        self._broker, self._topics = broker, topics
        self._will, self._farewell = will, farewell
        self._receive, self._say = receive, say
        self._chance = chance or random.Random()
        self._retained: dict[str, Message] = {}
        self._waiting: deque[Message] = deque()
        self._sent: deque[bytes] = deque(maxlen=_SENT_REMEMBERED)
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self._echoed = asyncio.Event()
        self._corrected_s = -CORRECTED_EVERY_S
        self._version = aiomqtt.ProtocolVersion.V5
        self._told = ""
        self._was_lost = False
        self.is_connected = False
        """The broker takes messages."""
        self.dropped = 0
        """Messages that were too many."""

    def publish(self, message: Message) -> None:
        """Have it published as soon as the broker takes it. Never blocks."""
        if message.is_retained:
            self._retained[message.topic] = message

            if not self.is_connected:  # each connection begins with the last ones
                return

        while len(self._waiting) >= MOST_WAITING:
            self._waiting.remove(self._least_wanted())
            self.dropped += 1

        self._waiting.append(message)
        self._idle.clear()
        self._changed.set()

    def _least_wanted(self) -> Message:
        """The oldest that only tells of a moment; a retained one tells how things are."""
        return next((one for one in self._waiting if not one.is_retained), self._waiting[0])

    async def run(self) -> NoReturn:
        """Be connected, again and again."""
        failed = 0

        while True:
            began_s = self._now()

            # A task of its own: the loss of a connection marks its task as a cancel does.
            async with asyncio.TaskGroup() as group:
                attempt = group.create_task(self._attempt())

            problem = attempt.result()
            failed = 0 if self._now() - began_s > STANDS_S else failed + 1

            if problem.code == mqtt_faults.OLD_BROKER:
                self._version = aiomqtt.ProtocolVersion.V311
                continue

            self._tell(f"{problem.sentence}; the talk goes on without it")
            await asyncio.sleep(self._wait_s(problem, failed))

    async def _attempt(self) -> mqtt_faults.Problem:
        return await self._taken_over() or await self._stay()

    async def settle(self, seconds: float) -> None:
        """Wait until all is published, but not longer than that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds if self.is_connected else 0):
                await self._idle.wait()

    async def try_once(self) -> str:
        """Connect and subscribe under another name, publish nothing; what is wrong, or nothing."""
        kiosk = self._broker.kiosk

        try:
            async with self._client(will=None, name=self._other_name) as client:
                return await self._subscribe(client)
        except aiomqtt.MqttError as fault:
            found = mqtt_faults.problem(fault, kiosk, was_connected=False)

        if found.code == mqtt_faults.OLD_BROKER and self._is_new:
            self._version = aiomqtt.ProtocolVersion.V311
            return await self.try_once()

        return found.sentence

    # ---- one connection ----

    async def _stay(self) -> mqtt_faults.Problem:
        """From the first word with the broker to the last one; why it was the last."""
        try:
            async with self._client(self._will) as client:
                await self._converse(client)
        except aiomqtt.MqttError as fault:
            kiosk, self._was_lost = self._broker.kiosk, self._was_lost or self.is_connected
            return mqtt_faults.problem(fault, kiosk, was_connected=self.is_connected)
        finally:
            self.is_connected = False
            # The next connection begins with the last one of every retained topic.
            self._waiting = deque(one for one in self._waiting if not one.is_retained)

        raise AssertionError("a connection does not end by itself")

    async def _taken_over(self) -> mqtt_faults.Problem | None:
        """Whether another kiosk is where this one was; None: not, as far as can be told."""
        if not self._was_lost:
            return None

        status = b""

        with contextlib.suppress(aiomqtt.MqttError, TimeoutError):
            async with self._client(None, self._other_name) as client:
                await client.subscribe(self._topics.status, qos=1, timeout=ANSWER_S)
                async with asyncio.timeout(PEEK_S):
                    status = bytes((await anext(aiter(client.messages))).payload or b"")

        if status in self._sent or not is_there(status):
            return None

        sentence = mqtt_faults.taken_over(self._broker.kiosk)
        return mqtt_faults.Problem(sentence, mqtt_faults.TAKEN_OVER)

    async def _converse(self, client: aiomqtt.Client) -> None:
        _heed_cancel()
        self.is_connected, self._was_lost = True, False  # a fault from here on is a loss
        complaint = await self._subscribe(client)
        self._echoed.clear()
        self._waiting.extendleft(reversed(self._retained.values()))
        self._idle.clear()
        self._changed.set()
        self._tell(complaint or f"connected with {mqtt_faults.place(self._broker.kiosk)}")

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._send(client))
                group.create_task(self._take(client))

                if not complaint:
                    group.create_task(self._await_echo())
        except ExceptionGroup as faults:
            fault = mqtt_faults.most_telling(faults)
            raise fault from fault.__cause__  # where the broker's reason stands
        finally:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                await self._say_farewell(client)

    async def _say_farewell(self, client: aiomqtt.Client) -> None:
        message = self._farewell()
        with contextlib.suppress(aiomqtt.MqttError):
            await self._send_one(client, message, FAREWELL_S)

    async def _send(self, client: aiomqtt.Client) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()

            while self._waiting:
                message = self._waiting[0]
                await self._send_one(client, message, ANSWER_S)
                _heed_cancel()

                # Meanwhile the queue may have dropped it, or been made anew.
                if self._waiting and self._waiting[0] is message:
                    self._waiting.popleft()

            self._idle.set()

    async def _send_one(self, client: aiomqtt.Client, message: Message, within_s: float) -> None:
        if message.topic == self._topics.status:
            self._sent.append(message.payload)

        await client.publish(
            message.topic, message.payload, qos=1, retain=message.is_retained, timeout=within_s
        )

    async def _take(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            topic = message.topic.value
            payload = message.payload if isinstance(message.payload, bytes) else b""

            if topic == self._topics.status:
                self._look_at_status(payload, is_retained=message.retain)
            elif message.retain and not payload:
                pass  # somebody clears a topic of what was retained there
            elif (name := self._topics.command(topic)) is not None:
                self._receive(name, payload, message.retain)

    def _look_at_status(self, payload: bytes, *, is_retained: bool) -> None:
        if payload in self._sent:
            self._echoed.set()
            return

        mine = self._retained.get(self._topics.status)
        now_s = self._now()

        if mine and not is_retained and now_s - self._corrected_s >= CORRECTED_EVERY_S:
            self._corrected_s = now_s
            self.publish(mine)

            if is_there(payload):
                self._say(mqtt_faults.shared(self._broker.kiosk))

    async def _await_echo(self) -> None:
        """MQTT 3 does not tell that a message was not taken: the kiosk listens to its own."""
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._echoed.wait()
        except TimeoutError:
            kiosk = self._broker.kiosk
            self._tell(mqtt_faults.no_right(self._topics.status, kiosk))

    async def _subscribe(self, client: aiomqtt.Client) -> str:
        """What is wrong with it; empty: nothing."""
        commands, status = self._topics.commands, self._topics.status

        for topic, options in ((commands, _RETAIN_AS_PUBLISHED), (status, _LIVE_ONLY)):
            how = {"options": options} if self._is_new else {"qos": 1}
            codes = await client.subscribe(topic, timeout=ANSWER_S, **how)
            _heed_cancel()

            if any(mqtt_faults.is_refused(code) for code in codes):
                return mqtt_faults.no_right(topic, self._broker.kiosk)

        return ""

    def _client(self, will: Message | None, name: str = "") -> aiomqtt.Client:
        kiosk, is_new = self._broker.kiosk, self._is_new
        last = aiomqtt.Will(will.topic, will.payload, 1, will.is_retained) if will else None
        limits = Properties(PacketTypes.CONNECT) if is_new else None  # type: ignore[no-untyped-call]

        if limits is not None:
            limits.MaximumPacketSize = _LARGEST_PACKET

        return aiomqtt.Client(
            kiosk.host,
            kiosk.port,
            username=kiosk.username or None,
            password=self._broker.password or None,
            identifier=name or kiosk.client_id,
            protocol=self._version,
            will=last,
            # Commands of an hour ago are nothing to begin with.
            clean_start=True if is_new else 3,
            clean_session=None if is_new else True,
            keepalive=kiosk.keep_alive_s,
            timeout=ANSWER_S,
            max_queued_incoming_messages=MOST_WAITING,
            properties=limits,
            tls_context=self._broker.security,
            logger=logger,
        )

    # ---- how long, and what is said ----

    @property
    def _other_name(self) -> str:
        """Under which it looks without throwing anybody out."""
        return f"{self._broker.kiosk.client_id}-check"

    @property
    def _is_new(self) -> bool:
        return self._version == aiomqtt.ProtocolVersion.V5

    def _wait_s(self, problem: mqtt_faults.Problem, failed: int) -> float:
        if problem.code == mqtt_faults.TAKEN_OVER:
            return KEEP_AWAY_S

        wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** max(0, failed - 1))
        return wait_s * self._chance.uniform(0.5, 1.0)

    def _tell(self, sentence: str) -> None:
        if sentence != self._told:
            self._told = sentence
            self._say(sentence)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _heed_cancel() -> None:
    """End here if this task is to end. aiomqtt waits with asyncio.wait_for, which until Python 3.12
    forgets a cancel that comes at the moment of the answer: the kiosk would never end."""
    task = asyncio.current_task()

    if task is not None and task.cancelling():
        raise asyncio.CancelledError
