"""Scenario packs: their form, how they are drawn, and that nobody trains on the dev packs."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.config.errors import AtonceError
from atonce.llm.corpus import (
    KINDS,
    SLOT,
    Pack,
    draw_example,
    draw_scene,
    draw_value,
    fill,
    load_packs,
)
from atonce.llm.lessons import UNKNOWN, canonical_reply, lessons, spoken_pieces
from atonce.llm.scoring import satisfies

CORPUS = Path(__file__).parents[1] / "corpus"
TRAIN, DEV = load_packs(CORPUS / "train"), load_packs(CORPUS / "dev")
SHORTEST, LONGEST = 3, 45  # words of a reply


@pytest.mark.parametrize("pack", [*TRAIN, *DEV], ids=lambda pack: pack.name)
def test_a_pack_keeps_to_the_format(pack: Pack) -> None:
    turns = [turn for dialogue in pack.dialogues for turn in dialogue]
    texts = [pack.role, *pack.facts.values()]
    texts += [text for turn in turns for text in (*turn.asks, *turn.replies, *turn.must)]
    assert {name for text in texts for name in SLOT.findall(text)} <= set(pack.slots)
    assert {slot["kind"] for slot in pack.slots.values()} <= KINDS
    assert len(turns) >= 25
    for turn in turns:
        assert turn.asks
        assert turn.replies
        assert set(turn.facts) <= set(pack.facts)
        assert turn.must or turn.is_unknown or not turn.facts
        for reply in turn.replies:
            assert SHORTEST <= len(reply.split()) <= LONGEST
            assert not re.search(r"[*_#`\[\]<>]|https?:|\n", SLOT.sub("", reply))


@pytest.mark.parametrize("pack", [*TRAIN[::8], *DEV], ids=lambda pack: pack.name)
def test_right_replies_hold_what_is_demanded(pack: Pack) -> None:
    dice = random.Random(pack.name)
    scene = draw_scene(pack, dice)
    for dialogue, turns in enumerate(pack.dialogues):
        for turn in range(len(turns)):
            example = draw_example(scene, dialogue, turn, dice)
            assert "{" not in example.prompt.question + "".join(example.replies + example.must)
            assert len(example.prompt.history) == turn


def test_the_same_dice_draw_the_same_example() -> None:
    def draw() -> object:
        dice = random.Random(5)
        return draw_example(draw_scene(TRAIN[0], dice), 1, 0, dice)

    assert draw() == draw()


def test_no_dev_pack_is_trained_on() -> None:
    assert not {pack.name for pack in TRAIN} & {pack.name for pack in DEV}


def test_no_reply_of_a_dev_turn_with_a_value_is_trained_on() -> None:
    """Greetings and single words are anybody's; what speaks of a place's facts is not."""
    taught = {text for pack in TRAIN for text in said(pack)}
    assert not {text for pack in DEV for text in said(pack)} & taught


def said(pack: Pack) -> set[str]:
    """Question and reply of every turn that rests on facts with a value in them, and the facts."""
    pairs = {
        f"{ask} > {reply}"
        for dialogue in pack.dialogues
        for turn in dialogue
        for ask in turn.asks
        for reply in turn.replies
        if turn.facts
    }
    return pairs | set(pack.facts.values())


def test_training_reads_the_train_folder_alone() -> None:
    script = (CORPUS.parent / "scripts" / "train.py").read_text(encoding="utf-8")
    uses = re.findall(r'load_packs\(CORPUS / "(\w+)"\)', script)
    assert set(uses) == {"train", "dev"}
    # The dev packs go to the score, and nowhere else.
    assert script.count('"dev"') == script.count('draw_turns(load_packs(CORPUS / "dev")') == 1


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(AtonceError, match="no scenario packs"):
        load_packs(tmp_path)


# ---- drawing ----


@pytest.mark.parametrize(
    ("slot", "form"),
    [
        ({"kind": "choice", "values": ["a", "b"]}, r"[ab]"),
        ({"kind": "time", "from": "8:00", "to": "13:00"}, r"\d{1,2}:(00|15|30|45) [ap]m"),
        ({"kind": "money", "from": 3, "to": 9}, r"\$\d(\.50)?"),
        ({"kind": "int", "from": 5, "to": 25, "step": 5}, r"5|10|15|20|25"),
        ({"kind": "percent", "from": 1, "to": 9}, r"\d%"),
        ({"kind": "temperature", "from": 1, "to": 9}, r"\d degrees"),
        ({"kind": "distance", "from": 100, "to": 900}, r"\d{3} metres"),
        ({"kind": "name"}, r"[A-Z][a-z]+"),
        ({"kind": "weekday"}, r"[A-Z][a-z]+day"),
        ({"kind": "month"}, r"[A-Z][a-z]+"),
        ({"kind": "date"}, r"[A-Z][a-z]+ \d{1,2}"),
        ({"kind": "phone"}, r"555 \d{4}"),
        ({"kind": "code"}, r"[A-Z]\d{1,2}"),
        ({"kind": "duration", "from": 1, "to": 150}, r"(\d hours?)?( ?\d{1,2} minutes?)?"),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
@given(seed=st.integers(0, 10_000))
def test_a_value_is_written_as_it_is_spoken(slot: dict[str, object], form: str, seed: int) -> None:
    assert re.fullmatch(form, draw_value(slot, random.Random(seed)))


def test_a_value_that_opens_a_sentence_gets_a_capital() -> None:
    values = {"x": "the pier"}
    assert fill("{x} is long. {x} is old; see {x}.", values) == (
        "The pier is long. The pier is old; see the pier."
    )


# ---- what is taught ----


@pytest.mark.parametrize("pack", TRAIN[::6], ids=lambda pack: pack.name)
def test_what_is_taught_comes_from_the_facts(pack: Pack) -> None:
    dice = random.Random(pack.name)
    right = grounded = 0
    for example in lessons(draw_scene(pack, dice), dice):
        reply = canonical_reply(example)
        assert reply
        if example.is_unknown:
            assert reply == UNKNOWN
        elif example.gold:
            grounded += 1
            right += satisfies(reply, example.must)

    assert right >= 0.9 * grounded


def test_the_vocabulary_holds_no_drawn_value() -> None:
    pieces = list(spoken_pieces(TRAIN[:3]))
    assert UNKNOWN in pieces
    assert not any("{" in piece or "}" in piece for piece in pieces)
