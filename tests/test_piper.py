"""The mouth: what it says is understood, clean at its ends, and made on one thread."""

from __future__ import annotations

import json
import re
import shutil
import threading
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from atonce.config import models
from atonce.config.errors import EngineError, ModelError
from atonce.config.load import defaults
from atonce.config.schema import SynthesizerSettings
from atonce.speech.audio_file import join
from atonce.speech.piper import PiperSynthesizer
from atonce.speech.protocols import Audio, Samples
from atonce.speech.whisper import WhisperTranscriber

SENTENCES = (
    "The museum is open from ten to five.",
    "The garden is behind the main hall.",
    "A ticket for two people is on the second floor, next to the stairs.",
)
LONGEST_GAP_S = 0.6
UNDERSTOOD = 0.75
"""Share of words heard in their order: "a ticket" may be heard as "I take it"."""


@pytest.fixture(scope="module")
def mouth() -> PiperSynthesizer:
    """The real voice, as the settings want it."""
    models.ensure(["joe"], say=lambda _: None)
    # Piper draws its melody: a seed gives every run of the tests the same one.
    onnxruntime.set_seed(1)
    return PiperSynthesizer.from_settings(defaults().settings.synthesizer)


@pytest.fixture(scope="module")
def ears() -> WhisperTranscriber:
    """The real transcriber."""
    models.ensure(["whisper-base"], say=lambda _: None)
    return WhisperTranscriber(models.folder("whisper-base"))


@pytest.fixture(scope="module")
def voice() -> Path:
    """The file of the real voice."""
    models.ensure(["joe"], say=lambda _: None)
    return next(models.folder("joe").glob("*.onnx"))


def loudness_db(samples: Samples) -> float:
    """Root mean square against full scale."""
    return float(20 * np.log10(np.sqrt(np.mean(np.square(samples)))))


