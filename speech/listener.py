"""The ears of one stream: sound goes in as it comes, events about speech come out.

    heard ─► 16 kHz ─► echo canceller ─► raised ─► voice detector ─► endpoint ─► dictation ─► events
    played ────────────────┘                                           ▲
                                          text rule (turn_end.py) ◄─ transcripts

Rule 1. It transcribes nothing: where a `TranscriptDue` comes out, its owner takes `sound(due)`,
        reads it in a thread of its own, and hands the words back with `receive`. The last one
        before a `SpeechEnded` is the final transcript.
Rule 2. Sound is kept from the beginning of the utterance on; that of an event can be had until the
        next call of `hear`.
Rule 3. What is no number in the sound, and what is beyond full scale, is counted and mended.
Rule 4. Where it is muted, silence is heard; but the canceller goes on learning the room, else the
        agent would hear itself for a moment once it is not muted any more.
Rule 5. Where an engine fails, time goes on: a frame that cannot be judged counts as silence, one
        that cannot be freed of the echo is heard as it is, and the fault is kept for the owner.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import soxr

from atonce.config.errors import EngineError
from atonce.speech.echo import NoCanceller
from atonce.speech.endpoint import (
    Activity,
    Completeness,
    EndpointDetector,
    EndpointRules,
    SpeechEnded,
    SpeechEvent,
)
from atonce.speech.noise_floor import NoiseFloor, level_db
from atonce.speech.partials import Dictation, TranscriptDue, WordsHeard
from atonce.speech.protocols import Audio, EchoCanceller, Samples, VoiceDetector
from atonce.speech.turn_end import completeness

EarEvent = SpeechEvent | TranscriptDue
"""What comes out of the ears."""
_BLOCKS_A_SECOND = 100
"""The echo canceller's frames."""


