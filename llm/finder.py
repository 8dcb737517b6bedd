"""Which facts answer a question, by meaning: "Is there somewhere to eat?" finds the café.

A small sentence encoder (all-MiniLM-L6-v2, as it is) reads every fact once and every question
once; how near they lie, together with the words they share (ranking.py), orders the facts. Of the
best few, its upper layers, trained for this, read question and fact *together*, and say whether
the one answers the other. That none does is an outcome of its own.

N questions, C facts that are read together with each, Q and T tokens of question and fact.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from atonce.config.errors import ModelError
from atonce.llm.encoder import PRODUCTS, Encoder, EncoderSizes, closed, from_bert, pad
from atonce.llm.leaning import leans, stands_alone
from atonce.llm.precision import is_narrow, to_bfloat16
from atonce.llm.protocols import Exchange, Found
from atonce.llm.ranking import rank
from atonce.llm.weights import (
    FETCH_AGAIN,
    contiguous,
    fill,
    from_int8,
    read_tensors,
    to_int8,
    write_whole,
)

SHIPPED_FINDER = Path(__file__).parent / "embedded" / "finder.safetensors"
"""The trained upper layers that come with atonce."""

HALFWAY = 3  # layers that read question and fact apart; the rest reads them together
TOGETHER = (
    4  # facts that are read together with the question: the right ones are nearly always here
)
HISTORY, QUESTION, FACT = range(3)
NEAR_ASKED, NEAR_ALL, WORDS = range(3)  # what is known before anything is read together
LOWEST_WORDS = -8.0  # a fact that shares no word is not more unlikely than this
MAX_QUESTION, MAX_PAST_QUESTION, MAX_PAST_REPLY, MAX_FACT = 60, 20, 40, 70  # tokens
KEPT = 8  # sets of facts that stay read


Find = Callable[[str, Sequence[str], Sequence[Exchange]], Found]
"""Question, facts and past turns in, what was found out."""


def find_by_words(question: str, facts: Sequence[str], history: Sequence[Exchange]) -> Found:
    """By shared words alone: what there is without an encoder."""
    return Found(rank(question, facts, history))


@dataclass(frozen=True, slots=True)
class Read:
    """Texts that the encoder has read."""

    middle: Tensor
    """States halfway, (B, T, W)."""
    vectors: Tensor
    """What each text means, (B, W), of length 1."""
    real: Tensor
    """(B, T): where there is a token."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Questions about one set of facts, ready to be read together with some of them."""

    questions: Read
    """With the past turn before each."""
    is_past: Tensor
    """(N, Q): what belongs to the past turn."""
    facts: Read
    """All facts."""
    signals: Tensor
    """(N, facts, 3): NEAR_ASKED, NEAR_ALL and WORDS."""


class Judge(nn.Module):
    """The trained part: reads a question and a fact together, and weighs what is known before."""

    def __init__(self, sizes: EncoderSizes) -> None:
        super().__init__()
        layers = Encoder(sizes).layers[HALFWAY:]
        self.layers = nn.ModuleList(layers)
        self.parts = nn.Parameter(torch.zeros(3, sizes.width))  # HISTORY, QUESTION, FACT
        self.attention = nn.Linear(sizes.width, 1)
        self.verdict = nn.Linear(2 * sizes.width, 1)
        self.signals = nn.Parameter(torch.tensor([6.0, 6.0, 1.0]))
        self.none = nn.Parameter(torch.tensor([2.0, 0.5]))  # a constant, and how it goes with best
        for linear in (self.attention, self.verdict):
            nn.init.zeros_(linear.weight)
            nn.init.zeros_(linear.bias)

    def prior(self, signals: Tensor) -> Tensor:
        """Logits before reading together: (..., 3) → (...)."""
        return signals @ self.signals

    def forward(self, asked: Asked, facts: Tensor) -> Tensor:
        """Logits of these facts, (N, C), and of none, behind them: (N, C + 1).

        facts (N, C): which facts are read with each question.
        """
        N, C = facts.shape
        x, real = together(asked, facts, self.parts)
        bias = closed(real)
        for layer in self.layers:
            x = layer(x, bias)

        weights = self.attention(x)[..., 0].masked_fill(~real, -1e9).softmax(-1)
        pooled = torch.cat([x[:, 0], torch.einsum("bt,btw->bw", weights, x)], -1)
        prior = self.prior(asked.signals.gather(1, facts[..., None].expand(N, C, 3)))
        none = self.none[0] + self.none[1] * prior.amax(-1, keepdim=True).detach()
        return torch.cat([self.verdict(pooled).view(N, C) + prior, none], -1)


