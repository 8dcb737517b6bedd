"""The talks of a kiosk, on a virtual clock, with engines that do as they are told."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fastjsonschema
import numpy as np
import pytest

from atonce.agent.engines import Engines
from atonce.agent.fake_voice import SoundBook, spoken
from atonce.agent.fakes import (
    Costs,
    Effort,
    InlineWorker,
    ScriptedDetector,
    ScriptedSynthesizer,
    ScriptedTranscriber,
    ScriptedWriter,
)
from atonce.agent.kiosk_news import KioskNews
from atonce.agent.kiosk_talk import KioskTalk
from atonce.agent.mqtt_commands import Commands, Refused
from atonce.agent.mqtt_messages import Message, Topics
from atonce.agent.playback import Playback
from atonce.agent.transport import FRAME_S, Frame
from atonce.agent.virtual_time import run
from atonce.agent.worker import Stage
from atonce.config.errors import AtonceError
from atonce.config.load import defaults
from atonce.speech.endpoint import EndpointRules
from atonce.speech.listener import Listener
from atonce.speech.protocols import Audio, Samples

RATE = 16_000
BLOCK = round(FRAME_S * RATE)
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
PAGE = (Path(__file__).parent.parent / "docs" / "mqtt.md").read_text(encoding="utf-8")
SCHEMAS: dict[str, Any] = {
    schema["title"]: fastjsonschema.compile(schema)
    for schema in map(json.loads, re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
    if "title" in schema
}
SETTINGS = [
    "agent.sentences.greeting=Welcome.",
    "turn.silence_prompt_s=0",
    "watchdog.enabled=false",
]
SETTINGS += ["agent.check=false", "kiosk.clear_after_s=20"]
REPLIES = {"open": "We open at ten.", "cost": "It costs eight euros."}


@dataclass(slots=True, repr=False)
class Hall:
    """A transport that is there all day: what is said at which time, and what is heard."""

    sounds: list[tuple[float, Audio]]
    seconds: float
    book: SoundBook
    playback: Playback = field(default_factory=lambda: Playback(RATE))
    played: list[Samples] = field(default_factory=list)
    block: int = 0

    async def listen(self) -> AsyncIterator[Frame]:
        """From where the last one stopped."""
        loop = asyncio.get_running_loop()
        whole = np.zeros(round(self.seconds * RATE), np.float32)

        for at_s, audio in self.sounds:
            first = round(at_s * RATE)
            whole[first : first + len(audio.samples)] += audio.samples

        while self.block < round(self.seconds / FRAME_S):
            self.played.append(self.playback.take(BLOCK, self.block * FRAME_S))
            number, self.block = self.block, self.block + 1
            at_s = (number + 1) * FRAME_S
            await asyncio.sleep(at_s - loop.time())
            yield Frame(Audio(whole[number * BLOCK : (number + 1) * BLOCK], RATE), None, at_s)

    def publish(self, event: object) -> None:
        raise AssertionError(f"the kiosk is told by its session: {event}")

    def loudness(self, from_s: float, until_s: float) -> float:
        """RMS of what is heard in a stretch."""
        heard = np.concatenate(self.played)[round(from_s * RATE) : round(until_s * RATE)]
        return float(np.sqrt(np.square(heard).mean()))


@dataclass(slots=True)
class Day:
    """What came of it."""

    hall: Hall
    writer: ScriptedWriter
    messages: list[tuple[float, str, Any]] = field(default_factory=list)

    def of(self, name: str) -> list[Any]:
        """The contents of all messages on a topic."""
        return [content for _, topic, content in self.messages if topic == name]

    @property
    def asked(self) -> list[Any]:
        """The prompts that were read for a reply."""
        return [prompt for _, prompt in self.writer.prompts if prompt.question]

    def publish(self, message: Message) -> None:
        """Every message fits the schema of the page."""
        name, content = message.topic.removeprefix("hall/"), json.loads(message.payload)
        SCHEMAS[name.title()](content)
        self.messages.append((asyncio.get_running_loop().time(), name, content))


Send = Callable[[float, str, dict[str, object]], None]


def day(
    *said: tuple[float, str],
    seconds: float = 12.0,
    settings: Sequence[str] = (),
    with_words: bool = True,
    during: Callable[[KioskTalk, Send], None] = lambda *_: None,
    change: Callable[[Engines], Engines] = lambda engines: engines,
) -> Day:
    """A day in the hall, on which these words are said at these times."""

    async def main() -> Day:
        loop = asyncio.get_running_loop()
        chosen = defaults([*SETTINGS, *settings]).settings
        book, effort, costs = SoundBook(), Effort(), Costs()
        writer = ScriptedWriter(REPLIES, costs, effort, loop.time)
        engines = Engines(
            ScriptedTranscriber(book, costs, effort, loop.time),
            InlineWorker(stage=Stage.FINAL_TRANSCRIPT, effort=effort),
            writer,
            InlineWorker(stage=Stage.REPLY, effort=effort),
            ScriptedSynthesizer(book, costs, effort, loop.time),
            InlineWorker(stage=Stage.SYNTHESIS, effort=effort),
        )
        sounds = [(at_s, spoken(words)) for at_s, words in said]

        for at_s, sound in sounds:
            book.add(sound, at_s=at_s)

        hall = Hall(sounds, seconds, book)
        one = Day(hall, writer)

        def now() -> datetime:
            return NOW + timedelta(seconds=loop.time())

        news = KioskNews(Topics("hall"), now=now, with_words=with_words)
        commands = Commands(("ask", "say", "stop", "mute", "volume"))
        talk = KioskTalk(
            chosen,
            change(engines),
            hall,
            news,
            commands,
            clock=loop.time,
            publish=one.publish,
            ears=lambda: Listener(ScriptedDetector(), EndpointRules.from_settings(chosen.endpoint)),
        )

        def send(at_s: float, name: str, body: dict[str, object]) -> None:
            def arrive() -> None:
                soon = (now() + timedelta(seconds=5)).isoformat()
                message = {"id": f"at-{at_s}", "expires_at": soon, **body}
                payload = json.dumps(message).encode()
                asked = commands.read(name, payload, is_retained=False, now=now())
                assert not isinstance(asked, Refused), asked
                talk.obey(asked)

            loop.call_later(at_s, arrive)

        during(talk, send)
        await talk.run()
        return one

    return run(main())


QUESTION = (2.5, "When do you open")


def test_a_visitor_is_answered_and_every_state_is_told_in_order() -> None:
    done = day(QUESTION)
    states = [content["state"] for content in done.of("state")]
    told = [state for number, state in enumerate(states) if states[number - 1 : number] != [state]]

    assert told[-5:] == ["listening", "hearing", "thinking", "speaking", "listening"]
    assert [content["text"] for content in done.of("transcript")] == ["When do you open"]
    assert [content["text"] for content in done.of("reply")] == ["Welcome.", "We open at ten."]
    assert done.of("error") == []


def test_privacy_is_the_default_not_a_word_leaves() -> None:
    done = day(QUESTION, with_words=False)

    assert {name for _, name, _ in done.messages} == {"state"}


def test_the_next_visitor_never_meets_the_talk_before() -> None:
    after = [(10.0, "What does it cost"), (42.0, "What does it cost")]
    done = day(QUESTION, *after, seconds=50.0)
    histories = [[past.question for past in prompt.history] for prompt in done.asked]

    assert ["When do you open"] in histories  # 10 s later it is the same talk
    assert histories[-1] == []


def test_k_volume_and_mute_are_as_at_the_start_after_silence() -> None:
    def during(talk: KioskTalk, send: Send) -> None:
        del talk
        send(8.0, "volume", {"volume": 40})
        send(9.0, "mute", {"is_muted": True})

    done = day(QUESTION, seconds=45.0, during=during)
    last = done.of("state")[-1]
    changes = [
        (at_s, it["is_muted"], it["volume"]) for at_s, name, it in done.messages if name == "state"
    ]

    assert (True, 40) in [(muted, volume) for _, muted, volume in changes]
    assert (last["is_muted"], last["volume"]) == (False, 100)
    assert changes[-1][0] == pytest.approx(29.0, abs=1.0)


def test_a_dial_that_was_turned_in_an_empty_hall_goes_back_too() -> None:
    done = day(seconds=45.0, during=lambda _, send: send(5.0, "mute", {"is_muted": True}))

    assert [content["is_muted"] for content in done.of("state")][-2:] == [True, False]


def test_a_question_in_writing_is_answered_aloud() -> None:
    done = day(during=lambda _, send: send(3.0, "ask", {"text": "What does it cost"}))

    assert done.of("transcript")[0]["text"] == "What does it cost"
    assert done.of("reply")[-1]["text"] == "It costs eight euros."
    assert done.hall.loudness(3.0, 8.0) > 0.01


def test_a_sentence_is_said_as_it_is() -> None:
    done = day(during=lambda _, send: send(3.0, "say", {"text": "The museum closes."}))

    assert done.of("reply")[-1]["text"] == "The museum closes."


def test_stop_silences_the_agent_at_once() -> None:
    def during(talk: KioskTalk, send: Send) -> None:
        del talk
        send(3.0, "say", {"text": "This is a long sentence that goes on and on for a while."})
        send(4.0, "stop", {})

    done = day(during=during)
    reply = done.of("reply")[-1]

    assert reply["is_cut"]
    assert done.hall.loudness(3.3, 4.0) > 0.01
    assert done.hall.loudness(4.1, 8.0) == 0.0


def test_mute_keeps_the_visitor_unheard_and_is_taken_back() -> None:
    def during(talk: KioskTalk, send: Send) -> None:
        del talk
        send(2.0, "mute", {"is_muted": True})
        send(8.0, "mute", {"is_muted": False})

    done = day(QUESTION, (9.0, "What does it cost"), seconds=16.0, during=during)

    assert [content["text"] for content in done.of("transcript")] == ["What does it cost"]


def test_volume_is_heard() -> None:
    def during(talk: KioskTalk, send: Send) -> None:
        del talk
        send(3.0, "say", {"text": "One two three four five."})
        send(8.0, "volume", {"volume": 10})
        send(9.0, "say", {"text": "One two three four five."})

    done = day(seconds=15.0, during=during)

    loud, soft = done.hall.loudness(3.0, 8.0), done.hall.loudness(9.0, 14.0)
    assert soft == pytest.approx(0.1 * loud, rel=0.1)


def test_after_a_goodbye_the_next_visitor_is_talked_with_and_nobody_is_greeted() -> None:
    def during(talk: KioskTalk, send: Send) -> None:
        del talk
        send(1.0, "volume", {"volume": 50})

    done = day(QUESTION, (8.0, "Goodbye"), (16.0, "What does it cost"), seconds=24.0, during=during)
    replies = [content["text"] for content in done.of("reply")]

    assert replies.count("Welcome.") == 1
    assert replies[-1] == "It costs eight euros."
    assert done.asked[-1].history == ()
    assert done.of("state")[-1]["volume"] == 100


def test_who_is_there_hears_a_goodbye_when_the_kiosk_ends_and_an_empty_hall_none() -> None:
    def ending(at_s: float) -> Callable[[KioskTalk, Send], None]:
        return lambda talk, _: void(asyncio.get_running_loop().call_later(at_s, talk.end))

    goodbye = defaults().settings.agent.sentences.goodbye
    greeted = 'agent.sentences.greeting=""'
    there = day(QUESTION, seconds=30.0, during=ending(9.0))
    empty = day(seconds=30.0, settings=[greeted], during=ending(9.0))

    assert there.of("reply")[-1]["text"] == goodbye
    assert empty.of("reply") == []
    assert empty.hall.block == pytest.approx(9.0 / FRAME_S, abs=5)


def void(_: object) -> None:
    """For callbacks that give nothing."""


def test_talks_that_fail_again_and_again_end_the_kiosk_with_a_sentence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def deaf(engines: Engines) -> Engines:
        return replace(engines, transcriber=None)

    caplog.set_level(logging.CRITICAL)
    with pytest.raises(AtonceError, match="5 talks in a row failed"):
        day(change=deaf)
