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
    Example,
    Pack,
    draw_example,
    draw_scene,
    draw_value,
    fill,
    load_packs,
)
from atonce.llm.heard import as_transcribed, heard_file, load_heard

CORPUS = Path(__file__).parents[1] / "corpus"
TRAIN, DEV = load_packs(CORPUS / "train"), load_packs(CORPUS / "dev")
SHORTEST, LONGEST = 3, 45  # words of a reply
OWN_WORDS = 6  # a text of fewer words is said in many places


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
    assert not {pack.role for pack in TRAIN} & {pack.role for pack in DEV}


def test_no_text_of_a_dev_turn_is_trained_on() -> None:
    """Asks, replies and facts, heard ones too; "is there a lift?" of a few words is anybody's."""
    taught = {text for pack in TRAIN for text in texts_of(pack)}
    assert len(taught) > 5000
    assert not {text for pack in DEV for text in texts_of(pack)} & taught


def texts_of(pack: Pack) -> set[str]:
    """Every text of a pack that is long enough to be its own, as plain words."""
    turns = [turn for dialogue in pack.dialogues for turn in dialogue]
    texts = [*pack.facts.values(), *pack.heard.values()]
    texts += [text for turn in turns for text in (*turn.asks, *turn.replies)]
    return {plain for text in texts if len((plain := words(text)).split()) >= OWN_WORDS}


def words(text: str) -> str:
    """Words and slots without case and marks."""
    return " ".join(re.findall(r"[a-z0-9{}_']+", text.lower()))


def test_no_pair_of_a_short_ask_and_its_reply_is_trained_on() -> None:
    taught = {pair for pack in TRAIN for pair in pairs_of(pack)}
    assert not {pair for pack in DEV for pair in pairs_of(pack)} & taught


def pairs_of(pack: Pack) -> set[tuple[str, str]]:
    """Question and reply of every turn that rests on facts."""
    return {
        (words(ask), words(reply))
        for dialogue in pack.dialogues
        for turn in dialogue
        for ask in turn.asks
        for reply in turn.replies
        if turn.facts
    }


def test_training_reads_the_train_folder_alone() -> None:
    script = (CORPUS.parent / "scripts" / "train.py").read_text(encoding="utf-8")
    uses = re.findall(r'load_packs\(CORPUS / "(\w+)"\)', script)
    assert set(uses) == {"train", "dev"}
    # The dev packs go to the score, and nowhere else.
    assert script.count('"dev"') == script.count('draw_turns(load_packs(CORPUS / "dev")') == 1


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(AtonceError, match="no scenario packs"):
        load_packs(tmp_path)


# ---- questions as they are heard ----


def test_heard_questions_are_those_of_their_own_folder() -> None:
    for packs in (TRAIN, DEV):
        assert sum(len(pack.heard) for pack in packs) > 50
        for pack in packs:
            asks = {ask for turns in pack.dialogues for turn in turns for ask in turn.asks}
            assert set(pack.heard) <= asks
            for ask, heard in pack.heard.items():
                assert set(SLOT.findall(ask)) == set(SLOT.findall(heard))


def test_a_share_of_questions_is_written_as_speech_recognition_writes_them() -> None:
    def draw(share: float) -> list[Example]:
        dice = random.Random(3)
        scene = draw_scene(DEV[0], dice)
        return [
            draw_example(scene, dialogue, turn, dice, heard=share)
            for dialogue, turns in enumerate(DEV[0].dialogues)
            for turn in range(len(turns))
        ]

    written, some, all_heard = draw(0.0), draw(0.3), draw(1.0)
    # The same turns, whatever share is heard.
    assert [one.replies for one in written] == [one.replies for one in all_heard]
    assert [one.prompt.facts for one in written] == [one.prompt.facts for one in all_heard]
    changed = [a.prompt.question != b.prompt.question for a, b in zip(written, some, strict=True)]
    assert 0.05 < sum(changed) / len(changed) < 0.5
    changed = [
        a.prompt.question != b.prompt.question for a, b in zip(written, all_heard, strict=True)
    ]
    assert sum(changed) / len(changed) > 0.4


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ("uh when do you um open", "When do you open?"),
        ("adult ticket price please", "Adult ticket price please."),
        ("i'd like that, uh, twice", "I'd like that twice."),
        ("Is it far?", "Is it far?"),
        ("um", "um"),
    ],
)
def test_a_question_is_written_in_the_way_of_speech_recognition(asked: str, written: str) -> None:
    assert as_transcribed(asked) == written


def test_without_a_file_nothing_was_heard(tmp_path: Path) -> None:
    assert load_heard(tmp_path / "packs") == {}
    heard_file(tmp_path / "packs").write_text("kiosk:\n  price?: Prize?\n  when?: null\n")
    assert load_heard(tmp_path / "packs") == {"kiosk": {"price?": "Prize?"}}


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
