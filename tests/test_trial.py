"""Turns through the run-time path, and what is kept of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from atonce.agent import trial_log
from atonce.agent.reply import ReplyRules
from atonce.agent.trial import Trial, Way, half, prompt_of, refine, step_by_step, write
from atonce.agent.trial_log import Told, TrialLog, state_name, turn_name
from atonce.agent.worker import Worker
from atonce.config.errors import ReplyError
from atonce.llm.commit import Guess
from atonce.llm.corpus import load_packs
from atonce.llm.evaluation import draw_turns, ranks_by_words, shares
from atonce.llm.fakes import FakePrompt, FakeWriter, Guesser, Reciter, Seed, VirtualClock
from atonce.llm.pace import Cost, Meter
from atonce.llm.protocols import Draft, Plan, Prompt, PromptCache
from atonce.llm.rows import Asked, Rows
from atonce.llm.sampler import denoise

DEV = load_packs(Path(__file__).parents[1] / "corpus" / "dev")
TURNS = draw_turns(DEV, 30)
UNKNOWN = "I'm sorry, I don't have that information."
WAYS = [Way(Plan(k, 64), is_checked) for is_checked in (True, False) for k in (2, 4)]


class CountingWriter(FakeWriter):
    """Counts the prompts that it reads."""

    reads = 0

    def read(self, prompt: Prompt) -> FakePrompt:
        self.reads += 1
        return super().read(prompt)


def trial(path: Path, writer: FakeWriter) -> Trial:
    rules = ReplyRules(WAYS[0].plan, is_checked=True, repairs=2, unknown=UNKNOWN)
    return Trial(writer, Worker("test"), rules, TrialLog(path))


def knowing() -> CountingWriter:
    answers = {turn.prompt: turn.replies[0] for turn in TURNS}
    return CountingWriter(lambda prompt: answers[prompt])


def test_a_prompt_is_the_one_of_a_talk_with_all_facts() -> None:
    assert [prompt_of(turn) for turn in TURNS] == [turn.prompt for turn in TURNS]


def test_every_turn_is_read_once_and_written_in_every_way(tmp_path: Path) -> None:
    writer, done = knowing(), list[int]()
    one = trial(tmp_path / "log.jsonl", writer)
    asyncio.run(one.run(TURNS, WAYS, done.append))

    assert writer.reads == len(TURNS)
    assert done[-1] == len(TURNS)
    for way in WAYS:
        row = shares(one.scored(TURNS, way))
        assert row.grounded > 0.9
        assert row.steps >= way.plan.steps

    assert shares(one.scored(TURNS, WAYS[0])).ms > 0


def test_a_wrong_value_is_said_as_drafted_and_not_after_the_check(tmp_path: Path) -> None:
    turns = [turn for turn in TURNS if not turn.is_unknown and turn.gold]
    one = trial(tmp_path / "log.jsonl", FakeWriter(lambda _: "It costs $99999."))
    asyncio.run(one.run(turns, WAYS, lambda _: None))
    checked, drafted = (shares(one.scored(turns, way)) for way in (WAYS[0], WAYS[2]))

    assert (drafted.invented, drafted.own) == (1, 1)
    assert (checked.invented, checked.grounded) == (0, 0)
    assert checked.own == 0
    assert 0.2 < checked.agent_grounded < 1


def test_a_trial_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    asyncio.run(trial(path, knowing()).run(TURNS[:20], WAYS, lambda _: None))
    whole = path.read_text()
    path.write_text(whole[:-30])  # killed within a line

    writer = knowing()
    asyncio.run(trial(path, writer).run(TURNS, WAYS, lambda _: None))
    assert writer.reads == len(TURNS) - 19

    writer = knowing()
    again = trial(path, writer)
    asyncio.run(again.run(TURNS, WAYS, lambda _: None))
    assert writer.reads == 0
    assert shares(again.scored(TURNS, WAYS[0])).grounded > 0.9


def test_other_ways_are_added_to_what_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    asyncio.run(trial(path, knowing()).run(TURNS[:5], WAYS[:1], lambda _: None))
    one = trial(path, knowing())
    asyncio.run(one.run(TURNS[:5], WAYS, lambda _: None))
    log = TrialLog(path)
    assert log.has(TURNS[0].prompt, [way.name for way in WAYS])
    assert len({way.name for way in WAYS}) == len(WAYS)


def test_the_ranks_of_all_facts_are_kept(tmp_path: Path) -> None:
    one = trial(tmp_path / "log.jsonl", knowing())
    asyncio.run(one.run(TURNS, WAYS[:1], lambda _: None))
    log = TrialLog(one.log.path)
    for turn in TURNS:
        assert list(log.ranks(turn.prompt)) == ranks_by_words(turn)


@pytest.mark.parametrize("line", ["", "no json", "[]", '{"turn": "x"}', '{"told": 1}'])
def test_a_line_that_is_no_entry_is_passed_over(tmp_path: Path, line: str) -> None:
    path = tmp_path / "log.jsonl"
    log = TrialLog(path)
    log.add(TURNS[0].prompt, {"way": Told("Yes.", "denoiser", 2, 0, None)}, [0])
    path.write_text(f"{line}\n{path.read_text()}")
    assert TrialLog(path).told(TURNS[0].prompt, "way") == Told("Yes.", "denoiser", 2, 0, None)


def test_other_weights_or_other_code_are_another_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, code = tmp_path / "weights", tmp_path / "code.py"
    weights.write_text("one")
    code.write_text("one")
    monkeypatch.setattr(trial_log.sys.modules["atonce.agent.reply"], "__file__", str(code))
    states = [state_name([weights])]
    weights.write_text("two")
    states.append(state_name([weights]))
    code.write_text("two")
    states.append(state_name([weights]))
    assert len(set(states)) == 3
    assert state_name([weights]) == states[-1]


def test_turns_have_names_of_their_own() -> None:
    assert len({turn_name(turn.prompt) for turn in TURNS}) == len(TURNS)


class Rowing(FakeWriter):
    """Writes side by side, as the embedded writer does; what it says is drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Guesser(VirtualClock(), Cost(0.01, 0.001))

    def rows(self, *, most: int) -> Rows:
        return Rows(self.model, Meter(self.model.cost), clock=self.model.clock, most=most)

    def write(
        self, cache: PromptCache, plan: Plan, *, given: Sequence[int | None] | None = None
    ) -> Iterator[Draft]:
        return denoise(self.rows(most=1), cache, plan, given=given)


