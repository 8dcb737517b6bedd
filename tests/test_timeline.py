"""The marks of one turn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.agent.timeline import MARKS, Timeline


def test_marks_are_milliseconds_since_zero() -> None:
    timeline = Timeline(10.0)
    timeline.mark("transcript_final", at_s=10.25)
    timeline.mark("done", at_s=11.0)

    assert timeline.milliseconds() == {"transcript_final": 250, "done": 1000}


def test_the_first_draft_sets_its_mark_and_every_step_is_kept() -> None:
    timeline = Timeline(0.0)
    timeline.draft(at_s=0.1)
    timeline.draft(at_s=0.3)

    assert timeline.milliseconds() == {"first_draft": 100}
    assert timeline.drafts_s == [0.1, 0.3]


def test_a_mark_out_of_order_is_refused_and_changes_nothing() -> None:
    timeline = Timeline(0.0)
    timeline.mark("prompt_read", at_s=1.0)

    with pytest.raises(ValueError, match="'transcript_final' came after 'prompt_read'"):
        timeline.mark("transcript_final", at_s=2.0)

    assert timeline.milliseconds() == {"prompt_read": 1000}


def test_a_mark_is_set_once() -> None:
    timeline = Timeline(0.0)
    timeline.mark("done", at_s=1.0)

    with pytest.raises(ValueError, match="came after"):
        timeline.mark("done", at_s=2.0)


def test_time_does_not_run_backwards() -> None:
    timeline = Timeline(5.0)

    with pytest.raises(ValueError, match="lies before"):
        timeline.mark("prompt_read", at_s=4.0)

    timeline.mark("prompt_read", at_s=6.0)

    with pytest.raises(ValueError, match="lies before"):
        timeline.mark("done", at_s=5.5)


@given(st.lists(st.floats(0, 1000), min_size=len(MARKS), max_size=len(MARKS)))
def test_any_times_in_order_are_taken(times: list[float]) -> None:
    timeline = Timeline(0.0)

    for name, at_s in zip(MARKS, sorted(times), strict=True):
        timeline.mark(name, at_s=at_s)

    values = list(timeline.milliseconds().values())
    assert list(timeline.milliseconds()) == list(MARKS)
    assert values == sorted(values)
