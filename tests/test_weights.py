"""Weights on disk: what is read, converted, refused, and never left half."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from atonce.config.errors import ModelError
from atonce.llm.model import Reader, Sizes, Tower, score
from atonce.llm.weights import (
    READER_FILE,
    TOKENIZER_FILE,
    Card,
    load_base,
    load_writer,
    save_writer,
    write_whole,
)

SIZES = Sizes(
    width=48, layers=3, heads=6, kv_heads=2, head=8, hidden=64, vocabulary=263, context=512,
    theta=1000.0, epsilon=1e-5,
)  # fmt: skip
CARD = Card(version="7", depths=(0, 2), mask=3, end=2, max_canvas=32, end_odds=4.0)
VOCABULARY = torch.tensor([5, 6, 7])


@pytest.fixture
def tower() -> Tower:
    """Two random layers."""
    tower = Tower(SIZES, CARD.depths, CARD.mask)
    torch.manual_seed(1)
    for parameter in tower.parameters():
        torch.nn.init.normal_(parameter)

    return tower


@pytest.fixture
def writer_file(tower: Tower, tmp_path: Path) -> Path:
    """The tower's file."""
    path = tmp_path / "writer.safetensors"
    save_writer(path, tower, VOCABULARY, CARD)
    return path


def rewrite(
    path: Path, *, without: str = "", said: dict[str, str] | None = None, **more: Any
) -> None:
    """Change some tensors of a file."""
    tensors = load_file(path)
    tensors = {name: tensor for name, tensor in tensors.items() if name != without} | more
    save_file(tensors, path, said or {"depths": "[0, 2]"})


# ---- the reader ----


def test_the_sizes_are_those_of_the_gguf(tiny_gguf: Path, tmp_path: Path) -> None:
    reader, _ = load_base(tiny_gguf, tmp_path)
    assert reader.sizes == SIZES


def test_the_second_start_does_not_convert_again(tiny_gguf: Path, tmp_path: Path) -> None:
    load_base(tiny_gguf.parent, tmp_path)
    made = (tmp_path / READER_FILE).stat()
    load_base(tiny_gguf.parent, tmp_path)
    assert (tmp_path / READER_FILE).stat() == made


@pytest.mark.parametrize("name", [READER_FILE, TOKENIZER_FILE])
def test_a_damaged_conversion_is_made_anew(tiny_gguf: Path, tmp_path: Path, name: str) -> None:
    load_base(tiny_gguf, tmp_path)
    damaged = tmp_path / name
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])
    load_base(tiny_gguf, tmp_path)
    assert damaged.stat().st_size == len(whole)


def test_a_replaced_gguf_is_converted_again(tiny_gguf: Path, tmp_path: Path) -> None:
    copy = tmp_path / "other.gguf"
    load_base(tiny_gguf, tmp_path / "cache")
    made = (tmp_path / "cache" / READER_FILE).stat()
    shutil.copy(tiny_gguf, copy)
    load_base(copy, tmp_path / "cache")
    assert (tmp_path / "cache" / READER_FILE).stat().st_ino != made.st_ino


@pytest.mark.parametrize("part", [0, 100, 5_000, 100_000])
def test_a_truncated_gguf_is_named_with_how_to_fetch_it(
    tiny_gguf: Path, tmp_path: Path, part: int
) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(tiny_gguf.read_bytes()[:part])
    with pytest.raises(ModelError, match=r"cut\.gguf.*atonce models fetch"):
        load_base(cut, tmp_path / "cache")

    assert not list(tmp_path.glob("cache/*"))


def test_a_folder_without_a_gguf_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"found 0\. .*atonce models fetch"):
        load_base(tmp_path, tmp_path / "cache")


# ---- the writer ----


def test_a_writer_comes_back_as_it_was_saved(writer_file: Path, tower: Tower) -> None:
    again, vocabulary, card = load_writer(writer_file, SIZES)
    assert card == CARD
    assert vocabulary.tolist() == [5, 6, 7]
    assert torch.equal(again.norm, tower.norm)
    for name, weight in tower.state_dict().items():
        step = weight.abs().amax(-1, keepdim=True) / 127  # of int8
        assert ((again.state_dict()[name] - weight).abs() <= 0.51 * step).all(), name


