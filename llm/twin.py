"""The twin: the reader's own autoregressive form, fine-tuned on the replies that the writer learns.

What is trained is an adapter: a low-rank change of every product, and how much each head looks at
the facts that answer best, the same clues that the writer is told (clues.py).

Rule 1. The prompt but its last token is read by the reader as it is: what it keeps of a prompt
        serves the writer and the twin alike. The adapter changes the reply's side alone.
Rule 2. On disk a change is int8 with a scale for every row; what is scored is what was stored.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from atonce.config.errors import ModelError
from atonce.llm.clues import FEATURES
from atonce.llm.model import PRODUCTS, Reader, Sizes
from atonce.llm.weights import (
    FETCH_AGAIN,
    contiguous,
    fill,
    from_int8,
    read_tensors,
    to_int8,
    write_whole,
)

SHIPPED_TWIN = Path(__file__).parent / "embedded" / "twin.safetensors"
"""The trained adapter that comes with atonce."""
RANK = 16


class LowRank(nn.Module):
    """A change of one product that goes through a few features only."""

    def __init__(self, product: nn.Linear, rank: int) -> None:
        super().__init__()
        self.narrow = nn.Parameter(torch.empty(rank, product.in_features))
        self.widen = nn.Parameter(torch.zeros(product.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., in) → (..., out), in the precision of x."""
        return F.linear(F.linear(x, self.narrow.to(x.dtype)), self.widen.to(x.dtype))


class Adapter(nn.Module):
    """All that tells the twin from the reader."""

    def __init__(self, sizes: Sizes, rank: int = RANK) -> None:
        super().__init__()
        self.sizes, self.rank = sizes, rank
        with torch.device("meta"):
            plain = Reader(sizes)

        self.layers = nn.ModuleList(
            nn.ModuleDict({name: LowRank(getattr(layer, name), rank) for name in PRODUCTS})
            for layer in plain.layers
        )
        self.relevance = nn.Parameter(torch.zeros(sizes.layers, sizes.heads, FEATURES))

    def change(self, depth: int, product: str) -> LowRank:
        """Of one product of one layer."""
        layer = self.layers[depth]
        assert isinstance(layer, nn.ModuleDict)
        change = layer[product]
        assert isinstance(change, LowRank)
        return change


class Adapted(nn.Module):
    """A frozen product with its change beside it, as training has it."""

    def __init__(self, weight: Tensor, change: LowRank) -> None:
        super().__init__()
        self.weight, self.change = weight, change

    def forward(self, x: Tensor) -> Tensor:
        """x: (..., in) → (..., out)."""
        changed: Tensor = self.change(x)
        return F.linear(x, self.weight) + changed


def beside(reader: Reader, adapter: Adapter) -> Reader:
    """The twin as it is trained: the reader's weights, not copied, and the changes beside them."""
    twin = same_weights(reader)
    for depth, layer in enumerate(twin.layers):
        for name in PRODUCTS:
            weight = getattr(layer, name).weight.detach()
            setattr(layer, name, Adapted(weight, adapter.change(depth, name)))

    return twin


@torch.no_grad()
def merge(reader: Reader, adapter: Adapter) -> Reader:
    """The twin as it runs: weights of its own in which the changes are contained already."""
    twin = same_weights(reader)
    for depth, layer in enumerate(twin.layers):
        for name in PRODUCTS:
            product, change = getattr(layer, name), adapter.change(depth, name)
            changed = torch.addmm(product.weight.float(), change.widen, change.narrow)
            product.weight = nn.Parameter(changed.to(product.weight.dtype), requires_grad=False)

    return twin


def same_weights(reader: Reader) -> Reader:
    """Another module on the same tensors."""
    with torch.device("meta"):
        twin = Reader(reader.sizes)

    twin.load_state_dict(reader.state_dict(), assign=True)
    return twin.eval().requires_grad_(requires_grad=False)


def look(relevance: Tensor, features: Tensor, closed: Tensor) -> Tensor:
    """The attention bias of one layer: what is closed, and how relevant the prompt's tokens are.

    relevance (heads, FEATURES), features (B|1, P, FEATURES), closed (B|1, 1, T, P + T) →
    (B|1, heads, T, P + T). The reply's own tokens are looked at without bias.
    """
    learned = torch.einsum("hf,bpf->bhp", relevance, features)[:, :, None]  # (B, heads, 1, P)
    return F.pad(learned, (0, closed.shape[-1] - learned.shape[-1])) + closed


# ---- on disk ----


def save_twin(path: Path, adapter: Adapter, version: str) -> None:
    """Write an adapter in the form that `load_twin` reads."""
    tensors = {}
    for name, tensor in adapter.state_dict().items():
        if name == "relevance":
            tensors[name] = tensor.float()
            continue

        tensors[name], tensors[f"{name}.scale"] = to_int8(tensor)

    said = {"version": version, "rank": json.dumps(adapter.rank)}
    write_whole(path, lambda part: save_file(contiguous(tensors), part, said))


def load_twin(path: Path, sizes: Sizes) -> Adapter:
    """The trained adapter for a reader of this shape."""
    tensors, said = read_tensors(path)
    try:
        rank = int(said["rank"])
    except (KeyError, ValueError):
        raise ModelError(f"{path} does not say its rank. {FETCH_AGAIN}") from None

    with torch.device("meta"):
        adapter = Adapter(sizes, rank)

    fill(adapter, from_int8(tensors), path)
    return adapter
