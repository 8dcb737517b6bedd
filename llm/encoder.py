"""A small BERT that turns texts into vectors, one for every token: all-MiniLM-L6-v2's shape.

B texts, T tokens of the longest, W features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-12  # added under the root of a norm
PRODUCTS = ("qkv", "o", "up", "down")
"""The products of a layer."""
CLOSED = -1e9  # added to the attention score of a place without a token


@dataclass(frozen=True, slots=True)
class EncoderSizes:
    """The shape; the defaults are all-MiniLM-L6-v2."""

    width: int = 384
    """Features of one token."""
    layers: int = 6
    """Depth."""
    heads: int = 12
    """Attention heads."""
    hidden: int = 1536
    """Inner features of the feed-forward part."""
    vocabulary: int = 30522
    """Word pieces."""
    context: int = 512
    """Most tokens of a text."""


class EncoderLayer(nn.Module):
    """Attention and feed-forward, each added and then normed, as BERT has it."""

    def __init__(self, sizes: EncoderSizes) -> None:
        super().__init__()
        self.heads = sizes.heads
        self.qkv = nn.Linear(sizes.width, 3 * sizes.width)
        self.o = nn.Linear(sizes.width, sizes.width)
        self.attention_norm = nn.LayerNorm(sizes.width, eps=EPSILON)
        self.up = nn.Linear(sizes.width, sizes.hidden)
        self.down = nn.Linear(sizes.hidden, sizes.width)
        self.norm = nn.LayerNorm(sizes.width, eps=EPSILON)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """x (B, T, W); bias (B, 1, 1, T), see `closed`."""
        B, T, W = x.shape
        heads = self.qkv(x).view(B, T, 3, self.heads, W // self.heads)
        q, k, v = heads.permute(2, 0, 3, 1, 4)  # (B, heads, T, W / heads) each
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        x = self.attention_norm(x + self.o(attended.transpose(1, 2).reshape(B, T, W)))
        fed: Tensor = self.norm(x + self.down(F.gelu(self.up(x))))
        return fed


class Encoder(nn.Module):
    """Token ids in, one vector a token out."""

    def __init__(self, sizes: EncoderSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.words = nn.Parameter(torch.empty(sizes.vocabulary, sizes.width))
        self.places = nn.Parameter(torch.empty(sizes.context, sizes.width))
        self.norm = nn.LayerNorm(sizes.width, eps=EPSILON)
        self.layers = nn.ModuleList(EncoderLayer(sizes) for _ in range(sizes.layers))

    def forward(self, ids: Tensor, real: Tensor, halfway: int) -> tuple[Tensor, Tensor]:
        """States after `halfway` layers and after all, (B, T, W) both.

        ids (B, T); real (B, T): whether there is a token.
        """
        x: Tensor = self.norm(F.embedding(ids, self.words) + self.places[: ids.shape[1]])
        bias, middle = closed(real), x
        for depth, layer in enumerate(self.layers, 1):
            x = layer(x, bias)
            middle = x if depth == halfway else middle

        return middle, x


def closed(real: Tensor) -> Tensor:
    """The attention bias that hides places without a token: (B, T) → (B, 1, 1, T)."""
    return torch.zeros(real.shape).masked_fill(~real, CLOSED)[:, None, None]


def pad(texts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Texts side by side: ids (B, T), and where there is a token."""
    longest = max(map(len, texts))
    ids = torch.tensor([[*text, *[0] * (longest - len(text))] for text in texts])
    lengths = torch.tensor([len(text) for text in texts])
    return ids, torch.arange(longest) < lengths[:, None]


def from_bert(tensors: Mapping[str, Tensor], sizes: EncoderSizes) -> dict[str, Tensor]:
    """A BERT checkpoint's tensors under this file's names; KeyError where one is missing."""
    old = "embeddings."
    kinds = tensors[old + "token_type_embeddings.weight"]
    state = {
        "words": tensors[old + "word_embeddings.weight"],
        # Every text is of the first kind, so its vector is part of the place's.
        "places": tensors[old + "position_embeddings.weight"] + kinds[0],
    }
    for part in ("weight", "bias"):
        state[f"norm.{part}"] = tensors[f"{old}LayerNorm.{part}"]
        for layer in range(sizes.layers):
            old_layer, new = f"encoder.layer.{layer}.", f"layers.{layer}."
            own = [tensors[f"{old_layer}attention.self.{p}.{part}"] for p in PROJECTIONS]
            state[f"{new}qkv.{part}"] = torch.cat(own)
            for name, theirs in LAYER_PARTS.items():
                state[f"{new}{name}.{part}"] = tensors[f"{old_layer}{theirs}.{part}"]

    return state


PROJECTIONS = ("query", "key", "value")
LAYER_PARTS = {
    "o": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "norm": "output.LayerNorm",
}
