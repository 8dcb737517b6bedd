"""Plays a recording to the ears on a simulated clock.

Sound takes as long as it lasts and costs no waiting; a transcription takes as long as it really
took on this machine. A newer one stops an older one at its next boundary, as the agent does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from atonce.speech.endpoint import Completeness, EndpointRules, SpeechEnded
from atonce.speech.listener import EarEvent, Listener
from atonce.speech.partials import TranscriptDue, WordsHeard
from atonce.speech.protocols import Audio, Samples, Transcriber, VoiceDetector
from atonce.speech.turn_end import completeness

RATE_HZ = 16_000
FRAME = 320
ROOM_DB = -70.0
"""Noise of a quiet room around a recording: digital silence is not what a microphone gives."""
LEAD_S, TRAIL_S = 0.5, 2.5
Judge = Callable[[str, Audio], Completeness]
"""By the words of an utterance up to a pause, and the sound that they were read from."""


def by_words(text: str, sound: Audio) -> Completeness:  # noqa: ARG001
    """As the agent judges."""
    return completeness(text)


@dataclass(slots=True)
class Job:
    """One transcription."""

    due: TranscriptDue
    text: str
    began_s: float
    boundaries_s: list[float]
    """When it could have been stopped."""
    done_s: float
    judged: Completeness = "unsure"
    """Whether that is all, where it was read at a pause."""


@dataclass(slots=True)
class Heard:
    """What the ears made of one recording."""

    text: str = ""
    """Of all its utterances."""
    ended: list[SpeechEnded] = field(default_factory=list)
    """The endpoints."""
    final_s: float = 0.0
    """When the transcript of the last utterance was there."""
    decode_s: float = 0.0
    """How long its transcription took."""
    partials: list[WordsHeard] = field(default_factory=list)
    """What was known on the way."""
    busy_s: float = 0.0
    """Of the transcriber, in all."""


class Replay:
    """The ears and one transcriber, on a simulated clock."""

    def __init__(
        self,
        detector: VoiceDetector,
        transcriber: Transcriber,
        rules: EndpointRules,
        *,
        is_partial: bool = True,
        judge: Judge = by_words,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """clock: how long a transcription takes by it; the processor's time of one thread is that
        of an idle core."""
        self._detector = detector
        self._transcriber = transcriber
        self._rules = rules
        self._is_partial = is_partial
        self._judge = judge
        self._clock = clock
        self._judged: Completeness = "unsure"
        self._job: Job | None = None
        self._free_s = 0.0
        self._last: Job | None = None
        self._spoken: list[str] = []

    def play(self, sound: Samples) -> Heard:
        """Hear a recording to its end."""
        self._detector.reset()
        every_s = 1.0 if self._is_partial else 1e9
        listener = Listener(
            self._detector,
            self._rules,
            partial_every_s=every_s,
            judge=lambda _: self._judged,
        )
        heard = Heard()
        self._job = self._last = None
        self._free_s = 0.0
        self._spoken = []

        for first in range(0, len(sound), FRAME):
            frame = Audio(sound[first : first + FRAME], RATE_HZ)
            now_s = (first + FRAME) / RATE_HZ
            self._deliver(listener, heard, now_s)
            self._take(listener, heard, listener.hear(frame), now_s)

        self._deliver(listener, heard, 1e9)
        self._take(listener, heard, listener.close(), len(sound) / RATE_HZ)
        self._deliver(listener, heard, 1e9)
        heard.text = " ".join(self._spoken)
        return heard

    def _deliver(self, listener: Listener, heard: Heard, now_s: float) -> None:
        job = self._job

        if job is None or job.done_s > now_s:
            return

        self._job, self._judged = None, job.judged
        words, events = listener.receive(job.due, job.text)
        heard.partials.append(words)
        job.text = words.text
        self._take(listener, heard, events, job.done_s)

    def _take(self, listener: Listener, heard: Heard, events: list[EarEvent], now_s: float) -> None:
        for event in events:
            if isinstance(event, TranscriptDue):
                if self._is_partial:
                    self._start(listener.sound(event), event, now_s, heard)
                else:
                    self._waiting = (listener.sound(event), event)
            elif isinstance(event, SpeechEnded):
                if not self._is_partial:
                    self._start(*self._waiting, now_s, heard)

                self._settle(listener, heard, event)

    def _settle(self, listener: Listener, heard: Heard, ended: SpeechEnded) -> None:
        """The last transcription is the final one."""
        heard.ended.append(ended)
        job = self._last

        if job is not None:
            if self._job is job:
                self._job = None
                job.text = listener.receive(job.due, job.text)[0].text

            self._spoken.append(job.text)
            heard.final_s = job.done_s
            heard.decode_s = job.done_s - job.began_s

    def _start(self, sound: Audio, due: TranscriptDue, now_s: float, heard: Heard) -> None:
        if self._job is not None and self._job.done_s > now_s:
            # It stops at its next boundary, or comes to its end unheard.
            later = [at_s for at_s in self._job.boundaries_s if at_s >= now_s]
            self._free_s = later[0] if later else self._job.done_s
            heard.busy_s -= self._job.done_s - self._free_s

        began_s = max(now_s, self._free_s)
        asked: list[float] = []
        start = self._clock()

        def ask() -> bool:
            asked.append(began_s + self._clock() - start)
            return True

        transcript = self._transcriber.transcribe(sound, is_final=due.is_pause, is_wanted=ask)
        judged = self._judge(f"{due.before} {transcript.text}", sound) if due.is_pause else "unsure"
        took_s = self._clock() - start
        heard.busy_s += took_s
        self._free_s = began_s + took_s
        self._job = self._last = Job(due, transcript.text, began_s, asked, began_s + took_s, judged)


def in_a_room(sound: Samples, *, seed: int, lead_s: float = LEAD_S) -> Samples:
    """A recording with a quiet room before and after it."""
    lead, trail = int(lead_s * RATE_HZ), int(TRAIL_S * RATE_HZ)
    drawn = np.random.default_rng(seed).standard_normal(lead + len(sound) + trail)
    room = (10 ** (ROOM_DB / 20) * drawn).astype(np.float32)
    room[lead : lead + len(sound)] += sound
    return room


def speech_end_s(sound: Samples) -> float:
    """The last moment that sounds: 30 dB below the loudest, or 10 dB above the noise around it."""
    block = RATE_HZ // 100
    blocks = sound[: len(sound) // block * block].reshape(-1, block)
    levels = 10 * np.log10(np.square(blocks, dtype=np.float64).mean(axis=1) + 1e-12)
    limit = max(levels.max() - 30, float(np.percentile(levels, 10)) + 10)
    return float(np.flatnonzero(levels > limit)[-1] + 1) * block / RATE_HZ
