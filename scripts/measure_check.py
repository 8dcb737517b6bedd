#!/usr/bin/env python3
"""Measure the reply check on scenario packs: false alarms on right replies, wrong replies caught.

usage: measure_check.py [--packs corpus/dev] [--wrong 500] [--seed 0] [--show]
                        [--curve] [--facts] [--fit]

Right replies: every ask with every reply of every turn, slots drawn with a fixed seed. Wrong ones
are made from them: a value replaced by another one of its kind from the same facts (swapped), or
by one that the person suggests and the reply affirms (affirmed: of the facts, or from nowhere);
beyond these, by one from nowhere (invented), or a name by another place's (named). Garbled ones
were really written, and labelled by hand (measure_language.py tells what the reader adds). --fit
prints the weights of evidence.py, fitted on corpus/train.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np

from atonce.agent import evidence
from atonce.agent.clauses import read
from atonce.agent.content_words import stems_of
from atonce.agent.knowledge import CLEAR, likeliest_fact
from atonce.agent.reply_check import DOUBT, check
from atonce.agent.reply_form import sentences
from atonce.agent.values import Value, find_values, same
from atonce.llm.corpus import Pack, Scene, draw_example, draw_scene, fill, load_packs
from atonce.llm.protocols import Exchange, Prompt

ROOT = Path(__file__).resolve().parent.parent
LABELLED = ROOT / "tests" / "data" / "replies.jsonl"
TAGS = ("It's {}, isn't it?", "so that's {} right", "I heard it's {}.", "uh it was {} yeah")
YES = ("Yes, ", "That's right. ", "Yes. ", "Exactly. ")


@dataclass(frozen=True)
class Case:
    """A reply to a prompt, and how it came about."""

    key: str
    prompt: Prompt
    reply: str
    made: str = "right"
    kind: str = ""


def cases(packs: tuple[Pack, ...], *, seed: int) -> Iterator[tuple[Case, Scene]]:
    """Every ask with every reply; history is drawn."""
    for pack in packs:
        rng = Random(f"{pack.name}/{seed}")
        scene = draw_scene(pack, rng)

        for d, turns in enumerate(pack.dialogues):
            for t, turn in enumerate(turns):
                history = tuple(
                    Exchange(
                        fill(rng.choice(past.asks), scene.values),
                        fill(rng.choice(past.replies), scene.values),
                    )
                    for past in turns[:t]
                )

                for ask in turn.asks:
                    prompt = Prompt(scene.role, scene.facts, fill(ask, scene.values), history)

                    for reply in turn.replies:
                        key = f"{pack.name}/{d}/{t}"
                        yield Case(key, prompt, fill(reply, scene.values)), scene


def put(reply: str, value: Value, text: str) -> str:
    """The reply with every mention of a value replaced."""
    for mention in reversed(find_values(reply)):
        if mention.kind == value.kind and same(mention, value):
            reply = reply[: mention.start] + text + reply[mention.end :]

    return reply


def spoil(case: Case, scene: Scene, made: str, rng: Random) -> Case | None:
    """A wrong reply made from a right one; None where that cannot be done."""
    if made == "named":
        return _other_name(case, scene, rng)

    values = [v for v in find_values(case.reply) if any(same(v, w) for w in _known(case.prompt))]

    if not values:
        return None

    value = rng.choice(values)
    pool = _known(case.prompt) if made in ("swapped", "affirmed") else []

    if made in ("affirmed from nowhere", "invented"):
        other = draw_scene(scene.pack, Random(rng.random()))
        drawn = [v for fact in other.facts for v in find_values(fact)]
        pool = [v for v in drawn if not any(same(v, w) for w in _known(case.prompt))]

    pool = [v for v in pool if v.kind == value.kind and evidence.are_alike(v, value)]
    pool = [v for v in pool if not same(v, value)]

    if not pool:
        return None

    text = rng.choice(pool).text
    reply, prompt = put(case.reply, value, text), case.prompt

    if made.startswith("affirmed"):
        prompt = replace(prompt, question=f"{prompt.question} {rng.choice(TAGS).format(text)}")
        reply = rng.choice(YES) + reply[0] + reply[1:]

    return Case(case.key, prompt, reply, made, value.kind)


def _known(prompt: Prompt) -> list[Value]:
    return [value for fact in prompt.facts for value in find_values(fact)]


def _other_name(case: Case, scene: Scene, rng: Random) -> Case | None:
    """A drawn name replaced by another value of its slot."""
    names = [
        (drawn, slot["values"])
        for name, drawn in scene.values.items()
        if (slot := scene.pack.slots[name])["kind"] == "choice"
        and drawn in case.reply
        and any(word[:1].isupper() for word in drawn.split())
        and not find_values(drawn)
    ]

    if not names:
        return None

    drawn, others = rng.choice(names)
    other = rng.choice([str(value) for value in others if str(value) != drawn])
    return Case(case.key, case.prompt, case.reply.replace(drawn, other), "named", "name")


MADE = {
    "swapped": 0.5,  # share of the 500
    "affirmed": 0.25,
    "affirmed from nowhere": 0.25,
    "invented": 0.5,  # beyond the 500
    "named": 0.5,
}


def wrong_replies(
    right: list[tuple[Case, Scene]], *, count: int, seed: int
) -> dict[str, list[Case]]:
    """Wrong replies by how they were made."""
    found: dict[str, list[Case]] = {}

    for made, share in MADE.items():
        rng = Random(f"{made}/{seed}")
        order = rng.sample(right, len(right))
        spoiled = (spoil(case, scene, made, rng) for case, scene in order)
        found[made] = [case for case in spoiled if case is not None][: int(count * share)]

    return found


COUNTED = ("swapped", "affirmed", "affirmed from nowhere")


def report(packs: tuple[Pack, ...], *, count: int, seed: int, show: bool) -> None:
    """False alarms, catches by how they were made and by kind, and the cost."""
    right = list(cases(packs, seed=seed))
    print_cost(right)
    alarms = [case for case, _ in right if not passes(case)]
    print(f"right replies  {len(right):17d}   false alarms {share(len(alarms), len(right))}")

    wrong = wrong_replies(right, count=count, seed=seed)
    missed = [case for made in wrong.values() for case in made if passes(case)]
    print_caught("wrong replies", [case for made in COUNTED for case in wrong[made]], missed)

    for made, made_cases in wrong.items():
        print_caught(f"  {made}", made_cases, missed)

    for kind in sorted({case.kind for made in COUNTED for case in wrong[made]}):
        of_kind = [case for made in COUNTED for case in wrong[made] if case.kind == kind]
        print_caught(f"  of kind {kind}", of_kind, missed)

    for label, done in (("garbled", "caught"), ("good", "refused")):
        some = list(labelled(label))
        failed = sum(not passes(case) for case in some)
        print(f"{f'labelled {label}':25s}{len(some):6d}   {done:13s}{share(failed, len(some))}")

    if show:
        for case in (*alarms, *missed):
            print_case(case)


def labelled(label: str) -> Iterator[Case]:
    """The replies that were labelled by hand as garbled, or as good."""
    for line in LABELLED.read_text("utf-8").splitlines():
        scene = json.loads(line)
        for one in scene["replies"]:
            if one["label"] == label:
                past = tuple(Exchange(*turn) for turn in one.get("history", ()))
                prompt = Prompt(scene["role"], tuple(scene["facts"]), one["question"], past)
                yield Case(scene["part"], prompt, one["reply"], label)


def passes(case: Case) -> bool:
    """Whether the check lets a reply be spoken."""
    return check(case.reply, prompt=case.prompt).passes


def print_caught(title: str, made: list[Case], missed: list[Case]) -> None:
    """One line of the table."""
    caught = sum(case not in missed for case in made)
    print(f"{title:25s}{len(made):6d}   caught       {share(caught, len(made))}")


def share(part: int, whole: int) -> str:
    """A share in percent."""
    return f"{100 * part / whole:5.1f} %" if whole else "    -"


def print_cost(right: list[tuple[Case, Scene]]) -> None:
    """Processor time of one check when the facts were read before, question and reply not."""
    some = [case for case, _ in right[:: max(1, len(right) // 400)]]
    times = []

    for case in some:
        evidence.read_facts(case.prompt.facts)
        start = time.process_time()
        check(case.reply, prompt=case.prompt)
        times.append(1000 * (time.process_time() - start))

    times.sort()
    middle, high = times[len(times) // 2], times[int(len(times) * 0.95)]
    print(f"cost of one check   median {middle:.2f} ms, 95 % under {high:.2f} ms")


def print_case(case: Case) -> None:
    """A case that was judged wrongly, readable."""
    title = "false alarm" if case.made == "right" else f"missed, {case.made}"
    print(f"\n{title} [{case.key}]\n   > {case.prompt.question}\n   < {case.reply}")

    for problem in check(case.reply, prompt=case.prompt).problems:
        print(f"   {problem.kind}: {problem.detail}")


# --- fitting the evidence ---------------------------------------------------------------------


def rows(right: list[tuple[Case, Scene]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For every value of the right replies: features of all it could be, and which it is."""
    for case, _ in right:
        whole = read(case.reply)

        for sentence in sentences(case.reply):
            for clause in whole.clauses:
                if not sentence.start <= clause.value.start < sentence.end:
                    continue

                found = evidence.candidates(
                    clause,
                    sentence=stems_of(sentence.text),
                    reply=whole,
                    prompt=case.prompt,
                )
                own = np.array([same(clause.value, candidate.value) for candidate in found])

                if own.any() and not own.all():
                    names = evidence.WEIGHTS
                    yield np.array([[c.features[n] for n in names] for c in found]), own


