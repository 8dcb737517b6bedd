"""The transformer, against transformers' own Llama and against itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from atonce.llm.clues import FEATURES, FIRST
from atonce.llm.model import NONE, Cache, Reader, Told, Tower, score
from atonce.llm.weights import load_base

MASK = 3
IDS = torch.tensor([[5, 9, 200, 31, 7, 7, 42, 100, 258, 66]])


@pytest.fixture(scope="module")
def reader(tiny_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """The tiny model's."""
    return load_base(tiny_gguf, tmp_path_factory.mktemp("cache"))[0]


@pytest.fixture(scope="module")
def tower(reader: Reader) -> Tower:
    """The reader's first and last layer, untrained."""
    tower = Tower(reader.sizes, (0, 2), MASK)
    for layer, depth in zip(tower.layers, tower.depths, strict=True):
        layer.load_state_dict(reader.layers[depth].state_dict())

    tower.norm.data = reader.norm.data
    tower.mask_embedding.data = reader.embedding.data.mean(0)
    return tower.requires_grad_(requires_grad=False)


def write(tower: Tower, reader: Reader, canvas: Tensor, past: Cache, **more: Any) -> Tensor:
    """One denoising step behind the last of IDS."""
    last = IDS[0, -1].expand(len(canvas))
    states: Tensor = tower(reader.embedding, last, canvas, past.at(tower.depths), **more)
    return states


def test_the_readers_logits_are_those_of_transformers(reader: Reader, tiny_llama: Any) -> None:
    states, _ = reader(IDS)
    expected = tiny_llama(IDS).logits
    torch.testing.assert_close(score(states, reader.embedding), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("cuts", [[1], [4], [9], [3, 4, 8]])
def test_reading_on_from_a_cache_is_reading_all_at_once(reader: Reader, cuts: list[int]) -> None:
    whole, all_kept = reader(IDS)
    parts, kept = [], None
    for start, stop in zip([0, *cuts], [*cuts, 10], strict=True):
        states, kept = reader(IDS[:, start:stop], kept)
        parts.append(states)

    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-5, rtol=1e-4)
    assert kept is not None
    assert kept.tokens == all_kept.tokens == 10
    torch.testing.assert_close(kept.layers[2], all_kept.layers[2], atol=1e-5, rtol=1e-4)


def test_a_cache_serves_two_continuations(reader: Reader) -> None:
    _, past = reader(IDS[:, :6])
    before = [keys.clone() for keys, _ in past.layers]
    first, _ = reader(IDS[:, 6:8], past)
    reader(IDS[:, 8:], past)
    again, _ = reader(IDS[:, 6:8], past)
    assert torch.equal(first, again)
    assert all(torch.equal(old, keys) for old, (keys, _) in zip(before, past.layers, strict=True))


def test_an_empty_cache_holds_no_tokens() -> None:
    assert Cache(()).tokens == 0


def test_the_canvas_is_seen_in_both_directions_but_its_last_position(
    reader: Reader, tower: Tower
) -> None:
    _, past = reader(IDS[:, :-1])
    canvas = torch.full((1, 6), MASK)
    plain = write(tower, reader, canvas, past)
    canvas[0, 4] = 77
    assert not torch.allclose(write(tower, reader, canvas, past)[0, 0], plain[0, 0])
    canvas = torch.full((1, 6), MASK)
    canvas[0, 5] = 77  # nothing is predicted from it: the shift leaves it out
    assert torch.equal(write(tower, reader, canvas, past), plain)


def test_a_row_in_a_batch_gets_what_it_gets_alone(reader: Reader, tower: Tower) -> None:
    _, past = reader(IDS[:, :-1])
    canvas = torch.tensor([[MASK, 8, MASK, 9], [50, MASK, MASK, MASK], [MASK] * 4])
    together = write(tower, reader, canvas, past)
    for row in range(3):
        alone = write(tower, reader, canvas[row : row + 1], past)
        torch.testing.assert_close(together[row : row + 1], alone, atol=1e-5, rtol=1e-4)


