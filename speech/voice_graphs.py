"""The three graphs of a cut voice at work: a sentence is read once, and computed piece by piece.

Shapes: frames are (1, channels, n); a frame is `hop` samples.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from atonce.speech.onnx_session import open_session
from atonce.speech.pacing import Work
from atonce.speech.protocols import Samples
from atonce.speech.voice_split import graph, split_voice

Floats = np.ndarray[Any, np.dtype[np.float32]]

_LEAD = 3
"""Frames kept before the first phoneme."""


class VoiceGraphs:
    """A voice that was cut, on one thread."""

    def __init__(self, voice: Path, cache: Path) -> None:
        """NotStreamableError where the voice cannot be cut; cache: see split_voice."""
        split, folder = split_voice(voice, cache)
        self.hop = split.hop
        self.work = Work(split.flow_margin, split.wave_margin)
        self.front = open_session(graph(folder, "front"))
        self._flow = open_session(graph(folder, "flow"))
        self._wave = open_session(graph(folder, "wave"))

    def read(self, ids: tuple[int, ...], scales: Floats) -> Sentence:
        """Read one sentence; scales: see piper_voice.scales."""
        latent, mask, lengths = self.front.run(
            None,
            {
                "input": np.array([ids], dtype=np.int64),
                "input_lengths": np.array([len(ids)], dtype=np.int64),
                "scales": scales,
            },
        )
        return Sentence(self, latent, mask, np.ravel(lengths))

    def flowed(self, latent: Floats, mask: Floats) -> Floats:
        """Frames for the wave decoder."""
        names = [one.name for one in self._flow.get_inputs()]
        made: Floats = self._flow.run(None, dict(zip(names, (latent, mask), strict=True)))[0]
        return made

    def waved(self, frames: Floats) -> Samples:
        """Samples, hop times as many as frames."""
        made = self._wave.run(None, {self._wave.get_inputs()[0].name: frames})[0]
        return np.ravel(made)


class Sentence:
    """One sentence that was read, and can be computed in any pieces from its start on."""

    def __init__(self, voice: VoiceGraphs, latent: Floats, mask: Floats, lengths: Floats) -> None:
        self._voice = voice
        self._latent = latent
        self._mask = mask
        self._flowed = latent[:, :, :0]
        self._flowed_from = 0
        self.frames: int = latent.shape[2]
        """How long it is."""
        self.lengths = lengths
        """Of each phoneme id, in frames."""
        # The first id is the start mark, and nothing is heard while it lasts: up to 0.2 s, which
        # need not be computed. (Measured on 40 sentences: sound starts within a frame of its end.)
        self.first: int = max(0, int(lengths[0]) - _LEAD)
        """The frame to start at; before it is silence."""

    def decode(self, first: int, last: int) -> Samples:
        """The samples of some frames, as they are in the whole sentence."""
        margin = self._voice.work.wave_margin
        low, high = max(0, first - margin), min(self.frames, last + margin)
        samples = self._voice.waved(self._flow(low, high))
        skipped = (first - low) * self._voice.hop
        return samples[skipped : skipped + (last - first) * self._voice.hop]

    def _flow(self, first: int, last: int) -> Floats:
        """Frames of the flow; what was computed for the piece before is not computed again."""
        begin, end = self._flowed_from, self._flowed_from + self._flowed.shape[2]

        if not begin <= first <= end:
            begin, end, self._flowed = first, first, self._flowed[:, :, :0]

        if last > end:
            margin = self._voice.work.flow_margin
            low, high = max(0, end - margin), min(self.frames, last + margin)
            made = self._voice.flowed(self._latent[:, :, low:high], self._mask[:, :, low:high])
            new = made[:, :, end - low : last - low]
            self._flowed = np.concatenate([self._flowed, new], axis=2)

        self._flowed, self._flowed_from = self._flowed[:, :, first - begin :], first
        return self._flowed[:, :, : last - first]
