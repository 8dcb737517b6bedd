"""The embedded engine: SmolLM2-135M reads the prompt once, the trained tower writes the reply.

Rule 1. What was read is kept by its content: the prefix of role and facts once for all prompts, the
        past turns while they stay the same; only the question is read anew.
Rule 2. Only the tower's vocabulary and the prompt's own tokens can be said, never a special token.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from atonce.config import models
from atonce.config.errors import EngineError, ModelError
from atonce.config.schema import LlmSettings
from atonce.llm import prompting
from atonce.llm.commit import Guess, Marks
from atonce.llm.model import Cache, score
from atonce.llm.protocols import Draft, Plan, Prompt, PromptCache, Writer
from atonce.llm.sampler import denoise
from atonce.llm.tokenizer import Tokenizer
from atonce.llm.weights import Card, load_base, load_writer

log = logging.getLogger(__name__)

SHIPPED_WRITER = Path(__file__).parent / "embedded" / "writer.safetensors"
"""The trained tower that comes with atonce."""

# Prefixes and talks kept at once; 400 tokens take 18 MB.
KEPT = 4
# A token and one for each neighbour that it must not repeat, and one in hand.
RANKS = 4


@dataclass(frozen=True, slots=True)
class ReadPrompt:
    """A prompt that was read."""

    ids: tuple[int, ...]
    """All its tokens."""
    past: Cache
    """What the reader kept of all but the last token, at the tower's depths."""
    sayable: tuple[int, ...]
    """Ids that the reply may hold, ascending."""
    rows: Tensor
    """Their rows of the embedding, (V, width)."""

    @property
    def tokens(self) -> int:
        """Length in tokens."""
        return len(self.ids)


