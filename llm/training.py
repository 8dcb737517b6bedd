"""Training of the tower: masked replies in, the canonical reply out. The reader stays as it is.

Rule 1. What happens follows from the state on disk alone: model, optimiser, dice and the turns to
        come are saved together, so a run that was killed goes on as if nothing had happened.
Rule 2. No clock decides what is learned, but for how fast: the learning rate's factor is given.
Rule 3. Every turn is shown in two views: mostly all masked, as at the first denoising step, and
        with some positions known.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from atonce.llm.batches import VIEWS, Batch, View, collate
from atonce.llm.clues import CANVAS
from atonce.llm.copying import read_out
from atonce.llm.finder import Find
from atonce.llm.model import Reader, Tower, score
from atonce.llm.pool import ReadScene, ReadTurn, load_scene
from atonce.llm.protocols import Found
from atonce.llm.weights import write_whole

ALL_MASKED = 0.75  # share of first views with every position open
# End marks behind the reply teach little; the writer's card names one over this as its end odds.
FILLER_WEIGHT = 0.25
CANVASES = (16, 24, 32, CANVAS)
LONGER = 0.2  # share of batches on a longer canvas than they need
TURN_TOKENS = 20  # a turn's usual canvas, by which batches are sized
GOLD_FORCED = 0.08  # share of turns whose right facts are put first, so that ranks are trusted
RATE = 4e-4  # of the layers
WARM_UP = 30  # steps
NEW_FASTER = 5.0  # what starts from nothing learns so many times as fast as the layers
IMPOSSIBLE = -30.0  # log probability of what can be neither said nor copied
BANDS = (1.0, 0.7, 0.4, 0.1)  # of the share of masks, for the report


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a run is made of."""

    rate: float = RATE
    """Learning rate of the layers."""
    turns: int = 8
    """Turns a worker takes a step."""
    workers: int = 2
    """Threads that compute gradients side by side, one processor core each."""
    seed: int = 1
    """Of all dice."""


@dataclass(slots=True)
class Report:
    """Loss by the share of masks since the last look."""

    sums: dict[float, float] = field(default_factory=dict)
    """Band to summed loss in nats."""
    counts: dict[float, float] = field(default_factory=dict)
    """Band to positions."""

    def add(self, share: float, loss: float, positions: float) -> None:
        """Count one view."""
        band = next((band for band in BANDS if share >= band), BANDS[-1])
        self.sums[band] = self.sums.get(band, 0.0) + loss
        self.counts[band] = self.counts.get(band, 0.0) + positions

    def __str__(self) -> str:
        """ "1: 0.52  0.7: ...": mean loss a position."""
        known = [band for band in BANDS if self.counts.get(band)]
        return "  ".join(f"{band:g}: {self.sums[band] / self.counts[band]:.2f}" for band in known)


