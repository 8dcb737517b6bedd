"""When somebody began, paused and stopped: told with numbers alone, in seconds of sound."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.config.load import defaults, load
from atonce.speech.endpoint import (
    Activity,
    EndpointDetector,
    EndpointRules,
    LoudnessChanged,
    SpeechEnded,
    SpeechEvent,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TooQuiet,
)

FRAME_S = 0.02


def heard(
    detector: EndpointDetector, seconds: float, *, voice: float, level_db: float = -20.0
) -> list[SpeechEvent]:
    """What comes out while one kind of sound lasts."""
    frame = Activity(FRAME_S, voice, level_db)
    return [event for _ in range(round(seconds / FRAME_S)) for event in detector.hear(frame)]


def played(
    scene: Iterable[tuple[float, float]], rules: EndpointRules | None = None
) -> list[SpeechEvent]:
    """What comes out of stretches of (seconds, probability of a voice)."""
    detector = EndpointDetector(rules or EndpointRules())
    return [event for seconds, voice in scene for event in heard(detector, seconds, voice=voice)]


def kinds(events: Iterable[SpeechEvent]) -> list[str]:
    """Their names."""
    return [type(event).__name__ for event in events]


def test_speech_and_silence_make_one_utterance_with_what_came_before() -> None:
    events = played([(1.0, 0.0), (2.0, 0.9), (1.0, 0.0)])

    assert kinds(events) == ["SpeechStarted", "SpeechPaused", "SpeechEnded"]
    started, paused, ended = events
    assert isinstance(started, SpeechStarted)
    assert isinstance(paused, SpeechPaused)
    assert isinstance(ended, SpeechEnded)
    assert started.from_s == pytest.approx(0.5)
    assert started.voice_s == pytest.approx(1.0)
    assert started.at_s == pytest.approx(1.1)
    assert paused.at_s == pytest.approx(3.04)
    assert ended.speech_end_s == pytest.approx(3.0)
    assert ended.at_s == pytest.approx(3.5)
    assert ended.level_db == -20.0
    assert ended.reason == "silence"


def test_speech_that_starts_with_the_stream_reaches_back_to_its_first_sample() -> None:
    started = played([(0.5, 0.9)])[0]

    assert isinstance(started, SpeechStarted)
    assert started.from_s == 0.0


def test_the_pre_roll_never_reaches_into_the_utterance_before() -> None:
    rules = EndpointRules(complete_s=0.1, unsure_s=0.1, incomplete_s=0.1)

    events = played([(1.0, 0.9), (0.2, 0.0), (1.0, 0.9), (0.2, 0.0)], rules)

    first_end, second_start = events[2], events[3]
    assert isinstance(first_end, SpeechEnded)
    assert isinstance(second_start, SpeechStarted)
    assert second_start.from_s == first_end.at_s == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("completeness", "delay_s"), [("complete", 0.2), ("unsure", 0.5), ("incomplete", 1.0)]
)
def test_the_delay_follows_what_was_said(completeness: str, delay_s: float) -> None:
    detector = EndpointDetector(EndpointRules())
    heard(detector, 1.0, voice=0.9)
    heard(detector, 0.1, voice=0.0)

    assert detector.judge(completeness) == []  # type: ignore[arg-type]

    (ended,) = [e for e in heard(detector, 2.0, voice=0.0) if isinstance(e, SpeechEnded)]
    assert ended.at_s - ended.speech_end_s == pytest.approx(delay_s)


def test_a_late_judgement_counts_the_silence_that_is_there() -> None:
    detector = EndpointDetector(EndpointRules())
    heard(detector, 1.0, voice=0.9)
    heard(detector, 0.3, voice=0.0)

    (ended,) = detector.judge("complete")

    assert isinstance(ended, SpeechEnded)
    assert ended.at_s == pytest.approx(1.3)


def test_a_judgement_about_nothing_says_nothing() -> None:
    detector = EndpointDetector(EndpointRules())

    assert detector.judge("complete") == []
    assert detector.close() == []


def test_a_pause_inside_a_thought_does_not_end_the_turn() -> None:
    detector = EndpointDetector(EndpointRules())
    heard(detector, 1.0, voice=0.9)
    heard(detector, 0.1, voice=0.0)
    detector.judge("incomplete")
    during = heard(detector, 0.8, voice=0.0)
    after = heard(detector, 1.0, voice=0.9)

    assert during == []
    assert kinds(after) == ["SpeechResumed"]


def test_what_was_complete_before_a_pause_is_open_again_after_it() -> None:
    detector = EndpointDetector(EndpointRules())
    heard(detector, 1.0, voice=0.9)
    heard(detector, 0.1, voice=0.0)
    detector.judge("complete")
    heard(detector, 0.5, voice=0.9)

    events = heard(detector, 0.4, voice=0.0)

    assert kinds(events) == ["SpeechPaused"]


@pytest.mark.parametrize("seconds", [0.02, 0.06, 0.08])
def test_a_click_is_no_speech(seconds: float) -> None:
    assert played([(1.0, 0.0), (seconds, 1.0), (1.0, 0.0)]) == []


def test_a_click_long_before_speech_does_not_count_to_its_start() -> None:
    started = played([(0.06, 1.0), (2.0, 0.0), (1.0, 1.0)])[0]

    assert isinstance(started, SpeechStarted)
    assert started.from_s == pytest.approx(1.56)


def test_a_soft_moment_inside_speech_is_no_pause() -> None:
    assert kinds(played([(0.5, 0.9), (0.3, 0.4), (0.5, 0.9)])) == ["SpeechStarted"]


def test_a_soft_moment_after_a_pause_does_not_end_the_pause() -> None:
    events = played([(0.5, 0.9), (0.1, 0.0), (0.1, 0.4), (0.5, 0.0)])

    assert kinds(events) == ["SpeechStarted", "SpeechPaused", "SpeechEnded"]


def test_speech_without_an_end_is_closed_at_the_longest_and_goes_on_as_another() -> None:
    events = played([(65.0, 0.9)])

    ends = [event for event in events if isinstance(event, SpeechEnded)]
    starts = [event for event in events if isinstance(event, SpeechStarted)]
    assert [end.at_s for end in ends] == pytest.approx([30.0, 60.0])
    assert {end.reason for end in ends} == {"longest"}
    assert [start.from_s for start in starts] == pytest.approx([0.0, 30.0, 60.0])


def test_the_end_of_the_stream_ends_what_is_being_said() -> None:
    detector = EndpointDetector(EndpointRules())
    heard(detector, 1.0, voice=0.9)

    (ended,) = detector.close()

    assert isinstance(ended, SpeechEnded)
    assert ended.reason == "closed"
    assert detector.close() == []


def test_a_voice_at_45_db_is_heard_and_a_fainter_one_reported_as_too_quiet_once() -> None:
    fine, faint = EndpointDetector(EndpointRules()), EndpointDetector(EndpointRules())

    assert kinds(heard(fine, 3.0, voice=0.9, level_db=-45)) == ["SpeechStarted"]
    events = heard(faint, 3.0, voice=0.9, level_db=-62)

    assert kinds(events) == ["SpeechStarted", "TooQuiet"]
    assert isinstance(events[1], TooQuiet)
    assert events[1].level_db == -62


def test_the_voice_of_this_very_frame_is_told_from_a_moment_of_silence() -> None:
    detector = EndpointDetector(EndpointRules())
    heard(detector, 1.0, voice=0.9)
    assert detector.is_voiced

    heard(detector, 0.02, voice=0.0)
    assert not detector.is_voiced


def test_the_rules_come_from_the_settings() -> None:
    assert EndpointRules.from_settings(defaults().settings.endpoint) == EndpointRules()

    changed = load(None, ["endpoint.complete_ms=300"]).settings.endpoint
    assert EndpointRules.from_settings(changed).delay_s("complete") == 0.3


@given(
    st.lists(
        st.tuples(
            st.floats(0.02, 3.0), st.floats(0, 1), st.sampled_from(["complete", "incomplete", ""])
        ),
        max_size=30,
    )
)
def test_utterances_never_overlap_and_every_start_has_one_end(
    scene: list[tuple[float, float, str]],
) -> None:
    detector = EndpointDetector(EndpointRules(longest_s=5.0))
    events: list[SpeechEvent] = []

    for seconds, voice, judged in scene:
        events += heard(detector, seconds, voice=voice)

        if judged:
            events += detector.judge(judged)  # type: ignore[arg-type]

        assert detector.kept_from_s <= detector.now_s

    events += detector.close()
    spans = [event for event in events if isinstance(event, SpeechStarted | SpeechEnded)]
    assert all(isinstance(event, SpeechStarted) for event in spans[::2])
    assert all(isinstance(event, SpeechEnded) for event in spans[1::2])
    assert len(spans) % 2 == 0
    pauses = sum(isinstance(event, SpeechPaused) for event in events)
    assert sum(isinstance(event, SpeechResumed) for event in events) <= pauses
    last_end_s = 0.0

    for event in spans:
        if isinstance(event, SpeechStarted):
            assert last_end_s <= event.from_s <= event.at_s
        else:
            assert event.from_s <= event.speech_end_s <= event.at_s
            assert event.at_s - event.from_s <= 5.0 + FRAME_S + 1e-6
            last_end_s = event.at_s


def test_a_voice_that_fades_is_told_and_so_is_that_it_is_back() -> None:
    detector = EndpointDetector(EndpointRules())
    heard(detector, 0.5, voice=0.9)

    assert heard(detector, 0.1, voice=0.9, level_db=-34.0) == []
    assert heard(detector, 0.1, voice=0.9, level_db=-36.0) == [
        LoudnessChanged(pytest.approx(0.62), is_loud=False)
    ]
    assert heard(detector, 0.1, voice=0.9, level_db=-30.0) == [
        LoudnessChanged(pytest.approx(0.72), is_loud=True)
    ]


def test_after_a_pause_a_voice_is_loud_until_it_fades_again() -> None:
    detector = EndpointDetector(EndpointRules())
    heard(detector, 0.5, voice=0.9)
    heard(detector, 0.1, voice=0.9, level_db=-40.0)
    heard(detector, 0.1, voice=0.0, level_db=-60.0)

    assert kinds(heard(detector, 0.1, voice=0.9)) == ["SpeechResumed"]
    assert kinds(heard(detector, 0.1, voice=0.9, level_db=-40.0)) == ["LoudnessChanged"]
