"""A line between a spoken question and a session: sound in at the pace of life, and what was heard.

Rule 1. Frames go in when they are due by the clock, late ones at once; what is played meanwhile is
        taken, and nobody cancels an echo: the line has none.
Rule 2. Zero of a turn is the last audible sample of the question.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import numpy as np

from atonce.agent.events import (
    FirstAudio,
    PlanMade,
    ReplySettled,
    ReplyStarted,
    SessionEvent,
    StateChanged,
)
from atonce.agent.playback import Playback
from atonce.agent.talk_turns import TalkTurns
from atonce.agent.transport import FRAME_S, Frame, Transport
from atonce.speech.protocols import Audio
from atonce.speech.resample import resample

RATE_HZ = 16_000
FRAME = round(FRAME_S * RATE_HZ)
AUDIBLE = 0.01
"""Of full scale: below it nobody hears the end of a word."""


@dataclass(slots=True)
class Turn:
    """What became of one question."""

    question: str
    """As it was spoken."""
    ended_s: float = 0.0
    """Its last audible sample, on the clock."""
    first_audio_s: float | None = None
    """Seconds from there to the first sound of the reply; None: there was none."""
    steps: int = 0
    """Denoising steps."""
    planned: int = 0
    """K as it was planned."""
    source: str = ""
    """Who wrote the reply."""
    reason: str = ""
    """Why it was planned so."""
    marks_ms: dict[str, int] = field(default_factory=dict)
    """Milliseconds to every mark, by the session's own reckoning."""
    is_draft: bool = False
    """Begun before the endpoint, or out of an early draft."""
    done: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    """Its first sound was heard."""


class BenchLine:
    """One person at the other end."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._playback = Playback(RATE_HZ)
        self._waiting = np.zeros(0, dtype=np.float32)
        self._is_open = True
        self._is_said = asyncio.Event()
        self.turn = Turn("")
        self._follows = TalkTurns()
        self.is_listening = asyncio.Event()

    @property
    def playback(self) -> Playback:
        """What the person hears."""
        return self._playback

    async def listen(self) -> AsyncIterator[Frame]:
        """Silence, or the question that is being asked."""
        began_s, count = self._clock(), 0
        while self._is_open:
            count += 1
            at_s = began_s + count * FRAME_S
            await asyncio.sleep(max(0.0, at_s - self._clock()))
            samples = np.zeros(FRAME, dtype=np.float32)
            ready, self._waiting = self._waiting[:FRAME], self._waiting[FRAME:]
            samples[: len(ready)] = ready
            if not len(self._waiting):
                self._is_said.set()

            if np.abs(samples).max() > AUDIBLE:
                self.turn.ended_s = at_s - FRAME_S + last_audible_s(samples)

            self._playback.take(FRAME, at_s)
            yield Frame(Audio(samples, RATE_HZ), None, at_s)

    def publish(self, event: SessionEvent) -> None:
        """Note what became of the question."""
        turn, told = self.turn, self._follows.take(event)
        match event:
            case StateChanged():
                (self.is_listening.set if event.state == "listening" else self.is_listening.clear)()
            case ReplyStarted():
                turn.is_draft = event.is_early
            case PlanMade():
                turn.planned, turn.reason = event.plan.steps, event.reason
            case ReplySettled():
                turn.steps, turn.source = event.reply.steps, event.reply.source
                turn.is_draft |= event.reply.is_refined
            case FirstAudio():
                turn.first_audio_s = event.at_s - turn.ended_s
                turn.marks_ms = (
                    {k: round(1000 * s) for k, s in told.marks_s.items()} if told else {}
                )
                turn.done.set()
            case _:
                pass

    async def ask(self, question: str, sound: Audio, *, limit_s: float = 20.0) -> Turn:
        """Speak a question, and wait for the first sound of the reply."""
        turn = self.turn = Turn(question)
        self._waiting = resample(sound, RATE_HZ).samples
        self._is_said.clear()
        try:
            async with asyncio.timeout(limit_s):
                await turn.done.wait()
        except TimeoutError:
            pass

        await self._is_said.wait()  # it may be answered in a pause: the rest is no part of the next

        return turn

    def close(self) -> None:
        """The person is gone."""
        self._is_open = False


def last_audible_s(samples: np.ndarray) -> float:
    """Seconds to the last audible sample of a frame."""
    return float(np.flatnonzero(np.abs(samples) > AUDIBLE)[-1] + 1) / RATE_HZ


_: type[Transport] = BenchLine
