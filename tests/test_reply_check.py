"""Right replies pass the check; wrong values, foreign names and faults of form do not."""

from __future__ import annotations

import pytest

from atonce.agent.clauses import day_sets, read, read_fact
from atonce.agent.content_words import stem, stems_of
from atonce.agent.evidence import candidates, read_facts, rival_of
from atonce.agent.reply_check import Verdict, check
from atonce.llm.protocols import Exchange, Prompt

FACTS = (
    "The museum is open from 9:15 am to 5:30 pm, Tuesday to Sunday. It is closed on Monday.",
    "A ticket costs $14.50 for adults and $7 for children. Students pay $9.",
    "Guided tours with Karim start at noon and last 45 minutes.",
    "The café is on the second floor and closes at 4:00 pm.",
    "Bus 27 stops beside the door. The code of the cloakroom is B14.",
    "Lockers take a deposit of $2 for one day.",
    "The boat for groups is 12 metres long and seats 40 people.",
)


def prompt(question: str, *past: Exchange) -> Prompt:
    return Prompt("the guide at the Hartwell Museum", FACTS, question, past)


def faults(question: str, reply: str, *past: Exchange) -> list[tuple[str, str]]:
    verdict = check(reply, prompt=prompt(question, *past))
    return [(problem.kind, reply[problem.start : problem.end]) for problem in verdict.problems]


@pytest.mark.parametrize(
    ("question", "reply"),
    [
        ("When do you open?", "We open at quarter past nine."),
        ("When do you close?", "At 17:30, from Tuesday to Sunday."),
        ("Are you open on Wednesday?", "Yes, on Wednesday we open at 9:15 am."),
        ("What days?", "We are open six days a week."),
        ("And Mondays?", "We are closed on Mondays."),
        ("How much is it for an adult?", "Adults pay 14 dollars fifty."),
        ("And for kids?", "For children it's seven dollars."),
        ("What does it cost?", "It's $14.50 for adults and $7 for children."),
        ("When is the tour?", "At 12:00 pm, with Karim."),
        ("How long is the tour?", "It takes three quarters of an hour."),
        ("Are you open at eight?", "No, not at eight. We open at 9:15 am."),
        ("Can I come at eleven at night?", "Eleven is too late, the museum is open until 5:30 pm."),
        ("Is the café open at 5:30 pm?", "No, not at 5:30 pm."),
        ("We are five.", "There is room for five, it seats 40."),
        ("Which bus do I take?", "Take bus 27, please."),
        ("What's the locker for a day?", "One day costs $2 as a deposit."),
        ("Is there wifi?", "I'm sorry, I don't have any information about that."),
        ("Thanks!", "You're welcome. Enjoy the Hartwell Museum!"),
        ("Is Doctor Brandt here?", "I don't know where Doctor Brandt is."),
        ("What's the place like?", "I'm glad to help, and I'd say OK."),
        ("What prices are there?", "There are two prices: $14.50 for adults and $7 for children."),
        ("One of your floors?", "One of them is on the second floor."),
    ],
)
def test_a_right_reply_passes(question: str, reply: str) -> None:
    assert faults(question, reply) == []


@pytest.mark.parametrize(
    ("question", "reply", "fault"),
    [
        ("When do you open?", "We open at 8:15 am.", ("value", "8:15 am")),
        ("When do you open?", "We open at 5:30 pm.", ("value", "5:30 pm")),
        ("When do you close?", "We close at 9:15 am.", ("value", "9:15 am")),
        ("How much is it for an adult?", "Adults pay $7.", ("value", "$7")),
        ("And for children?", "Children pay $14.50.", ("value", "$14.50")),
        ("You open at eight, right?", "Yes, we open at eight.", ("value", "eight")),
        ("You open at eight, right?", "Yes. I'm sorry it is at eight.", ("value", "eight")),
        ("It's $20, isn't it?", "Yes, it's $20.", ("value", "$20")),
        ("What days?", "We are open five days a week.", ("value", "five days")),
        ("How many prices?", "There are three prices here.", ("value", "three")),
        ("How long may I stay?", "You may stay one year.", ("value", "one year")),
        ("Where is the café?", "It is on the third floor.", ("value", "third")),
        ("Who leads the tour?", "The tour is led by Sabrina.", ("name", "Sabrina")),
        ("When do you open?", "We open at the the museum.", ("loop", "the the")),
        ("When do you open?", "", ("empty", "")),
    ],
)
def test_a_wrong_reply_is_caught_at_its_place(
    question: str, reply: str, fault: tuple[str, str]
) -> None:
    assert fault in faults(question, reply)


