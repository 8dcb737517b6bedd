"""Engines without models for whole talks: they take the time that they are told to take.

Rule 1. What is heard is really in the sound (fake_voice.py): ears, turns and playback are the true
        ones, only the engines are not.
Rule 2. Time is declared, not spent: a call runs at once, and its result comes when it is due on
        the loop's clock. On a virtual clock a talk takes no time at all.
Rule 3. An inline worker keeps what a Worker promises: one call at a time, turns by the arbiter,
        and a cancelled wait does not stop the call.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from atonce.agent.fake_voice import SoundBook, spoken, text_of
from atonce.agent.worker import Arbiter, Runner, Stage, Urgency, one_by_one
from atonce.llm.fakes import FakePrompt, FakeWriter, nearest_fact, words
from atonce.llm.protocols import Draft, Plan, Prompt, PromptCache, Writer
from atonce.speech.protocols import (
    Audio,
    Samples,
    Synthesizer,
    Transcriber,
    Transcript,
    TranscriptUnwantedError,
    VoiceDetector,
    always,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Due:
    """How long a call takes."""

    busy_s: float
    """Seconds for which its worker and its place in the arbiter's lane are taken."""
    late_s: float = 0.0
    """Seconds after that until its result is there: a network, say."""


Pace = Callable[[Stage, float], Due]
"""What a call of a stage takes that would take so many seconds by itself."""


def as_told(stage: Stage, seconds: float) -> Due:  # noqa: ARG001
    """Nothing is slower than it is."""
    return Due(seconds)


class Effort:
    """The seconds that an engine says its call takes."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def take(self, seconds: float) -> None:
        """This call takes that much longer."""
        self._seconds += seconds

    def collect(self) -> float:
        """What was taken since this was last asked."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds


class InlineWorker:
    """Runs calls where it stands, and hands over each result when it is due."""

    def __init__(
        self,
        arbiter: Arbiter | None = None,
        stage: Stage = Stage.PLAYBACK,
        *,
        effort: Effort | None = None,
        pace: Pace = as_told,
    ) -> None:
        """effort: what its engine declares; None: a call takes as long as it really took."""
        self._arbiter = arbiter or Arbiter()
        self._stage = stage
        self._effort = effort
        self._pace = pace
        self._free_at_s = 0.0

    async def run(self, call: Callable[[], T], *, stage: Stage | None = None) -> T:
        """The result of a call, when it is due; a cancelled wait does not stop the call."""
        loop = asyncio.get_running_loop()
        wanted = self._stage if stage is None else stage
        await self._arbiter.take(wanted)
        result: asyncio.Future[T] = loop.create_future()
        deliver, seconds = self._called(call, result)
        due = self._pace(wanted, seconds)
        self._free_at_s = max(loop.time(), self._free_at_s) + due.busy_s

        def end() -> None:
            if not due.late_s:
                deliver()

            # As a Worker does it: whoever got the result asks for the next one before others.
            loop.call_soon(loop.call_soon, self._arbiter.give, wanted)

        loop.call_at(self._free_at_s, end)

        if due.late_s:
            loop.call_at(self._free_at_s + due.late_s, deliver)

        return await result

    def _called(
        self, call: Callable[[], T], result: asyncio.Future[T]
    ) -> tuple[Callable[[], None], float]:
        """What hands over the result, and the seconds that the call took."""
        began_s = time.perf_counter()
        fault: Exception | None = None
        value: T | None = None

        if self._effort is not None:
            self._effort.collect()

        try:
            value = call()
        except Exception as error:  # it is whoever waits for the result who is told
            fault = error

        spent_s = time.perf_counter() - began_s
        seconds = spent_s if self._effort is None else self._effort.collect()

        def deliver() -> None:
            if result.done():  # nobody waits any more
                return

            if fault is None:
                result.set_result(value)  # type: ignore[arg-type]  # T may be None itself
            else:
                result.set_exception(fault)

        return deliver, seconds

    def iterate(self, items: Iterator[T], *, stage: Urgency = None) -> AsyncGenerator[T, None]:
        """The items of a blocking generator; cancelling stops it between two items."""
        return one_by_one(self, items, stage)


class PacedWorker:
    """A worker whose calls take longer than they do."""

    def __init__(self, worker: Runner, stage: Stage, pace: Pace) -> None:
        """stage: what its calls are for if they do not say."""
        self._worker = worker
        self._stage = stage
        self._pace = pace

    async def run(self, call: Callable[[], T], *, stage: Stage | None = None) -> T:
        """The result of a call."""
        wanted = self._stage if stage is None else stage
        late_s = 0.0

        def slowed() -> T:
            nonlocal late_s
            began_s = time.perf_counter()

            try:
                return call()
            finally:
                spent_s = time.perf_counter() - began_s
                due = self._pace(wanted, spent_s)
                late_s = due.late_s
                time.sleep(max(0.0, due.busy_s - spent_s))

        result = await self._worker.run(slowed, stage=stage)
        await asyncio.sleep(late_s)
        return result

    def iterate(self, items: Iterator[T], *, stage: Urgency = None) -> AsyncGenerator[T, None]:
        """The items of a blocking generator; cancelling stops it between two items."""
        return one_by_one(self, items, stage)


@dataclass(frozen=True, slots=True)
class Costs:
    """How long the scripted engines take, seconds."""

    final_s: float = 0.2
    """A transcript at a pause."""
    partial_s: float = 0.15
    """A transcript while somebody speaks."""
    read_s: float = 0.06
    """Reading a prompt."""
    step_s: float = 0.02
    """A denoising step."""
    piece_s: float = 0.04
    """Computing a piece of sound."""


