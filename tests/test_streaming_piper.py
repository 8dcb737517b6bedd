"""The default mouth: early, exact, understood, at one level, and well again after a fault."""

from __future__ import annotations

import itertools
import logging
import re
import threading
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from atonce.config import models
from atonce.config.errors import EngineError, ModelError
from atonce.config.load import defaults
from atonce.speech import streaming_piper
from atonce.speech.audio_file import join
from atonce.speech.levels import LOUDEST, TARGET_DB, active_level_db
from atonce.speech.piper_voice import voice_file
from atonce.speech.protocols import Audio
from atonce.speech.resample import resample
from atonce.speech.streaming_piper import StreamingPiper
from atonce.speech.voice_split import NotStreamableError
from atonce.speech.whisper import WhisperTranscriber

SENTENCE = "The garden is behind the main hall, and the museum is open until five."
TWO = "Sure. The garden is behind the main hall."
CACHE = models.cache_folder() / "converted" / "voices"


@pytest.fixture(scope="module")
def voice() -> Path:
    """The file of the real voice."""
    models.ensure(["joe"], say=lambda _: None)
    return voice_file(models.folder("joe"))


@pytest.fixture(scope="module")
def mouth(voice: Path) -> StreamingPiper:
    """The real voice on a machine where every call takes a tenth of a millisecond."""
    onnxruntime.set_seed(1)
    return StreamingPiper(voice, cache=CACHE, clock=Clock(0.0001))


@pytest.fixture(scope="module")
def ears() -> WhisperTranscriber:
    """The real transcriber."""
    models.ensure(["whisper-base"], say=lambda _: None)
    return WhisperTranscriber(models.folder("whisper-base"))


class Clock:
    """Moves on by the same time whenever somebody looks."""

    def __init__(self, step_s: float) -> None:
        self._now_s = 0.0
        self._step_s = step_s

    def __call__(self) -> float:
        self._now_s += self._step_s
        return self._now_s


def words(text: str) -> list[str]:
    """Lower case, without marks."""
    return re.findall(r"[a-z0-9]+", text.lower().replace("5", "five"))


@pytest.mark.models
def test_a_sentence_comes_in_pieces_and_the_first_one_is_short(mouth: StreamingPiper) -> None:
    pieces = list(mouth.synthesize(SENTENCE))

    assert len(pieces) >= 2
    assert 0.1 < pieces[0].seconds < 0.3
    assert {piece.rate_hz for piece in pieces} == {22_050}
    assert {piece.samples.dtype for piece in pieces} == {np.dtype(np.float32)}


@pytest.mark.models
def test_what_comes_in_pieces_is_understood(
    mouth: StreamingPiper, ears: WhisperTranscriber
) -> None:
    audio = join(list(mouth.synthesize(SENTENCE)))

    heard = SequenceMatcher(None, words(ears.transcribe(audio).text), words(SENTENCE))

    assert heard.ratio() >= 0.85
    assert 2 < len(words(SENTENCE)) / audio.seconds < 5


@pytest.mark.models
def test_the_joins_are_as_smooth_as_the_sound_between_them(mouth: StreamingPiper) -> None:
    pieces = [piece.samples for piece in mouth.synthesize(SENTENCE)]
    largest = max(float(np.abs(np.diff(piece)).max()) for piece in pieces)

    at_joins = [abs(float(after[0] - before[-1])) for before, after in itertools.pairwise(pieces)]

    assert max(at_joins) <= largest
    assert pieces[0][0] == pieces[-1][-1] == 0


@pytest.mark.models
@pytest.mark.parametrize("text", ["Sure.", SENTENCE, "Would you like to book a place?"])
def test_every_sentence_has_the_level_of_the_voice_and_no_peak_too_high(
    text: str, mouth: StreamingPiper
) -> None:
    audio = join(list(mouth.synthesize(text)))

    assert active_level_db(audio.samples, audio.rate_hz) == pytest.approx(TARGET_DB, abs=3.5)
    assert np.abs(audio.samples).max() <= LOUDEST


