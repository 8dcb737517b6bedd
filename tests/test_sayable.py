"""What a reply may hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.llm.sayable import held_by, is_value, sayable, word_of


@pytest.mark.parametrize(
    "text", ["7", " $", "1st", " two", "Twenty", " Monday", "noon", " pm", " French", " March"]
)
def test_a_number_a_price_a_time_a_day_and_a_language_are_values(text: str) -> None:
    assert is_value(text)


@pytest.mark.parametrize("text", [" one", "First", " may", " am", " museum", "The", "", "-", " St"])
def test_words_that_are_mostly_other_words_are_none(text: str) -> None:
    assert not is_value(text)


def test_a_number_is_held_in_figures_and_in_letters() -> None:
    assert {"6", "six", "room"} <= held_by([" room", " 6"])
    assert "3" in held_by(["Three"])
    assert "six" not in held_by(["60"])


TEXTS = {1: " room", 2: " two", 3: " three", 4: " Monday", 5: "<end>", 6: " 2", 7: " is", 8: " Zoe"}
tokens = st.sets(st.sampled_from(sorted(TEXTS)))


@given(vocabulary=tokens, prompt=tokens)
def test_no_value_is_said_that_the_prompt_does_not_hold(
    vocabulary: set[int], prompt: set[int]
) -> None:
    values = {token: word_of(text) for token, text in TEXTS.items() if is_value(text)}
    held = held_by(TEXTS[token] for token in prompt)
    said = sayable(vocabulary, prompt, values=values, held=held, specials={5})
    assert said == sorted(set(said))
    assert 5 not in said
    assert set(said) >= prompt - {5}
    assert set(said) >= (vocabulary - set(values)) - {5}
    for token in set(said) - prompt:
        assert not is_value(TEXTS[token]) or word_of(TEXTS[token]) in held


def test_a_number_in_letters_is_said_where_the_prompt_has_it_in_figures() -> None:
    values = {2: "two", 3: "three"}
    assert sayable([1, 2, 3], [6], values=values, held=held_by([" 2"]), specials=()) == [1, 2, 6]
