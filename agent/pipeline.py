"""One turn as a straight line: question in, checked reply written, sound out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from atonce.agent.engines import Engines
from atonce.agent.events import ChunkSpoken, Event, NothingToSay, PlanMade, QuestionHeard
from atonce.agent.knowledge import build_prompt, tokens_about
from atonce.agent.reply import Reply, ReplyRules, ReplyWriter, plan_of
from atonce.agent.watchdog import Watchdog
from atonce.config.schema import Settings
from atonce.llm.protocols import Exchange
from atonce.speech.audio_file import join
from atonce.speech.protocols import Audio
from atonce.speech.speaking import chunked, soundless, spoken


@dataclass(frozen=True, slots=True)
class Answer:
    """What the agent makes of one question."""

    heard: str
    """The question, as it was heard; empty when nothing was."""
    reply: Reply | None
    """The settled reply; None when nothing was heard."""
    audio: Audio | None
    """Its sound; None when nothing was heard, or the reply holds nothing that can be spoken."""


def ignore(event: Event) -> None:
    """For those who only want the answer."""
    del event


async def answer(
    question: str | Audio,
    settings: Settings,
    engines: Engines,
    *,
    history: Sequence[Exchange] = (),
    emit: Callable[[Event], None] = ignore,
    clock: Callable[[], float] = time.monotonic,
    watchdog: Watchdog | None = None,
) -> Answer:
    """Answer one question, in words or as sound; everything on the way is emitted.

    watchdog: who holds the reply to a time; None: nobody.
    """
    began_s = clock()
    heard = question if isinstance(question, str) else await _hear(question, engines)

    if not heard.strip():
        return Answer("", None, None)

    emit(QuestionHeard(clock(), heard))
    prompt = build_prompt(settings.agent.role, settings.agent.facts, heard, history)
    rules = rules_of(settings, slowness=engines.slowness)
    writer = ReplyWriter(engines.writer, engines.writing, rules, clock=clock, twin=engines.twin)
    plan = None
    if watchdog is not None:
        decision = watchdog.plan(clock(), spoken_end_s=began_s, prompt=tokens_about(prompt))
        plan = decision.written
        emit(PlanMade(clock(), plan, decision.reason))

    reply = await writer.write(prompt, emit, plan=plan)
    said = chunked(reply.text)
    pieces = []

    if not said:
        emit(NothingToSay(clock(), reply.text))
        return Answer(heard, reply, None)

    async for piece in engines.speaking.iterate(spoken(said, engines.synthesizer)):
        emit(ChunkSpoken(clock(), piece.seconds))
        pieces.append(piece)

    if not pieces:
        raise soundless(reply.text)

    return Answer(heard, reply, join(pieces))


async def _hear(audio: Audio, engines: Engines) -> str:
    transcriber = engines.transcriber

    if transcriber is None:
        raise ValueError("these engines were loaded without a transcriber: load(…, hears=True)")

    transcript = await engines.hearing.run(lambda: transcriber.transcribe(audio))
    return transcript.text


def rules_of(settings: Settings, *, slowness: float = 1.0) -> ReplyRules:
    """How replies are written with these settings; slowness: of the voice, see Engines."""
    llm = settings.llm
    return ReplyRules(
        plan=plan_of(llm),
        is_checked=settings.agent.check,
        repairs=llm.repairs,
        unknown=settings.agent.sentences.unknown,
        reply_s=settings.agent.reply_s / slowness,
        max_steps=llm.max_steps,
        small_talk=settings.agent.small_talk.model_dump(),
    )
