"""The rival: the reader alone writes the reply, one token after the other, each the likeliest.

It has all that the denoiser has: the prompt's cache, the same precision and threads, and as the
twin (twin.py) the same lessons and the same clues. It may say every token, values too.

Rule 1. Keys and values lie in buffers that are laid out once: a token adds its own and copies none.
Rule 2. Weights lie column by column: one row is multiplied by them 1.3 to 1.5 times as fast as by
        rows, and nothing else of a token's pass counts for much.
Rule 3. The same prompt gives the same reply; there are no steps to choose and nothing is drawn.

B rows, P prompt tokens but the last, N reply tokens that there is room for, S = P + N.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from atonce.config import models
from atonce.config.errors import EngineError
from atonce.config.schema import LlmSettings
from atonce.llm.board import HIDDEN
from atonce.llm.finder import Finder
from atonce.llm.model import Cache, Layer, Reader, angles
from atonce.llm.precision import is_narrow, to_bfloat16
from atonce.llm.prompting import Mark
from atonce.llm.protocols import Cell, Draft, Plan, Prompt, PromptCache, Writer
from atonce.llm.reading import PromptReader, WholePrompt
from atonce.llm.tokenizer import Tokenizer
from atonce.llm.twin import SHIPPED_TWIN, load_twin, merge, same_weights
from atonce.llm.weights import Card, load_base

LONGEST = 64
"""Tokens of a reply, end mark included; as many as a canvas has positions on a processor."""


class Decoder:
    """Runs tokens through the reader one at a time, for rows whose prompts are of one length."""

    def __init__(
        self,
        reader: Reader,
        relevance: Tensor | None = None,
        head: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        """reader: as `by_columns` lays it out, if it is to be fast. relevance: how much each head
        looks at what it is told, (layers, heads, FEATURES).

        head: states to logits; None: the reader's embedding.
        """
        self.reader, self.relevance = reader, relevance
        self._head = head or partial(F.linear, weight=columns(reader.embedding))
        self.used = self.room = 0  # tokens in the buffers, and how many they can take
        self._keys: list[Tensor] = []  # (B, kv_heads, S, head) by depth
        self._values: list[Tensor] = []
        self._looks: list[Tensor] | None = None  # (B|1, kv_heads, group, S) by depth
        self._cosine = self._sine = torch.empty(0)

    @property
    def weights(self) -> int:
        """Bytes that are read for every token: all but the norms, which are next to nothing."""
        linears = (m for m in self.reader.modules() if isinstance(m, nn.Linear))
        products = sum(linear.weight.nbytes for linear in linears)
        return products + self.reader.embedding.nbytes  # the head is the embedding

    @torch.inference_mode()
    def begin(
        self,
        past: Cache,
        features: Tensor | None,
        tokens: int,
        *,
        rows: int = 1,
        lengths: Tensor | None = None,
    ) -> None:
        """Lay the prompts down, and room for as many tokens of reply.

        past: all depths, (B|1, kv_heads, P, head). features: what is told of the prompts,
        (B|1, P, FEATURES); None: nothing. lengths: of the prompts but their last tokens, (B), where
        the shorter ones are padded behind their end; None: all are of one length.
        """
        sizes, P, like = self.reader.sizes, past.tokens, self.reader.norm
        self.used, self.room = P, P + tokens
        shape = (rows, sizes.kv_heads, self.room, sizes.head)
        if not self._keys or self._keys[0].shape != shape:
            empty = torch.empty(shape, dtype=like.dtype, device=like.device)
            self._keys = [torch.empty_like(empty) for _ in past.layers]
            self._values = [torch.empty_like(empty) for _ in past.layers]

        for depth, (keys, values) in enumerate(past.layers):
            self._keys[depth][:, :, :P] = keys
            self._values[depth][:, :, :P] = values

        starts = torch.full((1,), P) if lengths is None else lengths
        positions = starts[:, None].to(like.device) + torch.arange(tokens, device=like.device)
        cosine, sine = angles(positions, sizes)  # (B|1, 1, N, head)
        self._cosine, self._sine = cosine.to(like.dtype), sine.to(like.dtype)
        self._looks = self._told(features, hidden(lengths, P, tokens))

    def _told(self, features: Tensor | None, closed: Tensor | None) -> list[Tensor] | None:
        """What every head is to look at, by depth; closed: (B, 1, S)."""
        sizes = self.reader.sizes
        if self.relevance is None or features is None:
            if closed is None:
                return None

            looks = closed[None].expand(sizes.layers, -1, sizes.heads, -1)
        else:
            looks = torch.einsum("dhf,bpf->dbhp", self.relevance, features)
            looks = F.pad(looks, (0, self.room - looks.shape[-1]))  # (layers, B|1, heads, S)
            looks = looks if closed is None else looks + closed

        looks = looks.to(self.reader.norm.dtype)
        return list(looks.reshape(sizes.layers, -1, sizes.kv_heads, sizes.heads // sizes.kv_heads,
                                  self.room).unbind(0))  # fmt: skip

    def step(self, tokens: Tensor) -> Tensor:
        """One more token a row, (B), → logits over all that follows it, (B, vocabulary)."""
        x = F.embedding(tokens, self.reader.embedding)  # (B, width)
        place = self.used - (self.room - self._cosine.shape[2])
        cosine, sine = self._cosine[:, :, place], self._sine[:, :, place]  # (B|1, 1, head)
        for depth, layer in enumerate(self.reader.layers):
            x = self._through(cast("Layer", layer), depth, x, cosine, sine)

        self.used += 1
        sizes = self.reader.sizes
        return self._head(normed(x, self.reader.norm, sizes.epsilon))

    def _through(self, layer: Layer, depth: int, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """One layer: x (B, width), cosine and sine (B|1, 1, head)."""
        s, B, now = self.reader.sizes, len(x), self.used
        h = normed(x, layer.input_norm, s.epsilon)
        heads = layer.qkv(h).view(B, -1, s.head)  # (B, heads + 2 kv_heads, head)
        turned, v = heads[:, : s.heads + s.kv_heads], heads[:, s.heads + s.kv_heads :]
        turned = turned * cosine + turned.roll(s.head // 2, -1) * sine
        self._keys[depth][:, :, now] = turned[:, s.heads :]
        self._values[depth][:, :, now] = v
        a = F.scaled_dot_product_attention(
            turned[:, : s.heads].view(B, s.kv_heads, -1, s.head),
            self._keys[depth][:, :, : now + 1],
            self._values[depth][:, :, : now + 1],
            attn_mask=None if self._looks is None else self._looks[depth][..., : now + 1],
        )
        x = x + layer.o(a.reshape(B, s.heads * s.head))
        h = normed(x, layer.post_norm, s.epsilon)
        gate, up = layer.gate_up(h).chunk(2, -1)
        fed: Tensor = layer.down(F.silu(gate) * up)
        return x + fed


class AutoregressiveWriter:
    """Writes replies with the reader alone: untouched (`reader`), or as its twin (`twin`)."""

    def __init__(
        self,
        prompts: PromptReader,
        *,
        twin: Path | None = None,
        precision: str = "float32",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """twin: the trained adapter; None: the reader as it is. precision: in which prompts are
        read, see precision.py; tokens are written in float32, which is faster for one row. clock:
        of the plans' deadlines."""
        self._prompts, self._clock = prompts, clock
        self._name = "reader" if twin is None else "twin"
        reader, relevance = prompts.reader, None
        if twin is not None:
            adapter = load_twin(twin, reader.sizes)
            reader, relevance = merge(reader, adapter), adapter.relevance

        self.decoder = Decoder(by_columns(reader), relevance)
        if is_narrow(precision):
            to_bfloat16(prompts.reader.layers)

        self._tokenizer: Tokenizer = prompts.tokenizer
        self._end = self._tokenizer.special(Mark.END.value)

    @classmethod
    def from_settings(cls, settings: LlmSettings) -> Self:
        """The reader as it is, zero-shot."""
        return cls(prompt_reader(settings), precision=settings.precision)

    @property
    def name(self) -> str:
        """Engine name as in the settings."""
        return self._name

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages it writes."""
        return Card().languages

    @property
    def max_canvas(self) -> int:
        """Longest reply, end mark included."""
        return LONGEST

    def read(self, prompt: Prompt) -> WholePrompt:
        """Read a prompt; what was read before of its beginning is not read again."""
        return self._prompts.read(prompt)

    def write(
        self, cache: PromptCache, plan: Plan, *, given: Sequence[int | None] | None = None
    ) -> Iterator[Draft]:
        """One draft a token, until the end mark or the canvas is full.

        Of the plan only canvas and deadline count. given: only a beginning can be pinned.
        """
        if not isinstance(cache, WholePrompt):
            raise EngineError("the autoregressive writer was given another engine's prompt.")

        if not 1 <= plan.canvas <= LONGEST:
            raise EngineError(
                f"a canvas of {plan.canvas} does not fit: the autoregressive writer takes 1 to "
                f"{LONGEST} (llm.canvas, --canvas)."
            )

        return self._drafts(cache, plan, pinned_beginning(given or ()))

    def _drafts(self, prompt: WholePrompt, plan: Plan, pinned: Sequence[int]) -> Iterator[Draft]:
        said: list[tuple[int, float]] = []
        is_cut = False
        for said in self.decode(prompt, plan.canvas, pinned):
            late = plan.deadline_s is not None and self._clock() >= plan.deadline_s
            ended = said[-1][0] == self._end or len(said) == plan.canvas
            is_cut = late and not ended
            if late or ended:
                break

            yield self._draft(said, plan, is_whole=False, is_cut=False)

        yield self._draft(said, plan, is_whole=True, is_cut=is_cut)

    @torch.inference_mode()
    def decode(
        self, prompt: WholePrompt, tokens: int, pinned: Sequence[int] = ()
    ) -> Iterator[list[tuple[int, float]]]:
        """Token after token, the end mark too; each time all so far, with their probabilities."""
        self.decoder.begin(prompt.past, prompt.features[None], tokens)
        last, said = prompt.ids[-1], list[tuple[int, float]]()
        while len(said) < tokens:
            logits = self.decoder.step(torch.tensor([last]))[0].float()
            if len(said) < len(pinned):
                last, sure = pinned[len(said)], 1.0
            else:
                last = int(logits.argmax())
                sure = float((logits[last] - logits.logsumexp(0)).exp())

            said.append((last, sure))
            yield said

    def _draft(
        self, said: Sequence[tuple[int, float]], plan: Plan, *, is_whole: bool, is_cut: bool
    ) -> Draft:
        """What is said so far, the rest open; or, where it is whole, filled with end marks."""
        rest = self._end if is_whole else Card().mask
        texts = self._tokenizer.pieces([token for token, _ in said])
        cells = [
            Cell(token, text, is_open=False, confidence=sure)
            for (token, sure), text in zip(said, texts, strict=True)
        ]
        cells += [Cell(rest, "", not is_whole, 0.0)] * (plan.canvas - len(said))
        steps = len(said) if is_whole else plan.canvas
        return Draft(max(1, len(said)), max(1, steps), tuple(cells), is_cut)


class TwinWriter(AutoregressiveWriter):
    """The shipped twin as an engine."""

    @classmethod
    def from_settings(cls, settings: LlmSettings) -> Self:
        """The reader's fine-tuned form."""
        return cls(prompt_reader(settings), twin=SHIPPED_TWIN, precision=settings.precision)