def test_a_name_that_ends_in_a_digit_is_known_as_a_whole() -> None:
    facts = ("There is a laser show with music by Cold4 every Thursday.",)
    show = Prompt("a guide", facts, "Whose music is it?")

    assert check("The music is by Cold4.", prompt=show).passes
    assert not check("The music is by Cold5.", prompt=show).passes


def test_what_was_said_before_counts() -> None:
    past = Exchange("How much for a child of 6?", "Children pay $7.")
    assert faults("Can you repeat that?", "It's $7 for children.", past) == []
    assert faults("Sorry?", "Children pay $14.50.", past) == [("value", "$14.50")]


def test_a_doubt_names_the_value_that_fits() -> None:
    (problem,) = check("Adults pay $7.", prompt=prompt("How much for adults?")).problems
    assert problem.detail == "'$7' belongs to something else; '$14.50' fits better"


def test_a_verdict_without_problems_passes() -> None:
    assert Verdict(()).passes
    assert not check("", prompt=prompt("Hello")).passes


def test_without_facts_small_talk_passes_and_values_do_not() -> None:
    empty = Prompt("a guide", (), "Hello")
    assert check("Hello! How can I help?", prompt=empty).passes
    assert not check("We open at 9:15 am.", prompt=empty).passes


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("opening", "opens"),
        ("closed", "closes"),
        ("kids", "children"),
        ("Grandma's", "pensioner"),
        ("tickets", "ticket"),
        ("parties", "party"),
        ("swimming", "swim"),
        ("planned", "plan"),
    ],
)
def test_words_that_mean_the_same_have_one_stem(word: str, other: str) -> None:
    assert stem(word) == stem(other) != ""


def test_common_words_carry_no_meaning() -> None:
    assert stems_of("What's the one that you have, please?") == frozenset()
    assert stem("glass") == "glass"


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Tuesday to Sunday", [{1, 2, 3, 4, 5, 6}]),
        ("from Saturdays till Mondays", [{5, 6, 0}]),
        ("on weekdays", [{0, 1, 2, 3, 4}]),
        ("at weekends", [{5, 6}]),
        ("every day", [{0, 1, 2, 3, 4, 5, 6}]),
        ("on Monday", []),
    ],
)
def test_days_of_a_range_are_implied(text: str, days: list[set[int]]) -> None:
    assert [set(named) for named in day_sets(text)] == days


def test_an_implied_day_bears_out_a_reply_but_is_no_rival() -> None:
    reading = read_fact("We are open from Tuesday to Sunday.")
    assert [c.value.text for c in reading.clauses if c.is_implied][:2] == ["Tuesday", "Wednesday"]
    question = Prompt("a guide", ("We are open from Tuesday to Sunday.",), "Wednesday?")
    reply = read("Yes, on Wednesday.")
    (clause,) = reply.clauses
    said = [
        candidate.value.text
        for candidate in candidates(clause, sentence=frozenset(), reply=reply, prompt=question)
    ]
    assert sorted(said) == ["Sunday", "Tuesday", "Wednesday"]


def test_a_word_belongs_to_the_nearest_value_of_a_kind() -> None:
    adult, child = read("It costs $14 for adults and $7 for children.").clauses
    assert stem("adults") in adult.owned
    assert stem("children") in child.owned
    assert adult.near[stem("adults")] > child.near[stem("adults")]


def test_a_value_without_its_like_has_no_rival() -> None:
    reply = read("The tour lasts 45 minutes.")
    asked = prompt("How long?")
    assert rival_of(reply.clauses[0], sentence=reply.stems, reply=reply, prompt=asked) is not None
    alone = Prompt("a guide", ("The tour lasts 45 minutes.",), "How long?")
    assert rival_of(reply.clauses[0], sentence=reply.stems, reply=reply, prompt=alone) is None


def test_metres_are_no_rival_of_litres() -> None:
    facts = ("The boat is 12 metres long.", "The tank holds 12 litres.")
    reply = read("It is 12 metres long.")
    asked = Prompt("a guide", facts, "How long is it?")
    found = candidates(reply.clauses[0], sentence=reply.stems, reply=reply, prompt=asked)
    assert [candidate.value.text for candidate in found] == ["12 metres"]


def test_facts_are_read_once() -> None:
    assert read_facts(FACTS) is read_facts(FACTS)
