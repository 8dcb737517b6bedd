"""History is what was heard, to the word; no more, no less, and not too much of it."""

from __future__ import annotations

import gc
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atonce.agent.conversation import Continuation, Conversation, heard_text, marked
from atonce.agent.events import Heard
from atonce.llm.protocols import Exchange
from atonce.speech.chunker import chunks
from atonce.speech.spoken import speak

ASKED = "How much is a ticket?"
REPLY = "An adult ticket costs $14.50. Children under 10 get in free."


def talk(most_turns: int = 6, most_words: int = 200) -> Conversation:
    """A talk that nobody has begun."""
    return Conversation(most_turns=most_turns, most_words=most_words)


def spoken_words(written: str) -> list[str]:
    """What the voice says, as the synthesizer is given it: chunk by chunk."""
    return " ".join(chunk.text for chunk in chunks(speak(written))).split()


def test_a_reply_is_remembered_once_its_end_was_heard() -> None:
    conversation = talk()
    conversation.settled(1, ASKED, REPLY)
    assert conversation.history() == ()

    assert conversation.ended(1) == REPLY
    assert conversation.history() == (Exchange(ASKED, REPLY),)
    assert conversation.continuation() is None


def test_a_reply_that_was_cut_is_remembered_up_to_the_last_word_heard_and_marked() -> None:
    conversation = talk()
    conversation.settled(1, ASKED, REPLY)
    heard = "An adult ticket costs fourteen dollars fifty. Children under"

    assert conversation.cut(1, Heard(3.0, heard)) == "An adult ticket costs $14.50. Children under"
    assert conversation.history() == (
        Exchange(ASKED, "An adult ticket costs $14.50. Children under…"),
    )
    assert conversation.continuation() == Continuation(
        ASKED, REPLY, len("An adult ticket costs $14.50. Children under")
    )


def test_a_value_of_which_a_part_was_heard_counts_as_not_heard() -> None:
    assert heard_text(REPLY, "An adult ticket costs fourteen dollars") == "An adult ticket costs"


@pytest.mark.parametrize(
    ("heard", "written"),
    [
        (
            "An adult costs fourteen dollars fifty. Children",
            "An adult ticket costs $14.50. Children",
        ),
        ("", ""),
        ("something else entirely", ""),
        ("An An An", "An"),
    ],
)
def test_words_that_the_voice_did_not_tell_of_do_not_shift_the_place(
    heard: str, written: str
) -> None:
    assert heard_text(REPLY, heard) == written


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(
        [
            REPLY,
            "We open at 9:30 am, Wednesday to Monday, and close at 5:45 pm.",
            "Call 555 0199 or write to info@museum.example; Dr. Ito (room 12) helps.",
            "**Yes**, it is free: see [the list](https://museum.example/list) for more!",
            "It costs £4.60, 7.5 % less than in 1907.",
        ]
    ),
    st.integers(0, 40),
)
def test_any_number_of_spoken_words_gives_a_beginning_of_what_is_written(
    written: str, count: int
) -> None:
    words = spoken_words(written)
    heard = heard_text(written, " ".join(words[:count]))
    more = heard_text(written, " ".join(words[: count + 1]))

    assert written.startswith(heard)
    assert len(more) >= len(heard)
    assert heard_text(written, " ".join(words)) == written


def test_a_reply_of_which_nothing_was_audible_leaves_no_trace() -> None:
    conversation = talk()
    conversation.settled(1, ASKED, REPLY)
    conversation.withdrawn(1)
    assert conversation.ended(1) == ""

    conversation.settled(2, ASKED, REPLY)
    assert conversation.cut(2, Heard(0.05, "")) == ""
    assert conversation.history() == ()


def test_a_reply_that_sounded_without_a_whole_word_keeps_its_question() -> None:
    conversation = talk()
    conversation.settled(1, ASKED, REPLY)
    conversation.cut(1, Heard(0.35, ""))

    assert conversation.history() == (Exchange(ASKED, "…"),)


def test_a_cut_after_the_last_word_is_no_cut() -> None:
    conversation = talk()
    conversation.settled(1, ASKED, REPLY)
    conversation.cut(1, Heard(5.0, " ".join(spoken_words(REPLY))))

    assert conversation.history() == (Exchange(ASKED, REPLY),)


