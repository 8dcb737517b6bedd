"""Training of the twin: the canonical reply, one token after the other, behind prompts that the
frozen reader has read.

Rule 1. What happens follows from the state on disk alone: adapter, optimiser, dice, the scenes in
        hand and the batches to come are saved together, so a killed run goes on as it would have.
Rule 2. A few scenes are in hand at a time, read at all depths; when their turns have been shown
        often enough, others are read. The reader's pool for the writer keeps half the depths only.
Rule 3. Everything is computed in bfloat16, the adapter and its optimiser in float32.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from atonce.llm import prompting
from atonce.llm.autoregressive import Decoder, write_together
from atonce.llm.board import tell
from atonce.llm.clues import FIRST, SECOND, Clues, find_clues
from atonce.llm.corpus import Example, Pack, draw_scene
from atonce.llm.finder import Find, find_by_words
from atonce.llm.lessons import canonical_reply, lessons
from atonce.llm.model import PRODUCTS, Cache, KeyValue, Reader
from atonce.llm.pool import encode, encode_turn
from atonce.llm.tokenizer import Tokenizer
from atonce.llm.twin import Adapter, beside, look
from atonce.llm.weights import write_whole

RATE = 1e-3  # of the low-rank changes
RELEVANCE_FASTER = 5.0  # what has to grow from nothing to about one learns so many times as fast
WARM_UP = 10  # steps
TURNS = 8  # a step
AT_ONCE = 12  # turns that are read in one batch
SCENES = 4  # in hand at a time
SHOWINGS = 2  # of every turn, before other scenes are taken
LONGEST = 48  # tokens of a reply
# An unknown turn counts so much of a grounded one: whole, one in seven of them drew earlier twins
# to refusing everything.
UNKNOWN_WEIGHT = 0.4
CLOSED = -1e9


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn behind its scene's prefix, read by the frozen reader."""

    last: int
    """The prompt's last token, the reply's first input."""
    past: list[KeyValue]
    """What the reader kept of the turn but its last token, (1, kv_heads, T, head) by depth."""
    features: Tensor
    """Clues of the whole prompt but its last token, (P + T, FEATURES)."""
    target: list[int]
    """Tokens of the canonical reply, end mark included."""
    example: Example
    """What it was made of."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A prefix that was read, and its turns, the shortest replies first."""

    past: list[KeyValue]
    """What the reader kept of the prefix, (1, kv_heads, P, head) by depth."""
    turns: list[Turn]
    """All of its turns."""

    @property
    def batches(self) -> list[list[int]]:
        """Numbers of turns that are learned from together: replies of about one length."""
        numbers = range(len(self.turns))
        return [list(numbers[start : start + TURNS]) for start in numbers[::TURNS]]


