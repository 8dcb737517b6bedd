"""Copying from the prompt."""

from __future__ import annotations

import itertools

import torch

from atonce.llm.clues import FEATURES, FIRST, OTHER, TURN
from atonce.llm.copying import DISTANCES, KEY, Copier, read_out

WIDTH = 24


def prompt() -> tuple[torch.Tensor, torch.Tensor]:
    """Two facts of four tokens and a question of two: features and places in the facts."""
    kinds = [OTHER] * 4 + [FIRST] * 4 + [TURN] * 2
    features = torch.nn.functional.one_hot(torch.tensor(kinds), FEATURES).float()[None]
    return features, torch.tensor([[1, 2, 3, 4, 1, 2, 3, 4, 0, 0]])


def test_an_untrained_copier_reads_out_the_best_fact() -> None:
    copier = Copier(WIDTH)
    read_out(copier)
    features, offsets = prompt()
    torch.manual_seed(0)
    keys = copier.keys(torch.randn(1, 10, WIDTH), torch.randn(1, 10, WIDTH), offsets)
    agreement = torch.zeros(1, 4, 10)
    gate, scores = copier(
        torch.randn(1, 4, WIDTH), torch.arange(4)[None], keys, features, agreement
    )
    assert scores[0].argmax(-1).tolist() == [4, 5, 6, 7]
    assert (gate.sigmoid() > 0.5).all()


def test_reading_out_starts_the_same_everywhere() -> None:
    first, second = Copier(WIDTH), Copier(WIDTH)
    read_out(first)
    read_out(second)
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, second.state_dict()[name]), name


def test_a_key_knows_its_own_token_and_the_one_before() -> None:
    copier = Copier(WIDTH)
    states, words = torch.randn(1, 5, WIDTH), torch.randn(1, 5, WIDTH)
    offsets = torch.zeros(1, 5, dtype=torch.long)
    keys = copier.keys(states, words, offsets)
    assert keys.shape == (1, 5, KEY)
    other = words.clone()
    other[0, 2] += 1
    changed = (copier.keys(states, other, offsets) != keys).any(-1)[0]
    assert changed.tolist() == [False, False, True, True, False]
    later = states.clone()
    later[0, 4] += 1  # what was read at the last token is nobody's past
    assert torch.equal(copier.keys(later, words, offsets), keys)


def test_what_stands_already_speaks_for_the_fact_it_comes_from() -> None:
    copier = Copier(WIDTH)
    read_out(copier)
    copies = torch.tensor([[5, 6, 7, 8, 2, 5, 9, 7, 3, 2]])
    offsets = torch.tensor([[1, 2, 3, 4, 5, 1, 2, 3, 4, 5]])
    canvas = torch.tensor([[99, 9, 99, 99]])  # 99: open
    agreement = copier.agree(canvas, copies, offsets)[0]
    assert agreement[0].argmax() == 5
    assert agreement[2].argmax() == 7
    assert agreement[3].argmax() == 8
    assert (copier.agree(torch.full((1, 4), 99), copies, offsets) == 0).all()


def test_an_agreement_fades_with_distance_and_ends() -> None:
    copier = Copier(WIDTH)
    read_out(copier)
    copies = torch.arange(100, 140)[None]
    canvas = torch.full((1, 40), 99)
    canvas[0, 10] = 110
    for offsets in (torch.arange(1, 41)[None], torch.zeros(1, 40, dtype=torch.long)):
        along = copier.agree(canvas, copies, offsets)[0].diagonal()
        assert along[11] > along[12] > along[18] > 0
        assert along[9] == along[11]
        assert along[34] > along[35] == 0
        assert along[10] == 0  # nobody speaks for itself


def test_no_word_of_one_fact_speaks_for_another_fact() -> None:
    copier = Copier(WIDTH)
    read_out(copier)
    copies = torch.tensor([[5, 6, 2, 40, 7, 8, 2, 50]])
    offsets = torch.tensor([[1, 2, 3, 0, 1, 2, 3, 0]])
    canvas = torch.tensor([[5, 6, 99, 99, 99, 99]])
    agreement = copier.agree(canvas, copies, offsets)[0]
    assert agreement[2, 2] > 0  # the end of the fact
    assert (agreement[3:] == 0).all()


def test_agreement_is_the_sum_over_all_neighbours_that_stand_where_they_would_if_copied() -> None:
    """Against the definition, position by position, token by token; and it can be learned."""
    copier = Copier(WIDTH)
    torch.manual_seed(3)
    torch.nn.init.normal_(copier.agreement)
    copies = torch.randint(0, 6, (2, 30))
    offsets = torch.tensor([[0] * 4 + [*range(1, 9)] + [*range(1, 14)] + [0] * 5] * 2)
    canvas = torch.randint(0, 9, (2, 12))
    expected = torch.zeros(2, 12, 30)
    for weight, distance in zip(copier.agreement.detach(), DISTANCES, strict=True):
        for row, i, p in itertools.product(range(2), range(12), range(30)):
            if 0 <= i + distance < 12 and 0 <= p + distance < 30:
                step = offsets[row, p + distance] - offsets[row, p]
                is_together = step == (distance if offsets[row, p] > 0 else 0)
                if is_together and canvas[row, i + distance] == copies[row, p + distance]:
                    expected[row, i, p] += weight

    agreement = copier.agree(canvas, copies, offsets)
    torch.testing.assert_close(agreement, expected)
    agreement.sum().backward()
    assert copier.agreement.grad is not None
    assert copier.agreement.grad.any()
