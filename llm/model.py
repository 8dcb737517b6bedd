"""The transformer: a reader that reads the prompt once, a tower that writes the canvas K times.

What is unusual here:
- The reader is a plain causal Llama (RMSNorm, rotary positions, grouped heads, SwiGLU). Its keys
  and values are returned, never changed in place: a prefix read once serves many prompts.
- The tower is made of some of the reader's layers ("depths"), trained further. Layer j attends to
  what the reader kept at *its own depth* for the prompt but its last token, and to the canvas in
  both directions.
- Shift: the inputs are the last prompt token and the canvas but its last position, so the state at
  input i predicts canvas position i, as in the autoregressive model that the weights come from.
- No timestep input: the number of masks is the time, so rows at different steps share one pass.
- The tower is told which prompt tokens belong to the facts that answer best: a bias of its own on
  every head's attention, and the two best facts themselves as a faint first draft; see clues.py.
- The head is the reader's embedding, and only its rows that may be said; see `score`. What stands
  in the prompt is said by copying; see copying.py.

B rows of a batch, T tokens read, P tokens in the past, S = P + T, L canvas positions, V ids that
may be said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from atonce.llm.clues import CANVAS, FEATURES
from atonce.llm.copying import Copier

BEST = 2  # facts that are given as a faint first draft
NONE = -1  # where a first draft has no token


@dataclass(frozen=True, slots=True)
class Sizes:
    """The shape of a Llama; the defaults are SmolLM2-135M."""

    width: int = 576
    """Features of one position."""
    layers: int = 30
    """Depth of the reader."""
    heads: int = 9
    """Query heads."""
    kv_heads: int = 3
    """Key and value heads; each serves heads / kv_heads query heads."""
    head: int = 64
    """Features of one head."""
    hidden: int = 1536
    """Inner features of the feed-forward part."""
    vocabulary: int = 49152
    """Rows of the embedding."""
    context: int = 8192
    """Most positions the model was trained on."""
    theta: float = 100_000.0
    """Base of the rotary frequencies."""
    epsilon: float = 1e-5
    """Added under the root of a norm."""


BiasOf = Callable[[int], Tensor | None]
"""Depth to what is added to the attention scores there, (B|1, heads|1, T|1, P + T)."""
KeyValue = tuple[Tensor, Tensor]
"""Keys and values of one layer, both (B, kv_heads, P, head); B may be 1 and is then shared."""


@dataclass(frozen=True, slots=True)
class Cache:
    """What the reader keeps of the tokens it has read; never changed, only continued."""

    layers: tuple[KeyValue, ...]
    """One for every depth."""

    @property
    def tokens(self) -> int:
        """How many were read."""
        return self.layers[0][0].shape[2] if self.layers else 0

    def at(self, depths: Sequence[int]) -> Cache:
        """Only these depths, as the tower wants them."""
        return Cache(tuple(self.layers[depth] for depth in depths))


@dataclass(frozen=True, slots=True)
class Told:
    """The clues of R prompts as tensors; R may be 1 and is then shared."""

    features: Tensor
    """(R, P, FEATURES): see clues.py."""
    best: Tensor
    """(R, BEST, L): the tokens of the best facts, NONE behind them."""
    chances: Tensor
    """(R, 3): of the three best facts."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What the tower needs in every denoising step of the same rows, and need not work out anew."""

    past: Cache
    """What the reader keeps of the prompts, at the tower's depths."""
    rotation: KeyValue
    """Cosine and sine of the canvas's positions."""
    biases: tuple[Tensor | None, ...]
    """Added to the attention scores, (R, heads, 1|L, P + L); one for every layer."""
    draft: Tensor | None
    """Added to every canvas input: (R, L, width)."""


class Watcher(Protocol):
    """Somebody who looks on while the reader reads."""

    def enter(self, x: Tensor) -> None:
        """x (B, T, width): what goes into the next layer."""
        ...

    def see(self, queries: Tensor, keys: Tensor) -> None:
        """Of that layer: queries (B, heads, T, head), keys (B, kv_heads, S, head)."""
        ...


