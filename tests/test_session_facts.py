"""Facts that change while a talk goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from atonce.agent.engines import Engines
from atonce.agent.events import FactsRenewed, ReplyEnded, SessionEvent
from atonce.agent.facts import Facts
from atonce.agent.playback import Playback
from atonce.agent.session import Session
from atonce.agent.transport import FRAME_S, Frame
from atonce.agent.virtual_time import run
from atonce.agent.worker import Here
from atonce.config.load import load
from atonce.config.schema import Settings
from atonce.llm.fakes import FakePrompt, FakeWriter
from atonce.llm.protocols import Prompt
from atonce.speech.fakes import FakeSynthesizer, FakeTranscriber, FakeVoiceDetector
from atonce.speech.listener import Listener
from atonce.speech.protocols import Audio

RATE = 16_000
BLOCK = round(FRAME_S * RATE)


class Reading(FakeWriter):
    """Remembers what it has read."""

    def __init__(self) -> None:
        super().__init__()
        self.read_prompts: list[Prompt] = []

    def read(self, prompt: Prompt) -> FakePrompt:
        self.read_prompts.append(prompt)
        return super().read(prompt)


class Line:
    """Silence in, and somebody who writes."""

    def __init__(self, seconds: float) -> None:
        self.playback = Playback(RATE)
        self.events: list[SessionEvent] = []
        self._seconds = seconds

    async def listen(self):  # type: ignore[no-untyped-def]
        loop = asyncio.get_running_loop()
        began_s = loop.time()

        for number in range(round(self._seconds / FRAME_S)):
            self.playback.take(BLOCK, began_s + number * FRAME_S)
            at_s = began_s + (number + 1) * FRAME_S
            await asyncio.sleep(at_s - loop.time())
            yield Frame(Audio(np.zeros(BLOCK, np.float32), RATE), None, at_s)

    def publish(self, event: SessionEvent) -> None:
        self.events.append(event)

    @property
    def replies(self) -> list[str]:
        return [event.heard for event in self.events if isinstance(event, ReplyEnded)]


def place(tmp_path: Path, live: Mapping[str, object]) -> Settings:
    path = tmp_path / "place.yaml"
    agent = {
        "facts": {"hours": "We open at 9 am."},
        "live_facts": live,
        "check": False,
        "sentences": {"greeting": ""},
    }
    path.write_text(json.dumps({"agent": agent, "turn": {"silence_prompt_s": 0}}), "utf-8")
    return load(path, with_tuned=False).settings


def talk(
    settings: Settings, *asked: tuple[float, str], facts: Facts | None = None
) -> tuple[Line, Reading]:
    async def main() -> tuple[Line, Reading]:
        loop = asyncio.get_running_loop()
        line, writer = Line(12.0), Reading()
        engines = Engines(FakeTranscriber(), Here(), writer, Here(), FakeSynthesizer(), Here())
        session = Session(
            settings,
            engines,
            line,
            clock=loop.time,
            listener=Listener(FakeVoiceDetector()),
            facts=facts,
        )

        for at_s, text in asked:
            loop.call_later(at_s, session.ask, text)

        await session.run()
        return line, writer

    return run(main())


def test_a_live_fact_is_in_the_answer_and_is_read_before_anybody_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "queue_here.py").write_text("def minutes():\n    return 12\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    live = {"python": "queue_here:minutes", "sentence": "The wait is {value} minutes."}
    line, writer = talk(place(tmp_path, {"wait": live}), (5.0, "How long is the wait?"))
    renewed = [event for event in line.events if isinstance(event, FactsRenewed)]

    assert [event.names for event in renewed] == [("wait",)]
    assert line.replies == ["The wait is 12 minutes."]
    assert writer.read_prompts[0].facts == ("We open at 9 am.", "The wait is 12 minutes.")
    assert writer.read_prompts[0].question == ""


class Slow:
    """A fact that takes a second to find out, and counts how often that is done."""

    def __init__(self) -> None:
        self.found = 0
        self.inside = 0

    def facts(self) -> Mapping[str, str]:
        return {"wait": f"The wait is {self.found} minutes."}

    async def ask(self, question: str) -> None:
        assert question
        await asyncio.sleep(1.0)
        self.found += 1

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        self.inside += 1
        yield
        self.inside -= 1


def test_what_is_asked_for_is_found_out_before_the_reply_is_written(tmp_path: Path) -> None:
    facts = Slow()
    line, writer = talk(place(tmp_path, {}), (1.0, "How long is the wait?"), facts=facts)

    assert line.replies == ["The wait is 1 minutes."]
    assert [p.facts for p in writer.read_prompts if p.question] == [("The wait is 1 minutes.",)]
    assert (facts.found, facts.inside) == (1, 0)


def test_a_talk_without_ears_is_refused(tmp_path: Path) -> None:
    engines = Engines(None, Here(), FakeWriter(), Here(), FakeSynthesizer(), Here())

    with pytest.raises(ValueError, match="hears=True"):
        Session(place(tmp_path, {}), engines, Line(1.0), clock=lambda: 0.0)
