"""Which facts answer a question."""

from __future__ import annotations

import pytest

from atonce.llm.protocols import Exchange
from atonce.llm.ranking import rank, stem, stems

FACTS = (
    "The museum is open from 9:30 am to 5:45 pm, Tuesday to Sunday.",
    "Adult tickets cost $14. Children under 12 get in free.",
    "The lift is behind the gift shop, next to the cloakroom.",
    "Dogs are not allowed, except guide dogs.",
    "The museum was founded in 1887 by Doctor Hartwell.",
)


def best(question: str, *history: Exchange) -> int:
    """The fact that answers best."""
    scores = rank(question, FACTS, history)
    return scores.index(max(scores))


@pytest.mark.parametrize(
    ("question", "fact"),
    [
        ("how much is a ticket", 1),
        ("what time do you open", 0),
        ("where is the elevator, um, the lift", 2),
        ("can i bring my dog", 3),
        ("who founded it", 4),
        ("do kids pay", 1),
        ("when", 0),
        ("where", 2),
    ],
)
def test_the_fact_that_answers_comes_first(question: str, fact: int) -> None:
    assert best(question) == fact


def test_a_follow_up_question_finds_the_fact_of_the_turn_before() -> None:
    past = Exchange("can i bring my dog", "Dogs are not allowed.")
    assert best("and what about a small one", past) == 3
    older = (Exchange("who founded the museum", "Doctor Hartwell."), Exchange("ah", "Yes."))
    assert best("and", *older) == 4


def test_without_facts_there_are_no_scores() -> None:
    assert rank("how much", ()) == ()


def test_a_question_of_nothing_scores_all_the_same() -> None:
    assert len(rank("", FACTS)) == len(FACTS)
    assert len(rank("?", ("",))) == 1


@pytest.mark.parametrize(
    ("forms", "expected"),
    [
        (("open", "opens", "opening", "opened"), "open"),
        (("city", "cities"), "citi"),
        (("glass", "glasses"), "glas"),
        (("stop", "stopped", "stopping"), "stop"),
        (("cost", "costs"), "cost"),
    ],
)
def test_forms_of_a_word_have_one_stem(forms: tuple[str, ...], expected: str) -> None:
    assert {stem(form) for form in forms} == {expected}


def test_words_without_content_are_left_out() -> None:
    assert stems("Um, could you please tell me what it's like?") == []
