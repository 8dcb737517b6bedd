"""Training of the finder's judge."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import torch

from atonce.llm.corpus import Pack, draw_scene, load_packs
from atonce.llm.finder import Finder, begin_judge, load_encoder
from atonce.llm.finder_training import (
    NONE_TOO_OFTEN,
    SHOWN,
    FinderTrainer,
    choose,
    draw_facts,
    fair,
    measure,
    prepare,
)
from atonce.llm.lessons import lessons

pytestmark = pytest.mark.models
CORPUS = Path(__file__).parents[1] / "corpus" / "train"


@pytest.fixture(scope="module")
def packs() -> list[Pack]:
    return [pack for pack in load_packs(CORPUS) if pack.name in ("hostel", "museum-desk")]


def make(minilm: Path, packs: list[Pack]) -> FinderTrainer:
    encoder, tokenizer = load_encoder(minilm)
    small = [
        Pack(pack.name, pack.role, pack.slots, pack.facts, pack.dialogues[:6]) for pack in packs
    ]
    return FinderTrainer(Finder(encoder, tokenizer, begin_judge(encoder)), small)


def weights(trainer: FinderTrainer) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in trainer.weights])


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(
    minilm: Path, packs: list[Pack], tmp_path: Path
) -> None:
    torch.set_num_threads(1)  # sums in one order
    whole = make(minilm, packs)
    whole.learn(1.0)
    whole.save(tmp_path / "state.pt")
    whole.learn(0.5)
    resumed = make(minilm, packs)
    resumed.load(tmp_path / "state.pt")
    resumed.learn(0.5)

    assert torch.equal(weights(resumed), weights(whole))
    assert (resumed.step, resumed.shown) == (whole.step, whole.shown)


def test_right_facts_are_shown_or_withheld_and_none_is_then_right(
    minilm: Path, packs: list[Pack]
) -> None:
    trainer, dice = make(minilm, packs), Random(1)
    scene = draw_scene(packs[0], dice)
    lesson = prepare(trainer.finder, list(lessons(scene, dice)))
    asked = choose(lesson.asked, torch.arange(len(lesson.right)))

    facts, outcome = draw_facts(trainer.finder, asked, lesson.right, dice)
    withheld = 0
    for shown, right, then in zip(facts.tolist(), lesson.right, outcome, strict=True):
        gold = {fact for fact, share in enumerate(right[:-1].tolist()) if share}
        assert len(set(shown)) == SHOWN
        if torch.equal(right, then):
            assert gold <= set(shown)
        else:
            withheld += 1
            assert not gold & set(shown)
            assert then[-1] == 1

    assert 0 < withheld < len(facts) / 2


def test_a_judge_is_written_out_with_none_as_rare_as_in_a_talk(
    minilm: Path, packs: list[Pack]
) -> None:
    judge = make(minilm, packs).finder.judge

    assert (judge.none - fair(judge).none).tolist() == [NONE_TOO_OFTEN, 0.0]


def test_learning_lowers_the_loss_on_what_is_learned(minilm: Path, packs: list[Pack]) -> None:
    trainer, dice = make(minilm, packs[:1]), Random(1)
    scene = draw_scene(trainer.packs[0], dice)
    turns = [(scene, list(lessons(scene, dice)))]
    before = measure(trainer.finder, turns).loss
    for _ in range(8):
        trainer.learn(1.0)

    assert measure(trainer.finder, turns).loss < before
