"""LaidOuts in bfloat16: what they give, and where they are taken."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from atonce.llm.encoder import PRODUCTS, Encoder, EncoderSizes
from atonce.llm.precision import LaidOut, is_narrow, to_bfloat16


@pytest.mark.parametrize("has_bias", [True, False])
def test_a_product_is_nearly_the_same(has_bias: bool) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(64, 32, bias=has_bias).requires_grad_(requires_grad=False)
    x = torch.randn(5, 64)
    narrow = LaidOut(linear, torch.bfloat16)(x)
    assert narrow.dtype == torch.float32
    assert torch.allclose(narrow, linear(x), atol=0.02)
    assert not torch.equal(narrow, linear(x))


def test_the_bias_is_added_as_it_is() -> None:
    linear = nn.Linear(4, 1).requires_grad_(requires_grad=False)
    linear.bias.fill_(1.0009765625)  # not a number of bfloat16
    assert LaidOut(linear, torch.bfloat16)(torch.zeros(1, 4)).item() == 1.0009765625


@pytest.mark.parametrize("rows", [1, 7, 32, 33, 130])
def test_float32_gives_the_same_for_any_number_of_rows(rows: int) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(64, 48, bias=False).requires_grad_(requires_grad=False)
    x = torch.randn(2, rows, 64)
    assert torch.allclose(LaidOut(linear, torch.float32)(x), linear(x), atol=1e-5)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_a_torch_without_onednn_multiplies_as_ever(
    kind: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(64, 48, bias=False).requires_grad_(requires_grad=False)
    x = torch.randn(3, 64)
    laid_out = LaidOut(linear, kind)(x)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    plain = LaidOut(linear, kind)
    assert not plain.is_laid_out
    assert torch.allclose(plain(x), laid_out, atol=1e-5 if kind == torch.float32 else 0.02)


@pytest.mark.parametrize(
    ("there", "expected"),
    [({"amx_bf16": True}, True), ({"avx512_bf16": True}, True), ({"avx512_f": True}, False)],
)
def test_auto_asks_the_processor(
    there: dict[str, bool], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: there)
    assert is_narrow("auto") is expected
    assert is_narrow("bfloat16")
    assert not is_narrow("float32")


def test_an_encoder_reads_nearly_the_same() -> None:
    torch.manual_seed(0)
    encoder = Encoder(EncoderSizes(width=48, layers=2, heads=4, hidden=96, vocabulary=50))
    nn.init.normal_(encoder.words)
    nn.init.normal_(encoder.places)
    ids, real = torch.tensor([[3, 4, 5, 6]]), torch.ones(1, 4, dtype=torch.bool)
    with torch.inference_mode():
        _, before = encoder(ids, real, 1)
        to_bfloat16(encoder.layers, PRODUCTS)
        _, after = encoder(ids, real, 1)

    assert torch.allclose(before, after, atol=0.1)
    assert not torch.equal(before, after)
