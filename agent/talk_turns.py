"""A turn as it happened: the turns of a talk, put together from its events. Pure.

Rule 1. A turn is one reply; a sentence of the agent's own is none. A reply that was withdrawn
        before it was heard is a turn, too.
Rule 2. Zero is the person's last word before the first sound, as it is known then; a noise is no
        word. Where nobody has spoken since the last reply, the question came in writing: zero is
        when its reply was begun.
Rule 3. Whoever shows, measures or learns from a turn takes it from here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from atonce.agent.events import (
    DraftMade,
    FirstAudio,
    PlanMade,
    PromptRead,
    ReplyChecked,
    ReplyEnded,
    ReplySettled,
    ReplyStarted,
    ReplyWaits,
    ReplyWithdrawn,
    SentenceSaid,
    SessionEvent,
    SpeechPaused,
    SpeechStopped,
    WordsHeard,
)
from atonce.agent.reply_rules import Reply
from atonce.agent.timeline import Mark, Timeline
from atonce.llm.protocols import Plan

_OPEN = 4
"""Replies that are followed at once: one that is heard, one that is written, and what was given up
without a word."""

Made = PromptRead | DraftMade | ReplyChecked | ReplyWaits | SentenceSaid | FirstAudio | ReplyEnded
"""What takes time in a turn."""


@dataclass(slots=True)
class TalkTurn:
    """One reply, from its first step to its last sound; seconds on the talk's clock."""

    number: int
    """The reply's."""
    question: str
    """What it answers."""
    began_s: float
    """When its writing began."""
    is_early: bool = False
    """It was begun before the endpoint."""
    continues: bool = False
    """It goes on where the reply to this question was cut."""
    spoken_end_s: float | None = None
    """The end of the person's last word; None: the question came in writing."""
    transcript_s: float | None = None
    """When the words that it answers were there; None as above."""
    endpoint_s: float | None = None
    """When it was known that the person had finished, if that was before the first sound."""
    plan: Plan | None = None
    """How it was to be written."""
    reason: str = ""
    """Why so."""
    reply: Reply | None = None
    """What was to be said."""
    ended: ReplyEnded | None = None
    """How it ended."""
    is_withdrawn: bool = False
    """Given up before any of it was heard."""
    events: list[Made] = field(default_factory=list, repr=False)
    """What happened to it, in order."""

    @property
    def audible_s(self) -> float | None:
        """When its first sample was audible."""
        return next((e.at_s for e in self.events if isinstance(e, FirstAudio)), None)

    @property
    def zero_s(self) -> float:
        """What its marks count from."""
        zero_s = self.began_s if self.spoken_end_s is None else self.spoken_end_s
        return zero_s if self.audible_s is None else min(zero_s, self.audible_s)

    @property
    def marks_s(self) -> dict[str, float]:
        """Seconds since zero of every mark that was reached."""
        return self.timeline(self.zero_s).marks_s

    @property
    def first_audio_s(self) -> float | None:
        """Seconds from zero to the first sound; None: it was not heard."""
        return None if self.audible_s is None else self.audible_s - self.zero_s

    @property
    def first_audio_ms(self) -> int | None:
        """From the person's last word to the first sound; None: one of them is missing."""
        waited_s = self.first_audio_s
        is_known = waited_s is not None and self.spoken_end_s is not None
        return round(1000 * (waited_s or 0.0)) if is_known else None

    @property
    def source(self) -> str:
        """Who wrote it; empty: nothing was settled."""
        return self.reply.source if self.reply else ""

    @property
    def draft(self) -> Literal["held", "refined", "new"]:
        """Out of what it was made: begun before the endpoint and heard as it was, out of an early
        draft, or begun after the endpoint."""
        if self.reply is not None and self.reply.is_refined:
            return "refined"

        return "held" if self.is_early else "new"

    @property
    def steps(self) -> int:
        """Denoising steps that were done."""
        return self.reply.steps if self.reply else 0

    @property
    def is_forced(self) -> bool:
        """The deadline closed it."""
        return self.reply is not None and self.reply.forced

    @property
    def canvas(self) -> int:
        """Positions, as planned."""
        return self.plan.canvas if self.plan else 0

    @property
    def planned_steps(self) -> int:
        """K as it was planned; 0: no plan was told."""
        return self.plan.steps if self.plan else 0

    @property
    def prompt_tokens(self) -> int:
        """Length of the prompt."""
        return next((made.tokens for made in self.events if isinstance(made, PromptRead)), 0)

    @property
    def heard(self) -> str:
        """What was heard of it, once it is over."""
        return self.ended.heard if self.ended else ""

    @property
    def is_cut(self) -> bool:
        """It was not heard to its end."""
        return self.ended is not None and self.ended.is_cut

    def timeline(self, zero_s: float) -> Timeline:
        """The marks since such a zero. What lies before it is at zero; a device tells its times a
        little off: no mark lies before the one that precedes it."""
        timeline, last_s = Timeline(zero_s), zero_s

        for name, at_s in self._moments():
            with suppress(ValueError):  # it came before
                if name in ("endpointed", "acknowledged"):
                    timeline.mark(name, at_s=max(zero_s, at_s))
                    continue

                last_s = max(last_s, at_s)

                if name is None:
                    timeline.draft(at_s=last_s)
                else:
                    timeline.mark(name, at_s=last_s)

        return timeline

    def _moments(self) -> Iterator[tuple[Mark | None, float]]:
        """Marks on the talk's clock; None: a denoising step."""
        yield "transcript_final", self.began_s if self.transcript_s is None else self.transcript_s

        for event in self.events:
            match event:
                case ReplyChecked(final=False):
                    continue
                case ReplyEnded() if self.audible_s is None:
                    continue
                case FirstAudio() if self.endpoint_s is not None:
                    yield "endpointed", self.endpoint_s
                case _:
                    pass

            yield _MARKS[type(event)], event.at_s


