"""The watchdog at work in a talk: plans each reply, and learns from what it took. Pure.

Rule 1. What a reply took is learnt when its first sound is audible: the next plan knows it, also
        where the reply is cut.
Rule 2. Lateness counts from the person's last word before the first sound, as it is known then;
        what stages take counts from when they began, also where that was before the last word.
Rule 3. A reply that was withdrawn teaches what its steps took, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from atonce.agent.cost_model import CostModel
from atonce.agent.events import (
    DraftMade,
    FirstAudio,
    PlanMade,
    PromptRead,
    ReplyChecked,
    ReplyEnded,
    ReplyWaits,
    ReplyWithdrawn,
    SentenceSaid,
    SessionEvent,
    SpeechPaused,
    SpeechStopped,
    WordsHeard,
)
from atonce.agent.ladder import Given
from atonce.agent.planning import Asked, FixedPlanner, Planned, Planner
from atonce.agent.reply_rules import plan_of
from atonce.agent.timeline import Mark, Timeline
from atonce.agent.watchdog import Watchdog, WatchdogRules
from atonce.config.schema import Settings

_OPEN = 4
"""Replies that are followed at once: one that is heard, one that is written, and what was given up
without a word."""
_MARKS: dict[type, Mark | None] = {
    PromptRead: "prompt_read",
    DraftMade: None,  # a denoising step
    ReplyChecked: "reply_checked",
    ReplyWaits: "first_chunk",
    FirstAudio: "first_audio",
}


@dataclass(slots=True)
class _Course:
    """What happened to one reply, in order."""

    transcript_s: float
    canvas: int = 0
    prompt: int = 0
    marks: list[tuple[Mark | None, float]] = field(default_factory=list)
    """None: a denoising step."""


class Pacer:
    """The planner of one session."""

    def __init__(self, watchdog: Watchdog, *, release_after_s: float) -> None:
        """release_after_s: silence before which no reply may be heard."""
        self._watchdog = watchdog
        self._release_after_s = release_after_s
        self._spoken_end_s = self._pause_s = 0.0
        self._transcript_s = self._endpoint_s = 0.0
        self._prompt = 0
        self._courses: dict[int, _Course] = {}
        self._current = 0

    @property
    def drafts_early(self) -> bool:
        """Unless the machine is slow."""
        return self._watchdog.keeps(Given.EARLY_DRAFTS)

    @property
    def reads_partials(self) -> bool:
        """Unless the machine is slow."""
        return self._watchdog.keeps(Given.PARTIALS)

    @property
    def complaint(self) -> str | None:
        """A budget that no plan meets."""
        return self._watchdog.complaint(self._prompt)

    def plan(self, asked: Asked) -> Planned:
        """How this reply is written."""
        self._spoken_end_s = asked.spoken_end_s
        is_spoken = self._transcript_s >= asked.spoken_end_s  # else it came in writing
        release_s = asked.spoken_end_s + self._release_after_s
        self._current = asked.reply
        self._courses[asked.reply] = _Course(self._transcript_s if is_spoken else asked.at_s)

        while len(self._courses) > _OPEN:
            del self._courses[next(iter(self._courses))]

        decision = self._watchdog.plan(
            asked.at_s,
            spoken_end_s=asked.spoken_end_s,
            prompt=self._prompt,
            release_s=release_s if asked.is_early else None,
        )
        return Planned(decision.written, decision.reason, decision.acknowledges)

    def observe(self, event: SessionEvent) -> None:
        """Take note of what happened."""
        match event:
            case SpeechPaused() | SpeechStopped():
                self._pause_s = event.speech_end_s

                if isinstance(event, SpeechStopped):
                    self._endpoint_s = event.at_s
            case WordsHeard(is_final=True):
                self._transcript_s = event.at_s

                if event.text:  # a noise is no word to be answered
                    self._spoken_end_s = self._pause_s
            case ReplyEnded() | ReplyWithdrawn():
                self._end(event.reply)
            case _:
                self._note(event)

    def _note(self, event: SessionEvent) -> None:
        number = getattr(event, "reply", self._current)
        course = self._courses.get(number) if isinstance(number, int) else None

        if course is None:
            return

        match event:
            case PlanMade():
                course.canvas = event.plan.canvas
            case ReplyChecked(final=False):
                pass
            case SentenceSaid():
                if event.kind == "one_moment":
                    course.marks.append(("acknowledged", event.at_s))
            case PromptRead() | DraftMade() | ReplyChecked() | ReplyWaits() | FirstAudio():
                course.marks.append((_MARKS[type(event)], event.at_s))
                self._learn(course, event)
            case _:
                pass

    def _learn(self, course: _Course, event: SessionEvent) -> None:
        if isinstance(event, PromptRead):
            course.prompt = self._prompt = event.tokens
        elif isinstance(event, FirstAudio):
            self._judge(course)

    def _judge(self, course: _Course) -> None:
        first_audio_s = course.marks[-1][1]
        zero_s = min(self._spoken_end_s, first_audio_s)
        marks = [*course.marks]

        if self._endpoint_s >= zero_s:
            marks.insert(-1, ("endpointed", self._endpoint_s))

        timeline = _timeline(min(zero_s, course.transcript_s), course.transcript_s, marks)
        self._note_costs(course, timeline)
        ready_s = next(at_s for name, at_s in marks if name in ("first_chunk", "first_audio"))
        is_held = self._endpoint_s > ready_s
        self._watchdog.heard(first_audio_s - zero_s, ready_s=ready_s - zero_s if is_held else None)

    def _end(self, number: int) -> None:
        course = self._courses.pop(number, None)

        if course is not None and course.marks and course.marks[-1][0] != "first_audio":
            self._note_costs(
                course, _timeline(course.transcript_s, course.transcript_s, course.marks)
            )

    def _note_costs(self, course: _Course, timeline: Timeline) -> None:
        self._watchdog.note_costs(timeline, canvas=course.canvas, prompt=course.prompt)


def planner_of(settings: Settings, costs: CostModel) -> Planner:
    """As the settings want replies to be planned. costs: what is known of this machine."""
    if not settings.watchdog.enabled:
        return FixedPlanner(plan_of(settings.llm))

    watchdog = Watchdog(WatchdogRules.from_settings(settings), costs)
    return Pacer(watchdog, release_after_s=settings.endpoint.complete_ms / 1000)


def _timeline(
    zero_s: float, transcript_s: float, marks: list[tuple[Mark | None, float]]
) -> Timeline:
    """The marks as a timeline. A device tells its times a little off: none lies before the last."""
    timeline = Timeline(zero_s)
    timeline.mark("transcript_final", at_s=transcript_s)
    last_s = transcript_s

    for name, at_s in marks:
        if name in ("endpointed", "acknowledged"):
            timeline.mark(name, at_s=max(zero_s, at_s))
            continue

        last_s = max(last_s, at_s)

        if name is None:
            timeline.draft(at_s=last_s)
        else:
            timeline.mark(name, at_s=last_s)

    return timeline


_: type[Planner] = Pacer
