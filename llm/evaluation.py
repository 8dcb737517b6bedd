"""How often a writer is right: turns of packs that nobody trains on, scored.

The turns are drawn once with a fixed seed, the same for every way of writing. The list of facts
that a turn rests on is used for scoring alone. Writing through the agent, with check, repair and
fallbacks, is agent/trial.py; `write_all` is the writer alone, as training wants it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from random import Random

from atonce.llm.clues import FIRST, OTHER, Clues
from atonce.llm.corpus import Example, Pack, draw_example, draw_scene, fill
from atonce.llm.intervals import Hits
from atonce.llm.lessons import UNKNOWN
from atonce.llm.protocols import Plan, Writer
from atonce.llm.ranking import rank
from atonce.llm.scoring import Verdict, judge

SEED = 7


@dataclass(frozen=True, slots=True)
class Shares:
    """One row of the table; shares are 0 to 1, of the turns that they are about."""

    grounded: float
    """Grounded turns with every value that is demanded, in the writer's own words."""
    unknown: float
    """Unknown turns that were answered with "I don't know"."""
    talk: float
    """Small talk that was answered."""
    agent_grounded: float
    """Grounded turns with every value that is demanded, whoever wrote the reply."""
    own: float
    """Grounded turns whose reply the writer wrote; the rest came from a fallback."""
    invented: float
    """Replies with a value that stands nowhere in the prompt."""
    wrong_value: float
    """Grounded turns with a value of a fact that they do not rest on."""
    refused: float
    """Grounded turns that were answered with "I don't know"."""
    repetition: float
    """Replies with a stutter or a loop."""
    steps: float
    """Denoising steps, mean, repairs included."""
    ms: float
    """Time of writing a reply alone, median, without reading the prompt."""


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
    ms: float | None
    """How long they took; None where that was not measured."""
    source: str = "denoiser"
    """Where the words come from."""
    is_own: bool = True
    """They are the writer's own, not a fallback's."""


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


def draw_heard(packs: Sequence[Pack]) -> list[tuple[Example, Example]]:
    """Every question that was really spoken and heard, once: as it is written, and as Whisper wrote
    it down. The same every time."""
    pairs = []
    for pack in packs:
        dice = Random(f"heard {pack.name} {SEED}")
        scene = draw_scene(pack, dice)
        for dialogue, turns in enumerate(pack.dialogues):
            for turn, of_pack in enumerate(turns):
                for ask in (ask for ask in of_pack.asks if ask in pack.heard):
                    drawn = draw_example(scene, dialogue, turn, dice)
                    written, heard = (
                        replace(drawn, prompt=replace(drawn.prompt, question=question))
                        for question in (
                            fill(ask, scene.values),
                            fill(pack.heard[ask], scene.values),
                        )
                    )
                    pairs.append((written, heard))

    return pairs


def write_all(
    writer: Writer, examples: Sequence[Example], plans: Sequence[Plan]
) -> Iterator[tuple[Plan, Written]]:
    """Every turn by every plan, without the check."""
    for example in examples:
        cache = writer.read(example.prompt)
        for plan in plans:
            start = time.perf_counter()
            *_, last = writer.write(cache, plan)
            ms = (time.perf_counter() - start) * 1000
            verdict = judge(example, last.text)
            yield plan, Written(example, last.text, verdict, last.step, ms)


def best_fact(example: Example, ranks: Sequence[int] = ()) -> Written:
    """The rival: the fact that ranks first, read out, whatever was asked.

    ranks: of all facts; without them the words decide.
    """
    place = list(ranks or ranks_by_words(example)).index(0)
    reply = example.prompt.facts[place]
    return Written(example, reply, judge(example, reply), 0, 0.0, "fact")


def honest(example: Example) -> Written:
    """The other one: the honest sentence, whatever was asked."""
    return Written(example, UNKNOWN, judge(example, UNKNOWN), 0, 0.0, "unknown")


