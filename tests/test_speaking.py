"""Chunk after chunk, with the pauses between."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from atonce.config.errors import EngineError
from atonce.speech.audio_file import join
from atonce.speech.fakes import FakeSynthesizer
from atonce.speech.levels import pause_s
from atonce.speech.protocols import Audio
from atonce.speech.speaking import spoken


class Stumbling(FakeSynthesizer):
    """Fails at one text."""

    def synthesize(self, text: str) -> Iterator[Audio]:
        """Its hum, or the fault."""
        if "fails" in text:
            raise EngineError(f"the voice failed while it spoke {text!r}")

        yield from super().synthesize(text)


def test_between_two_chunks_there_is_the_pause_that_the_first_one_asks_for() -> None:
    pieces = list(spoken(["On Friday,", "we close late.", "Until eight."], FakeSynthesizer()))

    assert [round(piece.seconds, 2) for piece in pieces[1::2]] == [
        round(pause_s(","), 2),
        round(pause_s("."), 2),
    ]
    assert all(not piece.samples.any() for piece in pieces[1::2])
    assert all(piece.samples.any() for piece in pieces[::2])


def test_no_pause_is_left_at_either_end_nor_for_a_chunk_without_sound() -> None:
    fake = FakeSynthesizer()

    pieces = list(spoken(["…", "It is open.", "—"], fake))

    assert len(pieces) == 1
    assert np.array_equal(join(pieces).samples, join(list(fake.synthesize("It is open."))).samples)
    assert list(spoken([], fake)) == []


def test_what_was_spoken_before_a_fault_is_there_and_the_next_reply_is_spoken() -> None:
    voice = Stumbling()
    pieces = spoken(["It is open.", "It fails.", "Never."], voice)

    assert next(pieces).samples.any()

    with pytest.raises(EngineError, match=r"'It fails\.'"):
        list(pieces)

    assert len(list(spoken(["It is open.", "Really."], voice))) == 3
