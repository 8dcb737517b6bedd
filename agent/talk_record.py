"""What came of a talk: its sound, what the session told, and the turns that follow from both. Pure.

Rule 1. Seconds are those of the talk: 0 is its first sample.
Rule 2. First audio is measured in the recording: from the last audible sample of the person's words
        to the first audible sample of the reply.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from atonce.agent.caller_sounds import AUDIBLE, SpokenLine
from atonce.agent.events import FirstAudio, ReplyStarted, SessionEvent
from atonce.agent.fake_voice import FoundWord
from atonce.agent.talk_turns import TalkTurn, TalkTurns
from atonce.llm.protocols import Prompt
from atonce.speech.protocols import Samples

_EARLY_S = 0.05
"""By how much the first audible sample may come before what the session says."""
_TIMES = ("at_s", "from_s", "speech_end_s")
"""Fields of events that are moments."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A whole talk."""

    rate_hz: int
    """Of both tracks."""
    heard: Samples
    """What the microphone gave."""
    played: Samples
    """What the loudspeaker gave."""
    lines: tuple[SpokenLine, ...]
    """What the person said."""
    unsaid: tuple[int, ...]
    """Lines that were not said, because what they waited for never came."""
    is_timed_out: bool
    """It was stopped at its longest."""
    events: tuple[SessionEvent, ...]
    """What the session told."""
    words: tuple[FoundWord, ...] | None = None
    """What the agent was heard to say, word by word; None where nobody can tell."""
    prompts: tuple[tuple[float, Prompt], ...] = ()
    """What a scripted writer was told, and when."""
    lost_frames: int = 0
    """Frames of the microphone that never arrived."""
    most_waiting: int = 0
    """Frames that waited for the session at worst."""

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.played) / self.rate_hz


def moved(event: SessionEvent, by_s: float) -> SessionEvent:
    """The same, on a clock that shows so much more."""
    times: dict[str, Any] = {
        name: getattr(event, name) + by_s for name in _TIMES if hasattr(event, name)
    }
    return replace(event, **times)


def turns_of(recording: Recording) -> list[TalkTurn]:
    """Every reply that was not withdrawn, in order."""
    turns: list[TalkTurn] = []
    follows = TalkTurns()

    for event in recording.events:
        turn = follows.take(event)

        if turn is not None and isinstance(event, ReplyStarted):
            turns.append(turn)

    kept = [turn for turn in turns if not turn.is_withdrawn]

    for turn in kept:
        _measure(turn, recording)

    return kept


def _measure(turn: TalkTurn, recording: Recording) -> None:
    """What only the recording can tell."""
    for number, event in enumerate(turn.events):
        if isinstance(event, FirstAudio):
            turn.events[number] = replace(event, at_s=_audible_s(recording, event.at_s))

    until_s = recording.seconds if turn.audible_s is None else turn.audible_s
    words = [line for line in recording.lines if line.is_words and line.end_s <= until_s]
    turn.spoken_end_s = words[-1].end_s if words else None


def _audible_s(recording: Recording, told_s: float) -> float:
    """The first sample that sounds; as it was told, where none does."""
    begin = max(0, round((told_s - _EARLY_S) * recording.rate_hz))
    audible = np.flatnonzero(np.abs(recording.played[begin:]) > AUDIBLE)
    return (begin + int(audible[0])) / recording.rate_hz if len(audible) else told_s


def prompt_of(turn: TalkTurn, recording: Recording) -> Prompt | None:
    """What the writer was told; None: nobody knows, the engines are not scripted."""
    until_s = recording.seconds if turn.audible_s is None else turn.audible_s
    asked = plain(turn.question)
    fits = [
        prompt
        for at_s, prompt in recording.prompts
        if at_s <= until_s and plain(prompt.question) == asked
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