def shares(written: Sequence[Written]) -> Shares:
    """The row of these replies."""
    times = sorted(one.ms for one in written if one.ms is not None)
    return Shares(
        **{name: share(hits(written, name)) for name in COUNTED},
        steps=mean([one.steps for one in written]),
        ms=times[len(times) // 2] if times else 0.0,
    )


COUNTED = (
    "grounded",
    "unknown",
    "talk",
    "agent_grounded",
    "own",
    "invented",
    "wrong_value",
    "refused",
    "repetition",
)
"""The fields of `Shares` that are shares."""


def hits(written: Sequence[Written], name: str) -> Hits:
    """For one of COUNTED, every reply: whether it counts; None where it is not about it."""
    return [_hit(one, name) for one in written]


def _hit(one: Written, name: str) -> bool | None:
    verdict = one.verdict
    if ABOUT.get(name, verdict.kind) != verdict.kind:
        return None

    return {
        "grounded": verdict.is_right and one.is_own,
        "unknown": verdict.is_right,
        "talk": verdict.is_right,
        "agent_grounded": verdict.is_right,
        "own": one.is_own,
        "invented": verdict.is_invented,
        "wrong_value": verdict.is_wrong_value,
        "refused": verdict.is_refused,
        "repetition": verdict.is_repeating,
    }[name]


ABOUT = {
    "grounded": "grounded",
    "unknown": "unknown",
    "talk": "talk",
    "agent_grounded": "grounded",
    "own": "grounded",
    "wrong_value": "grounded",
    "refused": "grounded",
}
"""The kind of turn that a share is about; all turns where none stands here."""


def sources(written: Sequence[Written]) -> Mapping[str, float]:
    """How large a share each source has of the replies, the largest first."""
    counts = Counter(one.source for one in written)
    return {source: count / len(written) for source, count in counts.most_common()}


def share(hits: Hits) -> float:
    """Of those that it is about; 0 where there are none."""
    return mean([hit for hit in hits if hit is not None])


def mean(values: Sequence[float]) -> float:
    """0 where there are none."""
    return sum(values) / len(values) if values else 0.0


def ranks_told(clues: Clues, facts: int) -> list[int]:
    """For every fact the rank that a writer was told, from 0; 3 and more are all 3."""
    starts = [i for i, offset in enumerate(clues.offsets) if offset == 1]
    return [min(clues.kinds[start], OTHER) - FIRST for start in starts[:facts]]


def ranks_by_words(example: Example) -> list[int]:
    """The same by ranking.py, for writers that are told no ranks."""
    prompt = example.prompt
    return ranks_of(rank(prompt.question, prompt.facts, prompt.history))


def ranks_of(scores: Sequence[float]) -> list[int]:
    """The same of scores, the highest first."""
    order = sorted(range(len(scores)), key=lambda fact: (-scores[fact], fact))
    return [min(order.index(fact), OTHER - FIRST) for fact in range(len(scores))]


def found_within(examples: Sequence[Example], ranks: Sequence[Sequence[int]], most: int) -> float:
    """Share of grounded turns whose facts all have one of the first `most` ranks; ranks: for every
    turn those of all facts."""
    return mean(
        [
            max(of_turn[fact] for fact in example.gold) < most
            for example, of_turn in zip(examples, ranks, strict=True)
            if example.gold
        ]
    )


def line(name: str, row: Shares) -> str:
    """The row as text, shares in percent."""
    values = asdict(row)
    cells = [f"{100 * value:7.1f}" for key, value in values.items() if key not in ("steps", "ms")]
    return f"{name:<22}" + "".join(cells) + f"{row.steps:7.1f}{row.ms:7.0f}"


HEAD = f"{'':<22}" + "".join(
    f"{name:>7}"
    for name in (
        "ground",
        "unkn",
        "talk",
        "agent",
        "own",
        "invent",
        "wrong",
        "refuse",
        "repeat",
        "steps",
        "ms",
    )
)