class Layer(nn.Module):
    """Attention and feed-forward; causal or not is a matter of the bias it is given."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.input_norm = nn.Parameter(torch.empty(sizes.width))
        # One product instead of three, and of two: small matrices cost mostly their call.
        self.qkv = nn.Linear(
            sizes.width, (sizes.heads + 2 * sizes.kv_heads) * sizes.head, bias=False
        )
        self.o = nn.Linear(sizes.heads * sizes.head, sizes.width, bias=False)
        self.post_norm = nn.Parameter(torch.empty(sizes.width))
        self.gate_up = nn.Linear(sizes.width, 2 * sizes.hidden, bias=False)
        self.down = nn.Linear(sizes.hidden, sizes.width, bias=False)

    def forward(
        self,
        x: Tensor,
        rotation: KeyValue,
        past: KeyValue | None,
        bias: Tensor | None,
        watch: Watcher | None = None,
    ) -> tuple[Tensor, KeyValue]:
        """x: (B, T, width); bias: (B|1, heads|1, T|1, S)."""
        s = self.sizes
        h = F.rms_norm(x, (s.width,), self.input_norm, s.epsilon)
        attended, kept = self.attend(h, rotation, past, bias, watch)
        x = x + self.o(attended)
        h = F.rms_norm(x, (s.width,), self.post_norm, s.epsilon)
        gate, up = self.gate_up(h).chunk(2, -1)  # (B, T, hidden) twice
        return x + self.down(F.silu(gate) * up), kept

    def attend(
        self,
        h: Tensor,
        rotation: KeyValue,
        past: KeyValue | None,
        bias: Tensor | None,
        watch: Watcher | None = None,
    ) -> tuple[Tensor, KeyValue]:
        """Let every position look at the past and at the others, as far as the bias allows."""
        s = self.sizes
        B, T, _ = h.shape
        heads = self.qkv(h).view(B, T, -1, s.head).transpose(1, 2)  # (B, all heads, T, head)
        turned, v = torch.split(heads, [s.heads + s.kv_heads, s.kv_heads], 1)
        q, k = torch.split(rotate(turned, rotation), [s.heads, s.kv_heads], 1)
        if past is not None:
            k = torch.cat([past[0].expand(B, -1, -1, -1), k], 2)  # (B, kv_heads, S, head)
            v = torch.cat([past[1].expand(B, -1, -1, -1), v], 2)

        if watch is not None:
            watch.see(q, k)

        a = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, enable_gqa=True)
        return a.transpose(1, 2).reshape(B, T, s.heads * s.head), (k, v)


PRODUCTS = ("qkv", "o", "gate_up", "down")
"""The matrix products of a layer."""


class Reader(nn.Module):
    """The causal model: reads tokens, keeps keys and values, can go on from what it kept."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.embedding = nn.Parameter(torch.empty(sizes.vocabulary, sizes.width))
        self.layers = nn.ModuleList(Layer(sizes) for _ in range(sizes.layers))
        self.norm = nn.Parameter(torch.empty(sizes.width))

    def forward(
        self, ids: Tensor, past: Cache | None = None, watch: Watcher | None = None
    ) -> tuple[Tensor, Cache]:
        """ids (B, T) → normed states (B, T, width), and the cache of everything read so far.

        watch: is shown what each layer is given, and its queries and keys.
        """
        T, P = ids.shape[1], past.tokens if past else 0
        positions = torch.arange(P, P + T, device=ids.device)[None]
        bias = causal_bias(T, P, self.norm)
        return self.walk(ids, positions, past, lambda _: bias, watch)

    def walk(
        self,
        ids: Tensor,
        positions: Tensor,
        past: Cache | None,
        bias_of: BiasOf,
        watch: Watcher | None = None,
    ) -> tuple[Tensor, Cache]:
        """The same with positions (B|1, T) and biases of one's own."""
        cosine, sine = angles(positions, self.sizes)
        rotation = cosine.to(self.norm.dtype), sine.to(self.norm.dtype)
        x, kept = F.embedding(ids, self.embedding), []
        for depth, layer in enumerate(self.layers):
            if watch is not None:
                watch.enter(x)

            kv = past.layers[depth] if past else None
            x, kv = layer(x, rotation, kv, bias_of(depth), watch)
            kept.append(kv)

        x = F.rms_norm(x, (self.sizes.width,), self.norm, self.sizes.epsilon)
        return x, Cache(tuple(kept))