def fit(packs: tuple[Pack, ...], *, seed: int, rounds: int = 1500) -> np.ndarray:
    """Weights that make the values of right replies most likely (softmax, Adam)."""
    found = list(rows(list(cases(packs, seed=seed))))
    width = max(len(own) for _, own in found)
    x = np.zeros((len(found), width, len(evidence.WEIGHTS)))
    is_own = np.zeros((len(found), width), bool)
    is_there = np.zeros((len(found), width), bool)

    for i, (features, own) in enumerate(found):
        x[i, : len(own)], is_own[i, : len(own)], is_there[i, : len(own)] = features, own, True

    weights = mean = square = np.zeros(x.shape[2])

    for step in range(1, rounds + 1):
        scores = np.where(is_there, x @ weights, -1e9)
        odds = np.exp(scores - scores.max(1, keepdims=True))
        chance = odds / odds.sum(1, keepdims=True)
        target = chance * is_own
        target /= target.sum(1, keepdims=True) + 1e-9
        slope = np.einsum("nm,nmk->k", chance - target, x) / len(found) + 1e-3 * weights
        mean = 0.9 * mean + 0.1 * slope
        square = 0.999 * square + 0.001 * slope**2
        pace = np.sqrt(square / (1 - 0.999**step)) + 1e-8
        weights = weights - 0.1 * (mean / (1 - 0.9**step)) / pace

    return weights