class Trainer:
    """The state of one training run."""

    def __init__(
        self, tower: Tower, embedding: Tensor, vocabulary: Tensor, end: int, recipe: Recipe
    ) -> None:
        self.tower, self.embedding, self.recipe, self.end = tower, embedding, recipe, end
        self.vocabulary = vocabulary
        self.sayable = embedding[vocabulary]  # (V, width)
        self.index = torch.full((len(embedding),), -1)  # token → its row in the vocabulary
        self.index[vocabulary] = torch.arange(len(vocabulary))
        self.scenes: dict[str, ReadScene] = {}
        self.waiting: list[tuple[str, int]] = []
        self.dice = random.Random(recipe.seed)
        self.step = self.positions = 0
        self.report = Report()
        named = dict(tower.named_parameters())
        layers = [weight for name, weight in named.items() if name.startswith("layers.")]
        new = [weight for name, weight in named.items() if not name.startswith("layers.")]
        self.weights = layers + new
        self.optimiser = torch.optim.AdamW(
            [{"params": layers, "scale": 1.0}, {"params": new, "scale": NEW_FASTER}],
            lr=recipe.rate,
            betas=(0.9, 0.97),
            weight_decay=0.01,
        )

    def learn(self, factor: float) -> None:
        """One step, its learning rate times the factor."""
        batches = [self.draw_batch() for _ in range(self.recipe.workers)]
        gradients = self.spread(batches)
        for weight, *parts in zip(self.weights, *gradients, strict=True):
            weight.grad = torch.stack([p for p in parts if p is not None]).sum(0) / len(batches)

        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        rate = self.recipe.rate * factor * min(1.0, (self.step + 1) / WARM_UP)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["scale"]

        self.optimiser.step()
        self.step += 1
        self.positions += sum(
            len(view.canvas) for batch in batches for views in batch.views for view in views
        )

    def spread(self, batches: Sequence[Batch]) -> list[tuple[Tensor | None, ...]]:
        """Gradients of every batch, each computed by a thread of its own."""
        found: list[Any] = [None] * len(batches)

        def work(worker: int) -> None:
            # Two threads in one product wait for each other at every one of them; on a busy
            # machine that was measured at a fifth of the speed of two that work apart.
            if len(batches) > 1:
                torch.set_num_threads(1)

            try:
                found[worker] = self.gradients(batches[worker])
            except Exception as error:  # raised again below, in the thread that can end the run
                found[worker] = error

        threads = [Thread(target=work, args=(worker,)) for worker in range(len(batches))]
        for thread in threads:
            thread.start()

        for thread in threads:
            thread.join()

        for one in found:
            if isinstance(one, Exception):
                raise one

        return found

    def gradients(self, batch: Batch) -> tuple[Tensor | None, ...]:
        """Of the loss of one batch, by weight."""
        losses, weights = self.losses(batch)
        total = (losses * weights).sum() / weights.sum()
        with torch.no_grad():
            for row, view in enumerate(view for views in batch.views for view in views):
                words = weights[row] == 1
                self.report.add(view.share, float((losses[row] * words).sum()), float(words.sum()))

        return torch.autograd.grad(total, self.weights, allow_unused=True)

    def losses(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Loss in nats and weight of every position, (R, L)."""
        shown = collate(batch, self.tower, self.embedding, self.end)
        views = [view for of_turn in batch.views for view in of_turn]
        device = self.embedding.device
        canvas = torch.tensor([view.canvas for view in views], device=device)  # (R, L)
        full = torch.tensor([view.full for view in views], device=device)
        states = self.tower(
            self.embedding,
            shown.last,
            canvas,
            shown.past,
            positions=shown.positions(canvas.shape[1]),
            bias=F.pad(shown.closed, (0, canvas.shape[1])),
            told=shown.told,
        )
        places = torch.arange(canvas.shape[1], device=device)[None]
        keys = self.tower.copier.keys(shown.states, shown.words, shown.offsets)
        keys = keys.repeat_interleave(VIEWS, 0)
        agreement = self.tower.copier.agree(
            canvas, shown.copies, shown.offsets.repeat_interleave(VIEWS, 0)
        )
        gate, copied = self.tower.copier(states, places, keys, shown.told.features, agreement)
        copied = (copied + shown.closed[:, 0]).log_softmax(-1)  # (R, L, P)
        same = shown.copies[:, None, :] == full[:, :, None]
        copied = copied.masked_fill(~same, -1e4).logsumexp(-1).clamp(min=IMPOSSIBLE)
        said = score(states, self.sayable).log_softmax(-1)  # (R, L, V)
        index = self.index[full]
        said = said.gather(2, index.clamp(min=0)[..., None])[..., 0]
        said = torch.where(index >= 0, said, torch.tensor(IMPOSSIBLE, device=device))
        gate = gate[..., 0]
        losses = -torch.logaddexp(said + F.logsigmoid(-gate), copied + F.logsigmoid(gate))
        return losses, torch.tensor([view.weights for view in views], device=device)

    # ---- drawing ----

    def draw_batch(self) -> Batch:
        """The next turns that fit on one canvas, in two views each."""
        first = self.draw_turn()
        length = next(size for size in CANVASES if len(first[1].target) < size)
        turns = [first]
        while len(turns) < max(2, round(self.recipe.turns * TURN_TOKENS / length)):
            turn = self.draw_turn()
            if len(turn[1].target) < length:
                turns.append(turn)

        if self.dice.random() < LONGER:
            length = max(length, 32)

        return Batch(turns, [self.draw_views(turn.target, length) for _, turn, _ in turns])

    def draw_turn(self) -> tuple[ReadScene, ReadTurn, Found]:
        """Any turn of any scene; all of them come once before one comes again."""
        if not self.waiting:
            self.waiting = [
                (name, turn)
                for name in sorted(self.scenes)
                for turn in range(len(self.scenes[name].turns))
                if len(self.scenes[name].turns[turn].target) < CANVAS
            ]
            self.dice.shuffle(self.waiting)

        name, number = self.waiting.pop()
        scene = self.scenes[name]
        turn = scene.turns[number]
        found = turn.found
        if turn.gold and self.dice.random() < GOLD_FORCED:
            found = favour(found, turn.gold)

        return scene, turn, found

    def draw_views(self, target: Sequence[int], length: int) -> list[View]:
        """Two masked canvases of one reply."""
        all_masked = self.dice.random() < ALL_MASKED
        shares = [1.0 if all_masked else self.dice.uniform(0.7, 1), self.dice.uniform(0.1, 0.9)]
        return [self.draw_view(target, length, share) for share in shares]

    def draw_view(self, target: Sequence[int], length: int, share: float) -> View:
        """Every position open with this chance; end marks behind the first share its fate."""
        size = len(target) + 1
        is_open = [self.dice.random() < share for _ in range(size)]
        if not any(is_open):
            is_open[self.dice.randrange(size)] = True

        is_open += [is_open[-1]] * (length - size)
        full = [*target, *[self.end] * (length - len(target))]
        worth = [1.0] * size + [FILLER_WEIGHT] * (length - size)
        canvas = [self.tower.mask if o else token for o, token in zip(is_open, full, strict=True)]
        return View(canvas, full, [w * o for w, o in zip(worth, is_open, strict=True)], share)

    # ---- state ----

    def load_pool(self, folder: Path, find: Find) -> None:
        """Take what has been read so far; new scenes come in when all turns have been shown.

        find: what tells which facts answer, as at run time.
        """
        for path in sorted(folder.glob("*.pt")):
            if path.stem not in self.scenes:
                self.scenes[path.stem] = load_scene(path, self.tower.depths, find)

    def save(self, path: Path) -> None:
        """All of the state, in one file that is whole or not there."""
        state = {
            "tower": self.tower.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "dice": self.dice.getstate(),
            "waiting": self.waiting,
            "step": self.step,
            "positions": self.positions,
            "depths": self.tower.depths,
            "vocabulary": self.vocabulary,
        }
        write_whole(path, lambda part: torch.save(state, part))

    def load(self, path: Path) -> None:
        """Go on from a saved state."""
        state = torch.load(path, weights_only=True, map_location=self.embedding.device)
        self.tower.load_state_dict(state["tower"])
        self.optimiser.load_state_dict(state["optimiser"])
        version, numbers, gauss = state["dice"]
        self.dice.setstate((version, tuple(numbers), gauss))
        self.waiting = [(name, turn) for name, turn in state["waiting"]]
        self.step, self.positions = state["step"], state["positions"]


def favour(found: Found, facts: Sequence[int]) -> Found:
    """As if these facts had been found, and not none."""
    scores = list(found.scores)
    for fact in facts:
        scores[fact] = max(scores) + 0.3

    return Found(tuple(scores))


def begin(tower: Tower, reader: Reader) -> None:
    """The state before any training: the reader's layers, and reading out the best fact."""
    with torch.no_grad():
        for layer, depth in zip(tower.layers, tower.depths, strict=True):
            layer.load_state_dict(reader.layers[depth].state_dict())

        tower.norm.copy_(reader.norm)
        tower.mask_embedding.copy_(reader.embedding.mean(0))
        tower.draft_scale[0].fill_(0.3)

    read_out(tower.copier)
