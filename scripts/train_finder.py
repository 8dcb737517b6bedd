"""Train the finder's judge; stop it at any time, it goes on where it was.

usage: scripts/train_finder [--minutes N] [--steps N] [--finish] [--rate R] [--fresh]
                            [--export FILE]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import torch

from atonce.config import models
from atonce.llm.corpus import Example, Scene, draw_example, draw_scene, load_packs
from atonce.llm.finder import SHIPPED_FINDER, Finder, begin_judge, load_encoder, save_judge
from atonce.llm.finder_training import RATE, FinderTrainer, fair, measure

CORPUS = Path(__file__).parents[1] / "corpus"
SHOW_EVERY_S, SAVE_EVERY_S, CHECK_EVERY_S = 30, 60, 240
DRAWS = 2  # dev scenes of every pack
LOWEST = 0.04  # of the learning rate, at the end of a run that finishes


def main() -> int:
    """Train until the time is over."""
    parser = argparse.ArgumentParser(description="Train the judge of the finder.")
    add = parser.add_argument
    add("--minutes", type=float, default=8.0, help="how long, beginning now")
    add("--steps", type=int, metavar="N", help="end at this step, if the time is not over before")
    add("--finish", action="store_true", help="let the learning rate fall to its end in this time")
    add("--rate", type=float, default=RATE, help="learning rate of the layers")
    add("--fresh", action="store_true", help="begin untrained, not from what is saved or shipped")
    add("--export", type=Path, metavar="FILE", help="write the judge there at the end")
    args = parser.parse_args()
    torch.set_num_threads(1)
    models.ensure(["minilm"], print)
    folder = models.cache_folder() / "training"
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "finder.pt"
    trainer = make_trainer(state, fresh=args.fresh, rate=args.rate)
    run(trainer, state, args)
    if args.export:
        save_judge(args.export, fair(trainer.finder.judge), f"1.{trainer.step}")
        print(f"wrote {args.export}, {args.export.stat().st_size / 1e6:.1f} MB", flush=True)

    return 0


def make_trainer(state: Path, *, fresh: bool, rate: float) -> FinderTrainer:
    """As it was saved; else from the shipped judge, or untrained."""
    if SHIPPED_FINDER.exists() and not fresh:
        finder = Finder.load(models.folder("minilm"))
        finder.judge.requires_grad_(requires_grad=True)
    else:
        encoder, tokenizer = load_encoder(models.folder("minilm"))
        finder = Finder(encoder, tokenizer, begin_judge(encoder))

    trainer = FinderTrainer(finder, load_packs(CORPUS / "train"), rate)
    if state.exists() and not fresh:
        trainer.load(state)
        print(f"going on from step {trainer.step}", flush=True)

    return trainer


def run(trainer: FinderTrainer, state: Path, args: argparse.Namespace) -> None:
    """Scene after scene until the time is over; shows, saves and checks now and then."""
    dice = Random(5)
    scenes = [draw_scene(pack, dice) for pack in load_packs(CORPUS / "dev") for _ in range(DRAWS)]
    dev = [(scene, list(turns(scene, dice))) for scene in scenes]
    start = shown = saved = checked = time.monotonic()
    end, losses = start + args.minutes * 60, []
    last = args.steps if args.steps is not None else float("inf")
    while (now := time.monotonic()) < end and trainer.step < last:
        left = (end - now) / (end - start)
        losses.append(trainer.learn(max(LOWEST, left) if args.finish else 1.0))
        if now - shown > SHOW_EVERY_S:
            mean = sum(losses) / len(losses)
            print(f"step {trainer.step}  {trainer.shown} questions  loss {mean:.3f}  "
                  f"{(end - now) / 60:.0f} min left", flush=True)  # fmt: skip
            shown, losses = now, []

        if now - saved > SAVE_EVERY_S:
            trainer.save(state)
            saved = now

        if now - checked > CHECK_EVERY_S:
            print(f"dev: {measure(trainer.finder, dev)}", flush=True)
            checked = now

    trainer.save(state)
    print(f"dev: {measure(trainer.finder, dev)}", flush=True)


def turns(scene: Scene, dice: Random) -> Iterator[Example]:
    """Every turn of a scene, as it is asked."""
    for dialogue, of_dialogue in enumerate(scene.pack.dialogues):
        for turn in range(len(of_dialogue)):
            yield draw_example(scene, dialogue, turn, dice)


if __name__ == "__main__":
    sys.exit(main())