def together(asked: Asked, facts: Tensor, parts: Tensor) -> tuple[Tensor, Tensor]:
    """Every question with each of its facts behind it: states (N * C, Q + T, W), and where real."""
    C = facts.shape[1]
    longest = int(asked.facts.real[facts].sum(-1).max())
    told = asked.questions.middle + parts[torch.where(asked.is_past, HISTORY, QUESTION)]
    found = asked.facts.middle[facts, :longest] + parts[FACT]  # (N, C, T, W)
    x = torch.cat([told[:, None].expand(-1, C, -1, -1), found], 2)
    real = torch.cat(
        [asked.questions.real[:, None].expand(-1, C, -1), asked.facts.real[facts, :longest]], 2
    )
    return x.flatten(0, 1), real.flatten(0, 1)


class Finder:
    """Finds the facts that answer, with one encoder and one judge; keeps what it read of facts."""

    def __init__(self, encoder: Encoder, tokenizer: Tokenizer, judge: Judge) -> None:
        self.encoder, self.judge = encoder, judge
        self._tokenizer = tokenizer
        self._start, self._stop = (tokenizer.encode(mark).ids[1] for mark in ("[CLS]", "[SEP]"))
        self._kept: OrderedDict[tuple[str, ...], Read] = OrderedDict()

    @classmethod
    def load(
        cls, folder: Path, judge: Path = SHIPPED_FINDER, *, precision: str = "float32"
    ) -> Finder:
        """folder: the model `minilm` of the store. judge: the trained part. precision: in which
        both multiply, see precision.py."""
        encoder, tokenizer = load_encoder(folder)
        judging = load_judge(judge, encoder.sizes)
        if is_narrow(precision):
            to_bfloat16([*encoder.layers, *judging.layers], PRODUCTS)

        return cls(encoder, tokenizer, judging)

    @torch.inference_mode()
    def find(self, question: str, facts: Sequence[str], history: Sequence[Exchange]) -> Found:
        """Logits of all facts, and of none; with the talk so far where the question leans on it."""
        if not facts:
            return Found(())

        alone = self._find(question, facts, ())

        if not history:
            return alone

        if stands_alone(question, facts, history[-1], alone):
            return replace(alone, leans=False)

        behind = self._find(question, facts, history)
        needs_it = leans(question, facts, history[-1], alone=alone, behind=behind)
        return behind if needs_it else replace(alone, leans=False)

    def _find(self, question: str, facts: Sequence[str], history: Sequence[Exchange]) -> Found:
        asked = self.ask([(question, history)], facts)
        prior = self.judge.prior(asked.signals)[0]
        best = prior.topk(min(TOGETHER, len(facts))).indices
        judged = self.judge(asked, best[None])[0]
        # What was not read together is as unlikely as the most unlikely that was, and less by
        # what it lay behind before.
        scores = prior - prior[best].amin() + judged[:-1].amin()
        scores[best] = judged[:-1]
        return Found(tuple(scores.tolist()), float(judged[-1]))

    @torch.inference_mode()
    def ask(
        self, questions: Sequence[tuple[str, Sequence[Exchange]]], facts: Sequence[str]
    ) -> Asked:
        """Read questions, each with its past turns, about the same facts."""
        told = self._read_facts(tuple(facts))
        ids, starts = zip(*(self._question(*one) for one in questions), strict=True)
        padded, real = pad(ids)
        is_past = torch.arange(padded.shape[1]) < torch.tensor(starts)[:, None]
        middle, last = self.encoder(padded, real, HALFWAY)
        asked, whole = mean(last, real & ~is_past), mean(last, real)
        words = [rank(question, facts, history) for question, history in questions]
        signals = [
            asked @ told.vectors.T,
            whole @ told.vectors.T,
            torch.tensor(words).log_softmax(-1).clamp(min=LOWEST_WORDS),
        ]
        read = Read(middle, whole, real)
        return Asked(read, is_past & real, told, torch.stack(signals, -1))

    def _question(self, question: str, history: Sequence[Exchange]) -> tuple[list[int], int]:
        """Its tokens behind those of the past turn, and where it begins."""
        past: list[int] = []
        for exchange in history[-1:]:
            past += self._ids(exchange.question)[-MAX_PAST_QUESTION:]
            past += [*self._ids(exchange.reply)[:MAX_PAST_REPLY], self._stop]

        head = [self._start, *past]
        return [*head, *self._ids(question)[:MAX_QUESTION], self._stop], len(head)

    def _read_facts(self, facts: tuple[str, ...]) -> Read:
        """All facts, from what is kept if they are the same."""
        if facts not in self._kept:
            ids = [[self._start, *self._ids(fact)[:MAX_FACT], self._stop] for fact in facts]
            padded, real = pad(ids)
            middle, last = self.encoder(padded, real, HALFWAY)
            self._kept[facts] = Read(middle, mean(last, real), real)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)

        self._kept.move_to_end(facts)
        return self._kept[facts]

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)


