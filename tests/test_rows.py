"""Rows of several sessions, on a virtual clock and with models that guess at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.config.errors import EngineError
from atonce.llm.commit import RULES, Guess
from atonce.llm.fakes import MASK, Guesser, Seed, VirtualClock
from atonce.llm.pace import Cost, Meter
from atonce.llm.protocols import Draft, Plan
from atonce.llm.rows import Asked, Row, Rows
from atonce.llm.sampler import denoise

COST = Cost(step_s=0.010, position_s=0.001)  # 50 ms for a canvas of 40


class World:
    """A clock, a model, and rows of it."""

    def __init__(self, most: int = 8, entropy: float = 1.0) -> None:
        self.clock = VirtualClock()
        self.model = Guesser(self.clock, COST, entropy)
        self.meter = Meter(COST)
        self.rows = Rows(self.model, self.meter, clock=self.clock, most=most)

    def write(self, plan: Plan, seed: int = 0, **more: Sequence[int | None]) -> list[Draft]:
        """All drafts of one row."""
        return list(denoise(self.rows, Seed(seed), plan, **more))

    def run(self, rows: Sequence[Row]) -> dict[Row, list[Draft]]:
        """All drafts of these, stepped together to their end."""
        seen: dict[Row, list[Draft]] = {row: [] for row in rows}
        while len(self.rows):
            for row, draft in self.rows.step().items():
                seen[row].append(draft)

        return seen


plans = st.builds(
    Plan,
    steps=st.integers(1, 12),
    canvas=st.integers(1, 24),
    rule=st.sampled_from(RULES),
    threshold=st.floats(0, 1),
    seed=st.integers(0, 3),
    factor=st.floats(0, 2),
    entropy_bound=st.floats(0, 2),
    left_bias=st.sampled_from([0.0, 0.05]),
)


# ---- rows know nothing of each other ----


@given(chosen=st.lists(st.tuples(plans, st.integers(0, 5)), min_size=1, max_size=6), data=st.data())
def test_a_row_among_others_writes_what_it_writes_alone(
    chosen: list[tuple[Plan, int]], data: st.DataObject
) -> None:
    together = World()
    rows, seen = [], dict[Row, list[Draft]]()
    for plan, seed in chosen:  # they begin at different times
        rows.append(together.rows.add(Seed(seed), plan))
        seen[rows[-1]] = []
        for _ in range(data.draw(st.integers(0, 3))):
            for row, draft in together.rows.step().items():
                seen[row].append(draft)

    for row, drafts in together.run(rows).items():
        seen[row] += drafts

    for row, (plan, seed) in zip(rows, chosen, strict=True):
        assert seen[row] == World().write(plan, seed)


def test_all_rows_share_one_pass() -> None:
    world = World()
    rows = [world.rows.add(Seed(i), Plan(4, 8 + i)) for i in range(3)]
    seen = world.run(rows)
    assert world.model.passes[0] == 3
    assert len(world.model.passes) == max(len(drafts) for drafts in seen.values())


def test_a_row_that_has_ended_leaves_and_the_others_go_on() -> None:
    world = World()
    short, long = world.rows.add(Seed(0), Plan(1, 12)), world.rows.add(Seed(1), Plan(6, 12))
    first = world.rows.step()
    assert first[short].is_finished
    assert short not in world.rows
    assert long in world.rows
    assert set(world.rows.step()) == {long}
    assert world.model.passes == [2, 1]


def test_a_dropped_row_is_not_written_any_more() -> None:
    world = World()
    gone, stays = world.rows.add(Seed(0), Plan(4, 12)), world.rows.add(Seed(1), Plan(4, 12))
    world.rows.step()
    world.rows.drop(gone)
    world.rows.drop(gone)
    assert set(world.rows.step()) == {stays}


def test_a_row_without_numbers_falls_out_and_says_so() -> None:
    world = World()
    world.model.broken = {7}
    bad, good = world.rows.add(Seed(7), Plan(4, 12)), world.rows.add(Seed(1), Plan(4, 12))
    assert set(world.rows.step()) == {good}
    assert "not numbers" in str(bad.fault)
    assert bad not in world.rows
    assert world.run([good])[good][-1].is_finished
    with pytest.raises(EngineError, match="not numbers"):
        world.write(Plan(4, 12), seed=7)


# ---- deadlines ----


@given(
    steps=st.integers(1, 16),
    canvas=st.integers(8, 64),
    min_steps=st.integers(1, 4),
    left_s=st.floats(-0.1, 1.0),
    slowness=st.lists(st.floats(0.2, 6.0), min_size=1, max_size=8),
)
def test_a_deadline_is_never_overrun_by_more_than_one_step(
    steps: int, canvas: int, min_steps: int, left_s: float, slowness: list[float]
) -> None:
    world = World()
    world.model.slowness = slowness
    start_s = world.clock.now_s
    times = [start_s]
    plan = Plan(steps, canvas, min_steps=min_steps, deadline_s=start_s + left_s)
    for draft in denoise(world.rows, Seed(0), plan):
        times.append(world.clock.now_s)
        assert draft.is_finished or len(times) <= steps

    assert draft.is_finished
    # The last step was begun before the deadline, or it was the first.
    assert len(times) == 2 or times[-2] < start_s + left_s


@given(left_s=st.floats(0.02, 1.0), steps=st.integers(1, 16), canvas=st.integers(8, 64))
def test_on_a_machine_that_keeps_its_pace_no_deadline_is_overrun(
    left_s: float, steps: int, canvas: int
) -> None:
    world = World()
    deadline_s = world.clock.now_s + left_s
    world.write(Plan(steps, canvas, deadline_s=deadline_s))
    assert world.clock.now_s <= deadline_s + 1e-6


def test_a_far_deadline_changes_nothing() -> None:
    plan = Plan(6, 24)
    later = replace(plan, deadline_s=1e6)
    assert World().write(later) == World().write(plan)


def test_fewer_steps_are_taken_where_fewer_fit_and_that_is_not_forced() -> None:
    world = World()
    drafts = world.write(Plan(8, 40, deadline_s=world.clock.now_s + 0.2))
    assert [draft.step for draft in drafts] == [1, 2, 3, 4]
    assert not any(draft.forced for draft in drafts)


def test_a_machine_that_turns_slow_costs_the_row_steps_and_the_last_commit_is_marked() -> None:
    world = World()
    world.model.slowness = [1.0, 1.0, 3.0]
    drafts = world.write(Plan(8, 40, deadline_s=world.clock.now_s + 0.4))
    assert [(draft.step, draft.steps) for draft in drafts] == [(1, 8), (2, 8), (3, 4), (4, 4)]
    assert [draft.forced for draft in drafts] == [False, False, False, True]


def test_k_comes_back_when_the_machine_turns_fast() -> None:
    world = World()
    world.meter.cost = replace(COST, load=4.0)
    drafts = world.write(Plan(6, 40, deadline_s=world.clock.now_s + 0.6))
    assert drafts[0].steps < 6
    assert drafts[-1].step > drafts[0].steps
    assert not drafts[-1].forced


def test_too_little_time_for_min_steps_means_a_smaller_canvas() -> None:
    world = World()
    drafts = world.write(Plan(8, 40, min_steps=4, deadline_s=world.clock.now_s + 0.12))
    assert len(drafts[-1].cells) == 20
    assert drafts[-1].step == 4
    assert not drafts[-1].forced


def test_a_smaller_canvas_keeps_what_is_pinned() -> None:
    world = World()
    pins = [5, 6, *[None] * 20, 7, *[None] * 17]
    plan = Plan(8, 40, min_steps=4, deadline_s=world.clock.now_s + 0.05)
    drafts = world.write(plan, given=pins)
    assert len(drafts[-1].cells) == 23
    assert [drafts[-1].cells[i].token for i in (0, 1, 22)] == [5, 6, 7]


def test_a_deadline_already_past_leaves_one_step_which_is_marked() -> None:
    world = World()
    drafts = world.write(Plan(8, 40, min_steps=2, deadline_s=world.clock.now_s - 1))
    assert [(draft.step, draft.forced, draft.is_finished) for draft in drafts] == [(1, True, True)]


# ---- many sessions and deadlines ----


def test_a_new_row_waits_while_it_would_make_a_running_one_late() -> None:
    world = World()
    first = world.rows.add(Seed(0), Plan(4, 40, deadline_s=world.clock.now_s + 0.2))
    world.rows.step()
    second = world.rows.add(Seed(1), Plan(2, 40, deadline_s=world.clock.now_s + 1.0))
    seen = world.run([first, second])
    assert world.model.passes == [1] * 6
    assert not any(draft.forced for drafts in seen.values() for draft in drafts)


def test_a_row_for_which_there_is_no_room_in_time_is_given_up() -> None:
    world = World()
    first = world.rows.add(Seed(0), Plan(8, 40, deadline_s=world.clock.now_s + 0.4))
    world.rows.step()
    late = world.rows.add(Seed(1), Plan(8, 40, deadline_s=world.clock.now_s + 0.1))
    seen = world.run([first, late])
    assert "no room" in str(late.fault)
    assert not seen[late]
    assert seen[first][-1].step == 8


def test_more_rows_than_fit_one_pass_wait_for_their_turn() -> None:
    world = World(most=2)
    rows = [world.rows.add(Seed(i), Plan(2, 8)) for i in range(3)]
    seen = world.run(rows)
    assert max(world.model.passes) == 2
    assert all(drafts[-1].is_finished for drafts in seen.values())


@given(
    wishes=st.lists(
        st.tuples(st.integers(1, 8), st.integers(8, 40), st.floats(0.0, 1.0), st.integers(0, 3)),
        min_size=2,
        max_size=5,
    )
)
def test_at_a_steady_pace_no_row_that_runs_is_made_late_by_another(
    wishes: list[tuple[int, int, float, int]],
) -> None:
    world, rows, is_cut = World(), list[Row](), dict[Row, bool]()

    def step() -> None:
        for row, draft in world.rows.step().items():
            assert row.plan.deadline_s is not None
            # Only a row that began with too little time is cut: no other row took it away.
            if not is_cut.setdefault(row, draft.forced):
                assert not draft.forced
                assert world.clock.now_s <= row.plan.deadline_s + 1e-6

    for steps, canvas, left_s, pause in wishes:
        plan = Plan(steps, canvas, min_steps=1, deadline_s=world.clock.now_s + left_s)
        rows.append(world.rows.add(Seed(len(rows)), plan))
        for _ in range(pause):
            step()

    while len(world.rows):
        step()


# ---- the early exit ----


def test_a_draft_that_two_steps_agree_on_without_doubt_is_done() -> None:
    reply = [5, 6, 7, 8, 2, 3, 4, 5, 6, 7]

    class Sure(Guesser):
        def guesses(self, row: Asked) -> list[Guess] | None:
            return [
                Guess(i, (reply[i], 2), (0.9, 0.01), 0.01, self.entropy)
                for i, token in enumerate(row.canvas)
                if token == MASK
            ]

    for entropy, steps in ((0.01, 2), (1.0, 6)):
        world = World(entropy=entropy)
        rows = Rows(Sure(world.clock, COST, entropy), world.meter, clock=world.clock)
        drafts = list(denoise(rows, Seed(0), Plan(6, 10)))
        assert len(drafts) == drafts[-1].steps == steps
        assert [cell.token for cell in drafts[-1].cells] == reply
        assert not drafts[-1].forced

        drafts = list(denoise(rows, Seed(0), Plan(6, 10, ends_early=False)))
        assert len(drafts) == 6, "it takes all its steps"


@pytest.mark.parametrize("deadline_s", [float("nan"), float("inf")])
def test_a_deadline_that_is_no_time_is_refused(deadline_s: float) -> None:
    with pytest.raises(EngineError, match="a deadline is a time in seconds"):
        World().write(Plan(4, 8, deadline_s=deadline_s))
