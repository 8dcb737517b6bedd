"""A person with a script, where a microphone would be: a transport on the loop's clock.

Rule 1. Frame n is heard and played from n × 20 ms to (n + 1) × 20 ms after the beginning, whatever
        the session does meanwhile: a session that is late finds the frames waiting, as it would
        with a sound card.
Rule 2. What the agent does is taken from its sound, sample by sample; only states are what the
        session says.
Rule 3. A line begins at its moment, to the sample; one that waits for something that came to pass
        at most a frame ago, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from atonce.agent.caller_sounds import AUDIBLE, Span, SpokenLine, at_level, noise, span_of
from atonce.agent.events import SessionEvent, StateChanged, TalkEnded
from atonce.agent.fake_voice import SoundBook
from atonce.agent.playback import Playback
from atonce.agent.talk_format import CallerLine, Head, Room
from atonce.agent.transport import FRAME_S, Frame, Transport
from atonce.speech.protocols import Audio, Samples

_BREATH_S = 1.0
"""Silence after which the agent has ended: longer than its pauses between sentences, and than the
moment in which it makes up its mind about an interruption."""
_ECHO_S = 0.2
"""For which a line is heard after it: in the ears' own frames."""
_VOICES = ("cough", "babble")
"""Noises that ears take for a voice."""
_LOOP_S = 10.0
"""Of a room's noise, which then begins again."""
_SEED = 8


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the script and its sound."""

    script: CallerLine
    """When and how loud."""
    audio: Audio
    """At the room's rate, at its level; its words are what the scripted ears hear."""

    @property
    def is_voice(self) -> bool:
        """Somebody's, with words or without."""
        return self.script.sound is None or self.script.sound in _VOICES

    @property
    def span(self) -> Span:
        """From where to where it sounds."""
        return span_of(self.audio)


@dataclass(slots=True)
class Tracks:
    """What sounded, frame by frame."""

    heard: list[Samples] = field(default_factory=list)
    """What the microphone gave."""
    played: list[Samples] = field(default_factory=list)
    """What the loudspeaker gave."""


