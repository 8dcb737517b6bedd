"""What the tests of whole talks share: a person, a clock, engines that do as told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from atonce.agent.engines import Engines
from atonce.agent.events import ReplyEnded, SessionEvent, StateChanged
from atonce.agent.fake_voice import SoundBook, spoken
from atonce.agent.fakes import (
    Costs,
    Effort,
    InlineWorker,
    Pace,
    ScriptedDetector,
    ScriptedSynthesizer,
    ScriptedTranscriber,
    ScriptedWriter,
    as_told,
)
from atonce.agent.planning import Planner
from atonce.agent.playback import Playback
from atonce.agent.session import Session
from atonce.agent.transport import FRAME_S, Frame
from atonce.agent.turn_rules import TurnRules
from atonce.agent.virtual_time import run
from atonce.agent.worker import Arbiter, Stage
from atonce.config.errors import EngineError
from atonce.config.load import defaults
from atonce.config.processor import Shares
from atonce.speech.endpoint import EndpointRules
from atonce.speech.listener import Listener
from atonce.speech.protocols import Audio, Samples

RATE = 16_000
BLOCK = round(FRAME_S * RATE)
QUIET = ['agent.sentences.greeting=""', "turn.silence_prompt_s=0", "watchdog.enabled=false"]
UNCHECKED = ["agent.check=false"]
WATCHED = ["watchdog.enabled=true"]
LONG = (
    "We open at half past nine in the morning, then the guided tour starts at the fountain, and "
    "after that the workshop on the second floor is free for everybody who likes pottery."
)
REPLIES = {
    "open": "We open at ten.",
    "cost": "It costs eight euros.",
    "tell": LONG,
}


# No repr: asyncio's Runner spells out what a task gives, and that is seconds of sound.
@dataclass(slots=True, repr=False)
class Phone:
    """A transport on the loop's clock: words at their times, and what the person hears."""

    sounds: list[tuple[float, Audio]]
    seconds: float
    book: SoundBook
    playback: Playback = field(default_factory=lambda: Playback(RATE))
    events: list[SessionEvent] = field(default_factory=list)
    played: list[Samples] = field(default_factory=list)

    async def listen(self) -> AsyncIterator[Frame]:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        whole = np.zeros(round(self.seconds * RATE), np.float32)

        for at_s, audio in self.sounds:
            first = round(at_s * RATE)
            whole[first : first + len(audio.samples)] += audio.samples[: len(whole) - first]
            self.book.add(audio, at_s=began_s + at_s)

        for number in range(round(self.seconds / FRAME_S)):
            self.played.append(self.playback.take(BLOCK, began_s + number * FRAME_S))
            at_s = began_s + (number + 1) * FRAME_S
            await asyncio.sleep(at_s - loop.time())
            yield Frame(Audio(whole[number * BLOCK : (number + 1) * BLOCK], RATE), None, at_s)

    def publish(self, event: SessionEvent) -> None:
        self.events.append(event)

    def of(self, kind: type) -> list[object]:
        return [event for event in self.events if isinstance(event, kind)]

    def level(self, from_s: float, until_s: float) -> float:
        """RMS of what the person hears in a stretch."""
        heard = np.concatenate(self.played)[round(from_s * RATE) : round(until_s * RATE)]
        return float(np.sqrt(np.square(heard).mean()))


@dataclass(slots=True)
class Talk:
    """What came of it."""

    phone: Phone
    writer: ScriptedWriter
    session: Session

    @property
    def replies(self) -> list[str]:
        """What was heard of each reply, and of each sentence."""
        return [event.heard for event in self.phone.of(ReplyEnded)]

    @property
    def states(self) -> list[str]:
        return [event.state for event in self.phone.of(StateChanged)]

    @property
    def asked(self) -> list[object]:
        """The prompts that were read for a reply."""
        return [prompt for _, prompt in self.writer.prompts if prompt.question]


Change = Callable[[Engines], Engines]


def talk(
    *said: tuple[float, str | Audio],
    seconds: float = 8.0,
    settings: Sequence[str] = (),
    replies: dict[str, str] | None = None,
    costs: Costs | None = None,
    pace: Pace = as_told,
    change: Change = lambda engines: engines,
    planner: Planner | None = None,
    rules: TurnRules | None = None,
    during: Callable[[Session], None] = lambda _: None,
    watch: Callable[[Phone, ScriptedWriter], None] = lambda *_: None,
) -> Talk:
    """A talk in which these words are said at these times."""

    async def main() -> Talk:
        loop = asyncio.get_running_loop()
        chosen = defaults([*QUIET, *settings]).settings
        book, effort = SoundBook(), Effort()
        engines, writer = scripted(book, effort, replies or REPLIES, costs or Costs(), pace)
        sounds = [(at, spoken(what) if isinstance(what, str) else what) for at, what in said]
        phone = Phone(sounds, seconds, book)
        listener = Listener(ScriptedDetector(), EndpointRules.from_settings(chosen.endpoint))
        session = Session(
            chosen,
            change(engines),
            phone,
            clock=loop.time,
            listener=listener,
            planner=planner,
            rules=rules,
        )

        during(session)
        watch(phone, writer)
        await session.run()
        return Talk(phone, writer, session)

    return run(main())


def scripted(
    book: SoundBook, effort: Effort, replies: dict[str, str], costs: Costs, pace: Pace
) -> tuple[Engines, ScriptedWriter]:
    def now_s() -> float:
        return asyncio.get_running_loop().time()

    two = Shares(cores=2, hearing=2, writing=2, speaking=1, heavy_calls=1, speaks_beside=True)
    arbiter = Arbiter(two)

    def worker(stage: Stage) -> InlineWorker:
        return InlineWorker(arbiter, stage, effort=effort, pace=pace)

    writer = ScriptedWriter(replies, costs, effort, now_s)
    engines = Engines(
        ScriptedTranscriber(book, costs, effort, now_s),
        worker(Stage.FINAL_TRANSCRIPT),
        writer,
        worker(Stage.REPLY),
        ScriptedSynthesizer(book, costs, effort, now_s),
        worker(Stage.SYNTHESIS),
    )
    return engines, writer


def at(when_s: float, call: Callable[[], object]) -> None:
    asyncio.get_running_loop().call_later(when_s, call)


class Failing:
    """Fails the first time, or as often as told."""

    def __init__(self, inner: object, method: str, times: int = 1) -> None:
        self._inner, self._method, self._left = inner, method, times

    def __getattr__(self, name: str) -> object:
        found = getattr(self._inner, name)

        if name != self._method or self._left <= 0:
            return found

        def fail(*_: object, **__: object) -> object:
            self._left -= 1
            raise EngineError(f"the engine broke in {name}")

        return fail


def broken(kind: str, method: str, times: int = 1) -> Change:
    def change(engines: Engines) -> Engines:
        return replace(engines, **{kind: Failing(getattr(engines, kind), method, times)})

    return change