class EmbeddedWriter:
    """Writes replies with the model that comes with atonce."""

    def __init__(
        self,
        gguf: Path,
        cache: Path,
        writer: Path = SHIPPED_WRITER,
        *,
        threads: int = 0,
        max_prompt: int | None = None,
    ) -> None:
        """gguf: SmolLM2-135M-Instruct, the file or its folder. cache: a folder for what is made
        of it. writer: the trained tower.

        threads: 0 leaves torch's own choice. max_prompt: tokens; None: the model's context.
        """
        if threads:
            torch.set_num_threads(threads)

        self._reader, self._tokenizer = load_base(gguf, cache)
        self._tower, self._vocabulary, self._card = load_writer(writer, self._reader.sizes)
        check_fit(self._card, self._vocabulary, self._tokenizer, writer)
        digits = (self._tokenizer.encode(digit)[0] for digit in "0123456789")
        self._marks = Marks(self._card.mask, self._card.end, frozenset(digits))
        self._max_prompt = max_prompt or self._reader.sizes.context - self._card.max_canvas
        self._kept: OrderedDict[tuple[int, ...], Cache] = OrderedDict()

    @classmethod
    def from_settings(cls, settings: LlmSettings) -> Self:
        """As the settings want it, from the store of model files."""
        cache = models.cache_folder() / "converted"
        return cls(models.folder("smollm2-135m"), cache, threads=settings.threads)

    @property
    def name(self) -> str:
        """Engine name as in the settings."""
        return "embedded"

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages it writes."""
        return self._card.languages

    @property
    def max_canvas(self) -> int:
        """Longest canvas it was trained on."""
        return self._card.max_canvas

    def encode(self, text: str) -> list[int]:
        """The tokens of a text, to pin it on a canvas."""
        return self._tokenizer.encode(prompting.encodable(text))

    @torch.inference_mode()
    def read(self, prompt: Prompt) -> ReadPrompt:
        """Read a prompt; what was read before of its beginning is not read again."""
        beginning, turns, turn = self._fit(prompt)
        past = self._read_kept(beginning)
        for past_turn in turns:
            beginning = beginning + past_turn

        past = self._read_kept(beginning) if turns else past
        ids = beginning + turn
        past = self._read_on(ids[past.tokens : -1], past)
        sayable = self._sayable(ids)
        rows = self._reader.embedding[torch.tensor(sayable)]
        return ReadPrompt(tuple(ids), past.at(self._tower.depths), tuple(sayable), rows)

    def write(
        self, cache: PromptCache, plan: Plan, *, given: Sequence[int | None] | None = None
    ) -> Iterator[Draft]:
        """Denoise one reply; see the protocol."""
        if not isinstance(cache, ReadPrompt):
            raise EngineError("the embedded writer was given a prompt that another engine read.")

        if plan.canvas > self.max_canvas:
            raise EngineError(
                f"a canvas of {plan.canvas} is too long: the embedded writer takes at most "
                f"{self.max_canvas} (llm.canvas, --canvas)."
            )

        if any(
            token is not None and not 0 <= token < self._tokenizer.size for token in given or ()
        ):
            raise EngineError("a pinned token is not in the embedded writer's vocabulary.")

        look = partial(self._look, cache)
        return denoise(look, plan, self._marks, self._tokenizer.pieces, given)

    @torch.inference_mode()
    def _look(self, prompt: ReadPrompt, canvas: Sequence[int]) -> list[Guess]:
        """One denoising step's guesses for the open positions."""
        ids = torch.tensor(canvas)[None]  # (1, L)
        last = torch.tensor(prompt.ids[-1:])
        states = self._tower(self._reader.embedding, last, ids, prompt.past)  # (1, L, width)
        logits = score(states[ids == self._card.mask], prompt.rows)  # (open, V)
        if not logits.isfinite().all():
            raise EngineError(
                "the embedded writer computed values that are not numbers; its weights may be "
                "damaged. Fetch them again with `atonce models fetch`."
            )

        odds = logits.softmax(-1)
        end = prompt.sayable.index(self._card.end)
        ended = raise_odds(odds[:, end], self._card.end_odds).tolist()
        odds[:, end] = 0
        confidences, ranks = odds.topk(min(RANKS, len(prompt.sayable)), -1)
        tokens = torch.tensor(prompt.sayable)[ranks]
        positions = [i for i, token in enumerate(canvas) if token == self._card.mask]
        return [
            Guess(i, tuple(row), tuple(sure), stop)
            for i, row, sure, stop in zip(
                positions, tokens.tolist(), confidences.tolist(), ended, strict=True
            )
        ]

    def _fit(self, prompt: Prompt) -> tuple[list[int], list[list[int]], list[int]]:
        """The tokens of prefix, past turns and question, made to fit: the oldest turns go first."""
        prefix = self._tokens(prompting.prefix(prompt))
        turns = [self._tokens(prompting.past_turn(exchange)) for exchange in prompt.history]
        turn = self._tokens(prompting.turn(prompt.question))
        room = self._max_prompt - len(prefix) - len(turn)
        if room < 0:
            raise EngineError(
                f"role and facts ({len(prefix)} tokens) and the question ({len(turn)}) are more "
                f"than the embedded writer reads ({self._max_prompt}): shorten agent.facts, or ask "
                "a shorter question."
            )

        kept = list(turns)
        while sum(map(len, kept)) > room:
            del kept[0]

        dropped = len(turns) - len(kept)
        if dropped:
            log.warning("the talk is too long to be read whole: %d oldest turns left out", dropped)

        return prefix, kept, turn

    def _tokens(self, pieces: Sequence[prompting.Piece]) -> list[int]:
        """Marks by their id, text as text."""
        ids: list[int] = []
        for piece in pieces:
            if isinstance(piece, prompting.Mark):
                ids.append(self._tokenizer.special(piece.value))
            else:
                ids += self._tokenizer.encode(piece)

        return ids

    def _read_kept(self, ids: Sequence[int]) -> Cache:
        """Read these tokens, from the longest beginning that is kept, and keep the result."""
        whole = tuple(ids)
        beginnings = [kept for kept in self._kept if kept == whole[: len(kept)]]
        known = max(beginnings, key=len, default=())
        past = self._read_on(ids[len(known) :], self._kept.get(known))
        self._kept[whole] = past
        self._kept.move_to_end(whole)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)

        return past

    def _read_on(self, ids: Sequence[int], past: Cache | None) -> Cache:
        """Read more tokens behind what was read."""
        if not ids and past is not None:
            return past

        _, cache = self._reader(torch.tensor(ids)[None], past)
        read: Cache = cache
        return read

    def _sayable(self, ids: Sequence[int]) -> list[int]:
        """What a reply to this prompt may hold: rule 2."""
        words = set(self._vocabulary.tolist()) | set(ids)
        return sorted((words - self._tokenizer.specials) | {self._card.end})


def raise_odds(probability: Tensor, factor: float) -> Tensor:
    """The probability whose odds are `factor` times as high."""
    raised = probability * factor
    return raised / (1 - probability + raised)


def check_fit(card: Card, vocabulary: Tensor, tokenizer: Tokenizer, path: Path) -> None:
    """Refuse a tower that was trained for another tokenizer."""
    if not {card.mask, card.end} <= tokenizer.specials:
        raise ModelError(
            f"{path}: its mask ({card.mask}) or end mark ({card.end}) is no special token of the "
            "reader's tokenizer; take the writer that came with atonce."
        )

    if (
        not len(vocabulary)
        or not 0 <= int(vocabulary.min()) <= int(vocabulary.max()) < tokenizer.size
    ):
        raise ModelError(f"{path}: its vocabulary is not one of the reader's tokenizer.")


_: type[Writer] = EmbeddedWriter