def test_drafts_that_are_written_side_by_side_are_those_that_are_written_alone() -> None:
    writer = Rowing()
    asked = [(Seed(seed), Plan(k, 12)) for seed in range(5) for k in (1, 3, 8)]
    together, alone = (write(writer, asked, is_alone=is_alone) for is_alone in (False, True))

    assert max(writer.model.passes) == len(asked)
    assert [one.drafts for one in together] == [one.drafts for one in alone]
    assert all(one.ms is None for one in together)
    assert all(one.ms is not None for one in alone)


def test_a_row_that_comes_to_nothing_ends_the_trial() -> None:
    writer = Rowing()
    writer.model.broken = {1}
    with pytest.raises(ReplyError, match="not numbers"):
        write(writer, [(Seed(seed), Plan(3, 12)) for seed in range(3)], is_alone=False)


class Looking(FakeWriter):
    """Can be asked what it would say now."""

    def look(self, rows: Sequence[Asked]) -> Sequence[Sequence[Guess] | None]:
        return Reciter(self._reply, self._spell).look(rows)


LONG = replace(
    next(turn.prompt for turn in TURNS if turn.gold and len(turn.prompt.question.split()) > 4),
    history=(),
)


def test_a_reply_to_half_a_question_that_still_stands_is_not_written_again() -> None:
    writer = Looking(lambda _: "We open at nine.")
    drafts, cache = refine(writer, half(LONG), LONG, Plan(4, 16))

    assert cache == writer.read(LONG)
    assert len(drafts) == 1
    assert drafts[0].text == "We open at nine."


def test_of_a_reply_to_half_a_question_only_what_does_not_stand_is_written_again() -> None:
    writer = Looking(lambda prompt: f"We open at {'nine' if prompt == LONG else 'ten'}.")
    drafts, _ = refine(writer, half(LONG), LONG, Plan(4, 16))

    assert drafts[-1].text == "We open at nine."
    assert drafts[0].text == "We open at"
    assert [cell.confidence for cell in drafts[-1].cells[:3]] == [1.0] * 3  # pinned


def test_a_reply_to_another_question_is_written_anew() -> None:
    writer = Looking(
        lambda prompt: "We open at nine." if prompt == LONG else "Hm? Yes, please go on."
    )
    drafts, _ = refine(writer, half(LONG), LONG, Plan(4, 16))

    assert drafts == list(writer.write(writer.read(LONG), Plan(4, 16)))


def test_half_a_question_is_the_same_every_time_and_a_short_one_stays_whole() -> None:
    assert half(LONG) == half(LONG)
    assert LONG.question.startswith(half(LONG).question.rstrip("-. ")[:4])
    assert len(half(LONG).question) < len(LONG.question) + 3
    short = replace(LONG, question="And then?")
    assert half(short) == short


def test_turns_that_were_begun_early_are_kept_beside_the_others(tmp_path: Path) -> None:
    answers = {turn.prompt.facts: turn.prompt.facts[turn.gold[0]] for turn in TURNS if turn.gold}
    writer = Looking(lambda prompt: answers.get(prompt.facts, UNKNOWN))
    one = trial(tmp_path / "log.jsonl", writer)
    way, early = WAYS[0], replace(WAYS[0], is_early=True)
    asyncio.run(one.run(TURNS[:6], [way], lambda _: None))
    asyncio.run(one.run_early(TURNS[:6], early, lambda _: None))
    log = TrialLog(one.log.path)

    assert way.name != early.name
    for turn in TURNS[:6]:
        assert log.has(turn.prompt, [way.name, early.name])


def test_the_drafts_of_parts_are_joined_step_by_step() -> None:
    writer = FakeWriter(lambda prompt: prompt.question)
    boat, bus = (
        list(writer.write(writer.read(replace(LONG, question=text)), Plan(k, 8)))
        for text, k in (("The boat is here.", 4), ("The bus is there.", 2))
    )
    joined = step_by_step([boat, bus], most=20)

    assert len(joined) == 4
    assert joined[-1].text == "The boat is here. The bus is there."
    assert joined[1].text.endswith("The bus is there.")  # it had ended, the other had not
    assert not joined[1].is_finished
