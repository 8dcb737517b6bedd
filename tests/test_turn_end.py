"""Whether what was said so far is complete, by its words."""

from __future__ import annotations

import pytest

from atonce.speech.turn_end import completeness


@pytest.mark.parametrize(
    "text",
    [
        "When do you open?",
        "how much is an adult ticket",
        "Where is the great loom?",
        "Hello, can you tell me when the tour starts?",
        "Is it free for children?",
        "What is it?",
        "Where are they?",
        "And is there a cafe?",
        "Thank you.",
        "Yes, please.",
        "Two tickets for Friday, please.",
        "Stop!",
        "Go on.",
        "Please go on.",
        "Okay, carry on.",
        "Yes, hold on!",
        "That's all.",
        "Until when are you open on Friday?",
        "On which floor is the cafe?",
        "I can't do stairs. Where are you?",
        "It costs 5.50 online. Is it free for children?",
    ],
)
def test_a_whole_question_and_what_people_say_whole_is_complete(text: str) -> None:
    assert completeness(text) == "complete"


@pytest.mark.parametrize(
    "text",
    [
        "Where is the",
        "Where is",
        "I would like to",
        "Can I go to the",
        "Can I pay with",
        "My number is 5 5 5",
        "My number is five five five.",
        "The code is B 27",
        "Is your number 555",
        "Press 1",
        "I need a ticket and",
        "Because",
        "And.",
        "I want to",
        "um",
        "So I was wondering",
        "Could you tell me",
        "I'm looking",
        "When does the tour start, and",
        "I would like, um,",
        "What about...",
        "What about…",
        "What about -",
        "how do I",
        "What time is",
        "Is there",
        "Two hundred",
        "Do you know how much",
        "We are two adults and 3",
        "I have a dog. Can I",
        "Until when is",
    ],
)
def test_what_breaks_off_is_incomplete(text: str) -> None:
    assert completeness(text) == "incomplete"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "...",
        "Nobody is available to take your call at the moment.",
        "What is this for?",
        "Is it open until 5?",
        "Do you know where the loom is?",
        "How much?",
        "The museum.",
        "Hello.",
        "Good morning!",
        "Sorry.",
        "Please.",
        "On Friday. We are friends.",
    ],
)
def test_what_may_go_on_or_not_is_unsure(text: str) -> None:
    # Dots alone hold no word: nothing was said that could break off.
    assert completeness(text) == "unsure"


def test_marks_and_capitals_of_a_transcriber_change_nothing() -> None:
    assert completeness("I would like to.") == completeness("i would like to")
    assert completeness("What’s the time?") == completeness("what's the time")
