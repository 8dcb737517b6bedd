"""One pass of each kind, ready to be timed: all positions of a canvas, or one token of the rival.

Rule 1. Both are made of the same layers in the same precision, behind a prompt of one length.
Rule 2. What is in the prompt's cache does not change the time, so it is drawn, not read.
Rule 3. A pass ends when its choice is in hand: the next one could not begin before.

R rows, L canvas positions, P prompt tokens but the last.
"""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from atonce.config import models
from atonce.llm.autoregressive import Decoder, by_columns, columns
from atonce.llm.denoiser import SHIPPED_WRITER, EmbeddedWriter
from atonce.llm.model import PRODUCTS, Cache, Reader, Sizes
from atonce.llm.precision import lay_out
from atonce.llm.protocols import Prompt
from atonce.llm.roofline import wait
from atonce.llm.rows import Asked
from atonce.llm.twin import same_weights
from atonce.llm.weights import load_base, load_writer

PRECISIONS = ("float32", "bfloat16", "int8")
"""int8: weights only, with a scale for every row; inputs are rounded as they come (processor)."""
PROMPT = 350
"""Tokens of a usual prompt."""
LARGE = Sizes(
    width=4096, layers=32, heads=32, kv_heads=8, head=128, hidden=14336, vocabulary=128_256
)
"""The shape of a model of 8 billion weights."""

Work = Callable[[], object]
"""Something to be timed."""


@dataclass(frozen=True, slots=True)
class Product:
    """One matrix product of a pass."""

    run: Callable[[Tensor], Tensor]
    """(N, width) → (N, out)."""
    width: int
    """Input features."""
    weights: int
    """Numbers in the matrix."""
    weight_bytes: int
    """As they are stored."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a pass cannot do without; attention, next to nothing here, is left out."""

    weight_bytes: int
    """Read from memory."""
    operations: int
    """Multiplications and additions."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A denoiser and its rival in one precision."""

    precision: str
    """One of PRECISIONS."""
    reader: Reader
    """The rival's layers."""
    tower: Reader
    """The denoiser's layers."""
    reader_head: nn.Module
    """States to logits over all that the rival may say."""
    tower_head: nn.Module
    """The same for the denoiser."""

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.reader.norm.device

    @property
    def dtype(self) -> torch.dtype:
        """Of what goes from layer to layer."""
        return self.reader.norm.dtype

    def products(self, *, of_tower: bool) -> list[Product]:
        """All matrix products of a pass, in their order."""
        layers = (self.tower if of_tower else self.reader).layers
        modules = [getattr(layer, name) for layer in layers for name in PRODUCTS]
        modules.append(self.tower_head if of_tower else self.reader_head)
        return [product_of(module, self.precision) for module in modules]

    def cost(self, positions: int, *, of_tower: bool) -> Cost:
        """Of a pass over so many positions."""
        products = self.products(of_tower=of_tower)
        weights = sum(product.weights for product in products)
        return Cost(sum(product.weight_bytes for product in products), 2 * positions * weights)


def product_of(module: nn.Module, precision: str) -> Product:
    """A linear layer, plain or in int8."""
    out, width = int(module.out_features), int(module.in_features)  # type: ignore[arg-type]
    size = {"float32": 4, "bfloat16": 2, "int8": 1}[precision]
    return Product(module, width, out * width, out * width * size)


# ---- subjects ----