class TwinTrainer:
    """The state of one training run."""

    def __init__(
        self,
        reader: Reader,
        tokenizer: Tokenizer,
        adapter: Adapter,
        packs: Sequence[Pack],
        *,
        find: Find = find_by_words,
        rate: float = RATE,
        seed: int = 1,
    ) -> None:
        """reader: in bfloat16. adapter: as `begin` or a saved state left it. find: what tells
        which facts answer."""
        self.find = find
        self.reader, self.tokenizer, self.adapter = reader, tokenizer, adapter
        self.twin = beside(reader, adapter)
        self.packs = {pack.name: pack for pack in packs}
        self.rate, self.dice = rate, random.Random(seed)
        self.queue: list[str] = []  # scenes to come, "pack.draw"
        self.drawn = 0  # how often all packs were drawn
        self.scenes: dict[str, Scene] = {}
        self.waiting: list[tuple[str, list[int]]] = []
        self.step = self.turns = 0
        self.loss = [0.0, 0.0]  # summed, and tokens, since the last look
        low_rank = [w for name, w in adapter.named_parameters() if name != "relevance"]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": low_rank, "scale": 1.0},
                {"params": [adapter.relevance], "scale": RELEVANCE_FASTER},
            ],
            lr=rate,
            betas=(0.9, 0.98),
            weight_decay=0.0,
        )

    def learn(self, factor: float, say: Callable[[str], None]) -> None:
        """One step, its learning rate times the factor; reads other scenes where it must."""
        if not self.waiting:
            self.take_scenes(say)

        name, numbers = self.waiting.pop()
        scene = self.scenes[name]
        losses, weights = self.losses(scene, [scene.turns[number] for number in numbers])
        self.optimiser.zero_grad()
        ((losses * weights).sum() / weights.sum()).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.adapter.parameters(), 1.0)
        rate = self.rate * factor * min(1.0, (self.step + 1) / WARM_UP)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["scale"]

        self.optimiser.step()
        self.step += 1
        self.turns += len(numbers)
        counted = weights > 0
        self.loss[0] += float(losses.detach()[counted].sum())
        self.loss[1] += int(counted.sum())

    def losses(self, scene: Scene, turns: Sequence[Turn]) -> tuple[Tensor, Tensor]:
        """Loss in nats and weight of every reply token, (B, T); 0 behind the replies."""
        ids, full, weights = lay_out(turns)
        past, features, closed, positions = join(scene, turns, ids.shape[1])
        relevance = self.adapter.relevance

        def bias_of(depth: int) -> Tensor:
            return look(relevance[depth], features, closed).to(self.reader.norm.dtype)

        states, _ = self.twin.walk(ids, positions, past, bias_of)
        spoken = states[weights > 0]  # (N, width)
        logits = F.linear(spoken, self.reader.embedding).float()
        losses = torch.zeros_like(weights)
        losses[weights > 0] = F.cross_entropy(logits, full[weights > 0], reduction="none")
        return losses, weights

    # ---- scenes ----

    def take_scenes(self, say: Callable[[str], None]) -> None:
        """Read the next scenes, and draw in which order their turns are shown."""
        names = []
        for _ in range(min(SCENES, len(self.packs))):
            if not self.queue:
                self.queue = [f"{name}.{self.drawn}" for name in sorted(self.packs)]
                self.dice.shuffle(self.queue)
                self.drawn += 1

            names.append(self.queue.pop())

        self.scenes = {}
        for name in names:
            self.read(name)
            say(f"read {name}")

        shown = [(n, batch) for n, scene in self.scenes.items() for batch in scene.batches]
        for _ in range(SHOWINGS):
            self.dice.shuffle(shown)
            self.waiting += shown

    def read(self, name: str) -> None:
        """Draw a scene, which follows from its name, and read it."""
        pack, _, draw = name.rpartition(".")
        rng = random.Random(f"twin {pack} {draw}")
        scene = draw_scene(self.packs[pack], rng)
        examples = list(lessons(scene, rng))
        self.scenes[name] = read_scene(examples, self.reader, self.tokenizer, self.find)

    # ---- state ----

    def save(self, path: Path) -> None:
        """All of the state, in one file that is whole or not there."""
        state = {
            "adapter": self.adapter.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "dice": self.dice.getstate(),
            "queue": self.queue,
            "drawn": self.drawn,
            "scenes": list(self.scenes),
            "waiting": self.waiting,
            "step": self.step,
            "turns": self.turns,
        }
        write_whole(path, lambda part: torch.save(state, part))

    def load(self, path: Path) -> None:
        """Go on from a saved state; the scenes in hand are read again."""
        state: dict[str, Any] = torch.load(path, weights_only=True)
        self.adapter.load_state_dict(state["adapter"])
        self.optimiser.load_state_dict(state["optimiser"])
        version, numbers, gauss = state["dice"]
        self.dice.setstate((version, tuple(numbers), gauss))
        self.queue, self.drawn = state["queue"], state["drawn"]
        self.waiting = [(name, numbers) for name, numbers in state["waiting"]]
        self.step, self.turns = state["step"], state["turns"]
        self.scenes = {}
        for name in state["scenes"]:
            self.read(name)


def begin(adapter: Adapter, seed: int = 1) -> None:
    """The state before any training: no change of a product, and an eye on the two best facts."""
    dice = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for depth in range(adapter.sizes.layers):
            for change in (adapter.change(depth, product) for product in PRODUCTS):
                spread = change.narrow.shape[1] ** -0.5
                change.narrow.normal_(0.0, spread, generator=dice)
                change.widen.zero_()

        # On turns that nobody trains on, this alone took the untrained reader's loss of canonical
        # replies from 1.09 to 0.88 nats a token; 0.5, 1, 1.5 and 3 did less.
        adapter.relevance.zero_()
        adapter.relevance[:, :, FIRST], adapter.relevance[:, :, SECOND] = 2.0, 1.0


def greedy_replies(
    decoder: Decoder, scene: Scene, turns: Sequence[Turn], end: int
) -> list[list[int]]:
    """What the twin says in these turns, end marks left out; decoder: of the merged twin."""
    past, features, _, positions = join(scene, turns, 1)
    last = torch.tensor([turn.last for turn in turns])
    decoder.begin(past, features, LONGEST, rows=len(turns), lengths=positions[:, 0])
    return write_together(decoder, last, LONGEST, end)


# ---- reading ----


