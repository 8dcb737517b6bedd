"""Name → engine. An engine's module is imported only when the engine is chosen.

To add an engine: write its file, then add one entry here. An engine of a user's own needs no entry:
its name in the settings is its place, "module:Class".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Literal, Protocol

from atonce.config.catalogue import MODELS
from atonce.config.errors import EngineError, SettingsError

Kind = Literal["voice_detector", "echo", "transcriber", "synthesizer", "llm"]
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


EMBEDDED = ("smollm2-135m", "minilm")
"""The reader, and what finds the facts that answer."""

ENGINES: Mapping[Kind, Mapping[str, Engine]] = {
    "voice_detector": {
        "silero": Engine("atonce.speech.silero:SileroDetector"),
        "fake": Engine("atonce.speech.fakes:FakeVoiceDetector"),
    },
    "echo": {
        "webrtc": Engine("atonce.speech.echo:WebRtcCanceller"),
        "off": Engine("atonce.speech.echo:NoCanceller"),
    },
    "transcriber": {
        "whisper": Engine("atonce.speech.whisper:WhisperTranscriber", model_setting="model"),
        "fake": Engine("atonce.speech.fakes:FakeTranscriber"),
    },
    "synthesizer": {
        "piper": Engine("atonce.speech.streaming_piper:StreamingPiper", model_setting="voice"),
        "piper-whole": Engine("atonce.speech.piper:PiperSynthesizer", model_setting="voice"),
        "hibari": Engine("atonce.speech.hibari:HibariSynthesizer"),
        "fake": Engine("atonce.speech.fakes:FakeSynthesizer"),
    },
    "llm": {
        "embedded": Engine("atonce.llm.denoiser:EmbeddedWriter", needs=EMBEDDED),
        "reader": Engine("atonce.llm.autoregressive:AutoregressiveWriter", needs=EMBEDDED),
        "twin": Engine("atonce.llm.autoregressive:TwinWriter", needs=EMBEDDED),
        "fake": Engine("atonce.llm.fakes:FakeWriter"),
    },
}
"""The engines of each kind, by their name in the settings."""


_PLACE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
"""How the place of a user's own engine is written."""


def names(kind: Kind) -> tuple[str, ...]:
    """The engines of a kind, as the settings call them."""
    return tuple(ENGINES[kind])


def is_known(kind: Kind, name: str) -> bool:
    """It is in the table, or it is the place of a user's own engine."""
    return name in ENGINES[kind] or is_place(name)


def is_place(name: str) -> bool:
    """It is written like "module:Class"."""
    return _PLACE.fullmatch(name) is not None


def unknown(kind: Kind, name: str) -> str:
    """What to tell somebody who asked for an engine that does not exist."""
    near = get_close_matches(name, names(kind), n=1)
    guess = f"; did you mean {near[0]}?" if near else ""
    return f"there is no {kind} engine {name!r}{guess} (there are: {wanted(kind)})"


def wanted(kind: Kind) -> str:
    """What may stand in the setting, in words."""
    return f"{', '.join(names(kind))}, or your own as module:Class"


def find(kind: Kind, name: str) -> type[Any]:
    """The class of an engine, imported now; what it is made from is its own affair."""
    module, _, attribute = _engine(kind, name).place.partition(":")

    try:
        found: type[Any] = getattr(import_module(module), attribute)
    except (ImportError, OSError) as error:  # OSError: a library of the system is missing
        raise EngineError(
            f"the {kind} engine {name} cannot start: {error}; {_todo(name)}"
        ) from error
    except AttributeError as error:
        raise EngineError(
            f"the {kind} engine {name} cannot start: {module} has no {attribute}; "
            f"correct {kind}.engine"
        ) from error

    return found


def _todo(name: str) -> str:
    if is_place(name):
        return "install its package, or name its folder in the environment variable PYTHONPATH"

    return "a package is missing or broken, `atonce doctor` says which"


def models(kind: Kind, section: Chosen) -> tuple[str, ...]:
    """The models of the store that the chosen engine needs; folders and files of the user's own
    are none of them."""
    engine = _engine(kind, section.engine)
    named = str(getattr(section, engine.model_setting)) if engine.model_setting else ""
    return (*engine.needs, named) if named in MODELS else engine.needs


def _engine(kind: Kind, name: str) -> Engine:
    if not is_known(kind, name):
        raise SettingsError(f"{kind}.engine: {unknown(kind, name)}")

    return ENGINES[kind].get(name) or Engine(name)