class Tower(nn.Module):
    """The writer: the reader's layers at some depths, looking at the prompt and at the canvas."""

    def __init__(self, sizes: Sizes, depths: Sequence[int], mask: int) -> None:
        super().__init__()
        self.sizes, self.depths, self.mask = sizes, tuple(depths), mask
        self.layers = nn.ModuleList(Layer(sizes) for _ in self.depths)
        self.norm = nn.Parameter(torch.empty(sizes.width))
        self.mask_embedding = nn.Parameter(torch.empty(sizes.width))
        # What clues.py tells, learned from nothing: zeros change nothing.
        self.relevance = nn.Parameter(torch.zeros(len(self.depths), sizes.heads, FEATURES))
        self.draft_scale = nn.Parameter(torch.zeros(BEST, sizes.width))
        self.place = nn.Parameter(torch.zeros(CANVAS, sizes.width))
        self.chance = nn.Parameter(torch.zeros(3, sizes.width))
        self.copier = Copier(sizes.width)

    def forward(
        self,
        embedding: Tensor,
        last: Tensor,
        canvas: Tensor,
        past: Cache,
        *,
        positions: Tensor | None = None,
        bias: Tensor | None = None,
        told: Told | None = None,
    ) -> Tensor:
        """One denoising step: normed states (B, L, width); state i speaks of canvas position i.

        embedding: the reader's, (vocabulary, width). last: (B,), the prompt's last token.
        canvas: (B, L), mask ids where open. past: the prompt but its last token, at the depths.
        positions: (B|1, L) where they do not simply continue the prompt's (padded batches).
        bias: added to the attention scores, (B|1, heads|1, L|1, P + L). told: the prompt's clues.
        """
        stage = self.stage(
            embedding, past, canvas.shape[1], positions=positions, bias=bias, told=told
        )
        return self.step(embedding, last, canvas, stage)

    def stage(
        self,
        embedding: Tensor,
        past: Cache,
        L: int,
        *,
        positions: Tensor | None = None,
        bias: Tensor | None = None,
        told: Told | None = None,
    ) -> Stage:
        """What stays the same from step to step, for a canvas of L; arguments as for forward."""
        if positions is None:
            positions = torch.arange(past.tokens, past.tokens + L, device=embedding.device)[None]

        rotation, biases = angles(positions, self.sizes), (bias,) * len(self.depths)
        if told is None:
            return Stage(past, rotation, biases, None)

        looks = tuple(self.look(i, told.features, L, bias) for i in range(len(self.depths)))
        return Stage(past, rotation, looks, self.first_draft(embedding, told, L))

    def step(self, embedding: Tensor, last: Tensor, canvas: Tensor, stage: Stage) -> Tensor:
        """One denoising step on a stage; otherwise as forward."""
        inputs = torch.cat([last[:, None], canvas[:, :-1]], 1)  # (B, L), the shift
        is_open = (inputs == self.mask)[:, :, None]
        x = torch.where(is_open, self.mask_embedding, F.embedding(inputs, embedding))
        if stage.draft is not None:
            x = x + stage.draft

        for layer, kept, bias in zip(self.layers, stage.past.layers, stage.biases, strict=True):
            x, _ = layer(x, stage.rotation, kept, bias)

        return F.rms_norm(x, (self.sizes.width,), self.norm, self.sizes.epsilon)

    def first_draft(self, embedding: Tensor, told: Told, L: int) -> Tensor:
        """What every canvas input is told at once: (R, L, width)."""
        words = F.embedding(told.best.clamp(min=0), embedding)  # (R, BEST, L, width)
        words = words * (told.best != NONE)[..., None] * self.draft_scale[:, None]
        return words.sum(1) + self.place[:L] + (told.chances @ self.chance)[:, None]

    def look(self, index: int, features: Tensor, L: int, bias: Tensor | None) -> Tensor:
        """The attention bias of one layer: (R, heads, 1, P + L)."""
        learned = torch.einsum("hf,rpf->rhp", self.relevance[index], features)[:, :, None]
        learned = F.pad(learned, (0, L))  # the canvas itself is looked at without bias
        return learned if bias is None else learned + bias


def score(states: Tensor, sayable: Tensor) -> Tensor:
    """Logits over what may be said: states (N, width), sayable rows (V, width) → (N, V)."""
    return F.linear(states, sayable)


def angles(positions: Tensor, sizes: Sizes) -> KeyValue:
    """Cosine and sine of the rotary angles: positions (B|1, T) → two of (B|1, 1, T, head).

    The sine's first half is turned round, as `rotate` wants it.
    """
    steps = torch.arange(0, sizes.head, 2, device=positions.device).float() / sizes.head
    angle = positions[:, None, :, None].float() * (1.0 / sizes.theta**steps)  # (B|1, 1, T, head/2)
    cosine, sine = angle.cos(), angle.sin()
    return torch.cat([cosine, cosine], -1), torch.cat([-sine, sine], -1)


def rotate(x: Tensor, rotation: KeyValue) -> Tensor:
    """Turn the feature pairs of x (B, heads, T, head) by their positions' angles."""
    cos, sin = rotation
    return x * cos + x.roll(x.shape[-1] // 2, -1) * sin  # the other one of each pair


def causal_bias(T: int, P: int, like: Tensor) -> Tensor | None:
    """0 where a token may look, minus infinity where not: (1, 1, T, P + T); None: everywhere.

    like: of its kind and on its device.
    """
    if T == 1:
        return None

    nowhere = torch.full((T, P + T), float("-inf"), dtype=like.dtype, device=like.device)
    return nowhere.triu(P + 1)[None, None]