@torch.inference_mode()
def write_together(decoder: Decoder, last: Tensor, tokens: int, end: int) -> list[list[int]]:
    """The replies of all rows that were laid down, without end marks; last: (B).

    All go on until the longest has ended.
    """
    said = torch.empty(len(last), 0, dtype=torch.long)
    for _ in range(tokens):
        last = decoder.step(last).argmax(-1)
        said = torch.cat([said, last[:, None]], 1)
        if bool((said == end).any(1).all()):
            break

    rows: list[list[int]] = said.tolist()
    return [row[: row.index(end)] if end in row else row for row in rows]


def normed(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """The root-mean-square norm of x (B, width); on one row in a fifth of F.rms_norm's time."""
    root = x.square().mean(-1, keepdim=True).add_(epsilon).rsqrt_()
    return (x * weight).mul_(root)


def by_columns(reader: Reader) -> Reader:
    """The same with weights of its own, whose columns lie together in memory."""
    twin = same_weights(reader)
    for module in twin.layers.modules():
        if isinstance(module, nn.Linear):
            module.weight = nn.Parameter(columns(module.weight), requires_grad=False)

    return twin


def columns(weight: Tensor) -> Tensor:
    """The same matrix, its columns together in memory."""
    return weight.detach().t().contiguous().t()


def hidden(lengths: Tensor | None, P: int, tokens: int) -> Tensor | None:
    """Minus much where a row's prompt is padded, (B, 1, P + tokens); None: nowhere."""
    if lengths is None or bool((lengths == P).all()):
        return None

    beyond = torch.arange(P) >= lengths[:, None]
    return F.pad(beyond[:, None] * HIDDEN, (0, tokens))


def prompt_reader(settings: LlmSettings) -> PromptReader:
    """The reader of the store of model files, in float32 as yet."""
    if settings.threads:
        torch.set_num_threads(settings.threads)

    reader, tokenizer = load_base(
        models.folder("smollm2-135m"), models.cache_folder() / "converted"
    )
    find = Finder.load(models.folder("minilm"), precision=settings.precision).find
    return PromptReader(reader, tokenizer, reply=LONGEST, find=find)


def pinned_beginning(given: Sequence[int | None]) -> list[int]:
    """The pinned tokens, which must be a beginning."""
    pins = list(given)
    while pins and pins[-1] is None:
        pins.pop()

    beginning = [token for token in pins if token is not None]
    if len(beginning) < len(pins):
        raise EngineError(
            "the autoregressive writer goes from left to right: it can keep the beginning of a "
            "reply, not words behind a gap. The embedded engine can."
        )

    return beginning


_: type[Writer] = AutoregressiveWriter
