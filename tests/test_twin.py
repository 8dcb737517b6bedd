"""The twin: how it learns, that a killed run goes on as if it had not been."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from atonce.config.errors import ModelError
from atonce.llm.autoregressive import LONGEST, Decoder
from atonce.llm.corpus import Pack, Turn, draw_scene
from atonce.llm.lessons import lessons
from atonce.llm.model import Reader
from atonce.llm.reading import PromptReader, WholePrompt
from atonce.llm.tokenizer import Tokenizer
from atonce.llm.twin import Adapter, load_twin, merge, save_twin
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


def test_losses_in_training_are_the_likelihoods_of_the_twin_as_it_writes(
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
    relevance = trainer.adapter.relevance.detach()
    for turn, row in zip(scene.turns, losses, strict=True):
        reads = [prompts.read(example.prompt) for example in examples]
        found = [likelihoods(Decoder(twin, relevance), read, turn.target) for read in reads]
        wanted = -row[: len(turn.target)].detach()
        assert any(torch.allclose(one, wanted, atol=1e-3) for one in found)


@torch.inference_mode()
def likelihoods(decoder: Decoder, read: WholePrompt, reply: Sequence[int]) -> torch.Tensor:
    """Log-likelihood of every token of a reply, nats, token after token."""
    decoder.begin(read.past, read.features[None], len(reply))
    odds = [decoder.step(torch.tensor([one]))[0] for one in (read.ids[-1], *reply[:-1])]
    said = torch.stack(odds).log_softmax(-1)
    return said.gather(1, torch.tensor(reply)[:, None])[:, 0]


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
