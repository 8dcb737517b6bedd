"""The person's side of a session: sound becomes speech, and words, that the turn is told of.

Rule 1. Sound is heard in its own pace; transcripts are made beside it, one after the other.
Rule 2. Words of a pause that cannot be read, and behind which nothing more was said, get an
        apology: nobody waits for an answer that cannot come.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable

from atonce.agent.boundary import Boundary
from atonce.agent.duck import Duck
from atonce.agent.ears import Ears, open_listener
from atonce.agent.engines import Engines
from atonce.agent.events import (
    LevelMeasured,
    SessionEvent,
    SpeechDetected,
    SpeechPaused,
    SpeechStopped,
)
from atonce.agent.speeches import Speeches
from atonce.agent.transport import Frame
from atonce.agent.turn import Turn
from atonce.agent.turn_events import SentenceAsked, TranscriptHeard, TurnEvent
from atonce.agent.turn_rules import TurnRules
from atonce.agent.worker import Here
from atonce.config.schema import Settings
from atonce.speech.endpoint import SpeechEnded, SpeechEvent, SpeechStarted
from atonce.speech.endpoint import SpeechPaused as Paused
from atonce.speech.listener import Listener

_LEVEL_EVERY = 5
"""Frames: ten levels a second are enough for a meter."""
_SAME_PAUSE_S = 0.03
"""Two times of one moment differ by so little: a frame that comes late moves the clock of sound."""


class Hearing:
    """Hears one person."""

    def __init__(
        self,
        settings: Settings,
        engines: Engines,
        speeches: Speeches,
        duck: Duck,
        boundary: Boundary,
        *,
        rules: TurnRules,
        listener: Listener | None,
        clock: Callable[[], float],
        tell: Callable[[TurnEvent], None],
        publish: Callable[[SessionEvent], None],
    ) -> None:
        """listener: as the settings say, if not given. ValueError: engines without ears."""
        if engines.transcriber is None:
            raise ValueError("a session hears: load(…, hears=True)")

        self._speeches, self._duck, self._boundary = speeches, duck, boundary
        self._clock, self._tell, self._publish = clock, tell, publish
        self._apology = rules.sentences.get("apology", "")
        self._unread_s, self._ended_s = -math.inf, math.inf  # ends of speech
        self._ears = Ears(
            listener or open_listener(settings),
            engines.transcriber,
            hearing=engines.hearing,
            listening=engines.listening or Here(),
            clock=clock,
            tell=self._receive,
            publish=publish,
            said=speeches.said_at,
            phrases=rules.phrases,
        )

    def mute(self, *, is_muted: bool) -> None:
        """Hear nothing from now on, or hear again."""
        self._ears.listener.is_muted = is_muted

    def read_partials(self, *, are_read: bool) -> None:
        """Whether transcripts are made while somebody speaks, too."""
        self._ears.reads_partials = are_read

    async def close_utterance(self) -> None:
        """What is being said ends here."""
        await self._ears.close_utterance()

    async def listen(self, frames: AsyncIterator[Frame], turn: Turn) -> None:
        """Hear all sound there is. turn: whose it is, and whether the voice is paused."""
        count = 0

        async for frame in frames:
            await self._boundary.guard(self._ears.hear(frame))
            hint_s = self._ears.listener.hint_s
            self._duck.follow(turn.state, hint_s=hint_s, is_paused=turn.is_paused)
            self._speeches.follow()
            count += 1

            if count % _LEVEL_EVERY == 0:
                ears = self._ears.listener
                self._publish(LevelMeasured(frame.at_s, ears.level_db, ears.floor_db))

    async def transcribe(self) -> None:
        """Make the transcripts that are due, for ever."""
        while True:
            job = await self._ears.next_job()

            if not await self._boundary.guard(self._ears.transcribe(job)):
                await self._ears.give_up(job)

                if job.due.is_pause:  # else nobody waits for its words
                    self._unread_s = job.speech_end_s
                    self._apologise_if_over()

    def _receive(self, event: SpeechEvent | TranscriptHeard) -> None:
        match event:
            case SpeechStarted():
                self._publish(SpeechDetected(event.at_s, event.voice_s))
            case Paused():
                self._speeches.spoken_end_s = event.speech_end_s
                self._publish(SpeechPaused(event.at_s, event.speech_end_s))
            case SpeechEnded():
                self._speeches.spoken_end_s = event.speech_end_s
                self._publish(SpeechStopped(event.at_s, event.speech_end_s))
                self._speeches.hurry()
                self._ended_s = event.speech_end_s
                self._apologise_if_over()
            case _:
                pass

        self._tell(event)

    def _apologise_if_over(self) -> None:
        """Rule 2."""
        if abs(self._unread_s - self._ended_s) > _SAME_PAUSE_S:
            return

        self._unread_s = -math.inf

        if self._apology:
            self._tell(SentenceAsked(self._clock(), self._apology))
