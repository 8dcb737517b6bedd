"""Of a long fact the part is said that answers."""

from __future__ import annotations

import pytest

from atonce.agent.read_out import spoken_part

LONG = (
    "The pool is on the roof. It opens at 7 am. Towels are at the desk. "
    "The sauna costs $5. It closes at 9 pm."
)


@pytest.mark.parametrize("fact", ["", "We open at 9 a.m.", "The pool is warm. It opens at 7 am."])
def test_a_short_fact_is_said_whole(fact: str) -> None:
    assert spoken_part(fact, "When do you open?") == fact


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Where is the pool?", "The pool is on the roof. It opens at 7 am."),
        (
            "Where do I get towels?",
            "The pool is on the roof. It opens at 7 am. Towels are at the desk.",
        ),
        ("What does the sauna cost?", "Towels are at the desk. The sauna costs $5."),
        ("Anything else?", "The pool is on the roof. It opens at 7 am."),
    ],
)
def test_of_a_long_fact_the_sentences_are_said_that_answer(question: str, said: str) -> None:
    assert spoken_part(LONG, question) == said
