"""One browser as a transport: its microphone, what it plays, and a channel for events (WebRTC).

    browser's microphone ─► IncomingSound ─► listen          commands ◄─┐
    browser's loudspeaker ◄─ OutgoingTrack ◄─ playback        events  ──┴─ data channel

Rule 1. Heard is what was sent, less the delay to the client: the page measures that delay and
        tells it; until it does, half the round trip and a usual jitter buffer stand for it.
Rule 2. A stream that stays away is silence at first; when the browser is given up
        (webrtc_presence.py), `listen` ends.
Rule 3. A client that does not read its events loses them, and the loss is counted.
Rule 4. The browser cancels its own echo, so frames carry nothing to cancel.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame

from atonce.agent.events import SessionEvent
from atonce.agent.incoming_sound import RATE_HZ as HEARD_HZ
from atonce.agent.incoming_sound import IncomingSound, held_back_s
from atonce.agent.outgoing_track import RATE_HZ, OutgoingTrack
from atonce.agent.playback import Playback
from atonce.agent.realtime_commands import (
    Ask,
    ChooseSteps,
    Forget,
    Note,
    RealtimeCommands,
    Refuse,
    Stop,
    TellDelay,
)
from atonce.agent.realtime_events import Message, Opening, RealtimeEvents
from atonce.agent.sound_clock import SoundClock
from atonce.agent.transport import FRAME_S, Frame, Transport
from atonce.agent.webrtc_presence import Presence
from atonce.config.errors import UsageError
from atonce.speech.protocols import Audio, Samples

logger = logging.getLogger(__name__)

JITTER_BUFFER_S: Final = 0.06  # what a browser's buffer and loudspeaker hold on a quiet network
MOST_BUFFERED: Final = 256_000  # bytes that wait for the client; some hundred drafts
MOST_WAITING: Final = 256  # messages that wait for the channel to open
PATIENCE_S: Final = 0.8  # without sound for so long silence is heard, so that an endpoint can come
PLACE_EVERY: Final = 5  # frames: ten times a second is as smooth as words are
ROUND_TRIP_EVERY: Final = 50  # frames: once a second
LAST_WORDS_S: Final = 0.5  # time for what was sent to leave before the connection is closed
MOST_CANDIDATES: Final = 100  # a machine has some ten; each one is sent packets to
MOST_MEDIA: Final = 8  # sound and a channel are two; each one opens ports
CLOSE_S: Final = 3.0  # closing takes some milliseconds, or it hangs


class Talker(Protocol):
    """Who obeys the commands of the page; a Session is one."""

    def ask(self, text: str) -> None:
        """Answer a written question."""
        ...

    def stop(self) -> None:
        """Fall silent."""
        ...

    def clear(self) -> None:
        """Forget the talk."""
        ...

    def choose_steps(self, steps: int | None) -> None:
        """Write with this K; None: the watchdog's choice."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How a connection is made, and when it is given up."""

    stun: tuple[str, ...]
    """Servers that tell a machine its outer address; none within one network."""
    ice_timeout_s: float
    """Within which the first sound has to come."""
    close_after_s: float
    """Without sound after which the client is gone."""


class ClientDelay:
    """From sending a sample until it is audible at the client."""

    def __init__(self) -> None:
        self.round_trip_s = 0.0
        """Of the network, as the client's receiver reports tell it; 0: not known yet."""
        self._told_s: float | None = None

    def tell(self, seconds: float) -> None:
        """The client measured it itself."""
        self._told_s = seconds

    @property
    def seconds(self) -> float:
        """The best estimate."""
        return self.round_trip_s / 2 + JITTER_BUFFER_S if self._told_s is None else self._told_s


