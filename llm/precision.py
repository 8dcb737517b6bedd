"""Matrix products in bfloat16: half the time on processors that have the instructions for it.

Everything between the products stays float32: norms, attention and what is added up. What was
measured, int8 too, is in docs/engine.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PRODUCTS = ("qkv", "o", "gate_up", "down")
"""The products of a layer of the reader and of the tower."""
NATIVE = ("amx_bf16", "avx512_bf16")
"""Instructions of which one is needed: without them bfloat16 takes many times as long."""


class Bfloat16Linear(nn.Module):
    """A linear layer that multiplies in bfloat16 and adds its bias in float32."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.register_buffer("weight", linear.weight.detach().bfloat16())
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) → (..., out), float32 both."""
        product = F.linear(x.bfloat16(), self.weight).float()
        return product if self.bias is None else product + self.bias


def is_narrow(precision: str) -> bool:
    """Whether to multiply in bfloat16; `auto`: where the processor has instructions for it."""
    if precision != "auto":
        return precision == "bfloat16"

    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in NATIVE)


def to_bfloat16(layers: Iterable[nn.Module], products: Sequence[str] = PRODUCTS) -> None:
    """Let these layers multiply in bfloat16 from now on; products: what their linear parts are
    called."""
    for layer in layers:
        for name in products:
            setattr(layer, name, Bfloat16Linear(getattr(layer, name)))
