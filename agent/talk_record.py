"""What came of a talk: its sound, what the session told, and the turns that follow from both. Pure.

Rule 1. Seconds are those of the talk: 0 is its first sample.
Rule 2. First audio is measured in the recording: from the last audible sample of the person's words
        to the first audible sample of the reply.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from atonce.agent.caller_sounds import AUDIBLE, SpokenLine
from atonce.agent.events import (
    ChunkSpoken,
    DraftMade,
    FirstAudio,
    PlanMade,
    PromptRead,
    ReplyChecked,
    ReplyEnded,
    ReplySettled,
    ReplyStarted,
    ReplyWithdrawn,
    SessionEvent,
    SpeechStopped,
    WordsHeard,
)
from atonce.agent.fake_voice import FoundWord
from atonce.agent.reply_rules import Reply
from atonce.llm.protocols import Prompt
from atonce.speech.protocols import Samples

_EARLY_S = 0.05
"""By how much the first audible sample may come before what the session says."""
_MARKS: Mapping[type, str] = {
    PromptRead: "prompt_read",
    DraftMade: "first_draft",
    ReplyChecked: "reply_checked",
    ChunkSpoken: "first_sound",
}


@dataclass(slots=True)
class TurnRecord:
    """One question and what came of it."""

    number: int
    """The reply's."""
    question: str
    """What was answered."""
    heard: str = ""
    """The last words that were heard before."""
    reply: Reply | None = None
    """What was written."""
    planned_steps: int = 0
    """K, as it was planned; 0: no plan was told."""
    is_withdrawn: bool = False
    """Given up before any of it was heard."""
    ended: ReplyEnded | None = None
    """How it ended."""
    marks_s: dict[str, float] = field(default_factory=dict)
    """What happened when, seconds of the talk."""
    prompt: Prompt | None = None
    """What the writer was told, where the engines are scripted."""

    @property
    def first_audio_ms(self) -> int | None:
        """From the person's last word to the reply's first sound."""
        ended_s, first_s = self.marks_s.get("speech_ended"), self.marks_s.get("first_audio")
        return None if ended_s is None or first_s is None else round(1000 * (first_s - ended_s))

    @property
    def marks_ms(self) -> dict[str, int]:
        """Every mark, from the person's last word on; empty where no word led to it."""
        zero_s = self.marks_s.get("speech_ended")

        if zero_s is None:
            return {}

        return {name: round(1000 * (at_s - zero_s)) for name, at_s in self.marks_s.items()}


@dataclass(frozen=True, slots=True)
class Recording:
    """A whole talk."""

    rate_hz: int
    """Of both tracks."""
    heard: Samples
    """What the microphone gave."""
    played: Samples
    """What the loudspeaker gave."""
    began_s: float
    """Its first sample, on the session's clock."""
    lines: tuple[SpokenLine, ...]
    """What the person said."""
    unsaid: tuple[int, ...]
    """Lines that were not said, because what they waited for never came."""
    is_timed_out: bool
    """It was stopped at its longest."""
    events: tuple[SessionEvent, ...]
    """What the session told, on the session's clock."""
    words: tuple[FoundWord, ...] | None = None
    """What the agent was heard to say, word by word; None where nobody can tell."""
    prompts: tuple[tuple[float, Prompt], ...] = ()
    """What a scripted writer was told, and when, on the session's clock."""
    lost_frames: int = 0
    """Frames of the microphone that never arrived."""
    most_waiting: int = 0
    """Frames that waited for the session at worst."""

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.played) / self.rate_hz


def turns_of(recording: Recording) -> list[TurnRecord]:
    """Every reply that was not withdrawn, in order."""
    turns: dict[int, TurnRecord] = {}
    reading = _Reading(recording.began_s, turns)

    for event in recording.events:
        reading.take(event)

    kept = [turn for turn in turns.values() if not turn.is_withdrawn]

    for turn in kept:
        _measure(turn, recording)

    return kept


