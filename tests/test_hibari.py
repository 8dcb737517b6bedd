"""The small voice: understood, at the same level as the large one, and well again after a fault."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atonce.config import models, registry
from atonce.config.errors import EngineError, ModelError
from atonce.config.load import defaults
from atonce.speech.audio_file import join
from atonce.speech.hibari import HibariSynthesizer
from atonce.speech.levels import LOUDEST, TARGET_DB, active_level_db
from atonce.speech.whisper import WhisperTranscriber

SENTENCE = "The garden is behind the main hall, next to the fountain."


@pytest.fixture(scope="module")
def mouth() -> HibariSynthesizer:
    """The voice that comes with its package."""
    return HibariSynthesizer()


def words(text: str) -> list[str]:
    """Lower case, without marks."""
    return re.findall(r"[a-z]+", text.lower())


@pytest.mark.models
def test_what_it_says_is_understood(mouth: HibariSynthesizer) -> None:
    models.ensure(["whisper-base"], say=lambda _: None)
    ears = WhisperTranscriber(models.folder("whisper-base"))

    heard = ears.transcribe(join(list(mouth.synthesize(SENTENCE)))).text

    assert SequenceMatcher(None, words(heard), words(SENTENCE)).ratio() >= 0.85


def test_it_has_the_level_of_the_other_voices_and_starts_at_once(mouth: HibariSynthesizer) -> None:
    (audio,) = mouth.synthesize(SENTENCE)

    assert audio.rate_hz == mouth.rate_hz == 24_000
    assert active_level_db(audio.samples, audio.rate_hz) == pytest.approx(TARGET_DB, abs=3.5)
    assert np.abs(audio.samples).max() <= LOUDEST
    # Its package gives 0.3 s of silence before every sentence.
    assert np.abs(audio.samples[: int(0.04 * audio.rate_hz)]).max() > 10 ** (-50 / 20)
    assert audio.samples[0] == audio.samples[-1] == 0


def test_sentences_come_one_by_one_with_a_pause_between_and_their_words(
    mouth: HibariSynthesizer,
) -> None:
    first, second = mouth.synthesize("Sure. It is open!")

    assert [word.text for word in first.words] == ["Sure."]
    assert [word.text for word in second.words] == ["It", "is", "open!"]
    assert not first.samples[-int(0.2 * first.rate_hz) :].any()


@pytest.mark.parametrize("text", ["", " ", "…", "?!", "[ ]", "\0", "☃"])
def test_nothing_is_said_for_a_text_without_words(text: str, mouth: HibariSynthesizer) -> None:
    assert list(mouth.synthesize(text)) == []


@pytest.mark.parametrize("text", ["B27", "42", "wfqxzk", "naïve café", "[odd](/bracket/)", "a\0b"])
def test_odd_text_does_not_hinder_it(text: str, mouth: HibariSynthesizer) -> None:
    audio = join(list(mouth.synthesize(text)))

    assert 0.1 < audio.seconds < 5


def test_the_same_text_sounds_the_same(mouth: HibariSynthesizer) -> None:
    assert np.array_equal(
        join(list(mouth.synthesize(SENTENCE))).samples,
        join(list(mouth.synthesize(SENTENCE))).samples,
    )


@pytest.mark.parametrize("fault", [RuntimeError("out of memory"), KeyError("ʘ")])
def test_a_fault_in_the_second_sentence_is_told_and_the_next_call_works(
    fault: Exception, mouth: HibariSynthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken: Iterator[Any] = mouth.synthesize("Sure. It is open.")
    next(spoken)

    with monkeypatch.context() as broken:
        broken.setattr(mouth._hibari, "from_ids", _raising(fault))

        with pytest.raises(EngineError, match=r"hibari failed while it spoke 'It is open\.'"):
            next(spoken)

    assert len(list(mouth.synthesize("Sure. It is open."))) == 2


def test_samples_that_are_no_numbers_are_told(
    mouth: HibariSynthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mouth._hibari, "from_ids", lambda *_: np.full(100, np.nan, np.float32))

    with pytest.raises(EngineError, match="no numbers"):
        list(mouth.synthesize("Sure."))


def test_one_line_of_the_settings_chooses_it_and_no_model_is_fetched() -> None:
    section = defaults(["synthesizer.engine=hibari"]).settings.synthesizer
    engine = registry.find("synthesizer", section.engine)

    assert registry.models("synthesizer", section) == ()
    assert engine.from_settings(section).languages == ("en",)


@pytest.mark.parametrize("voice", ["emma", "nobody.onnx"])
def test_a_voice_that_is_not_there_is_refused(voice: str) -> None:
    section = defaults(["synthesizer.engine=hibari", f"synthesizer.voice={voice}"]).settings

    with pytest.raises(ModelError, match=rf"hibari has no voice {voice}; write heart, or name"):
        HibariSynthesizer.from_settings(section.synthesizer)


def test_a_file_that_is_no_voice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"no network")

    with pytest.raises(ModelError, match=r"a\.onnx cannot be loaded"):
        HibariSynthesizer(tmp_path / "a.onnx")


def test_piper_is_not_needed_for_it() -> None:
    # Piper's package comes under the GPL; whoever speaks with hibari does without it.
    program = "import sys, atonce.speech.hibari; sys.exit('piper' in sys.modules)"

    assert subprocess.run([sys.executable, "-P", "-c", program], check=False).returncode == 0


def _raising(fault: Exception) -> Any:
    def raises(*_: object) -> None:
        raise fault

    return raises
