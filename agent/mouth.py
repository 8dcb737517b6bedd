"""The mouth of a session: texts become sound in the playback, one after the other.

Rule 1. A text is one part of the playback, known by its name; it is held until it is released.
Rule 2. Whoever stops waiting for it stops the synthesizer between two pieces of sound.
Rule 3. Words travel with the sound even where the engine does not tell them: by their letters.
Rule 4. Sentences that come again are kept as sound: they are there at once, and also when the
        synthesizer has failed.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace

import numpy as np

from atonce.agent.playback import Playback
from atonce.agent.worker import Runner, Stage
from atonce.speech.protocols import Audio, Synthesizer
from atonce.speech.speaking import chunked, soundless, spoken
from atonce.speech.word_times import by_share

KEPT_SENTENCES = 24
"""Of three seconds each, in float32 at 22 kHz: 6 MB."""


class Mouth:
    """Speaks into one playback."""

    def __init__(
        self,
        synthesizer: Synthesizer,
        speaking: Runner,
        playback: Playback,
        kept: Sentences | None = None,
    ) -> None:
        """kept: sentences as sound; sessions with the same voice share them."""
        self._synthesizer = _Worded(synthesizer)
        self._speaking = speaking
        self._playback = playback
        self._kept = kept or Sentences()
        self._turn = asyncio.Lock()
        self._waiting = 0  # texts that are spoken, or wait to be

    async def say(
        self,
        tag: str,
        text: str,
        *,
        is_released: Callable[[], bool],
        tell: Callable[[Audio], None],
        is_kept: bool = False,
    ) -> bool:
        """Speak a text; whether there was anything to say.

        is_released: it may be heard as soon as it is there. tell: is given every piece, when it
        waits in the playback. is_kept: it will be said again. EngineError: no sound came.
        """
        said = chunked(text)

        if not said:
            return False

        self._waiting += 1

        try:
            async with self._turn:  # two texts at once would mix their pieces
                return await self._say(tag, text, said, is_released, tell, is_kept=is_kept)
        finally:
            self._waiting -= 1

    async def _say(
        self,
        tag: str,
        text: str,
        said: Sequence[str],
        is_released: Callable[[], bool],
        tell: Callable[[Audio], None],
        *,
        is_kept: bool,
    ) -> bool:
        has_begun = False

        try:
            async for piece in self._pieces(text, said, is_kept=is_kept):
                if not has_begun:
                    self._playback.begin(tag, is_held=not is_released())
                    has_begun = True

                self._playback.put(piece)
                tell(piece)
        finally:
            if has_begun:  # what is there is all there will be
                self._playback.finish()

        if not has_begun:
            raise soundless(text)

        return True

    async def prepare(self, sentences: Sequence[str]) -> None:
        """Keep these as sound, when nobody else needs the synthesizer."""
        for text in sentences:
            said = chunked(text)

            while said and text not in self._kept:
                async with self._turn:
                    await self._prepare(text, said)

    async def _prepare(self, text: str, said: Sequence[str]) -> None:
        """Make one; given up as soon as somebody wants to speak."""
        sound = spoken(said, self._synthesizer)
        made: list[Audio] = []

        async with aclosing(self._speaking.iterate(sound, stage=Stage.EARLY_DRAFT)) as pieces:
            async for piece in pieces:
                made.append(piece)

                if self._waiting:
                    return

        self._kept.put(text, made)

    async def _pieces(
        self, text: str, said: Sequence[str], *, is_kept: bool
    ) -> AsyncGenerator[Audio, None]:
        kept = self._kept.get(text)

        if kept is not None:
            for piece in kept:
                yield piece

            return

        made: list[Audio] = []

        async for piece in self._speaking.iterate(spoken(said, self._synthesizer)):
            made.append(piece)
            yield piece

        if is_kept:
            self._kept.put(text, made)


class Sentences:
    """Sentences as sound; the ones that were said last are kept."""

    def __init__(self) -> None:
        self._pieces: OrderedDict[str, list[Audio]] = OrderedDict()

    def __contains__(self, text: str) -> bool:
        """Whether it is kept."""
        return text in self._pieces

    def get(self, text: str) -> list[Audio] | None:
        """Its sound; None: it is not kept."""
        if text in self._pieces:
            self._pieces.move_to_end(text)

        return self._pieces.get(text)

    def put(self, text: str, pieces: list[Audio]) -> None:
        """Keep it."""
        self._pieces[text] = pieces

        if len(self._pieces) > KEPT_SENTENCES:
            self._pieces.popitem(last=False)


class _Worded:
    """A synthesizer whose sound always has words."""

    def __init__(self, synthesizer: Synthesizer) -> None:
        self._inner = synthesizer

    @property
    def rate_hz(self) -> int:
        return self._inner.rate_hz

    @property
    def languages(self) -> tuple[str, ...]:
        return self._inner.languages

    def synthesize(self, text: str) -> Iterator[Audio]:
        seconds, has_words, last = 0.0, False, None

        for piece in self._inner.synthesize(text):
            seconds += piece.seconds
            has_words = has_words or bool(piece.words)
            last = piece
            yield piece

        if last is not None and not has_words:
            # Known only now: their times point back, into the sound that was given already.
            words = tuple(word.moved(-seconds) for word in by_share(text, seconds))
            yield replace(last, samples=np.zeros(0, dtype=np.float32), words=words)


_: type[Synthesizer] = _Worded