def mean(states: Tensor, chosen: Tensor) -> Tensor:
    """The mean of the chosen tokens, of length 1: (B, T, W), (B, T) → (B, W)."""
    summed = (states * chosen[..., None]).sum(1)
    return F.normalize(summed / chosen.sum(1, keepdim=True).clamp(min=1), dim=-1)


# ---- on disk ----


def load_encoder(folder: Path) -> tuple[Encoder, Tokenizer]:
    """The sentence encoder and its tokenizer out of the model store."""
    path = folder / "model.safetensors"
    sizes = EncoderSizes()
    tensors, _ = read_tensors(path)
    try:
        state = from_bert(tensors, sizes)
    except KeyError as missing:
        raise ModelError(f"{path} has no tensor {missing}. {FETCH_AGAIN}") from None

    with torch.device("meta"):
        encoder = Encoder(sizes)

    fill(encoder, state, path)
    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises bare exceptions
        raise ModelError(
            f"{folder / 'tokenizer.json'} is damaged or missing ({error}). {FETCH_AGAIN}"
        ) from None

    tokenizer.no_padding()
    tokenizer.no_truncation()
    return encoder, tokenizer


def begin_judge(encoder: Encoder) -> Judge:
    """Untrained: the encoder's upper layers, which decide nothing yet."""
    judge = Judge(encoder.sizes)
    judge.layers = copy.deepcopy(encoder.layers[HALFWAY:])
    return judge.requires_grad_(requires_grad=True)


def load_judge(path: Path, sizes: EncoderSizes) -> Judge:
    """The trained part out of its file."""
    tensors, _ = read_tensors(path)
    with torch.device("meta"):
        judge = Judge(sizes)

    fill(judge, from_int8(tensors), path)
    return judge


def save_judge(path: Path, judge: Judge, version: str) -> None:
    """Matrices of the layers as int8 with a scale a row, the rest as it is."""
    tensors: dict[str, Tensor] = {}
    for name, tensor in judge.state_dict().items():
        if name.startswith("layers.") and tensor.dim() == 2:
            tensors[name], tensors[f"{name}.scale"] = to_int8(tensor)
        else:
            tensors[name] = tensor

    write_whole(path, lambda part: save_file(contiguous(tensors), part, {"version": version}))
