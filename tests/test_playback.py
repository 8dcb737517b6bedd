"""What the person hears: places, fades, words, and the truth about what sounded."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atonce.agent.events import Heard, PlaybackBegan, PlaybackEnded
from atonce.agent.playback import PAUSE_FADE_S, RESUME_FADE_S, STOP_FADE_S, Playback
from atonce.speech.protocols import Audio, SpokenWord

RATE = 16_000
BLOCK = RATE // 50
DOWN_20_DB = 0.1


def tone(seconds: float, *, words: str = "", rate_hz: int = RATE) -> Audio:
    """A constant level, so that a gap or a fade shows in every sample."""
    told = words.split()
    length = seconds / max(1, len(told))
    spoken = tuple(SpokenWord(word, i * length, (i + 1) * length) for i, word in enumerate(told))
    return Audio(np.full(round(seconds * rate_hz), 0.5, np.float32), rate_hz, spoken)


def ramp(seconds: float) -> Audio:
    """Every sample tells its place: sample n is n / 1e6."""
    return Audio((np.arange(round(seconds * RATE)) / 1e6).astype(np.float32), RATE)


def pull(playback: Playback, seconds: float, *, from_s: float) -> np.ndarray:
    """What the device is given in so many 20 ms blocks."""
    blocks = round(seconds * 50)
    return np.concatenate([playback.take(BLOCK, from_s + n / 50) for n in range(blocks)])


def test_what_is_put_is_heard_in_order_and_then_silence() -> None:
    playback = Playback(RATE)
    playback.put(ramp(0.1))
    playback.finish()
    given = pull(playback, 0.2, from_s=5.0)

    assert given[: RATE // 10] == pytest.approx(ramp(0.1).samples)
    assert not given[RATE // 10 :].any()
    assert playback.underruns == 0


def test_begin_and_end_are_told_with_the_times_at_which_they_are_audible() -> None:
    playback = Playback(RATE)
    playback.begin("7")
    playback.put(tone(0.05))
    playback.finish()
    pull(playback, 0.1, from_s=5.0)

    assert playback.news() == [PlaybackBegan(5.0, "7"), PlaybackEnded(pytest.approx(5.05), "7")]
    assert playback.news() == []


def test_a_held_reply_waits_and_starts_at_its_first_sample() -> None:
    playback = Playback(RATE)
    playback.begin("1", is_held=True)
    playback.put(ramp(0.1))

    assert not pull(playback, 0.1, from_s=0.0).any()
    assert playback.underruns == 0

    playback.release("1")

    assert pull(playback, 0.02, from_s=0.1) == pytest.approx(ramp(0.02).samples)


def test_a_withdrawn_reply_is_never_heard_and_the_next_one_is() -> None:
    playback = Playback(RATE)
    playback.begin("1", is_held=True)
    playback.put(tone(0.1))
    playback.withdraw("1")
    playback.begin("2", is_held=True)
    playback.put(ramp(0.1))
    playback.release("2")

    assert pull(playback, 0.1, from_s=0.0) == pytest.approx(ramp(0.1).samples)
    assert playback.news() == [PlaybackBegan(0.0, "2")]


def test_a_sentence_passes_a_held_reply() -> None:
    playback = Playback(RATE)
    playback.begin("1", is_held=True)
    playback.put(ramp(0.1))
    playback.begin("2")
    playback.put(tone(0.02))
    playback.finish()
    said = pull(playback, 0.04, from_s=0.0)
    playback.release("1")

    assert said[:BLOCK] == pytest.approx(0.5)
    assert not said[BLOCK:].any()
    assert pull(playback, 0.1, from_s=0.04) == pytest.approx(ramp(0.1).samples)


def test_a_pause_is_silent_within_its_fade_and_resumes_where_the_fade_began() -> None:
    playback = Playback(RATE)
    playback.put(ramp(1.0))
    before = pull(playback, 0.1, from_s=0.0)
    playback.pause()
    during = pull(playback, 0.2, from_s=0.1)
    playback.resume()
    after = pull(playback, 0.2, from_s=0.3)
    fade, rise = round(PAUSE_FADE_S * RATE), round(RESUME_FADE_S * RATE)

    assert not during[fade:].any()
    assert during[:fade].any()
    # Every sample from the place of the fade on, once: nothing lost, nothing twice.
    assert after[rise:] == pytest.approx(
        ramp(1.0).samples[len(before) + rise :][: len(after) - rise]
    )
    assert (np.abs(after[:rise]) <= ramp(1.0).samples[len(before) :][:rise] + 1e-9).all()


def test_a_pause_and_a_resume_leave_no_click() -> None:
    playback = Playback(RATE)
    playback.put(tone(1.0))
    heard = [pull(playback, 0.1, from_s=0.0)]

    for turn in range(4):
        playback.pause()
        heard.append(pull(playback, 0.02 * turn, from_s=0.0) if turn else np.zeros(0))
        playback.resume()
        heard.append(pull(playback, 0.06, from_s=0.0))

    playback.stop(1.0)
    heard.append(pull(playback, 0.04, from_s=0.0))
    steps = np.abs(np.diff(np.concatenate(heard)))

    # The steepest is the stop: from 0.5 to 0 in 5 ms. A click is a step of the level itself.
    assert steps.max() < 1.2 * 0.5 / (STOP_FADE_S * RATE) + 0.5 / (RESUME_FADE_S * RATE)


def test_a_stop_is_silent_after_five_milliseconds_and_says_what_was_heard() -> None:
    playback = Playback(RATE)
    playback.begin("3")
    playback.put(tone(2.0, words="one two three four five six seven eight nine ten"))
    pull(playback, 0.72, from_s=0.0)
    heard = playback.stop(0.72)
    after = pull(playback, 0.1, from_s=0.72)

    assert heard == Heard(pytest.approx(0.72), "one two three four")  # half of the fourth
    assert after[: round(STOP_FADE_S * RATE)].any()
    assert not after[round(STOP_FADE_S * RATE) :].any()
    assert playback.news()[-1] == PlaybackEnded(pytest.approx(0.72), "3")


def test_a_stop_while_paused_gives_the_place_of_the_pause() -> None:
    playback = Playback(RATE)
    playback.put(tone(2.0, words="one two three four"))
    pull(playback, 1.0, from_s=0.0)
    playback.pause()
    pull(playback, 0.5, from_s=1.0)

    assert playback.stop(1.5) == Heard(pytest.approx(1.0), "one two")
    assert not playback.is_sounding


def test_a_stop_counts_what_the_device_has_even_before_it_is_audible() -> None:
    playback = Playback(RATE)
    playback.put(tone(2.0))
    pull(playback, 0.5, from_s=0.2)  # audible 200 ms after it is given

    assert playback.heard(0.5).seconds == pytest.approx(0.3)
    assert playback.stop(0.5).seconds == pytest.approx(0.5)
    assert playback.news()[-1] == PlaybackEnded(pytest.approx(0.7))


def test_after_a_stop_the_next_reply_is_heard_whole() -> None:
    playback = Playback(RATE)
    playback.put(tone(1.0))
    pull(playback, 0.1, from_s=0.0)
    playback.pause()
    playback.stop(0.1)
    pull(playback, 0.1, from_s=0.1)
    playback.put(ramp(0.1))

    assert pull(playback, 0.1, from_s=0.2) == pytest.approx(ramp(0.1).samples)


def test_what_was_heard_is_known_for_any_moment_with_pauses_in_between() -> None:
    playback = Playback(RATE)
    playback.put(tone(2.0, words="one two three four"))
    pull(playback, 0.5, from_s=10.0)
    playback.pause()
    pull(playback, 1.0, from_s=10.5)
    playback.resume()
    pull(playback, 1.0, from_s=11.5)

    assert playback.heard(9.0) == Heard(0.0, "")
    assert playback.heard(10.25).seconds == pytest.approx(0.25)
    assert playback.heard(11.0) == Heard(pytest.approx(0.5), "one")
    assert playback.heard(12.5) == Heard(pytest.approx(1.5), "one two three")


def test_what_was_heard_stays_known_after_the_end() -> None:
    playback = Playback(RATE)
    playback.put(tone(0.1, words="all of it"))
    playback.finish()
    pull(playback, 0.2, from_s=0.0)

    assert playback.heard(1.0) == Heard(pytest.approx(0.1), "all of it")


def test_a_reply_that_must_wait_for_its_sound_is_counted_once_a_gap() -> None:
    playback = Playback(RATE)

    for start in (0.0, 1.0, 2.0):
        playback.put(tone(0.1))
        pull(playback, 0.5, from_s=start)

    playback.finish()

    assert playback.underruns == 2
    # The end is where its last sample was audible, not where it became known.
    assert playback.news()[-1] == PlaybackEnded(pytest.approx(2.1))


def test_words_may_come_after_their_sound() -> None:
    playback = Playback(RATE)
    playback.put(tone(1.0))
    nothing = np.zeros(0, np.float32)
    playback.put(Audio(nothing, RATE, (SpokenWord("late", -1.0, -0.5),)))
    pull(playback, 0.8, from_s=0.0)

    assert playback.heard(0.8).text == "late"
    assert playback.underruns == 0


@pytest.mark.parametrize("rate_hz", [22_050, 24_000, 48_000])
def test_sound_of_another_rate_keeps_its_length_and_level_in_pieces(rate_hz: int) -> None:
    playback = Playback(RATE)
    whole = tone(1.0, words="one two three four", rate_hz=rate_hz)

    for piece in np.array_split(whole.samples, 7):
        words = whole.words if piece is not None and not playback.waiting_s else ()
        playback.put(Audio(piece, rate_hz, words))

    playback.finish()
    given = pull(playback, 1.2, from_s=0.0)

    assert playback.heard(9.0) == Heard(pytest.approx(1.0), "one two three four")
    assert given[400:-4000] == pytest.approx(0.5, abs=0.02)
    assert not given[RATE:].any()


def test_a_change_of_volume_is_smooth() -> None:
    playback = Playback(RATE)
    playback.put(tone(1.0))
    pull(playback, 0.1, from_s=0.0)
    playback.volume = 0.0
    given = pull(playback, 0.1, from_s=0.1)

    assert np.abs(np.diff(given)).max() < 0.01
    assert not given[BLOCK:].any()


def test_finishing_and_stopping_nothing_does_nothing() -> None:
    playback = Playback(RATE)
    playback.finish()

    assert playback.stop(0.0) == Heard(0.0, "")
    assert playback.news() == []


def test_a_part_without_sound_ends_without_news() -> None:
    playback = Playback(RATE)
    playback.begin("1")
    playback.finish()
    playback.begin("2")
    playback.put(tone(0.02))
    playback.finish()
    pull(playback, 0.04, from_s=0.0)

    assert [news.tag for news in playback.news()] == ["2", "2"]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["put", "pull", "pause", "resume"]), max_size=40))
def test_whatever_happens_no_sample_is_lost_or_heard_twice(moves: list[str]) -> None:
    playback = Playback(RATE)
    whole = ramp(20.0).samples + np.float32(1e-3)
    put, now_s, heard = 0, 0.0, 0

    for move in moves:
        if move == "put":
            playback.put(Audio(whole[put : put + 3 * BLOCK], RATE))
            put += 3 * BLOCK
        elif move == "pull":
            playback.take(BLOCK, now_s)
            now_s += 0.02
        elif move == "pause":
            playback.pause()
        else:
            playback.resume()

        seconds = playback.heard(now_s).seconds
        assert heard <= round(seconds * RATE) <= put
        heard = round(seconds * RATE)

    playback.resume()
    playback.take(RATE, now_s)  # beyond every fade
    rest = playback.waiting_s

    assert rest * RATE == pytest.approx(max(0, put - heard - RATE), abs=1)


def test_a_device_in_a_thread_of_its_own_never_breaks_it() -> None:
    playback = Playback(RATE)
    is_over = threading.Event()
    taken: list[int] = []

    def device() -> None:
        while not is_over.is_set():
            taken.append(len(playback.take(BLOCK, len(taken) / 50)))

    thread = threading.Thread(target=device)
    thread.start()

    for number in range(200):
        playback.begin(str(number), is_held=number % 2 == 0)
        playback.put(tone(0.05))
        playback.pause()
        playback.heard(0.0)
        playback.resume()
        playback.finish()
        playback.release(str(number))

        if number % 7 == 0:
            playback.stop(0.0)

    is_over.set()
    thread.join()

    assert set(taken) == {BLOCK}
