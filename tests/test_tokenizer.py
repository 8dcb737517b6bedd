"""Text to tokens and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atonce.config.errors import ModelError
from atonce.llm.tokenizer import BYTE_OF, Tokenizer
from atonce.llm.weights import load_base

MARKS = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<empty_output>", "<mask>")

texts = st.lists(st.sampled_from(MARKS) | st.text(max_size=8), max_size=8).map("".join)


@pytest.fixture(scope="module")
def tokenizer(tiny_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """The tiny model's."""
    return load_base(tiny_gguf, tmp_path_factory.mktemp("cache"))[1]


def test_every_byte_has_a_character_of_its_own() -> None:
    assert sorted(BYTE_OF.values()) == list(range(256))


@settings(deadline=None)
@given(text=texts)
def test_a_text_comes_back_whole_and_no_special_token_arises(
    tokenizer: Tokenizer, text: str
) -> None:
    ids = tokenizer.encode(text)
    assert not tokenizer.specials & set(ids)
    assert tokenizer.decode(ids) == text
    assert "".join(tokenizer.pieces(ids)) == text


def test_merges_are_used(tokenizer: Tokenizer) -> None:
    assert len(tokenizer.encode("the the")) == 2


def test_a_special_token_has_an_id_and_no_text(tokenizer: Tokenizer) -> None:
    end = tokenizer.special("<|im_end|>")
    assert tokenizer.decode([*tokenizer.encode("Yes."), end]) == "Yes."


def test_a_special_token_of_another_model_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(ModelError, match="no special token <eot>"):
        tokenizer.special("<eot>")


def test_a_character_of_several_tokens_appears_with_its_last_one(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("é")
    assert tokenizer.pieces(ids) == ["", "é"]


def test_an_open_position_cuts_a_character_short(tokenizer: Tokenizer) -> None:
    first, second = tokenizer.encode("é")
    assert tokenizer.pieces([first, None, second]) == ["", "\ufffd", "\ufffd"]
    assert tokenizer.pieces([first]) == ["\ufffd"]
    assert tokenizer.pieces([]) == []


def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "tokenizer.json"
    broken.write_text("{}")
    with pytest.raises(ModelError, match=r"tokenizer\.json is not a tokenizer"):
        Tokenizer.load(broken)


@pytest.mark.models
@pytest.mark.filterwarnings("ignore")  # those of transformers
def test_tokens_are_those_of_transformers(smollm2: Path, converted: Path) -> None:
    from transformers import AutoTokenizer

    ours = load_base(smollm2, converted)[1]
    theirs = AutoTokenizer.from_pretrained(smollm2, gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf")
    for text in SENTENCES:
        assert ours.encode(text) == theirs(text, add_special_tokens=False).input_ids, text
        assert ours.decode(ours.encode(text)) == text

    for name in ("<|im_start|>", "<|im_end|>", "<empty_output>"):
        assert ours.special(name) == theirs.convert_tokens_to_ids(name)


SENTENCES = (
    "",
    " ",
    "We're open from 9:30 am to 5:45 pm, Tuesday to Sunday.",
    "A ticket is $14.50; children under 12 pay 1/2, groups 1,234 or 1955.",
    "the car park is in Quillan Lane, 200 metres from the museum",
    "Café, naïve, Zürich, Łódź, 東京, 🙂 “quotes” — dashes… ½ ² °C",
    "two  blanks,   three, a\ttab,\n\na line  7",
    "I'd've SAID \"it's\" don'T they'll we're X-ray B2 room101 a1b2c3",
    "system\nYou are the guide. Answer aloud, from these facts:\n- Open daily.\n- Dogs may not.",
    "def f(x): return x**2  # code",
    "www.example.org/path?q=1&r=2 name@example.org +44 20 7946 0000",
    " leading and trailing ",
)
