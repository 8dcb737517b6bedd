"""The marks of one turn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.agent.cost_model import Stage
from atonce.agent.timeline import MARKS, Timeline, at, percentiles

LINE = MARKS[: MARKS.index("endpointed")]


def test_marks_are_milliseconds_since_zero() -> None:
    timeline = Timeline(10.0)
    timeline.mark("transcript_final", at_s=10.25)
    timeline.mark("done", at_s=11.0)

    assert timeline.milliseconds() == {"transcript_final": 250, "done": 1000}


def test_every_step_has_its_mark() -> None:
    timeline = Timeline(0.0)
    timeline.mark("prompt_read", at_s=0.05)
    timeline.draft(at_s=0.1)
    timeline.draft(at_s=0.3)

    assert timeline.milliseconds() == {"prompt_read": 50, "draft_1": 100, "draft_2": 300}
    assert timeline.steps_s() == pytest.approx([0.05, 0.2])


def test_a_mark_out_of_order_is_refused_and_changes_nothing() -> None:
    timeline = Timeline(0.0)
    timeline.mark("prompt_read", at_s=1.0)

    with pytest.raises(ValueError, match="'transcript_final' came after 'prompt_read'"):
        timeline.mark("transcript_final", at_s=2.0)

    assert timeline.milliseconds() == {"prompt_read": 1000}


@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_is_set_once(mark: str) -> None:
    timeline = Timeline(0.0)
    timeline.mark(mark, at_s=1.0)  # type: ignore[arg-type]

    with pytest.raises(ValueError, match="came after"):
        timeline.mark(mark, at_s=2.0)  # type: ignore[arg-type]


def test_time_does_not_run_backwards() -> None:
    timeline = Timeline(5.0)

    with pytest.raises(ValueError, match="lies before"):
        timeline.mark("prompt_read", at_s=4.0)

    timeline.mark("prompt_read", at_s=6.0)

    with pytest.raises(ValueError, match="lies before"):
        timeline.mark("done", at_s=5.5)

    with pytest.raises(ValueError, match="lies before"):
        timeline.mark("done", at_s=float("nan"))

    with pytest.raises(ValueError, match="lies before"):
        timeline.draft(at_s=5.5)


def test_a_draft_after_the_reply_was_settled_is_refused() -> None:
    timeline = Timeline(0.0)
    timeline.draft(at_s=0.1)
    timeline.mark("reply_checked", at_s=0.2)

    with pytest.raises(ValueError, match="'draft_2' came after 'reply_checked'"):
        timeline.draft(at_s=0.3)


def test_the_prompt_is_not_read_after_the_first_draft() -> None:
    timeline = Timeline(0.0)
    timeline.draft(at_s=0.1)

    with pytest.raises(ValueError, match="'prompt_read' came after 'draft_1'"):
        timeline.mark("prompt_read", at_s=0.3)


def test_a_reply_may_be_ready_before_the_endpoint_and_is_not_heard_before_it() -> None:
    timeline = Timeline(0.0)
    timeline.mark("first_chunk", at_s=0.4)
    timeline.mark("endpointed", at_s=0.5)
    timeline.mark("first_audio", at_s=0.52)
    assert dict(timeline.durations_s())[Stage.PLAYBACK] == pytest.approx(0.02)

    late = Timeline(0.0)
    late.mark("first_audio", at_s=0.5)
    with pytest.raises(ValueError, match="'endpointed' came after 'first_audio'"):
        late.mark("endpointed", at_s=0.6)


def test_an_endpoint_may_become_known_late() -> None:
    timeline = Timeline(0.0)
    timeline.mark("transcript_final", at_s=0.3)
    timeline.mark("endpointed", at_s=0.2)
    timeline.mark("prompt_read", at_s=0.35)
    assert list(timeline.milliseconds()) == ["endpointed", "transcript_final", "prompt_read"]


def test_an_acknowledgement_is_no_first_audio() -> None:
    timeline = Timeline(0.0)
    timeline.mark("acknowledged", at_s=0.4)
    assert timeline.first_audio_s is None
    timeline.mark("first_audio", at_s=1.5)
    assert timeline.first_audio_s == 1.5


def test_what_each_stage_took() -> None:
    timeline = Timeline(1.0)
    timeline.mark("speech_ended", at_s=1.0)
    timeline.mark("transcript_final", at_s=1.25)
    timeline.mark("prompt_read", at_s=1.35)
    timeline.draft(at_s=1.40)
    timeline.draft(at_s=1.45)
    timeline.mark("reply_checked", at_s=1.46)
    timeline.mark("first_chunk", at_s=1.52)
    timeline.mark("first_audio", at_s=1.54)

    assert dict(timeline.durations_s()) == pytest.approx(
        {
            Stage.TRANSCRIPT: 0.25,
            Stage.PROMPT: 0.10,
            Stage.CHECK: 0.01,
            Stage.CHUNK: 0.06,
            Stage.PLAYBACK: 0.02,
        }
    )
    assert timeline.stalled is None


def test_a_turn_that_came_to_a_halt_says_where() -> None:
    timeline = Timeline(0.0)
    assert timeline.stalled == "speech_ended"
    timeline.mark("prompt_read", at_s=0.2)
    timeline.draft(at_s=0.3)
    assert timeline.stalled == "draft_1"
    assert dict(timeline.durations_s()) == {}


@given(st.lists(st.floats(0, 1000), min_size=len(LINE), max_size=len(LINE)))
def test_any_times_in_order_are_taken(times: list[float]) -> None:
    timeline = Timeline(0.0)

    for name, at_s in zip(LINE, sorted(times), strict=True):
        timeline.mark(name, at_s=at_s)

    values = list(timeline.milliseconds().values())
    assert list(timeline.milliseconds()) == list(LINE)
    assert values == sorted(values)


def test_percentiles_are_values_that_were_measured() -> None:
    turns = [{"first_audio": float(ms)} for ms in range(1, 101)]
    assert percentiles(turns) == {"first_audio": (50.0, 95.0, 99.0)}
    assert percentiles([]) == {}
    assert at([7.0], 0.99) == 7.0
