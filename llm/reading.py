"""Reading prompts with the reader at all its depths, for writers that go on where it stopped.

Rule 1. What was read is kept by its content: the prefix of role and facts once for all prompts,
        the past turns while they stay the same; only the question is read anew.
Rule 2. The prompt's last token is not read: it is the first input of the reply.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from atonce.config.errors import EngineError
from atonce.llm import prompting
from atonce.llm.board import tell
from atonce.llm.clues import find_clues
from atonce.llm.finder import Find, find_by_words
from atonce.llm.model import Cache, Reader
from atonce.llm.pool import encode
from atonce.llm.protocols import Prompt
from atonce.llm.tokenizer import Tokenizer

log = logging.getLogger(__name__)

KEPT = 4
"""Prefixes and talks kept at once; 400 tokens take 18 MB in float32."""


@dataclass(frozen=True, slots=True)
class WholePrompt:
    """A prompt that was read at all depths."""

    ids: tuple[int, ...]
    """All its tokens."""
    past: Cache
    """What the reader kept of all but the last."""
    features: Tensor
    """What is told of each of these, (P, FEATURES): see clues.py."""

    @property
    def tokens(self) -> int:
        """Length in tokens."""
        return len(self.ids)


class PromptReader:
    """Reads prompts, and keeps what comes again."""

    def __init__(
        self, reader: Reader, tokenizer: Tokenizer, *, reply: int, find: Find = find_by_words
    ) -> None:
        """reply: tokens of the model's context that are left for the reply. find: what tells which
        facts answer."""
        self.reader, self.tokenizer, self._find = reader, tokenizer, find
        self._most = reader.sizes.context - reply
        self._end = tokenizer.special(prompting.Mark.END.value)
        self._kept: OrderedDict[tuple[int, ...], Cache] = OrderedDict()

    @torch.inference_mode()
    def read(self, prompt: Prompt) -> WholePrompt:
        """Read a prompt; what was read before of its beginning is not read again."""
        prefix, turns, turn = tokens_that_fit(self.tokenizer, prompt, self._most, "reader")
        past = self._read_kept(prefix)
        beginning = prefix + [token for past_turn in turns for token in past_turn]
        past = self._read_kept(beginning) if turns else past
        ids = beginning + turn
        if len(turn) > 1:
            _, past = self.reader(torch.tensor([turn[:-1]]), past)

        return WholePrompt(tuple(ids), past, self._features(prompt, ids, len(prefix)))

    def _features(self, prompt: Prompt, ids: Sequence[int], prefix: int) -> Tensor:
        """Which fact each token belongs to, and how well that fact answers."""
        spans = fact_spans(self.tokenizer, prompt)
        found = self._find(prompt.question, prompt.facts, prompt.history)
        clues = find_clues(ids, spans, prefix, found.scores, self._end, found.none)
        return tell(clues, 0).features[0]

    def _read_kept(self, ids: Sequence[int]) -> Cache:
        """Read these tokens, from the longest beginning that is kept, and keep the result."""
        whole = tuple(ids)
        beginnings = [kept for kept in self._kept if kept == whole[: len(kept)]]
        known = max(beginnings, key=len, default=())
        past = self._kept.get(known)
        if past is None or len(known) < len(whole):
            _, past = self.reader(torch.tensor([ids[len(known) :]]), past)

        self._kept[whole] = past
        self._kept.move_to_end(whole)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)

        return past


def tokens_that_fit(
    tokenizer: Tokenizer, prompt: Prompt, most: int, name: str
) -> tuple[list[int], list[list[int]], list[int]]:
    """The tokens of prefix, past turns and question, made to fit: the oldest turns go first.

    most: tokens that are read; name: who reads them. EngineError: they are more without any turn.
    """
    prefix = encode(tokenizer, prompting.prefix(prompt))
    turn = encode(tokenizer, prompting.turn(prompt.question))
    turns = [encode(tokenizer, prompting.past_turn(one)) for one in prompt.history]
    room = most - len(prefix) - len(turn)
    if room < 0:
        raise EngineError(
            f"role and facts ({len(prefix)} tokens) and the question ({len(turn)}) are more than "
            f"the {name} reads ({most}): shorten agent.facts, or ask a shorter question."
        )

    dropped = 0
    while sum(map(len, turns[dropped:])) > room:
        dropped += 1

    if dropped:
        log.warning("the talk is too long to be read whole: %d oldest turns left out", dropped)

    return prefix, turns[dropped:], turn


def fact_spans(tokenizer: Tokenizer, prompt: Prompt) -> list[tuple[int, int]]:
    """Where in the prefix each fact begins and ends, in tokens."""
    pieces = prompting.prefix(prompt)
    ends = list(accumulate(len(encode(tokenizer, [piece])) for piece in pieces))
    return [(ends[i - 1], ends[i]) for i in prompting.facts(pieces)]
