"""The ears of a session: frames go in, events and transcripts on the session's clock come out.

Rule 1. Sound is judged in a thread of its own, frame by frame, and never waits for a transcript.
Rule 2. One transcript at a time. While one is being made, or waits to be, a partial one is not even
        begun; a newer one of the same utterance makes an older one unwanted, and so does speech
        that goes on. The last one of an utterance is always made, however late. Of speech over the
        agent's voice the first words are looked for sooner, and told even where it has paused
        meanwhile: they tell "all right" from a question before its last transcript is there.
Rule 3. Seconds of sound become seconds of the clock by the frame that they came in with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TypeVar

from atonce.agent.events import SessionEvent, WordsHeard
from atonce.agent.phrases import Phrases
from atonce.agent.transport import Frame
from atonce.agent.turn_events import TranscriptHeard
from atonce.agent.worker import Runner, Stage
from atonce.config import registry
from atonce.config.schema import Settings
from atonce.speech.endpoint import (
    EndpointRules,
    SpeechEnded,
    SpeechEvent,
    SpeechResumed,
    SpeechStarted,
)
from atonce.speech.listener import EarEvent, Listener
from atonce.speech.partials import TranscriptDue
from atonce.speech.partials import WordsHeard as Words
from atonce.speech.protocols import Audio, Transcriber, TranscriptUnwantedError

E = TypeVar("E", bound=SpeechEvent)
_Found = tuple[EarEvent, Audio | None]
_GLANCE_S = 0.35
"""Voice after which words over the agent's voice are looked for: "all right" and the like are known
by then (hibari's, by whisper base), and read before it is decided whether they interrupt."""
_GLANCED_S = 5.0
"""What has lasted longer was decided long ago."""
_TIMES = ("at_s", "from_s", "voice_s", "speech_end_s")
"""Fields of the ears' events that are seconds of sound."""


def open_listener(settings: Settings) -> Listener:
    """Ears for one stream, with engines of its own, as the settings want them."""
    detector, echo = settings.voice_detector, settings.echo
    return Listener(
        registry.find("voice_detector", detector.engine).from_settings(detector),
        EndpointRules.from_settings(settings.endpoint),
        canceller=registry.find("echo", echo.engine).from_settings(echo),
    )


@dataclass(slots=True)
class _Utterance:
    """The one that is being heard, or was heard last."""

    number: int
    said: str
    """What the agent was saying when it began; empty: nothing."""
    from_s: float = 0.0
    """Where it begins, in seconds of sound."""
    glance_s: float | None = None
    """When a first look at a burst of it is due, in seconds of sound; None: not again."""


@dataclass(slots=True)
class Job:
    """A transcript that is due."""

    due: TranscriptDue
    speech_end_s: float
    """The end of the last voice in it, on the clock, as the turn was told of that pause: a frame
    that comes late moves what is told afterwards."""
    sound: Audio
    utterance: _Utterance
    is_wanted: bool = True

    @property
    def stage(self) -> Stage:
        """How urgent it is."""
        return Stage.FINAL_TRANSCRIPT if self.due.is_pause else Stage.PARTIAL_TRANSCRIPT


class Ears:
    """Hears one person."""

    def __init__(
        self,
        listener: Listener,
        transcriber: Transcriber,
        *,
        hearing: Runner,
        listening: Runner,
        clock: Callable[[], float],
        tell: Callable[[SpeechEvent | TranscriptHeard], None],
        publish: Callable[[SessionEvent], None],
        said: Callable[[float], str],
        phrases: Phrases | None = None,
    ) -> None:
        """hearing runs the transcriber, listening all the rest. tell: what the turn has to know.
        said: what the agent was saying at a moment, or just before; empty: nothing. phrases: the
        stop words, which are a person's wherever they stand."""
        self.listener = listener
        self.reads_partials = True
        """Transcripts are made while somebody speaks, too."""
        self._transcriber, self._phrases = transcriber, phrases or Phrases()
        self._hearing, self._listening = hearing, listening
        self._clock, self._tell, self._publish, self._said = clock, tell, publish, said
        self._pushed_s = self._offset_s = 0.0
        self._utterance = _Utterance(0, "")
        self._jobs: list[Job] = []
        self._is_due = asyncio.Event()

    async def hear(self, frame: Frame) -> None:
        """The next frame; what it shows is told before this returns. EngineError: it was not heard
        as it should be; the talk can go on."""
        heard = frame.heard
        self._pushed_s += heard.seconds
        self._offset_s = frame.at_s - self._pushed_s
        found = await self._listening.run(
            lambda: self._with_sound(self._glanced(self.listener.hear(heard, frame.played)))
        )
        self._hand_on(found)
        fault, self.listener.fault = self.listener.fault, None

        if fault is not None:
            raise fault

    async def close_utterance(self) -> None:
        """What is being said ends here."""
        self._hand_on(await self._listening.run(lambda: self._with_sound(self.listener.close())))

    # ---- transcripts ----

    async def next_job(self) -> Job:
        """The next transcript to be made, once one is due."""
        while True:
            self._jobs = [job for job in self._jobs if job.is_wanted]

            if self._jobs:
                return self._jobs[0]

            self._is_due.clear()
            await self._is_due.wait()

    async def transcribe(self, job: Job) -> None:
        """Make it, and tell the words. EngineError: it cannot be made; see give_up."""
        try:
            transcript = await self._hearing.run(
                lambda: self._transcriber.transcribe(
                    job.sound, is_final=job.due.is_pause, is_wanted=lambda: job.is_wanted
                ),
                stage=job.stage,
            )
        except TranscriptUnwantedError:
            self._jobs.remove(job)
            return

        if job in self._jobs:
            self._jobs.remove(job)

        is_guess = not job.due.is_pause and bool(job.utterance.said)

        if job.is_wanted or (is_guess and job.utterance is self._utterance):
            await self._receive(job, transcript.text)

    async def give_up(self, job: Job) -> None:
        """It cannot be made: its words are none, so that nobody waits for them."""
        if job in self._jobs:
            self._jobs.remove(job)

        await self._receive(job, "")

    async def _receive(self, job: Job, text: str) -> None:
        words, found = await self._listening.run(lambda: self._noted(job.due, text))
        at_s, said = self._clock(), job.utterance.said
        text = self._phrases.beside_own_voice(words.text, said)
        self._publish(WordsHeard(at_s, words.text, words.settled, words.is_pause))
        self._tell(
            TranscriptHeard(
                at_s,
                job.utterance.number,
                text,
                words.is_pause,
                job.speech_end_s,
                is_own_voice=text != words.text,
            )
        )
        self._hand_on(found)

    # ---- inside ----

    def _noted(self, due: TranscriptDue, text: str) -> tuple[Words, list[_Found]]:
        words, events = self.listener.receive(due, text)
        return words, self._with_sound(events)

    def _glanced(self, events: list[EarEvent]) -> list[EarEvent]:
        """With a first look at speech over the agent's voice, unless a transcript is due anyway."""
        heard, now_s = self._utterance, self.listener.now_s

        if heard.glance_s is None:
            return events

        if any(isinstance(event, TranscriptDue | SpeechEnded) for event in events):
            heard.glance_s = None
            return events

        if now_s < heard.glance_s:
            return events

        heard.glance_s = None
        return [*events, TranscriptDue(now_s, heard.from_s, now_s, is_pause=False)]

    def _look_soon(self, voice_s: float) -> None:
        """A burst of voice begins: "okay" may go on with a question."""
        heard = self._utterance
        is_short = voice_s < heard.from_s + _GLANCED_S
        heard.glance_s = voice_s + _GLANCE_S if heard.said and is_short else None

    def _with_sound(self, events: list[EarEvent]) -> list[_Found]:
        """Sound can be had only until the next frame."""
        sound = self.listener.sound
        return [(e, sound(e) if isinstance(e, TranscriptDue) else None) for e in events]

    def _hand_on(self, found: list[_Found]) -> None:
        for event, sound in found:
            if isinstance(event, TranscriptDue):
                self._ask(event, sound)
                continue

            told = self._on_the_clock(event)

            if isinstance(event, SpeechStarted):
                said = self._said(self._offset_s + event.voice_s)
                self._utterance = _Utterance(self._utterance.number + 1, said, event.from_s)
                self._look_soon(event.voice_s)
            elif isinstance(event, SpeechResumed):
                self._drop_jobs()
                self._look_soon(event.at_s)

            self._tell(told)

    def _ask(self, due: TranscriptDue, sound: Audio | None) -> None:
        assert sound is not None  # see _with_sound

        if not due.is_pause and (self._jobs or not self.reads_partials):
            return

        self._drop_jobs()
        speech_end_s = self._offset_s + due.speech_end_s
        self._jobs.append(Job(due, speech_end_s, sound, self._utterance))
        self._is_due.set()

    def _drop_jobs(self) -> None:
        for job in self._jobs:
            if job.utterance is self._utterance:
                job.is_wanted = False

    def _on_the_clock(self, event: E) -> E:
        names = [field.name for field in fields(event) if field.name in _TIMES]
        return replace(event, **{name: self._offset_s + getattr(event, name) for name in names})
