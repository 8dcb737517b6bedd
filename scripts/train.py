"""Train the embedded writer; stop it at any time, it goes on where it was.

usage: scripts/train [--minutes N] [--steps N] [--finish] [--rate R] [--fresh] [--draws N]
                     [--check N] [--export FILE]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from random import Random
from threading import Thread

import torch

from atonce.config import models
from atonce.llm.corpus import Example, load_packs
from atonce.llm.denoiser import SHIPPED_WRITER, EmbeddedWriter
from atonce.llm.evaluation import HEAD, draw_turns, line, shares, write_all
from atonce.llm.finder import Find, Finder
from atonce.llm.lessons import spoken_pieces
from atonce.llm.model import Reader, Tower
from atonce.llm.pool import fill_pool
from atonce.llm.protocols import Plan
from atonce.llm.tokenizer import Tokenizer
from atonce.llm.training import FILLER_WEIGHT, RATE, Recipe, Report, Trainer, begin
from atonce.llm.weights import Card, load_base, load_writer, save_writer

CORPUS = Path(__file__).parents[1] / "corpus"
DEPTHS = (0, 8, 13, 20, 24, 29)  # of the reader: six layers, spread out
# What the pool keeps: depths that matter most, so that another choice needs no new reading.
POOL_DEPTHS = (0, 1, 2, 8, 9, 13, 18, 20, 21, 22, 23, 24, 27, 28, 29)
MASK, END = 16, 2
SAVE_EVERY_S, SHOW_EVERY_S, CHECK_EVERY_S = 150, 45, 900
ENOUGH = 8  # scenes to begin with, while others are still being read
LOWEST = 0.04  # of the learning rate, at the end of a run that finishes


def main() -> int:
    """Train until the time is over."""
    parser = argparse.ArgumentParser(description="Train the embedded writer.")
    add = parser.add_argument
    add("--minutes", type=float, default=8.0, help="how long, beginning now")
    add("--steps", type=int, metavar="N", help="end at this step, if the time is not over before")
    add("--finish", action="store_true", help="let the learning rate fall to its end in this time")
    add("--rate", type=float, default=RATE, help="learning rate of the layers")
    add("--fresh", action="store_true", help="where nothing is saved, begin untrained")
    add("--draws", type=int, default=2, help="scenes drawn of every pack")
    add("--check", type=int, default=60, metavar="N", help="dev turns of a score; 0: none")
    add("--export", type=Path, metavar="FILE", help="write the writer there at the end")
    args = parser.parse_args()
    folder = models.cache_folder() / "training"
    folder.mkdir(parents=True, exist_ok=True)
    # One core a worker, and none for waiting on each other: see Trainer.spread.
    torch.set_num_threads(1)
    models.ensure(["smollm2-135m", "minilm"], print)
    reader, tokenizer = load_base(
        models.folder("smollm2-135m"), models.cache_folder() / "converted"
    )
    trainer = prepare(reader, tokenizer, folder / "state.pt", args)
    find = Finder.load(models.folder("minilm")).find
    read_in_background(folder / "pool", args.draws)
    run(trainer, reader, tokenizer, find, folder, args)
    if args.export:
        card = card_of(trainer)
        save_writer(args.export, trainer.tower.cpu(), trainer.vocabulary.cpu(), card)
        print(f"wrote {args.export}, {args.export.stat().st_size / 1e6:.1f} MB", flush=True)

    return 0


def prepare(reader: Reader, tokenizer: Tokenizer, state: Path, args: argparse.Namespace) -> Trainer:
    """The trainer as it was saved; else from the shipped writer, or from the reader's layers."""
    gpu = torch.cuda.is_available()
    device = torch.device("cuda" if gpu else "cpu")
    vocabulary = spoken(tokenizer)
    tower = Tower(reader.sizes, DEPTHS, MASK)
    begin(tower, reader)
    if SHIPPED_WRITER.exists() and not args.fresh:
        tower.load_state_dict(load_writer(SHIPPED_WRITER, reader.sizes)[0].state_dict())

    recipe = Recipe(args.rate, workers=1, turns=64) if gpu else Recipe(args.rate)
    trainer = Trainer(
        tower.to(device), reader.embedding.to(device), vocabulary.to(device), END, recipe
    )
    if state.exists():
        trainer.load(state)
        print(f"going on from step {trainer.step}", flush=True)

    return trainer