class Caller:
    """Says its lines, hears the agent, and keeps everything."""

    def __init__(
        self,
        lines: Sequence[Line],
        head: Head,
        *,
        clock: Callable[[], float],
        book: SoundBook | None = None,
    ) -> None:
        """clock: the loop's. book: told what is said, for scripted ears."""
        self._lines = lines
        self._head = head
        self._room = head.room
        self._clock = clock
        self._book = book
        self._playback = Playback(head.room.rate_hz)
        self._background = _background(head.room)
        self._dice = np.random.default_rng(_SEED)
        self._waiting: asyncio.Queue[Frame | None] = asyncio.Queue()
        self._ear = _AgentEar(head.room.rate_hz)
        self._happened: list[tuple[str, float]] = []
        self._next = 0
        self._state = "listening"
        self._is_over = False
        self.began_s = 0.0
        """When the talk began, on the loop's clock."""
        self.tracks = Tracks()
        """All sound so far."""
        self.said: list[SpokenLine] = []
        """Lines so far."""
        self.events: list[SessionEvent] = []
        """What the session said, in order."""
        self.lost_frames = 0
        """Frames that never arrived."""
        self.most_waiting = 0
        """Frames that waited for the session at worst."""
        self.is_timed_out = False
        """The talk was stopped at its longest."""

    @property
    def playback(self) -> Playback:
        """What the person hears."""
        return self._playback

    @property
    def unsaid(self) -> list[int]:
        """Numbers of the lines that were not said, because what they waited for never came."""
        return list(range(self._next + 1, len(self._lines) + 1))

    def publish(self, event: SessionEvent) -> None:
        """Something happened."""
        self.events.append(event)

        if isinstance(event, StateChanged):
            self._state = event.state
            self._happened.append((event.state, event.at_s - self.began_s))

        if isinstance(event, TalkEnded):
            self._is_over = True

    async def listen(self) -> AsyncIterator[Frame]:
        """The sound of the room, until all was said and the agent has nothing to add."""
        self.began_s = self._clock()
        asyncio.get_running_loop().call_at(self.began_s, self._tick, 0)

        try:
            while (frame := await self._waiting.get()) is not None:
                yield frame
        finally:
            self._is_over = True

    def _tick(self, number: int) -> None:
        """The end of frame `number - 1` and the beginning of frame `number`."""
        if number:
            self._hear(number - 1)

        if self._is_over or self._has_ended(number * FRAME_S):
            self._is_over = True
            self._waiting.put_nowait(None)
            return

        self._play(number)
        self._place(number * FRAME_S)
        due_s = self.began_s + (number + 1) * FRAME_S
        asyncio.get_running_loop().call_at(due_s, self._tick, number + 1)

    def _play(self, number: int) -> None:
        first, last = self._edges(number)
        given = self._playback.take(last - first, self.began_s + number * FRAME_S)
        self.tracks.played.append(given)
        self._happened += self._ear.hear(given)

    def _hear(self, number: int) -> None:
        first, last = self._edges(number)
        echo_db = self._room.echo_db
        mixed = self._background.piece(first, last) + self._words(first, last)

        if echo_db is not None:
            mixed += self._echo(first, last) * np.float32(10 ** (echo_db / 20))

        if self._room.lost and self._dice.random() < self._room.lost:
            self.lost_frames += 1
            mixed = np.zeros_like(mixed)

        heard = Audio(np.clip(mixed, -1.0, 1.0).astype(np.float32), self._room.rate_hz)
        self.tracks.heard.append(heard.samples)
        played = None if echo_db is None else Audio(self.tracks.played[number], heard.rate_hz)
        at_s = self.began_s + (number + 1) * FRAME_S
        self._waiting.put_nowait(Frame(heard, played, at_s))
        self.most_waiting = max(self.most_waiting, self._waiting.qsize())

    def _words(self, first: int, last: int) -> Samples:
        """What the person says in a stretch of the talk."""
        mixed = np.zeros(last - first, dtype=np.float32)

        for said in self.said:
            samples = self._lines[said.number - 1].audio.samples
            begin = round(said.start_s * self._room.rate_hz) - first
            _add(mixed, samples, begin)

        return mixed

    def _echo(self, first: int, last: int) -> Samples:
        late = round(self._room.echo_ms / 1000 * self._room.rate_hz)
        mixed = np.zeros(last - first, dtype=np.float32)
        frame = max(1, round(FRAME_S * self._room.rate_hz))
        oldest = max(0, (first - late) // frame - 1)

        for number in range(oldest, min(len(self.tracks.played), (last - late) // frame + 2)):
            _add(mixed, self.tracks.played[number], self._edges(number)[0] + late - first)

        return mixed

    def _place(self, now_s: float) -> None:
        """Begin the lines whose moment lies in the next frame or before."""
        while self._next < len(self._lines):
            line = self._lines[self._next]
            start_s = self._start_of(line.script)

            if start_s is None or start_s >= now_s + FRAME_S:
                return

            start_s = max(start_s, now_s)
            span = line.span
            begin_s, end_s = start_s + span.begin_s, start_s + span.end_s
            is_words = line.script.sound is None
            self._next += 1
            self.said.append(SpokenLine(self._next, start_s, begin_s, end_s, is_words))

            if self._book is not None and line.is_voice:
                begun_s = self.began_s + start_s
                until_s = begun_s + line.audio.seconds + _ECHO_S
                self._book.add(line.audio, at_s=begun_s, until_s=until_s)

    def _start_of(self, script: CallerLine) -> float | None:
        """When a line begins, seconds of the talk; None: nobody knows yet."""
        if script.at_s is not None:
            return script.at_s

        since_s = self.said[-1].end_s if self.said else 0.0

        if script.after == "line":
            return since_s + script.wait_s

        times = [at_s for name, at_s in self._happened if name == script.after and at_s >= since_s]
        return times[0] + script.wait_s if times else None

    def _has_ended(self, now_s: float) -> bool:
        if now_s >= self._head.at_most_s:
            self.is_timed_out = True
            return True

        last_s = max([self._ear.last_s, *(said.end_s for said in self.said)], default=0.0)
        is_said = self._next == len(self._lines)
        is_idle = self._state == "listening"
        return is_said and is_idle and now_s - last_s >= self._head.quiet_s

    def _edges(self, number: int) -> tuple[int, int]:
        """First sample of a frame, and one past its last."""
        per_s = self._room.rate_hz
        return round(number * FRAME_S * per_s), round((number + 1) * FRAME_S * per_s)


class _AgentEar:
    """When the agent begins and ends to speak, by its sound."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._samples = 0
        self._is_speaking = False
        self.last_s = 0.0
        """Behind its last audible sample."""

    def hear(self, played: Samples) -> list[tuple[str, float]]:
        """What the next frame shows, and when it was."""
        happened: list[tuple[str, float]] = []
        audible = np.flatnonzero(np.abs(played) > AUDIBLE)

        if len(audible):
            first_s = (self._samples + int(audible[0])) / self._rate_hz

            if not self._is_speaking:
                self._is_speaking = True
                happened.append(("agent_begins", first_s))

            self.last_s = (self._samples + int(audible[-1]) + 1) / self._rate_hz

        self._samples += len(played)

        if self._is_speaking and self._samples / self._rate_hz - self.last_s >= _BREATH_S:
            self._is_speaking = False
            happened.append(("agent_ends", self.last_s))

        return happened


class _Background:
    """A noise that goes on for ever."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def piece(self, first: int, last: int) -> Samples:
        """From one sample to another."""
        if not len(self._samples):
            return np.zeros(last - first, dtype=np.float32)

        return self._samples[np.arange(first, last) % len(self._samples)]


def _background(room: Room) -> _Background:
    if room.noise == "none":
        return _Background(np.zeros(0, dtype=np.float32))

    samples = noise(room.noise, _LOOP_S, room.rate_hz)
    return _Background(at_level(samples, room.noise_db, room.rate_hz))


def _add(mixed: Samples, samples: Samples, begin: int) -> None:
    """Lay a sound over another, from a place that may lie before or behind it."""
    first, last = max(0, begin), min(len(mixed), begin + len(samples))

    if first < last:
        mixed[first:last] += samples[first - begin : last - begin]


_: type[Transport] = Caller
