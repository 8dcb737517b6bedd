"""When somebody began to speak, paused, and stopped: decided from voice activity alone. Pure.

    sound    ......|== speech ==|..|= speech =|...........
    events         started   paused resumed   paused  ended
                   ^ from_s                           ^ delay after the last voice

Rule 1. Time is counted in seconds of sound: whoever feeds it faster than life gets the same events.
Rule 2. An utterance reaches back by the pre-roll, never before the first sample, and never into
        the utterance before it: no sample is heard twice.
Rule 3. The delay depends on what was said so far (`judge`), and applies to the silence that is
        already there as well.
Rule 4. No utterance is longer than the longest; the rest of it is the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from atonce.config.schema import EndpointSettings

Completeness = Literal["complete", "unsure", "incomplete"]
"""Whether what was said so far is the whole of what somebody wants to say."""
_EPSILON_S = 1e-6
"""A frame's length is no round number: the sum of many may fall short by less than this."""


@dataclass(frozen=True, slots=True)
class EndpointRules:
    """What counts as speech, and how long a silence ends it."""

    complete_s: float = 0.2
    """Silence that ends an utterance which sounds complete."""
    unsure_s: float = 0.5
    """Silence that ends one of which nobody knows."""
    incomplete_s: float = 1.0
    """Silence that ends one which breaks off: a pause inside a number or a thought is shorter."""
    pre_roll_s: float = 0.5
    """Sound kept from before the first voice: soft consonants come before it is noticed."""
    longest_s: float = 30.0
    """An utterance is closed after so much sound, whatever is heard."""
    voiced: float = 0.5
    """Probability of voice from which speech begins."""
    unvoiced: float = 0.35
    """Probability below which a voice has paused; between the two it goes on as it was."""
    shortest_s: float = 0.09
    """Voice that is speech and no click; the shortest word has more."""
    pause_s: float = 0.03
    """Silence after which a decode is worth its cost: one frame of the voice detector. In 42 s of
    recorded speech (tests/audio) five frames without a voice stood alone, and six dips were longer:
    to wait for a second frame would spare half of the decodes in vain, and delay every reply."""
    quiet_db: float = -58.0
    """Loudness (RMS of a frame, dBFS) below which a voice is reported as too quiet. A voice that
    peaks at -45 dBFS lies above it."""
    faded_db: float = 15.0
    """So far below its loudest moment a voice may have ended, though the voice detector still hears
    it: that follows 0.05 to 0.15 s later. Inside a word it falls so low only for a blink."""

    @classmethod
    def from_settings(cls, settings: EndpointSettings) -> Self:
        """As the settings want it."""
        return cls(
            complete_s=settings.complete_ms / 1000,
            unsure_s=settings.unsure_ms / 1000,
            incomplete_s=settings.incomplete_ms / 1000,
            pre_roll_s=settings.pre_roll_ms / 1000,
            longest_s=float(settings.longest_s),
        )

    def delay_s(self, completeness: Completeness) -> float:
        """The silence that ends an utterance."""
        match completeness:
            case "complete":
                return self.complete_s
            case "unsure":
                return self.unsure_s
            case "incomplete":
                return self.incomplete_s


@dataclass(frozen=True, slots=True)
class Activity:
    """What one frame of sound is like."""

    seconds: float
    """Its length."""
    voice: float
    """Probability that somebody speaks, 0 to 1."""
    level_db: float
    """Loudness (RMS, dBFS)."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Somebody speaks."""

    at_s: float
    """Seconds of sound when it was noticed."""
    from_s: float
    """Where the utterance begins, pre-roll included."""
    voice_s: float
    """Where its voice begins."""


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    """Nothing was heard for a moment: the end, perhaps."""

    at_s: float
    """Seconds of sound when it was noticed."""
    speech_end_s: float
    """The end of the last voice."""