def spoken(tokenizer: Tokenizer) -> torch.Tensor:
    """What may be said without being copied: words of the packs' own replies, and no digit."""
    tokens = {END}
    for piece in spoken_pieces(load_packs(CORPUS / "train")):
        tokens |= {*tokenizer.encode(piece), *tokenizer.encode(f" {piece.strip()}")}

    return torch.tensor(
        [t for t in sorted(tokens) if not any(c.isdigit() for c in tokenizer.decode([t]))]
    )


def read_in_background(pool: Path, draws: int) -> None:
    """Let the reader read scenes that are not in the pool, beside the training."""

    def work() -> None:
        torch.set_num_threads(1)
        packs = list(load_packs(CORPUS / "train"))
        Random(3).shuffle(packs)
        reader, tokenizer = load_base(
            models.folder("smollm2-135m"), models.cache_folder() / "converted"
        )
        for name in fill_pool(pool, packs, reader, tokenizer, POOL_DEPTHS, draws=draws):
            print(f"read {name}", flush=True)

    Thread(target=work, daemon=True).start()


def run(
    trainer: Trainer,
    reader: Reader,
    tokenizer: Tokenizer,
    find: Find,
    folder: Path,
    args: argparse.Namespace,
) -> None:
    """Step after step until the time is over; shows, saves and checks now and then."""
    start, first = time.monotonic(), trainer.step
    end = start + args.minutes * 60
    examples = draw_turns(load_packs(CORPUS / "dev"), args.check)
    shown, saved, checked = Every(SHOW_EVERY_S), Every(SAVE_EVERY_S), Every(CHECK_EVERY_S)
    before = trainer.positions
    last = args.steps if args.steps is not None else float("inf")
    while (now := time.monotonic()) < end and trainer.step < last:
        if not trainer.waiting or trainer.step == first:
            trainer.load_pool(folder / "pool", find)
            if len(trainer.scenes) < ENOUGH:
                time.sleep(2)
                continue

        left = (end - now) / (end - start)
        trainer.learn(max(LOWEST, left) if args.finish else 1.0)
        if waited := shown.is_due():
            show(trainer, (trainer.positions - before) / waited, end - time.monotonic())
            before = trainer.positions

        if saved.is_due():
            trainer.save(folder / "state.pt")

        if checked.is_due():
            check(trainer, reader, tokenizer, find, examples)

    if trainer.step > first:
        trainer.save(folder / "state.pt")

    check(trainer, reader, tokenizer, find, examples)


class Every:
    """Something that is done from time to time."""

    def __init__(self, period_s: float) -> None:
        self.period_s, self.last = period_s, time.monotonic()

    def is_due(self) -> float:
        """Seconds since it was due last, if it is due again; else 0."""
        waited = time.monotonic() - self.last
        if waited < self.period_s:
            return 0.0

        self.last = time.monotonic()
        return waited


def show(trainer: Trainer, speed: float, left_s: float) -> None:
    """One line on how it goes; the loss is of the steps since the last one."""
    print(
        f"step {trainer.step}  {speed:.0f} positions/s  {len(trainer.scenes)} scenes  "
        f"loss {trainer.report}  {left_s / 60:.0f} min left",
        flush=True,
    )
    trainer.report = Report()


def check(
    trainer: Trainer,
    reader: Reader,
    tokenizer: Tokenizer,
    find: Find,
    examples: Sequence[Example],
) -> None:
    """Score some development turns through the run-time path."""
    if not examples:
        return

    writer = EmbeddedWriter.of(
        reader, tokenizer, trainer.tower.cpu(), trainer.vocabulary.cpu(), card_of(trainer), find
    )
    written = defaultdict(list)
    for plan, one in write_all(writer, examples, [Plan(2, 32), Plan(8, 32)]):
        written[plan.steps].append(one)

    print(HEAD)
    for steps, of_steps in written.items():
        print(line(f"dev K={steps}", shares(of_steps)), flush=True)

    trainer.tower.to(trainer.embedding.device)


def card_of(trainer: Trainer) -> Card:
    """What the writer file says of itself."""
    return Card(
        version=f"2.{trainer.step}",
        depths=trainer.tower.depths,
        mask=MASK,
        end=END,
        end_odds=1 / FILLER_WEIGHT,
    )


if __name__ == "__main__":
    sys.exit(main())
