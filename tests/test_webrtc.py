"""A browser's connection, with aiortc in the browser's place, over this machine's own network."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtp import RtpPacket
from av import AudioFrame

from atonce.agent import events as e
from atonce.agent.incoming_sound import AsTheyCome, IncomingSound, held_back_s
from atonce.agent.outgoing_track import RATE_HZ
from atonce.agent.realtime_events import Opening
from atonce.agent.transport import FRAME_S, Frame
from atonce.agent.webrtc import JITTER_BUFFER_S, ClientDelay, Limits, WebRtc
from atonce.agent.webrtc_presence import Presence
from atonce.config.errors import UsageError
from atonce.speech.protocols import Audio

OPENING = Opening("call_1", "dllm", steps=4, min_steps=2, max_steps=12, is_watched=True)
LIMITS = Limits((), ice_timeout_s=5.0, close_after_s=0.4)
TONE_HZ, ANSWER_HZ = 440.0, 1000.0


def stereo(number: int, *, hz: float = TONE_HZ, samples: int = 960) -> AudioFrame:
    """A frame of a tone as browsers send it: 48 kHz, two channels, 16 bits."""
    at = (np.arange(samples) + number * 960) / RATE_HZ
    tone = np.round(8000 * np.sin(2 * np.pi * hz * at)).astype(np.int16)
    frame = AudioFrame.from_ndarray(np.repeat(tone, 2).reshape(1, -1), "s16", "stereo")
    frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, number * 960, Fraction(1, RATE_HZ)
    return frame


class Tone(MediaStreamTrack):
    """A microphone that hears a tone, until it is unplugged."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        """Frames so far."""
        self.is_unplugged = False

    async def recv(self) -> AudioFrame:
        await (asyncio.Event().wait() if self.is_unplugged else asyncio.sleep(0.02))
        self.number += 1
        return stereo(self.number)


@dataclass
class Talker:
    """Notes what it is asked for."""

    asked: list[object] = field(default_factory=list)

    def ask(self, text: str) -> None:
        self.asked.append(text)

    def stop(self) -> None:
        self.asked.append("stop")

    def clear(self) -> None:
        self.asked.append("clear")

    def choose_steps(self, steps: int | None) -> None:
        self.asked.append(steps)


class Client:
    """The browser's side."""

    def __init__(self) -> None:
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.microphone = Tone()
        self.messages: list[dict[str, Any]] = []
        self.heard: asyncio.Queue[MediaStreamTrack] = asyncio.Queue()
        self.peer.addTrack(self.microphone)
        self.channel = self.peer.createDataChannel("oai-events")
        self.channel.on("message", lambda text: self.messages.append(json.loads(text)))
        self.peer.on("track", self.heard.put_nowait)

    async def call(self, browser: WebRtc) -> None:
        await self.peer.setLocalDescription(await self.peer.createOffer())
        answer = await browser.answer(self.peer.localDescription.sdp)
        await self.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    def told(self, name: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == name]


Step = Callable[[WebRtc, Client, AsyncIterator[Frame]], Awaitable[None]]


def connected(step: Step, limits: Limits = LIMITS) -> None:
    """Run a step over a connection that stands."""

    async def live() -> None:
        browser = WebRtc(OPENING, limits, clock=asyncio.get_running_loop().time)
        client = Client()

        async with asyncio.timeout(30):
            try:
                await client.call(browser)
                await step(browser, client, browser.listen())
            finally:
                await client.peer.close()
                await browser.close()

    asyncio.run(live())


async def listened(sound: AsyncIterator[Frame], until: Callable[[], object]) -> list[Frame]:
    """Listen until something is true."""
    frames = []

    while not until():
        frames.append(await anext(sound))

    return frames


def loudest_hz(audio: Audio) -> float:
    spectrum = np.abs(np.fft.rfft(audio.samples))
    return float(np.fft.rfftfreq(len(audio.samples), 1 / audio.rate_hz)[spectrum.argmax()])


def test_what_the_browser_s_microphone_hears_arrives_as_16_khz_mono() -> None:
    async def step(_: WebRtc, __: Client, sound: AsyncIterator[Frame]) -> None:
        frames: list[Frame] = []
        async for frame in sound:
            frames.append(frame)
            if len(frames) == 60:
                break

        rates = {frame.heard.rate_hz for frame in frames}
        heard = Audio(np.concatenate([frame.heard.samples for frame in frames[10:]]), 16_000)
        assert rates == {16_000}
        assert all(frame.played is None for frame in frames)
        assert loudest_hz(heard) == pytest.approx(TONE_HZ, abs=5)
        assert np.abs(heard.samples).max() == pytest.approx(8000 / 32768, abs=0.03)
        times = [frame.at_s for frame in frames]
        assert times == sorted(times)

    connected(step)


