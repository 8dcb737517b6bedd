"""A voice cut in three: made once, exact at every join, and refused where it cannot be done."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import onnx
import pytest

from atonce.config import models
from atonce.speech.onnx_session import open_session
from atonce.speech.piper_voice import Phonemizer, read_config, scales, voice_file
from atonce.speech.protocols import Samples
from atonce.speech.voice_graphs import Sentence, VoiceGraphs
from atonce.speech.voice_split import NotStreamableError, graph, split_voice

EXACT = 1e-5
ONE_STEP = 2**-15
"""Of 16 bits: the voice in one graph adds up in another order than the voice in three."""
TEXT = "A ticket for two people is on the second floor, next to the stairs."


@pytest.fixture(scope="module")
def voice() -> Path:
    """The real voice."""
    models.ensure(["joe"], say=lambda _: None)
    return voice_file(models.folder("joe"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the cut voice lies."""
    return tmp_path_factory.mktemp("cut")


@pytest.fixture(scope="module")
def graphs(voice: Path, cache: Path) -> VoiceGraphs:
    """The real voice, cut."""
    return VoiceGraphs(voice, cache)


def ids(voice: Path, graphs: VoiceGraphs, text: str = TEXT) -> tuple[int, ...]:
    """The phoneme ids of a sentence."""
    from piper import PiperVoice

    speaking = PiperVoice(session=graphs.front, config=read_config(voice))
    return Phonemizer(speaking).sentences(text)[0].ids


def in_pieces(sentence: Sentence, frames: list[int]) -> Samples:
    """The sentence in pieces of so many frames, the rest as the last one."""
    edges = [0, *(int(edge) for edge in np.cumsum(frames)), sentence.frames]
    cuts = sorted({min(edge, sentence.frames) for edge in edges})
    return np.concatenate(
        [sentence.decode(first, last) for first, last in itertools.pairwise(cuts)]
    )


@pytest.mark.models
@pytest.mark.parametrize("frames", [[16, 32, 64, 128], [1, 1, 1, 1], [7, 100, 3], [16] * 20])
def test_pieces_join_to_the_whole_sentence_with_the_same_noise(
    frames: list[int], voice: Path, graphs: VoiceGraphs
) -> None:
    sentence = graphs.read(ids(voice, graphs), scales(read_config(voice)))
    whole = sentence.decode(0, sentence.frames)

    joined = in_pieces(sentence, frames)

    assert len(joined) == len(whole) == sentence.frames * graphs.hop
    assert np.abs(joined - whole).max() <= EXACT


@pytest.mark.models
def test_the_cut_voice_without_noise_is_the_voice_itself(voice: Path, graphs: VoiceGraphs) -> None:
    still = scales(read_config(voice), is_noisy=False)
    phonemes = ids(voice, graphs)
    inputs = {
        "input": np.array([phonemes], dtype=np.int64),
        "input_lengths": np.array([len(phonemes)], dtype=np.int64),
        "scales": still,
    }

    (whole,) = open_session(voice).run(None, inputs)

    joined = in_pieces(graphs.read(phonemes, still), [16, 32, 64])
    assert np.abs(joined - np.ravel(whole)).max() <= ONE_STEP


@pytest.mark.models
def test_what_lies_before_the_first_frame_is_silence(voice: Path, graphs: VoiceGraphs) -> None:
    for text in ("I am of the opinion that it is.", "Yes.", "Hello there.", "She knows."):
        sentence = graphs.read(ids(voice, graphs, text), scales(read_config(voice)))

        before = sentence.decode(0, max(1, sentence.first))

        assert sentence.first == 0 or np.abs(before).max() < 1e-2


@pytest.mark.models
def test_every_phoneme_has_its_length(voice: Path, graphs: VoiceGraphs) -> None:
    phonemes = ids(voice, graphs)

    sentence = graphs.read(phonemes, scales(read_config(voice)))

    assert len(sentence.lengths) == len(phonemes)
    assert sentence.lengths.sum() == sentence.frames


@pytest.mark.models
def test_a_voice_is_cut_once(voice: Path, graphs: VoiceGraphs, cache: Path) -> None:
    _, folder = split_voice(voice, cache)
    made_ns = graph(folder, "wave").stat().st_mtime_ns

    split, again = split_voice(voice, cache)

    assert (again, graph(again, "wave").stat().st_mtime_ns) == (folder, made_ns)
    assert (split.hop, split.wave_margin <= 12, split.flow_margin <= 32) == (256, True, True)
    assert graphs.hop == split.hop


@pytest.mark.models
def test_a_cut_voice_that_lost_a_part_is_made_again(voice: Path, tmp_path: Path) -> None:
    _, folder = split_voice(voice, tmp_path)
    part = "front.onnx"
    whole = (folder / part).read_bytes()
    (folder / part).write_bytes(whole[: len(whole) // 2])  # the disk was full

    split_voice(voice, tmp_path)

    assert len((folder / part).read_bytes()) == len(whole)
    assert [one.name for one in tmp_path.iterdir()] == [folder.name]


def write_other(path: Path, *, loops: bool = False) -> None:
    """A network that is no voice; with `loops`, one with noise and nothing behind it."""
    kind = "RandomNormalLike" if loops else "Relu"
    node = onnx.helper.make_node(kind, ["input"], ["output"])
    shape = [1, 4]
    sides = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name in ("input", "output")
    ]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "other", sides[:1], sides[1:]))
    onnx.save(model, str(path))


@pytest.mark.parametrize("loops", [False, True])
def test_another_kind_of_network_is_not_cut(loops: bool, tmp_path: Path) -> None:
    write_other(tmp_path / "other.onnx", loops=loops)

    with pytest.raises(NotStreamableError, match=r"other\.onnx is built otherwise"):
        split_voice(tmp_path / "other.onnx", tmp_path / "cache")


@pytest.mark.parametrize("content", [b"", b"\x00" * 1000, b"no network at all"])
def test_a_file_that_is_no_network_is_not_cut(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(content)

    with pytest.raises(NotStreamableError, match="is built otherwise"):
        split_voice(tmp_path / "a.onnx", tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    write_other(tmp_path / "other.onnx")
    (tmp_path / "cache").write_text("a file, where a folder should be")

    with pytest.raises(NotStreamableError, match="cannot be written"):
        split_voice(tmp_path / "other.onnx", tmp_path / "cache")
