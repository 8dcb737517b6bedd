"""Matrix products in bfloat16: half the time on processors that have the instructions for it.

Only the tower's layers, where a denoising step spends its time. Everything between the products
stays float32: norms, attention and what is added up. What was measured, int8 too, is in
docs/engine.md.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from atonce.llm.model import Layer

PRODUCTS = ("qkv", "o", "gate_up", "down")
"""The linear parts of a layer."""


class Bfloat16Linear(nn.Module):
    """A linear layer without bias that multiplies in bfloat16."""

    weight: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.register_buffer("weight", linear.weight.detach().bfloat16())

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) → (..., out), float32 both."""
        return F.linear(x.bfloat16(), self.weight).float()


def to_bfloat16(layers: nn.ModuleList) -> None:
    """Let these layers multiply in bfloat16 from now on."""
    for layer in layers:
        assert isinstance(layer, Layer)
        for name in PRODUCTS:
            setattr(layer, name, Bfloat16Linear(getattr(layer, name)))