class Listener:
    """Hears one stream."""

    def __init__(
        self,
        detector: VoiceDetector,
        rules: EndpointRules | None = None,
        *,
        canceller: EchoCanceller | None = None,
        partial_every_s: float = 1.0,
        judge: Callable[[str], Completeness] = completeness,
    ) -> None:
        """Detector and canceller serve this stream alone, and have the same rate. judge: whether
        the words at a pause are all that somebody wants to say."""
        self._detector = detector
        self._rules = rules or EndpointRules()
        self._canceller = canceller or NoCanceller()
        self._endpoint = EndpointDetector(self._rules)
        self._dictation = Dictation(every_s=partial_every_s)
        self._floor = NoiseFloor()
        self._judge_words = judge
        self._rate_hz = detector.rate_hz
        self._heard = _Inlet(self._rate_hz)
        self._played = _Inlet(self._rate_hz)
        self._unjudged = _nothing()
        self._frames: list[Samples] = []
        self._first_frame = 0
        self.level_db = level_db(_nothing())
        """Loudness (RMS, dBFS) of the last frame: for a meter."""
        self.is_muted = False
        """Nothing is heard."""
        self.broken_samples = 0
        """Samples that were no numbers, so far."""
        self.clipped_samples = 0
        """Samples at or beyond full scale, so far."""
        self.fault: EngineError | None = None
        """Why an engine failed last; whoever tells of it takes it away."""

    @property
    def now_s(self) -> float:
        """Seconds of sound that have been judged."""
        return self._endpoint.now_s

    @property
    def hint_s(self) -> float:
        """Seconds of a voice that is no speech yet (EndpointDetector.hint_s)."""
        return self._endpoint.hint_s

    @property
    def floor_db(self) -> float:
        """Loudness (RMS, dBFS) of the stillest moment of the last seconds."""
        return self._floor.floor_db

    def hear(self, audio: Audio, played: Audio | None = None) -> list[EarEvent]:
        """The next stretch of sound, of any length and rate, and what was played meanwhile."""
        self._forget()
        self._heard.put(self._mended(audio))

        if played is not None:
            self._played.put(played)

        freed = self._freed()
        self._unjudged = np.concatenate([self._unjudged, freed * np.float32(not self.is_muted)])
        size = self._detector.frame_samples
        events: list[EarEvent] = []

        while len(self._unjudged) >= size:
            frame, self._unjudged = self._unjudged[:size], self._unjudged[size:]
            events += self._judge(frame)

        return events

    def close(self) -> list[EarEvent]:
        """The stream ends, and what is being said with it."""
        return self._noted(self._endpoint.close())

    def receive(self, due: TranscriptDue, text: str) -> tuple[WordsHeard, list[EarEvent]]:
        """A transcript is there: the words so far, and the endpoint where they make it one."""
        words = self._dictation.receive(due, text)
        events = self._endpoint.judge(self._judge_words(words.text)) if words.is_pause else []
        return words, self._noted(events)

    def sound(self, due: TranscriptDue) -> Audio:
        """The sound that a transcript is due of."""
        kept = np.concatenate([_nothing(), *self._frames])
        kept_from = self._first_frame * self._detector.frame_samples
        first = max(0, round(due.from_s * self._rate_hz) - kept_from)
        last = max(0, round(due.at_s * self._rate_hz) - kept_from)
        return Audio(kept[first:last], self._rate_hz)

    def _mended(self, audio: Audio) -> Audio:
        finite = np.isfinite(audio.samples)
        self.broken_samples += int(np.count_nonzero(~finite))
        samples = np.where(finite, audio.samples, 0.0)
        self.clipped_samples += int(np.count_nonzero(np.abs(samples) >= 1.0))
        return Audio(np.clip(samples, -1.0, 1.0).astype(np.float32), audio.rate_hz)

    def _freed(self) -> Samples:
        """All whole blocks that came in, without what was played."""
        block = self._rate_hz // _BLOCKS_A_SECOND
        ready = self._heard.waiting // block * block
        heard, played = self._heard.get(ready), self._played.get(ready)

        try:
            return self._canceller.cancel(heard, played)
        except EngineError as error:
            self.fault = error
            return heard

    def _judge(self, frame: Samples) -> list[EarEvent]:
        seconds = len(frame) / self._rate_hz
        self._frames.append(frame)
        self._floor.hear(frame, seconds)
        self.level_db = level_db(frame)
        raised = frame * np.float32(10 ** (self._floor.gain_db / 20))
        voice = self._probability(np.clip(raised, -1.0, 1.0))
        return self._noted(self._endpoint.hear(Activity(seconds, voice, self.level_db)))

    def _probability(self, frame: Samples) -> float:
        try:
            return self._detector.probability(frame)
        except EngineError as error:
            self.fault = error
            return 0.0

    def _noted(self, events: list[SpeechEvent]) -> list[EarEvent]:
        is_voiced = self._endpoint.is_voiced
        due = self._dictation.follow(events, self.now_s, is_voiced=is_voiced)
        before = [event for event in events if not isinstance(event, SpeechEnded)]
        after = [event for event in events if isinstance(event, SpeechEnded)]
        return [*before, *([] if due is None else [due]), *after]

    def _forget(self) -> None:
        """Rule 2."""
        seconds = self._detector.frame_samples / self._rate_hz
        unneeded = int(self._endpoint.kept_from_s / seconds) - self._first_frame

        if unneeded > 0:
            del self._frames[:unneeded]
            self._first_frame += unneeded


class _Inlet:
    """Sound waiting to be taken, at one rate, whatever rate it came in."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._from_hz = rate_hz
        self._converter: soxr.ResampleStream | None = None
        self._samples = _nothing()

    @property
    def waiting(self) -> int:
        """Samples that can be had."""
        return len(self._samples)

    def put(self, audio: Audio) -> None:
        """The next stretch; a new rate may come with it."""
        if audio.rate_hz != self._from_hz:
            self._from_hz = audio.rate_hz
            self._converter = soxr.ResampleStream(audio.rate_hz, self._rate_hz, 1, dtype="float32")

        samples = audio.samples

        if self._from_hz != self._rate_hz and self._converter is not None:
            samples = self._converter.resample_chunk(samples)

        self._samples = np.concatenate([self._samples, samples])

    def get(self, count: int) -> Samples:
        """So many samples, silence where fewer are there."""
        taken = np.zeros(count, dtype=np.float32)
        ready, self._samples = self._samples[:count], self._samples[count:]
        taken[: len(ready)] = ready
        return taken


def _nothing() -> Samples:
    return np.zeros(0, dtype=np.float32)
