"""A whole talk with a scripted caller, from its script to its recording.

    talk.yaml ─► lines with sound ─► Caller (a transport) ⇄ Session ─► recording ─► what is unmet

Rule 1. The session is the one that people talk to; only the person, and where the script says so
        the engines, are not.
Rule 2. With scripted engines and a virtual clock the same script makes the same recording.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from atonce.agent import virtual_time
from atonce.agent.caller import Caller, Line
from atonce.agent.caller_sounds import AUDIBLE, at_level, noise, span_of
from atonce.agent.expectations import unmet
from atonce.agent.fake_voice import FoundWord, SoundBook, spoken
from atonce.agent.rehearsal_engines import Cast, TalkClock, real, scripted
from atonce.agent.session import Session
from atonce.agent.talk_format import CallerLine
from atonce.agent.talk_record import Recording, moved, turns_of
from atonce.agent.talk_script import Talk
from atonce.agent.talk_turns import TalkTurn
from atonce.config import models, registry
from atonce.config.load import Loaded, defaults, load
from atonce.config.schema import Settings
from atonce.speech import audio_file
from atonce.speech.protocols import Audio, Samples, Synthesizer
from atonce.speech.resample import resample
from atonce.speech.word_times import by_share

_SILENCE_S = 1.2
"""An interrupted voice is silent for less before it goes on."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A talk, and what came of it."""

    talk: Talk
    """Its script."""
    recording: Recording
    """All that sounded and was told."""
    turns: tuple[TalkTurn, ...]
    """Every question that was answered."""
    unmet: tuple[str, ...]
    """What was expected and is not so, a sentence each."""


