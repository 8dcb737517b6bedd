"""What happened in a talk, for whoever shows or records it; `at_s` is the clock's time.

Rule 1: an event is published after what it tells has happened, in the order in which it became
        known; its `at_s` may lie a little earlier (sound is judged after it was heard).
Rule 2: what belongs to one reply carries the reply's number where several may be on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from atonce.agent.reply_check import Verdict
from atonce.agent.reply_rules import Reply
from atonce.llm.protocols import Draft, Plan

State = Literal["listening", "hearing", "thinking", "speaking", "paused"]
"""Whose turn it is: nobody's, the person's, the agent's before its first sound, the agent's, and
the agent's while it waits for what the person wants."""


@dataclass(frozen=True, slots=True)
class QuestionHeard:
    """The final transcript of the question is there."""

    at_s: float
    """Seconds on the session's clock."""
    text: str
    """What was heard."""


@dataclass(frozen=True, slots=True)
class PromptRead:
    """Role, facts, history and question lie in the writer's cache."""

    at_s: float
    """Seconds on the session's clock."""
    tokens: int
    """Length of the prompt."""


@dataclass(frozen=True, slots=True)
class DraftMade:
    """One denoising step ended."""

    at_s: float
    """Seconds on the session's clock."""
    draft: Draft
    """The canvas after it."""
    repair: int
    """0 while the reply is first written, then the number of the repair."""


@dataclass(frozen=True, slots=True)
class ReplyChecked:
    """The reply was checked: it stands, it is masked again in part, or it is given up."""

    at_s: float
    """Seconds on the session's clock."""
    verdict: Verdict
    """What the check found."""
    final: bool
    """The reply that will be spoken is settled."""


@dataclass(frozen=True, slots=True)
class ChunkSpoken:
    """A piece of the reply's sound is ready."""

    at_s: float
    """Seconds on the session's clock."""
    seconds: float
    """Length of the piece."""


@dataclass(frozen=True, slots=True)
class NothingToSay:
    """The reply is written but holds nothing that can be spoken; no sound will follow."""

    at_s: float
    """Seconds on the session's clock."""
    text: str
    """The reply as written."""


@dataclass(frozen=True, slots=True)
class StateChanged:
    """It is somebody else's turn."""

    at_s: float
    """Seconds on the session's clock."""
    state: State
    """Whose."""


@dataclass(frozen=True, slots=True)
class SpeechDetected:
    """Somebody began to speak."""

    at_s: float
    """Seconds on the session's clock."""
    from_s: float
    """When their voice began, on the same clock."""


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    """Nothing was heard for a moment: the end, perhaps."""

    at_s: float
    """Seconds on the session's clock."""
    speech_end_s: float
    """The end of the last voice, on the same clock."""


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The endpoint: the utterance is over."""

    at_s: float
    """Seconds on the session's clock."""
    speech_end_s: float
    """The end of the last voice, on the same clock."""


@dataclass(frozen=True, slots=True)
class WordsHeard:
    """What somebody has said so far in this utterance."""

    at_s: float
    """Seconds on the session's clock."""
    text: str
    """All of it."""
    settled: int
    """How many of its first words will not change any more."""
    is_final: bool = False
    """Unless speech goes on, this is all of it."""


@dataclass(frozen=True, slots=True)
class LevelMeasured:
    """How loud it is at the microphone, ten times a second."""

    at_s: float
    """Seconds on the session's clock."""
    level_db: float
    """Loudness (RMS, dBFS)."""
    floor_db: float
    """Loudness of the stillest moment of the last seconds (RMS, dBFS)."""


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """A reply is being written."""

    at_s: float
    """Seconds on the session's clock."""
    reply: int
    """Its number."""
    question: str
    """What it answers."""
    is_early: bool = False
    """Perhaps the person has not finished: it is a draft."""
    continues: bool = False
    """It goes on where the reply to this question was cut; what was said last was no question."""


@dataclass(frozen=True, slots=True)
class PlanMade:
    """It was decided how a reply is written."""

    at_s: float
    """Seconds on the session's clock."""
    plan: Plan
    """How."""
    reason: str
    """Why, in a few words."""
    reply: int = 0
    """Its number."""


