"""Measure denoising beside writing token by token: on the same weights, machine and prompt.

usage: scripts/bench_llm [--quick] [--shape embedded|8b] [--canvas N ...] [--rows R ...]
                         [--precision P ...] [--threads N] [--json FILE] [--picture FILE]

Every figure is a time of something that was run here; the alternatives take turns, round after
round, so that a busy machine slows them alike. The bounds of the machine are measured in the same
run. The shape 8b has random weights: it shows speed, not quality.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import torch

from atonce.llm.clues import CANVAS
from atonce.llm.passes import (
    LARGE,
    PRECISIONS,
    Subject,
    Work,
    bare_products,
    denoising_pass,
    embedded_subject,
    engine_step,
    in_rounds,
    random_subject,
    steady,
    token_pass,
)
from atonce.llm.precision import is_narrow
from atonce.llm.roofline import READ_BYTES, Roofline, large_product, reading

LENGTHS = (8, 16, 24, 32, 48)
"""Tokens of a reply, at which both are laid side by side."""
STEPS = (2, 4, 8)
REFERENCE_TOKENS, REFERENCE_STEPS = 400, 8
"""The reference scenario: a long answer of a large model."""


@dataclass(frozen=True, slots=True)
class Step:
    """One pass over all positions, or over one token of every row."""

    kind: str
    """denoise, token, or engine: a denoising step of the engine as it runs, checks and all."""
    precision: str
    """Of weights and products."""
    canvas: int
    """Positions of a row; 1 for a token."""
    rows: int
    """Replies that are written at once."""
    ms: float
    """Median."""
    best_ms: float
    """Fastest."""
    bare_ms: float
    """The same matrix products in a bare loop, median of the same rounds."""
    bound: str
    """What bounds it on this machine: memory, or arithmetic."""
    share: float
    """Share of the roofline at the median, 0 to 1."""
    best_share: float
    """The same at the fastest, beside the fastest of the bounds."""


@dataclass(frozen=True, slots=True)
class Length:
    """Both ways at one length of reply."""

    tokens: int
    """Of the reply, without the end mark."""
    precision: str
    """Of both."""
    canvas: int
    """Positions that were denoised."""
    rival_ms: float
    """Token by token, the end mark too."""
    denoiser_ms: dict[int, float]
    """By number of steps."""
    tokens_per_pass: dict[int, float]
    """By number of steps; the rival's is below one."""


