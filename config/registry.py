"""Name → engine. An engine's module is imported only when the engine is chosen.

To add an engine: write its file, then add one line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Literal

from atonce.config.errors import EngineError, SettingsError

Kind = Literal["transcriber", "synthesizer", "llm"]

ENGINES: Mapping[Kind, Mapping[str, str]] = {
    "transcriber": {
        "whisper": "atonce.speech.whisper:WhisperTranscriber",
        "fake": "atonce.speech.fakes:FakeTranscriber",
    },
    "synthesizer": {
        "piper": "atonce.speech.piper:PiperSynthesizer",
        "fake": "atonce.speech.fakes:FakeSynthesizer",
    },
    "llm": {
        "embedded": "atonce.llm.denoiser:EmbeddedWriter",
        "fake": "atonce.llm.fakes:FakeWriter",
    },
}
"""For each kind: the name in the settings and where the class is, as "module:class"."""


def names(kind: Kind) -> tuple[str, ...]:
    """The engines of a kind, as the settings call them."""
    return tuple(ENGINES[kind])


def unknown(kind: Kind, name: str) -> str:
    """What to tell somebody who asked for an engine that does not exist."""
    near = get_close_matches(name, names(kind), n=1)
    guess = f"; did you mean {near[0]}?" if near else ""
    return f"there is no {kind} engine {name!r}{guess} (there are: {', '.join(names(kind))})"


def find(kind: Kind, name: str) -> Callable[..., Any]:
    """The class of an engine; imports it now. Each engine has arguments of its own."""
    if name not in ENGINES[kind]:
        raise SettingsError(f"{kind}.engine: {unknown(kind, name)}")

    module, _, attribute = ENGINES[kind][name].partition(":")

    try:
        found: Callable[..., Any] = getattr(import_module(module), attribute)
    except ImportError as error:
        raise EngineError(
            f"the {kind} engine {name} cannot start, a package is missing or broken: {error}; "
            "`atonce doctor` says which"
        ) from error

    return found
