"""Score the embedded writer on packs that nobody trains on.

usage: scripts/evaluate [--packs DIR] [--turns N] [--steps K ...] [--writer FILE] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

import torch

from atonce.config import models
from atonce.llm.corpus import load_packs
from atonce.llm.denoiser import SHIPPED_WRITER, EmbeddedWriter
from atonce.llm.evaluation import HEAD, Written, best_fact, draw_turns, line, shares, write_all
from atonce.llm.protocols import Plan

DEV = Path(__file__).parents[1] / "corpus" / "dev"


def main() -> int:
    """Write every turn with every K, and print the table."""
    parser = argparse.ArgumentParser(description="Score the embedded writer.")
    add = parser.add_argument
    add("--packs", type=Path, default=DEV, metavar="DIR")
    add("--turns", type=int, default=300, metavar="N")
    add("--steps", type=int, nargs="+", default=[2, 4, 8, 16], metavar="K")
    add("--canvas", type=int, default=32, metavar="N")
    add("--rule", default="cosine")
    add("--writer", type=Path, default=SHIPPED_WRITER, metavar="FILE")
    add("--threads", type=int, default=0, metavar="N")
    add("--replies", action="store_true", help="print every reply of the last K")
    add("--json", action="store_true", help="one line, the last: the shares of every K")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)

    cache = models.cache_folder() / "converted"
    writer = EmbeddedWriter(models.folder("smollm2-135m"), cache, args.writer)
    examples = draw_turns(load_packs(args.packs), args.turns)
    plans = [Plan(steps, args.canvas, args.rule) for steps in args.steps]
    written: dict[str, list[Written]] = defaultdict(list)
    for count, (plan, one) in enumerate(write_all(writer, examples, plans), 1):
        written[f"K={plan.steps}"].append(one)
        if args.replies and plan == plans[-1]:
            mark = "right" if one.verdict.is_right else "WRONG"
            print(f"{mark} {one.verdict.kind}: {one.example.prompt.question}\n      {one.reply}")

        if count % (20 * len(plans)) == 0:
            print(f"{count // len(plans)} of {len(examples)} turns", file=sys.stderr, flush=True)

    written["best fact read out"] = [best_fact(example) for example in examples]
    rows = {name: shares(of_name) for name, of_name in written.items()}
    print(HEAD)
    for name, row in rows.items():
        print(line(name, row))

    if args.json:
        print(json.dumps({name: asdict(row) for name, row in rows.items()}))

    return 0


if __name__ == "__main__":
    sys.exit(main())