def test_a_reply_that_goes_on_makes_one_exchange_with_what_was_heard_before() -> None:
    conversation = talk()
    conversation.settled(1, ASKED, REPLY)
    conversation.cut(1, Heard(1.0, "An adult ticket"))
    place = conversation.continuation()
    assert place is not None

    again = "An adult ticket is $14.50. Children get in free."
    conversation.settled(2, place.question, again, heard_characters=place.heard_characters)
    assert conversation.cut(2, Heard(2.0, "is fourteen dollars fifty.")) == "is $14.50."
    assert conversation.history() == (Exchange(ASKED, "An adult ticket is $14.50. …"),)

    conversation.settled(3, ASKED, again, heard_characters=len("An adult ticket is $14.50."))
    assert conversation.ended(3) == "Children get in free."
    assert conversation.history() == (Exchange(ASKED, again),)
    assert conversation.continuation() is None


def test_the_rest_of_a_reply_that_is_not_heard_takes_nothing_back() -> None:
    conversation = talk()
    conversation.settled(1, ASKED, REPLY)
    conversation.cut(1, Heard(1.0, "An adult ticket"))
    conversation.settled(2, ASKED, REPLY, heard_characters=len("An adult ticket"))
    conversation.cut(2, Heard(0.0, ""))

    assert conversation.history() == (Exchange(ASKED, "An adult ticket…"),)


def test_the_rest_of_a_reply_whose_beginning_was_dropped_stands_alone() -> None:
    conversation = talk()
    conversation.settled(1, "Where?", "Here.")
    conversation.ended(1)
    conversation.settled(2, ASKED, REPLY, heard_characters=len("An adult ticket"))
    conversation.ended(2)

    assert conversation.history() == (Exchange("Where?", "Here."), Exchange(ASKED, REPLY))


def test_a_mark_at_the_cut_gives_way_to_the_ellipsis() -> None:
    assert marked("We open at nine, ") == "We open at nine…"
    assert marked("We open at nine.") == "We open at nine. …"


def test_the_oldest_turns_are_dropped_first() -> None:
    conversation = talk(most_turns=3)

    for number in range(1, 6):
        conversation.settled(number, f"question {number}", f"reply {number}")
        conversation.ended(number)

    assert [exchange.question for exchange in conversation.history()] == [
        *("question 3", "question 4", "question 5")
    ]


def test_turns_are_dropped_that_have_too_many_words_together() -> None:
    conversation = talk(most_words=12)

    for number in range(1, 4):
        conversation.settled(number, f"question number {number}", f"reply number {number}")
        conversation.ended(number)

    assert [exchange.question for exchange in conversation.history()] == [
        *("question number 2", "question number 3")
    ]


def test_one_turn_that_is_too_long_by_itself_is_shortened() -> None:
    conversation = talk(most_words=10)
    conversation.settled(1, " ".join(f"q{i}" for i in range(30)), "r1 r2 r3")
    conversation.ended(1)
    assert conversation.history() == (Exchange("q23 q24 q25 q26 q27 q28 q29", "r1 r2 r3"),)

    conversation.settled(2, "q1 q2", " ".join(f"r{i}" for i in range(30)))
    conversation.ended(2)
    assert conversation.history() == (Exchange("q1 q2", "r22 r23 r24 r25 r26 r27 r28 r29"),)


@pytest.mark.parametrize(("most_turns", "most_words"), [(0, 200), (6, 0)])
def test_a_talk_may_have_no_memory(most_turns: int, most_words: int) -> None:
    conversation = talk(most_turns, most_words)
    conversation.settled(1, ASKED, REPLY)
    conversation.ended(1)

    assert conversation.history() == ()


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=12), st.integers(0, 100)
)
def test_history_never_has_more_words_than_allowed(
    sizes: list[tuple[int, int]], most_words: int
) -> None:
    conversation = talk(most_words=most_words)

    for number, (asked, replied) in enumerate(sizes):
        conversation.settled(number, "a " * asked, "b " * replied)
        conversation.ended(number)

    words = [f"{exchange.question} {exchange.reply}".split() for exchange in conversation.history()]
    assert sum(map(len, words)) <= most_words


def test_clear_forgets_everything() -> None:
    conversation = talk()
    conversation.settled(1, ASKED, REPLY)
    conversation.cut(1, Heard(2.0, "An adult"))
    conversation.settled(2, ASKED, REPLY)
    conversation.clear()

    assert conversation.history() == ()
    assert conversation.continuation() is None
    assert conversation.cut(2, Heard(2.0, "An adult")) == ""


def test_memory_is_flat_over_thousands_of_turns() -> None:
    conversation = talk()

    def turns(first: int, last: int) -> None:
        for number in range(first, last):
            conversation.settled(number, f"{ASKED} {number}", REPLY)

            if number % 3 == 0:
                conversation.cut(number, Heard(1.0, "An adult ticket"))
            elif number % 3 == 1:
                conversation.ended(number)
            # every third one is forgotten without a word

    turns(0, 300)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    turns(300, 3300)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert after - before < 64 * 1024