def rehearse(
    talk: Talk,
    loaded: Loaded | None = None,
    *,
    is_virtual: bool | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Rehearsal:
    """Have a talk. is_virtual: on a clock that jumps; None: as the script says. say: told what is
    fetched. AtonceError: a file, a voice or an engine is missing."""
    settings = (loaded or settings_of(talk)).settings
    is_fast = talk.head.clock == "virtual" if is_virtual is None else is_virtual
    lines = lines_of(talk, settings, say)
    clock = TalkClock()

    if talk.head.engines == "fakes":
        cast = scripted(talk, settings, clock)
    else:
        cast = real(talk, settings, clock, is_virtual=is_fast, say=say)

    with _competing(talk.head.load):
        talking = _talk(talk, settings, cast, lines, clock)
        recording = virtual_time.run(talking) if is_fast else asyncio.run(talking)

    turns = tuple(turns_of(recording))
    return Rehearsal(talk, recording, turns, tuple(unmet(talk, recording, turns)))


def settings_of(talk: Talk, config: Path | None = None, overrides: tuple[str, ...] = ()) -> Loaded:
    """What is in force: with scripted engines the user's own file is left out, so that the talk is
    the same everywhere."""
    if talk.head.engines == "fakes":
        return defaults(overrides, config=config, over=talk.settings)

    return load(config, overrides, over=talk.settings)


async def _talk(
    talk: Talk, settings: Settings, cast: Cast, lines: tuple[Line, ...], clock: TalkClock
) -> Recording:
    caller = Caller(lines, talk.head, clock=clock.now_s, book=cast.ears)
    clock.began_s = clock.now_s()
    session = Session(settings, cast.engines, caller, clock=clock.now_s, listener=cast.listener)
    await session.run()
    return _recorded(caller, cast)


def _recorded(caller: Caller, cast: Cast) -> Recording:
    rate_hz = caller.playback.rate_hz
    empty = np.zeros(0, dtype=np.float32)
    heard = np.concatenate([empty, *caller.tracks.heard])
    # The loudspeaker was filled one frame further than the microphone was heard.
    played = np.concatenate([empty, *caller.tracks.played])[: len(heard)]
    words = None if cast.mouth is None else _words(cast.mouth, played, rate_hz, caller.began_s)
    prompts = cast.writer.prompts if cast.writer else []
    return Recording(
        rate_hz=rate_hz,
        heard=heard,
        played=played,
        lines=tuple(caller.said),
        unsaid=tuple(caller.unsaid),
        is_timed_out=caller.is_timed_out,
        events=tuple(moved(event, -caller.began_s) for event in caller.events),
        words=words,
        prompts=tuple((at_s - caller.began_s, prompt) for at_s, prompt in prompts),
        lost_frames=caller.lost_frames,
        most_waiting=caller.most_waiting,
    )


def _words(
    mouth: SoundBook, played: Samples, rate_hz: int, began_s: float
) -> tuple[FoundWord, ...]:
    """What the agent was heard to say, stretch by stretch: long recordings are slow to search."""
    found: list[FoundWord] = []

    for first, last in _stretches(played, rate_hz):
        start_s = first / rate_hz
        part = Audio(played[first:last], rate_hz)
        words = mouth.find(part, starts_s=began_s + start_s)
        found += [replace(word, start_s=word.start_s + start_s) for word in words]

    return tuple(found)


def _stretches(played: Samples, rate_hz: int) -> Iterator[tuple[int, int]]:
    """First sample and one past the last of what lies between two silences; none of them is so
    short that a word may be torn by it."""
    audible = np.flatnonzero(np.abs(played) > AUDIBLE)

    if not len(audible):
        return

    gaps = np.flatnonzero(np.diff(audible) > _SILENCE_S * rate_hz)
    firsts = [int(audible[0]), *(int(audible[gap + 1]) for gap in gaps)]
    lasts = [*(int(audible[gap]) + 1 for gap in gaps), int(audible[-1]) + 1]
    yield from zip(firsts, lasts, strict=True)


# ---- the person's sound ----


def lines_of(talk: Talk, settings: Settings, say: Callable[[str], None]) -> tuple[Line, ...]:
    """The caller's lines with their sound, at the room's rate and at their level."""
    voice = _Voice(talk, settings, say)
    return tuple(Line(line, _sound_of(line, talk, voice)) for line in talk.caller)


def _sound_of(line: CallerLine, talk: Talk, voice: _Voice) -> Audio:
    rate_hz = talk.head.room.rate_hz

    if line.say is not None:
        audio = resample(voice.speak(line.say), rate_hz)
    elif line.file is not None:
        read = resample(audio_file.read(talk.path.parent / line.file), rate_hz)
        sounds = span_of(read)  # words have their share of what sounds
        words = by_share(line.text, sounds.end_s - sounds.begin_s)
        told = tuple(word.moved(sounds.begin_s) for word in words)
        audio = Audio(read.samples, rate_hz, told)
    else:
        assert line.sound is not None  # the script was checked
        audio = Audio(noise(line.sound, line.seconds, rate_hz), rate_hz)

    return Audio(at_level(audio.samples, line.level_db, rate_hz), rate_hz, audio.words)


class _Voice:
    """The person's: scripted like the engines, or another one than the agent's."""

    def __init__(self, talk: Talk, settings: Settings, say: Callable[[str], None]) -> None:
        self._talk = talk
        self._settings = settings
        self._say = say
        self._synthesizer: Synthesizer | None = None

    def speak(self, text: str) -> Audio:
        """The sound of some words."""
        if self._talk.head.engines == "fakes":
            return spoken(text)

        if self._synthesizer is None:
            section = self._settings.synthesizer.model_copy(
                update={"engine": self._talk.head.voice}
            )
            models.ensure(registry.models("synthesizer", section), self._say)
            made = registry.find("synthesizer", section.engine).from_settings(section)
            self._synthesizer = made

        return audio_file.join(list(self._synthesizer.synthesize(text)))


# ---- a busy machine ----


@contextlib.contextmanager
def _competing(count: int) -> Iterator[None]:
    """So many processes that want the processor, too."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]

    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()
