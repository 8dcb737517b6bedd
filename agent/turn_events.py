"""What the turn is told, and what it wants done. Pure.

Rule 1. Every time is in seconds on the session's clock, those of the ears included.
Rule 2. Everything that is spoken has a number: replies that are written, and fixed sentences. The
        first is 1, and no number comes twice. Its name in the playback is the number in digits.
Rule 3. Utterances are counted, too: the first SpeechStarted that the turn is told of begins
        utterance 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from atonce.agent.events import PlaybackBegan, PlaybackEnded, State
from atonce.speech.endpoint import SpeechEvent

Kind = Literal[
    "greeting",
    "silence",
    "goodbye",
    "too_quiet",
    "too_long",
    "other_language",
    "apology",
    "emergency",
    "asked",
]
"""Why a fixed sentence is said; `asked`: somebody had it said by a command."""
Reason = Literal["speech", "words", "stop word", "emergency", "command", "button", "stuck"]
"""What cut the agent's voice."""


# ---- what happened ----


@dataclass(frozen=True, slots=True)
class TalkStarted:
    """Everything is ready: the talk begins."""

    at_s: float
    """Seconds on the session's clock."""


@dataclass(frozen=True, slots=True)
class TranscriptHeard:
    """An utterance's words so far."""

    at_s: float
    """Seconds on the session's clock."""
    utterance: int
    """Its number."""
    text: str
    """All of its words, from its beginning, without those of the agent's own voice that came back
    through the microphone (Phrases.beside_own_voice); empty: no words of a person."""
    is_final: bool
    """It was read at a pause or at the endpoint: unless speech goes on, this is all of it."""
    speech_end_s: float
    """The end of the last voice that was read (TranscriptDue.speech_end_s): it tells a transcript
    of this pause from a late one of an earlier pause."""
    is_own_voice: bool = False
    """The agent's own voice was among them."""
    language: str = ""
    """Which language was spoken (ISO 639-1), where the transcriber tells and is sure."""


@dataclass(frozen=True, slots=True)
class ReplyReady:
    """The first sound of a reply or a sentence waits in the playback, held."""

    at_s: float
    """Seconds on the session's clock."""
    reply: int
    """Its number."""


@dataclass(frozen=True, slots=True)
class ReplyFailed:
    """There will be no sound of it, or no more: an engine failed, or it holds nothing to say. What
    waits in the playback is still heard, if it was ready."""

    at_s: float
    """Seconds on the session's clock."""
    reply: int
    """Its number."""
    is_over: bool = False
    """Nothing failed: it was to go on, and all of it had been heard before."""


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The moment of `Turn.due_s` has come, or any later one."""

    at_s: float
    """Seconds on the session's clock."""


@dataclass(frozen=True, slots=True)
class QuestionAsked:
    """A question came in writing."""

    at_s: float
    """Seconds on the session's clock."""
    text: str
    """The words."""


@dataclass(frozen=True, slots=True)
class SentenceAsked:
    """Somebody wants this sentence said, as soon as nobody speaks and no answer is due."""

    at_s: float
    """Seconds on the session's clock."""
    text: str
    """The words."""


@dataclass(frozen=True, slots=True)
class StopAsked:
    """The agent shall be silent: what it says and what it was about to say is dropped."""

    at_s: float
    """Seconds on the session's clock."""


@dataclass(frozen=True, slots=True)
class ClearAsked:
    """The talk shall be forgotten, and whatever is said be stopped."""

    at_s: float
    """Seconds on the session's clock."""


@dataclass(frozen=True, slots=True)
class ButtonPressed:
    """Push-to-talk: from now on the person is heard."""

    at_s: float
    """Seconds on the session's clock."""


@dataclass(frozen=True, slots=True)
class ButtonReleased:
    """Push-to-talk: the person has finished. The session closes the utterance of the ears, so that
    its SpeechEnded follows (or came before)."""

    at_s: float
    """Seconds on the session's clock."""


@dataclass(frozen=True, slots=True)
class MuteAsked:
    """From now on the person is not heard, or is heard again."""

    at_s: float
    """Seconds on the session's clock."""
    is_muted: bool
    """Nobody is heard."""


Command = (
    QuestionAsked
    | SentenceAsked
    | StopAsked
    | ClearAsked
    | MuteAsked
    | ButtonPressed
    | ButtonReleased
)
"""What comes from outside the talk."""
TurnEvent = (
    SpeechEvent
    | TalkStarted
    | TranscriptHeard
    | ReplyReady
    | ReplyFailed
    | PlaybackBegan
    | PlaybackEnded
    | TimePassed
    | Command
)
"""What the turn is told."""


# ---- what is to be done ----


@dataclass(frozen=True, slots=True)
class Write:
    """Write a reply, synthesize it, and keep it held in the playback."""

    reply: int
    """Its number."""
    question: str
    """What it answers: all words of the turn, those of several utterances joined."""
    is_early: bool
    """The person may go on: it may be withdrawn."""
    continues: bool
    """It goes on where the last reply was cut: `question` is that reply's, what was heard of it is
    pinned (Conversation.continuation), and only the rest is spoken."""


@dataclass(frozen=True, slots=True)
class Say:
    """Synthesize a fixed sentence, and keep it held in the playback, like a reply."""

    reply: int
    """Its number."""
    kind: Kind
    """Why it is said."""
    text: str
    """The words."""
    question: str
    """What it answers; empty: nobody asked."""


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Give up a reply of which nothing was audible: its row, its sound."""

    reply: int
    """Its number."""


@dataclass(frozen=True, slots=True)
class Release:
    """Let a held reply be heard."""

    reply: int
    """Its number."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Duck: the voice falls silent and keeps its place."""


@dataclass(frozen=True, slots=True)
class Resume:
    """The voice goes on from where it fell silent."""


@dataclass(frozen=True, slots=True)
class StopSpeaking:
    """Cut what is audible: the playback, the row, the synthesizer; history keeps what was heard."""

    reply: int
    """Its number."""
    reason: Reason
    """What cut it."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Drop the talk so far: the next prompt has no history."""


@dataclass(frozen=True, slots=True)
class EndTalk:
    """The talk is over."""

    reason: Literal["goodbye", "silence"]
    """Why."""


@dataclass(frozen=True, slots=True)
class Report:
    """Something for the log."""

    state: State
    """The state in which it happened."""
    message: str
    """What."""
    is_fault: bool
    """A state was stuck and was reset; else words were heard that got no answer."""


Action = (
    Write | Say | Withdraw | Release | Pause | Resume | StopSpeaking | Forget | EndTalk | Report
)
"""What the session does, in the order given."""