def embedded_subject(precision: str, device: torch.device) -> Subject:
    """The embedded model: the shipped writer, and the reader as its rival."""
    reader, _ = load_base(models.folder("smollm2-135m"), models.cache_folder() / "converted")
    tower, vocabulary, _ = load_writer(SHIPPED_WRITER, reader.sizes)
    # What may be said: the vocabulary, and about as many tokens of the prompt's own as not.
    said = torch.cat([vocabulary, torch.arange(PROMPT // 2)])
    narrow = as_reader(reader, list(tower.layers))
    return in_precision(reader, narrow, reader.embedding[said], precision, device)


def random_subject(sizes: Sizes, precision: str, device: torch.device) -> Subject:
    """A model of this shape with random weights: all its layers write, as all of them read."""
    kind = torch.float32 if precision == "int8" else getattr(torch, precision)
    with torch.device("meta"):
        reader = Reader(sizes).to(kind)

    reader = reader.to_empty(device=device).eval().requires_grad_(requires_grad=False)
    for weight in reader.parameters():
        weight.normal_(0.0, 0.02)

    return in_precision(reader, reader, reader.embedding, precision, device)


def as_reader(reader: Reader, layers: Sequence[nn.Module]) -> Reader:
    """Some layers with the reader's embedding and norm; nothing is copied."""
    narrow = same_weights(reader)
    narrow.layers = nn.ModuleList(layers)
    return narrow


def in_precision(
    reader: Reader, tower: Reader, said: Tensor, precision: str, device: torch.device
) -> Subject:
    """Both with weights of one kind; said: the denoiser's rows of the embedding, (V, width)."""
    heads = linear(reader.embedding), linear(said)
    if precision == "int8":
        parts = [quantized(part) for part in (reader, tower, *heads)]
    else:
        kind = getattr(torch, precision)
        parts = [copy.deepcopy(part).to(device, kind) for part in (reader, tower, *heads)]

    whole, narrow, reader_head, tower_head = parts
    assert isinstance(whole, Reader)
    assert isinstance(narrow, Reader)
    if device.type == "cpu" and precision != "int8":  # as both run in the agent
        whole = by_columns(whole)
        reader_head = linear(columns(cast("nn.Linear", reader_head).weight))
        lay_out(narrow.layers, kind=getattr(torch, precision))

    return Subject(precision, whole, narrow, reader_head, tower_head)


def linear(weight: Tensor) -> nn.Linear:
    """A product with this matrix."""
    module = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    module.weight = nn.Parameter(weight.detach(), requires_grad=False)
    return module


def quantized(module: nn.Module) -> nn.Module:
    """With int8 in place of every product."""
    with warnings.catch_warnings():  # torch is about to move this function to another package
        warnings.simplefilter("ignore")
        if isinstance(module, nn.Linear):
            module = nn.Sequential(module)

        quantize: Any = torch.ao.quantization.quantize_dynamic
        made: nn.Module = quantize(module, {nn.Linear}, dtype=torch.qint8)

    return made[0] if isinstance(made, nn.Sequential) else made


# ---- passes ----


def denoising_pass(subject: Subject, canvas: int, rows: int) -> Work:
    """All positions of so many rows at once, as at the first step: everything is open."""
    sizes, device = subject.tower.sizes, subject.device
    past = drawn_past(subject, subject.tower, rows)
    ids = torch.full((rows, canvas), 16, device=device)
    positions = torch.arange(PROMPT, PROMPT + canvas, device=device)[None]
    # The clues' bias, which every layer of the engine has.
    bias = torch.zeros(1, sizes.heads, 1, PROMPT + canvas, device=device, dtype=subject.dtype)

    def work() -> Tensor:
        states, _ = subject.tower.walk(ids, positions, past, lambda _: bias)
        logits: Tensor = subject.tower_head(states.flatten(0, 1))  # (R * L, V)
        return logits.argmax(-1)

    return in_hand(work, device)


def token_pass(subject: Subject, rows: int, room: int = 48) -> Work:
    """One more token a row; after `room` of them the reply begins anew."""
    decoder = Decoder(subject.reader, head=subject.reader_head)
    decoder.begin(drawn_past(subject, subject.reader, 1), None, room, rows=rows)
    tokens = torch.full((rows,), 16, device=subject.device)

    def work() -> Tensor:
        if decoder.used == decoder.room:
            decoder.used = PROMPT

        return decoder.step(tokens).argmax(-1)

    return in_hand(work, subject.device)


def engine_step(canvas: int, rows: int, precision: str = "float32") -> Work:
    """A denoising step of the embedded engine as it runs, what comes of each position included."""
    facts = tuple(
        f"Room {number} is on floor {number % 4}, past the stairs." for number in range(20)
    )
    base, cache = models.folder("smollm2-135m"), models.cache_folder() / "converted"
    writer = EmbeddedWriter(base, cache, precision=precision)
    read = writer.read(Prompt("a guide", facts, "Where do I find room number seven, please?"))
    asked = [Asked(read, [writer.marks.mask] * canvas)] * rows
    return lambda: writer.look(asked)


def bare_products(subject: Subject, positions: int, *, of_tower: bool) -> Work:
    """The matrix products of a pass alone, one after the other."""
    pairs = [
        (one, torch.randn(positions, one.width, device=subject.device).to(subject.dtype))
        for one in subject.products(of_tower=of_tower)
    ]

    def work() -> None:
        for product, x in pairs:
            product.run(x)

    return work


def drawn_past(subject: Subject, layers_of: Reader, rows: int) -> Cache:
    """A prompt's cache; (rows, kv_heads, P, head) by depth."""
    sizes = layers_of.sizes
    shape = (rows, sizes.kv_heads, PROMPT, sizes.head)

    def drawn() -> Tensor:
        return torch.randn(shape, device=subject.device).to(subject.dtype)

    return Cache(tuple((drawn(), drawn()) for _ in layers_of.layers))


def in_hand(work: Callable[[], Tensor], device: torch.device) -> Work:
    """Bring the choice to the program; not on a GPU, where `steady` replays the work alone."""
    return work if device.type == "cuda" else lambda: work().tolist()


# ---- timing ----


def steady(work: Work, device: torch.device) -> Work:
    """On a GPU the work as one graph, so that the program's own calls cost nothing there."""
    if device.type != "cuda":
        return work

    side: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.inference_mode(), torch.cuda.stream(side):
        for _ in range(3):
            work()

    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.inference_mode(), torch.cuda.graph(graph):
        work()

    return graph.replay


@torch.inference_mode()
def in_rounds(work: Sequence[Work], rounds: int, device: torch.device) -> list[list[float]]:
    """Seconds of each in every round; they take turns, after one round that does not count."""
    taken: list[list[float]] = [[] for _ in work]
    for number in range(rounds + 1):
        for times, seconds in zip(taken, each(work, device), strict=True):
            if number:
                times.append(seconds)

    return taken


def each(work: Sequence[Work], device: torch.device) -> Iterator[float]:
    """Seconds of each, once."""
    for one in work:
        wait(device)
        start = time.perf_counter()
        one()
        wait(device)
        yield time.perf_counter() - start
