"""What the turn goes by: times, words and sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from atonce.agent.phrases import Phrases
from atonce.agent.turn_events import Kind
from atonce.config.schema import Settings

OVERHANG_S = 0.1
"""By so much a voice lasts longer for the voice detector than it sounds: 0.05 to 0.15 s for short
words of the default voice (Silero)."""
NOTICED_S = OVERHANG_S + 0.1
"""By so much the end of a voice is known later than it was: EndpointRules.pause_s, a frame of the
voice detector, and the way to the turn come on top."""
DECIDED_BEFORE_S = 0.03
"""By so much a decision comes before its time: the timer and the playback take a moment."""
EPSILON_S = 1e-6
"""A time that was added up may fall short by less than this."""


@dataclass(frozen=True, slots=True)
class TurnRules:
    """Everything that is a matter of choice. A time of 0 says: never."""

    phrases: Phrases = field(default_factory=Phrases)
    """Words and phrases that have a meaning of their own."""
    sentences: Mapping[Kind, str] = field(default_factory=dict)
    """What the agent says by itself; nothing is said for a kind that is missing or empty."""
    language: str = "en"
    """The language of the talk (ISO 639-1)."""
    barge_in_s: float = 0.5
    """So much speech over the agent's voice interrupts it."""
    barge_in_words: int = 2
    """So many words interrupt it."""
    decide_s: float = 0.7
    """Until so long after the onset it is decided whether speech is an interruption."""
    words_s: float = 0.4
    """Where the speech has ended by then, its words are awaited so much longer: a question of two
    words is as short as a backchannel, and one more syllable of the agent would be too many."""
    early_writes: int = 2
    """So many replies are begun in one turn before its endpoint; 0: none."""
    most_pauses: int = 4
    """So often a reply pauses for what turns out to be nothing; then it speaks on through it, and
    only speech, words or a stop word cut it. Else a noisy room would chop it to pieces."""
    unheard_s: float = 0.3
    """A reply that was audible for less was not heard: the words it answered are joined with those
    that cut it."""
    echo_s: float = 120.0
    """For so long after its own voice came back through the microphone (a loudspeaker over the air
    is too late for the echo canceller) the agent is neither ducked nor cut by sound, only by words
    that are not its own."""
    most_continued: int = 1
    """So often in a row a reply that was cut by what turns out to be no words goes on by itself."""
    transcript_s: float = 10.0
    """A transcript comes so long after the endpoint, or never."""
    thinking_s: float = 20.0
    """A reply waits in the playback so long after its question, or something is wrong."""
    begin_s: float = 5.0
    """A released reply is audible after so long, or the device has failed."""
    speaking_s: float = 120.0
    """No reply sounds longer."""
    hearing_s: float = 35.0
    """No utterance lasts longer: the ears close it before."""
    button_s: float = 60.0
    """Nobody holds the button longer."""
    silence_s: float = 8.0
    """After so much silence the friendly prompt is said, once."""
    end_after_s: float = 0.0
    """After so much silence the talk ends."""
    is_push_to_talk: bool = False
    """Only what is said while the button is held counts."""

    @classmethod
    def from_settings(cls, settings: Settings, *, is_push_to_talk: bool = False) -> Self:
        """As the settings want it; is_push_to_talk belongs to the microphone."""
        turn = settings.turn
        kinds: tuple[Kind, ...] = (
            "greeting",
            "silence",
            "goodbye",
            "too_quiet",
            "too_long",
            "other_language",
            "apology",
        )
        return cls(
            phrases=Phrases.from_settings(settings),
            sentences={kind: getattr(settings.agent.sentences, kind) for kind in kinds},
            language=settings.transcriber.language,
            barge_in_s=turn.barge_in_speech_ms / 1000,
            barge_in_words=turn.barge_in_words,
            decide_s=turn.decide_ms / 1000,
            early_writes=settings.watchdog.most_drafts if settings.watchdog.drafts else 0,
            thinking_s=turn.thinking_limit_s,
            speaking_s=turn.speaking_limit_s,
            # The ears close an utterance at longest_s; five seconds more, and they are deaf.
            hearing_s=settings.endpoint.longest_s + 5.0,
            silence_s=turn.silence_prompt_s,
            end_after_s=turn.end_after_s,
            is_push_to_talk=is_push_to_talk,
        )
