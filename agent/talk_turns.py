"""The turns of a talk, put together from what was told of it: for reports and metrics. Pure.

Rule 1. Events are plain data, as agent/event_json.py has them; what is not known is passed over.
Rule 2. A turn is one reply. Zero is the person's last word before its first sound.
Rule 3. A reply that was withdrawn before it was heard is a turn, too, but no reply.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from atonce.agent.timeline import Mark, Timeline

Draft = Literal["held", "refined", "new"]
"""Begun before the endpoint and heard as it was; out of an early draft; begun after it."""
Told = Mapping[str, object]


@dataclass(slots=True)
class TalkTurn:
    """One reply, from its first step to its last sound."""

    number: int
    """The reply's."""
    question: str = ""
    """What it answers."""
    reply: str = ""
    """What was to be said."""
    heard: str = ""
    """What was heard of it."""
    source: str = ""
    """Who wrote it."""
    steps: int = 0
    """Denoising steps that were done."""
    planned_steps: int = 0
    """K as it was planned."""
    canvas: int = 0
    """Positions."""
    prompt: int = 0
    """Tokens."""
    reason: str = ""
    """Why it was planned so."""
    draft: Draft = "new"
    """Out of what it was made."""
    is_forced: bool = False
    """The deadline closed it."""
    is_cut: bool = False
    """It was not heard to its end."""
    is_withdrawn: bool = False
    """None of it was heard."""
    zero_s: float = 0.0
    """The person's last word, on the talk's clock."""
    marks_s: dict[str, float] = field(default_factory=dict)
    """Seconds since zero."""
    raw: list[tuple[Mark | None, float]] = field(default_factory=list, repr=False)
    """Marks on the talk's clock; None: a denoising step."""

    @property
    def first_audio_s(self) -> float | None:
        """Seconds from the person's last word to the first sound; None: it was not heard."""
        return self.marks_s.get("first_audio")


class TalkTurns:
    """Follows a talk."""

    def __init__(self) -> None:
        self.spoken_end_s: float | None = None
        self._transcript_s = self._endpoint_s = self._pause_s = 0.0
        self._open: dict[int, TalkTurn] = {}
        self._current = 0

    def take(self, told: Told) -> TalkTurn | None:
        """Something happened; the turn that is over by it."""
        at_s = number(told, "at_s")
        match told.get("event"):
            case "speech_paused" | "speech_stopped":
                self._pause_s = number(told, "speech_end_s")
                if told["event"] == "speech_stopped":
                    self._endpoint_s = at_s
            case "words_heard" if told.get("is_final"):
                self._transcript_s = at_s
                if told.get("text"):  # a noise is no word to be answered
                    self.spoken_end_s = self._pause_s
            case "reply_started":
                self._begin(told, at_s)
            case "reply_ended" | "reply_withdrawn":
                return self._end(told, at_s)
            case name:
                self._note(str(name), told, at_s)

        return None

    def _begin(self, told: Told, at_s: float) -> None:
        self._current = int(number(told, "reply"))
        turn = TalkTurn(self._current, str(told.get("question", "")))
        turn.draft = "held" if told.get("is_early") else "new"
        turn.raw.append(("transcript_final", min(at_s, self._transcript_s or at_s)))
        self._open[turn.number] = turn

    def _note(self, name: str, told: Told, at_s: float) -> None:
        turn = self._turn_of(name, told)
        if turn is None:
            return

        if name in MARKED:
            turn.raw.append((MARKED[name], at_s))

        match name:
            case "plan_made" | "reply_settled":
                (_plan if name == "plan_made" else _settle)(turn, told)
            case "prompt_read":
                turn.prompt = int(number(told, "tokens"))
            case "reply_checked" if told.get("final"):
                turn.raw.append(("reply_checked", at_s))
            case "sentence_said" if told.get("kind") == "one_moment":
                turn.raw.append(("acknowledged", at_s))
            case "first_audio":
                self._sound(turn, at_s)
            case _:
                pass

    def _turn_of(self, name: str, told: Told) -> TalkTurn | None:
        """The reply that it is about: its number, or else the one that is being written."""
        given = told.get("number" if name == "reply_settled" else "reply")
        return self._open.get(given if isinstance(given, int) and given else self._current)

    def _sound(self, turn: TalkTurn, at_s: float) -> None:
        """Its first sample is audible."""
        turn.zero_s = at_s if self.spoken_end_s is None else min(at_s, self.spoken_end_s)
        if turn.zero_s <= self._endpoint_s <= at_s:
            turn.raw.append(("endpointed", self._endpoint_s))

        turn.raw.append(("first_audio", at_s))

    def _end(self, told: Told, at_s: float) -> TalkTurn | None:
        turn = self._open.pop(int(number(told, "reply")), None)
        if turn is None:
            return None

        turn.is_withdrawn = told["event"] == "reply_withdrawn"
        turn.heard, turn.is_cut = str(told.get("heard", "")), bool(told.get("is_cut"))
        if any(name == "first_audio" for name, _ in turn.raw):
            turn.raw.append(("playback_ended", at_s))
        elif self.spoken_end_s is not None:
            turn.zero_s = min(self.spoken_end_s, turn.raw[0][1])

        turn.marks_s = marks_of(turn.zero_s, turn.raw)
        return turn


MARKED: Mapping[str, Mark | None] = {
    "prompt_read": "prompt_read",
    "draft_made": None,
    "reply_waits": "first_chunk",
}
"""Events that are marks by themselves."""


def marks_of(zero_s: float, raw: Sequence[tuple[Mark | None, float]]) -> dict[str, float]:
    """Seconds since zero; what lies before it is at zero, what is out of order is left out."""
    timeline = Timeline(zero_s)
    for name, at_s in raw:
        with suppress(ValueError):
            if name is None:
                timeline.draft(at_s=max(zero_s, at_s))
            else:
                timeline.mark(name, at_s=max(zero_s, at_s))

    return timeline.marks_s


def _plan(turn: TalkTurn, told: Told) -> None:
    plan = told.get("plan")
    turn.reason = str(told.get("reason", ""))
    if isinstance(plan, Mapping):
        turn.planned_steps, turn.canvas = int(number(plan, "steps")), int(number(plan, "canvas"))


def _settle(turn: TalkTurn, told: Told) -> None:
    reply = told.get("reply")
    if not isinstance(reply, Mapping):
        return

    turn.reply, turn.source = str(reply.get("text", "")), str(reply.get("source", ""))
    turn.steps, turn.is_forced = int(number(reply, "steps")), bool(reply.get("forced"))
    if reply.get("is_refined"):
        turn.draft = "refined"


def number(told: Mapping[str, object], key: str) -> float:
    """A number of an event; 0 where there is none."""
    value = told.get(key)
    return float(value) if isinstance(value, int | float) else 0.0
