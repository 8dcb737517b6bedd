"""The twin: how it learns, that a killed run goes on as if it had not been, and its opinions."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from atonce.config.errors import ModelError
from atonce.llm.autoregressive import LONGEST, AutoregressiveWriter
from atonce.llm.clues import FEATURES, FIRST
from atonce.llm.corpus import Pack, Turn, draw_scene
from atonce.llm.lessons import lessons
from atonce.llm.model import Reader, Sizes
from atonce.llm.protocols import Plan, Prompt
from atonce.llm.reading import PromptReader
from atonce.llm.second_opinion import Span, doubtful_span, likelihoods
from atonce.llm.tokenizer import Tokenizer
from atonce.llm.twin import SHIPPED_TWIN, Adapter, load_twin, merge, save_twin
from atonce.llm.twin_training import UNKNOWN_WEIGHT, TwinTrainer, begin, lay_out, read_scene
from atonce.llm.weights import load_base

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
        ((Turn(("dogs?",), ("I don't know.",), (), (), True)),),
    ),
)
SPEECHLESS = print  # progress is of no interest here


@pytest.fixture(scope="module")
def base(tiny_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Reader, Tokenizer]:
    """The tiny reader and its tokenizer."""
    return load_base(tiny_gguf, tmp_path_factory.mktemp("cache"))


def trainer_of(base: tuple[Reader, Tokenizer], rate: float = 1e-2) -> TwinTrainer:
    """A run at its beginning."""
    adapter = Adapter(base[0].sizes, rank=4)
    begin(adapter)
    return TwinTrainer(*base, adapter, [PACK], rate=rate)


def mean_loss(trainer: TwinTrainer) -> float:
    """Over all turns in hand, without learning."""
    with torch.no_grad():
        for scene in trainer.scenes.values():
            losses, weights = trainer.losses(scene, scene.turns)

    return float((losses * weights).sum() / weights.sum())


def test_it_learns_the_canonical_replies(base: tuple[Reader, Tokenizer]) -> None:
    trainer = trainer_of(base)
    trainer.learn(1.0, SPEECHLESS)
    before = mean_loss(trainer)
    for _ in range(30):
        trainer.learn(1.0, SPEECHLESS)

    trainer.scenes.clear()
    trainer.read("kiosk.0")
    assert mean_loss(trainer) < 0.7 * before


def test_a_killed_run_goes_on_as_if_it_had_not_been(
    base: tuple[Reader, Tokenizer], tmp_path: Path
) -> None:
    whole, first = trainer_of(base), trainer_of(base)
    for _ in range(7):
        whole.learn(1.0, SPEECHLESS)

    for _ in range(3):
        first.learn(1.0, SPEECHLESS)

    first.save(tmp_path / "state.pt")
    for _ in range(2):  # work that is lost
        first.learn(1.0, SPEECHLESS)

    second = trainer_of(base)
    second.load(tmp_path / "state.pt")
    for _ in range(4):
        second.learn(1.0, SPEECHLESS)

    assert second.step == whole.step == 7
    for ours, theirs in zip(second.adapter.parameters(), whole.adapter.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_turn_is_read_as_it_is_at_run_time(base: tuple[Reader, Tokenizer]) -> None:
    dice = random.Random(3)
    examples = list(lessons(draw_scene(PACK, dice), dice))
    scene = read_scene(examples, *base)
    prompts = PromptReader(*base, reply=LONGEST)
    for example in examples:
        read = prompts.read(example.prompt)
        keys = read.past.layers[-1][0]
        matching = [
            turn
            for turn in scene.turns
            if turn.features.shape == read.features.shape
            and torch.equal(turn.features, read.features)
            and torch.allclose(torch.cat([scene.past[-1][0], turn.past[-1][0]], 2), keys, atol=1e-4)
        ]
        assert matching
        assert matching[0].last == read.ids[-1]


def test_losses_in_training_are_the_likelihoods_of_the_second_opinion(
    base: tuple[Reader, Tokenizer],
) -> None:
    trainer = trainer_of(base)
    for _ in range(6):
        trainer.learn(1.0, SPEECHLESS)

    dice = random.Random(3)
    examples = list(lessons(draw_scene(PACK, dice), dice))
    scene = read_scene(examples, *base)
    losses, _ = trainer.losses(scene, scene.turns)
    twin, prompts = merge(base[0], trainer.adapter), PromptReader(*base, reply=LONGEST)
    for turn, row in zip(scene.turns, losses, strict=True):
        reads = [prompts.read(example.prompt) for example in examples]
        opinions = [likelihoods(twin, trainer.adapter.relevance, r, turn.target) for r in reads]
        wanted = -row[: len(turn.target)].detach()
        assert any(torch.allclose(torch.tensor(o), wanted, atol=1e-3) for o in opinions)


def test_unknown_turns_count_less_and_padding_nothing(base: tuple[Reader, Tokenizer]) -> None:
    dice = random.Random(0)
    scene = read_scene(list(lessons(draw_scene(PACK, dice), dice)), *base)
    ids, full, weights = lay_out(scene.turns)
    assert ids.shape == full.shape == weights.shape
    for turn, row, targets in zip(scene.turns, weights, full, strict=True):
        length = len(turn.target)
        assert targets[:length].tolist() == turn.target
        assert row[:length].eq(UNKNOWN_WEIGHT if turn.example.is_unknown else 1.0).all()
        assert row[length:].eq(0).all()


# ---- files ----


def test_a_stored_adapter_is_nearly_what_it_was(
    base: tuple[Reader, Tokenizer], tmp_path: Path
) -> None:
    adapter = Adapter(base[0].sizes, rank=4)
    begin(adapter)
    torch.manual_seed(1)
    torch.nn.init.normal_(adapter.change(1, "down").widen)
    save_twin(tmp_path / "twin.safetensors", adapter, "1.0")
    stored = load_twin(tmp_path / "twin.safetensors", base[0].sizes)
    assert stored.rank == 4
    for ours, theirs in zip(adapter.parameters(), stored.parameters(), strict=True):
        assert (ours - theirs).abs().max() <= ours.abs().max() / 127


def test_a_file_that_lacks_a_tensor_is_refused_in_one_sentence(
    base: tuple[Reader, Tokenizer], tmp_path: Path
) -> None:
    path = tmp_path / "twin.safetensors"
    adapter = Adapter(base[0].sizes, rank=4)
    begin(adapter)
    save_twin(path, adapter, "1.0")
    tensors = load_file(path)
    del tensors["relevance"]
    save_file(tensors, path, {"rank": "4"})
    with pytest.raises(ModelError, match="relevance"):
        load_twin(path, base[0].sizes)

    save_file(tensors, path)
    with pytest.raises(ModelError, match="rank"):
        load_twin(path, base[0].sizes)


# ---- the second opinion ----


def test_the_twin_finds_its_own_reply_likelier_than_another(
    base: tuple[Reader, Tokenizer],
) -> None:
    prompts = PromptReader(*base, reply=LONGEST)
    writer = AutoregressiveWriter(prompts)
    read = writer.read(Prompt("a guide", ("From 9 to 5.",), "when?"))
    *_, draft = writer.write(read, Plan(1, 10))
    own = [cell.token for cell in draft.cells]
    other = [*own[:3], 77, *own[4:]]
    nothing = torch.zeros(base[0].sizes.layers, base[0].sizes.heads, FEATURES)
    sure, unsure = (likelihoods(base[0], nothing, read, reply) for reply in (own, other))
    assert sure[:3] == pytest.approx(unsure[:3], abs=1e-4)
    assert sure[3] > unsure[3]
    assert likelihoods(base[0], nothing, read, []) == []


def test_the_doubtful_span_is_the_worst_token_with_its_uneasy_neighbours() -> None:
    assert doubtful_span([-0.1, -2.0, -5.0, -1.8, -0.2], doubt=-4, unease=-1.5) == Span(1, 4)
    assert doubtful_span([-5.0, -0.1], doubt=-4, unease=-1.5) == Span(0, 1)
    assert doubtful_span([-0.1, -3.9], doubt=-4, unease=-1.5) is None
    assert doubtful_span([]) is None


def test_it_begins_with_an_eye_on_the_best_fact(base: tuple[Reader, Tokenizer]) -> None:
    adapter = Adapter(base[0].sizes, rank=2)
    begin(adapter)
    assert adapter.relevance[:, :, FIRST].eq(2).all()
    assert (
        not merge(base[0], adapter)(torch.tensor([[40, 41]]))[0]
        .ne(base[0](torch.tensor([[40, 41]]))[0])
        .any()
    )


def test_the_shipped_twin_fits_the_shipped_reader_and_is_small() -> None:
    assert SHIPPED_TWIN.stat().st_size <= 5_000_000
    adapter = load_twin(SHIPPED_TWIN, Sizes())
    assert all(tensor.isfinite().all() for tensor in adapter.parameters())
