"""A Piper voice: its files, its config, its phonemes, and sessions that share a machine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from piper import PiperConfig, PiperVoice

from atonce.config.errors import EngineError, ModelError
from atonce.speech.onnx_session import SPEAKING_FAULTS
from atonce.speech.word_times import Span


@dataclass(frozen=True, slots=True)
class Phonemes:
    """One sentence, as the model reads it."""

    ids: tuple[int, ...]
    """Phoneme ids, marks and padding included."""
    groups: tuple[range, ...]
    """Which ids belong to each group of phonemes between two spaces; about one word each."""
    sizes: tuple[int, ...]
    """Phonemes in each group."""

    def spans(self, lengths_s: Sequence[float]) -> list[Span]:
        """When each group sounds, from the seconds of each id."""
        edges = [0.0, *accumulate(lengths_s)]
        return [Span(edges[ids.start], edges[ids.stop]) for ids in self.groups]


def voice_file(voice: str | Path) -> Path:
    """The .onnx file of a voice, named by itself or by its folder; ModelError without one."""
    path = Path(voice).expanduser()

    if path.is_dir():
        found = sorted(path.glob("*.onnx"))

        if len(found) != 1:
            raise ModelError(
                f"{path} holds {len(found)} voices (.onnx); name the file of one voice"
            )

        path = found[0]

    if not path.is_file():
        raise ModelError(f"the voice {path} does not exist; check synthesizer.voice")

    return path


def read_config(path: Path) -> PiperConfig:
    """The config beside a voice; ModelError where it is missing or no config."""
    config_path = Path(f"{path}.json")

    if not config_path.is_file():
        raise ModelError(
            f"the voice {path} has no config: {config_path.name} must lie beside it; get it where"
            " the voice came from"
        )

    try:
        return PiperConfig.from_dict(json.loads(config_path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{config_path} is no config of a Piper voice ({error!r}); get it where the voice came"
            " from"
        ) from error


def language(config: PiperConfig) -> str:
    """The language a voice speaks (ISO 639-1)."""
    return str(config.espeak_voice).partition("-")[0]


def plain(text: str) -> str:
    """Without what Piper would not read as text: [[…]] are phonemes to it, and it refuses \\0."""
    return text.replace("[[", " ").replace("]]", " ").replace("\0", " ")


class Phonemizer:
    """Piper's own phonemes: espeak-ng inside its package, about 1 ms for a sentence."""

    def __init__(self, voice: PiperVoice) -> None:
        config = voice.config
        self._voice = voice
        self._space = next(iter(config.phoneme_id_map.get(" ", ())), None)
        self._letters = {
            one
            for phoneme, ids in config.phoneme_id_map.items()
            for one in ids
            if any(character.isalpha() for character in phoneme)
        }

    def sentences(self, text: str) -> list[Phonemes]:
        """The sentences of a text, as espeak cuts it."""
        found = []

        for phonemes in self._voice.phonemize(plain(text)):
            if phonemes:
                ids = tuple(self._voice.phonemes_to_ids(phonemes))
                groups = self._groups(ids)
                sizes = (sum(ids[one] in self._letters for one in group) for group in groups)
                found.append(Phonemes(ids, groups, tuple(sizes)))

        return found

    def _groups(self, ids: Sequence[int]) -> tuple[range, ...]:
        edges = [number for number, one in enumerate(ids) if one == self._space]
        runs = [
            range(first, last)
            for first, last in zip([0, *edges], [*edges, len(ids)], strict=True)
            if any(one in self._letters for one in ids[first:last])
        ]
        return tuple(runs)


def scales(config: PiperConfig, *, is_noisy: bool = True) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Noise of the sound, length, noise of the lengths; without noise every run sounds the same."""
    noise = float(is_noisy)
    return np.array(
        [config.noise_scale * noise, config.length_scale, config.noise_w_scale * noise],
        dtype=np.float32,
    )


@contextmanager
def told(text: str) -> Iterator[None]:
    """A fault of the engine becomes one sentence, with the text that it was to speak."""
    try:
        yield
    except SPEAKING_FAULTS as error:
        raise EngineError(f"Piper failed while it spoke {text!r}: {error}") from error
