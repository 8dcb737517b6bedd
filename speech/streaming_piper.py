"""Piper, heard while it is still being computed: a sentence comes in pieces that join exactly.

Rule 1. The pieces of a sentence, one after the other, are the sentence: every sample is computed
        with all that its decoder sees of its surroundings, from the same noise.
Rule 2. A piece is as short as the machine can afford. Where it cannot keep up with the sound, the
        sentence comes whole.
Rule 3. A voice that cannot be cut speaks whole sentences, through the same calls.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from piper import PiperVoice

from atonce.config import models
from atonce.config.schema import SynthesizerSettings
from atonce.speech.levels import (
    REFERENCE_TEXT,
    Edges,
    limited,
    pause_s,
    refuse_no_numbers,
    silence,
    voice_gain,
)
from atonce.speech.pacing import FEWEST, Pace, Slowness
from atonce.speech.piper import PiperSynthesizer
from atonce.speech.piper_voice import (
    Phonemizer,
    language,
    read_config,
    scales,
    told,
    voice_file,
)
from atonce.speech.protocols import Audio, Samples, SpokenWord, Synthesizer
from atonce.speech.voice_graphs import Sentence, VoiceGraphs
from atonce.speech.voice_split import NotStreamableError
from atonce.speech.word_times import Timetable, has_words

log = logging.getLogger(__name__)


class StreamingPiper:
    """One Piper voice on one thread of the processor, sentence by sentence and piece by piece."""

    def __init__(
        self, voice: str | Path, *, cache: Path, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """voice: the .onnx file, its .json beside it, or a folder with one such pair.

        cache: a folder for the cut voice, as large as the voice; made on first use.
        """
        path = voice_file(voice)
        self._config = read_config(path)
        self._clock = clock
        self._whole: PiperSynthesizer | None = None

        try:
            self._graphs = VoiceGraphs(path, cache)
        except NotStreamableError as reason:
            log.warning("%s speaks whole sentences, which start later: %s", path.name, reason)
            self._whole = PiperSynthesizer(path)
            return

        self._phonemizer = Phonemizer(PiperVoice(session=self._graphs.front, config=self._config))
        self._slowness = Slowness(0.0)
        self._gain = self._warm_up()

    @classmethod
    def from_settings(cls, settings: SynthesizerSettings) -> Self:
        """As the settings want it: a voice of the model store, or a path."""
        cache = models.cache_folder() / "converted" / "voices"
        return cls(models.place(settings.voice), cache=cache)

    @property
    def rate_hz(self) -> int:
        """Rate of the audio it gives."""
        return int(self._config.sample_rate)

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages it speaks (ISO 639-1)."""
        return (language(self._config),)

    @property
    def is_streaming(self) -> bool:
        """Its sentences come in pieces."""
        return self._whole is None

    def synthesize(self, text: str) -> Iterator[Audio]:
        """The sound of a text, piece by piece; nothing for a text without words."""
        if self._whole is not None:
            yield from self._whole.synthesize(text)
        elif has_words(text):
            yield from self._text(text)

    def _text(self, text: str) -> Iterator[Audio]:
        with told(text):
            sentences = self._phonemizer.sentences(text)

        timetable = Timetable(text, [one.sizes for one in sentences])
        pace = Pace(self._frame_s, self._graphs.work, self._slowness)

        for number, phonemes in enumerate(sentences):
            with told(text):
                sentence = self._graphs.read(phonemes.ids, scales(self._config))

            spans = phonemes.spans((sentence.lengths * self._frame_s).tolist())
            words = timetable.words(number, spans)
            edges = Edges(self.rate_hz, dropped=sentence.first * self._graphs.hop)

            for piece in with_words(
                self._samples(text, sentence, edges, pace), words, edges, self.rate_hz
            ):
                pace.made(piece.seconds, self._clock())
                yield piece

            if number < len(sentences) - 1:
                pause = Audio(silence(pause_s("."), self.rate_hz), self.rate_hz)
                pace.made(pause.seconds, self._clock())
                yield pause

    def _samples(
        self, text: str, sentence: Sentence, edges: Edges, pace: Pace
    ) -> Iterator[Samples]:
        """The sentence, trimmed and at its level, in pieces as long as the machine can afford."""
        first = sentence.first

        while first < sentence.frames:
            last = first + pace.frames(sentence.frames - first, self._clock())

            with told(text):
                raw = self._decode(sentence, first, last)

            refuse_no_numbers(raw, text)
            samples = edges.push(limited(raw * np.float32(self._gain)))
            is_done = last >= sentence.frames
            yield np.concatenate([samples, edges.close()]) if is_done else samples
            first = last

    def _decode(self, sentence: Sentence, first: int, last: int) -> Samples:
        begun_s = self._clock()
        samples = sentence.decode(first, last)
        self._slowness.note(self._clock() - begun_s, self._graphs.work.units(last - first))
        return samples

    def _warm_up(self) -> float:
        """The voice's gain; on the way the graphs are warmed up, and the machine is measured."""
        with told(REFERENCE_TEXT):
            phonemes = self._phonemizer.sentences(REFERENCE_TEXT)[0]
            sentence = self._graphs.read(phonemes.ids, scales(self._config, is_noisy=False))
            samples = sentence.decode(0, sentence.frames)
            begun_s = self._clock()
            sentence.decode(0, FEWEST)
            took_s = self._clock() - begun_s

        self._slowness.seconds = took_s / self._graphs.work.units(FEWEST)
        return voice_gain(samples, self.rate_hz)

    @property
    def _frame_s(self) -> float:
        return self._graphs.hop / self.rate_hz


_: type[Synthesizer] = StreamingPiper


def with_words(
    pieces: Iterable[Samples], words: Sequence[SpokenWord], edges: Edges, rate_hz: int
) -> Iterator[Audio]:
    """The pieces of one sentence, each with the words that begin in it.

    words: by the time of the sentence before its start was trimmed by `edges`.
    """
    left, played = list(words), 0

    for samples in pieces:
        if not len(samples):
            continue

        begin_s = (played + edges.dropped) / rate_hz
        played += len(samples)
        end_s = (played + edges.dropped) / rate_hz
        begun = [word for word in left if word.start_s < end_s]
        left = left[len(begun) :]
        yield Audio(samples, rate_hz, tuple(word.moved(-begin_s) for word in begun))
