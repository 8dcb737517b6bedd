"""The engines of one agent: made from the settings, loaded side by side, one thread each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain

from atonce.agent.cost_model import CostModel
from atonce.agent.knowledge import build_prompt
from atonce.agent.mouth import Sentences
from atonce.agent.names import names
from atonce.agent.worker import Arbiter, Runner, Stage, Worker
from atonce.config import models, registry
from atonce.config.errors import SettingsError, first_fault
from atonce.config.schema import Settings
from atonce.llm.protocols import Writer
from atonce.speech.protocols import Synthesizer, Transcriber
from atonce.speech.speaking import chunked, spoken

_AT_ONCE = Stage.PLAYBACK
PROBE = "You will find us on the ground floor, just behind the desk. We are glad to help you."
"""Spoken once to measure how fast a voice is; nobody hears it."""
PROBE_S = 4.36
"""What the voice "joe" takes for it, of which reply_length.py knows the rate: 4.30 to 4.46."""


@dataclass(frozen=True, slots=True)
class Engines:
    """What hears, writes and speaks, ready to work."""

    transcriber: Transcriber | None
    """None where the agent only reads text."""
    hearing: Runner
    """The transcriber's thread."""
    writer: Writer
    """Writes the replies."""
    writing: Runner
    """The writer's thread."""
    synthesizer: Synthesizer
    """Speaks the replies."""
    speaking: Runner
    """The synthesizer's thread."""
    twin: Writer | None = None
    """Writes, on the writer's thread, where the writer's replies fail; None: nobody does."""
    listening: Runner | None = None
    """The thread of voice detectors and echo cancellers, of all sessions; None: the loop's own."""
    sentences: Sentences = field(default_factory=Sentences)
    """Fixed sentences as the synthesizer spoke them, for all sessions."""
    costs: CostModel = field(default_factory=CostModel)
    """What replies take on this machine, learnt by all sessions."""
    slowness: float = 1.0
    """How many times as long as reply_length.py reckons the voice speaks, where that was asked."""


def ensure_models(settings: Settings, *, say: Callable[[str], None], hears: bool = True) -> None:
    """Fetch the model files these settings need and the cache lacks; `say` is told the progress."""
    wanted = [
        registry.models("llm", settings.llm),
        registry.EMBEDDED if settings.llm.twin else (),
        registry.models("synthesizer", settings.synthesizer),
    ]

    if hears:
        wanted.append(registry.models("transcriber", settings.transcriber))

    models.ensure(chain.from_iterable(wanted), say)


async def load(settings: Settings, *, hears: bool = True) -> Engines:
    """Load all engines at the same time; role and facts are read into the writer's cache."""
    arbiter = Arbiter()
    hearing = Worker("hearing", arbiter, Stage.FINAL_TRANSCRIPT)
    writing = Worker("writing", arbiter, Stage.REPLY)
    speaking = Worker("speaking", arbiter, Stage.SYNTHESIS)
    listening = Worker("listening", arbiter, Stage.VOICE_ACTIVITY)

    try:
        async with asyncio.TaskGroup() as group:
            # Loading is mostly waiting for the disk: nobody takes turns yet.
            writer = group.create_task(writing.run(lambda: _writer(settings), stage=_AT_ONCE))
            twin = group.create_task(writing.run(lambda: _twin(settings), stage=_AT_ONCE))
            mouth = group.create_task(speaking.run(lambda: _synthesizer(settings), stage=_AT_ONCE))
            ears = hearing.run(lambda: _transcriber(settings), stage=_AT_ONCE) if hears else None
            heard = group.create_task(ears) if ears else None
    except ExceptionGroup as group_error:  # the user is told the first fault, in one sentence
        raise first_fault(group_error) from None

    synthesizer, slowness = mouth.result()
    engines = Engines(
        heard.result() if heard else None,
        hearing,
        writer.result(),
        writing,
        synthesizer,
        speaking,
        twin.result(),
        listening,
        slowness=slowness,
    )
    _refuse_misfits(settings, engines)
    return engines


def _transcriber(settings: Settings) -> Transcriber:
    section = settings.transcriber
    made: Transcriber = registry.find("transcriber", section.engine).from_settings(section)
    made.expect(names(settings.agent.role, settings.agent.facts))
    return made


def _writer(settings: Settings) -> Writer:
    section = settings.llm
    made: Writer = registry.find("llm", section.engine).from_settings(section)
    made.read(
        build_prompt(settings.agent.role, settings.agent.facts, "")
    )  # the prefix stays cached
    return made


def _twin(settings: Settings) -> Writer | None:
    if not settings.llm.twin:
        return None

    made: Writer = registry.find("llm", "twin").from_settings(settings.llm)
    made.read(build_prompt(settings.agent.role, settings.agent.facts, ""))
    return made


def _synthesizer(settings: Settings) -> tuple[Synthesizer, float]:
    """The voice, and how slow it is, which matters where replies are to last a given time."""
    section = settings.synthesizer
    made: Synthesizer = registry.find("synthesizer", section.engine).from_settings(section)
    return made, slowness_of(made) if settings.agent.reply_s else 1.0


def slowness_of(synthesizer: Synthesizer) -> float:
    """How many times as long as reckoned a voice takes, measured on two sentences."""
    spoken_s = sum(piece.seconds for piece in spoken(chunked(PROBE), synthesizer))
    return spoken_s / PROBE_S if spoken_s else 1.0


def _refuse_misfits(settings: Settings, engines: Engines) -> None:
    """Refuse settings that only the loaded engines can judge."""
    if settings.llm.canvas > engines.writer.max_canvas:
        raise SettingsError(
            f"llm.canvas is {settings.llm.canvas}, but the engine {settings.llm.engine} writes at "
            f"most {engines.writer.max_canvas} positions: lower it (--canvas)"
        )

    language = settings.transcriber.language

    for what, engine in (("llm", engines.writer), ("synthesizer", engines.synthesizer)):
        if language not in engine.languages:
            raise SettingsError(
                f"transcriber.language is {language}, but the {what} engine serves only "
                f"{', '.join(engine.languages)}: choose a language that all engines serve"
            )
