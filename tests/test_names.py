"""The names that a transcriber is told."""

from __future__ import annotations

from itertools import product

from atonce.agent.names import names
from atonce.config.load import defaults


def test_the_names_of_the_default_role_and_facts_are_found() -> None:
    agent = defaults().settings.agent

    assert names(agent.role, agent.facts) == (
        "Larchmont Museum of Crafts",
        "Threads of Silver",
        "Walnut Room",
        "Quillan Lane",
    )


def test_a_capital_at_the_start_of_a_sentence_makes_no_name_but_two_do() -> None:
    facts = {"a": "Dogs are not allowed. Bella Napoli is open. Ask Dr. Ito, or Anna-Lena."}

    assert names("a guide", facts) == ("Bella Napoli", "Dr", "Ito", "Anna-Lena")


def test_days_months_and_small_words_are_no_names() -> None:
    facts = {"a": "On Friday we close. The tour of The Old Mill runs until October 18 in May."}

    assert names("a guide", facts) == ("Old Mill",)


def test_nothing_gives_no_names() -> None:
    assert names("", {}) == ()
    assert names("42", {"a": "...", "b": "ABC 5"}) == ()


def test_there_are_at_most_thirty_and_each_is_there_once() -> None:
    letters = "abcdefg"
    facts = {a + b: f"We know X{a}{b} and X{a}{b}." for a, b in product(letters, letters)}

    found = names("a guide", facts)

    assert len(found) == len(set(found)) == 30
