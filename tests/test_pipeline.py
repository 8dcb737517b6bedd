"""One turn from Python, with the fakes that ship."""

import asyncio

import numpy as np
import pytest

from atonce.agent import engines, pipeline
from atonce.agent.events import ChunkSpoken, Event, QuestionHeard
from atonce.agent.worker import Worker
from atonce.config.errors import ModelError, SettingsError
from atonce.config.load import defaults
from atonce.config.schema import Settings
from atonce.speech.protocols import Audio

FAKES = ["llm.engine=fake", "synthesizer.engine=fake", "transcriber.engine=fake"]


def fakes(*overrides: str) -> Settings:
    return defaults([*FAKES, *overrides]).settings


def sound(level: float) -> Audio:
    return Audio(np.full(16_000, level, np.float32), 16_000)


def test_what_is_heard_is_answered_and_spoken() -> None:
    events: list[Event] = []

    async def turn() -> pipeline.Answer:
        loaded = await engines.load(fakes())
        return await pipeline.answer(sound(0.3), fakes(), loaded, emit=events.append)

    answer = asyncio.run(turn())
    spoken = [event.seconds for event in events if isinstance(event, ChunkSpoken)]

    assert answer.heard == "When do you open?"
    assert answer.reply is not None
    assert answer.audio is not None
    assert "9:30 am" in answer.reply.text
    assert isinstance(events[0], QuestionHeard)
    assert sum(spoken) == pytest.approx(answer.audio.seconds)
    assert [event.at_s for event in events] == sorted(event.at_s for event in events)


def test_silence_is_not_answered() -> None:
    async def turn() -> pipeline.Answer:
        return await pipeline.answer(sound(0.0), fakes(), await engines.load(fakes()))

    assert asyncio.run(turn()) == pipeline.Answer("", None, None)


def test_engines_without_ears_say_so_when_they_are_given_sound() -> None:
    async def turn() -> pipeline.Answer:
        loaded = await engines.load(fakes(), hears=False)
        return await pipeline.answer(sound(0.3), fakes(), loaded)

    with pytest.raises(ValueError, match="hears=True"):
        asyncio.run(turn())


def test_a_language_that_an_engine_does_not_serve_is_refused_at_the_start() -> None:
    with pytest.raises(SettingsError, match=r"transcriber\.language is de, but the llm engine"):
        asyncio.run(engines.load(fakes("transcriber.language=de")))


@pytest.mark.models
def test_a_canvas_longer_than_the_engine_takes_is_refused_at_the_start() -> None:
    settings = defaults([*FAKES[1:], "llm.canvas=400"]).settings

    with pytest.raises(SettingsError, match=r"llm\.canvas is 400, but the engine embedded"):
        asyncio.run(engines.load(settings))


def test_the_first_fault_of_several_engines_is_the_one_that_is_told() -> None:
    settings = fakes("synthesizer.engine=piper", "synthesizer.voice=no-such-voice.onnx")

    with pytest.raises(ModelError, match=r"no-such-voice\.onnx"):
        asyncio.run(engines.load(settings))


def test_a_worker_runs_one_call_after_the_other_and_hands_on_faults() -> None:
    async def work() -> list[int]:
        worker = Worker("test")

        with pytest.raises(ZeroDivisionError):
            await worker.run(lambda: 1 // 0)

        return [item async for item in worker.iterate(iter(range(5)))]

    assert asyncio.run(work()) == list(range(5))


def test_a_reply_that_is_cancelled_stops_between_two_items() -> None:
    taken: list[int] = []

    def items() -> object:
        for item in range(1000):
            taken.append(item)
            yield item

    async def work() -> None:
        async for item in Worker("test").iterate(items()):  # type: ignore[arg-type]
            if item == 3:
                return

    asyncio.run(work())
    assert len(taken) <= 5


def test_how_slow_a_voice_is_is_measured_where_replies_are_to_last_a_given_time() -> None:
    asked = asyncio.run(engines.load(fakes("agent.reply_s=6"), hears=False))
    free = asyncio.run(engines.load(fakes(), hears=False))

    assert free.slowness == 1.0
    # The fake hums 60 ms for every character.
    assert asked.slowness == pytest.approx(0.06 * len(engines.PROBE) / engines.PROBE_S, rel=0.1)
    rules = pipeline.rules_of(fakes("agent.reply_s=6"), slowness=asked.slowness)
    assert rules.reply_s * asked.slowness == pytest.approx(6)
