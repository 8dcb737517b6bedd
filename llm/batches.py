"""Turns and their masked canvases as tensors: prompts of different lengths side by side.

R rows = turns times VIEWS, P tokens of the longest prompt but its last, L canvas positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from atonce.llm.board import tell
from atonce.llm.clues import find_clues
from atonce.llm.model import Cache, KeyValue, Told, Tower
from atonce.llm.pool import ReadScene, ReadTurn
from atonce.llm.protocols import Found

VIEWS = 2


@dataclass(frozen=True, slots=True)
class View:
    """One masked canvas."""

    canvas: list[int]
    """Mask ids where open."""
    full: list[int]
    """The reply, end marks behind it."""
    weights: list[float]
    """Of every position in the loss; 0 where it is not open."""
    share: float
    """Of masks, as drawn."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some turns with their views, drawn; all canvases are of one length."""

    turns: list[tuple[ReadScene, ReadTurn, Found]]
    """Scene, turn, and what is told of its facts."""
    views: list[list[View]]
    """VIEWS of each turn."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The prompts of a batch, padded to one length; R = turns times VIEWS rows."""

    last: Tensor
    """(R): the prompts' last tokens."""
    lengths: Tensor
    """(R): tokens before the last."""
    past: Cache
    """(R, kv_heads, P, head) by depth."""
    closed: Tensor
    """(R, 1, 1, P): minus much where there is no token. The canvas follows behind P."""
    told: Told
    """The clues."""
    copies: Tensor
    """(R, P): what a copied token says; -1 where there is none."""
    states: Tensor
    """(turns, P, width): the reader's."""
    words: Tensor
    """(turns, P, width): the embeddings."""
    offsets: Tensor
    """(turns, P): places in facts."""

    def positions(self, length: int) -> Tensor:
        """(R, L): the canvas goes on where its prompt ends."""
        return self.lengths[:, None] + torch.arange(length, device=self.lengths.device)[None]


def collate(batch: Batch, tower: Tower, embedding: Tensor, end: int) -> Shown:
    """Lay the prompts of a batch side by side, each turn VIEWS times where the tower sees it."""
    told = [
        find_clues(scene.ids + turn.ids, scene.spans, len(scene.ids), found.scores, end, found.none)
        for scene, turn, found in batch.turns
    ]
    ids = [torch.tensor((scene.ids + turn.ids)[:-1]) for scene, turn, _ in batch.turns]
    clues = [tell(one, len(batch.views[0][0].canvas)) for one in told]
    states = [torch.cat([scene.states, turn.states]).float() for scene, turn, _ in batch.turns]
    device = embedding.device

    def rows(tensors: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(tensors)).to(device).repeat_interleave(VIEWS, 0)

    lengths = torch.tensor([len(one) for one in ids])
    longest = int(lengths.max())
    closed = torch.zeros(len(ids), 1, 1, longest)
    closed.masked_fill_((torch.arange(longest) >= lengths[:, None])[:, None, None], -1e9)
    return Shown(
        last=rows([torch.tensor(turn.ids[-1]) for _, turn, _ in batch.turns]),
        lengths=rows(list(lengths)),
        past=Cache(
            tuple(join_past(batch, layer, longest, device) for layer in range(len(tower.depths)))
        ),
        closed=rows(list(closed)),
        told=Told(
            rows([pad(one.features[0], longest) for one in clues]),
            rows([one.best[0] for one in clues]),
            rows([one.chances[0] for one in clues]),
        ),
        copies=rows([pad(torch.tensor(one.copies), longest, -1) for one in told]),
        states=torch.stack([pad(one, longest) for one in states]).to(device),
        words=F.embedding(torch.stack([pad(one, longest) for one in ids]).to(device), embedding),
        offsets=torch.stack([pad(torch.tensor(one.offsets), longest) for one in told]).to(device),
    )


def join_past(batch: Batch, layer: int, longest: int, device: torch.device) -> KeyValue:
    """Prefix and turn of every prompt behind each other, at one depth."""

    def joined(which: int) -> Tensor:
        whole = [
            torch.cat([scene.past[layer][which], turn.past[layer][which]], 2)[0]
            for scene, turn, _ in batch.turns
        ]  # (kv_heads, P, head) each
        padded = [F.pad(one, (0, 0, 0, longest - one.shape[1])) for one in whole]
        return torch.stack(padded).to(device).float().repeat_interleave(VIEWS, 0)

    return joined(0), joined(1)


def pad(tensor: Tensor, length: int, value: int = 0) -> Tensor:
    """Longer along its first dimension."""
    more = [0] * (2 * tensor.dim() - 1) + [length - len(tensor)]
    return F.pad(tensor, more, value=value)