class ScriptedDetector:
    """Takes all that is loud for a voice."""

    @property
    def rate_hz(self) -> int:
        """Rate of the sound it judges."""
        return 16_000

    @property
    def frame_samples(self) -> int:
        """Samples of a frame: 32 ms."""
        return 512

    def probability(self, frame: Samples) -> float:
        """1 or 0."""
        return float(np.sqrt(np.square(frame).mean()) > LOUD)

    def reset(self) -> None:
        """There is nothing to forget."""


LOUD = 10 ** (-38 / 20)
"""Level (RMS, -38 dBFS) of a frame that the scripted detector takes for a voice: 15 dB below a
person's words, above what the echo canceller leaves."""


class KnowingDetector:
    """Knows every voice, and takes nothing else for one."""

    def __init__(self, book: SoundBook, clock: Callable[[], float]) -> None:
        """book: all that was ever said. clock: the one that the book's sounds are dated on."""
        self._book, self._clock = book, clock

    @property
    def rate_hz(self) -> int:
        """Rate of the sound it judges."""
        return 16_000

    @property
    def frame_samples(self) -> int:
        """Samples of a frame: 32 ms."""
        return 512

    def probability(self, frame: Samples) -> float:
        """1 or 0."""
        return float(self._book.is_voice(Audio(frame, self.rate_hz), at_s=self._clock()))

    def reset(self) -> None:
        """There is nothing to forget."""


class ScriptedTranscriber:
    """Finds the words that really lie in the sound."""

    def __init__(
        self, book: SoundBook, costs: Costs, effort: Effort, clock: Callable[[], float]
    ) -> None:
        """book: all that was ever said. clock: the one that the book's sounds are dated on."""
        self._book, self._costs, self._effort, self._clock = book, costs, effort, clock

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages it hears."""
        return ("en",)

    def expect(self, names: Sequence[str]) -> None:
        """It needs no help."""

    def transcribe(
        self, audio: Audio, *, is_final: bool = True, is_wanted: Callable[[], bool] = always
    ) -> Transcript:
        """The words in it."""
        if not is_wanted():
            raise TranscriptUnwantedError

        self._effort.take(self._costs.final_s if is_final else self._costs.partial_s)
        now_s = self._clock()
        from_s = now_s - audio.seconds - _LOOK_BACK_S
        words = self._book.find(audio, from_s=from_s, until_s=now_s)
        return Transcript(text_of(words), is_final=is_final)


_LOOK_BACK_S = 3.0
"""A transcriber may have waited for its turn: what is older is not in the sound."""


class ScriptedWriter(FakeWriter):
    """The fake writer with replies of its own, which takes its time and keeps what it was asked."""

    def __init__(
        self,
        replies: Mapping[str, str],
        costs: Costs,
        effort: Effort,
        clock: Callable[[], float],
    ) -> None:
        """replies: for words of a question, the reply; other questions get the nearest fact."""
        super().__init__(self._answer, clock)
        self._replies, self._costs, self._effort = replies, costs, effort
        self._now = clock
        self.prompts: list[tuple[float, Prompt]] = []
        """Every prompt that it has read, and when."""

    def read(self, prompt: Prompt) -> FakePrompt:
        """Take note of a prompt."""
        self._effort.take(self._costs.read_s)
        self.prompts.append((self._now(), prompt))
        return super().read(prompt)

    def write(
        self, cache: PromptCache, plan: Plan, *, given: Sequence[int | None] | None = None
    ) -> Iterator[Draft]:
        """Denoise one reply; see the protocol."""
        for draft in super().write(cache, plan, given=given):
            self._effort.take(self._costs.step_s)
            yield draft

    def _answer(self, prompt: Prompt) -> str:
        asked = words(prompt.question)
        fits = [reply for key, reply in self._replies.items() if words(key) <= asked]
        return fits[0] if fits else nearest_fact(prompt)


class ScriptedSynthesizer:
    """Speaks in the fake voice, piece by piece."""

    def __init__(
        self, book: SoundBook, costs: Costs, effort: Effort, clock: Callable[[], float]
    ) -> None:
        """book: takes note of what is said."""
        self._book, self._costs, self._effort, self._clock = book, costs, effort, clock

    @property
    def rate_hz(self) -> int:
        """Rate of the audio it gives."""
        return 16_000

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages it speaks."""
        return ("en",)

    def synthesize(self, text: str) -> Iterator[Audio]:
        """The sound of a text, in pieces of a third of a second."""
        sound = spoken(text, voice="agent")

        if not sound.words:
            return

        now_s = self._clock()
        self._book.add(sound, at_s=now_s, until_s=now_s + _WAITS_S)

        for first in range(0, len(sound.samples), _PIECE):
            self._effort.take(self._costs.piece_s)
            begin_s, end_s = first / sound.rate_hz, (first + _PIECE) / sound.rate_hz
            begun = [word for word in sound.words if begin_s <= word.start_s < end_s]
            told = tuple(word.moved(-begin_s) for word in begun)
            yield Audio(sound.samples[first : first + _PIECE], sound.rate_hz, told)


_PIECE = 5_120
"""Samples: 0.32 s."""
_WAITS_S = 30.0
"""A reply may be held and paused for long before its last echo is heard."""

_: type[Runner] = InlineWorker
__: type[Runner] = PacedWorker
_detector: type[VoiceDetector] = ScriptedDetector
_knowing: type[VoiceDetector] = KnowingDetector
_ears: type[Transcriber] = ScriptedTranscriber
_writer: type[Writer] = ScriptedWriter
_mouth: type[Synthesizer] = ScriptedSynthesizer