def test_rows_of_prompts_of_different_lengths_share_a_pass(reader: Reader, tower: Tower) -> None:
    _, long = reader(IDS[:, :-1])
    _, short = reader(IDS[:, :5])
    canvas = torch.tensor([[MASK, 8, MASK, 9]])
    expected = write(tower, reader, canvas, short)

    # The short prompt's row is padded with the long one's tokens, which the bias hides.
    bias = torch.zeros(1, 1, 1, 9 + 4)
    bias[..., 5:9] = float("-inf")
    positions = torch.arange(5, 9)[None]
    got = write(tower, reader, canvas, long, positions=positions, bias=bias)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)


def test_a_bias_may_differ_from_head_to_head(reader: Reader, tower: Tower) -> None:
    _, past = reader(IDS[:, :-1])
    canvas = torch.full((1, 4), MASK)
    same = torch.randn(1, 1, 4, 13)
    shared = write(tower, reader, canvas, past, bias=same)
    per_head = write(tower, reader, canvas, past, bias=same.expand(1, 6, 4, 13))
    torch.testing.assert_close(per_head, shared, atol=1e-5, rtol=1e-4)
    steered = same.expand(1, 6, 4, 13).clone()
    steered[:, 4] += torch.randn(4, 13)
    assert not torch.allclose(write(tower, reader, canvas, past, bias=steered), shared)


def test_the_tower_can_be_trained(reader: Reader, tower: Tower) -> None:
    _, past = reader(IDS[:, :-1])
    trained = Tower(reader.sizes, tower.depths, MASK)
    trained.load_state_dict(tower.state_dict())
    canvas = torch.tensor([[MASK, 8, MASK, 9]])
    write(trained, reader, canvas, past, told=told(past.tokens)).sum().backward()
    unused = {name for name, weight in trained.named_parameters() if weight.grad is None}
    assert all(name.startswith("copier.") for name in unused)


def told(tokens: int) -> Told:
    """Clues that make the first half of a prompt its best fact."""
    features = torch.zeros(1, tokens, FEATURES)
    features[0, : tokens // 2, FIRST] = 1
    best = torch.tensor([[[8, 9, NONE, NONE], [NONE] * 4]])
    return Told(features, best, torch.tensor([[0.7, 0.2, 0.1]]))


def test_an_untrained_tower_makes_nothing_of_its_clues(reader: Reader, tower: Tower) -> None:
    _, past = reader(IDS[:, :-1])
    canvas = torch.tensor([[MASK, 8, MASK, 9]])
    plain = write(tower, reader, canvas, past)
    clued = write(tower, reader, canvas, past, told=told(past.tokens))
    torch.testing.assert_close(clued, plain, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["relevance", "draft_scale", "place", "chance"])
def test_a_trained_tower_heeds_its_clues(reader: Reader, tower: Tower, name: str) -> None:
    _, past = reader(IDS[:, :-1])
    canvas = torch.tensor([[MASK, 8, MASK, 9]])
    plain = write(tower, reader, canvas, past)
    trained = Tower(reader.sizes, tower.depths, MASK)
    trained.load_state_dict(tower.state_dict())
    with torch.no_grad():
        trained.get_parameter(name).normal_()

    clued = write(trained, reader, canvas, past, told=told(past.tokens))
    assert not torch.allclose(clued, plain, atol=1e-3)


def test_clues_and_a_bias_add_up(reader: Reader, tower: Tower) -> None:
    _, past = reader(IDS[:, :-1])
    canvas = torch.tensor([[MASK, 8, MASK, 9]])
    trained = Tower(reader.sizes, tower.depths, MASK)
    trained.load_state_dict(tower.state_dict())
    with torch.no_grad():
        trained.relevance.normal_()

    clued = write(trained, reader, canvas, past, told=told(past.tokens))
    zero = torch.zeros(1, 1, 1, past.tokens + 4)
    same = write(trained, reader, canvas, past, told=told(past.tokens), bias=zero)
    torch.testing.assert_close(same, clued)
    hidden = zero.clone()
    hidden[..., 0] = float("-inf")
    other = write(trained, reader, canvas, past, told=told(past.tokens), bias=hidden)
    assert not torch.allclose(other, clued)
