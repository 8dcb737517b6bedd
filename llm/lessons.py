"""What is learned from an example: the one reply the writer is to give, and how it is drawn. Pure.

A few denoising steps cannot choose between two wordings of the same answer. So every turn has one
canonical reply, close to the words of the facts: the fact that answers, read out; after yes or no
and where it takes two facts, the sentences that hold what is demanded; one fixed sentence where the
facts are silent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from random import Random

from atonce.llm.corpus import Example, Pack, Scene, draw_example
from atonce.llm.protocols import Exchange, Prompt
from atonce.llm.ranking import rank, stems
from atonce.llm.scoring import satisfies

UNKNOWN = "I'm sorry, I don't have that information."
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z$0-9])")
YES = re.compile(
    r"(yes|yeah|yep|certainly|sure|of course|exactly|correct|that's right|right|we do|you can|there"
    r" (is|are)|it (is|does)|they (are|do))\s*[,.!]",
    re.IGNORECASE,
)
NO = re.compile(
    r"((sorry|no), )?(no\b|(i'm )?afraid not|not (quite|yet|really|any more|at all)"
    r"|(unfortunately|sadly|better) not|please don't|that's too (early|late))\s*[,.!]|no,",
    re.IGNORECASE,
)
STUTTERS = re.compile(r"(yes|no)\b", re.IGNORECASE)  # "No. No dogs, please."
# A sentence that says nothing without the one before it.
LEANS = re.compile(
    r"(it|its|they|their|he|she|his|her|both|each|this|that|these|those|then)\b", re.IGNORECASE
)
NUMBER = re.compile(r"\d+(?:[:.]\d+)*")
TOKEN = re.compile(r"[^\W\d]+|(?<=\s)(?=\d)|\d|[^\w\s]")
ROOM = 37  # tokens of a reply: what a canvas of 40 holds
# Past replies are the canonical ones in this share, since that is what the writer will have said.
OWN_HISTORY = 0.6
HEARD = 0.3  # share of questions as speech recognition writes them
UNFINISHED = 0.5  # share of turns that are also tried with half the question
SHORTEST_CUT = 2  # words
CLEAR = 0.7  # logits by which the facts that answer lead


def canonical_reply(example: Example) -> str:
    """The one reply that is taught for this turn."""
    if example.is_unknown:
        return UNKNOWN

    if not example.gold:
        return plainest(example.replies)

    facts = [example.prompt.facts[i] for i in example.gold]
    answer = shortest_answer(example, facts)
    ways = [text for text in (*facts[: 2 - len(facts)], answer) if text]
    if first := opener(example.replies):
        said = [text for text in (answer, *ways) if text and not STUTTERS.match(text)]
        ways = [f"{first} {text}" for text in said] + ways

    fitting = (way for way in ways if length(way) <= ROOM and satisfies(way, example.must))
    return next(fitting, None) or plainest(example.replies)


def opener(replies: Sequence[str]) -> str:
    """Yes or no, where that is how every right reply begins; else nothing."""
    for word, pattern in (("Yes.", YES), ("No.", NO)):
        if all(pattern.match(reply.replace("\u2019", "'")) for reply in replies):
            return word

    return ""


def plainest(replies: Sequence[str]) -> str:
    """The reply with the fewest names and words."""

    def cost(reply: str) -> int:
        names = re.findall(r"(?<=[a-z,] )[A-Z][a-z]+|\d+", reply)
        return len(reply.split()) + 4 * len(names)

    return min(replies, key=cost)


def shortest_answer(example: Example, facts: Sequence[str]) -> str | None:
    """One or two sentences of these facts that hold what is demanded; None where none do."""
    wanted = {word for text in (*example.replies, example.prompt.question) for word in stems(text)}
    # Numbers that every right reply names belong to the answer, demanded or not.
    shared = set.intersection(*(set(NUMBER.findall(reply)) for reply in example.replies))
    ways = [*sayings(facts, self_contained), *sayings(facts, SENTENCE.split)]
    for named in (shared, set[str]()):
        for texts in ways:
            fitting = [
                text
                for text in texts
                if length(text) <= ROOM
                and satisfies(text, example.must)
                and named <= set(NUMBER.findall(text))
            ]
            if fitting:
                return max(fitting, key=lambda text: closeness(text, wanted))

    return None


def sayings(
    facts: Sequence[str], parts: Callable[[str], Sequence[str]]
) -> tuple[list[str], list[str]]:
    """One part of a fact; two parts, in the order of the facts."""
    one = [part for fact in facts for part in parts(fact)]
    return one, [" ".join(pair) for pair in combinations(one, 2) if pair[0] not in pair[1]]


def self_contained(fact: str) -> list[str]:
    """Each sentence of a fact, with the one before where it leans on it."""
    sentences = SENTENCE.split(fact)
    return [
        f"{before} {sentence}" if before and LEANS.match(sentence) else sentence
        for before, sentence in zip(["", *sentences], sentences, strict=False)
    ]


def length(text: str) -> int:
    """About how many tokens a text has: every digit is one, and so is the blank before it."""
    return len(TOKEN.findall(text))


def closeness(text: str, wanted: set[str]) -> float:
    """How much of a text is about the wanted words."""
    words = set(stems(text))
    return float(len(words & wanted) / (3 + len(words)) ** 0.5)


# ---- the question is still being spoken ----


@dataclass(frozen=True, slots=True)
class Drafted:
    """A reply that was begun too early: what an early draft leaves to be refined."""

    early: Prompt
    """The prompt with the first part of the question alone."""
    draft: str
    """What a writer is likely to make of it: the fact that ranks first, read out."""
    final: Example
    """The whole question, and what is right."""


def partial_question(question: str, dice: Random) -> str | None:
    """The first part of a question, cut at a word; None where it is too short to be cut."""
    words = question.split()
    if len(words) < SHORTEST_CUT + 1:
        return None

    kept = dice.randint(max(SHORTEST_CUT, len(words) * 2 // 5), len(words) - 1)
    # Whisper ends what it hears of a running sentence with a full stop, a dash or nothing.
    return " ".join(words[:kept]).rstrip(",.?!-") + dice.choice(("", "", ".", "...", "-"))


def unfinished(example: Example, dice: Random) -> Example | None:
    """The same turn asked by half, where the half tells already which facts answer; else None."""
    question = partial_question(example.prompt.question, dice)
    if question is None or not example.gold or example.is_unknown or opener(example.replies):
        return None

    prompt = replace(example.prompt, question=question)
    scores = rank(question, prompt.facts, prompt.history)
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    count = len(example.gold)
    is_clear = scores[order[0]] - scores[order[count]] >= CLEAR if count < len(order) else True
    # One shared word is needed: what wins by the past alone may yet turn into another question.
    shares = set(stems(question)) & {w for i in example.gold for w in stems(prompt.facts[i])}
    if set(order[:count]) != set(example.gold) or not is_clear or not shares:
        return None

    return replace(example, prompt=prompt)


def draft_then_final(example: Example, dice: Random) -> Drafted | None:
    """The turn with an early draft, whatever the half of the question says; None if uncuttable."""
    question = partial_question(example.prompt.question, dice)
    if question is None:
        return None

    early = replace(example.prompt, question=question)
    scores = rank(question, early.facts, early.history)
    return Drafted(early, early.facts[scores.index(max(scores))], example)


# ---- all of it ----


def lessons(scene: Scene, rng: Random) -> Iterator[Example]:
    """Every turn of a scene once, its question drawn, its past as it may have been spoken; beside
    some of them the same turn asked by half."""
    for dialogue, turns in enumerate(scene.pack.dialogues):
        for turn in range(len(turns)):
            example = draw_example(scene, dialogue, turn, rng, heard=HEARD)
            if turn and rng.random() < OWN_HISTORY:
                example = with_own_history(example, scene, dialogue, turn, rng)

            yield example
            if rng.random() < UNFINISHED and (half := unfinished(example, rng)):
                yield half


def with_own_history(
    example: Example, scene: Scene, dialogue: int, turn: int, rng: Random
) -> Example:
    """The same turn after canonical replies."""
    past = [draw_example(scene, dialogue, earlier, rng, heard=HEARD) for earlier in range(turn)]
    history = tuple(Exchange(one.prompt.question, canonical_reply(one)) for one in past)
    return replace(example, prompt=replace(example.prompt, history=history))


def spoken_pieces(packs: Sequence[Pack]) -> Iterator[str]:
    """The fixed parts of what is said in these packs, between their slots: the vocabulary."""
    yield UNKNOWN
    for pack in packs:
        for turn in (turn for dialogue in pack.dialogues for turn in dialogue):
            for reply in turn.replies:
                yield from (piece for piece in re.split(r"\{\w+\}", reply) if piece.strip())
