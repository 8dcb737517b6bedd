"""Finding the facts that answer, by meaning."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from atonce.config.errors import ModelError
from atonce.llm.finder import (
    SHIPPED_FINDER,
    Finder,
    begin_judge,
    find_by_words,
    load_encoder,
    load_judge,
    save_judge,
)
from atonce.llm.protocols import Exchange

FACTS = (
    "The museum is open from 9 am to 5 pm.",
    "The café on the ground floor serves soup and cakes.",
    "Adult tickets cost $14.",
    "Dogs and other animals are not allowed inside.",
    "Coats and bags can be left in the lockers by the door.",
)

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def finder(minilm: Path) -> Finder:
    return Finder.load(minilm)


def best(finder: Finder, question: str, *history: Exchange) -> str:
    scores = finder.find(question, FACTS, history).scores
    return FACTS[scores.index(max(scores))]


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("Is there somewhere to eat?", "café"),
        ("can my puppy come in", "Dogs"),
        ("How much is it to get in?", "$14"),
        ("when do you close", "5 pm"),
    ],
)
def test_a_question_finds_its_fact_without_sharing_a_word(
    finder: Finder, question: str, word: str
) -> None:
    assert word in best(finder, question)


def test_a_short_question_leans_on_the_turn_before(finder: Finder) -> None:
    past = Exchange("Is there somewhere to eat?", "Yes, the café on the ground floor.")

    assert "café" in best(finder, "And what do they serve?", past)


def test_every_fact_has_a_score_and_none_has_one_too(finder: Finder) -> None:
    found = finder.find("When do you open?", FACTS, ())

    assert len(found.scores) == len(FACTS)
    assert torch.isfinite(torch.tensor([*found.scores, found.none])).all()


def test_a_question_that_no_fact_answers_makes_none_likelier(finder: Finder) -> None:
    def margin(question: str) -> float:
        found = finder.find(question, FACTS, ())
        return found.none - max(found.scores)

    assert margin("Do you validate parking?") > margin("When do you open?")


def test_without_facts_nothing_is_found(finder: Finder) -> None:
    assert finder.find("When do you open?", (), ()).scores == ()


def test_a_single_fact_and_an_empty_question_are_no_trouble(finder: Finder) -> None:
    assert len(finder.find("", FACTS[:1], ()).scores) == 1


def test_words_alone_know_no_none() -> None:
    assert find_by_words("open", FACTS, ()).none == float("-inf")


def test_an_untrained_judge_orders_as_the_encoder_does(minilm: Path) -> None:
    encoder, tokenizer = load_encoder(minilm)
    finder = Finder(encoder, tokenizer, begin_judge(encoder).eval())
    asked = finder.ask([("can my puppy come in", ())], FACTS)
    with torch.inference_mode():
        prior = finder.judge.prior(asked.signals)[0].tolist()

    assert finder.find("can my puppy come in", FACTS, ()).scores == pytest.approx(prior, abs=1e-4)


def test_a_judge_is_read_back_as_it_was_written(minilm: Path, tmp_path: Path) -> None:
    encoder, _ = load_encoder(minilm)
    judge = begin_judge(encoder)
    save_judge(tmp_path / "judge.safetensors", judge, "1")
    again = load_judge(tmp_path / "judge.safetensors", encoder.sizes)

    for (name, ours), theirs in zip(
        judge.state_dict().items(), again.state_dict().values(), strict=True
    ):
        step = ours.abs().max() / 127
        assert float((ours - theirs).abs().max()) <= step, name


def test_a_damaged_judge_is_named_with_the_remedy(minilm: Path, tmp_path: Path) -> None:
    path = tmp_path / "judge.safetensors"
    path.write_bytes(SHIPPED_FINDER.read_bytes()[:1000])
    encoder, _ = load_encoder(minilm)

    with pytest.raises(ModelError, match=r"judge\.safetensors is damaged"):
        load_judge(path, encoder.sizes)