class WebRtc:
    """The transport of one talk with one browser."""

    def __init__(self, opening: Opening, limits: Limits, *, clock: Callable[[], float]) -> None:
        self.delay = ClientDelay()
        """To the client's loudspeaker."""
        self.gone = asyncio.Event()
        """Nothing more comes from the client."""
        self.lost_messages = 0
        """Events that the client did not read in time."""
        self._opening = opening
        self._limits = limits
        self._clock = clock
        self._playback = Playback(RATE_HZ)
        self._events = RealtimeEvents(began_s=clock())
        self._commands = RealtimeCommands(min_steps=opening.min_steps, max_steps=opening.max_steps)
        servers = [RTCIceServer(urls=url) for url in limits.stun]
        # Without a list, aiortc asks a server on the Internet.
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        self._incoming: asyncio.Queue[MediaStreamTrack] = asyncio.Queue()
        self._outgoing = OutgoingTrack(
            self._playback, clock=clock, delay=lambda: self.delay.seconds
        )
        self._sender: RTCRtpSender | None = None
        self._channel: RTCDataChannel | None = None
        self._waiting: deque[str] = deque(maxlen=MOST_WAITING)
        self._talker: Talker | None = None
        self._place = ""
        self._held_back_s = 0.0  # for which packets wait before they are given out
        self._presence = Presence(
            ice_timeout_s=limits.ice_timeout_s, close_after_s=limits.close_after_s
        )
        self._peer.on("connectionstatechange", self._change)
        self._peer.on("track", self._receive_track)
        self._peer.on("datachannel", self._receive_channel)

    # ---- how it begins and ends ----

    async def answer(self, offer: str) -> str:
        """The answer to a browser's offer (SDP both); UsageError where it is none of sound."""
        if offer.count("a=candidate:") > MOST_CANDIDATES or offer.count("\nm=") > MOST_MEDIA:
            raise UsageError(
                f"the offer is no browser's: it has more than {MOST_MEDIA} media, or more than "
                f"{MOST_CANDIDATES} addresses to try"
            )

        try:
            await self._peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
            sounds = [line for line in self._peer.getTransceivers() if line.kind == "audio"]

            if sounds:
                self._held_back_s = max(held_back_s(line.receiver) for line in sounds)
                self._sender = self._peer.addTrack(self._outgoing)
                await self._peer.setLocalDescription(await self._peer.createAnswer())
        except Exception as fault:  # whatever aiortc makes of bytes from outside
            logger.info("offer refused: %r", fault)
            raise UsageError(
                "this is no offer of a WebRTC connection (SDP): send what createOffer gave"
            ) from fault

        if not sounds:
            raise UsageError("the offer has no sound: add the microphone's track to it")

        return str(self._peer.localDescription.sdp)

    def note_page(self) -> None:
        """The page says that it is there, and will say so again until the connection stands."""
        self._presence.tell(self._clock())

    def obey_with(self, talker: Talker) -> None:
        """From now on this one does what the page asks for."""
        self._talker = talker

    async def close(self) -> None:
        """Let the last messages go, and end the connection; listen ends, too."""
        ends_s = self._clock() + LAST_WORDS_S

        while self._is_open and self._channel is not None and self._channel.bufferedAmount:
            if self._clock() >= ends_s or self.gone.is_set():
                break

            await asyncio.sleep(0.02)

        self._outgoing.stop()

        try:
            async with asyncio.timeout(CLOSE_S):
                await self._peer.close()
        except TimeoutError:
            logger.warning("a connection did not close within %.0f s", CLOSE_S)

    # ---- Transport ----

    @property
    def playback(self) -> Playback:
        """What the person hears."""
        return self._playback

    async def listen(self) -> AsyncIterator[Frame]:
        """The person's sound, 16 kHz; it ends when the browser is gone, or never came."""
        sound, clock = IncomingSound(), SoundClock()
        self._presence.begin(self._clock())

        try:
            async with asyncio.timeout(self._limits.ice_timeout_s):
                track = await self._incoming.get()

            async for heard in self._arriving(track, sound):
                for piece in _timed(heard, clock, self._clock() - self._uplink_s):
                    yield piece
        except (TimeoutError, MediaStreamError):
            logger.info("the browser is gone")
        finally:
            self.gone.set()

    async def _arriving(
        self, track: MediaStreamTrack, sound: IncomingSound
    ) -> AsyncIterator[Audio | None]:
        """What arrives; None where nothing has come for a moment. TimeoutError: it is gone."""
        count = 0

        while True:
            try:
                async with asyncio.timeout(min(PATIENCE_S, self._presence.ends_s - self._clock())):
                    frame = await track.recv()
            except TimeoutError:
                if self._clock() >= self._presence.ends_s:
                    raise

                yield None
                continue

            self._presence.note(self._clock())
            count += 1
            await self._look_around(count)

            if isinstance(frame, AudioFrame):  # a track of sound gives nothing else
                yield sound.convert(frame)

    def publish(self, event: SessionEvent) -> None:
        """Tell the page."""
        for message in self._events.translate(event):
            self._send(message)

    # ---- now and then ----

    def _change(self) -> None:
        if self._peer.connectionState == "connected":
            self._presence.note(self._clock())

    @property
    def _uplink_s(self) -> float:
        return self.delay.round_trip_s / 2 + self._held_back_s

    async def _look_around(self, count: int) -> None:
        """What is done every so many frames."""
        if count % PLACE_EVERY == 0:
            self._tell_place()

        if count % ROUND_TRIP_EVERY == 0 and self._sender is not None:
            for report in (await self._sender.getStats()).values():
                round_trip_s = getattr(report, "roundTripTime", None)
                self.delay.round_trip_s = max(0.0, round_trip_s or self.delay.round_trip_s)

    def _tell_place(self) -> None:
        """How far the reply has sounded."""
        if not self._playback.is_sounding:
            self._place = ""
            return

        place = self._playback.heard(self._clock()).text
        if place != self._place:
            self._place = place
            self._send(self._events.spoken(place))

    # ---- the channel ----

    def _receive_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio":
            self._incoming.put_nowait(track)

    def _receive_channel(self, channel: RTCDataChannel) -> None:
        if self._channel is not None:  # one is enough; a second one would take the events away
            channel.close()
            return

        self._channel = channel
        channel.on("message", self._obey)
        self._send(self._events.opened(self._opening))

        while self._waiting:
            channel.send(self._waiting.popleft())

    @property
    def _is_open(self) -> bool:
        sctp = self._peer.sctp  # its channels do not see at once that the client hung up
        is_secure = sctp is not None and sctp.transport.state == "connected"
        return is_secure and self._channel is not None and self._channel.readyState == "open"

    def _send(self, message: Message) -> None:
        text = json.dumps(message, ensure_ascii=False)

        if self._channel is None:
            self.lost_messages += len(self._waiting) == MOST_WAITING
            self._waiting.append(text)
        elif self._is_open and self._channel.bufferedAmount < MOST_BUFFERED:
            self._channel.send(text)
        else:
            self.lost_messages += 1

    def _obey(self, text: str | bytes) -> None:
        # A microphone that gives nothing is no browser that is gone.
        self._presence.note(self._clock())
        command = self._commands.receive(text)

        match command:
            case Refuse():
                self._send(self._events.refusal(command.code, command.message, command.cause))
            case TellDelay():
                self.delay.tell(command.delay_s)
            case Note():
                for message in self._events.item_noted(command.item, command.text):
                    self._send(message)
            case _ if self._talker is None:
                self._send(self._events.refusal("not_ready", "the talk has not begun: try again"))
            case _:
                self._pass_on(command, self._talker)

    def _pass_on(self, command: Ask | Stop | Forget | ChooseSteps, talker: Talker) -> None:
        match command:
            case Ask():
                self._events.asked()
                talker.ask(command.text)
            case Stop():
                is_there = self._events.cancel()

                if command.wants_reply and not is_there:
                    told = "no reply is on its way: there is nothing to cancel"
                    self._send(
                        self._events.refusal("response_cancel_not_active", told, command.cause)
                    )
                    return

                talker.stop()
            case Forget():
                talker.clear()
            case ChooseSteps():
                talker.choose_steps(command.steps)
                self._send(self._events.steps_chosen(command.steps))


def _timed(heard: Audio | None, clock: SoundClock, at_s: float) -> Iterator[Frame]:
    """Sound with its time on an even clock, or silence for the time in which nothing came."""
    if heard is None:
        while (end_s := clock.end_s) is not None and at_s - end_s >= FRAME_S:
            clock.skip(FRAME_S)
            yield _frame(_silence(FRAME_S), clock.end_s or at_s)
    elif len(heard.samples) and not clock.is_too_late(heard.seconds, at_s):
        missing_s = clock.receive(heard.seconds, at_s)
        samples = np.concatenate([_silence(missing_s), heard.samples])
        yield _frame(samples, clock.end_s or at_s)


def _silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * HEARD_HZ), np.float32)


def _frame(samples: Samples, at_s: float) -> Frame:
    return Frame(Audio(samples, HEARD_HZ), None, at_s)


_: type[Transport] = WebRtc
