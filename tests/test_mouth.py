"""Texts become sound: one after the other, held, stopped between two pieces, kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from atonce.agent.fakes import Effort, InlineWorker
from atonce.agent.mouth import Mouth, Sentences
from atonce.agent.playback import Playback
from atonce.agent.virtual_time import run
from atonce.agent.worker import Here, Stage
from atonce.config.errors import EngineError
from atonce.speech.protocols import Audio, SpokenWord

RATE = 16_000


class Voice:
    """A piece of 100 ms for every word, each taking 50 ms; it may know its words or not."""

    rate_hz = RATE
    languages = ("en",)

    def __init__(self, effort: Effort, *, tells_words: bool = True, breaks_at: int = 0) -> None:
        self._effort, self._tells, self._breaks_at = effort, tells_words, breaks_at
        self.pieces = 0

    def synthesize(self, text: str) -> Iterator[Audio]:
        for word in text.split():
            self._effort.take(0.05)
            self.pieces += 1

            if self.pieces == self._breaks_at:
                raise EngineError("the voice broke")

            told = (SpokenWord(word, 0.0, 0.1),) if self._tells else ()
            yield Audio(np.full(RATE // 10, 0.3, np.float32), RATE, told)


class Scene:
    """A mouth with all around it."""

    def __init__(self, kept: Sentences | None = None, **voice: object) -> None:
        self.effort = Effort()
        self.voice = Voice(self.effort, **voice)  # type: ignore[arg-type]
        self.playback = Playback(RATE)
        self.speaking = InlineWorker(stage=Stage.SYNTHESIS, effort=self.effort)
        self.mouth = Mouth(self.voice, self.speaking, self.playback, kept)
        self.told: list[float] = []

    async def say(self, number: int, text: str, *, now: bool = True, kept: bool = False) -> bool:
        return await self.mouth.say(
            str(number),
            text,
            is_released=lambda: now,
            tell=lambda piece: self.told.append(piece.seconds),
            is_kept=kept,
        )

    def heard(self, seconds: float) -> str:
        self.playback.take(round(seconds * RATE), 0.0)
        return self.playback.heard(seconds).text


def test_a_text_is_spoken_and_its_words_are_known() -> None:
    async def main() -> str:
        there = Scene()
        assert await there.say(1, "We open at ten.")
        return there.heard(1.0)

    assert run(main()) == "We open at ten."


def test_words_are_known_where_the_voice_does_not_tell_them() -> None:
    async def main() -> tuple[str, str]:
        there = Scene(tells_words=False)
        await there.say(1, "We open at ten.")
        return there.heard(0.2), there.heard(0.9)

    some, all_of_it = run(main())

    assert all_of_it == "We open at ten."
    assert some in ("We", "We open", "We open at")


def test_what_is_not_released_waits() -> None:
    async def main() -> tuple[str, str]:
        there = Scene()
        await there.say(7, "We open at ten.", now=False)
        before = there.heard(1.0)
        there.playback.release("7")
        return before, there.heard(1.0)

    assert run(main()) == ("", "We open at ten.")


def test_two_texts_at_once_come_one_after_the_other() -> None:
    async def main() -> list[str]:
        there = Scene()

        async with asyncio.TaskGroup() as group:
            group.create_task(there.say(1, "one two three"))
            group.create_task(there.say(2, "four five six"))

        there.playback.take(RATE * 3 // 10, 0.0)
        first = there.playback.heard(1.0).text
        there.playback.take(RATE, 0.3)
        return [first, there.playback.heard(9.0).text]

    assert run(main()) == ["one two three", "four five six"]


def test_whoever_is_cancelled_stops_the_voice_between_two_pieces() -> None:
    async def main() -> int:
        there = Scene()

        async with asyncio.TaskGroup() as group:
            task = group.create_task(there.say(1, "one two three four five six seven eight"))
            await asyncio.sleep(0.12)
            task.cancel()
            there.playback.stop(0.12)

        await asyncio.sleep(1.0)
        assert there.playback.waiting_s == 0.0
        assert await there.say(2, "again")
        return there.voice.pieces

    assert run(main()) <= 4


def test_a_voice_that_breaks_leaves_what_is_there_and_ends_it() -> None:
    async def main() -> list[object]:
        there = Scene(breaks_at=3)

        with pytest.raises(EngineError, match="the voice broke"):
            await there.say(1, "one two three four")

        there.heard(1.0)
        return [type(news).__name__ for news in there.playback.news()]

    assert run(main()) == ["PlaybackBegan", "PlaybackEnded"]


def test_a_text_without_words_is_not_spoken() -> None:
    async def main() -> bool:
        return await Scene().say(1, "…")

    assert not run(main())


def test_a_voice_without_sound_is_a_fault() -> None:
    class Mute(Voice):
        def synthesize(self, text: str) -> Iterator[Audio]:  # noqa: ARG002
            yield from ()

    async def main() -> None:
        mouth = Mouth(Mute(Effort()), Here(), Playback(RATE))
        await mouth.say("1", "We open.", is_released=lambda: True, tell=lambda _: None)

    with pytest.raises(EngineError, match=r"no sound for 'We open\.'"):
        run(main())


def test_prepared_sentences_are_there_at_once_also_when_the_voice_is_broken() -> None:
    async def main() -> tuple[int, str]:
        there = Scene()
        await there.mouth.prepare(["I am sorry.", "…", "Goodbye."])
        made = there.voice.pieces
        there.voice.synthesize = None  # type: ignore[assignment,method-assign]
        await there.say(1, "I am sorry.", kept=True)
        return made, there.heard(1.0)

    assert run(main()) == (4, "I am sorry.")


def test_a_sentence_that_comes_again_is_kept_and_a_reply_is_not() -> None:
    async def main() -> tuple[int, int]:
        there = Scene()

        for number in range(3):
            await there.say(number, "One moment.", kept=True)

        kept = there.voice.pieces

        for number in range(3):
            await there.say(10 + number, "We open.")

        return kept, there.voice.pieces

    assert run(main()) == (2, 2 + 6)


def test_preparing_gives_way_to_a_reply() -> None:
    async def main() -> float:
        there = Scene()
        loop = asyncio.get_running_loop()
        long = " ".join(f"word{n}" for n in range(100))

        async with asyncio.TaskGroup() as group:
            group.create_task(there.mouth.prepare([long]))
            await asyncio.sleep(1.0)
            began_s = loop.time()
            await there.say(1, "We open.")
            took_s = loop.time() - began_s

        assert long in there.mouth._kept  # and is done later
        return took_s

    assert run(main()) < 0.2


def test_only_so_many_sentences_are_kept() -> None:
    kept = Sentences()

    for number in range(100):
        kept.put(str(number), [])

    assert "99" in kept
    assert "0" not in kept