_MARKS: dict[type[Made], Mark | None] = {
    PromptRead: "prompt_read",
    DraftMade: None,
    ReplyChecked: "reply_checked",
    ReplyWaits: "first_chunk",
    SentenceSaid: "acknowledged",
    FirstAudio: "first_audio",
    ReplyEnded: "playback_ended",
}


class TalkTurns:
    """Follows a talk."""

    def __init__(self) -> None:
        self._pause_s = 0.0
        self._endpoint_s = -math.inf
        self._words: tuple[float, float] | None = None  # their end, and when they were there
        self._open: dict[int, TalkTurn] = {}
        self._current = 0

    def take(self, event: SessionEvent) -> TalkTurn | None:
        """Something happened; the turn that it belongs to."""
        match event:
            case SpeechPaused() | SpeechStopped():
                self._pause_s = event.speech_end_s
                if isinstance(event, SpeechStopped):
                    self._endpoint_s = event.at_s
            case WordsHeard(is_final=True) if event.text:
                self._words = self._pause_s, event.at_s
            case ReplyStarted():
                return self._begin(event)
            case _:
                turn = self._open.get(self._number(event))
                if turn is not None:
                    self._add(turn, event)

                return turn

        return None

    def _begin(self, event: ReplyStarted) -> TalkTurn:
        turn = TalkTurn(event.reply, event.question, event.at_s, event.is_early, event.continues)
        if self._words is not None:
            turn.spoken_end_s, turn.transcript_s = self._words

        self._current = turn.number
        self._open[turn.number] = turn
        while len(self._open) > _OPEN:
            del self._open[next(iter(self._open))]

        return turn

    def _number(self, event: SessionEvent) -> int:
        """The reply that it is about: its number, or else the one that is being written; -1: it is
        about none."""
        match event:
            case ReplySettled():
                return event.number or self._current
            case PlanMade() | ReplyWaits() | FirstAudio() | ReplyEnded() | ReplyWithdrawn():
                return event.reply or self._current
            case PromptRead() | DraftMade() | ReplyChecked() | SentenceSaid(kind="one_moment"):
                return self._current
            case _:
                return -1

    def _add(self, turn: TalkTurn, event: SessionEvent) -> None:
        match event:
            case PlanMade():
                turn.plan, turn.reason = event.plan, event.reason
            case ReplySettled():
                turn.reply = event.reply
            case PromptRead() | DraftMade() | ReplyChecked() | ReplyWaits() | SentenceSaid():
                turn.events.append(event)
            case FirstAudio():
                self._sound(turn, event)
            case ReplyEnded() | ReplyWithdrawn():
                del self._open[turn.number]
                turn.is_withdrawn = isinstance(event, ReplyWithdrawn)
                if isinstance(event, ReplyEnded):
                    turn.ended = event
                    turn.events.append(event)
            case _:
                pass

    def _sound(self, turn: TalkTurn, event: FirstAudio) -> None:
        """It is audible: what was said so far is answered."""
        turn.events.append(event)
        if self._words is not None:
            turn.spoken_end_s = self._words[0]
            self._words = None

        if turn.zero_s <= self._endpoint_s <= event.at_s:
            turn.endpoint_s = self._endpoint_s
