"""Speech over the agent's voice, told as little talks: what ducks, what cuts, what goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from turn_stage import QUESTION, RULES, Stage, acts

from atonce.agent.events import PlaybackEnded
from atonce.agent.turn_events import (
    Action,
    EndTalk,
    Pause,
    Release,
    ReplyFailed,
    ReplyReady,
    Resume,
    Say,
    StopSpeaking,
    TalkStarted,
    Withdraw,
    Write,
)
from atonce.speech.endpoint import (
    LoudnessChanged,
    SpeechPaused,
    SpeechResumed,
)

# ---- interruptions ----


def test_the_voice_is_ducked_at_the_onset_of_speech() -> None:
    stage = Stage().answered()

    assert stage.starts(3.0) == [Pause()]
    assert stage.turn.state == "paused"


def test_half_a_second_of_speech_cuts_the_reply_within_the_time() -> None:
    stage = Stage().answered()
    stage.starts(3.0)

    assert stage.wait(3.65) == []
    assert stage.wait(3.7) == [StopSpeaking(1, "speech")]
    assert stage.turn.state == "hearing"


def test_speech_in_two_bursts_is_added_up() -> None:
    stage = Stage().answered()
    stage.starts(3.0)
    stage.pauses(3.3)
    stage.tell(SpeechResumed(3.4))

    assert stage.wait(3.79) == []
    assert stage.pauses(3.8) == [StopSpeaking(1, "speech")]


def test_speech_longer_than_all_that_listeners_say_cuts_though_it_has_ended() -> None:
    stage = Stage().answered()
    stage.starts(3.0)
    stage.tell(LoudnessChanged(3.6, is_loud=False))

    assert stage.wait(3.8) == []
    assert stage.tell(SpeechPaused(3.84, 3.78)) == [StopSpeaking(1, "speech")]


def test_speech_that_was_long_enough_and_has_ended_cuts_where_its_words_do_not_come() -> None:
    stage = Stage().answered()
    stage.starts(3.0)

    assert stage.tell(SpeechPaused(3.66, 3.62)) == []
    assert stage.wait(4.06) == []
    assert stage.wait(4.08) == [StopSpeaking(1, "speech")]


@pytest.mark.parametrize("text", ["stop", "No, wait", "hold on"])
def test_a_stop_word_in_a_guess_cuts_at_once(text: str) -> None:
    stage = Stage().answered()
    stage.starts(3.0)

    assert stage.guesses(3.3, text) == [StopSpeaking(1, "stop word")]


def test_two_words_cut_the_reply() -> None:
    stage = Stage().answered()
    stage.starts(3.0)

    assert stage.guesses(3.4, "Where") == []
    assert stage.guesses(3.45, "Where is") == [StopSpeaking(1, "words")]


@pytest.mark.parametrize("text", ["", "Mhm.", "Okay.", "uh-huh, I see", "Mm hmm"])
def test_a_backchannel_or_a_cough_lets_the_voice_go_on(text: str) -> None:
    stage = Stage().answered()
    stage.starts(3.0)
    assert stage.pauses(3.3) == []

    assert stage.reads(3.5, text, 3.3) == [Resume()]
    assert stage.ends(3.8, 3.3) == []
    stage.finishes(1, 6.0)

    assert stage.turn.state == "listening"
    assert stage.written == [QUESTION]
    assert stage.faults == []


def test_a_short_sound_without_a_transcript_lets_the_voice_go_on_in_time() -> None:
    stage = Stage().answered()
    stage.starts(3.0)
    stage.pauses(3.3)

    assert stage.wait(4.0) == []
    assert stage.wait(4.1) == [Resume()]
    assert stage.turn.state == "speaking"


@pytest.mark.parametrize(
    ("text", "done"), [("Mm-hmm.", Resume()), ("Where is it?", StopSpeaking(1, "words"))]
)
def test_short_speech_is_judged_by_its_words_and_the_voice_stays_silent_until_then(
    text: str, done: Action
) -> None:
    stage = Stage().answered()
    stage.starts(3.0)
    assert stage.pauses(3.58) == []

    assert stage.wait(3.9) == []
    assert stage.reads(3.92, text, 3.58)[0] == done


def test_all_right_is_judged_by_its_words_though_it_lasts_over_half_a_second() -> None:
    for guess in ("All right", ""):  # the first look was in time, or it was not
        stage = Stage().answered()
        stage.starts(3.0)
        stage.guesses(3.6, guess)
        assert stage.tell(LoudnessChanged(3.64, is_loud=False)) == []
        assert stage.wait(3.7) == []
        done = stage.pauses(3.66)

        assert done + stage.reads(3.95, "All right.", 3.66) == [Resume()]
        stage.ends(4.1, 3.66)
        stage.finishes(1, 6.0)

        assert stage.turn.state == "listening"
        assert stage.written == [QUESTION]


def test_a_loud_voice_behind_okay_cuts_in_time_and_a_faded_one_once_it_is_back() -> None:
    stage = Stage().answered()
    stage.starts(3.0)
    stage.guesses(3.55, "Okay")

    assert stage.wait(3.66) == []
    assert stage.wait(3.7) == [StopSpeaking(1, "speech")]

    stage = Stage().answered()
    stage.starts(3.0)
    stage.guesses(3.55, "Okay")
    stage.tell(LoudnessChanged(3.6, is_loud=False))

    assert stage.wait(3.74) == []
    assert stage.tell(LoudnessChanged(3.75, is_loud=True)) == [StopSpeaking(1, "speech")]


def test_a_voice_that_stays_soft_without_an_end_cuts_a_moment_later() -> None:
    stage = Stage().answered()
    stage.starts(3.0)
    stage.tell(LoudnessChanged(3.6, is_loud=False))

    assert stage.wait(3.86) == []
    assert stage.wait(3.88) == [StopSpeaking(1, "speech")]


@pytest.mark.parametrize(
    "text", ["Shui.", "Mom.", "Emma Ma.", "Come on.", "L.", "M. H. N.", "In my mom.", "Hello?"]
)
def test_what_a_transcriber_makes_of_mm_hmm_is_no_interruption_and_gets_no_answer(
    text: str,
) -> None:
    for ends_s in (6.0, 3.75):  # the words are known while the reply is heard, or only after it
        stage = Stage().answered()
        stage.starts(3.0)
        stage.guesses(3.4, text)
        stage.pauses(3.5)
        stage.wait(3.7)
        stage.tell(*([PlaybackEnded(ends_s, "1")] if ends_s < 3.8 else []))
        stage.reads(3.8, text, 3.5)
        stage.ends(4.0, 3.5)
        stage.finishes(1, 6.0)

        assert stage.turn.state == "listening"
        assert stage.written == [QUESTION]


def test_a_garbled_first_look_does_not_make_the_voice_go_on_before_a_stop_word() -> None:
    stage = Stage().answered()
    stage.starts(3.0)
    stage.guesses(3.4, "Shana.")
    stage.pauses(3.5)

    assert stage.wait(3.85) == []
    assert stage.reads(3.87, "Shut up.", 3.5) == [StopSpeaking(1, "stop word")]


@pytest.mark.parametrize("text", ["Why?", "How much?", "The lockers?", "15?", "Again?", "Sorry?"])
def test_short_words_that_are_likely_are_answered(text: str) -> None:
    stage = Stage().answered()
    stage.says(3.0, 3.45, text)
    stage.finishes(1, 6.0)

    assert stage.written == [QUESTION, text]


def test_unlikely_words_are_believed_of_a_voice_that_lasted_and_of_one_that_nobody_spoke_over() -> (
    None
):
    stage = Stage().answered()
    stage.says(3.0, 3.65, "In memory.")
    assert stage.written == [QUESTION, "In memory."]

    stage = Stage().answered()
    stage.finishes(1, 4.0)
    stage.says(5.0, 5.3, "Shui.")
    assert stage.written == [QUESTION, "Shui."]


def test_a_voice_that_cut_and_was_a_garbled_backchannel_lets_the_reply_go_on() -> None:
    stage = Stage().answered()
    stage.starts(3.0)
    stage.wait(3.7)
    stage.pauses(3.55)
    stage.reads(3.9, "Mama.", 3.55)
    stage.ends(4.1, 3.55)

    assert stage.done[-1] == Write(2, QUESTION, is_early=False, continues=True)


def test_okay_of_an_earlier_burst_gives_a_later_one_no_more_time() -> None:
    stage = Stage().answered()
    stage.starts(3.0)
    stage.pauses(3.3)
    assert stage.reads(3.4, "Okay.", 3.3) == [Resume()]

    assert stage.tell(SpeechResumed(3.6)) == [Pause()]
    assert stage.wait(4.29) == [StopSpeaking(1, "speech")]


def test_words_that_come_after_the_decision_cut_all_the_same() -> None:
    stage = Stage().answered()
    stage.starts(3.0)
    stage.pauses(3.4)
    stage.wait(4.1)
    assert stage.turn.state == "speaking"

    assert stage.reads(4.2, "How late?", 3.4) == [
        StopSpeaking(1, "words"),
        Write(2, "How late?", is_early=True, continues=False),
    ]


def test_stop_gets_silence_and_no_answer() -> None:
    stage = Stage().answered()
    stage.starts(3.0)
    stage.pauses(3.3)

    assert stage.reads(3.5, "Stop.", 3.3) == [StopSpeaking(1, "stop word")]
    stage.ends(3.6, 3.3)

    assert stage.turn.state == "listening"
    assert stage.written == [QUESTION]


def test_a_question_behind_a_stop_word_is_answered() -> None:
    stage = Stage().answered()
    stage.says(3.0, 4.5, "No, for a child, please.")

    assert stage.written == [QUESTION, "No, for a child, please."]


def test_a_single_word_that_does_not_interrupt_is_answered_afterwards() -> None:
    stage = Stage().answered()
    stage.says(3.0, 3.4, "Parking?")

    assert stage.turn.state == "speaking"
    assert stage.finishes(1, 6.0) == [Write(2, "Parking?", is_early=False, continues=False)]


def test_okay_while_the_agent_is_silent_is_a_turn() -> None:
    stage = Stage().answered()
    stage.finishes(1, 4.0)
    stage.says(5.0, 5.3, "Okay.")

    assert stage.written == [QUESTION, "Okay."]


def test_yes_at_the_very_end_of_a_reply_is_answered() -> None:
    stage = Stage().answered()
    stage.starts(3.0)
    assert stage.finishes(1, 3.12) == [Resume()]  # what was ducked ended in that moment
    stage.pauses(3.3)
    stage.reads(3.5, "Yes.", 3.3)
    stage.ends(3.6, 3.3)

    assert stage.written == [QUESTION, "Yes."]


def test_each_burst_of_a_hesitant_voice_is_judged_from_its_own_onset() -> None:
    stage = Stage().answered()
    stage.starts(3.0)
    stage.pauses(3.2)
    stage.wait(4.1)
    assert stage.tell(SpeechResumed(4.2)) == [Pause()]

    assert stage.wait(4.85) == []
    assert stage.wait(4.9) == [StopSpeaking(1, "speech")]


def test_a_burst_that_begins_just_before_the_time_is_up_gets_time_of_its_own() -> None:
    stage = Stage().answered()
    stage.starts(3.0)
    stage.pauses(3.15)
    stage.tell(SpeechResumed(3.6))

    assert stage.wait(3.7) == []
    assert stage.turn.state == "paused"
    assert stage.pauses(3.8) == []
    assert stage.wait(4.7) == [Resume()]


def test_a_decision_is_made_in_time_even_where_it_is_to_be_made_as_soon_as_speech_counts() -> None:
    stage = Stage(replace(RULES, barge_in_s=0.7)).answered()
    stage.starts(3.0)

    assert stage.wait(3.7) == [StopSpeaking(1, "speech")]

    stage = Stage(replace(RULES, barge_in_s=0.65)).answered()
    stage.starts(3.0)

    assert stage.wait(3.7) == [StopSpeaking(1, "speech")]


def test_a_restless_room_does_not_chop_the_reply_to_pieces() -> None:
    stage = Stage().answered()

    for at_s in (3.0, 4.0, 5.0, 6.0, 7.0, 8.0):
        stage.starts(at_s)
        stage.pauses(at_s + 0.2)
        stage.reads(at_s + 0.4, "", at_s + 0.2)
        stage.ends(at_s + 0.7, at_s + 0.2)

    assert stage.done.count(Pause()) == RULES.most_pauses
    stage.starts(9.0)
    stage.wait(9.7)
    assert stage.done[-1] == StopSpeaking(1, "speech")


def test_the_own_voice_coming_back_is_no_interruption_and_no_question() -> None:
    stage = Stage().answered()
    stage.starts(3.0)
    stage.pauses(3.4)

    assert stage.reads(3.6, "", 3.4, is_own_voice=True) == [Resume()]
    stage.ends(3.9, 3.4)
    stage.finishes(1, 5.0)
    stage.starts(5.2)
    stage.pauses(6.0)
    stage.reads(6.3, "", 6.0, is_own_voice=True)
    stage.ends(6.5, 6.0)

    assert stage.written == [QUESTION]
    assert stage.turn.state == "listening"


def test_an_uncancelled_echo_cuts_once_and_from_then_on_only_words_do() -> None:
    stage = Stage().answered()
    stage.starts(3.2)
    assert stage.wait(3.9) == [StopSpeaking(1, "speech")]
    stage.pauses(5.0)
    stage.reads(5.3, "", 5.0, is_own_voice=True)
    assert stage.ends(5.5, 5.0) == [Write(2, QUESTION, is_early=False, continues=True)]
    stage.plays(2, 6.0)

    assert stage.starts(7.2) == []
    assert stage.wait(9.0) == []
    assert stage.guesses(9.1, "") == []
    assert stage.guesses(9.5, "stop") == [StopSpeaking(2, "stop word")]
    stage.pauses(9.8)
    stage.reads(10.0, "stop", 9.8, is_own_voice=True)
    stage.ends(10.3, 9.8)
    assert stage.turn.state == "listening"

    stage.answered(200.0)
    assert stage.starts(203.0) == [Pause()]  # another loudspeaker, perhaps


# ---- what cut a reply and was nothing; "go on" ----


@pytest.mark.parametrize("text", ["", "Mhm, okay, okay."])
def test_a_long_noise_or_backchannel_that_has_cut_lets_the_reply_go_on_by_itself(
    text: str,
) -> None:
    stage = Stage().answered()
    done = acts(stage.says(3.0, 3.9, text))

    assert done == [
        Pause(),
        StopSpeaking(1, "speech"),
        Write(2, QUESTION, is_early=False, continues=True),
    ]


def test_a_reply_goes_on_by_itself_only_once() -> None:
    stage = Stage().answered()
    stage.says(3.0, 3.9, "")
    stage.plays(2, 5.0)
    stage.says(6.0, 6.9, "")

    assert stage.written == [QUESTION, QUESTION]
    assert stage.turn.state == "listening"


def test_a_reply_that_was_cut_behind_its_last_word_has_nothing_to_add() -> None:
    stage = Stage().answered()
    stage.says(3.0, 3.9, "Mhm, okay, okay.")

    assert acts(stage.tell(ReplyFailed(4.5, 2, is_over=True))) == []
    assert (stage.turn.state, stage.said, stage.faults) == ("listening", [], [])
    assert stage.says(6.0, 7.0, "Where is it?") != []
    assert stage.done[-1] == Write(3, "Where is it?", is_early=True, continues=False)


def test_go_on_continues_what_was_cut_as_often_as_it_is_said() -> None:
    stage = Stage().answered()

    for reply, at_s in ((2, 4.0), (3, 14.0), (4, 24.0)):
        stage.says(at_s, at_s + 0.4, "Stop.")
        done = acts(stage.says(at_s + 2, at_s + 2.6, "Go on, please."))
        assert done[0] == Write(reply, QUESTION, is_early=True, continues=True)
        stage.plays(reply, at_s + 4)

    stage.finishes(4, 30.0)
    stage.says(31.0, 31.6, "Go on.")
    assert stage.done[-1] == Write(5, "Go on.", is_early=True, continues=False)


def test_go_on_over_a_voice_that_it_has_cut_continues_it() -> None:
    stage = Stage(replace(RULES, most_continued=0)).answered()
    stage.says(3.0, 3.9, "go on go on")

    assert stage.done[-1] == Write(2, QUESTION, is_early=False, continues=True)


def test_go_on_after_a_new_answer_is_a_question_like_others() -> None:
    stage = Stage().answered()
    stage.says(3.0, 3.4, "Stop.")
    stage.says(5.0, 6.0, "Where is the loom?")
    stage.plays(2, 7.0)
    stage.finishes(2, 9.0)
    stage.says(10.0, 10.5, "Continue.")

    assert stage.done[-1] == Write(3, "Continue.", is_early=True, continues=False)


def test_words_replace_the_rest_of_a_reply_that_was_about_to_go_on() -> None:
    stage = Stage().answered()
    stage.says(3.0, 3.9, "")
    stage.says(4.5, 5.5, "Where is the loom?")

    assert stage.done[-1] == Write(3, "Where is the loom?", is_early=True, continues=False)
    assert Withdraw(2) in stage.done


def test_okay_does_not_stop_a_reply_that_is_about_to_go_on() -> None:
    stage = Stage().answered()
    stage.says(3.0, 3.9, "")
    stage.says(4.5, 4.8, "Okay.")

    assert stage.tell(ReplyReady(5.5, 2)) == [Release(2)]


def test_a_goodbye_that_a_noise_has_cut_is_said_again_and_ends_the_talk() -> None:
    stage = Stage()
    stage.says(1.0, 1.6, "Bye.")
    stage.plays(1, 2.3)
    stage.says(3.0, 3.9, "")

    assert stage.done[-1] == Say(2, "goodbye", "Goodbye.", "Bye.")
    stage.plays(2, 5.0)
    assert stage.finishes(2, 6.0) == [EndTalk("goodbye")]


def test_a_greeting_that_was_cut_by_a_noise_is_not_repeated() -> None:
    stage = Stage(replace(RULES, sentences={**RULES.sentences, "greeting": "Welcome."}))
    assert stage.tell(TalkStarted(0.0)) == [Say(1, "greeting", "Welcome.", "")]
    stage.plays(1, 0.5)
    stage.says(1.0, 1.9, "")

    assert stage.said == ["greeting"]
    assert stage.turn.state == "listening"


def test_a_greeting_is_talked_over_like_any_reply() -> None:
    stage = Stage(replace(RULES, sentences={**RULES.sentences, "greeting": "Welcome."}))
    stage.tell(TalkStarted(0.0))
    stage.plays(1, 0.5)
    stage.says(1.0, 2.0, QUESTION)

    assert StopSpeaking(1, "speech") in stage.done
    assert stage.written == [QUESTION]


def test_nobody_is_greeted_in_the_middle_of_a_word() -> None:
    stage = Stage(replace(RULES, sentences={**RULES.sentences, "greeting": "Welcome."}))
    stage.starts(0.1)

    assert stage.tell(TalkStarted(0.3)) == []


def test_words_before_the_greeting_is_audible_replace_it() -> None:
    stage = Stage(replace(RULES, sentences={**RULES.sentences, "greeting": "Welcome."}))
    stage.tell(TalkStarted(0.0))
    stage.says(0.1, 1.0, QUESTION)

    assert acts(stage.done)[1:] == [
        Withdraw(1),
        Write(2, QUESTION, is_early=True, continues=False),
    ]


# ---- stop words before the first sound ----


def test_wait_before_the_first_sound_gets_silence() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, QUESTION)
    stage.says(2.6, 2.9, "Wait.")

    assert Withdraw(1) in stage.done
    assert stage.turn.state == "listening"
    assert stage.written == [QUESTION]


def test_no_as_an_answer_is_a_turn() -> None:
    stage = Stage()
    stage.says(1.0, 1.3, "No.")

    assert stage.written == ["No."]
    assert stage.tell(ReplyReady(2.5, 1)) == [Release(1)]


def test_a_greeting_that_waits_is_stopped_by_a_stop_word() -> None:
    stage = Stage(replace(RULES, sentences={**RULES.sentences, "greeting": "Welcome."}))
    stage.tell(TalkStarted(0.0))
    stage.says(0.1, 0.5, "Stop.")

    assert Withdraw(1) in stage.done
    assert stage.turn.state == "listening"


def test_mhm_alone_behind_a_cut_greeting_gets_nothing() -> None:
    stage = Stage(replace(RULES, sentences={**RULES.sentences, "greeting": "Welcome."}))
    stage.tell(TalkStarted(0.0))
    stage.plays(1, 0.5)
    stage.says(1.0, 1.9, "Mhm, mhm.")

    assert stage.written == []
    assert stage.turn.state == "listening"
