"""The embedded engine: SmolLM2-135M reads the prompt once, the trained tower writes the reply.

Rule 1. What was read is kept by its content: the prefix of role and facts once for all prompts, the
        past turns while they stay the same; only the question is read anew.
Rule 2. Only the tower's vocabulary and the prompt's own tokens can be said, never a special token.
Rule 3. Numbers are not in the vocabulary: they are copied from the prompt, see copying.py.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from atonce.config import models
from atonce.config.errors import EngineError, ModelError
from atonce.config.schema import LlmSettings
from atonce.llm import prompting
from atonce.llm.board import Board, Head, ReadPrompt, tell
from atonce.llm.clues import find_clues
from atonce.llm.commit import Guess, Marks
from atonce.llm.encoder import pad
from atonce.llm.finder import Find, Finder, find_by_words
from atonce.llm.gaze import SHIPPED_GAZE, Gaze, Watch, load_gaze
from atonce.llm.joining import parts_of, write_parts
from atonce.llm.leading import told
from atonce.llm.leaning import needed
from atonce.llm.model import Cache, Reader, Tower
from atonce.llm.pace import Cost, Meter
from atonce.llm.precision import is_narrow, lay_out, to_bfloat16
from atonce.llm.proofreading import Opinion, Proofreader, Read, opinion_of
from atonce.llm.protocols import Draft, Plan, Prompt, PromptCache, Writer
from atonce.llm.reading import fact_spans, tokens_that_fit
from atonce.llm.rows import MOST_ROWS, Asked, Denoiser, Rows
from atonce.llm.sampler import denoise
from atonce.llm.sayable import held_by, is_value, sayable, word_of
from atonce.llm.tokenizer import Tokenizer
from atonce.llm.weights import Card, load_base, load_writer

SHIPPED_WRITER = Path(__file__).parent / "embedded" / "writer.safetensors"
"""The trained tower that comes with atonce."""

# Prefixes and talks kept at once; 400 tokens take 18 MB.
KEPT = 4
# Of two idle cores of 2.5 GHz; the first step shows how far this machine is from it.
FIRST_COST = Cost(step_s=0.006, position_s=0.0009)


@dataclass(frozen=True, slots=True)
class Known:
    """Tokens that were read, and what came of it."""

    past: Cache
    """What the reader keeps of them."""
    states: Tensor
    """What it had read at each of them, (P, width)."""


class EmbeddedWriter:
    """Writes replies with the model that comes with atonce."""

    def __init__(
        self,
        gguf: Path,
        cache: Path,
        writer: Path = SHIPPED_WRITER,
        *,
        find: Find = find_by_words,
        gaze: Gaze | None = None,
        precision: str = "float32",
        threads: int = 0,
        max_prompt: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """gguf: SmolLM2-135M-Instruct, the file or its folder. cache: a folder for what is made
        of it. writer: the trained tower. find: what tells which facts answer. gaze: what tells
        it from where the reader looks; None: nobody looks.
        precision: in which it multiplies, see precision.py.

        threads: 0 leaves torch's own choice. max_prompt: tokens; None: the model's context. clock:
        the one that deadlines are on, seconds.
        """
        if threads:
            torch.set_num_threads(threads)

        reader, tokenizer = load_base(gguf, cache)
        tower, vocabulary, card = load_writer(writer, reader.sizes)
        check_fit(card, vocabulary, tokenizer, writer)
        if is_narrow(precision):
            to_bfloat16([*reader.layers, *tower.layers])
        else:
            lay_out(tower.layers)  # the reader's weights stay in their file, mapped into memory

        self._join(reader, tokenizer, tower, vocabulary, card, find, gaze, max_prompt, clock)

    def _join(
        self,
        reader: Reader,
        tokenizer: Tokenizer,
        tower: Tower,
        vocabulary: Tensor,
        card: Card,
        find: Find = find_by_words,
        gaze: Gaze | None = None,
        max_prompt: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Put the parts together."""
        self._reader, self._tokenizer = reader, tokenizer
        self._tower, self._vocabulary, self._card = tower, vocabulary, card
        self._find, self._gaze = find, gaze
        spoken = reader.embedding[vocabulary]  # what the tower may always say
        self._head = Head(tower, spoken, card.end, card.end_odds)
        self._words = set(vocabulary.tolist())
        texts = {token: self._text(token) for token in self._words}
        self._values = {token: word_of(text) for token, text in texts.items() if is_value(text)}
        digits = (tokenizer.encode(digit)[0] for digit in "0123456789")
        self._marks = Marks(card.mask, card.end, frozenset(digits))
        self._max_prompt = max_prompt or reader.sizes.context - card.max_canvas
        self._kept: OrderedDict[tuple[int, ...], Known] = OrderedDict()
        self._board: Board | None = None
        self._meter, self._clock = Meter(FIRST_COST), clock

    @classmethod
    def of(
        cls,
        reader: Reader,
        tokenizer: Tokenizer,
        tower: Tower,
        vocabulary: Tensor,
        card: Card,
        find: Find = find_by_words,
        gaze: Gaze | None = None,
    ) -> Self:
        """Of parts that are loaded already, as training has them."""
        writer = cls.__new__(cls)
        writer._join(reader, tokenizer, tower, vocabulary, card, find, gaze)
        return writer

    @classmethod
    def from_settings(cls, settings: LlmSettings, writer: Path = SHIPPED_WRITER) -> Self:
        """As the settings want it, from the store of model files. writer: the trained tower."""
        cache = models.cache_folder() / "converted"
        finder = Finder.load(models.folder("minilm"), precision=settings.precision)
        return cls(
            models.folder("smollm2-135m"),
            cache,
            writer,
            find=finder.find,
            gaze=load_gaze(SHIPPED_GAZE),
            precision=settings.precision,
            threads=settings.threads,
        )

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
        found = self._find(prompt.question, prompt.facts, prompt.history)
        beginning, turns, turn = self._fit(needed(prompt, found))
        known, prefix = self._read_kept(beginning), len(beginning)
        for past_turn in turns:
            beginning = beginning + past_turn

        known = self._read_kept(beginning) if turns else known
        ids = beginning + turn
        spans, end = fact_spans(self._tokenizer, prompt), self._card.end
        if self._gaze is None or not spans:
            known = self._read_on(ids[known.past.tokens : -1], known)
        else:
            watch = Watch(spans)
            known = self._read_on(ids[known.past.tokens : -1], known, watch)
            found = self._gaze.weigh(found, watch.logs, watch.state)

        clues, *more = (
            find_clues(ids, spans, prefix, one.scores, end, one.none)
            for one in told(prompt.question, found)
        )
        words = F.embedding(torch.tensor(ids[:-1]), self._reader.embedding)
        offsets, copies = torch.tensor(clues.offsets)[None], torch.tensor(clues.copies)
        keys = self._tower.copier.keys(known.states[None], words[None], offsets)
        choices = torch.tensor(self._sayable(clues.copies))
        read = ReadPrompt(
            ids=tuple(ids),
            past=known.past.at(self._tower.depths),
            choices=choices,
            found=found,
            clues=clues,
            features=tell(clues, 0).features,
            keys=keys,
            copies=copies[None],
            offsets=offsets,
            spoken=places_in(choices, self._vocabulary),
            targets=places_in(choices, copies),
        )
        second = [replace(read, clues=one, features=tell(one, 0).features) for one in more]
        return replace(read, second=second[0]) if second else read

    @torch.inference_mode()
    def likelihoods(
        self, prompt: Prompt, beginning: Sequence[int], endings: Sequence[Sequence[int]]
    ) -> list[float]:
        """The logarithms of how likely the reader alone finds it that a reply goes on so; all
        endings side by side, padded behind, where a causal reader does not see it."""
        before, turn = self._fitted(prompt)
        told = [*turn, *beginning]
        known = self._read_on(told[:-1], self._read_kept(before))
        rows, _ = pad([[told[-1], *one] for one in endings])
        states, _ = self._reader(rows[:, :-1], known.past)
        return [
            float(self._log_odds(read[: len(one)], one).sum())
            for one, read in zip(endings, states, strict=True)
        ]

    @torch.inference_mode()
    def opinion(self, prompt: Prompt, reply: str) -> Opinion:
        """What the reader alone thinks of a finished reply: one pass over question and reply."""
        tokens = self.encode(reply)
        beginning, turn = self._fitted(prompt)
        likelihoods = self._likelihoods(beginning, turn, tokens).tolist()
        texts = self._tokenizer.pieces(tokens)
        return opinion_of(
            [Read(*read) for read in zip(texts, tokens, likelihoods, strict=True)],
            {*beginning, *turn},
        )

    def _fitted(self, prompt: Prompt) -> tuple[list[int], list[int]]:
        """The tokens of all that comes before the question, and of the question."""
        beginning, turns, turn = self._fit(prompt)
        return beginning + [token for past in turns for token in past], turn

    def _likelihoods(
        self, beginning: Sequence[int], turn: Sequence[int], reply: Sequence[int]
    ) -> Tensor:
        """The logarithm of how likely the reader finds each token of a reply, (reply)."""
        known = self._read_kept(beginning)
        read = self._read_on([*turn, *reply], known).states[-len(reply) - 1 : -1]
        return self._log_odds(read, reply)

    def _log_odds(self, states: Tensor, said: Sequence[int]) -> Tensor:
        """How likely each token is by the state before it, (said); states (said, width)."""
        odds = F.linear(states, self._reader.embedding).log_softmax(-1)  # (said, all tokens)
        return odds.gather(1, torch.tensor(said)[:, None])[:, 0]

    def write(
        self, cache: PromptCache, plan: Plan, *, given: Sequence[int | None] | None = None
    ) -> Iterator[Draft]:
        """Denoise one reply; see the protocol. One that begins with pins has one part."""
        if given is not None:
            return denoise(self.rows(most=1), cache, plan, given)

        return write_parts(self.rows(most=len(parts_of(cache))), cache, plan, most=self.max_canvas)

    def rows(self, *, most: int = MOST_ROWS) -> Rows:
        """Rows to be written together; most: in one pass."""
        return Rows(self, self._meter, clock=self._clock, most=most)

    @property
    def marks(self) -> Marks:
        """The tokens that mean something to the commit rules."""
        return self._marks

    def check(self, prompt: PromptCache, plan: Plan, given: Sequence[int | None]) -> None:
        """Refuse what it cannot write."""
        if not isinstance(prompt, ReadPrompt):
            raise EngineError("the embedded writer was given a prompt that another engine read.")

        if plan.canvas > self.max_canvas:
            raise EngineError(
                f"a canvas of {plan.canvas} is too long: the embedded writer takes at most "
                f"{self.max_canvas} (llm.canvas, --canvas)."
            )

        if any(token is not None and not 0 <= token < self._tokenizer.size for token in given):
            raise EngineError("a pinned token is not in the embedded writer's vocabulary.")

    @torch.inference_mode()
    def look(self, rows: Sequence[Asked]) -> list[list[Guess] | None]:
        """One pass for all rows; see the protocol. Rows that ask the same are looked at once, as
        plans with another K do at their first step."""
        asked = [(id(row.prompt), tuple(row.canvas)) for row in rows]
        alone = list(dict(zip(asked, rows, strict=True)).values())
        prompts = [read_here(row.prompt) for row in alone]
        board = self._board_for(prompts, [len(row.canvas) for row in alone])
        states = board.states([row.canvas for row in alone])
        guesses = [
            self._head.guesses(prompt, of_row, row.canvas)
            for prompt, of_row, row in zip(prompts, states, alone, strict=True)
        ]
        seen = dict(zip(dict.fromkeys(asked), guesses, strict=True))
        return [seen[one] for one in asked]

    def spell(self, tokens: Sequence[int | None]) -> list[str]:
        """What each token adds to the text."""
        return self._tokenizer.pieces(tokens)

    def _board_for(self, prompts: Sequence[ReadPrompt], lengths: Sequence[int]) -> Board:
        """The board of these rows, which mostly are those of the step before."""
        if self._board is None or not self._board.is_for(prompts, lengths):
            self._board = Board(self._tower, self._reader.embedding, prompts, lengths)

        return self._board

    def _fit(self, prompt: Prompt) -> tuple[list[int], list[list[int]], list[int]]:
        """The tokens of prefix, past turns and question, made to fit."""
        return tokens_that_fit(self._tokenizer, prompt, self._max_prompt, "embedded writer")

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

    def _read_on(
        self, ids: Sequence[int], known: Known | None, watch: Watch | None = None
    ) -> Known:
        """Read more tokens behind what was read; watch: who looks on."""
        if not ids and known is not None:
            return known

        states, past = self._reader(torch.tensor(ids)[None], known.past if known else None, watch)
        before = [known.states] if known else []
        return Known(past, torch.cat([*before, states[0]]))

    def _sayable(self, copies: Sequence[int]) -> list[int]:
        """What a reply to this prompt may hold: rule 2."""
        own = set(copies)
        held = held_by(self._text(token) for token in own)
        others = self._tokenizer.specials - {self._card.end}
        words = self._words | {self._card.end}
        return sayable(words, own, values=self._values, held=held, specials=others)

    def _text(self, token: int) -> str:
        """A token's text by itself."""
        return self._tokenizer.spell(token).decode(errors="replace")


def places_in(choices: Tensor, ids: Tensor) -> Tensor:
    """Where each id stands in `choices`, which ascend; behind their end: not among them."""
    places = torch.searchsorted(choices, ids).clamp(max=len(choices) - 1)
    return torch.where(choices[places] == ids, places, len(choices))


def read_here(prompt: PromptCache) -> ReadPrompt:
    """A prompt of this engine's, as `check` has made sure."""
    assert isinstance(prompt, ReadPrompt)
    return prompt


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
__: type[Denoiser] = EmbeddedWriter
___: type[Proofreader] = EmbeddedWriter
