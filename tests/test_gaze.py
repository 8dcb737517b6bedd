"""Where the reader looks, and what is made of it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch

from atonce.config.errors import ModelError
from atonce.llm.corpus import Pack, Turn, draw_example, draw_scene
from atonce.llm.finder import find_by_words
from atonce.llm.gaze import FLOOR, SHIPPED_GAZE, SUMMARY, Gaze, Watch, load_gaze, save_gaze
from atonce.llm.gaze_training import Seen, fit, held_out, look, measure
from atonce.llm.model import Reader
from atonce.llm.protocols import Found
from atonce.llm.tokenizer import Tokenizer
from atonce.llm.weights import load_base

HEADS, WIDTH = 6, 4
SPANS = [(2, 5), (5, 9)]


@pytest.fixture(scope="module")
def base(tiny_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Reader, Tokenizer]:
    """The tiny reader and its tokenizer."""
    return load_base(tiny_gguf, tmp_path_factory.mktemp("cache"))


def watched(reader: Reader, ids: list[int], start: int) -> Watch:
    """What is seen of the tokens from `start` on."""
    watch = Watch(SPANS, depths=2)
    _, past = reader(torch.tensor([ids[:start]]))
    reader(torch.tensor([ids[start:]]), past, watch)
    return watch


def test_looks_are_the_shares_of_attention_that_the_layers_themselves_give(
    base: tuple[Reader, Tokenizer], tiny_llama: torch.nn.Module
) -> None:
    ids = list(range(30, 54))
    tiny_llama.set_attn_implementation("eager")
    theirs = tiny_llama(torch.tensor([ids]), output_attentions=True).attentions
    asking = slice(12, len(ids) - 4)  # the last four are marks, not words

    logs = watched(base[0], ids, 12).logs
    for depth in (0, 1):
        for fact, (start, stop) in enumerate(SPANS):
            share = theirs[depth][0, :, asking, start:stop].sum(-1).mean(-1)
            mine = logs[depth * HEADS : (depth + 1) * HEADS, fact].exp() - FLOOR
            torch.testing.assert_close(mine, share, atol=1e-5, rtol=1e-4)


def test_looking_on_changes_nothing(base: tuple[Reader, Tokenizer]) -> None:
    ids = torch.tensor([list(range(30, 54))])
    states, _ = base[0](ids)
    again, _ = base[0](ids, None, Watch(SPANS, depths=2))

    assert torch.equal(states, again)


def test_a_question_of_marks_alone_can_be_looked_at(base: tuple[Reader, Tokenizer]) -> None:
    assert watched(base[0], list(range(30, 45)), 13).logs.isfinite().all()


# ---- weights ----


def weights(**given: torch.Tensor) -> Gaze:
    """Weights that do nothing but what is given."""
    plain = {
        "found": torch.ones(1),
        "looks": torch.zeros(2),
        "none": torch.zeros(1 + SUMMARY),
        "best": torch.zeros(2),
        "all": torch.zeros(2),
        "state": torch.zeros(WIDTH),
        "talk": torch.zeros(1 + WIDTH),
    }
    return Gaze(**(plain | given))


LOGS = torch.tensor([[-1.0, -3.0], [-2.0, -2.0]])
FOUND = Found((1.0, 2.0), none=0.5)


def test_what_was_found_is_weighed_against_what_was_seen() -> None:
    plain = weights().weigh(FOUND, LOGS, torch.zeros(WIDTH))
    seen = weights(looks=torch.tensor([2.0, 0.0])).weigh(FOUND, LOGS, torch.zeros(WIDTH))

    assert plain.scores == (1.0, 2.0)
    assert seen.scores == (-1.0, -4.0)
    assert sum(plain.chances) == pytest.approx(0.5)  # odds of none: even


def test_none_and_small_talk_are_told_from_the_state() -> None:
    state = torch.tensor([1.0, 0.0, 0.0, 0.0])
    gaze = weights(
        state=torch.tensor([3.0, 0, 0, 0]), talk=torch.tensor([-1.0, -2.0, 0.0, 0.0, 0.0])
    )
    found = gaze.weigh(FOUND, LOGS, state)

    assert found.none - torch.tensor(found.scores).logsumexp(0) == pytest.approx(3.0)
    assert found.talk == -3.0


def test_a_finder_that_cannot_say_none_is_left_as_it_is() -> None:
    assert weights().weigh(Found((1.0, 2.0)), LOGS, torch.zeros(WIDTH)) == Found((1.0, 2.0))


def test_weights_come_back_from_their_file(tmp_path: Path) -> None:
    gaze = weights(looks=torch.tensor([2.0, 0.5]))
    save_gaze(tmp_path / "gaze.safetensors", gaze, "1.0")
    again = load_gaze(tmp_path / "gaze.safetensors")

    assert all(torch.equal(getattr(gaze, name), getattr(again, name)) for name in Gaze.__slots__)


def test_a_file_with_other_tensors_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "gaze.safetensors"
    from safetensors.torch import save_file

    save_file({"looks": torch.zeros(2)}, path)
    with pytest.raises(ModelError, match="other tensors"):
        load_gaze(path)


def test_the_shipped_weights_are_for_the_reader_that_is_shipped() -> None:
    gaze = load_gaze(SHIPPED_GAZE)

    assert len(gaze.looks) == len(gaze.best) == len(gaze.all) == 23 * 9
    assert len(gaze.state) == len(gaze.talk) - 1 == 576


# ---- fitting ----


def seen_by_chance(count: int) -> list[Seen]:
    """Questions whose answer the first head looks at; the facts are silent where nobody looks;
    small talk where the state says so."""
    dice, made = torch.Generator().manual_seed(0), []
    for number in range(count):
        logs = torch.randn(2, 3, generator=dice)
        state = torch.randn(WIDTH, generator=dice)
        answer = int(torch.randint(3, (1,), generator=dice))
        is_talk = number % 7 == 0
        is_silent = number % 5 == 0 and not is_talk
        logs[0, answer] += 0 if is_silent or is_talk else 4
        state[0] += 4 * is_talk
        gold = () if is_silent or is_talk else (answer,)
        pack = f"pack {number % 4}"
        made.append(Seen(Found((0.1, 0.0, 0.0), none=-1.0), logs, state, gold, is_talk, pack))

    return made


def test_fitting_finds_the_head_that_looks_at_the_answer() -> None:
    seen = seen_by_chance(400)
    gaze = fit(seen, shrink_looks=1e-3, shrink_none=1e-3)
    scores = measure(seen, held_out(seen, 4, (1e-3, 1e-3)))

    assert gaze.looks[0] > 5 * abs(gaze.looks[1])
    assert scores.first > 0.9 > 0.5 > scores.first_before
    assert scores.none[1] > scores.none_before[1]
    assert scores.talk[0] > 0.8 > 0.1 > scores.talk[1]
    assert "first" in str(scores)


def test_none_is_made_rarer_where_known_questions_were_left_out() -> None:
    seen = seen_by_chance(100)
    rare, frequent = fit(seen, too_few=3.0), fit(seen)

    assert frequent.none[0] - rare.none[0] == pytest.approx(math.log(3.0), abs=1e-5)


PACK = Pack(
    "kiosk",
    "a guide",
    {},
    {"tickets": "It is $4.", "hours": "From 9 to 5."},
    (
        (
            Turn(("price?",), ("It is $4.",), ("tickets",), ("$4",), False),
            Turn(("and a pool?",), ("I don't know.",), ("hours",), (), True),
        ),
        ((Turn(("hi",), ("Hello.",), (), (), False)),),
    ),
)


def test_a_scene_is_looked_at_turn_by_turn(base: tuple[Reader, Tokenizer]) -> None:
    scene, dice = draw_scene(PACK, Random(0)), Random(0)
    turns = [draw_example(scene, *place, dice) for place in ((0, 0), (0, 1), (1, 0))]
    price, pool, hello = look(turns, *base, find_by_words)

    assert (price.gold, pool.gold, hello.gold) == ((0,), (), ())
    assert (price.is_silent, pool.is_silent, hello.is_silent) == (False, True, False)
    assert hello.is_talk
    assert price.logs.shape == (3 * HEADS, 2)  # the tiny reader has three layers
    alone = look([replace(turns[1])], *base, find_by_words)[0]
    torch.testing.assert_close(alone.logs, pool.logs)  # what was read before does not matter
