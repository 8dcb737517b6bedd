"""Fit what the reader's looks are worth; stop it at any time, it goes on where it was.

usage: scripts/train_gaze [--share N] [--draws N] [--held-out] [--export FILE]

What is seen of a pack is kept in the cache, one file a pack and draw; the fit takes seconds. The
finder must be as it will be: its logits are part of what is fitted.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from random import Random

import torch

from atonce.config import models
from atonce.llm.corpus import Example, Pack, draw_example, draw_scene, load_packs
from atonce.llm.finder import SHIPPED_FINDER, Finder
from atonce.llm.gaze import save_gaze
from atonce.llm.gaze_training import Seen, fit, held_out, look, measure
from atonce.llm.precision import is_narrow, to_bfloat16
from atonce.llm.protocols import Found
from atonce.llm.weights import load_base, write_whole

CORPUS = Path(__file__).parents[1] / "corpus"
HEARD = 0.15  # share of questions as speech recognition writes them
FOLDS = 4
SHRINKS = ((0.05, 0.1), (0.05, 0.05), (0.02, 0.1), (0.02, 0.05), (0.005, 0.05))


def main() -> int:
    """Look at what was not looked at yet, and fit."""
    parser = argparse.ArgumentParser(description="Fit what the reader's looks are worth.")
    add = parser.add_argument
    add("--share", type=int, default=3, metavar="N", help="look at one in N known questions")
    add("--draws", type=int, default=2, metavar="N", help="draw unknown questions N times")
    add("--held-out", action="store_true", help="score fits on packs that they have not seen")
    add("--export", type=Path, metavar="FILE", help="write the weights there")
    args = parser.parse_args()
    torch.set_num_threads(1)
    models.ensure(["smollm2-135m", "minilm"], print)
    seen = see_all("train", args.share)
    for draw in range(1, args.draws):
        seen += see_all("train", args.share, draw)

    if args.held_out:
        for shrink in SHRINKS:
            print(f"shrink {shrink}: {measure(seen, held_out(seen, FOLDS, shrink))}", flush=True)

    gaze = fit(seen, too_few=args.share * args.draws)
    dev = see_all("dev", 1)
    weighed = [gaze.weigh(one.found, one.logs.float(), one.state.float()) for one in dev]
    print(f"dev: {measure(dev, weighed)}, {len(dev)} questions", flush=True)
    if args.export:
        save_gaze(args.export, gaze, f"1.{len(seen)}")
        print(f"wrote {args.export}, {args.export.stat().st_size / 1e3:.0f} kB", flush=True)

    return 0


def see_all(part: str, share: int, draw: int = 0) -> list[Seen]:
    """What is seen of all packs of a folder, from what is kept; draw: see `turns`."""
    finder = hashlib.sha256(SHIPPED_FINDER.read_bytes()).hexdigest()[:8]
    folder = models.cache_folder() / "training" / "gaze" / f"{finder}-{share}-{draw}"
    folder.mkdir(parents=True, exist_ok=True)
    packs = load_packs(CORPUS / part)
    missing = [pack for pack in packs if not (folder / f"{pack.name}.pt").exists()]
    if missing:
        reader, tokenizer = load_base(
            models.folder("smollm2-135m"), models.cache_folder() / "converted"
        )
        if is_narrow("auto"):
            to_bfloat16(reader.layers)

        find = Finder.load(models.folder("minilm"), precision="auto").find
        for left, pack in zip(range(len(missing), 0, -1), missing, strict=True):
            seen = look(turns(pack, share, draw), reader, tokenizer, find)
            plain = [
                (one.found.scores, one.found.none, one.logs, one.state, one.gold, one.is_talk)
                for one in seen
            ]
            write_whole(
                folder / f"{pack.name}.pt", lambda path, plain=plain: torch.save(plain, path)
            )
            print(f"saw {pack.name}: {len(seen)} questions, {left - 1} packs left", flush=True)

    return [
        Seen(Found(tuple(scores), none), logs, state, tuple(gold), is_talk, pack.name)
        for pack in packs
        for scores, none, logs, state, gold, is_talk in torch.load(
            folder / f"{pack.name}.pt", weights_only=True
        )
    ]


def turns(pack: Pack, share: int, draw: int = 0) -> list[Example]:
    """Of one scene of a pack: all turns on which the facts are silent, every `share`-th other; of
    every further draw only the former."""
    dice = Random(f"gaze unknown{draw} {pack.name}" if draw else f"gaze {pack.name}")
    scene = draw_scene(pack, dice)
    every = [
        draw_example(scene, dialogue, turn, dice, heard=HEARD)
        for dialogue, of_dialogue in enumerate(pack.dialogues)
        for turn in range(len(of_dialogue))
    ]
    if draw:
        return [one for one in every if one.is_unknown]

    start = dice.randrange(share)
    return [one for place, one in enumerate(every) if one.is_unknown or place % share == start]


if __name__ == "__main__":
    sys.exit(main())