def main() -> int:
    """Measure, print the tables, write what is asked for."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    args = parse(device)
    if args.picture and find_spec("matplotlib") is None:
        print("bench_llm: --picture needs matplotlib: pip install matplotlib", file=sys.stderr)
        return 2

    if args.threads:
        torch.set_num_threads(args.threads)

    found: dict[str, object] = {"machine": machine(device), "shape": args.shape}
    steps: list[Step] = []
    lengths: list[Length] = []
    for precision in args.precision:
        say(f"{precision} ...")
        subject = make_subject(args.shape, precision, device)
        measured, roofline = measure_steps(subject, args)
        found[f"roofline_{precision}"] = asdict(roofline)
        steps += measured
        if args.shape == "embedded":
            lengths += measure_lengths(subject, args)
        else:
            found["reference"] = reference(subject, args)

    found |= {"steps": [asdict(s) for s in steps], "lengths": [asdict(one) for one in lengths]}
    print(tables(found, steps, lengths))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")

    if args.picture:
        from bench_picture import draw  # matplotlib is only needed here

        draw([asdict(one) for one in lengths], args.picture)

    return 0


def parse(device: torch.device) -> argparse.Namespace:
    """What is to be measured there; what cannot be is said before hours are spent on it."""
    parser = argparse.ArgumentParser(description="Measure denoising beside token by token.")
    add = parser.add_argument
    add("--shape", choices=("embedded", "8b"), default="embedded", help="which model")
    add("--canvas", type=int, nargs="+", default=None, metavar="N")
    add("--rows", type=int, nargs="+", default=None, metavar="R")
    add("--precision", nargs="+", choices=PRECISIONS, default=None)
    add("--rounds", type=int, default=9, help="how often everything is measured")
    add("--threads", type=int, default=0)
    add("--read-bytes", type=int, default=READ_BYTES, help="of a reading; more than caches hold")
    add("--quick", action="store_true", help="one canvas, one row, few rounds")
    add("--json", type=Path, metavar="FILE")
    add("--picture", type=Path, metavar="FILE", help="an .svg or .png; needs matplotlib")
    args = parser.parse_args()
    large = args.shape == "8b"
    args.canvas = args.canvas or ([400] if large else [32] if args.quick else [16, 24, 32, 40, 48])
    args.rows = args.rows or ([1] if args.quick or large else [1, 4])
    quick = ["float32", "bfloat16"] if is_narrow("auto") else ["float32"]
    default = ["bfloat16"] if large else quick if args.quick else list(PRECISIONS)
    args.precision = args.precision or [
        one for one in default if one != "int8" or device.type == "cpu"
    ]
    if args.quick:
        args.rounds = min(args.rounds, 3)

    if fault := fault_of(args, device):
        parser.error(fault)

    return args


def fault_of(args: argparse.Namespace, device: torch.device) -> str | None:
    """Why this cannot be measured, in a sentence."""
    longest = CANVAS if args.shape == "embedded" else LARGE.context
    if not 1 <= min(args.canvas) <= max(args.canvas) <= longest:
        return f"--canvas: a canvas of the shape {args.shape} has 1 to {longest} positions"

    if min(args.rows) < 1 or args.rounds < 1 or args.threads < 0 or args.read_bytes < 4:
        return "--rows and --rounds begin with 1, --threads with 0, --read-bytes with 4"

    if "int8" in args.precision and device.type != "cpu":
        return "--precision int8 is measured on a processor alone"

    for path in (args.json, args.picture):
        if path and not path.absolute().parent.is_dir():
            return f"{path} cannot be written: there is no folder {path.parent}"

    return None


def make_subject(shape: str, precision: str, device: torch.device) -> Subject:
    """The model that is measured."""
    if shape == "embedded":
        return embedded_subject(precision, device)

    return random_subject(LARGE, precision, device)


def measure_steps(subject: Subject, args: argparse.Namespace) -> tuple[list[Step], Roofline]:
    """Passes of the denoiser and of the rival, each beside its bare products; and the bounds of the
    machine, which are measured in the same rounds: others who use its memory slow both."""
    kinds = [("denoise", canvas, rows) for canvas in args.canvas for rows in args.rows]
    # The engine itself runs on a processor, and not in int8.
    is_engine = (args.shape, subject.device.type) == ("embedded", "cpu")
    if is_engine and subject.precision != "int8":
        kinds += [("engine", canvas, rows) for canvas in args.canvas for rows in args.rows]

    kinds += [("token", 1, rows) for rows in args.rows]
    largest = max(subject.products(of_tower=True)[:-1], key=lambda one: one.weight_bytes)
    product, operations = large_product(largest.run, largest.width, subject.reader.norm[:1])
    work: list[Work] = [reading(subject.device, args.read_bytes), product]
    for kind, canvas, rows in kinds:
        work.append(make_pass(subject, kind, canvas, rows))
        bare = bare_products(subject, canvas * rows, of_tower=kind != "token")
        work.append(steady(bare, subject.device))

    read_s, product_s, *times = in_rounds(work, args.rounds, subject.device)
    usual, best = (
        Roofline(args.read_bytes / of(read_s), operations / of(product_s)) for of in (median, min)
    )
    steps = [
        step_of(subject, kind, (real_s, bare_s), (usual, best))
        for kind, real_s, bare_s in zip(kinds, times[::2], times[1::2], strict=True)
    ]
    return steps, best


def step_of(
    subject: Subject,
    kind: tuple[str, int, int],
    times: tuple[Sequence[float], Sequence[float]],
    bounds: tuple[Roofline, Roofline],
) -> Step:
    """One row of the table; times: of the pass and of its bare products; bounds: at the median, and
    at the fastest."""
    name, canvas, rows = kind
    real_s, bare_s = times
    cost = subject.cost(canvas * rows, of_tower=name != "token")
    usual_s, least_s = (
        bound.seconds(weights=cost.weight_bytes, operations=cost.operations) for bound in bounds
    )
    is_memory = cost.weight_bytes / bounds[0].bytes_s > cost.operations / bounds[0].flops_s
    return Step(
        kind=name,
        precision=subject.precision,
        canvas=canvas,
        rows=rows,
        ms=1000 * median(real_s),
        best_ms=1000 * min(real_s),
        bare_ms=1000 * median(bare_s),
        bound="memory" if is_memory else "arithmetic",
        share=usual_s / median(real_s),
        best_share=least_s / min(real_s),
    )


def make_pass(subject: Subject, kind: str, canvas: int, rows: int) -> Work:
    """The pass that is timed."""
    if kind == "engine":
        return engine_step(canvas, rows, subject.precision)

    one = token_pass(subject, rows) if kind == "token" else denoising_pass(subject, canvas, rows)
    return steady(one, subject.device)


def measure_lengths(subject: Subject, args: argparse.Namespace) -> list[Length]:
    """Whole replies of given lengths, both ways, one row."""
    lengths = LENGTHS[1:2] if args.quick else LENGTHS
    found = []
    for tokens in lengths:
        canvas = min(-(-(tokens + 1) // 4) * 4, 48)  # the end mark has a place, but on the longest
        one = steady(denoising_pass(subject, canvas, 1), subject.device)
        single = steady(token_pass(subject, 1, room=tokens + 1), subject.device)

        def denoise(steps: int, one: Work = one) -> Work:
            return lambda: repeat(one, steps)

        def rival(count: int = tokens + 1, one: Work = single) -> None:
            repeat(one, count)

        work = [rival, *(denoise(steps) for steps in STEPS)]
        times = in_rounds(work, args.rounds, subject.device)
        ms = [1000 * median(of_one) for of_one in times]
        found.append(
            Length(
                tokens, subject.precision, canvas, ms[0],
                dict(zip(STEPS, ms[1:], strict=True)),
                {steps: tokens / steps for steps in STEPS},
            )
        )  # fmt: skip

    return found


def repeat(work: Work, count: int) -> None:
    """One after the other, as each waits for what the one before it chose."""
    for _ in range(count):
        work()


def reference(subject: Subject, args: argparse.Namespace) -> dict[str, float]:
    """A long answer both ways: what it takes, without reading the prompt."""
    work = [
        steady(denoising_pass(subject, REFERENCE_TOKENS, 1), subject.device),
        steady(token_pass(subject, 1, room=REFERENCE_TOKENS), subject.device),
    ]
    step_s, token_s = (median(one) for one in in_rounds(work, args.rounds, subject.device))
    return {
        "tokens": REFERENCE_TOKENS,
        "steps": REFERENCE_STEPS,
        "denoiser_ms": 1000 * REFERENCE_STEPS * step_s,
        "rival_ms": 1000 * REFERENCE_TOKENS * token_s,
    }


# ---- what is printed ----


def machine(device: torch.device) -> dict[str, object]:
    """Where this was measured."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if device.type == "cuda":
        name = torch.cuda.get_device_name()
    elif cpuinfo.exists():
        named = [line for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = named[0].partition(": ")[2] if named else name

    return {
        "device": name,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "load": [round(one, 1) for one in load_average()],
    }


def load_average() -> Sequence[float]:
    """Processes that wanted the processor in the last 1, 5 and 15 minutes; none: not told."""
    path = Path("/proc/loadavg")
    return [float(part) for part in path.read_text().split()[:3]] if path.exists() else []


def tables(found: dict[str, object], steps: Sequence[Step], lengths: Sequence[Length]) -> str:
    """Everything as Markdown."""
    lines = [f"Machine: {found['machine']}"]
    for key, value in found.items():
        if key.startswith("roofline_") and isinstance(value, dict):
            lines.append(
                f"{key.removeprefix('roofline_')}: reads {value['bytes_s'] / 1e9:.1f} GB/s, "
                f"multiplies {value['flops_s'] / 1e9:.0f} GFLOP/s"
            )

    columns = ["pass", "precision", "canvas", "rows", "ms", "fastest", "bare products ms"]
    columns += ["times bare", "bound", "share of roofline", "at the fastest"]
    lines += ["", f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    lines += [
        f"| {s.kind} | {s.precision} | {s.canvas} | {s.rows} | {s.ms:.1f} | {s.best_ms:.1f} | "
        f"{s.bare_ms:.1f} | {s.ms / s.bare_ms:.2f} | {s.bound} | {100 * s.share:.0f} % | "
        f"{100 * s.best_share:.0f} % |"
        for s in steps
    ]
    if lengths:
        head = " | ".join(f"K={steps} ms" for steps in STEPS)
        wins = " | ".join(f"K={steps} times faster" for steps in STEPS)
        more = " | ".join(f"K={steps} tokens a pass" for steps in STEPS)
        names = f"tokens | precision | canvas | token by token ms | {head} | {wins} | {more}"
        lines += ["", f"| {names} |", "|" + "---|" * (4 + 3 * len(STEPS))]
        lines += [length_line(one) for one in lengths]

    if reference_found := found.get("reference"):
        lines += ["", f"Reference scenario, random weights (speed, not quality): {reference_found}"]

    return "\n".join(lines)


def length_line(one: Length) -> str:
    """One row of the table of lengths."""
    cells = [one.tokens, one.precision, one.canvas, f"{one.rival_ms:.0f}"]
    cells += [f"{one.denoiser_ms[steps]:.0f}" for steps in STEPS]
    cells += [f"{one.rival_ms / one.denoiser_ms[steps]:.1f}" for steps in STEPS]
    cells += [f"{one.tokens_per_pass[steps]:g}" for steps in STEPS]
    return f"| {' | '.join(map(str, cells))} |"


def say(text: str) -> None:
    """Progress, beside the tables."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
