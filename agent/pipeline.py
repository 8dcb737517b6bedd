"""One turn as a straight line: question in, checked reply written, sound out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from atonce.agent.events import ChunkSpoken, Event
from atonce.agent.worker import Worker
from atonce.speech.chunker import chunks
from atonce.speech.protocols import Audio, Synthesizer, Transcriber
from atonce.speech.spoken import speakable


@dataclass(frozen=True, slots=True)
class Ears:
    """A transcriber and the thread it runs on."""

    transcriber: Transcriber
    """The engine."""
    worker: Worker
    """Its thread."""

    async def hear(self, audio: Audio) -> str:
        """What was said, empty when nothing was."""
        transcript = await self.worker.run(lambda: self.transcriber.transcribe(audio))
        return transcript.text


@dataclass(frozen=True, slots=True)
class Mouth:
    """A synthesizer and the thread it runs on."""

    synthesizer: Synthesizer
    """The engine."""
    worker: Worker
    """Its thread."""

    async def speak(
        self, text: str, emit: Callable[[Event], None], *, clock: Callable[[], float]
    ) -> AsyncIterator[Audio]:
        """The sound of a reply, chunk by chunk."""
        async for audio in self.worker.iterate(self._pieces(text)):
            emit(ChunkSpoken(clock(), audio.seconds))
            yield audio

    def _pieces(self, text: str) -> Iterator[Audio]:
        for chunk in chunks(text):
            yield from self.synthesizer.synthesize(speakable(chunk))
