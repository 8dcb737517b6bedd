"""Whole talks in which something fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import numpy as np
import pytest
from session_stage import (
    BLOCK,
    LONG,
    QUIET,
    RATE,
    REPLIES,
    UNCHECKED,
    Phone,
    broken,
    scripted,
    talk,
)

from atonce.agent.events import ErrorRaised, ReplyEnded, TalkEnded
from atonce.agent.fake_voice import SoundBook, spoken
from atonce.agent.fakes import Costs, Effort, ScriptedDetector, as_told
from atonce.agent.session import Session
from atonce.agent.transport import Frame
from atonce.agent.virtual_time import run
from atonce.config.errors import EngineError
from atonce.config.load import defaults
from atonce.speech.listener import Listener
from atonce.speech.protocols import Audio, Samples


@pytest.mark.parametrize(
    ("kind", "method", "times"),
    [("writer", "read", 1), ("writer", "write", 1), ("transcriber", "transcribe", 2)],
)
def test_when_an_engine_fails_it_is_said_and_the_talk_goes_on(
    kind: str, method: str, times: int
) -> None:
    done = talk(
        (0.5, "When do you open"),
        (9.0, "What does it cost"),
        seconds=16,
        settings=["agent.check=false", "agent.sentences.apology=I am sorry."],
        change=broken(kind, method, times),  # two transcripts: of a short pause, and of the end
    )

    assert done.replies == ["I am sorry.", "It costs eight euros."]
    assert [event.message for event in done.phone.of(ErrorRaised)] == [
        f"the engine broke in {method}"
    ]


def test_a_transcript_that_fails_at_a_pause_inside_what_is_said_costs_no_reply_and_no_apology() -> (
    None
):
    done = talk(
        (0.5, "When do you open"),
        seconds=8,
        settings=["agent.check=false", "agent.sentences.apology=I am sorry."],
        change=broken("transcriber", "transcribe"),
    )

    assert done.replies == ["We open at ten."]
    assert len(done.phone.of(ErrorRaised)) == 1


def test_a_synthesizer_that_fails_still_apologises_with_a_sentence_that_was_kept() -> None:
    class Breaks:
        """Fails only for the reply."""

        def __init__(self, inner: object) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> object:
            return getattr(self._inner, name)

        def synthesize(self, text: str) -> Iterator[Audio]:
            if "sorry" not in text:
                raise EngineError("no voice")

            yield from self._inner.synthesize(text)

    done = talk(
        (0.5, "When do you open"),
        settings=["agent.check=false", "agent.sentences.apology=I am sorry."],
        change=lambda engines: replace(engines, synthesizer=Breaks(engines.synthesizer)),
    )

    assert done.replies == ["I am sorry."]


def test_a_voice_that_breaks_off_is_heard_so_far_and_history_says_so() -> None:
    class Hoarse:
        """Speaks ten pieces of a reply, then fails for good."""

        def __init__(self, inner: object) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> object:
            return getattr(self._inner, name)

        def synthesize(self, text: str) -> Iterator[Audio]:
            for number, piece in enumerate(self._inner.synthesize(text)):
                if number == 10:
                    raise EngineError("the voice is gone")

                yield piece

    done = talk(
        (0.5, "Please tell me everything"),
        (16.0, "What does it cost"),
        seconds=22,
        settings=[*UNCHECKED, "agent.sentences.apology=Sorry."],
        change=lambda engines: replace(engines, synthesizer=Hoarse(engines.synthesizer)),
    )
    first = done.phone.of(ReplyEnded)[0]

    assert first.is_cut
    assert LONG.startswith(first.heard.rstrip("…"))
    assert 3 <= len(first.heard.split()) < len(LONG.split())
    assert done.asked[-1].history[0].reply.endswith("…")
    assert done.replies[-1] == "It costs eight euros."


def test_ears_that_fail_are_told_of_once_and_heal() -> None:
    class Deaf(ScriptedDetector):
        left = 20

        def probability(self, frame: Samples) -> float:
            Deaf.left -= 1

            if Deaf.left > 0:
                raise EngineError("the detector broke")

            return super().probability(frame)

    async def main() -> Phone:
        loop = asyncio.get_running_loop()
        chosen = defaults([*QUIET, *UNCHECKED]).settings
        book = SoundBook()
        engines, _ = scripted(book, Effort(), REPLIES, Costs(), as_told)
        phone = Phone([(2.0, spoken("When do you open"))], 9.0, book)
        await Session(chosen, engines, phone, clock=loop.time, listener=Listener(Deaf())).run()
        return phone

    phone = run(main())

    assert [event.message for event in phone.of(ErrorRaised)] == ["the detector broke"]
    assert [event.heard for event in phone.of(ReplyEnded)] == ["We open at ten."]


def test_a_transport_that_fails_ends_the_talk_and_says_why() -> None:
    class Torn(Phone):
        async def listen(self) -> AsyncIterator[Frame]:
            yield Frame(Audio(np.zeros(BLOCK, np.float32), RATE), None, 0.02)
            raise EngineError("the cable is torn")

    async def main() -> Phone:
        loop = asyncio.get_running_loop()
        chosen = defaults([*QUIET, *UNCHECKED]).settings
        engines, _ = scripted(SoundBook(), Effort(), REPLIES, Costs(), as_told)
        phone = Torn([], 1.0, SoundBook())
        await Session(
            chosen, engines, phone, clock=loop.time, listener=Listener(ScriptedDetector())
        ).run()
        return phone

    phone = run(main())

    assert [event.message for event in phone.of(ErrorRaised)] == ["the cable is torn"]
    assert phone.of(TalkEnded)[0].reason == "error"