def test_saving_what_was_loaded_changes_nothing(writer_file: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.safetensors"
    save_writer(again, *load_writer(writer_file, SIZES))
    first, second = load_file(writer_file), load_file(again)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        torch.testing.assert_close(second[name], tensor, rtol=1e-6, atol=0)


def test_a_writer_that_says_nothing_is_the_first_one(writer_file: Path) -> None:
    rewrite(writer_file, said={"format": "pt"})
    with pytest.raises(ModelError, match=r"looks at depths .* of a reader of 3"):
        load_writer(writer_file, SIZES)


def test_float_matrices_need_no_scale(writer_file: Path, tower: Tower) -> None:
    tensors = load_file(writer_file)
    o = tower.layers[0].o.weight.detach()  # type: ignore[union-attr,operator]
    del tensors["layers.0.o.scale"]
    save_file(tensors | {"layers.0.o": o.contiguous()}, writer_file, {"depths": "[0, 2]"})
    again, _, _ = load_writer(writer_file, SIZES)
    assert torch.equal(again.state_dict()["layers.0.o.weight"], o)


def test_a_missing_tensor_is_named(writer_file: Path) -> None:
    rewrite(writer_file, without="layers.1.down")
    with pytest.raises(ModelError, match=r"writer.safetensors has no tensor 'layers.1.down'"):
        load_writer(writer_file, SIZES)


def test_an_unknown_tensor_is_named(writer_file: Path) -> None:
    rewrite(writer_file, surprise=torch.zeros(2))
    with pytest.raises(ModelError, match="a tensor surprise that this version"):
        load_writer(writer_file, SIZES)


def test_a_tensor_of_the_wrong_shape_is_named(writer_file: Path) -> None:
    rewrite(writer_file, norm=torch.zeros(2))
    with pytest.raises(ModelError, match=r"does not fit the model: size mismatch for norm"):
        load_writer(writer_file, SIZES)


def test_a_part_of_the_wrong_shape_is_named(writer_file: Path) -> None:
    tensors = load_file(writer_file)
    tensors["layers.0.k"] = tensors["layers.0.k"][:, :-1].contiguous()
    save_file(tensors, writer_file, {"depths": "[0, 2]"})
    with pytest.raises(ModelError, match=r"writer.safetensors.*layers\.0\.qkv"):
        load_writer(writer_file, SIZES)


def test_a_truncated_writer_is_named(writer_file: Path) -> None:
    writer_file.write_bytes(writer_file.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"writer.safetensors is damaged.*atonce models fetch"):
        load_writer(writer_file, SIZES)


def test_a_missing_writer_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none.safetensors is missing"):
        load_writer(tmp_path / "none.safetensors", SIZES)


@pytest.mark.parametrize("depths", ["[0, 2", '"ab"', "7"])
def test_a_description_that_cannot_be_read_is_an_error(writer_file: Path, depths: str) -> None:
    rewrite(writer_file, said={"depths": depths})
    with pytest.raises(ModelError, match="description not readable"):
        load_writer(writer_file, SIZES)


# ---- files ----


def test_a_stopped_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def stopped(part: Path) -> None:
        part.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, stopped)

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


# ---- the real ones ----


@pytest.mark.models
@pytest.mark.filterwarnings("ignore")  # those of transformers
def test_the_real_readers_logits_are_those_of_transformers(smollm2: Path, converted: Path) -> None:
    from transformers import AutoModelForCausalLM

    reader, tokenizer = load_base(smollm2, converted)
    llama = AutoModelForCausalLM.from_pretrained(
        smollm2, gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf", dtype=torch.float32
    )
    text = "The museum is open from 9:30 am to 5:45 pm. Adult tickets cost $14. A ticket is"
    ids = torch.tensor([[1, *tokenizer.encode(text), 2, *tokenizer.encode("\nand more")]])
    with torch.inference_mode():
        expected = llama(ids).logits
        states, _ = reader(ids)
        first, past = reader(ids[:, :12])
        second, _ = reader(ids[:, 12:], past)

    ours = score(states, reader.embedding)
    torch.testing.assert_close(ours, expected, atol=1e-3, rtol=1e-4)
    continued = score(torch.cat([first, second], 1), reader.embedding)
    torch.testing.assert_close(continued, expected, atol=1e-3, rtol=1e-4)
    assert isinstance(reader, Reader)
