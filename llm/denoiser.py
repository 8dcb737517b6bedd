"""The embedded engine: SmolLM2-135M reads the prompt once, the trained tower writes the reply.

Rule 1. What was read is kept by its content: the prefix of role and facts once for all prompts, the
        past turns while they stay the same; only the question is read anew.
Rule 2. Only the tower's vocabulary and the prompt's own tokens can be said, never a special token.
Rule 3. Numbers are not in the vocabulary: they are copied from the prompt, see copying.py.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from atonce.config import models
from atonce.config.errors import EngineError, ModelError
from atonce.config.schema import LlmSettings
from atonce.llm import prompting
from atonce.llm.clues import KINDS, Clues, find_clues
from atonce.llm.commit import Guess, Marks
from atonce.llm.model import BEST, NONE, Cache, Reader, Told, Tower, score
from atonce.llm.protocols import Draft, Plan, Prompt, PromptCache, Writer
from atonce.llm.ranking import rank
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
class Known:
    """Tokens that were read, and what came of it."""

    past: Cache
    """What the reader keeps of them."""
    states: Tensor
    """What it had read at each of them, (P, width)."""


@dataclass(frozen=True, slots=True)
class ReadPrompt:
    """A prompt that was read."""

    ids: tuple[int, ...]
    """All its tokens."""
    past: Cache
    """What the reader kept of all but the last token, at the tower's depths."""
    sayable: tuple[int, ...]
    """Ids that the reply may hold, ascending."""
    clues: Clues
    """Which facts answer, and where they stand."""
    keys: Tensor
    """What a copied token is found by, (1, P, C)."""
    copies: Tensor
    """What is said when a prompt token is copied, (1, P)."""
    offsets: Tensor
    """Its place in its fact, (1, P)."""
    spoken: Tensor
    """Where the vocabulary stands in `sayable`, (vocabulary)."""
    targets: Tensor
    """Where each prompt token's copy stands in `sayable`, (P); behind its end: not to be said."""

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

        reader, tokenizer = load_base(gguf, cache)
        tower, vocabulary, card = load_writer(writer, reader.sizes)
        check_fit(card, vocabulary, tokenizer, writer)
        self._join(reader, tokenizer, tower, vocabulary, card, max_prompt)

    def _join(
        self,
        reader: Reader,
        tokenizer: Tokenizer,
        tower: Tower,
        vocabulary: Tensor,
        card: Card,
        max_prompt: int | None = None,
    ) -> None:
        """Put the parts together."""
        self._reader, self._tokenizer = reader, tokenizer
        self._tower, self._vocabulary, self._card = tower, vocabulary, card
        self._rows = reader.embedding[vocabulary]  # what the tower may always say
        digits = (tokenizer.encode(digit)[0] for digit in "0123456789")
        self._marks = Marks(card.mask, card.end, frozenset(digits))
        self._max_prompt = max_prompt or reader.sizes.context - card.max_canvas
        self._kept: OrderedDict[tuple[int, ...], Known] = OrderedDict()

    @classmethod
    def of(
        cls, reader: Reader, tokenizer: Tokenizer, tower: Tower, vocabulary: Tensor, card: Card
    ) -> Self:
        """Of parts that are loaded already, as training has them."""
        writer = cls.__new__(cls)
        writer._join(reader, tokenizer, tower, vocabulary, card)
        return writer

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
        known, prefix = self._read_kept(beginning), len(beginning)
        for past_turn in turns:
            beginning = beginning + past_turn

        known = self._read_kept(beginning) if turns else known
        ids = beginning + turn
        known = self._read_on(ids[known.past.tokens : -1], known)
        scores = rank(prompt.question, prompt.facts, prompt.history)
        clues = find_clues(ids, self._spans(prompt), prefix, scores, self._card.end)
        words = F.embedding(torch.tensor(ids[:-1]), self._reader.embedding)
        offsets = torch.tensor(clues.offsets)[None]
        keys = self._tower.copier.keys(known.states[None], words[None], offsets)
        sayable = self._sayable(clues.copies)
        place = {token: i for i, token in enumerate(sayable)}
        targets = torch.tensor([place.get(token, len(sayable)) for token in clues.copies])
        return ReadPrompt(
            ids=tuple(ids),
            past=known.past.at(self._tower.depths),
            sayable=tuple(sayable),
            clues=clues,
            keys=keys,
            copies=torch.tensor(clues.copies)[None],
            offsets=offsets,
            spoken=torch.searchsorted(torch.tensor(sayable), self._vocabulary),
            targets=targets,
        )

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
        told = tell(prompt.clues, len(canvas))
        states = self._tower(self._reader.embedding, last, ids, prompt.past, told=told)
        places = (ids == self._card.mask)[0].nonzero()[:, 0]  # (N), the open ones
        agreement = self._tower.copier.agree(ids, prompt.copies, prompt.offsets)[:, places]
        gate, copied = self._tower.copier(
            states[:, places], places[None], prompt.keys, told.features, agreement
        )
        odds = self._odds(prompt, states[0, places], gate[0], copied[0])  # (N, sayable)
        if not odds.isfinite().all():
            raise EngineError(
                "the embedded writer computed values that are not numbers; its weights may be "
                "damaged. Install atonce again, and run `atonce models fetch`."
            )

        end = prompt.sayable.index(self._card.end)
        ended = raise_odds(odds[:, end], self._card.end_odds).tolist()
        odds[:, end] = 0
        confidences, ranks = odds.topk(min(RANKS, len(prompt.sayable)), -1)
        tokens = torch.tensor(prompt.sayable)[ranks]
        return [
            Guess(i, tuple(row), tuple(sure), stop)
            for i, row, sure, stop in zip(
                places.tolist(), tokens.tolist(), confidences.tolist(), ended, strict=True
            )
        ]

    def _odds(self, prompt: ReadPrompt, states: Tensor, gate: Tensor, copied: Tensor) -> Tensor:
        """Probabilities of all that may be said: the vocabulary's and the copied, by the gate.

        states (N, width), gate (N, 1), copied (N, P).
        """
        share = gate.sigmoid()
        spoken = score(states, self._rows).softmax(-1) * (1 - share)  # (N, vocabulary)
        odds = torch.zeros(len(states), len(prompt.sayable) + 1)
        odds[:, prompt.spoken] = spoken
        targets = prompt.targets.expand(len(states), -1)
        odds.scatter_add_(1, targets, copied.softmax(-1) * share)
        return odds[:, :-1]

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

    def _spans(self, prompt: Prompt) -> list[tuple[int, int]]:
        """Where in the prefix each fact begins and ends."""
        pieces = prompting.prefix(prompt)
        ends = list(accumulate(len(self._tokens([piece])) for piece in pieces))
        return [(ends[i - 1], ends[i]) for i in prompting.facts(pieces)]

    def _read_kept(self, ids: Sequence[int]) -> Known:
        """Read these tokens, from the longest beginning that is kept, and keep the result."""
        whole = tuple(ids)
        beginnings = [kept for kept in self._kept if kept == whole[: len(kept)]]
        known = max(beginnings, key=len, default=())
        read = self._read_on(ids[len(known) :], self._kept.get(known))
        self._kept[whole] = read
        self._kept.move_to_end(whole)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)

        return read

    def _read_on(self, ids: Sequence[int], known: Known | None) -> Known:
        """Read more tokens behind what was read."""
        if not ids and known is not None:
            return known

        states, past = self._reader(torch.tensor(ids)[None], known.past if known else None)
        before = [known.states] if known else []
        return Known(past, torch.cat([*before, states[0]]))

    def _sayable(self, copies: Sequence[int]) -> list[int]:
        """What a reply to this prompt may hold: rule 2."""
        words = set(self._vocabulary.tolist()) | set(copies)
        return sorted((words - self._tokenizer.specials) | {self._card.end})


def tell(clues: Clues, canvas: int) -> Told:
    """The clues of one prompt as tensors, for a canvas of this length."""
    kinds = F.one_hot(torch.tensor(clues.kinds), KINDS).float()  # (P, KINDS)
    features = torch.cat([kinds, torch.tensor(clues.logs)[:, None]], 1)
    best = torch.full((BEST, canvas), NONE)
    for row, tokens in zip(best, clues.best, strict=False):
        row[: len(tokens)] = torch.tensor(tokens[:canvas])

    return Told(features[None], best[None], torch.tensor([clues.chances]))


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
