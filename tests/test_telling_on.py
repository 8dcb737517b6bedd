"""What may follow a reply that is to last longer."""

from __future__ import annotations

from itertools import pairwise

from atonce.agent.telling_on import by_nearness, fresh, told_on
from atonce.llm.protocols import Found, Prompt

FACTS = (
    "The loom is in room 6. It is shown at 11:15 am.",
    "An adult ticket costs $14. Children get in free.",
    "The cafe closes at 5 pm.",
)


def follow(reply: str, facts: tuple[str, ...] = FACTS) -> list[str]:
    """All that may."""
    return [told.text for told in told_on(reply, facts)]


def test_facts_follow_word_for_word_and_in_their_order() -> None:
    told = follow("The loom is in room 6.")

    assert "It is shown at 11:15 am." in told
    assert "It is shown at 11:15 am. An adult ticket costs $14." in told
    assert "An adult ticket costs $14. Children get in free. The cafe closes at 5 pm." in told
    assert not any("The cafe closes at 5 pm. An adult" in text for text in told)
    assert all(fact in " ".join(FACTS) for text in told for fact in text.split(". ")[:1])


def test_a_fact_that_is_passed_over_counts_against_what_is_told() -> None:
    by_text = {told.text: told.passed_over for told in told_on("The loom is in room 6.", FACTS)}

    told = ["It is shown at 11:15 am.", "An adult ticket costs $14.", "The cafe closes at 5 pm."]
    assert all(by_text[near] < by_text[far] for near, far in pairwise(told))


def test_what_was_said_is_not_told_again() -> None:
    assert not any("ticket costs" in text for text in follow("A ticket for adults costs $14."))
    assert follow(" ".join(FACTS)) == []


def test_a_sentence_that_points_back_stands_only_behind_the_one_it_points_to() -> None:
    # What comes before it is not the fact's own sentence, but a wording of it.
    assert fresh("You find the loom in room 6.", FACTS[0]) == []
    assert fresh("The loom is in room 6.", FACTS[0]) == ["It is shown at 11:15 am."]
    assert fresh("Dogs may come in.", FACTS[0]) == [FACTS[0].split(". ")[0] + ".", FACTS[0]]


def test_nothing_follows_a_reply_that_says_no_fact() -> None:
    assert follow("I'm sorry, I don't have that information.") == []
    assert follow("Hello, and welcome.") == []


def test_the_likeliest_fact_comes_first() -> None:
    prompt = Prompt("a guide", FACTS, "When does the cafe close?")

    assert by_nearness(prompt, Found((0.1, 2.0, 1.0))) == [FACTS[1], FACTS[2], FACTS[0]]
    assert by_nearness(prompt, None)[0] == FACTS[2]
    assert by_nearness(Prompt("a guide", (), "When?"), None) == []
