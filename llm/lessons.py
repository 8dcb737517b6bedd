"""What is learned from an example: the one reply the writer is to give, and how it is drawn. Pure.

A few denoising steps cannot choose between two wordings of the same answer. So every turn has one
canonical reply, close to the words of the facts: the fact that answers, read out; where it takes
two facts, the sentences that hold what is demanded; one fixed sentence where the facts are silent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from random import Random

from atonce.llm.corpus import Example, Pack, Scene, draw_example
from atonce.llm.protocols import Exchange
from atonce.llm.ranking import stems
from atonce.llm.scoring import satisfies

UNKNOWN = "I'm sorry, I don't have that information."
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z$0-9])")
# Past replies are the canonical ones in this share, since that is what the writer will have said.
OWN_HISTORY = 0.6


def canonical_reply(example: Example) -> str:
    """The one reply that is taught for this turn."""
    if example.is_unknown:
        return UNKNOWN

    if not example.gold:
        return example.replies[0]

    facts = [example.prompt.facts[i] for i in example.gold]
    sentences = shortest_answer(example, facts)
    if len(facts) == 1 and (sentences is None or satisfies(facts[0], example.must)):
        return facts[0]

    return sentences or example.replies[0]


def shortest_answer(example: Example, facts: Sequence[str]) -> str | None:
    """One or two sentences of these facts that hold what is demanded; None where none do."""
    sentences = [sentence for fact in facts for sentence in SENTENCE.split(fact)]
    wanted = {word for text in (*example.replies, example.prompt.question) for word in stems(text)}
    for size in (1, 2):
        texts = [" ".join(chosen) for chosen in combinations(sentences, size)]
        fitting = [text for text in texts if satisfies(text, example.must)]
        if fitting:
            return max(fitting, key=lambda text: closeness(text, wanted))

    return None


def closeness(text: str, wanted: set[str]) -> float:
    """How much of a text is about the wanted words."""
    words = set(stems(text))
    return float(len(words & wanted) / (3 + len(words)) ** 0.5)


def lessons(scene: Scene, rng: Random) -> Iterator[Example]:
    """Every turn of a scene once, its question drawn, its past as it may have been spoken."""
    for dialogue, turns in enumerate(scene.pack.dialogues):
        for turn in range(len(turns)):
            example = draw_example(scene, dialogue, turn, rng)
            if turn and rng.random() < OWN_HISTORY:
                example = with_own_history(example, scene, dialogue, turn, rng)

            yield example


def with_own_history(
    example: Example, scene: Scene, dialogue: int, turn: int, rng: Random
) -> Example:
    """The same turn after canonical replies."""
    past = [draw_example(scene, dialogue, earlier, rng) for earlier in range(turn)]
    history = tuple(Exchange(one.prompt.question, canonical_reply(one)) for one in past)
    return replace(example, prompt=replace(example.prompt, history=history))


def spoken_pieces(packs: Sequence[Pack]) -> Iterator[str]:
    """The fixed parts of what is said in these packs, between their slots: the vocabulary."""
    yield UNKNOWN
    for pack in packs:
        for turn in (turn for dialogue in pack.dialogues for turn in dialogue):
            for reply in turn.replies:
                yield from (piece for piece in re.split(r"\{\w+\}", reply) if piece.strip())