def test_what_the_agent_says_is_heard_at_the_other_end() -> None:
    async def step(browser: WebRtc, client: Client, sound: AsyncIterator[Frame]) -> None:
        tone = 0.3 * np.sin(2 * np.pi * ANSWER_HZ * np.arange(2 * RATE_HZ) / RATE_HZ)
        browser.playback.put(Audio(tone.astype(np.float32), RATE_HZ))
        track = await client.heard.get()
        pieces = []

        async def hear() -> None:
            while sum(map(len, pieces)) < RATE_HZ:
                frame = await track.recv()
                left = frame.to_ndarray().reshape(-1, 2)[:, 0] / 32768
                if np.abs(left).max() > 0.1:
                    pieces.append(left.astype(np.float32))

        async with asyncio.TaskGroup() as group:
            listening = group.create_task(listened(sound, lambda: False))
            await hear()
            listening.cancel()

        assert loudest_hz(Audio(np.concatenate(pieces), RATE_HZ)) == pytest.approx(ANSWER_HZ, abs=5)

    connected(step)


def test_sound_is_not_held_back_on_its_way_in() -> None:
    """aiortc's own four frames of waiting are private to it: this shows when they have moved."""

    async def step(browser: WebRtc, _: Client, sound: AsyncIterator[Frame]) -> None:
        await anext(sound)
        (line,) = browser._peer.getTransceivers()
        assert held_back_s(line.receiver) == 0.08  # it is ours already
        assert browser._held_back_s == 0

    connected(step)


def test_a_lost_packet_is_a_moment_of_silence_and_delays_nothing() -> None:
    """aiortc's own buffer was silent for 0.3 s, and everything was heard so much later from then
    on."""

    async def step(browser: WebRtc, client: Client, _: AsyncIterator[Frame]) -> None:
        transport = client.peer.getSenders()[0].transport
        send, lost = transport._send_rtp, []

        async def lossy(data: bytes) -> None:
            is_sound = data[1] & 0x7F not in range(64, 96)  # the others are reports (RTCP)
            if is_sound and not lost and client.microphone.number > 30:
                lost.append(data)
            else:
                await send(data)

        transport._send_rtp = lossy
        sound, seconds = IncomingSound(), 0.0
        browser._presence.begin(asyncio.get_running_loop().time())
        arriving = browser._arriving(await browser._incoming.get(), sound)
        while client.microphone.number < 60:
            heard = await anext(arriving)
            seconds += heard.seconds if heard else 0.0

        assert lost
        assert sound.lost_s == pytest.approx(FRAME_S)
        assert client.microphone.number * FRAME_S - seconds < 0.2

    connected(step)


def packet(number: int) -> RtpPacket:
    made = RtpPacket(sequence_number=number % 65536, timestamp=number * 960)
    made._data = b"sound"  # type: ignore[attr-defined]  # as aiortc does
    return made


