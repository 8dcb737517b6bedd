"""`atonce ask`: one question in, one spoken reply out, and where the time went."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from atonce.agent.events import (
    ChunkSpoken,
    DraftMade,
    Event,
    PlanMade,
    PromptRead,
    QuestionHeard,
    ReplyChecked,
)
from atonce.agent.timeline import Timeline
from atonce.agent.watchdog import Watchdog
from atonce.agent.watchdog_rules import WatchdogRules
from atonce.config.errors import AtonceError, AudioError
from atonce.config.load import load

if TYPE_CHECKING:
    from atonce.agent.reply import Reply
    from atonce.agent.screen import Screen
    from atonce.config.schema import Settings
    from atonce.speech.protocols import Audio

_clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Question:
    """A question as it was given: exactly one of the two."""

    file: Path | None
    """An audio file."""
    text: str | None
    """Words."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything one turn gave."""

    heard: str
    """The question, as it was heard."""
    reply: Reply
    """The settled reply."""
    audio: Audio
    """Its sound."""
    timeline: Timeline
    """When what happened."""
    setup_ms: dict[str, int]
    """From the start of the command: audio_read (0 for text), models_loaded."""
    plan: PlanMade | None = None
    """How the watchdog wanted the reply written; None: it is off."""
    budget_s: float | None = None
    """Time to the first sound that the reply was held to; None: none."""


def run(
    question: Question, *, out: Path, config: Path | None, overrides: Sequence[str], is_json: bool
) -> int:
    """Answer one question and write the sound to `out`; the exit code."""
    try:
        settings = load(config, overrides).settings
        from atonce.agent.screen import Screen

        with Screen(is_silent=is_json) as screen:
            outcome = asyncio.run(_ask(question, settings, out, screen))
    except AtonceError as error:
        if is_json:
            sys.stdout.write(json.dumps({"error": str(error)}) + "\n")

        raise

    if is_json:
        sys.stdout.write(json.dumps(_summary(outcome, settings), ensure_ascii=False) + "\n")
    else:
        screen.show_outcome(outcome, out)

    return 0


async def _ask(question: Question, settings: Settings, out: Path, screen: Screen) -> Outcome:
    from atonce.speech import audio_file

    audio_file.check_writable(out)
    started_s = _process_start_s()
    setup_ms = {"audio_read": 0}
    asked: str | Audio = question.text or ""

    if question.file is not None:
        asked = audio_file.read(question.file)
        setup_ms["audio_read"] = round(1000 * (_clock() - started_s))

    from atonce.agent import engines, pipeline

    hears = question.file is not None
    engines.ensure_models(settings, hears=hears, say=screen.say)
    loaded = await engines.load(settings, hears=hears)
    setup_ms["models_loaded"] = round(1000 * (_clock() - started_s))

    watchdog = watchdog_for(settings)
    if watchdog is not None and (complaint := watchdog.complaint()) is not None:
        screen.say(complaint)

    timeline = Timeline(_clock())
    record = _Record(timeline, screen)
    answer = await pipeline.answer(
        asked, settings, loaded, emit=record, clock=_clock, watchdog=watchdog
    )
    timeline.mark("done", at_s=_clock())

    if answer.reply is not None and answer.audio is None:
        raise AudioError(
            f"the reply {answer.reply.text!r} holds nothing that can be spoken, so no sound was "
            "written: ask again in other words, or set agent.check to true"
        )

    if answer.reply is None or answer.audio is None:
        raise AudioError(
            f"no words were heard in {question.file or '--text'}: "
            "ask again, closer to the microphone and without noise"
        )

    audio_file.write(answer.audio, out)
    budget_s = watchdog.rules.first_audio_s if watchdog else None
    return Outcome(
        answer.heard, answer.reply, answer.audio, timeline, setup_ms, record.plan, budget_s
    )


class _Record:
    """One place where events become marks and something to see."""

    def __init__(self, timeline: Timeline, screen: Screen) -> None:
        self._timeline, self._screen = timeline, screen
        self.plan: PlanMade | None = None

    def __call__(self, event: Event) -> None:
        """Something happened."""
        timeline = self._timeline
        match event:
            case QuestionHeard():
                timeline.mark("transcript_final", at_s=event.at_s)
            case PlanMade():
                self.plan = event
            case PromptRead():
                timeline.mark("prompt_read", at_s=event.at_s)
            case DraftMade():
                timeline.draft(at_s=event.at_s)
            case ReplyChecked(final=True):
                timeline.mark("reply_checked", at_s=event.at_s)
            case ChunkSpoken() if "first_chunk" not in timeline.marks_s:
                timeline.mark("first_chunk", at_s=event.at_s)
                timeline.mark("first_audio", at_s=event.at_s)  # nobody plays it: it could be heard
            case _:
                pass

        self._screen.show(event)


def watchdog_for(settings: Settings) -> Watchdog | None:
    """The watchdog of one question that is handed over; None: the settings want none."""
    rules = WatchdogRules.from_settings(settings, is_handed_over=True)
    return Watchdog(rules) if settings.watchdog.enabled else None


def _summary(outcome: Outcome, settings: Settings) -> dict[str, object]:
    reply = outcome.reply
    return {
        "heard": outcome.heard,
        "reply": reply.text,
        "source": reply.source,
        "steps": reply.steps,
        "canvas": outcome.plan.plan.canvas if outcome.plan else settings.llm.canvas,
        "engine": settings.llm.engine,
        "repaired": reply.repaired,
        "forced": reply.forced,
        "plan": outcome.plan.reason if outcome.plan else None,
        "marks_ms": outcome.timeline.milliseconds(),
        "setup_ms": outcome.setup_ms,
        "audio_s": round(outcome.audio.seconds, 2),
    }


def _process_start_s() -> float:
    """When this process began (scripts/atonce counts too), on this module's clock.

    Only Linux tells; elsewhere this first look at the clock has to do.
    """
    if sys.platform != "linux":
        return _clock()

    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    began_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # field 22 of proc(5), since boot
    return _clock() - (time.clock_gettime(time.CLOCK_BOOTTIME) - began_s)
