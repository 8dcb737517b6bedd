"""The agent's side of a turn: the one reply that is written, waits or sounds. Pure.

Rule 1. There is one reply at most. What comes instead of another comes after that was dropped.
Rule 2. Before it is released it is dropped by Withdraw, afterwards by StopSpeaking: the device may
        have taken some of it.
Rule 3. Who pauses resumes: the voice is never left paused when nobody speaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from atonce.agent.turn_events import (
    Action,
    Kind,
    Pause,
    Reason,
    Release,
    Resume,
    Say,
    StopSpeaking,
    Withdraw,
    Write,
)
from atonce.agent.turn_words import Utterance


@dataclass(slots=True)
class Speech:
    """A reply or a fixed sentence on its way to be heard."""

    number: int
    """Of replies and sentences together."""
    asked: str
    """The words that called for it; empty: it comes unasked."""
    utterances: list[Utterance]
    """What it answers."""
    began_writing_s: float
    """When it was asked for."""
    question: str
    """What the writer was given; for one that goes on, the question of the one before."""
    kind: Kind | None = None
    """For a fixed sentence: why it is said."""
    text: str = ""
    """For a fixed sentence: the words."""
    is_due: bool = False
    """It is released whatever sounds meanwhile."""
    continues: bool = False
    """It goes on where another was cut."""
    is_ready: bool = False
    """Its first sound waits."""
    released_s: float | None = None
    """When it was let go."""
    began_s: float | None = None
    """Since when it is audible."""
    has_failed: bool = False
    """Its sound breaks off: an engine failed after the first of it."""
    pauses: int = 0
    """How often it paused."""


@dataclass(slots=True)
class Voice:
    """What the agent says now, or is about to say."""

    speech: Speech | None = None
    """The one."""
    is_paused: bool = False
    """The playback is ducked."""
    paused_s: float = 0.0
    """Since when; before that, the last time it was."""
    _count: int = field(default=0, repr=False)

    @property
    def is_audible(self) -> bool:
        """It is heard, or would be if it were not paused."""
        return self.speech is not None and self.speech.began_s is not None

    def write(
        self,
        at_s: float,
        asked: str,
        utterances: Sequence[Utterance],
        *,
        is_early: bool,
        is_due: bool,
        continued: Speech | None = None,
    ) -> list[Action]:
        """A reply to these words, or the rest of one that was cut."""
        question = continued.question if continued else asked
        self._count += 1
        self.speech = Speech(
            self._count,
            asked,
            list(utterances),
            at_s,
            question,
            is_due=is_due,
            continues=continued is not None,
        )
        return [Write(self._count, question, is_early, continued is not None)]

    def say(
        self,
        at_s: float,
        kind: Kind,
        text: str,
        asked: str = "",
        utterances: Sequence[Utterance] = (),
        *,
        is_due: bool = False,
    ) -> list[Action]:
        """A fixed sentence."""
        # An apology is no answer, and words of another language are no question.
        question = asked if kind in ("emergency", "goodbye") else ""
        self._count += 1
        self.speech = Speech(
            self._count, asked, list(utterances), at_s, question, kind, text, is_due=is_due
        )
        return [Say(self._count, kind, text, question)]

    def release(self, at_s: float) -> list[Action]:
        """Let it be heard, if it is ready; where it was let go, end the pause."""
        speech = self.speech

        if speech is None or not speech.is_ready:
            return []

        actions = self.resume()

        if speech.released_s is None:
            actions.append(Release(speech.number))
            speech.released_s = at_s
        elif actions:
            speech.released_s = at_s

        return actions

    def pause(self, at_s: float) -> list[Action]:
        """Duck."""
        if self.is_paused:
            return []

        self.is_paused, self.paused_s = True, at_s
        return [Pause()]

    def resume(self) -> list[Action]:
        """Back to full level."""
        if not self.is_paused:
            return []

        self.is_paused = False
        return [Resume()]

    def drop(self, reason: Reason) -> list[Action]:
        """Rule 2."""
        speech, self.speech = self.speech, None

        if speech is None:
            return []

        if speech.released_s is None:
            return [Withdraw(speech.number)]

        self.is_paused = False
        return [StopSpeaking(speech.number, reason)]

    def audible_s(self, at_s: float) -> float:
        """For how long it has been heard, about."""
        began_s = None if self.speech is None else self.speech.began_s
        until_s = self.paused_s if self.is_paused else at_s
        return 0.0 if began_s is None else max(0.0, until_s - began_s)
