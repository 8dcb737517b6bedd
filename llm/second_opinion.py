"""The second opinion: how likely the twin finds a reply that another has written, token by token.

One causal pass over the whole reply, behind the prompt that was read already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from atonce.llm.model import Reader, causal_bias
from atonce.llm.reading import WholePrompt
from atonce.llm.twin import look, walk

# Of 104 development turns whose reply the check had passed, a token below -1 stood in 15 of the 34
# that were wrong, and in 14 of the 70 that were right (docs/training-log.md).
DOUBT = -1.0
"""Log-likelihood in nats below which a token is doubted."""
UNEASE = -0.5
"""Neighbours of a doubted token below this are doubted with it."""


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens that follow each other."""

    start: int
    """The first."""
    stop: int
    """One past the last."""


@torch.inference_mode()
def likelihoods(
    twin: Reader, relevance: Tensor, prompt: WholePrompt, reply: Sequence[int]
) -> list[float]:
    """Log-likelihood of every token of a reply, nats; the end mark belongs to it.

    twin: its changes merged. relevance: (layers, heads, FEATURES).
    """
    if not reply:
        return []

    T, P = len(reply), prompt.past.tokens
    ids = torch.tensor([[prompt.ids[-1], *reply[:-1]]])
    causal = causal_bias(T, P, ids.device)
    closed = torch.zeros(1, 1, T, P + T) if causal is None else causal
    features = prompt.features[None]

    def bias_of(depth: int) -> Tensor:
        return look(relevance[depth], features, closed, twin.sizes).to(twin.norm.dtype)

    states, _ = walk(twin, ids, torch.arange(P, P + T)[None], prompt.past, bias_of)
    logits = F.linear(states[0], twin.embedding).float()  # (T, vocabulary)
    chosen = logits.gather(1, torch.tensor(reply)[:, None])[:, 0]
    said: list[float] = (chosen - logits.logsumexp(-1)).tolist()
    return said


def doubtful_span(
    likelihoods: Sequence[float], *, doubt: float = DOUBT, unease: float = UNEASE
) -> Span | None:
    """The least likely token with its uneasy neighbours; None where nothing is doubted."""
    if not likelihoods or min(likelihoods) >= doubt:
        return None

    worst = min(range(len(likelihoods)), key=likelihoods.__getitem__)
    start, stop = worst, worst + 1
    while start and likelihoods[start - 1] < unease:
        start -= 1

    while stop < len(likelihoods) and likelihoods[stop] < unease:
        stop += 1

    return Span(start, stop)
