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

from atonce.agent.events import ChunkSpoken, DraftMade, Event, PromptRead, QuestionHeard, ReplyChecked
from atonce.agent.knowledge import build_prompt
from atonce.agent.timeline import Timeline
from atonce.config.errors import AtonceError, AudioError
from atonce.config.load import load

if TYPE_CHECKING:
    from atonce.agent.engines import Engines
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
class Answer:
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


def run(
    question: Question, *, out: Path, config: Path | None, overrides: Sequence[str], is_json: bool
) -> int:
    """Answer one question and write the sound to `out`; the exit code."""
    try:
        settings = load(config, overrides).settings
        from atonce.agent.screen import Screen

        with Screen(is_silent=is_json) as screen:
            answer = asyncio.run(_answer(question, settings, out, screen))
    except AtonceError as error:
        if is_json:
            print(json.dumps({"error": str(error)}))
        raise

    if is_json:
        print(json.dumps(_summary(answer, settings), ensure_ascii=False))
    else:
        screen.show_answer(answer, out)

    return 0


async def _answer(question: Question, settings: Settings, out: Path, screen: Screen) -> Answer:
    from atonce.speech import audio_file

    audio_file.check_writable(out)
    started_s = _process_start_s()
    setup_ms: dict[str, int] = {"audio_read": 0}
    audio = None

    if question.file is not None:
        audio = audio_file.read(question.file)
        setup_ms["audio_read"] = round(1000 * (_clock() - started_s))

    from atonce.agent import engines

    engines.ensure_models(settings, hears=audio is not None, say=screen.say)
    loaded = await engines.load(settings, hears=audio is not None)
    setup_ms["models_loaded"] = round(1000 * (_clock() - started_s))

    timeline = Timeline(_clock())
    emit = _recorder(timeline, screen)
    heard = (question.text or "").strip()

    if audio is not None and loaded.ears is not None:
        heard = await loaded.ears.hear(audio)

    if not heard:
        raise AudioError(
            f"no speech was heard in {question.file or '--text'}: "
            "record the question again, closer to the microphone"
        )

    emit(QuestionHeard(_clock(), heard))
    reply, sound = await _reply(heard, settings, loaded, emit)
    timeline.mark("done", at_s=_clock())
    audio_file.write(sound, out)
    return Answer(heard, reply, sound, timeline, setup_ms)


async def _reply(
    heard: str, settings: Settings, loaded: Engines, emit: Callable[[Event], None]
) -> tuple[Reply, Audio]:
    """The reply to what was heard, and all of its sound."""
    from atonce.speech.audio_file import join

    prompt = build_prompt(settings.agent.role, settings.agent.facts, heard)
    reply = await loaded.reply_writer(settings, clock=_clock).write(prompt, emit)
    pieces = [piece async for piece in loaded.mouth.speak(reply.text, emit, clock=_clock)]
    return reply, join(pieces)


def _recorder(timeline: Timeline, screen: Screen) -> Callable[[Event], None]:
    """One place where events become marks and something to see."""

    def record(event: Event) -> None:
        match event:
            case QuestionHeard():
                timeline.mark("transcript_final", at_s=event.at_s)
            case PromptRead():
                timeline.mark("prompt_read", at_s=event.at_s)
            case DraftMade():
                timeline.draft(at_s=event.at_s)
            case ReplyChecked(final=True):
                timeline.mark("reply_checked", at_s=event.at_s)
            case ChunkSpoken() if "first_audio" not in timeline.marks_s:
                timeline.mark("first_audio", at_s=event.at_s)
            case _:
                pass

        screen.show(event)

    return record


def _summary(answer: Answer, settings: Settings) -> dict[str, object]:
    reply = answer.reply
    return {
        "heard": answer.heard,
        "reply": reply.text,
        "source": reply.source,
        "steps": reply.steps,
        "canvas": settings.llm.canvas,
        "engine": settings.llm.engine,
        "repaired": reply.repaired,
        "forced": reply.forced,
        "marks_ms": answer.timeline.milliseconds(),
        "setup_ms": answer.setup_ms,
        "audio_s": round(answer.audio.seconds, 2),
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
