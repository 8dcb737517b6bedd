"""Copying from the prompt: how a canvas position says a token that stands there.

A reply's words come from two sources, mixed by a gate: the vocabulary (through the reader's
embedding), and the prompt, token by token. Numbers, prices and names are not in the vocabulary:
they can only be copied, so no value can be made up.

A prompt token's key says what the reader had read before it, which token it is, which one stands
before it, and its place in its fact. What stands on the canvas already speaks as well: a token is
the likelier the more of its neighbours stand where they would stand if it were copied too, so that
one reply follows one fact. R rows, N canvas positions, P prompt tokens, C key features.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from atonce.llm.clues import CANVAS, FEATURES, OFFSETS

KEY = 128  # features of a key
NEAR = 24  # neighbours to each side that are asked for agreement: most of a long fact
SHARPNESS = 3.0  # keys are small at first; this lets their product decide
DISTANCES = (*range(-NEAR, 0), *range(1, NEAR + 1))


class Copier(nn.Module):
    """Chooses prompt tokens to copy, and when to copy."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.key = nn.Linear(3 * width, KEY, bias=False)
        self.query = nn.Linear(width, KEY, bias=False)
        self.offset = nn.Parameter(torch.zeros(OFFSETS, KEY))
        self.place = nn.Parameter(torch.zeros(CANVAS, KEY))
        self.agreement = nn.Parameter(torch.zeros(2 * NEAR))
        self.kind = nn.Linear(width, FEATURES)
        self.gate = nn.Linear(width, 1)

    def keys(self, states: Tensor, words: Tensor, offsets: Tensor) -> Tensor:
        """states, words (R, P, width): the reader's, and the embeddings; → (R, P, C)."""
        before, previous = (F.pad(one[:, :-1], (0, 0, 1, 0)) for one in (states, words))
        parts = torch.cat([before, words, previous], -1)
        keys: Tensor = self.key(parts) + self.offset[offsets]
        return keys

    def agree(self, canvas: Tensor, copies: Tensor, offsets: Tensor) -> Tensor:
        """How far the canvas around each position is like the prompt around each token.

        Only neighbours in the same fact speak for a token: a fact read out must end.
        canvas (R, L), mask ids where open; copies (R, P): what each token says; offsets (R, P):
        its place in its fact; → (R, L, P).
        """
        L, P = canvas.shape[1], copies.shape[1]
        # M pairs of a position and a token that are the same: few, and only those speak.
        row, at, token = (canvas[:, :, None] == copies[:, None]).nonzero(as_tuple=True)
        distance = torch.tensor(DISTANCES, device=canvas.device)
        row = row[:, None].expand(-1, len(DISTANCES))  # (M, distances)
        place, found = at[:, None] - distance, token[:, None] - distance  # who is spoken for
        is_inside = (place >= 0) & (place < L) & (found >= 0) & (found < P)
        beside = offsets[row, found.clamp(0, P - 1)]
        # In a fact places go on by one; outside of facts all are 0, and so is their difference.
        step = torch.where(beside > 0, distance, 0)
        speaks = is_inside & (offsets[row, token[:, None]] - beside == step)
        votes = self.agreement.expand_as(speaks)[speaks]
        total = torch.zeros(len(canvas), L, P, device=canvas.device)
        voted = (row[speaks], place[speaks], found[speaks])
        return total.index_put(voted, votes, accumulate=True)

    def forward(
        self, states: Tensor, places: Tensor, keys: Tensor, features: Tensor, agreement: Tensor
    ) -> tuple[Tensor, Tensor]:
        """How likely each position copies at all, and which token.

        states (R, N, width); places (R|1, N): where on the canvas; keys (R, P, C); features
        (R, P, FEATURES); agreement (R, N, P), see agree. → gate logits (R, N, 1), scores (R, N, P).
        """
        queries = self.query(states) + self.place[places]  # (R, N, C)
        scores = queries @ keys.transpose(1, 2) * (SHARPNESS / math.sqrt(KEY))
        scores = scores + self.kind(states) @ features.transpose(1, 2)
        return self.gate(states), scores + agreement


def read_out(copier: Copier, seed: int = 0) -> None:
    """Start from reading out the best fact: position i looks for the token at place i + 1."""
    strength = 4.5  # 4.5 ** 2 * SHARPNESS / sqrt(KEY) = 5.4: e to that is 220, all places are 64
    dice = torch.Generator().manual_seed(seed)
    codes = F.normalize(torch.randn(OFFSETS + 1, KEY, generator=dice), dim=1) * strength
    with torch.no_grad():
        for linear in (copier.key, copier.query):
            linear.weight.normal_(std=0.02, generator=dice)

        copier.offset.copy_(codes[:OFFSETS])
        copier.offset[0].zero_()
        copier.place.copy_(codes[1 : CANVAS + 1])
        copier.kind.weight.zero_()
        # Away from marks and question, towards the best fact and towards likely ones.
        copier.kind.bias.copy_(torch.tensor([-2.0, 1.0, 0.0, 0.0, 0.0, -2.0, 0.7]))
        nearness = [abs(distance) ** -0.5 for distance in DISTANCES]
        copier.agreement.copy_(torch.tensor(nearness))
        copier.gate.weight.zero_()
        copier.gate.bias.fill_(1.0)
