"""Rows side by side, for one pass of the tower; and what each of them may then say.

Rule 1. Rows of prompts of different lengths and of canvases of different lengths share a pass: what
        is padded is hidden from attention, positions count on from each row's own prompt.
Rule 2. The head is each row's own: what may be said differs from prompt to prompt.
Rule 3. What stays the same from step to step is laid out once, see Board.

R rows, P tokens of the longest prompt but its last, L positions of the longest canvas, N open
positions of one row, V ids that it may say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from atonce.llm.clues import KINDS, Clues
from atonce.llm.commit import Guess
from atonce.llm.model import BEST, NONE, Cache, Told, Tower, score
from atonce.llm.protocols import Found

# Candidates for a position: one for each neighbour that it must not repeat, and one in hand.
RANKS = 4
HIDDEN = -1e9  # an attention score that leaves nothing; minus infinity would make rows of nothing


@dataclass(frozen=True, slots=True)
class ReadPrompt:
    """A prompt that was read."""

    ids: tuple[int, ...]
    """All its tokens."""
    past: Cache
    """What the reader kept of all but the last token, at the tower's depths."""
    choices: Tensor
    """Ids that the reply may hold, ascending, (V)."""
    found: Found
    """Which facts answer."""
    clues: Clues
    """Where they stand."""
    features: Tensor
    """What the clues say of every token, (1, P, FEATURES)."""
    keys: Tensor
    """What a copied token is found by, (1, P, C)."""
    copies: Tensor
    """What is said when a prompt token is copied, (1, P)."""
    offsets: Tensor
    """Its place in its fact, (1, P)."""
    spoken: Tensor
    """Where the vocabulary stands among the choices, (vocabulary); behind their end: unsayable."""
    targets: Tensor
    """Where each prompt token's copy stands among the choices, (P); as for `spoken`."""
    second: ReadPrompt | None = None
    """The same prompt as it is told for a second part of the reply; None: there is one part."""

    @property
    def tokens(self) -> int:
        """Length in tokens."""
        return len(self.ids)

    @property
    def wanted(self) -> int:
        """Positions that its first fact takes, read out, end mark included."""
        return len(self.clues.best[0]) + 1 if self.clues.best else 1

    @property
    def parts(self) -> tuple[ReadPrompt, ...]:
        """The prompt as it is told for every part of the reply."""
        return (self,) if self.second is None else (self, self.second)

    @property
    def sayable(self) -> tuple[int, ...]:
        """The choices as numbers."""
        return tuple(self.choices.tolist())


class Board:
    """The prompts of some rows, laid out for any number of passes."""

    def __init__(
        self, tower: Tower, embedding: Tensor, prompts: Sequence[ReadPrompt], lengths: Sequence[int]
    ) -> None:
        """embedding: the reader's. lengths: of the rows' canvases."""
        self._tower, self._embedding = tower, embedding
        self._prompts, self._lengths, self._L = tuple(prompts), tuple(lengths), max(lengths)
        self._last = torch.tensor([prompt.ids[-1] for prompt in prompts])
        self._stage = tower.stage(
            embedding,
            join_pasts([prompt.past for prompt in prompts]),
            self._L,
            positions=torch.tensor([[prompt.past.tokens] for prompt in prompts])
            + torch.arange(self._L),
            bias=hide_padding([prompt.past.tokens for prompt in prompts], lengths),
            told=join_told(prompts, self._L),
        )

    def is_for(self, prompts: Sequence[ReadPrompt], lengths: Sequence[int]) -> bool:
        """Whether it was laid out for these."""
        return self._lengths == tuple(lengths) and all(
            mine is prompt for mine, prompt in zip(self._prompts, prompts, strict=True)
        )

    def states(self, canvases: Sequence[Sequence[int]]) -> list[Tensor]:
        """One pass: for every row what the tower makes of its canvas, (its length, width)."""
        mask = self._tower.mask
        padded = [[*canvas, *[mask] * (self._L - len(canvas))] for canvas in canvases]
        states = self._tower.step(self._embedding, self._last, torch.tensor(padded), self._stage)
        return [row[:length] for row, length in zip(states, self._lengths, strict=True)]


def join_pasts(pasts: Sequence[Cache]) -> Cache:
    """Side by side, the shorter ones padded behind their end."""
    if len(pasts) == 1:
        return pasts[0]

    longest = max(past.tokens for past in pasts)

    def joined(layer: int, which: int) -> Tensor:
        parts = (past.layers[layer][which] for past in pasts)
        return torch.cat([F.pad(part, (0, 0, 0, longest - part.shape[2])) for part in parts])

    depths = range(len(pasts[0].layers))
    return Cache(tuple((joined(layer, 0), joined(layer, 1)) for layer in depths))