@pytest.mark.models
def test_between_two_sentences_there_is_a_comfortable_pause(mouth: StreamingPiper) -> None:
    audio = join(list(mouth.synthesize(TWO)))
    width = audio.rate_hz // 100
    blocks = audio.samples[: len(audio.samples) // width * width].reshape(-1, width)
    sounding = np.flatnonzero(np.abs(blocks).max(axis=1) > 10 ** (-50 / 20))

    assert 0.3 <= (np.diff(sounding).max() - 1) / 100 <= 0.45
    assert sounding[0] <= 4
    assert len(blocks) - sounding[-1] <= 9


@pytest.mark.models
def test_every_word_is_told_with_the_piece_it_begins_in(mouth: StreamingPiper) -> None:
    pieces = list(mouth.synthesize(TWO))
    told = [word for piece in pieces for word in piece.words]

    assert [word.text for word in told] == TWO.split()
    assert all(
        0 <= word.start_s < piece.seconds or word is piece.words[0]
        for piece in pieces
        for word in piece.words
    )
    assert all(word.start_s < word.end_s for word in told)


@pytest.mark.models
def test_a_machine_that_cannot_keep_up_gets_whole_sentences(voice: Path) -> None:
    slow = StreamingPiper(voice, cache=CACHE, clock=Clock(5.0))

    assert len(list(slow.synthesize(SENTENCE))) == 1


@pytest.mark.models
@pytest.mark.parametrize("text", ["", " ", "…", "?!", "[[ ]]"])
def test_nothing_is_said_for_a_text_without_words(text: str, mouth: StreamingPiper) -> None:
    assert list(mouth.synthesize(text)) == []


@pytest.mark.models
def test_it_works_in_the_thread_that_calls_it(mouth: StreamingPiper) -> None:
    threads = threading.active_count()

    list(mouth.synthesize("Sure."))

    assert threading.active_count() == threads


@pytest.mark.models
def test_a_sentence_that_is_given_up_halfway_does_not_hinder_the_next(
    mouth: StreamingPiper,
) -> None:
    cut: Iterator[Audio] = mouth.synthesize(SENTENCE)
    next(cut)
    del cut

    assert len(list(mouth.synthesize(SENTENCE))) >= 2


@pytest.mark.models
def test_a_fault_in_the_second_sentence_is_told_and_the_next_call_works(
    mouth: StreamingPiper, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, count = mouth._graphs.read, iter(range(10))

    def failing(*inputs: Any) -> Any:
        if next(count) == 1:
            raise RuntimeError("out of memory")

        return read(*inputs)

    monkeypatch.setattr(mouth._graphs, "read", failing)
    spoken = []

    with pytest.raises(EngineError, match=r"Piper failed while it spoke 'Sure\. The .*memory"):
        spoken += list(mouth.synthesize(TWO))

    assert len(list(mouth.synthesize(TWO))) >= 3


@pytest.mark.models
def test_samples_that_are_no_numbers_are_told_and_the_next_call_works(
    mouth: StreamingPiper, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(
            mouth._graphs, "waved", lambda frames: np.full(frames.shape[2] * 256, np.nan)
        )

        with pytest.raises(EngineError, match="no numbers while it spoke 'Sure"):
            list(mouth.synthesize("Sure."))

    assert list(mouth.synthesize("Sure."))


@pytest.mark.models
def test_sound_beyond_full_scale_is_bent_below_it(
    mouth: StreamingPiper, monkeypatch: pytest.MonkeyPatch
) -> None:
    waved = mouth._graphs.waved
    monkeypatch.setattr(mouth._graphs, "waved", lambda frames: 20 * waved(frames))

    audio = join(list(mouth.synthesize("Sure.")))

    assert 0.8 < np.abs(audio.samples).max() <= LOUDEST


@pytest.mark.models
def test_a_voice_of_another_rate_keeps_its_rate_and_length(voice: Path, tmp_path: Path) -> None:
    (tmp_path / "low.onnx").symlink_to(voice)
    config = Path(f"{voice}.json").read_text("utf-8").replace("22050", "16000")
    (tmp_path / "low.onnx.json").write_text(config, "utf-8")
    low = StreamingPiper(tmp_path / "low.onnx", cache=tmp_path / "cache", clock=Clock(0.0001))

    audio = join(list(low.synthesize(SENTENCE)))

    assert low.rate_hz == audio.rate_hz == 16_000
    assert resample(audio, 48_000).seconds == pytest.approx(audio.seconds, abs=1e-4)
    # The words end where the sound does.
    assert [word.text for piece in low.synthesize("Sure.") for word in piece.words] == ["Sure."]


@pytest.mark.models
def test_a_voice_that_cannot_be_cut_speaks_whole_sentences(
    voice: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(*_: object) -> None:
        raise NotStreamableError("it has several speakers")

    monkeypatch.setattr(streaming_piper, "VoiceGraphs", refused)

    with caplog.at_level(logging.WARNING):
        whole = StreamingPiper(voice, cache=CACHE)

    assert not whole.is_streaming
    assert len(list(whole.synthesize(SENTENCE))) == 1
    assert "speaks whole sentences, which start later: it has several speakers" in caplog.text


@pytest.mark.models
def test_a_voice_without_its_config_or_its_file_is_refused(voice: Path, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").symlink_to(voice)

    with pytest.raises(ModelError, match=r"has no config: a\.onnx\.json must lie beside it"):
        StreamingPiper(tmp_path / "a.onnx", cache=tmp_path)

    with pytest.raises(ModelError, match=r"nobody\.onnx does not exist"):
        StreamingPiper(tmp_path / "nobody.onnx", cache=tmp_path)


@pytest.mark.models
def test_a_truncated_voice_is_refused(voice: Path, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(voice.read_bytes()[:1_000_000])
    (tmp_path / "a.onnx.json").symlink_to(f"{voice}.json")

    with pytest.raises(ModelError, match=r"a\.onnx is damaged or of another kind"):
        StreamingPiper(tmp_path / "a.onnx", cache=tmp_path / "cache")


@pytest.mark.models
def test_it_is_made_from_the_settings(voice: Path) -> None:
    mouth = StreamingPiper.from_settings(defaults().settings.synthesizer)

    assert mouth.is_streaming
    assert (mouth.rate_hz, mouth.languages) == (22_050, ("en",))
    assert voice.is_file()
