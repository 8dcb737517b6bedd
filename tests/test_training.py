"""Training: what is drawn, what is learned, and that a killed run goes on as if it had not been."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from atonce.llm.batches import Batch, collate
from atonce.llm.corpus import Pack, Turn, draw_scene
from atonce.llm.finder import find_by_words
from atonce.llm.model import Reader, Tower
from atonce.llm.pool import ReadScene, fill_pool, load_scene, read_scene, save_scene, search
from atonce.llm.protocols import Found
from atonce.llm.tokenizer import Tokenizer
from atonce.llm.training import CANVASES, Recipe, Trainer, begin, favour
from atonce.llm.weights import load_base

MASK, END, DEPTHS = 3, 2, (0, 2)
RECIPE = Recipe(rate=3e-3, turns=2, workers=2)
PACK = Pack(
    "kiosk",
    "a guide",
    {"adult": {"kind": "money", "from": 3, "to": 9}},
    {"tickets": "It is {adult}.", "hours": "From 9 to 5."},
    (
        (
            Turn(("price?", "how much"), ("It is {adult}.",), ("tickets",), ("{adult}",), False),
            Turn(("when?",), ("From 9 to 5.",), ("hours",), ("9",), False),
        ),
        ((Turn(("hi",), ("Hello there.",), (), (), False)),),
    ),
)


@pytest.fixture(scope="module")
def base(tiny_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Reader, Tokenizer]:
    """The tiny reader and its tokenizer."""
    return load_base(tiny_gguf, tmp_path_factory.mktemp("cache"))


@pytest.fixture
def scene(base: tuple[Reader, Tokenizer]) -> ReadScene:
    """The kiosk, read."""
    dice = random.Random(0)
    return search(read_scene(draw_scene(PACK, dice), *base, DEPTHS, dice), find_by_words)


def trainer_of(reader: Reader, scene: ReadScene, recipe: Recipe = RECIPE) -> Trainer:
    """A trainer at its beginning that knows one scene."""
    torch.manual_seed(0)
    tower = Tower(reader.sizes, DEPTHS, MASK)
    begin(tower, reader)
    trainer = Trainer(tower, reader.embedding, torch.tensor([END, *range(30, 130)]), END, recipe)
    trainer.scenes["kiosk.0"] = scene
    return trainer


# ---- the pool ----


def test_a_scene_is_read_as_at_run_time(base: tuple[Reader, Tokenizer], scene: ReadScene) -> None:
    reader, tokenizer = base
    assert [tokenizer.decode(scene.ids[slice(*span)]) for span in scene.spans][1] == " From 9 to 5."
    assert len(scene.turns) == 3
    for turn in scene.turns:
        states, past = reader(torch.tensor([scene.ids + turn.ids[:-1]]))
        start = len(scene.ids)
        torch.testing.assert_close(turn.states.float(), states[0, start:], atol=0.05, rtol=0.02)
        keys, _ = past.layers[2]
        kept, _ = turn.past[1]
        torch.testing.assert_close(kept.float(), keys[:, :, start:], atol=0.05, rtol=0.02)


def test_a_scene_comes_back_from_disk_at_the_depths_wanted(
    scene: ReadScene, tmp_path: Path
) -> None:
    path = tmp_path / "kiosk.0.pt"
    save_scene(path, scene, DEPTHS)
    again = load_scene(path, (2,), find_by_words)
    assert (again.ids, again.spans) == (scene.ids, scene.spans)
    assert torch.equal(again.past[0][1], scene.past[1][1])
    assert [turn.target for turn in again.turns] == [turn.target for turn in scene.turns]
    assert [turn.found for turn in again.turns] == [turn.found for turn in scene.turns]
    assert torch.equal(again.turns[1].past[0][0], scene.turns[1].past[1][0])


def test_a_pool_is_filled_once(base: tuple[Reader, Tokenizer], tmp_path: Path) -> None:
    other = replace(PACK, name="desk")
    names = list(fill_pool(tmp_path, [PACK, other], *base, DEPTHS, draws=2))
    assert names == ["kiosk.0", "desk.0", "kiosk.1", "desk.1"]
    assert list(fill_pool(tmp_path, [PACK, other], *base, DEPTHS, draws=2)) == []


# ---- drawing ----


def test_every_turn_comes_once_before_one_comes_again(
    base: tuple[Reader, Tokenizer], scene: ReadScene
) -> None:
    trainer = trainer_of(base[0], scene)
    drawn = [trainer.draw_turn()[1].target for _ in range(3)]
    assert sorted(drawn) == sorted(turn.target for turn in scene.turns)


def test_views_show_words_and_hide_others(base: tuple[Reader, Tokenizer], scene: ReadScene) -> None:
    trainer = trainer_of(base[0], scene)
    target = scene.turns[0].target
    for _ in range(50):
        for view in trainer.draw_views(target, 24):
            assert view.full[: len(target)] == target
            assert set(view.full[len(target) :]) == {END}
            assert any(token == MASK for token in view.canvas)
            for token, right, weight in zip(view.canvas, view.full, view.weights, strict=True):
                assert token in (MASK, right)
                assert (weight > 0) == (token == MASK)


def test_a_batch_is_as_long_as_it_needs(base: tuple[Reader, Tokenizer], scene: ReadScene) -> None:
    trainer = trainer_of(base[0], scene)
    for _ in range(20):
        batch = trainer.draw_batch()
        lengths = {len(view.canvas) for views in batch.views for view in views}
        assert len(lengths) == 1
        assert lengths <= set(CANVASES)


def test_right_facts_can_be_put_first_and_none_then_is_no_outcome() -> None:
    favoured = favour(Found((3.0, 1.0, 2.0), none=5.0), [1])

    assert favoured.scores.index(max(favoured.scores)) == 1
    assert favoured.none == float("-inf")


# ---- learning ----


def test_prompts_of_different_lengths_share_a_batch(
    base: tuple[Reader, Tokenizer], scene: ReadScene
) -> None:
    """What a turn costs does not depend on what stands beside it."""
    trainer = trainer_of(base[0], scene)
    turns = [(scene, turn, turn.found) for turn in scene.turns]
    views = [trainer.draw_views(turn.target, 24) for _, turn, _ in turns]
    together, _ = trainer.losses(Batch(turns, views))
    for i, (turn, of_turn) in enumerate(zip(turns, views, strict=True)):
        alone, _ = trainer.losses(Batch([turn], [of_turn]))
        torch.testing.assert_close(together[2 * i : 2 * i + 2], alone, atol=1e-4, rtol=1e-4)


def test_the_loss_falls(base: tuple[Reader, Tokenizer], scene: ReadScene) -> None:
    trainer = trainer_of(base[0], scene)
    costs = []
    for _ in range(40):
        trainer.report = type(trainer.report)()
        trainer.learn(1.0)
        costs.append(sum(trainer.report.sums.values()) / sum(trainer.report.counts.values()))

    assert sum(costs[-5:]) < 0.6 * sum(costs[:5])
    assert "1: " in str(trainer.report) or "0." in str(trainer.report)


def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    base: tuple[Reader, Tokenizer], scene: ReadScene, tmp_path: Path
) -> None:
    trainer = trainer_of(base[0], scene)
    for _ in range(3):
        trainer.learn(1.0)

    trainer.save(tmp_path / "state.pt")
    for _ in range(3):
        trainer.learn(1.0)

    again = trainer_of(base[0], scene)
    again.load(tmp_path / "state.pt")
    assert again.step == 3
    for _ in range(3):
        again.learn(1.0)

    assert again.waiting == trainer.waiting
    for name, weight in trainer.tower.state_dict().items():
        torch.testing.assert_close(again.tower.state_dict()[name], weight, msg=name)


def test_a_fault_in_a_worker_ends_the_step(
    base: tuple[Reader, Tokenizer], scene: ReadScene
) -> None:
    trainer = trainer_of(base[0], scene)
    trainer.index = torch.full((1,), -1)
    with pytest.raises(IndexError):
        trainer.learn(1.0)


def test_a_token_that_can_be_neither_said_nor_copied_costs_much_but_not_everything(
    base: tuple[Reader, Tokenizer], scene: ReadScene
) -> None:
    trainer = trainer_of(base[0], scene)
    turn = replace(scene.turns[0], target=[259, 259])
    views = [trainer.draw_views(turn.target, 16)]
    losses, _ = trainer.losses(Batch([(scene, turn, turn.found)], views))
    assert losses.isfinite().all()
    assert 25 < losses.max() < 60


def test_the_end_of_a_fact_is_copied_as_the_end_mark(
    base: tuple[Reader, Tokenizer], scene: ReadScene
) -> None:
    trainer = trainer_of(base[0], scene)
    turns = [(scene, turn, turn.found) for turn in scene.turns]
    views = [trainer.draw_views(turn.target, 16) for _, turn, _ in turns]
    shown = collate(Batch(turns, views), trainer.tower, trainer.embedding, END)
    assert all(int(shown.copies[0, stop]) == END for _, stop in scene.spans)