@pytest.mark.parametrize(
    ("came", "given"),
    [
        ([7, 8, 9], [7, 8, 9]),
        ([7, 9, 8, 10], [7, 9, 10]),
        ([7, 7, 8], [7, 8]),
        ([7, 8, 30], [7, 8, 30]),
        ([65535, 65536, 65534, 65537], [65535, 65536, 65537]),
        ([5000, 1], [5000, 1]),  # another stream
    ],
)
def test_packets_are_given_out_as_they_come_and_late_ones_dropped(
    came: list[int], given: list[int]
) -> None:
    order = AsTheyCome()
    frames = [frame for number in came if (frame := order.add(packet(number))[1])]
    assert [frame.timestamp // 960 for frame in frames] == given
    assert order.late == len(came) - len(given)


def test_the_page_is_told_the_talk_s_frame_first_and_then_what_happens() -> None:
    async def step(browser: WebRtc, client: Client, sound: AsyncIterator[Frame]) -> None:
        browser.publish(e.StateChanged(1.0, "listening"))  # before the channel is open
        await anext(sound)
        browser.publish(e.StateChanged(2.0, "hearing"))
        await listened(sound, lambda: len(client.messages) == 3)
        names = [message["type"] for message in client.messages]
        assert names == ["session.created", "atonce.state", "atonce.state"]
        assert client.messages[0]["session"]["atonce"]["max_steps"] == 12

    connected(step)


def test_the_page_s_commands_reach_the_talk_and_foolish_ones_are_refused() -> None:
    async def step(browser: WebRtc, client: Client, sound: AsyncIterator[Frame]) -> None:
        talker = Talker()
        browser.obey_with(talker)
        text = {"type": "input_text", "text": "When do you open?"}
        update = {"type": "session.update", "session": {"atonce": {"steps": 3}}}
        await listened(sound, lambda: bool(client.messages))

        for message in (
            {"type": "conversation.item.create", "item": {"role": "user", "content": [text]}},
            {"type": "response.create"},
            {"type": "response.cancel"},
            {"type": "atonce.forget"},
            update,
            {"type": "atonce.playout", "delay_ms": 120},
            {"type": "no.such"},
        ):
            client.channel.send(json.dumps(message))

        await listened(sound, lambda: client.told("error"))
        assert talker.asked == ["When do you open?", "stop", "clear", 3]
        assert client.told("conversation.item.added")[0]["item"]["content"] == [text]
        assert client.told("session.updated")[0]["session"]["atonce"] == {"steps": 3}
        assert client.told("error")[0]["error"]["code"] == "unknown_type"
        assert browser.delay.seconds == pytest.approx(0.12)

    connected(step)


def test_a_cancel_where_no_reply_is_on_its_way_is_refused_as_in_openai_s_api() -> None:
    async def step(browser: WebRtc, client: Client, sound: AsyncIterator[Frame]) -> None:
        talker = Talker()
        browser.obey_with(talker)
        await listened(sound, lambda: bool(client.messages))
        client.channel.send(json.dumps({"type": "response.cancel", "event_id": "mine"}))
        await listened(sound, lambda: client.told("error"))
        error = client.told("error")[0]["error"]
        assert (error["code"], error["event_id"]) == ("response_cancel_not_active", "mine")
        assert talker.asked == []

    connected(step)


def test_a_second_channel_does_not_take_the_events_away() -> None:
    async def step(browser: WebRtc, client: Client, sound: AsyncIterator[Frame]) -> None:
        await listened(sound, lambda: bool(client.messages))
        second, told = client.peer.createDataChannel("another"), []
        second.on("message", told.append)
        await listened(sound, lambda: second.readyState == "closed")
        browser.publish(e.StateChanged(1.0, "listening"))
        await listened(sound, lambda: client.told("atonce.state"))
        assert told == []
        assert len(client.told("session.created")) == 1

    connected(step)


def test_while_the_agent_speaks_the_page_is_told_the_voice_s_place() -> None:
    async def step(browser: WebRtc, client: Client, sound: AsyncIterator[Frame]) -> None:
        from atonce.speech.protocols import SpokenWord

        browser.publish(e.SentenceSaid(1.0, "greeting", "Hello there."))
        words = (SpokenWord("Hello", 0.0, 0.3), SpokenWord("there.", 0.3, 0.8))
        browser.playback.put(Audio(np.full(2 * RATE_HZ, 0.1, np.float32), RATE_HZ, words))
        await listened(sound, lambda: len(client.told("atonce.spoken")) == 2)

        places = [message["characters"] for message in client.told("atonce.spoken")]
        assert places[-1] == len("Hello there.")

    connected(step)


def test_a_browser_that_closes_ends_the_sound() -> None:
    async def step(browser: WebRtc, client: Client, sound: AsyncIterator[Frame]) -> None:
        async for _ in sound:
            await client.peer.close()

        assert browser.gone.is_set()

    connected(step)


def test_what_is_told_to_a_browser_that_just_hung_up_makes_no_fault() -> None:
    faults: list[object] = []

    async def step(browser: WebRtc, client: Client, sound: AsyncIterator[Frame]) -> None:
        await listened(sound, lambda: client.told("session.created"))
        asyncio.get_running_loop().set_exception_handler(lambda _, told: faults.append(told))
        transport = browser._peer.sctp.transport  # type: ignore[union-attr]
        await client.peer.sctp.transport.stop()  # type: ignore[union-attr]

        while transport.state == "connected":  # noqa: ASYNC110  # it has no event
            await asyncio.sleep(0)

        for _ in range(20):
            browser.publish(e.StateChanged(1.0, "listening"))
            await asyncio.sleep(0.001)

        assert browser.lost_messages == 20

    connected(step)
    gc.collect()
    assert faults == []


def test_a_stream_that_stays_away_is_silence_first_and_then_the_end() -> None:
    async def step(browser: WebRtc, client: Client, sound: AsyncIterator[Frame]) -> None:
        frames = []
        async for frame in sound:
            frames.append(frame)
            client.microphone.is_unplugged = len(frames) >= 20

        assert browser.gone.is_set()
        assert not frames[-1].heard.samples.any()

    connected(step, Limits((), ice_timeout_s=5.0, close_after_s=1.8))


def test_a_browser_that_never_comes_is_not_waited_for_longer_than_allowed() -> None:
    async def live() -> None:
        browser = WebRtc(
            OPENING,
            Limits((), ice_timeout_s=0.1, close_after_s=0.1),
            clock=asyncio.get_running_loop().time,
        )
        assert [frame async for frame in browser.listen()] == []
        await browser.close()

    asyncio.run(live())


def test_a_page_that_is_silent_while_it_connects_is_given_up_as_early_as_one_in_a_talk() -> None:
    presence = Presence(ice_timeout_s=10, close_after_s=4)
    presence.tell(0)
    presence.begin(1)
    assert presence.ends_s == 5
    presence.tell(2)
    assert presence.ends_s == 6
    presence.tell(9)
    assert presence.ends_s == 11  # the connection has to come in time all the same
    presence.note(10)
    assert presence.ends_s == 14
    presence.tell(10.1)  # it came late
    presence.note(12)
    assert presence.ends_s == 16


def test_a_program_need_not_say_that_it_is_there() -> None:
    presence = Presence(ice_timeout_s=10, close_after_s=4)
    presence.begin(1)
    assert presence.ends_s == 11


def test_a_page_that_dies_before_it_is_connected_ends_the_sound_early() -> None:
    async def live() -> None:
        clock = asyncio.get_running_loop().time
        browser = WebRtc(OPENING, Limits((), ice_timeout_s=20.0, close_after_s=0.3), clock=clock)
        client = Client()
        await client.peer.setLocalDescription(await client.peer.createOffer())
        await browser.answer(client.peer.localDescription.sdp)
        browser.note_page()

        async with asyncio.timeout(10):  # it never takes the answer
            assert [frame async for frame in browser.listen() if frame.heard.samples.any()] == []

        assert browser.gone.is_set()
        await client.peer.close()
        await browser.close()

    asyncio.run(live())


@pytest.mark.parametrize("offer", ["", "nonsense", "v=0\r\n", "v=0\r\nm=audio x\r\n", "\0" * 50])
def test_what_is_no_offer_is_refused_in_one_sentence(offer: str) -> None:
    async def live() -> None:
        browser = WebRtc(OPENING, LIMITS, clock=asyncio.get_running_loop().time)
        with pytest.raises(UsageError, match="offer"):
            await browser.answer(offer)

        await browser.close()

    asyncio.run(live())


@pytest.mark.parametrize("line", ["m=audio 9 x 0", "a=candidate:1 1 udp 1 192.0.2.1 9 typ host"])
def test_an_offer_that_makes_the_server_send_to_everywhere_is_refused(line: str) -> None:
    async def live() -> None:
        browser = WebRtc(OPENING, LIMITS, clock=asyncio.get_running_loop().time)
        with pytest.raises(UsageError, match="no browser's"):
            await browser.answer("v=0\r\n" + f"{line}\r\n" * 200)

        await browser.close()

    asyncio.run(live())


def test_an_offer_without_sound_is_refused() -> None:
    async def live() -> None:
        client = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        client.createDataChannel("oai-events")
        await client.setLocalDescription(await client.createOffer())
        browser = WebRtc(OPENING, LIMITS, clock=asyncio.get_running_loop().time)
        with pytest.raises(UsageError, match="no sound"):
            await browser.answer(client.localDescription.sdp)

        await browser.close()
        await client.close()

    asyncio.run(live())


# --- without a connection ---


def test_silence_takes_the_place_of_frames_that_were_lost() -> None:
    sound = IncomingSound()
    for number in (0, 1, 2, 8, 9):
        heard = sound.convert(stereo(number))
        assert heard.seconds == pytest.approx(0.12 if number == 8 else 0.02, abs=0.003)

    assert sound.lost_s == pytest.approx(0.1)


@pytest.mark.parametrize("jump", [-40, 5000])
def test_a_jump_that_no_loss_explains_is_not_filled(jump: int) -> None:
    sound = IncomingSound()
    sound.convert(stereo(100))
    assert sound.convert(stereo(100 + jump)).seconds < 0.03
    assert sound.lost_s == 0


def test_until_the_page_tells_its_delay_half_the_round_trip_and_a_buffer_stand_for_it() -> None:
    delay = ClientDelay()
    assert delay.seconds == JITTER_BUFFER_S
    delay.round_trip_s = 0.04
    assert delay.seconds == pytest.approx(JITTER_BUFFER_S + 0.02)
    delay.tell(0.2)
    assert delay.seconds == 0.2


def test_messages_that_nobody_reads_are_dropped_and_counted() -> None:
    async def live() -> None:
        browser = WebRtc(OPENING, LIMITS, clock=asyncio.get_running_loop().time)
        for _ in range(300):
            browser.publish(e.StateChanged(1.0, "listening"))

        assert browser.lost_messages == 44
        with contextlib.suppress(TimeoutError):
            await browser.close()

    asyncio.run(live())