class _Reading:
    """Goes through the events, and gives each to its turn."""

    def __init__(self, began_s: float, turns: dict[int, TurnRecord]) -> None:
        self._began_s = began_s
        self._turns = turns
        self._heard = ""
        self._ears: dict[str, float] = {}
        self._running: TurnRecord | None = None

    def take(self, event: SessionEvent) -> None:
        """What happened next."""
        at_s = event.at_s - self._began_s
        running = self._running

        match event:
            case WordsHeard(is_final=True):
                self._heard, self._ears["transcript_final"] = event.text, at_s
                self._late_ears()
            case SpeechStopped():
                self._ears["endpointed"] = at_s
                self._late_ears()
            case ReplyStarted():
                self._running = TurnRecord(event.reply, event.question, self._heard)
                self._running.marks_s.update(self._ears)
                self._turns[event.reply] = self._running
            case PromptRead() | DraftMade() | ReplyChecked() | ChunkSpoken() if running:
                running.marks_s.setdefault(_MARKS[type(event)], at_s)
            case PlanMade() if turn := self._turns.get(event.reply):
                turn.planned_steps = event.plan.steps
            case ReplySettled() if turn := self._turns.get(event.number):
                turn.reply = event.reply
            case FirstAudio() | ReplyWithdrawn() | ReplyEnded():
                self._follow(event, at_s)
            case _:
                pass

    def _follow(self, event: FirstAudio | ReplyWithdrawn | ReplyEnded, at_s: float) -> None:
        turn = self._turns.get(event.reply)

        if turn is None:  # a sentence of the agent's own
            return

        match event:
            case FirstAudio():
                turn.marks_s["first_audio"] = at_s
            case ReplyWithdrawn():
                turn.is_withdrawn = True
            case ReplyEnded():
                turn.ended = event
                turn.marks_s["ended"] = at_s

    def _late_ears(self) -> None:
        """The endpoint may come after the reply was begun, which is held until then."""
        if self._running is not None and "first_audio" not in self._running.marks_s:
            self._running.heard = self._heard
            self._running.marks_s.update(self._ears)


def _measure(turn: TurnRecord, recording: Recording) -> None:
    """What only the recording can tell."""
    told_s = turn.marks_s.get("first_audio")

    if told_s is not None:
        begin = max(0, round((told_s - _EARLY_S) * recording.rate_hz))
        audible = np.flatnonzero(np.abs(recording.played[begin:]) > AUDIBLE)

        if len(audible):
            turn.marks_s["first_audio"] = (begin + int(audible[0])) / recording.rate_hz

    until_s = turn.marks_s.get("first_audio", recording.seconds)
    words = [line for line in recording.lines if line.is_words and line.end_s <= until_s]

    if words:
        turn.marks_s = {"speech_ended": words[-1].end_s, **turn.marks_s}

    turn.prompt = _prompt_of(turn, recording)


def _prompt_of(turn: TurnRecord, recording: Recording) -> Prompt | None:
    settled_s = turn.marks_s.get("first_audio", recording.seconds) + recording.began_s
    asked = plain(turn.question)
    fits = [
        prompt
        for at_s, prompt in recording.prompts
        if at_s <= settled_s and plain(prompt.question) == asked
    ]
    return fits[-1] if fits else None


def plain(text: str) -> str:
    """Its words alone, in small letters, one blank between two."""
    return " ".join(re.findall(r"[a-z0-9]+(?:'[a-z]+)?", text.lower().replace("’", "'")))


def holds(text: str, words: str) -> bool:
    """These words stand in the text, in this order and side by side."""
    return f" {plain(words)} " in f" {plain(text)} "


def between(words: Sequence[FoundWord], begin_s: float, end_s: float) -> list[FoundWord]:
    """Words that begin in a stretch of the talk."""
    return [word for word in words if begin_s <= word.start_s < end_s]
