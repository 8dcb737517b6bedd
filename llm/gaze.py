"""Where the reader looks: which facts a question draws its attention to, and whether any.

The reader's heads find what a question is about before anything is written. How much of each head's
attention goes from the question to each fact is nearly free: the keys are there, the queries are
those of the question alone. Weights fitted on the training packs (gaze_training.py) make of it, and
of what finder.py found, how likely each fact is the one, and how likely none is.

H heads watched, one after the other by depth, T tokens of the question, S tokens read, F facts, W
features of a state.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from atonce.config.errors import ModelError
from atonce.llm.protocols import Found
from atonce.llm.weights import FETCH_AGAIN, read_tensors, write_whole

SHIPPED_GAZE = Path(__file__).parent / "embedded" / "gaze.safetensors"
"""The fitted weights that come with atonce."""

DEPTHS = 23
"""Layers that are watched, from the first; those above prepare words and find no facts."""
FLOOR = 1e-4
"""Attention that counts as none: a fact of twenty tokens has some 4 % by chance."""
EPSILON = 1e-5  # added under the root of a norm
MARKS = 4
"""Tokens between the question's last word and the reply: they do not ask."""
SUMMARY = 3
"""Numbers that say how the finding went: see `summary`."""


@dataclass(slots=True)
class Watch:
    """Sees what each layer does with a question while the reader reads it; for one reading."""

    spans: Sequence[tuple[int, int]]
    """First token and one past the last of every fact, in all that was read."""
    depths: int = DEPTHS
    """Layers that are watched."""
    seen: list[Tensor] = field(default_factory=list)
    """By depth: share of attention of each head that goes to each fact, (heads, F)."""
    state: Tensor = field(default_factory=lambda: torch.zeros(0))
    """What the reader makes of the question above the watched layers, mean, (W)."""
    belongs: Tensor | None = None
    """(S, F): 1 where a token is part of a fact; laid out with the first layer."""

    def enter(self, x: Tensor) -> None:
        """x (1, T, W): what goes into the next layer."""
        if len(self.seen) == self.depths and not len(self.state):
            self.state = F.rms_norm(x[0], (x.shape[-1],), None, EPSILON).mean(0)

    def see(self, queries: Tensor, keys: Tensor) -> None:
        """queries (1, heads, T, head) and keys (1, kv_heads, S, head) of that layer."""
        if len(self.seen) == self.depths:
            return

        heads, T, width = queries.shape[1:]
        S, asking = keys.shape[2], max(1, T - MARKS)
        if self.belongs is None:
            self.belongs = belonging(self.spans, S)

        # Heads that share their keys are more query rows, as in the layer itself.
        grouped = queries[0, :, :asking].reshape(len(keys[0]), -1, width) / math.sqrt(width)
        scores = (grouped @ keys[0].transpose(1, 2)).view(heads, asking, S)
        scores[..., S - T :] += causal(asking, T)  # all before the question is seen by all of it
        self.seen.append(scores.softmax(-1).mean(1) @ self.belongs)

    @property
    def logs(self) -> Tensor:
        """Logarithms of the shares, (H, F)."""
        return torch.cat(self.seen).clamp(min=0).add(FLOOR).log()


def belonging(spans: Sequence[tuple[int, int]], tokens: int) -> Tensor:
    """(tokens, F): 1 where a token is part of a fact, else 0."""
    starts, stops = (torch.tensor(ends) for ends in zip(*spans, strict=True))
    places = torch.arange(tokens)[:, None]
    return ((places >= starts) & (places < stops)).float()


def causal(asking: int, tokens: int) -> Tensor:
    """(asking, tokens): minus infinity where a token comes after the one that asks, else 0."""
    return torch.full((asking, tokens), -math.inf).triu(1)


@dataclass(frozen=True, slots=True)
class Gaze:
    """The fitted weights."""

    found: Tensor
    """(1): worth of the finder's own logit."""
    looks: Tensor
    """(H): worth of each head's look at a fact."""
    none: Tensor
    """(1 + SUMMARY): a base, and the worth of the summary, in the log-odds of "none"."""
    best: Tensor
    """(H): worth of each head's look at the best fact, in the same."""
    all: Tensor
    """(H): worth of each head's look at all facts together."""
    state: Tensor
    """(W): worth of the reader's state, in the same."""
    talk: Tensor
    """(1 + W): a base, and the worth of the reader's state, in the log-odds of small talk."""

    def weigh(self, found: Found, logs: Tensor, state: Tensor) -> Found:
        """What was found, with what was seen: see Watch."""
        if not found.scores or found.none == -math.inf:
            return found

        scores = self.found * torch.tensor(found.scores) + self.looks @ logs
        parts = torch.cat([torch.ones(1), summary(found, scores)])
        top = logs[:, int(scores.argmax())]
        odds = parts @ self.none + top @ self.best + together(logs) @ self.all + state @ self.state
        talk = torch.cat([torch.ones(1), state]) @ self.talk
        none = float(odds + scores.logsumexp(0))
        return replace(found, scores=tuple(scores.tolist()), none=none, talk=float(talk))


def summary(found: Found, scores: Tensor) -> Tensor:
    """How the finding went, (SUMMARY): the best fact's share, how far the second is behind, and
    whether the finder's best is the best still. Not the finder's own odds of none: it learned them
    from the packs that this is fitted on, so they look better than they are.

    scores (F): logits with what was seen.
    """
    ranked = scores.sort(descending=True).values
    behind = ranked[0] - ranked[1] if len(ranked) > 1 else torch.tensor(20.0)
    same = torch.tensor(found.scores).argmax() == scores.argmax()
    return torch.stack([ranked[0] - scores.logsumexp(0), behind, same.float()])


def together(logs: Tensor) -> Tensor:
    """How much goes to all facts, in logarithms: (H, F) → (H)."""
    return (logs.exp() - FLOOR).clamp(min=0).sum(-1).add(FLOOR).log()


# ---- on disk ----


def load_gaze(path: Path) -> Gaze:
    """The weights out of their file."""
    tensors, _ = read_tensors(path)
    try:
        return Gaze(**tensors)
    except TypeError as error:
        raise ModelError(f"{path} holds other tensors ({error}). {FETCH_AGAIN}") from None


def save_gaze(path: Path, gaze: Gaze, version: str) -> None:
    """All of it, in one file that is whole or not there."""
    tensors = {name: getattr(gaze, name).contiguous() for name in Gaze.__slots__}
    write_whole(path, lambda part: save_file(tensors, part, {"version": version}))