def longest_gap_s(audio: Audio) -> float:
    """The longest time below -50 dBFS between the first and the last sound."""
    width = audio.rate_hz // 100
    blocks = audio.samples[: len(audio.samples) // width * width].reshape(-1, width)
    sounding = np.flatnonzero(np.abs(blocks).max(axis=1) > 10 ** (-50 / 20))
    return float(np.diff(sounding).max() - 1) / 100


def words(text: str) -> list[str]:
    """Lower case, without marks; the numbers of the sentences spelled."""
    spelled = {"10": "ten", "5": "five", "2": "two", "2nd": "second"}
    return [spelled.get(word, word) for word in re.findall(r"[a-z0-9]+", text.lower())]


@pytest.mark.models
@pytest.mark.parametrize("sentence", SENTENCES)
def test_what_is_said_is_understood_and_clean(
    sentence: str, mouth: PiperSynthesizer, ears: WhisperTranscriber
) -> None:
    said = words(sentence)

    (audio,) = mouth.synthesize(sentence)

    assert audio.rate_hz == mouth.rate_hz == 22_050
    assert audio.samples.dtype == np.float32
    assert np.abs(audio.samples).max() <= 0.9
    assert -30 < loudness_db(audio.samples) < -12
    assert abs(float(audio.samples[0])) < 1e-3
    assert abs(float(audio.samples[-1])) < 1e-3
    assert longest_gap_s(audio) <= LONGEST_GAP_S
    assert 2 < len(said) / audio.seconds < 5
    heard = SequenceMatcher(None, words(ears.transcribe(audio).text), said)
    assert heard.ratio() >= UNDERSTOOD


@pytest.mark.models
def test_sentences_come_one_by_one(mouth: PiperSynthesizer) -> None:
    pieces = mouth.synthesize("Sure. The garden is behind the main hall.")

    first = next(pieces)
    second = next(pieces)

    assert first.seconds < 1 < second.seconds
    assert list(pieces) == []


@pytest.mark.models
@pytest.mark.parametrize("text", ["", " ", "…", "?!", "\n", "[[ ]]"])
def test_nothing_is_said_for_a_text_without_words(text: str, mouth: PiperSynthesizer) -> None:
    assert list(mouth.synthesize(text)) == []


@pytest.mark.models
@pytest.mark.parametrize(
    "text", ["Thank [[you]].", "Thank\0you.", "Thank\nyou.", "Thank you \N{WAVING HAND SIGN}"]
)
def test_odd_characters_do_not_hinder_the_words(
    text: str, mouth: PiperSynthesizer, ears: WhisperTranscriber
) -> None:
    heard = words(ears.transcribe(join(list(mouth.synthesize(text)))).text)

    assert heard[:2] == ["thank", "you"]


@pytest.mark.models
def test_the_voice_says_which_language_it_speaks(mouth: PiperSynthesizer) -> None:
    assert mouth.languages == ("en",)


@pytest.mark.models
def test_the_voice_works_on_one_thread_that_does_not_spin(mouth: PiperSynthesizer) -> None:
    options = mouth._voice.session.get_session_options()
    threads = threading.active_count()

    list(mouth.synthesize("Sure."))

    assert options.intra_op_num_threads == options.inter_op_num_threads == 1
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.get_session_config_entry("session.inter_op.allow_spinning") == "0"
    assert threading.active_count() == threads


@pytest.mark.models
def test_a_voice_of_ones_own_is_taken_by_file_or_by_folder(voice: Path) -> None:
    settings = SynthesizerSettings(engine="piper", voice=str(voice))

    assert PiperSynthesizer.from_settings(settings).rate_hz == 22_050
    assert PiperSynthesizer(voice.parent).rate_hz == 22_050


@pytest.mark.models
def test_a_fault_of_the_engine_is_told_as_one(
    mouth: PiperSynthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A voice with a phoneme that the model has no sound for, as a wrong config gives.
    wrong = {name: [10**6] for name in mouth._voice.config.phoneme_id_map}
    monkeypatch.setattr(mouth._voice.config, "phoneme_id_map", wrong)

    with pytest.raises(EngineError, match=r"Piper failed while it spoke 'Sure\.': "):
        list(mouth.synthesize("Sure."))


@pytest.mark.models
def test_a_fault_in_the_second_sentence_is_told_and_the_next_call_works(
    mouth: PiperSynthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = mouth.synthesize(f"Sure. {SENTENCES[1]}")
    next(pieces)

    with monkeypatch.context() as broken:
        broken.setattr(mouth._voice, "phoneme_ids_to_audio", _out_of_memory)

        with pytest.raises(EngineError, match=r"Piper failed while it spoke 'Sure\. The .*memory"):
            next(pieces)

    assert len(list(mouth.synthesize(f"Sure. {SENTENCES[1]}"))) == 2


@pytest.mark.models
def test_samples_that_are_no_numbers_are_told(
    mouth: PiperSynthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = np.full(9_000, np.nan, np.float32)
    monkeypatch.setattr(mouth._voice, "phoneme_ids_to_audio", lambda *_: bad)

    with pytest.raises(EngineError, match=r"no numbers while it spoke 'Sure\.'"):
        list(mouth.synthesize("Sure."))


@pytest.mark.models
def test_every_word_is_told_with_its_sentence(mouth: PiperSynthesizer) -> None:
    first, second = mouth.synthesize(f"Sure. {SENTENCES[1]}")

    assert [word.text for word in first.words] == ["Sure."]
    assert [word.text for word in second.words] == SENTENCES[1].split()
    assert second.words[0].start_s == 0
    assert second.words[-1].end_s == pytest.approx(second.seconds, abs=0.3)


def test_a_voice_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nobody\.onnx does not exist; check synthesizer\.voice"):
        PiperSynthesizer(tmp_path / "nobody.onnx")

    with pytest.raises(ModelError, match=r"holds 0 voices \(\.onnx\); name the file of one voice"):
        PiperSynthesizer(tmp_path)

    (tmp_path / "a.onnx").touch()
    (tmp_path / "b.onnx").touch()

    with pytest.raises(ModelError, match="holds 2 voices"):
        PiperSynthesizer(tmp_path)


@pytest.mark.models
def test_a_voice_without_its_config_is_refused(voice: Path, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").symlink_to(voice)

    with pytest.raises(ModelError, match=r"has no config: a\.onnx\.json must lie beside it"):
        PiperSynthesizer(tmp_path / "a.onnx")


@pytest.mark.models
@pytest.mark.parametrize("config", ["", "{", "[]", "{}", "3", '{"audio": 1}', "\udcff"])
def test_a_voice_with_a_wrong_config_is_refused(config: str, voice: Path, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").symlink_to(voice)
    (tmp_path / "a.onnx.json").write_text(config, encoding="utf-8", errors="surrogateescape")

    with pytest.raises(ModelError, match=r"a\.onnx\.json is no config of a Piper voice"):
        PiperSynthesizer(tmp_path / "a.onnx")


@pytest.mark.models
@pytest.mark.parametrize("length", [0, 100, 1_000_000, 63_000_000])
def test_a_truncated_voice_is_refused(
    length: int, voice: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with voice.open("rb") as whole:
        (tmp_path / "a.onnx").write_bytes(whole.read(length))

    shutil.copy(f"{voice}.json", tmp_path / "a.onnx.json")

    with pytest.raises(ModelError, match=r"a\.onnx is damaged or of another kind"):
        PiperSynthesizer(tmp_path / "a.onnx")

    assert capfd.readouterr().err == ""


@pytest.mark.models
def test_the_config_of_the_voice_tells_the_rate(voice: Path, mouth: PiperSynthesizer) -> None:
    config = json.loads(Path(f"{voice}.json").read_text("utf-8"))

    assert mouth.rate_hz == config["audio"]["sample_rate"]


def _out_of_memory(*_: object) -> None:
    raise RuntimeError("out of memory")
