"""The engines of a rehearsal: scripted ones, or those of the settings; slowed where it is wanted.

Rule 1. On a virtual clock every call runs inline: a real engine's takes as long as it really took.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from atonce.agent.engines import Engines, ensure_models, load
from atonce.agent.fake_voice import SoundBook
from atonce.agent.fakes import (
    Costs,
    Due,
    Effort,
    InlineWorker,
    KnowingDetector,
    Pace,
    PacedWorker,
    ScriptedSynthesizer,
    ScriptedTranscriber,
    ScriptedWriter,
)
from atonce.agent.talk_format import Fakes, Slow, SlowEngine
from atonce.agent.talk_script import Talk
from atonce.agent.worker import Arbiter, Runner, Stage
from atonce.config import registry
from atonce.config.processor import Shares
from atonce.config.schema import Settings
from atonce.speech.echo import NoCanceller
from atonce.speech.endpoint import EndpointRules
from atonce.speech.listener import Listener

_STAGES: dict[SlowEngine, tuple[Stage, ...]] = {
    "transcriber": (Stage.FINAL_TRANSCRIPT, Stage.PARTIAL_TRANSCRIPT),
    "writer": (Stage.REPLY, Stage.EARLY_DRAFT),
    "synthesizer": (Stage.SYNTHESIS,),
}
_TWO_CORES = Shares(cores=2, hearing=2, writing=2, speaking=1, heavy_calls=1, speaks_beside=True)
"""What scripted engines share, whatever machine they run on: the same talk each time."""


@dataclass(slots=True)
class Cast:
    """Who takes part in a talk, besides the person."""

    engines: Engines
    """Hear, write and speak."""
    listener: Listener | None
    """Ears of their own; None: those of the settings."""
    ears: SoundBook | None
    """Every voice that the microphone may hear; None where the engines are real."""
    mouth: SoundBook | None
    """All that the agent says; None where the engines are real."""
    writer: ScriptedWriter | None
    """Knows every prompt; None where the engines are real."""


class TalkClock:
    """Seconds of the talk, once it has begun; what is slow from a second on asks it."""

    def __init__(self) -> None:
        self.began_s = 0.0
        """On the loop's clock."""

    def now_s(self) -> float:
        """On the loop's clock."""
        return asyncio.get_running_loop().time()

    def talk_s(self) -> float:
        """Seconds of the talk."""
        return self.now_s() - self.began_s


def scripted(talk: Talk, settings: Settings, clock: TalkClock) -> Cast:
    """Engines that do what the script says."""
    has_echo = talk.head.room.echo_db is not None
    effort, ears = Effort(), SoundBook()
    mouth = ears if has_echo else SoundBook()  # without an echo nobody hears the agent
    costs = _costs(talk.head.fakes)
    arbiter, pace = Arbiter(_TWO_CORES), pace_of(talk.slow, clock.talk_s)
    writer = ScriptedWriter(talk.head.fakes.replies, costs, effort, clock.now_s)

    def worker(stage: Stage) -> Runner:
        return InlineWorker(arbiter, stage, effort=effort, pace=pace)

    engines = Engines(
        ScriptedTranscriber(ears, costs, effort, clock.now_s),
        worker(Stage.FINAL_TRANSCRIPT),
        writer,
        worker(Stage.REPLY),
        ScriptedSynthesizer(mouth, costs, effort, clock.now_s),
        worker(Stage.SYNTHESIS),
    )
    echo = registry.find("echo", settings.echo.engine) if has_echo else NoCanceller
    listener = Listener(
        KnowingDetector(ears, clock.now_s),
        EndpointRules.from_settings(settings.endpoint),
        canceller=echo.from_settings(settings.echo),
    )
    return Cast(engines, listener, ears, mouth, writer)


def real(
    talk: Talk,
    settings: Settings,
    clock: TalkClock,
    *,
    is_virtual: bool,
    say: Callable[[str], None],
) -> Cast:
    """The engines of the settings; `say` is told what is fetched."""
    ensure_models(settings, say=say)
    loaded = asyncio.run(load(settings))
    pace = pace_of(talk.slow, clock.talk_s)
    engines = _inline(loaded, pace) if is_virtual else _paced(loaded, pace, talk.slow)
    return Cast(engines, None, None, None, None)


def pace_of(slow: Sequence[Slow], talk_s: Callable[[], float]) -> Pace:
    """How long calls take at this moment of the talk."""

    def pace(stage: Stage, seconds: float) -> Due:
        now_s, busy_s, late_s = talk_s(), seconds, 0.0

        for one in slow:
            is_meant = stage in _STAGES[one.engine] and one.from_s <= now_s < one.until_s
            is_meant = is_meant and not (one.finals_only and stage != Stage.FINAL_TRANSCRIPT)
            busy_s *= one.times if is_meant else 1.0
            late_s += one.late_ms / 1000 if is_meant else 0.0

        return Due(busy_s, late_s)

    return pace


def _costs(fakes: Fakes) -> Costs:
    return Costs(
        fakes.final_ms / 1000,
        fakes.partial_ms / 1000,
        fakes.read_ms / 1000,
        fakes.step_ms / 1000,
        fakes.piece_ms / 1000,
    )


def _inline(engines: Engines, pace: Pace) -> Engines:
    arbiter = Arbiter()
    return replace(
        engines,
        hearing=InlineWorker(arbiter, Stage.FINAL_TRANSCRIPT, pace=pace),
        writing=InlineWorker(arbiter, Stage.REPLY, pace=pace),
        speaking=InlineWorker(arbiter, Stage.SYNTHESIS, pace=pace),
        listening=InlineWorker(arbiter, Stage.VOICE_ACTIVITY, pace=pace),
    )


def _paced(engines: Engines, pace: Pace, slow: Sequence[Slow]) -> Engines:
    if not slow:
        return engines

    return replace(
        engines,
        hearing=PacedWorker(engines.hearing, Stage.FINAL_TRANSCRIPT, pace),
        writing=PacedWorker(engines.writing, Stage.REPLY, pace),
        speaking=PacedWorker(engines.speaking, Stage.SYNTHESIS, pace),
    )
