"""Matrix products as the processor does them fastest: weights laid out for it once, in bfloat16
where it has instructions for that.

Everything between the products stays float32: norms, attention and what is added up. What was
measured, int8 too, is in docs/engine.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from atonce.llm.model import PRODUCTS

NATIVE = ("amx_bf16", "avx512_bf16")
"""Instructions of which one is needed: without them bfloat16 takes many times as long."""
ROWS = 32
"""Rows that weights are laid out for: a question, a canvas. Any other number works, too."""


class LaidOut(nn.Module):
    """A linear layer whose weights are laid out for the processor."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear, kind: torch.dtype) -> None:
        """kind: what is multiplied, float32 or bfloat16."""
        super().__init__()
        self.in_features, self.out_features, self.kind = (
            linear.in_features,
            linear.out_features,
            kind,
        )
        self.is_laid_out: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        weight = linear.weight.detach().to(kind)
        if self.is_laid_out:
            weight = torch.ops.mkldnn._reorder_linear_weight(weight, ROWS)

        self.register_buffer("weight", weight)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) → (..., out), of the kind that x is of."""
        product = self._multiply(x.to(self.kind)).to(x.dtype)
        return product if self.bias is None else product + self.bias

    def _multiply(self, x: Tensor) -> Tensor:
        if not self.is_laid_out:
            return F.linear(x, self.weight)

        made: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, None, "none", [], "")
        return made


def is_narrow(precision: str) -> bool:
    """Whether to multiply in bfloat16; `auto`: where the processor has instructions for it."""
    if precision != "auto":
        return precision == "bfloat16"

    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in NATIVE)


def lay_out(
    layers: Iterable[nn.Module],
    products: Sequence[str] = PRODUCTS,
    *,
    kind: torch.dtype = torch.float32,
) -> None:
    """Lay the weights of these layers out; products: what their linear parts are called."""
    for layer in layers:
        for name in products:
            setattr(layer, name, LaidOut(getattr(layer, name), kind))


def to_bfloat16(layers: Iterable[nn.Module], products: Sequence[str] = PRODUCTS) -> None:
    """Let these layers multiply in bfloat16 from now on, otherwise as `lay_out`."""
    lay_out(layers, products, kind=torch.bfloat16)
