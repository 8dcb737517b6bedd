"""How often a writer is right: turns of packs that nobody trains on, through the run-time path.

The turns are drawn once with a fixed seed, and every prompt is read once for all numbers of steps.
The list of facts that a turn rests on is used for scoring alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from random import Random

from atonce.llm.corpus import Example, Pack, draw_example, draw_scene
from atonce.llm.protocols import Plan, Writer
from atonce.llm.ranking import rank
from atonce.llm.scoring import Verdict, judge

SEED = 7


@dataclass(frozen=True, slots=True)
class Shares:
    """One row of the table; shares are 0 to 1, of the turns that they are about."""

    grounded: float
    """Grounded turns with every value that is demanded."""
    unknown: float
    """Unknown turns that were answered with "I don't know"."""
    talk: float
    """Small talk that was answered."""
    invented: float
    """Replies with a number that stands nowhere in the prompt."""
    wrong_value: float
    """Grounded turns with a value of another fact and without the right one."""
    refused: float
    """Grounded turns that were answered with "I don't know"."""
    repetition: float
    """Replies with a stutter or a loop."""
    steps: float
    """Denoising steps, mean."""
    ms: float
    """Time of writing a reply, median, without reading the prompt."""


@dataclass(frozen=True, slots=True)
class Written:
    """One reply with its verdict."""

    example: Example
    """What was asked."""
    reply: str
    """What was written."""
    verdict: Verdict
    """What is to be said of it."""
    steps: int
    """Denoising steps it took."""
    ms: float
    """How long they took."""


def draw_turns(packs: Sequence[Pack], count: int) -> list[Example]:
    """The same turns every time: all turns once, drawn again until there are enough."""
    dice = Random(SEED)
    examples: list[Example] = []
    while len(examples) < count:
        for pack in packs:
            scene = draw_scene(pack, dice)
            examples += [
                draw_example(scene, dialogue, turn, dice)
                for dialogue, turns in enumerate(pack.dialogues)
                for turn in range(len(turns))
            ]

    chosen = sorted(dice.sample(range(len(examples)), count))
    return [examples[i] for i in chosen]


def write_all(
    writer: Writer, examples: Sequence[Example], plans: Sequence[Plan]
) -> Iterator[tuple[Plan, Written]]:
    """Every turn by every plan."""
    for example in examples:
        cache = writer.read(example.prompt)
        for plan in plans:
            start = time.perf_counter()
            *_, last = writer.write(cache, plan)
            ms = (time.perf_counter() - start) * 1000
            verdict = judge(example, last.text)
            yield plan, Written(example, last.text, verdict, last.step, ms)


def best_fact(example: Example) -> Written:
    """The rival: the fact that ranks first, read out, whatever was asked."""
    prompt = example.prompt
    scores = rank(prompt.question, prompt.facts, prompt.history)
    reply = prompt.facts[scores.index(max(scores))]
    return Written(example, reply, judge(example, reply), 0, 0.0)


def shares(written: Sequence[Written]) -> Shares:
    """The row of these replies."""
    verdicts = [one.verdict for one in written]
    kinds = {
        kind: [v for v in verdicts if v.kind == kind] for kind in ("grounded", "unknown", "talk")
    }
    right = {kind: mean([v.is_right for v in of_kind]) for kind, of_kind in kinds.items()}
    return Shares(
        **right,
        invented=mean([v.is_invented for v in verdicts]),
        wrong_value=mean([v.is_wrong_value for v in kinds["grounded"]]),
        refused=mean([v.is_refused for v in kinds["grounded"]]),
        repetition=mean([v.is_repeating for v in verdicts]),
        steps=mean([one.steps for one in written]),
        ms=sorted(one.ms for one in written)[len(written) // 2] if written else 0.0,
    )


def mean(values: Sequence[float]) -> float:
    """0 where there are none."""
    return sum(values) / len(values) if values else 0.0


def line(name: str, row: Shares) -> str:
    """The row as text, shares in percent."""
    values = asdict(row)
    cells = [f"{100 * value:7.1f}" for key, value in values.items() if key not in ("steps", "ms")]
    return f"{name:<22}" + "".join(cells) + f"{row.steps:7.1f}{row.ms:7.0f}"


HEAD = f"{'':<22}" + "".join(
    f"{name:>7}"
    for name in ("ground", "unkn", "talk", "invent", "wrong", "refuse", "repeat", "steps", "ms")
)
