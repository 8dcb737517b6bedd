"""A reply that no voice can speak, and a voice that gives no sound, are told as what they are."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from atonce.agent import engines, pipeline
from atonce.agent.cli import main
from atonce.agent.events import ChunkSpoken, Event, NothingToSay
from atonce.config.errors import EngineError
from atonce.config.load import defaults
from atonce.llm.fakes import FakeWriter
from atonce.speech.fakes import FakeSynthesizer
from atonce.speech.protocols import Audio

FAKES = ["llm.engine=fake", "synthesizer.engine=fake", "agent.check=false"]


class Mute(FakeSynthesizer):
    """A voice that never sounds."""

    def synthesize(self, text: str) -> Iterator[Audio]:  # noqa: ARG002
        """No sound at all."""
        yield from ()


async def answer(
    reply: str, emit: list[Event], voice: FakeSynthesizer | None = None
) -> pipeline.Answer:
    """The answer of a writer that always writes the same."""
    settings = defaults(FAKES).settings
    loaded = await engines.load(settings, hears=False)
    loaded = replace(loaded, writer=FakeWriter(lambda _prompt: reply))
    loaded = replace(loaded, synthesizer=voice) if voice else loaded
    return await pipeline.answer("Hello?", settings, loaded, emit=emit.append)


def test_a_reply_without_words_is_an_event_and_has_no_sound() -> None:
    events: list[Event] = []
    given = asyncio.run(answer("... 🎉", events))

    assert given.reply is not None
    assert given.audio is None
    assert [event.text for event in events if isinstance(event, NothingToSay)] == ["... 🎉"]
    assert not any(isinstance(event, ChunkSpoken) for event in events)


def test_a_piece_without_words_is_skipped_and_the_rest_is_spoken() -> None:
    events: list[Event] = []
    given = asyncio.run(answer("🎉 ... Come in! ***", events))

    assert given.audio is not None
    assert not any(isinstance(event, NothingToSay) for event in events)
    assert len([event for event in events if isinstance(event, ChunkSpoken)]) == 1


def test_a_voice_that_gives_no_sound_is_a_fault_of_the_voice() -> None:
    with pytest.raises(EngineError, match=r"the synthesizer gave no sound for 'Come in!'"):
        asyncio.run(answer("Come in!", [], Mute()))


def test_the_command_says_that_the_reply_cannot_be_spoken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("place.yaml").write_text("agent:\n  facts:\n    only: '... 🎉'\n", encoding="utf-8")
    overrides = [argument for fake in FAKES for argument in ("--set", fake)]

    assert main(["ask", "--config", "place.yaml", "--text", "Hello?", *overrides]) == 1
    assert "'... 🎉' holds nothing that can be spoken" in capsys.readouterr().err
    assert not Path("reply.wav").exists()