@dataclass(frozen=True, slots=True)
class SpeechResumed:
    """The pause was one: the utterance goes on."""

    at_s: float
    """Seconds of sound when it was noticed."""


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The endpoint."""

    at_s: float
    """Seconds of sound when it was noticed."""
    from_s: float
    """Where the utterance begins, pre-roll included."""
    speech_end_s: float
    """The end of the last voice."""
    level_db: float
    """Loudness of its loudest moment (RMS of a frame, dBFS)."""
    reason: Literal["silence", "longest", "closed"]
    """The silence was long enough, the utterance too long, or the stream ended."""


@dataclass(frozen=True, slots=True)
class TooQuiet:
    """Somebody speaks, so quietly that words will be lost: said once an utterance."""

    at_s: float
    """Seconds of sound when it was noticed."""
    level_db: float
    """Loudness so far (RMS of a frame, dBFS)."""


@dataclass(frozen=True, slots=True)
class LoudnessChanged:
    """A voice that still counts as one has faded, or is back; a new one is loud."""

    at_s: float
    """Seconds of sound when it was noticed."""
    is_loud: bool
    """It is back."""


SpeechEvent = (
    SpeechStarted | SpeechPaused | SpeechResumed | SpeechEnded | TooQuiet | LoudnessChanged
)


@dataclass(slots=True)
class _Utterance:
    """What is known of the speech that goes on."""

    from_s: float
    speech_end_s: float
    level_db: float
    is_paused: bool = False
    is_loud: bool = True
    is_said_quiet: bool = False
    completeness: Completeness = "unsure"


class EndpointDetector:
    """Follows one stream of sound, frame by frame."""

    def __init__(self, rules: EndpointRules) -> None:
        self._rules = rules
        self._now_s = 0.0
        self._free_from_s = 0.0
        self._voiced_from_s: float | None = None
        self._loudest_db = -200.0
        self._utterance: _Utterance | None = None

    @property
    def now_s(self) -> float:
        """Seconds of sound so far."""
        return self._now_s

    @property
    def is_voiced(self) -> bool:
        """Somebody speaks in this very frame."""
        return self._utterance is not None and self._utterance.speech_end_s == self._now_s

    @property
    def hint_s(self) -> float:
        """Seconds of a voice that may become speech, or turn out to be a click; 0: there is none,
        or it is speech already."""
        return 0.0 if self._voiced_from_s is None else self._now_s - self._voiced_from_s

    @property
    def kept_from_s(self) -> float:
        """The earliest moment whose sound may still be asked for."""
        if self._utterance is not None:
            return self._utterance.from_s

        began_s = self._now_s if self._voiced_from_s is None else self._voiced_from_s
        return self._reaching_back(began_s)

    def hear(self, frame: Activity) -> list[SpeechEvent]:
        """What the next frame shows."""
        before_s = self._now_s
        self._now_s += frame.seconds

        if self._utterance is None:
            return self._wait(frame, before_s)

        return self._follow(self._utterance, frame)

    def judge(self, completeness: Completeness) -> list[SpeechEvent]:
        """Take note of whether what was said so far is complete; perhaps that ends it at once."""
        if self._utterance is None:
            return []

        self._utterance.completeness = completeness
        return self._end_if_over(self._utterance)

    def close(self) -> list[SpeechEvent]:
        """The stream ends, and what is being said with it."""
        return [] if self._utterance is None else [self._end(self._utterance, "closed")]

    def _wait(self, frame: Activity, before_s: float) -> list[SpeechEvent]:
        rules = self._rules

        if frame.voice < (rules.voiced if self._voiced_from_s is None else rules.unvoiced):
            self._voiced_from_s = None
            self._loudest_db = -200.0
            return []

        if self._voiced_from_s is None:
            self._voiced_from_s = before_s

        self._loudest_db = max(self._loudest_db, frame.level_db)

        if self._now_s - self._voiced_from_s < rules.shortest_s - _EPSILON_S:
            return []

        from_s = self._reaching_back(self._voiced_from_s)
        started = SpeechStarted(self._now_s, from_s, self._voiced_from_s)
        self._utterance = _Utterance(from_s, self._now_s, self._loudest_db)
        self._voiced_from_s, self._loudest_db = None, -200.0
        return [started]

    def _follow(self, utterance: _Utterance, frame: Activity) -> list[SpeechEvent]:
        rules = self._rules
        events: list[SpeechEvent] = []

        if frame.voice >= (rules.voiced if utterance.is_paused else rules.unvoiced):
            events += self._speak(utterance, frame)
        elif not utterance.is_paused and self._silence_s(utterance) >= rules.pause_s - _EPSILON_S:
            utterance.is_paused = True
            events.append(SpeechPaused(self._now_s, utterance.speech_end_s))

        if self._now_s - utterance.from_s >= rules.longest_s - _EPSILON_S:
            return [*events, self._end(utterance, "longest")]

        return events + self._end_if_over(utterance)

    def _speak(self, utterance: _Utterance, frame: Activity) -> list[SpeechEvent]:
        events: list[SpeechEvent] = []
        utterance.speech_end_s = self._now_s
        utterance.level_db = max(utterance.level_db, frame.level_db)
        is_loud = frame.level_db > utterance.level_db - self._rules.faded_db

        if utterance.is_paused:
            # What was complete before the pause is the beginning of something else now.
            utterance.is_paused, utterance.completeness = False, "unsure"
            utterance.is_loud = True
            events.append(SpeechResumed(self._now_s))

        if is_loud != utterance.is_loud:
            utterance.is_loud = is_loud
            events.append(LoudnessChanged(self._now_s, is_loud))

        is_judged = self._now_s - utterance.from_s >= 2 * self._rules.pre_roll_s

        if is_judged and not utterance.is_said_quiet and utterance.level_db < self._rules.quiet_db:
            utterance.is_said_quiet = True
            events.append(TooQuiet(self._now_s, utterance.level_db))

        return events

    def _end_if_over(self, utterance: _Utterance) -> list[SpeechEvent]:
        delay_s = self._rules.delay_s(utterance.completeness)
        is_over = self._silence_s(utterance) >= delay_s - _EPSILON_S
        return [self._end(utterance, "silence")] if is_over else []

    def _end(
        self, utterance: _Utterance, reason: Literal["silence", "longest", "closed"]
    ) -> SpeechEnded:
        self._utterance = None
        self._free_from_s = self._now_s
        return SpeechEnded(
            self._now_s, utterance.from_s, utterance.speech_end_s, utterance.level_db, reason
        )

    def _silence_s(self, utterance: _Utterance) -> float:
        return self._now_s - utterance.speech_end_s

    def _reaching_back(self, from_s: float) -> float:
        """Rule 2."""
        return max(self._free_from_s, from_s - self._rules.pre_roll_s)
