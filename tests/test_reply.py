"""Writing one reply: check, repair, and the truth about its source."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pytest

from atonce.agent.events import DraftMade, Event, PromptRead, ReplyChecked
from atonce.agent.reply import Reply, ReplyRules, ReplyWriter
from atonce.agent.worker import Worker
from atonce.config.errors import ReplyError
from atonce.llm.fakes import FakePrompt, FakeWriter
from atonce.llm.proofreading import Opinion
from atonce.llm.protocols import Draft, Found, Plan, Prompt, Writer

FACTS = (
    "The museum is open from 9:30 am to 5:45 pm.",
    "An adult ticket costs $14.",
    "The lift is behind the gift shop.",
)
UNKNOWN = "I'm sorry, I don't have that information."
PRICE = "How much is an adult ticket?"


def write(
    replies: Sequence[str],
    question: str = PRICE,
    *,
    repairs: int = 2,
    is_checked: bool = True,
    deadline_s: float | None = None,
    writer_s: float = 0.0,
    writer: Writer | None = None,
    plan: Plan | None = None,
) -> tuple[Reply, list[Event]]:
    """The reply of a writer that says these, one after the other."""
    said: Iterator[str] = iter(replies)
    events: list[Event] = []
    rules = ReplyRules(Plan(steps=4, canvas=16), is_checked, repairs, UNKNOWN)
    ticks = iter(range(1000))
    fake = writer or FakeWriter(lambda _: next(said), clock=lambda: writer_s)
    replier = ReplyWriter(fake, Worker("test"), rules, clock=lambda: float(next(ticks)))
    prompt = Prompt("the guide at a museum", FACTS, question)
    writing = replier.write(prompt, events.append, plan=plan, deadline_s=deadline_s)
    return asyncio.run(writing), events


def test_a_right_reply_is_the_denoisers_own() -> None:
    reply, events = write(["An adult ticket costs $14."])

    assert reply == Reply("An adult ticket costs $14.", "denoiser", 4, 0, forced=False)
    assert isinstance(events[0], PromptRead)
    assert [e.draft.step for e in events if isinstance(e, DraftMade)] == [1, 2, 3, 4]
    assert isinstance(events[-1], ReplyChecked)
    assert events[-1].final


def test_a_wrong_value_is_masked_again_and_the_rest_stays() -> None:
    reply, events = write(["An adult ticket costs $41.", "This will be $14."])
    repaired = [e.draft for e in events if isinstance(e, DraftMade) and e.repair == 1]

    assert reply.source == "denoiser"
    assert reply.repaired == 1
    assert "41" not in reply.text
    assert reply.text.startswith("An adult ticket")  # pinned
    assert not repaired[0].cells[0].is_open


def test_when_no_repair_helps_the_matching_fact_is_read_out() -> None:
    reply, events = write(["An adult ticket costs $41."] * 3)
    checks = [e for e in events if isinstance(e, ReplyChecked)]

    assert reply.source == "fact"
    assert reply.text == FACTS[1]
    assert reply.repaired == 2
    assert [check.final for check in checks] == [False, False, True]


def test_when_no_fact_matches_either_an_honest_sentence_is_said() -> None:
    reply, _ = write(["The shark weighs 900 kilos."] * 3, "What does the shark weigh?")

    assert (reply.text, reply.source) == (UNKNOWN, "unknown")


def test_a_reply_that_is_late_before_its_first_step_is_not_repaired() -> None:
    late = Plan(steps=0, canvas=16)
    reply, events = write(["It costs $41."] * 3, "What else is there to know?", plan=late)

    assert len([event for event in events if isinstance(event, DraftMade)]) >= 1
    assert reply.repaired == 0
    assert reply.source == "unknown"


def test_without_repairs_the_first_failure_decides() -> None:
    reply, _ = write(["An adult ticket costs $41."], repairs=0)

    assert (reply.source, reply.steps, reply.repaired) == ("fact", 4, 0)


def test_a_reply_to_a_deadline_far_away_is_the_same() -> None:
    reply, _ = write(["An adult ticket costs $14."], deadline_s=500.0)

    assert reply == Reply("An adult ticket costs $14.", "denoiser", 4, 0, forced=False)


def test_a_reply_that_its_deadline_forced_says_so() -> None:
    reply, events = write(["An adult ticket costs $14."], deadline_s=2.0, writer_s=2.0)

    assert reply == Reply("An adult ticket costs $14.", "denoiser", 1, 0, forced=True)
    assert [e.draft.forced for e in events if isinstance(e, DraftMade)] == [True]


def test_past_the_deadline_nothing_is_repaired() -> None:
    reply, _ = write(["An adult ticket costs $41.", "This will be $14."], deadline_s=4.0)

    assert (reply.source, reply.text, reply.repaired) == ("fact", FACTS[1], 0)


def test_a_reply_that_came_to_nothing_is_replaced_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(FakeWriter):
        def write(self, *_: object, **__: object) -> Iterator[Draft]:
            raise ReplyError("values that are not numbers")
            yield

    reply, events = write([], writer=Broken())
    last = events[-1]

    assert (reply.source, reply.text, reply.steps) == ("fact", FACTS[1], 0)
    assert "values that are not numbers" in caplog.text
    assert isinstance(last, ReplyChecked)
    assert last.final
    assert not last.verdict.passes


def test_an_unchecked_reply_is_spoken_as_it_is() -> None:
    reply, _ = write(["An adult ticket costs $41."], is_checked=False)

    assert (reply.text, reply.source) == ("An adult ticket costs $41.", "denoiser")


@pytest.mark.parametrize("empty", ["", "   "])
def test_an_empty_reply_is_never_spoken(empty: str) -> None:
    reply, _ = write([empty] * 3)

    assert reply.text.strip()


# ---- the twin ----


def by_twin(said: str, *, deadline_s: float | None = None, question: str = PRICE) -> Reply:
    """The reply of an agent whose writer is always wrong, and whose twin says this."""
    rules = ReplyRules(Plan(steps=4, canvas=16), is_checked=True, repairs=0, unknown=UNKNOWN)
    ticks = iter(range(1000))
    replier = ReplyWriter(
        FakeWriter(lambda _: "An adult ticket costs $41.", clock=lambda: 0.0),
        Worker("test"),
        rules,
        clock=lambda: float(next(ticks)),
        twin=FakeWriter(lambda _: said, clock=lambda: 0.0),
    )
    prompt = Prompt("the guide at a museum", FACTS, question)
    return asyncio.run(replier.write(prompt, lambda _: None, deadline_s=deadline_s))


def test_the_twin_writes_where_every_repair_failed_and_is_named() -> None:
    reply = by_twin("It is $14 for an adult.")
    assert (reply.text, reply.source) == ("It is $14 for an adult.", "twin")


def test_the_twin_is_checked_too() -> None:
    assert by_twin("It is $15 for an adult.").source == "fact"


def test_past_the_deadline_the_twin_is_not_asked() -> None:
    assert by_twin("It is $14 for an adult.", deadline_s=1.0).source == "fact"


# ---- what was heard stays ----


def goes_on(replies: Sequence[str], heard: str, *, repairs: int = 2) -> tuple[Reply, list[Event]]:
    """The reply of a writer that says these, where so much of a reply was heard before."""
    said: Iterator[str] = iter(replies)
    events: list[Event] = []
    writer = FakeWriter(lambda _: next(said), clock=lambda: 0.0)
    rules = ReplyRules(Plan(steps=4, canvas=16), is_checked=True, repairs=repairs, unknown=UNKNOWN)
    replier = ReplyWriter(writer, Worker("test"), rules, clock=lambda: 0.0)
    prompt = Prompt("the guide at a museum", FACTS, PRICE)
    given = writer.encode(heard)
    reply = asyncio.run(replier.write(prompt, events.append, given=given, plan=Plan(3, 12)))
    return reply, events


def test_what_was_heard_is_not_written_anew() -> None:
    reply, events = goes_on(["The ticket you want costs $14."], "An adult ticket")
    drafts = [e.draft for e in events if isinstance(e, DraftMade)]

    assert reply.text == "An adult ticket want costs $14."
    assert all(draft.text.startswith("An adult ticket") for draft in drafts)
    assert [len(draft.cells) for draft in drafts] == [12] * len(drafts)  # the plan's canvas


def test_a_repair_leaves_what_was_heard_alone_too() -> None:
    wrong = "An adult ticket costs $41."
    reply, events = goes_on([wrong, "So you will pay $14."], "An adult ticket")
    drafts = [e.draft for e in events if isinstance(e, DraftMade)]

    assert reply.repaired == 1
    assert reply.text.startswith("An adult ticket")
    assert "41" not in reply.text
    assert all(draft.text.startswith("An adult ticket") for draft in drafts)


# ---- what stands in no fact is read over ----


class Reading(FakeWriter):
    """A writer that finds no English in replies with the word "salad"."""

    def __init__(self, replies: Sequence[str]) -> None:
        said = iter(replies)
        super().__init__(lambda _: next(said), clock=lambda: 0.0)
        self.read_over: list[str] = []

    def opinion(self, prompt: Prompt, reply: str) -> Opinion:  # noqa: ARG002
        """Doubts the word."""
        self.read_over.append(reply)
        at = reply.find("salad")
        return Opinion(-5.0, ()) if at < 0 else Opinion(5.0, ((at, at + 5),))


def test_a_draft_that_is_no_english_is_masked_again_where_it_is_wrong() -> None:
    writer = Reading(["An adult salad costs $14.", "An adult ticket costs $14."])
    reply, events = write([], writer=writer)
    problems = [p for e in events if isinstance(e, ReplyChecked) for p in e.verdict.problems]

    assert (reply.text, reply.source, reply.repaired) == (FACTS[1], "denoiser", 1)
    assert [(p.kind, p.start, p.end) for p in problems] == [("language", 9, 14)]


def test_what_stands_in_a_fact_is_not_read_over() -> None:
    writer = Reading([FACTS[1]])
    assert write([], writer=writer)[0].source == "denoiser"
    assert writer.read_over == []


def test_what_stays_no_english_is_never_spoken() -> None:
    reply, _ = write([], writer=Reading(["An adult salad costs $14."] * 3))
    assert (reply.text, reply.source) == (FACTS[1], "fact")


def test_without_the_check_nothing_is_read_over() -> None:
    writer = Reading(["An adult salad costs $14."])
    assert write([], writer=writer, is_checked=False)[0].text == "An adult salad costs $14."
    assert writer.read_over == []


def test_what_nobody_has_time_to_read_over_is_not_spoken() -> None:
    writer = Reading(["For adults it is $14."])
    reply, events = write([], writer=writer, deadline_s=3.0)
    last = events[-1]

    assert (reply.text, reply.source) == (FACTS[1], "fact")
    assert writer.read_over == []
    assert isinstance(last, ReplyChecked)
    assert [problem.kind for problem in last.verdict.problems] == ["language"]


# ---- small talk ----


@dataclass(frozen=True)
class Overheard(FakePrompt):
    """A prompt of which the engine knows whether anything was asked."""

    found: Found


class Chatting(Reading):
    """A writer that takes every question for small talk."""

    def read(self, prompt: Prompt) -> Overheard:
        """Take note of a prompt."""
        return Overheard(prompt, Found((0.0, 5.0, 0.0), -5.0, 4.0))


def chat(question: str, said: Sequence[str], **sentences: str) -> Reply:
    """The reply to small talk of a writer that says this."""
    rules = ReplyRules(Plan(4, 16), is_checked=True, repairs=2, unknown=UNKNOWN)
    rules = replace(rules, small_talk=sentences)
    replier = ReplyWriter(Chatting(said), Worker("test"), rules, clock=lambda: 0.0)
    prompt = Prompt("the guide at a museum", FACTS, question)
    return asyncio.run(replier.write(prompt, lambda _: None))


def test_small_talk_gets_the_sentence_of_the_settings_and_no_step_is_taken() -> None:
    reply = chat("Thanks a lot!", [], thanks="Not at all.")
    assert (reply.text, reply.source, reply.steps) == ("Not at all.", "courtesy", 0)


def test_small_talk_without_a_sentence_is_the_writers() -> None:
    reply = chat("Thanks a lot!", ["You are welcome."])
    assert (reply.text, reply.source) == ("You are welcome.", "denoiser")


def test_other_small_talk_is_the_writers_too_if_it_is_english() -> None:
    assert chat("Blah.", ["How nice."], other="Pardon?").source == "denoiser"


def test_no_fact_is_read_out_to_small_talk_that_came_to_nothing() -> None:
    reply = chat("Blah.", ["Nice salad."], other="Pardon?")
    assert (reply.text, reply.source, reply.repaired) == ("Pardon?", "courtesy", 0)


def test_who_it_is_is_said_by_a_fact_where_one_clearly_answers() -> None:
    assert chat("Who are you?", [FACTS[1]], who="A guide.").source == "denoiser"
