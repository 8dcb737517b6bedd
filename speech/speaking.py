"""Chunk after chunk to sound, with the pause that the mark at the end of a chunk asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from atonce.config.errors import EngineError
from atonce.speech.chunker import chunks as chunks_of
from atonce.speech.levels import pause_s, silence
from atonce.speech.protocols import Audio, Synthesizer
from atonce.speech.spoken import speak


def chunked(text: str) -> list[str]:
    """What the synthesizer is given of a written text; nothing where nothing can be spoken."""
    return [chunk.text for chunk in chunks_of(speak(text))]


def soundless(text: str) -> EngineError:
    """What is said of a synthesizer that gave nothing for a text with words."""
    return EngineError(
        f"the synthesizer gave no sound for {text!r}; choose another voice or engine"
        " (synthesizer.voice, synthesizer.engine)"
    )


def spoken(chunks: Iterable[str], synthesizer: Synthesizer) -> Iterator[Audio]:
    """The sound of all chunks, piece by piece as it becomes ready; pauses come as their own piece.

    A chunk that the voice has nothing to say for leaves no pause.
    """
    before = ""

    for chunk in chunks:
        for number, piece in enumerate(synthesizer.synthesize(chunk)):
            if number == 0 and before:
                yield Audio(silence(pause_s(before), piece.rate_hz), piece.rate_hz)

            yield piece
            before = chunk