@torch.no_grad()
def read_scene(
    examples: Sequence[Example],
    reader: Reader,
    tokenizer: Tokenizer,
    find: Find = find_by_words,
) -> Scene:
    """Read a prefix once, and every turn behind it."""
    pieces = prompting.prefix(examples[0].prompt)
    tokens = [encode(tokenizer, [piece]) for piece in pieces]
    ends = list(accumulate(map(len, tokens)))
    spans = [(ends[i - 1], ends[i]) for i in prompting.facts(pieces)]
    prefix = [token for one in tokens for token in one]
    _, past = reader(torch.tensor([prefix]))
    asked = [(encode_turn(tokenizer, example), example) for example in examples]
    asked.sort(key=lambda pair: len(pair[0]))
    turns: list[Turn] = []
    for start in range(0, len(asked), AT_ONCE):
        some = asked[start : start + AT_ONCE]
        longest = max(len(ids) for ids, _ in some) - 1
        rows = torch.tensor([(ids[:-1] + [0] * longest)[:longest] for ids, _ in some])
        _, kept = reader(rows, past)
        for row, (ids, example) in enumerate(some):
            reach = slice(past.tokens, past.tokens + len(ids) - 1)
            own = [
                (k[row : row + 1, :, reach].clone(), v[row : row + 1, :, reach].clone())
                for k, v in kept.layers
            ]
            features = tell(clues_of(example, prefix, ids, spans, tokenizer, find), 0).features[0]
            end = tokenizer.special(prompting.Mark.END.value)
            # The blank makes the first word the token that it is in a fact, as the writer has it.
            target = [*tokenizer.encode(f" {canonical_reply(example)}"), end]
            turns.append(Turn(ids[-1], own, features, target, example))

    turns = [turn for turn in turns if len(turn.target) <= LONGEST]
    return Scene(list(past.layers), sorted(turns, key=lambda turn: len(turn.target)))


def clues_of(
    example: Example,
    prefix: list[int],
    ids: list[int],
    spans: Sequence[tuple[int, int]],
    tokenizer: Tokenizer,
    find: Find,
) -> Clues:
    """What is told of one turn."""
    prompt, end = example.prompt, tokenizer.special(prompting.Mark.END.value)
    found = find(prompt.question, prompt.facts, prompt.history)
    return find_clues(prefix + ids, spans, len(prefix), found.scores, end, found.none)


# ---- batches ----


def lay_out(turns: Sequence[Turn]) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, what is to follow each of them, and how much it counts, (B, T) each."""
    longest = max(len(turn.target) for turn in turns)
    ids, full, weights = [], [], []
    for turn in turns:
        rest = longest - len(turn.target)
        ids.append([turn.last, *turn.target[:-1], *[turn.last] * rest])
        full.append([*turn.target, *[turn.target[-1]] * rest])
        worth = UNKNOWN_WEIGHT if turn.example.is_unknown else 1.0
        weights.append([worth] * len(turn.target) + [0.0] * rest)

    return torch.tensor(ids), torch.tensor(full), torch.tensor(weights)


def join(scene: Scene, turns: Sequence[Turn], T: int) -> tuple[Cache, Tensor, Tensor, Tensor]:
    """Prefix and turns side by side, padded between the turn's end and the reply.

    Past (B, kv_heads, P, head) by depth, features (B, P, FEATURES), what is closed
    (B, 1, T, P + T), positions (B, T).
    """
    start = scene.past[0][0].shape[2]
    lengths = torch.tensor([turn.past[0][0].shape[2] for turn in turns])
    longest = int(lengths.max())

    def joined(depth: int, which: int) -> Tensor:
        own = [
            F.pad(turn.past[depth][which], (0, 0, 0, longest - turn.past[depth][which].shape[2]))
            for turn in turns
        ]
        prefix = scene.past[depth][which].expand(len(turns), -1, -1, -1)
        return torch.cat([prefix, torch.cat(own)], 2)

    past = Cache(tuple((joined(d, 0), joined(d, 1)) for d in range(len(scene.past))))
    P = start + longest
    features = torch.stack([F.pad(t.features, (0, 0, 0, P - len(t.features))) for t in turns])
    closed = torch.zeros(len(turns), 1, T, P + T)
    beyond = torch.arange(longest) >= lengths[:, None]  # (B, longest)
    closed[..., start:P].masked_fill_(beyond[:, None, None], CLOSED)
    closed[..., P:].masked_fill_(torch.ones(T, T, dtype=torch.bool).triu(1), CLOSED)
    positions = start + lengths[:, None] + torch.arange(T)[None]
    return past, features, closed, positions
