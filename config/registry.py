"""Name → engine. An engine's module is imported only when the engine is chosen.

To add an engine: write its file, then add one entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Literal, Protocol

from atonce.config.catalogue import MODELS
from atonce.config.errors import EngineError, SettingsError

Kind = Literal["transcriber", "synthesizer", "llm"]
"""The sections of the settings that have an engine."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Where an engine is, and which models of the store it needs."""

    place: str
    """Of its class: "module:class"."""
    needs: tuple[str, ...] = ()
    """Models that it cannot do without."""
    model_setting: str = ""
    """The setting of its section that may name one more model."""


class Chosen(Protocol):
    """A section of the settings that chooses an engine."""

    @property
    def engine(self) -> str:
        """The engine's name."""
        ...


ENGINES: Mapping[Kind, Mapping[str, Engine]] = {
    "transcriber": {
        "whisper": Engine("atonce.speech.whisper:WhisperTranscriber", model_setting="model"),
        "fake": Engine("atonce.speech.fakes:FakeTranscriber"),
    },
    "synthesizer": {
        "piper": Engine("atonce.speech.piper:PiperSynthesizer", model_setting="voice"),
        "fake": Engine("atonce.speech.fakes:FakeSynthesizer"),
    },
    "llm": {
        "embedded": Engine("atonce.llm.denoiser:EmbeddedWriter", needs=("smollm2-135m",)),
        "fake": Engine("atonce.llm.fakes:FakeWriter"),
    },
}
"""The engines of each kind, by their name in the settings."""


def names(kind: Kind) -> tuple[str, ...]:
    """The engines of a kind, as the settings call them."""
    return tuple(ENGINES[kind])


def unknown(kind: Kind, name: str) -> str:
    """What to tell somebody who asked for an engine that does not exist."""
    near = get_close_matches(name, names(kind), n=1)
    guess = f"; did you mean {near[0]}?" if near else ""
    return f"there is no {kind} engine {name!r}{guess} (there are: {', '.join(names(kind))})"


def find(kind: Kind, name: str) -> Callable[..., Any]:
    """The class of an engine, imported now; its arguments are its own."""
    module, _, attribute = _engine(kind, name).place.partition(":")

    try:
        found: Callable[..., Any] = getattr(import_module(module), attribute)
    except (ImportError, OSError) as error:  # OSError: a library of the system is missing
        raise EngineError(
            f"the {kind} engine {name} cannot start, because a package is missing or broken "
            f"({error}); `atonce doctor` says which"
        ) from error

    return found


def models(kind: Kind, section: Chosen) -> tuple[str, ...]:
    """The models of the store that the chosen engine needs; folders and files of the user's own
    are none of them."""
    engine = _engine(kind, section.engine)
    named = str(getattr(section, engine.model_setting)) if engine.model_setting else ""
    return (*engine.needs, named) if named in MODELS else engine.needs


def _engine(kind: Kind, name: str) -> Engine:
    if name not in ENGINES[kind]:
        raise SettingsError(f"{kind}.engine: {unknown(kind, name)}")

    return ENGINES[kind][name]
