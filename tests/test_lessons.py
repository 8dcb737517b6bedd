"""What is taught of a turn: its one reply, its past, and what half a question already tells."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.llm.corpus import Example, Pack, draw_scene, load_packs
from atonce.llm.lessons import (
    ROOM,
    UNKNOWN,
    canonical_reply,
    draft_then_final,
    length,
    lessons,
    partial_question,
    spoken_pieces,
    unfinished,
)
from atonce.llm.protocols import Prompt
from atonce.llm.ranking import rank
from atonce.llm.scoring import satisfies

TRAIN = load_packs(Path(__file__).parents[1] / "corpus" / "train")
FACTS = (
    "An adult ticket costs $14. Children get in free.",
    "The boat trip leaves at 2:15 pm. It costs $9.",
    "Dogs are not allowed on the boat.",
)


def turn(
    question: str, replies: tuple[str, ...], gold: tuple[int, ...], must: tuple[str, ...]
) -> Example:
    """A turn at the lake."""
    return Example(Prompt("a guide", FACTS, question), replies, gold, must, False, "lake/0/0")


# ---- the one reply ----


@pytest.mark.parametrize("pack", TRAIN[::6], ids=lambda pack: pack.name)
def test_what_is_taught_comes_from_the_facts(pack: Pack) -> None:
    dice = random.Random(pack.name)
    for example in lessons(draw_scene(pack, dice), dice):
        reply = canonical_reply(example)
        assert reply
        if example.is_unknown:
            assert reply == UNKNOWN
        elif example.gold:
            assert satisfies(reply, example.must) or reply in example.replies


def test_nearly_every_reply_that_is_taught_is_right_and_fits_the_canvas() -> None:
    right = fits = grounded = 0
    for pack in TRAIN[::4]:
        dice = random.Random(pack.name)
        for example in lessons(draw_scene(pack, dice), dice):
            if example.gold and not example.is_unknown:
                reply = canonical_reply(example)
                grounded += 1
                right += satisfies(reply, example.must)
                fits += length(reply) <= ROOM

    assert grounded > 800
    assert right >= 0.99 * grounded
    assert fits >= 0.99 * grounded


@pytest.mark.parametrize(
    ("question", "replies", "gold", "must", "reply"),
    [
        ("price?", ("It is $14.",), (0,), ("$14",), FACTS[0]),
        ("Is it free for kids?", ("Yes, it is.", "Yes, for children."), (0,), ("free",),
         "Yes. Children get in free."),
        ("So it is $9 for me?", ("No, it is $14.",), (0,), ("$14",),
         "No. An adult ticket costs $14."),
        ("Is it free for kids?", ("Yes, it is.", "Children are free."), (0,), ("free",), FACTS[0]),
        ("ticket and dogs?", ("It is $14, without dogs.",), (0, 2), ("$14", "not"),
         "An adult ticket costs $14. Dogs are not allowed on the boat."),
        ("Is the boat cheaper?", ("The boat is $9 and a ticket $14.",), (0, 1), ("$9",),
         "An adult ticket costs $14. The boat trip leaves at 2:15 pm. It costs $9."),
        ("dogs?", ("Sorry, you can't bring Rex.", "Dogs can't come."), (2,), ("can't",),
         "Dogs can't come."),
    ],
    ids=("fact", "yes", "no", "not always yes", "two facts", "compared", "other words"),
)  # fmt: skip
def test_the_reply_is_read_from_the_facts(
    question: str,
    replies: tuple[str, ...],
    gold: tuple[int, ...],
    must: tuple[str, ...],
    reply: str,
) -> None:
    assert canonical_reply(turn(question, replies, gold, must)) == reply


def test_small_talk_is_answered_with_few_words_and_names() -> None:
    replies = ("Hello! Welcome to the Hartwell Museum.", "Hello! How can I help you today?")
    assert canonical_reply(turn("hi", replies, (), ())) == replies[1]


def test_a_reply_that_is_too_long_for_the_canvas_is_said_shorter() -> None:
    long = "The hall is open from 9:15 am to 5:45 pm from Monday to Friday, and from 10:30 am to"
    facts = (f"{long} 12:30 pm at weekends. On Sunday it is quiet.", *FACTS[1:])
    example = Example(Prompt("a guide", facts, "sunday?"), ("Quiet.",), (0,), ("quiet",), False, "")
    assert canonical_reply(example) == "On Sunday it is quiet."


def test_the_vocabulary_holds_no_drawn_value() -> None:
    pieces = list(spoken_pieces(TRAIN[:3]))
    assert UNKNOWN in pieces
    assert not any("{" in piece or "}" in piece for piece in pieces)


# ---- half a question ----


@given(st.lists(st.sampled_from(["how", "much", "is", "it,", "then?"]), max_size=12), st.integers())
def test_half_a_question_is_its_beginning(question: list[str], seed: int) -> None:
    half = partial_question(" ".join(question), random.Random(seed))
    if half is None:
        assert len(question) < 3
    else:
        words = half.rstrip(".-").split()
        assert 2 <= len(words) < len(question)
        assert [word.rstrip(",.?-") for word in words] == [
            word.rstrip(",.?-") for word in question[: len(words)]
        ]


def test_half_a_question_is_taught_where_it_tells_the_fact() -> None:
    example = turn("an adult ticket costs how much", ("It is $14.",), (0,), ("$14",))
    half = unfinished(example, random.Random(1))
    assert half is not None
    assert half.prompt.question != example.prompt.question
    assert canonical_reply(half) == FACTS[0]


def test_half_a_question_that_tells_nothing_yet_is_not_taught() -> None:
    asked = turn("could you please tell me about the boat and dogs", ("No dogs.",), (2,), ("dogs",))
    halves = [unfinished(asked, random.Random(seed)) for seed in range(40)]
    for half in halves:
        if half:
            scores = rank(half.prompt.question, FACTS, ())
            assert scores.index(max(scores)) == 2

    assert None in halves


@pytest.mark.parametrize("kind", ["unknown", "talk", "yes"])
def test_what_half_a_question_cannot_tell_is_never_taught(kind: str) -> None:
    question = "an adult ticket is that fourteen dollars each"
    example = {
        "unknown": Example(Prompt("a guide", FACTS, question), (UNKNOWN,), (0,), (), True, ""),
        "talk": turn(question, ("Hello there.",), (), ()),
        "yes": turn(question, ("Yes, it is $14.",), (0,), ("$14",)),
    }[kind]
    assert all(unfinished(example, random.Random(seed)) is None for seed in range(20))


def test_some_turns_are_taught_by_half_as_well() -> None:
    turns = halves = 0
    for pack in TRAIN[::12]:
        dice = random.Random(pack.name)
        keys = [example.key for example in lessons(draw_scene(pack, dice), dice)]
        turns += len(set(keys))
        halves += len(keys) - len(set(keys))

    assert 0.03 * turns < halves < 0.3 * turns


def test_a_draft_is_made_of_the_first_half_and_refined_by_the_whole() -> None:
    example = turn(
        "an adult ticket or no the boat when is it", ("At 2:15 pm.",), (1,), ("2:15 pm",)
    )
    drafted = draft_then_final(example, random.Random(2))
    assert drafted is not None
    assert drafted.final == example
    assert example.prompt.question.startswith(drafted.early.question.rstrip(".-"))
    assert drafted.draft in FACTS
    assert draft_then_final(turn("hi", ("Hello there.",), (), ()), random.Random(2)) is None
