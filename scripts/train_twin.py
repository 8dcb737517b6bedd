"""Train the twin, the reader's fine-tuned autoregressive form; stop it at any time, it goes on.

usage: scripts/train_twin [--minutes N] [--steps N] [--finish] [--rate R] [--fresh]
                          [--export FILE] [--score N] [--teach FILE]

`--teach` writes what the twin replies to every training question, one JSON object a line: short,
fluent targets for a writer that is to learn from it. `--score` says how often it is right.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from random import Random

import torch

from atonce.config import models
from atonce.llm.autoregressive import Decoder
from atonce.llm.corpus import Example, Pack, draw_scene, load_packs
from atonce.llm.evaluation import HEAD, Written, best_fact, line, ranks_of, shares
from atonce.llm.finder import Find, Finder
from atonce.llm.lessons import canonical_reply, lessons
from atonce.llm.model import Reader
from atonce.llm.prompting import Mark
from atonce.llm.scoring import judge
from atonce.llm.tokenizer import Tokenizer
from atonce.llm.twin import SHIPPED_TWIN, Adapter, load_twin, merge, save_twin
from atonce.llm.twin_training import (
    RATE,
    Scene,
    TwinTrainer,
    begin,
    greedy_replies,
    read_scene,
)
from atonce.llm.weights import load_base

CORPUS = Path(__file__).parents[1] / "corpus"
SAVE_EVERY_S, SHOW_EVERY_S, CHECK_EVERY_S = 90, 45, 480
DEV_TURNS = 16  # of each of two dev packs, for the loss that is shown
LOWEST = 0.05  # of the learning rate, at the end of a run that finishes


def main() -> int:
    """Train until the time is over."""
    parser = argparse.ArgumentParser(description="Train the twin.")
    add = parser.add_argument
    add("--minutes", type=float, default=8.0, help="how long, beginning now")
    add("--steps", type=int, metavar="N", help="end at this step, if the time is not over before")
    add("--finish", action="store_true", help="let the learning rate fall to its end in this time")
    add("--rate", type=float, default=RATE, help="learning rate of the low-rank changes")
    add("--fresh", action="store_true", help="where nothing is saved, begin untrained")
    add("--export", type=Path, metavar="FILE", help="write the adapter there at the end")
    add("--score", type=int, default=0, metavar="N", help="dev turns of a score at the end")
    add("--teach", type=Path, metavar="FILE", help="write its replies to all training questions")
    args = parser.parse_args()
    torch.set_num_threads(1)
    folder = models.cache_folder() / "training" / "twin"
    folder.mkdir(parents=True, exist_ok=True)
    reader, tokenizer = load_base(
        models.folder("smollm2-135m"), models.cache_folder() / "converted"
    )
    reader.bfloat16()
    adapter = Adapter(reader.sizes)
    begin(adapter)
    if SHIPPED_TWIN.exists() and not args.fresh:
        adapter.load_state_dict(load_twin(SHIPPED_TWIN, reader.sizes).state_dict())

    find = Finder.load(models.folder("minilm")).find
    packs = load_packs(CORPUS / "train")
    trainer = TwinTrainer(reader, tokenizer, adapter, packs, find=find, rate=args.rate)
    state = folder / "state.pt"
    if state.exists():
        trainer.load(state)
        say(f"going on from step {trainer.step}")

    run(trainer, state, dev_scenes(reader, tokenizer, find), args)
    if args.export:
        save_twin(args.export, adapter, f"1.{trainer.step}")
        say(f"wrote {args.export}, {args.export.stat().st_size / 1e6:.1f} MB")

    if args.score:
        score(trainer, args.score)

    if args.teach:
        teach(trainer, args.teach)

    return 0


def run(trainer: TwinTrainer, state: Path, dev: list[Scene], args: argparse.Namespace) -> None:
    """Step after step until the time is over; shows, saves and checks now and then."""
    start = shown = saved = time.monotonic()
    end, checked = start + args.minutes * 60, 0.0
    last = args.steps if args.steps is not None else float("inf")
    while (now := time.monotonic()) < end and trainer.step < last:
        if now - checked > CHECK_EVERY_S:
            checked = now
            check(trainer, dev)

        left = (end - now) / (end - start)
        trainer.learn(max(LOWEST, left) if args.finish else 1.0, say)
        if now - shown > SHOW_EVERY_S:
            shown = now
            show(trainer, (end - now) / 60)

        if now - saved > SAVE_EVERY_S:
            saved = now
            trainer.save(state)

    trainer.save(state)
    check(trainer, dev)


def show(trainer: TwinTrainer, left_min: float) -> None:
    """One line on how it goes; the loss is of the steps since the last one."""
    total, tokens = trainer.loss
    trainer.loss = [0.0, 0.0]
    say(
        f"step {trainer.step}  {trainer.turns} turns  loss {total / max(1, tokens):.3f}  "
        f"{left_min:.0f} min left"
    )


def dev_scenes(reader: Reader, tokenizer: Tokenizer, find: Find) -> list[Scene]:
    """Some turns that nobody trains on, the same every time."""
    scenes = []
    for pack in load_packs(CORPUS / "dev")[:2]:
        rng = Random(f"twin check {pack.name}")
        examples = list(lessons(draw_scene(pack, rng), rng))
        chosen = rng.sample(examples, min(DEV_TURNS, len(examples)))
        scenes.append(read_scene(chosen, reader, tokenizer, find))

    return scenes


def check(trainer: TwinTrainer, dev: list[Scene]) -> None:
    """Loss on the development turns, by kind."""
    sums = {"grounded": [0.0, 0.0, 0.0], "unknown": [0.0, 0.0, 0.0]}
    with torch.no_grad():
        for scene in dev:
            for batch in scene.batches:
                turns = [scene.turns[number] for number in batch]
                losses, _ = trainer.losses(scene, turns)
                for turn, row in zip(turns, losses, strict=True):
                    kept = sums["unknown" if turn.example.is_unknown else "grounded"]
                    kept[0] += float(row.sum())
                    kept[1] += len(turn.target)
                    kept[2] += float(row[:2].sum())  # where the answer is chosen

    parts = [
        f"{kind} {total / tokens:.3f} nats a token, {first:.1f} in all first two"
        for kind, (total, tokens, first) in sums.items()
        if tokens
    ]
    say(f"dev at step {trainer.step}: {'; '.join(parts)}")


def replies(
    trainer: TwinTrainer, packs: Sequence[Pack], seed: str
) -> Iterator[tuple[Example, str]]:
    """What the twin says in all turns of these packs, each drawn once."""
    decoder = Decoder(merge(trainer.reader, trainer.adapter), trainer.adapter.relevance.detach())
    end = trainer.tokenizer.special(Mark.END.value)
    for pack in packs:
        rng = Random(f"{seed} {pack.name}")
        examples = list(lessons(draw_scene(pack, rng), rng))
        scene = read_scene(examples, trainer.reader, trainer.tokenizer, trainer.find)
        for batch in scene.batches:
            turns = [scene.turns[number] for number in batch]
            said = greedy_replies(decoder, scene, turns, end)
            for turn, tokens in zip(turns, said, strict=True):
                yield turn.example, trainer.tokenizer.decode(tokens).strip()


def score(trainer: TwinTrainer, count: int) -> None:
    """How often the twin is right on development turns, beside the best fact read out."""
    rows: dict[str, list[Written]] = {"twin": [], "best fact read out": []}
    for example, reply in islice(replies(trainer, load_packs(CORPUS / "dev"), "score"), count):
        rows["twin"].append(Written(example, reply, judge(example, reply), 0, 0.0))
        prompt = example.prompt
        found = trainer.find(prompt.question, prompt.facts, prompt.history)
        rows["best fact read out"].append(best_fact(example, ranks_of(found.scores)))

    say(HEAD)
    for name, written in rows.items():
        say(line(name, shares(written)))


def teach(trainer: TwinTrainer, path: Path) -> None:
    """Write the replies to all training questions; a file that is there is gone on with."""
    done = set()
    if path.exists():
        done = {json.loads(text)["pack"] for text in path.read_text(encoding="utf-8").splitlines()}

    for pack in load_packs(CORPUS / "train"):
        if pack.name in done:
            continue

        lines = [
            json.dumps(
                {
                    "pack": pack.name,
                    "key": example.key,
                    "question": example.prompt.question,
                    "reply": reply,
                    "canonical": canonical_reply(example),
                    "is_right": judge(example, reply).is_right,
                }
            )
            for example, reply in replies(trainer, [pack], "teach")
        ]
        with path.open("a", encoding="utf-8") as file:
            file.write("".join(f"{one}\n" for one in lines))

        say(f"taught {pack.name}: {len(lines)} replies")


def say(text: str) -> None:
    """At once, also into a file."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
