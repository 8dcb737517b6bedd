"""Runs every engine once, so that the first visitor waits no longer than the second."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from atonce.agent.ears import open_listener
from atonce.agent.engines import Engines
from atonce.agent.pipeline import answer
from atonce.agent.transport import FRAME_S
from atonce.agent.worker import Here
from atonce.config.schema import Settings
from atonce.speech.audio_file import join
from atonce.speech.protocols import Audio
from atonce.speech.speaking import chunked, spoken

_QUESTION = "When do you open?"
"""Any will do: it is spoken by the agent's own voice, heard, and answered."""


async def warm(settings: Settings, engines: Engines) -> None:
    """Speak a question, hear it, answer it; nothing of it is audible. EngineError: one failed."""
    said = spoken(chunked(_QUESTION), engines.synthesizer)
    pieces = [piece async for piece in engines.speaking.iterate(said)]
    listener = open_listener(settings)
    listening = engines.listening or Here()

    for frame in _frames(join(pieces)) if pieces else ():
        await listening.run(partial(listener.hear, frame, _still(frame)))

    heard = await answer(join(pieces), settings, engines) if pieces else None

    if heard is None or heard.reply is None:  # a voice that the ears do not understand
        await answer(_QUESTION, settings, engines)


def _frames(audio: Audio) -> Iterator[Audio]:
    step = round(FRAME_S * audio.rate_hz)

    for start in range(0, len(audio.samples) - step + 1, step):
        yield Audio(audio.samples[start : start + step], audio.rate_hz)


def _still(frame: Audio) -> Audio:
    return Audio(np.zeros_like(frame.samples), frame.rate_hz)