def print_curve(packs: tuple[Pack, ...], *, seed: int) -> None:
    """For other thresholds of doubt: right values doubted, each other value of the kind doubted."""
    weights = np.array(list(evidence.WEIGHTS.values()))
    right_gaps, wrong_gaps = [], []

    for features, own in rows(list(cases(packs, seed=seed))):
        scores = features @ weights
        right_gaps.append(scores[~own].max() - scores[own].max())
        wrong_gaps += [scores[own].max() - score for score in scores[~own]]

    for doubt in (0.5, 1.0, DOUBT, 2.0, 2.5, 3.0, 4.0):
        false, caught = (np.mean(np.array(gaps) > doubt) for gaps in (right_gaps, wrong_gaps))
        print(
            f"doubt at {doubt:.1f}: right values {100 * false:4.1f} %, others {100 * caught:4.1f} %"
        )


# --- reading a fact out -----------------------------------------------------------------------


def print_facts(packs: tuple[Pack, ...], *, seed: int) -> None:
    """For other limits of certainty: how often a fact is read out, and how often that is right."""
    found: dict[str, list[tuple[float, bool]]] = {"grounded": [], "unknown": [], "talk": []}

    for pack in packs:
        rng = Random(f"{pack.name}/{seed}")
        scene = draw_scene(pack, rng)

        for d, turns in enumerate(pack.dialogues):
            for t in range(len(turns)):
                example = draw_example(scene, d, t, rng)
                match = likeliest_fact(example.prompt)
                sort = "unknown" if example.is_unknown else "grounded" if example.gold else "talk"

                if match:
                    is_right = all(is_met(must, match.text) for must in example.must)
                    found[sort].append((match.certainty, is_right))

    for limit in (0.0, 0.3, 0.4, 0.5, CLEAR, 0.7, 0.8, 0.9):
        said = {
            sort: [right for certainty, right in all_ if certainty >= limit]
            for sort, all_ in found.items()
        }
        parts = [f"{sort} {share(len(said[sort]), len(all_))}" for sort, all_ in found.items()]
        right = share(sum(said["grounded"]), len(said["grounded"]))
        print(f"certain {limit:.1f}: read out on {', '.join(parts)}; right on grounded {right}")


def is_met(must: str, text: str) -> bool:
    """Whether a text has one of the alternatives as whole words."""
    return any(
        re.search(rf"(?<!\w){re.escape(word.strip())}(?!\w)", text, re.I)
        for word in must.split("|")
    )


def main() -> None:
    """Measure, or fit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packs", type=Path, default=ROOT / "corpus" / "dev")
    parser.add_argument("--wrong", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", action="store_true", help="print false alarms and misses")
    parser.add_argument("--curve", action="store_true", help="other thresholds of doubt")
    parser.add_argument("--facts", action="store_true", help="the curve of the fact fallback")
    parser.add_argument("--fit", action="store_true", help="fit the weights on corpus/train")
    options = parser.parse_args()

    if options.fit:
        weights = fit(load_packs(ROOT / "corpus" / "train"), seed=options.seed)

        for name, weight in zip(evidence.WEIGHTS, weights, strict=True):
            print(f'    "{name}": {weight:.1f},')

        return

    packs = load_packs(options.packs)

    if options.facts:
        print_facts(packs, seed=options.seed)
        return

    if options.curve:
        print_curve(packs, seed=options.seed)
        return

    report(packs, count=options.wrong, seed=options.seed, show=options.show)


if __name__ == "__main__":
    main()
