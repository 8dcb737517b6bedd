"""The table of engines."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pytest

from atonce.config import registry
from atonce.config.catalogue import MODELS
from atonce.config.errors import EngineError, SettingsError
from atonce.config.load import defaults

ROOT = Path(__file__).parent.parent
KINDS: tuple[registry.Kind, ...] = ("transcriber", "synthesizer", "llm")


@dataclass(frozen=True)
class _Section:
    engine: str
    model: str = "whisper-base"


@pytest.mark.parametrize("kind", KINDS)
def test_every_engine_is_where_the_table_says(kind: registry.Kind) -> None:
    for name, engine in registry.ENGINES[kind].items():
        match = re.fullmatch(r"atonce\.(\w+)\.(\w+):(\w+)", engine.place)
        assert match is not None, name
        folder, module, class_name = match.groups()
        source = (ROOT / folder / f"{module}.py").read_text("utf-8")
        assert re.search(rf"^class {class_name}\b", source, re.MULTILINE), name


@pytest.mark.parametrize("kind", KINDS)
def test_every_engine_needs_only_models_that_can_be_fetched(kind: registry.Kind) -> None:
    for engine in registry.ENGINES[kind].values():
        assert set(engine.needs) <= set(MODELS)


def test_the_default_engines_need_these_models() -> None:
    settings = defaults().settings

    assert registry.models("transcriber", settings.transcriber) == ("whisper-base",)
    assert registry.models("synthesizer", settings.synthesizer) == ("joe",)
    assert registry.models("llm", settings.llm) == ("smollm2-135m", "minilm")


def test_a_model_of_the_users_own_is_not_fetched() -> None:
    assert registry.models("transcriber", _Section("whisper", "/home/me/whisper-large")) == ()
    assert registry.models("transcriber", _Section("fake")) == ()


def test_an_unknown_engine_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(SettingsError) as caught:
        registry.find("llm", "embeded")

    assert str(caught.value) == (
        "llm.engine: there is no llm engine 'embeded'; did you mean embedded? "
        "(there are: embedded, reader, twin, fake, or your own as module:Class)"
    )

    with pytest.raises(SettingsError, match="there is no transcriber engine 'zzz' "):
        registry.models("transcriber", _Section("zzz"))


def test_an_engine_is_imported_when_it_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_voice.py").write_text("class Voice:\n    pass\n", "utf-8")
    (tmp_path / "torn_voice.py").write_text("import no_such_package_here\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    own = {"own": registry.Engine("own_voice:Voice"), "torn": registry.Engine("torn_voice:Voice")}
    monkeypatch.setattr(registry, "ENGINES", MappingProxyType({"synthesizer": own}))

    assert "own_voice" not in sys.modules
    assert registry.find("synthesizer", "own").__name__ == "Voice"
    assert registry.names("synthesizer") == ("own", "torn")

    with pytest.raises(
        EngineError, match=r"engine torn cannot start.*no_such_package_here.*doctor"
    ):
        registry.find("synthesizer", "torn")


def test_an_engine_of_the_users_own_is_named_by_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_ears.py").write_text("class Ears:\n    pass\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    assert registry.find("transcriber", "my_ears:Ears").__name__ == "Ears"
    assert registry.models("transcriber", _Section("my_ears:Ears")) == ()
    assert (
        defaults(["llm.engine=my.own.writer:Writer"]).settings.llm.engine == "my.own.writer:Writer"
    )

    with pytest.raises(EngineError, match=r"my_ears has no Nose; correct transcriber.engine$"):
        registry.find("transcriber", "my_ears:Nose")

    with pytest.raises(EngineError, match=r"no_such_ears.*PYTHONPATH$"):
        registry.find("transcriber", "no_such_ears:Ears")


@pytest.mark.parametrize("name", ["a:", ":b", "a b:c", "1:2", "9:30", "a..b:c", "a:b:c", "../a:b"])
def test_what_is_no_place_is_no_engine(name: str) -> None:
    assert not registry.is_known("llm", name)
