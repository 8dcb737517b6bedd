"""Scenes that the reader has read, kept on disk for training: the reader never changes, so what it
keeps of a scene and of its turns is computed once and used for hours.

One file a scene: its prefix, and every turn once with its past. Keys, values and states are kept
in bfloat16, at the depths that a tower may look at. About 15 MB a scene.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor

from atonce.llm import prompting
from atonce.llm.corpus import Example, Pack, Scene, draw_scene
from atonce.llm.finder import Find
from atonce.llm.lessons import canonical_reply, lessons
from atonce.llm.model import Cache, KeyValue, Reader
from atonce.llm.protocols import Exchange, Found
from atonce.llm.tokenizer import Tokenizer
from atonce.llm.weights import write_whole
from atonce.llm.withholding import withhold_some

AT_ONCE = 12  # turns that are read in one batch
NOT_ASKED = Found(())


@dataclass(frozen=True, slots=True)
class ReadTurn:
    """One turn behind its scene's prefix."""

    ids: list[int]
    """Tokens of past turns, question and the head of the reply."""
    states: Tensor
    """What the reader had read at each but the last, (T, width)."""
    past: list[KeyValue]
    """Its keys and values, (1, kv_heads, T, head) each, one pair a depth."""
    question: str
    """What was asked."""
    history: list[tuple[str, str]]
    """Past questions and replies."""
    gold: list[int]
    """The facts that the reply rests on."""
    target: list[int]
    """Tokens of the canonical reply, without end mark."""
    found: Found = NOT_ASKED
    """Which facts answer, by finder.py: not stored, since a finder learns more often than a reader
    reads."""


@dataclass(frozen=True, slots=True)
class ReadScene:
    """A scene's prefix and all its turns."""

    facts: list[str]
    """All facts, in order."""
    ids: list[int]
    """Tokens of the prefix."""
    spans: list[tuple[int, int]]
    """First token and one past the last of every fact."""
    states: Tensor
    """What the reader had read at each, (P, width)."""
    past: list[KeyValue]
    """Its keys and values, one pair a depth."""
    turns: list[ReadTurn]
    """Every turn of the pack."""


def read_scene(
    scene: Scene, reader: Reader, tokenizer: Tokenizer, depths: Sequence[int], rng: Random
) -> ReadScene:
    """Read one scene: a prefix and some forty turns, the shortest turns first."""
    examples = list(lessons(scene, rng))
    pieces = [encode(tokenizer, [piece]) for piece in prompting.prefix(examples[0].prompt)]
    ends = list(accumulate(map(len, pieces)))
    spans = [(ends[i - 1], ends[i]) for i in prompting.facts(prompting.prefix(examples[0].prompt))]
    ids = [token for piece in pieces for token in piece]
    with torch.inference_mode():
        states, past = reader(torch.tensor([ids]))
        asked = [(encode_turn(tokenizer, example), example) for example in examples]
        asked.sort(key=lambda pair: len(pair[0]))
        turns = [
            turn
            for start in range(0, len(asked), AT_ONCE)
            for turn in read_turns(asked[start : start + AT_ONCE], reader, tokenizer, past, depths)
        ]

    facts = list(scene.facts)
    return ReadScene(facts, ids, spans, states[0].bfloat16(), small(past.at(depths).layers), turns)


def read_turns(
    asked: Sequence[tuple[list[int], Example]],
    reader: Reader,
    tokenizer: Tokenizer,
    prefix: Cache,
    depths: Sequence[int],
) -> Iterator[ReadTurn]:
    """Read some turns in one batch, padded on the right, which a causal reader does not see."""
    longest = max(len(ids) for ids, _ in asked) - 1
    batch = torch.tensor([(ids[:-1] + [0] * longest)[:longest] for ids, _ in asked])
    states, past = reader(batch, prefix)
    start = prefix.tokens
    for row, (ids, example) in enumerate(asked):
        length = len(ids) - 1
        own = [
            (
                k[row : row + 1, :, start : start + length],
                v[row : row + 1, :, start : start + length],
            )
            for k, v in past.at(depths).layers
        ]
        prompt = example.prompt
        yield ReadTurn(
            ids,
            states[row, :length].bfloat16(),
            small(own),
            prompt.question,
            [(past.question, past.reply) for past in prompt.history],
            list(example.gold),
            tokenizer.encode(f" {canonical_reply(example)}"),
        )


def encode_turn(tokenizer: Tokenizer, example: Example) -> list[int]:
    """Past turns and question as tokens."""
    past = (prompting.past_turn(exchange) for exchange in example.prompt.history)
    pieces = [piece for one in past for piece in one] + prompting.turn(example.prompt.question)
    return encode(tokenizer, pieces)


def encode(tokenizer: Tokenizer, pieces: Sequence[prompting.Piece]) -> list[int]:
    """Marks by their id, text as text."""
    return [
        token
        for piece in pieces
        for token in (
            [tokenizer.special(piece.value)]
            if isinstance(piece, prompting.Mark)
            else tokenizer.encode(piece)
        )
    ]


def small(layers: Sequence[KeyValue]) -> list[KeyValue]:
    """Keys and values at half the size, in memory of their own."""
    return [(k.bfloat16().clone(), v.bfloat16().clone()) for k, v in layers]


# ---- on disk ----


def fill_pool(
    folder: Path,
    packs: Sequence[Pack],
    reader: Reader,
    tokenizer: Tokenizer,
    depths: Sequence[int],
    *,
    draws: int,
) -> Iterator[str]:
    """Read every pack `draws` times, all of them once before the second draw; yields each name."""
    folder.mkdir(parents=True, exist_ok=True)
    for draw in range(draws):
        for pack in packs:
            path = folder / f"{pack.name}.{draw}.pt"
            if path.exists():
                continue

            rng = Random(f"{pack.name} {draw}")
            drawn = withhold_some(draw_scene(pack, rng), rng)
            scene = read_scene(drawn, reader, tokenizer, depths, rng)
            save_scene(path, scene, depths)
            yield path.stem


def save_scene(path: Path, scene: ReadScene, depths: Sequence[int]) -> None:
    """Write a scene so that its name only ever stands for a whole file."""
    plain: dict[str, Any] = {
        name: getattr(scene, name) for name in ("facts", "ids", "spans", "states")
    }
    plain["past"] = dict(zip(depths, scene.past, strict=True))
    plain["turns"] = [
        {name: getattr(turn, name) for name in ReadTurn.__slots__ if name not in ("past", "found")}
        | {"past": dict(zip(depths, turn.past, strict=True))}
        for turn in scene.turns
    ]
    write_whole(path, lambda part: torch.save(plain, part))


def load_scene(path: Path, depths: Sequence[int], find: Find) -> ReadScene:
    """A scene with what was kept at these depths, and with what is found for every turn."""
    plain: Mapping[str, Any] = torch.load(path, weights_only=True)
    turns = [
        ReadTurn(**{**turn, "past": [turn["past"][depth] for depth in depths]})
        for turn in plain["turns"]
    ]
    past = [plain["past"][depth] for depth in depths]
    scene = ReadScene(plain["facts"], plain["ids"], plain["spans"], plain["states"], past, turns)
    return search(scene, find)


def search(scene: ReadScene, find: Find) -> ReadScene:
    """The same, with what is found for every turn."""
    turns = [
        replace(
            turn, found=find(turn.question, scene.facts, [Exchange(*past) for past in turn.history])
        )
        for turn in scene.turns
    ]
    return replace(scene, turns=turns)