def hide_padding(tokens: Sequence[int], lengths: Sequence[int]) -> Tensor | None:
    """(R, 1, 1, P + L): 0 where a prompt token or a canvas position is, else HIDDEN.

    tokens, lengths: of the rows' prompts but the last, and of their canvases. None: no padding.
    """
    P, L = max(tokens), max(lengths)
    if min(tokens) == P and min(lengths) == L:
        return None

    prompt = torch.arange(P) >= torch.tensor(tokens)[:, None]
    canvas = torch.arange(L) >= torch.tensor(lengths)[:, None]
    return torch.cat([prompt, canvas], 1)[:, None, None] * HIDDEN


def join_told(prompts: Sequence[ReadPrompt], L: int) -> Told:
    """The clues of all rows, padded with none."""
    told = [tell(prompt.clues, L) for prompt in prompts]
    P = max(one.features.shape[1] for one in told)
    return Told(
        torch.cat([F.pad(one.features, (0, 0, 0, P - one.features.shape[1])) for one in told]),
        torch.cat([one.best for one in told]),
        torch.cat([one.chances for one in told]),
    )


def tell(clues: Clues, canvas: int) -> Told:
    """The clues of one prompt as tensors, for a canvas of this length."""
    kinds = F.one_hot(torch.tensor(clues.kinds), KINDS).float()  # (P, KINDS)
    features = torch.cat([kinds, torch.tensor(clues.logs)[:, None]], 1)
    best = torch.full((BEST, canvas), NONE)
    for row, tokens in zip(best, clues.best, strict=False):
        row[: len(tokens)] = torch.tensor(tokens[:canvas])

    return Told(features[None], best[None], torch.tensor([clues.chances]))


class Head:
    """From what the tower makes of a canvas to what may stand there."""

    def __init__(self, tower: Tower, spoken: Tensor, end: int, end_odds: float) -> None:
        """spoken: the vocabulary's embeddings, (vocabulary, width). end_odds: see Card."""
        self._tower, self._spoken, self._end, self._end_odds = tower, spoken, end, end_odds

    def guesses(
        self, prompt: ReadPrompt, states: Tensor, canvas: Sequence[int]
    ) -> list[Guess] | None:
        """For every open position of one row; None where values are not numbers.

        states: the tower's, (L, width).
        """
        ids = torch.tensor(canvas)[None]  # (1, L)
        places = (ids == self._tower.mask)[0].nonzero()[:, 0]  # (N)
        odds = self._odds(prompt, states[places], places, ids)  # (N, V)
        doubts = entropy(odds)
        if not doubts.isfinite().all():  # what is no number among the odds makes it none either
            return None

        end = int(torch.searchsorted(prompt.choices, self._end))
        ended = raise_odds(odds[:, end], self._end_odds).tolist()
        odds[:, end] = 0
        confidences, ranks = odds.topk(min(RANKS, odds.shape[1]), -1)
        tokens = prompt.choices[ranks].tolist()
        return [
            Guess(place, tuple(row), tuple(sure), stop, doubt)
            for place, row, sure, stop, doubt in zip(
                places.tolist(), tokens, confidences.tolist(), ended, doubts.tolist(), strict=True
            )
        ]

    def _odds(self, prompt: ReadPrompt, states: Tensor, places: Tensor, ids: Tensor) -> Tensor:
        """Probabilities of all that may be said, (N, V): spoken or copied, by the gate."""
        copier = self._tower.copier
        agreement = copier.agree(ids, prompt.copies, prompt.offsets)[:, places]
        gate, copied = copier(states[None], places[None], prompt.keys, prompt.features, agreement)
        share = gate[0].sigmoid()  # (N, 1)
        odds = torch.zeros(len(states), len(prompt.choices) + 1)
        spoken = score(states, self._spoken).softmax(-1) * (1 - share)  # (N, vocabulary)
        odds.index_add_(1, prompt.spoken, spoken)
        odds.index_add_(1, prompt.targets, copied[0].softmax(-1) * share)
        return odds[:, :-1]


def entropy(odds: Tensor) -> Tensor:
    """Of each row, nats: (N, V) → (N). A tenth of torch.special.entr's time, which does not work on
    many numbers at once."""
    return -(odds * odds.clamp(min=1e-30).log()).sum(-1)


def raise_odds(probability: Tensor, factor: float) -> Tensor:
    """The probability whose odds are `factor` times as high."""
    raised = probability * factor
    return raised / (1 - probability + raised)