@dataclass(frozen=True, slots=True)
class ReplySettled:
    """The reply that will be spoken is there, all of it."""

    at_s: float
    """Seconds on the session's clock."""
    reply: Reply
    """What will be said."""
    number: int = 0
    """Its number."""


@dataclass(frozen=True, slots=True)
class ReplyWaits:
    """The first sound of a reply waits to be played."""

    at_s: float
    """Seconds on the session's clock."""
    reply: int
    """Its number."""


@dataclass(frozen=True, slots=True)
class ReplyWithdrawn:
    """A reply was given up before any of it was heard."""

    at_s: float
    """Seconds on the session's clock."""
    reply: int
    """Its number."""


@dataclass(frozen=True, slots=True)
class FirstAudio:
    """The first sample of a reply is audible."""

    at_s: float
    """Seconds on the session's clock."""
    reply: int = 0
    """Its number."""


@dataclass(frozen=True, slots=True)
class PlaybackPaused:
    """The voice went silent, because somebody speaks."""

    at_s: float
    """Seconds on the session's clock."""


@dataclass(frozen=True, slots=True)
class PlaybackResumed:
    """The voice goes on where it fell silent."""

    at_s: float
    """Seconds on the session's clock."""


@dataclass(frozen=True, slots=True)
class ReplyEnded:
    """A reply was heard to its end, or cut."""

    at_s: float
    """Seconds on the session's clock."""
    heard: str
    """What was heard of it, as it is written."""
    is_cut: bool
    """Something of it was not heard."""
    reply: int = 0
    """Its number."""


@dataclass(frozen=True, slots=True)
class SentenceSaid:
    """The agent begins to say one of its own sentences."""

    at_s: float
    """Seconds on the session's clock."""
    kind: str
    """Which: greeting, goodbye, apology …"""
    text: str
    """The words."""


@dataclass(frozen=True, slots=True)
class FactsRenewed:
    """Facts changed, and the writer has read them."""

    at_s: float
    """Seconds on the session's clock."""
    names: tuple[str, ...]
    """Which."""


@dataclass(frozen=True, slots=True)
class LoopMeasured:
    """How late the session's own work came, over the last seconds."""

    at_s: float
    """Seconds on the session's clock."""
    lag_p99_ms: float
    """Of a hundred moments, the second latest."""
    lag_max_ms: float
    """The latest."""


@dataclass(frozen=True, slots=True)
class ErrorRaised:
    """Something failed; the session goes on."""

    at_s: float
    """Seconds on the session's clock."""
    message: str
    """What, where, and what to do."""


@dataclass(frozen=True, slots=True)
class TalkEnded:
    """The talk is over."""

    at_s: float
    """Seconds on the session's clock."""
    reason: str
    """Why: goodbye, silence, closed, or an error."""


@dataclass(frozen=True, slots=True)
class Heard:
    """How much of a reply really sounded."""

    seconds: float
    """Of its sound."""
    text: str
    """Its spoken words, as they were given to the synthesizer, with one blank between two."""


@dataclass(frozen=True, slots=True)
class PlaybackBegan:
    """The first sample of a reply, or of a sentence, is audible."""

    at_s: float
    """Seconds on the session's clock."""
    tag: str = ""
    """What was begun in the playback under this name."""


@dataclass(frozen=True, slots=True)
class PlaybackEnded:
    """The last sample of it was audible, or it was stopped."""

    at_s: float
    """Seconds on the session's clock."""
    tag: str = ""
    """What was begun in the playback under this name."""


Event = (
    QuestionHeard | PlanMade | PromptRead | DraftMade | ReplyChecked | ChunkSpoken | NothingToSay
)
"""What happens while one reply is made."""
SessionEvent = (
    Event
    | StateChanged
    | SpeechDetected
    | SpeechPaused
    | SpeechStopped
    | WordsHeard
    | LevelMeasured
    | ReplyStarted
    | ReplySettled
    | ReplyWaits
    | ReplyWithdrawn
    | FirstAudio
    | PlaybackPaused
    | PlaybackResumed
    | ReplyEnded
    | SentenceSaid
    | FactsRenewed
    | LoopMeasured
    | ErrorRaised
    | TalkEnded
)
"""What happens in a talk."""
