"""Chunk after chunk to sound, with the pause that the mark at the end of a chunk asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from atonce.speech.levels import pause_s, silence
from atonce.speech.protocols import Audio, Synthesizer


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
