"""Whose turn it is, told as little talks: what happens when, and what is done about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import pytest

from atonce.agent import turn as turn_module
from atonce.agent import turn_limits
from atonce.agent.events import PlaybackBegan, PlaybackEnded
from atonce.agent.phrases import Emergency, Phrases
from atonce.agent.turn import STATES, Turn
from atonce.agent.turn_events import (
    Action,
    ButtonPressed,
    ButtonReleased,
    ClearAsked,
    EndTalk,
    Forget,
    Pause,
    QuestionAsked,
    Release,
    ReplyFailed,
    ReplyReady,
    Report,
    Resume,
    Say,
    SentenceAsked,
    StopAsked,
    StopSpeaking,
    TalkStarted,
    TimePassed,
    TranscriptHeard,
    TurnEvent,
    Withdraw,
    Write,
)
from atonce.agent.turn_rules import TurnRules
from atonce.config.load import defaults
from atonce.speech.endpoint import (
    SpeechEnded,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TooQuiet,
)

QUESTION = "How much is a ticket?"
HELP = "Call the emergency number."
RULES = TurnRules(
    phrases=replace(
        Phrases.from_settings(defaults().settings),
        emergencies=(Emergency(("someone collapsed",), HELP),),
    ),
    sentences={
        "greeting": "",
        "silence": "Anything else?",
        "goodbye": "Goodbye.",
        "too_quiet": "Please speak up.",
        "too_long": "One thing at a time.",
        "other_language": "Only English.",
        "apology": "Sorry.",
    },
)
Why = Literal["silence", "longest", "closed"]


class Stage:
    """A talk: it keeps the time limits as a session does, and remembers what was done."""

    def __init__(self, rules: TurnRules = RULES) -> None:
        self.turn = Turn(rules)
        self.utterance = 0
        self.done: list[Action] = []

    def tell(self, *events: TurnEvent) -> list[Action]:
        """Events, in order; what was done about them and about the time before them."""
        done: list[Action] = []

        for event in events:
            done += self.wait(event.at_s)
            done += self.take(event)

        return done

    def take(self, event: TurnEvent) -> list[Action]:
        """One event, whatever is due."""
        actions = self.turn.receive(event)
        self.done += actions
        return actions

    def wait(self, until_s: float) -> list[Action]:
        """The time limits up to a moment."""
        done: list[Action] = []

        while self.turn.due_s is not None and self.turn.due_s <= until_s:
            done += self.take(TimePassed(self.turn.due_s))

        return done

    def starts(self, voice_s: float) -> list[Action]:
        """Somebody begins to speak."""
        self.utterance += 1
        return self.tell(SpeechStarted(voice_s + 0.1, voice_s - 0.4, voice_s))

    def pauses(self, end_s: float) -> list[Action]:
        """A voice pauses."""
        return self.tell(SpeechPaused(end_s + 0.06, end_s))

    def ends(self, at_s: float, end_s: float, reason: Why = "silence") -> list[Action]:
        """An utterance ends."""
        return self.tell(SpeechEnded(at_s, 0.0, end_s, -20.0, reason))

    def reads(self, at_s: float, text: str, end_s: float, **more: object) -> list[Action]:
        """The transcript of a pause."""
        heard = TranscriptHeard(at_s, self.utterance, text, is_final=True, speech_end_s=end_s)
        return self.tell(replace(heard, **more))

    def guesses(self, at_s: float, text: str) -> list[Action]:
        """A partial transcript."""
        return self.tell(
            TranscriptHeard(at_s, self.utterance, text, is_final=False, speech_end_s=at_s)
        )

    def says(self, voice_s: float, end_s: float, text: str) -> list[Action]:
        """A whole utterance; its transcript takes 0.25 s, its endpoint half a second."""
        done = self.starts(voice_s) + self.pauses(end_s)
        done += self.reads(end_s + 0.3, text, end_s)
        return done + self.ends(end_s + 0.5, end_s)

    def plays(self, reply: int, at_s: float) -> list[Action]:
        """A reply is ready, and audible a moment later."""
        done = self.tell(ReplyReady(at_s, reply))
        return done + self.tell(PlaybackBegan(at_s + 0.05, str(reply)))

    def finishes(self, reply: int, at_s: float) -> list[Action]:
        """The last of a reply was heard."""
        return self.tell(PlaybackEnded(at_s, str(reply)))

    def answered(self, at_s: float = 2.0) -> Stage:
        """The question was asked, and its reply is audible from a moment on."""
        self.says(at_s - 1.5, at_s - 0.5, QUESTION)
        self.plays(self.last_number, at_s - 0.05)
        assert self.turn.state == "speaking"
        return self

    @property
    def last_number(self) -> int:
        """Of the reply or sentence that was begun last."""
        return [action.reply for action in self.done if isinstance(action, Write | Say)][-1]

    @property
    def written(self) -> list[str]:
        """The questions that replies were written to."""
        return [action.question for action in self.done if isinstance(action, Write)]

    @property
    def said(self) -> list[str]:
        """The kinds of fixed sentences."""
        return [action.kind for action in self.done if isinstance(action, Say)]

    @property
    def faults(self) -> list[str]:
        """What got stuck."""
        return [
            action.message for action in self.done if isinstance(action, Report) and action.is_fault
        ]


def acts(actions: list[Action]) -> list[Action]:
    """Without the reports."""
    return [action for action in actions if not isinstance(action, Report)]


# ---- the table ----


def test_the_table_has_a_cell_for_every_event_in_every_state() -> None:
    table = turn_module._TABLE

    assert set(table) == set(get_args(TurnEvent))
    assert {len(cells) for cells in table.values()} == {len(STATES)}


def test_a_question_is_heard_thought_about_answered_and_over() -> None:
    stage, states = Stage(), []

    for act in (
        lambda: stage.starts(1.0),
        lambda: stage.pauses(2.0),
        lambda: stage.reads(2.3, QUESTION, 2.0),
        lambda: stage.ends(2.31, 2.0),
        lambda: stage.tell(ReplyReady(2.6, 1)),
        lambda: stage.tell(PlaybackBegan(2.65, "1")),
        lambda: stage.finishes(1, 5.0),
    ):
        act()
        states.append(stage.turn.state)

    assert states == [
        *("hearing", "hearing", "hearing", "thinking", "thinking", "speaking", "listening")
    ]
    assert stage.done == [Write(1, QUESTION, is_early=True, continues=False), Release(1)]


# ---- endpoint and re-opening ----


def test_a_reply_is_begun_at_the_words_of_a_pause_and_held_until_the_endpoint() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(2.0)

    assert stage.reads(2.2, QUESTION, 2.0) == [Write(1, QUESTION, is_early=True, continues=False)]
    assert stage.tell(ReplyReady(2.3, 1)) == []
    assert stage.turn.state == "hearing"
    assert stage.ends(2.5, 2.0) == [Release(1)]


def test_speech_that_resumes_before_the_first_sound_withdraws_the_reply_and_joins_the_words() -> (
    None
):
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(2.0)
    stage.reads(2.2, QUESTION, 2.0)
    stage.tell(ReplyReady(2.3, 1))

    assert stage.tell(SpeechResumed(2.4)) == []
    assert stage.pauses(3.0) == []
    assert stage.reads(3.2, "How much is a ticket for a child?", 3.0) == [
        Withdraw(1),
        Write(2, "How much is a ticket for a child?", is_early=True, continues=False),
    ]
    stage.ends(3.3, 3.0)
    assert stage.tell(ReplyReady(3.4, 2)) == [Release(2)]


def test_words_of_a_second_utterance_before_the_first_sound_are_joined() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, QUESTION)
    stage.tell(ReplyReady(2.6, 1))

    done = acts(stage.says(2.62, 3.2, "For a child."))

    assert done[0] == Pause()  # the reply was let go, and may become audible any moment
    assert done[1:] == [
        StopSpeaking(1, "words"),
        Write(2, f"{QUESTION} For a child.", is_early=True, continues=False),
    ]
    assert stage.tell(ReplyReady(3.9, 2)) == [Release(2)]


@pytest.mark.parametrize("late_s", [0.6, 3.0])
def test_a_late_transcript_belongs_to_its_turn_and_gets_one_reply(late_s: float) -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(1.4)
    assert stage.ends(1.9, 1.4) == []
    assert stage.turn.state == "thinking"

    assert stage.reads(1.9 + late_s, "Parking?", 1.4) == [
        Write(1, "Parking?", is_early=False, continues=False)
    ]
    stage.plays(1, 5.5)
    stage.finishes(1, 7.0)

    assert stage.turn.state == "listening"
    assert stage.written == ["Parking?"]


def test_a_late_transcript_is_joined_with_what_was_said_meanwhile() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(1.8)
    stage.ends(2.3, 1.8)
    stage.starts(2.5)
    stage.pauses(3.0)
    first = TranscriptHeard(3.1, 1, "Where is", is_final=True, speech_end_s=1.8)

    assert stage.tell(first) == []
    stage.reads(3.3, "the loom?", 3.0)

    assert stage.written == ["Where is the loom?"]


def test_two_final_transcripts_get_one_answer() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(2.0)
    stage.reads(2.2, QUESTION, 2.0)
    assert stage.reads(2.3, "How much is a ticket", 2.0) == []
    stage.ends(2.5, 2.0)
    stage.plays(1, 2.6)

    assert stage.reads(2.8, "How much is the ticket?", 2.0) == []
    assert stage.written == [QUESTION]


def test_a_second_final_transcript_with_other_words_replaces_the_first() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, "How much is a cricket?")

    assert stage.reads(2.6, QUESTION, 2.0) == [
        Withdraw(1),
        Write(2, QUESTION, is_early=False, continues=False),
    ]


def test_a_flickering_voice_gets_one_answer() -> None:
    stage = Stage()
    stage.starts(1.0)

    for at_s in (1.3, 1.5, 1.7, 1.9):
        stage.pauses(at_s)
        stage.tell(SpeechResumed(at_s + 0.1))

    stage.pauses(2.2)
    stage.reads(2.4, QUESTION, 2.2)
    stage.tell(SpeechResumed(2.5))
    stage.pauses(2.6)
    stage.reads(2.9, QUESTION, 2.6)
    stage.ends(3.0, 2.6)
    stage.plays(1, 3.1)

    assert stage.written == [QUESTION]


def test_a_stale_transcript_of_an_earlier_pause_is_not_final() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(1.5)
    stage.tell(SpeechResumed(1.7))
    stage.pauses(2.4)

    assert stage.reads(2.45, "How much", 1.5) == []
    stage.ends(2.9, 2.4)
    assert stage.written == []
    stage.reads(3.0, QUESTION, 2.4)
    assert stage.written == [QUESTION]


def test_a_guess_that_comes_after_the_final_transcript_changes_nothing() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(2.0)
    stage.reads(2.2, QUESTION, 2.0)

    assert stage.guesses(2.3, "How much is") == []
    stage.ends(2.5, 2.0)
    assert stage.written == [QUESTION]


def test_sounds_of_hesitation_do_not_make_another_question() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(2.0)
    stage.reads(2.2, QUESTION, 2.0)
    stage.tell(SpeechResumed(2.3))
    stage.pauses(2.5)

    assert stage.reads(2.7, "Um, how much is a ticket? Mhm.", 2.5) == []


def test_no_more_replies_than_allowed_are_begun_before_the_endpoint() -> None:
    stage, at_s, words = Stage(), 1.0, ""
    stage.starts(at_s)

    for word in ("Is", "it", "open", "today?"):
        stage.pauses(at_s + 0.5)
        words = f"{words} {word}".strip()
        stage.reads(at_s + 0.7, words, at_s + 0.5)
        stage.tell(SpeechResumed(at_s + 0.8))
        at_s += 0.8

    stage.pauses(at_s + 0.3)
    stage.reads(at_s + 0.6, words, at_s + 0.3)
    early = [action for action in stage.done if isinstance(action, Write)]
    stage.ends(at_s + 1.0, at_s + 0.3)

    assert [(action.question, action.is_early) for action in early] == [
        ("Is", True),
        ("Is it", True),
    ]
    assert stage.done[-1] == Write(3, "Is it open today?", is_early=False, continues=False)


def test_nothing_is_begun_early_on_a_slow_machine() -> None:
    stage = Stage()
    stage.turn.may_draft = False
    stage.starts(1.0)
    stage.pauses(2.0)

    assert stage.reads(2.2, QUESTION, 2.0) == []
    assert stage.ends(2.5, 2.0) == [Write(1, QUESTION, is_early=False, continues=False)]
    assert not stage.turn.may_draft


# ---- noises before the first sound ----


@pytest.mark.parametrize("text", ["", "Mhm.", "Okay.", "go on"])
def test_a_noise_before_the_first_sound_delays_the_reply_and_no_more(text: str) -> None:
    stage = Stage()
    stage.says(1.0, 2.0, QUESTION)
    stage.starts(2.6)
    assert stage.tell(ReplyReady(2.75, 1)) == []
    stage.pauses(2.9)
    assert acts(stage.reads(3.1, text, 2.9)) == []

    assert acts(stage.ends(3.4, 2.9)) == [Release(1)]
    stage.tell(PlaybackBegan(3.45, "1"))
    stage.finishes(1, 5.0)
    assert stage.turn.state == "listening"
    assert stage.written == [QUESTION]


def test_a_noise_between_release_and_first_sound_only_ducks() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, QUESTION)
    stage.tell(ReplyReady(2.6, 1))

    assert stage.starts(2.51) == [Pause()]
    stage.pauses(2.8)
    stage.reads(3.0, "", 2.8)
    assert acts(stage.ends(3.3, 2.8)) == [Resume()]
    assert stage.turn.state == "thinking"
    stage.tell(PlaybackBegan(3.35, "1"))
    assert stage.turn.state == "speaking"


def test_a_sound_that_escaped_before_the_duck_makes_it_an_interruption() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, QUESTION)
    stage.tell(ReplyReady(2.6, 1))
    stage.starts(2.55)
    stage.tell(PlaybackBegan(2.66, "1"))
    assert stage.turn.state == "paused"

    stage.wait(3.25)
    assert StopSpeaking(1, "speech") in stage.done
    stage.pauses(3.3)
    stage.reads(3.5, "for a child?", 3.3)
    stage.ends(3.6, 3.3)

    assert stage.written == [QUESTION, f"{QUESTION} for a child?"]


def test_a_backchannel_that_completes_a_broken_off_question_belongs_to_it() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, "Is the lift to the")
    stage.says(2.6, 3.0, "right?")

    assert stage.written[-1] == "Is the lift to the right?"


def test_another_sound_is_ducked_while_somebody_speaks_and_goes_on_before_the_reply() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, QUESTION)
    stage.tell(PlaybackBegan(3.0, "one moment"))
    assert stage.turn.state == "thinking"

    assert stage.starts(3.2) == [Pause()]
    stage.pauses(3.5)
    stage.reads(3.8, "", 3.5)
    stage.ends(4.0, 3.5)
    assert stage.tell(ReplyReady(4.2, 1)) == [Resume(), Release(1)]
    stage.tell(PlaybackEnded(4.5, "one moment"), PlaybackEnded(4.6, "something else"))
    assert stage.turn._now.other_sound == ""


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


def test_speech_that_was_long_enough_cuts_though_it_has_ended() -> None:
    stage = Stage().answered()
    stage.starts(3.0)
    stage.pauses(3.35)
    stage.tell(SpeechResumed(3.45))

    assert stage.tell(SpeechPaused(3.77, 3.71)) == [StopSpeaking(1, "speech")]


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
    stage = Stage().answered()
    stage.starts(3.0)

    assert stage.guesses(3.6, "All right") == []
    assert stage.pauses(3.66) == [Resume()]
    assert stage.reads(3.95, "All right.", 3.66) == []
    stage.ends(4.1, 3.66)
    stage.finishes(1, 6.0)

    assert stage.turn.state == "listening"
    assert stage.written == [QUESTION]


def test_a_voice_that_goes_on_behind_okay_cuts_a_moment_later_or_by_its_words() -> None:
    for text, at_s, reason in (("Okay", 3.88, "speech"), ("Okay, but where is", 3.75, "words")):
        stage = Stage().answered()
        stage.starts(3.0)

        assert stage.guesses(3.55, "Okay") == []
        assert stage.wait(3.74) == []
        assert stage.guesses(3.75, text) + stage.wait(at_s) == [StopSpeaking(1, reason)]


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


# ---- silence, ends, other sentences ----


def test_one_friendly_prompt_comes_after_a_silence_and_then_quiet() -> None:
    stage = Stage()
    stage.tell(TalkStarted(0.0))

    assert stage.wait(8.0) == [Say(1, "silence", "Anything else?", "")]
    stage.plays(1, 8.3)
    stage.finishes(1, 9.5)
    assert stage.turn.due_s is None

    stage.says(60.0, 61.0, QUESTION)
    stage.plays(2, 62.0)
    stage.finishes(2, 64.0)
    assert stage.turn.due_s == pytest.approx(72.0)


def test_a_prompt_can_be_left_out() -> None:
    stage = Stage(replace(RULES, silence_s=0.0))
    stage.tell(TalkStarted(0.0))

    assert stage.turn.due_s is None


def test_after_a_long_silence_the_talk_is_forgotten_once() -> None:
    stage = Stage(replace(RULES, silence_s=0.0, forget_after_s=60.0))
    stage.tell(TalkStarted(0.0))
    stage.answered(10.0)
    stage.says(11.0, 11.4, "Stop.")

    assert stage.wait(200.0) == [Forget()]
    stage.says(201.0, 201.5, "Go on.")
    assert stage.done[-1] == Write(2, "Go on.", is_early=True, continues=False)


def test_noises_do_not_keep_an_abandoned_talk_alive() -> None:
    stage = Stage(replace(RULES, silence_s=0.0, end_after_s=60.0))
    stage.tell(TalkStarted(0.0))

    for at_s in range(10, 60, 10):
        stage.says(at_s, at_s + 0.5, "")

    assert stage.wait(70.0) == [EndTalk("silence")]
    assert stage.tell(SpeechStarted(71.0, 70.5, 70.9)) == []
    assert stage.turn.due_s is None
    assert stage.turn.state == "listening"


def test_goodbye_ends_the_talk_once_it_was_heard() -> None:
    stage = Stage()
    stage.says(1.0, 1.6, "Okay, thank you, bye.")

    assert stage.done == [Say(1, "goodbye", "Goodbye.", "Okay, thank you, bye.")]
    stage.plays(1, 2.3)
    assert stage.finishes(1, 3.0) == [EndTalk("goodbye")]


def test_goodbye_without_a_sentence_ends_the_talk_at_the_endpoint() -> None:
    stage = Stage(replace(RULES, sentences={}))
    stage.starts(1.0)
    stage.pauses(1.6)
    assert stage.reads(1.8, "Bye.", 1.6) == []

    assert stage.ends(2.1, 1.6) == [EndTalk("goodbye")]


def test_goodbye_that_cannot_be_said_ends_the_talk_all_the_same() -> None:
    stage = Stage()
    stage.says(1.0, 1.6, "Bye.")

    assert stage.tell(ReplyFailed(2.5, 1)) == [EndTalk("goodbye")]


@pytest.mark.parametrize(
    ("text", "language"),
    [("Wo ist bitte die Toilette?", ""), ("Where is that?", "de"), ("Где здесь туалет?", "")],
)
def test_another_language_gets_its_sentence(text: str, language: str) -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(2.0)

    assert stage.reads(2.2, text, 2.0, language=language) == [
        Say(1, "other_language", "Only English.", "")
    ]


def test_a_name_in_another_language_is_answered_as_the_ears_heard_english() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(2.0)
    stage.reads(2.2, "Wo ist die Straße der Museen?", 2.0, language="en")

    assert stage.written == ["Wo ist die Straße der Museen?"]


def test_another_language_without_a_sentence_is_answered() -> None:
    stage = Stage(replace(RULES, sentences={}))
    stage.says(1.0, 2.0, "Wo ist bitte die Toilette?")

    assert stage.written == ["Wo ist bitte die Toilette?"]


def test_a_transcript_with_nothing_in_it_gets_nothing() -> None:
    stage = Stage()

    assert acts(stage.says(1.0, 1.5, "")) == []
    assert stage.turn.state == "listening"


def test_somebody_too_quiet_to_be_understood_is_told_once() -> None:
    stage = Stage()

    for at_s in (1.0, 4.0):
        stage.starts(at_s)
        stage.tell(TooQuiet(at_s + 0.3, -62.0))
        stage.pauses(at_s + 0.8)
        stage.reads(at_s + 1.0, "", at_s + 0.8)
        stage.ends(at_s + 1.3, at_s + 0.8)

    assert stage.said == ["too_quiet"]
    assert stage.take(TooQuiet(6.0, -62.0)) == []


# ---- emergencies ----


def test_an_emergency_is_answered_at_once_while_the_person_speaks_on() -> None:
    stage = Stage()
    stage.starts(1.0)

    assert stage.guesses(2.0, "Please, someone collapsed in") == [
        Say(1, "emergency", HELP, "Please, someone collapsed in")
    ]
    assert stage.plays(1, 2.3) == [Release(1)]
    stage.pauses(3.0)
    assert stage.reads(3.2, "Please, someone collapsed in the hall", 3.0) == []
    assert stage.tell(SpeechResumed(3.3)) == []
    assert stage.turn.state == "speaking"
    stage.pauses(4.0)
    stage.ends(4.5, 4.0)
    stage.finishes(1, 6.0)

    assert stage.turn.state == "listening"
    assert stage.written == []


def test_an_emergency_drops_whatever_else_was_going_on() -> None:
    stage = Stage().answered()
    stage.starts(3.0)
    assert stage.guesses(3.4, "someone collapsed") == [
        StopSpeaking(1, "emergency"),
        Say(2, "emergency", HELP, "someone collapsed"),
    ]
    assert stage.turn.due_s is not None
    stage.pauses(3.6)
    stage.ends(4.0, 3.6)
    stage.starts(4.2)
    assert stage.guesses(4.9, "someone collapsed here") == []  # it is being said


def test_noise_neither_ducks_nor_cuts_an_emergency_sentence_but_a_stop_word_does() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, "someone collapsed")
    stage.plays(1, 2.6)

    assert stage.starts(3.0) == []
    assert stage.wait(5.0) == []
    assert stage.guesses(5.1, "stop") == [StopSpeaking(1, "stop word")]


def test_words_that_follow_an_emergency_do_not_replace_its_sentence() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, "someone collapsed")
    stage.says(2.6, 3.4, "He does not move.")

    assert stage.plays(1, 4.0) == [Release(1)]
    assert stage.finishes(1, 6.0) == [
        Write(2, "He does not move.", is_early=False, continues=False)
    ]


def test_a_stop_word_takes_an_emergency_sentence_back_before_it_is_audible() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, "someone collapsed")

    assert Withdraw(1) in stage.says(2.6, 3.0, "No, stop.")
    assert stage.turn.state == "listening"


def test_an_emergency_in_writing_is_answered_at_once() -> None:
    stage = Stage()

    assert stage.tell(QuestionAsked(1.0, "Help, someone collapsed!")) == [
        Say(1, "emergency", HELP, "Help, someone collapsed!")
    ]


# ---- speech that never closes ----


def test_a_steady_noise_is_cut_and_the_person_is_told_once() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.ends(31.0, 31.0, "longest")
    stage.starts(31.0)
    heard = TranscriptHeard(31.5, 1, "", is_final=True, speech_end_s=31.0)

    assert stage.tell(heard) == [Say(1, "too_quiet", "Please speak up.", "")]
    assert stage.plays(1, 31.8) == [Release(1)]
    stage.finishes(1, 33.0)
    stage.ends(61.0, 61.0, "longest")
    stage.reads(61.5, "", 61.0)

    assert stage.said == ["too_quiet"]
    assert stage.turn.state == "listening"
    assert stage.faults == []


def test_speech_that_was_cut_off_is_answered_while_it_goes_on_and_asked_to_be_brief() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.ends(31.0, 31.0, "longest")
    stage.starts(31.0)
    stage.tell(TranscriptHeard(31.6, 1, "Long story.", is_final=True, speech_end_s=31.0))

    assert stage.done == [Write(1, "Long story.", is_early=False, continues=False)]
    assert stage.plays(1, 32.0) == [Release(1)]
    assert stage.turn.state == "speaking"
    stage.pauses(32.5)
    stage.reads(32.8, "", 32.5)
    stage.ends(33.0, 32.5)
    assert stage.finishes(1, 34.0) == [Say(2, "too_long", "One thing at a time.", "")]


def test_who_speaks_again_is_not_asked_to_be_brief() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.ends(31.0, 31.0, "longest")
    stage.reads(31.6, "Long story.", 31.0)
    stage.plays(1, 32.0)
    stage.starts(33.9)
    stage.finishes(1, 34.02)

    assert stage.said == []


# ---- commands ----


def test_a_question_in_writing_is_answered() -> None:
    stage = Stage()

    assert stage.tell(QuestionAsked(1.0, f" {QUESTION} ")) == [
        Write(1, QUESTION, is_early=False, continues=False)
    ]
    assert stage.tell(QuestionAsked(1.1, "  ")) == []
    assert stage.tell(ReplyReady(1.5, 1)) == [Release(1)]


def test_a_question_in_writing_cuts_what_is_said() -> None:
    stage = Stage().answered()

    assert stage.tell(QuestionAsked(3.0, "Where is the loom?")) == [
        StopSpeaking(1, "command"),
        Write(2, "Where is the loom?", is_early=False, continues=False),
    ]


def test_a_question_in_writing_is_answered_whatever_noise_is_heard() -> None:
    stage = Stage()
    stage.starts(1.0)

    stage.tell(QuestionAsked(1.5, QUESTION))
    assert stage.plays(1, 2.0) == [Release(1)]
    assert stage.turn.state == "speaking"


def test_the_answer_to_a_question_in_writing_is_talked_over_like_any_other() -> None:
    stage = Stage()
    stage.tell(QuestionAsked(1.0, QUESTION))
    stage.plays(1, 1.5)

    assert stage.starts(3.0) == [Pause()]
    assert stage.wait(3.7) == [StopSpeaking(1, "speech")]


def test_a_sentence_is_said_once_nothing_else_is_due() -> None:
    stage = Stage().answered()
    assert stage.tell(SentenceAsked(3.0, "We close soon."), SentenceAsked(3.1, " ")) == []

    assert stage.finishes(1, 5.0) == [Say(2, "asked", "We close soon.", "")]
    stage.says(5.1, 6.0, "Where is the loom?")
    assert Withdraw(2) in stage.done
    stage.plays(3, 6.7)
    assert stage.finishes(3, 8.0) == [Say(4, "asked", "We close soon.", "")]


def test_stop_drops_what_is_said_and_what_is_due() -> None:
    stage = Stage().answered()
    assert stage.tell(StopAsked(3.0)) == [StopSpeaking(1, "command")]
    assert stage.turn.state == "listening"
    stage.says(4.0, 4.6, "Go on.")
    assert stage.done[-1] == Write(2, QUESTION, is_early=True, continues=True)

    assert stage.tell(StopAsked(6.0)) == [Withdraw(2)]
    assert stage.turn.state == "listening"


def test_who_speaks_while_stop_is_asked_is_still_answered() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.tell(StopAsked(1.5))
    stage.pauses(2.0)
    stage.reads(2.3, QUESTION, 2.0)

    assert stage.written == [QUESTION]


def test_clear_forgets_everything() -> None:
    stage = Stage().answered()
    stage.starts(3.0)
    assert stage.tell(ClearAsked(3.2)) == [StopSpeaking(1, "command"), Forget()]
    stage.pauses(3.5)
    stage.reads(3.7, "Where is the loom?", 3.5)
    stage.ends(4.0, 3.5)

    assert stage.turn.state == "listening"
    stage.says(5.0, 5.5, "Go on.")
    assert stage.done[-1] == Write(2, "Go on.", is_early=True, continues=False)


# ---- push-to-talk ----

BUTTON = replace(RULES, is_push_to_talk=True)


def test_only_what_is_said_while_the_button_is_held_counts() -> None:
    stage = Stage(BUTTON)
    stage.says(1.0, 2.0, "never mind me")
    assert stage.done == []

    stage.tell(ButtonPressed(3.0))
    assert stage.turn.state == "hearing"
    stage.says(3.2, 4.0, QUESTION)
    assert stage.tell(ReplyReady(5.0, 1)) == []
    assert stage.tell(ButtonReleased(5.5)) == [Release(1)]


def test_the_button_ends_an_utterance_without_a_silence() -> None:
    stage = Stage(BUTTON)
    stage.tell(ButtonPressed(1.0))
    stage.starts(1.2)
    stage.tell(ButtonReleased(2.0))
    stage.ends(2.0, 2.0, "closed")
    stage.reads(2.3, QUESTION, 2.0)

    assert stage.done == [Write(1, QUESTION, is_early=False, continues=False)]


def test_pressing_the_button_silences_the_agent_at_once() -> None:
    stage = Stage(BUTTON)
    stage.tell(ButtonPressed(0.4))
    stage.says(0.5, 1.5, QUESTION)
    stage.tell(ButtonReleased(2.1))
    stage.plays(1, 2.2)

    assert stage.tell(ButtonPressed(3.0)) == [StopSpeaking(1, "button")]
    assert stage.turn.state == "hearing"
    stage.tell(ButtonReleased(3.5))
    assert stage.turn.state == "listening"


def test_speech_over_the_voice_without_the_button_is_not_heard() -> None:
    stage = Stage(BUTTON)
    stage.tell(ButtonPressed(0.4))
    stage.says(0.5, 1.5, QUESTION)
    stage.tell(ButtonReleased(2.1))
    stage.plays(1, 2.2)

    assert stage.says(3.0, 4.0, "Stop that now.") == []
    assert stage.turn.state == "speaking"


def test_a_button_pressed_between_release_and_first_sound_ducks() -> None:
    stage = Stage(BUTTON)
    stage.tell(ButtonPressed(0.4))
    stage.says(0.5, 1.5, QUESTION)
    stage.tell(ButtonReleased(2.1), ReplyReady(2.2, 1))

    assert stage.tell(ButtonPressed(2.22)) == [Pause()]
    assert stage.tell(ButtonReleased(2.5)) == [Resume()]


def test_a_button_that_sticks_is_let_go() -> None:
    stage = Stage(BUTTON)
    stage.tell(ButtonPressed(1.0))
    stage.wait(70.0)

    assert stage.turn.state == "listening"
    assert stage.faults == ["the button was held for too long"]


# ---- time limits ----


def test_a_transcript_that_never_comes_is_replaced_by_the_guess() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.guesses(2.0, "How much is")
    stage.pauses(2.5)
    stage.ends(3.0, 2.5)
    stage.wait(13.0)

    assert stage.written == ["How much is"]
    assert stage.faults == ["a transcript did not come"]


def test_a_transcript_that_comes_after_it_was_given_up_is_answered_late() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(2.5)
    stage.ends(3.0, 2.5)
    stage.wait(13.0)
    assert stage.turn.state == "listening"

    stage.guesses(14.0, QUESTION)
    assert stage.written == []
    stage.reads(15.0, QUESTION, 2.5)
    stage.reads(15.1, QUESTION, 2.5)
    assert stage.written == [QUESTION]


def test_a_transcript_that_never_comes_over_the_voice_is_given_up() -> None:
    stage = Stage().answered()
    stage.starts(3.0)
    stage.pauses(3.3)
    stage.ends(3.8, 3.3)
    stage.wait(14.0)
    assert stage.faults == ["a transcript did not come"]
    stage.finishes(1, 15.0)

    assert stage.turn.state == "listening"


def test_an_utterance_that_the_ears_forget_is_closed() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.guesses(2.0, QUESTION)
    stage.wait(60.0)

    assert stage.faults[:2] == [
        "the ears did not close an utterance",
        "a transcript did not come",
    ]
    assert stage.written == [QUESTION]


def test_an_utterance_whose_end_got_lost_ends_where_the_next_begins() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.starts(3.0)
    stage.tell(TranscriptHeard(3.2, 1, "Where is", is_final=True, speech_end_s=3.0))
    stage.pauses(3.5)
    stage.reads(3.8, "the loom?", 3.5)

    assert stage.written == ["Where is the loom?"]


def test_a_reply_that_never_comes_gets_an_apology_and_then_silence() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, QUESTION)
    stage.wait(45.0)

    assert stage.said == ["apology"]
    assert acts(stage.done)[1:] == [Withdraw(1), Say(2, "apology", "Sorry.", ""), Withdraw(2)]
    assert stage.faults == ["a reply did not come"] * 2
    assert stage.turn.state == "listening"


def test_a_failed_reply_gets_an_apology() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, QUESTION)

    assert stage.tell(ReplyFailed(2.6, 1)) == [Say(2, "apology", "Sorry.", "")]
    stage.plays(2, 2.8)
    stage.finishes(2, 3.5)
    assert stage.turn.state == "listening"


def test_a_reply_that_breaks_off_is_heard_as_far_as_it_goes_and_then_apologised_for() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, QUESTION)
    stage.tell(ReplyReady(2.5, 1))
    assert stage.tell(ReplyFailed(2.6, 1)) == []
    stage.tell(PlaybackBegan(2.7, "1"))
    assert stage.finishes(1, 3.5) == [Say(2, "apology", "Sorry.", "")]

    stage = Stage().answered()
    assert stage.tell(ReplyFailed(2.6, 1)) == []
    assert stage.finishes(1, 3.5) == [Say(2, "apology", "Sorry.", "")]


def test_without_an_apology_a_failed_reply_leaves_silence() -> None:
    stage = Stage(replace(RULES, sentences={}))
    stage.says(1.0, 2.0, QUESTION)

    assert acts(stage.tell(ReplyFailed(2.6, 1))) == []
    assert stage.turn.state == "listening"


def test_a_reply_that_fails_before_the_endpoint_is_tried_once_more_after_it() -> None:
    stage = Stage()
    stage.starts(1.0)
    stage.pauses(2.0)
    stage.reads(2.2, QUESTION, 2.0)
    assert stage.tell(ReplyFailed(2.3, 1)) == []

    assert stage.ends(2.5, 2.0) == [Write(2, QUESTION, is_early=False, continues=False)]
    assert stage.tell(ReplyFailed(2.8, 2)) == [Say(3, "apology", "Sorry.", "")]


def test_a_reply_that_is_released_and_never_audible_is_given_up() -> None:
    stage = Stage()
    stage.says(1.0, 2.0, QUESTION)
    stage.tell(ReplyReady(2.6, 1))
    stage.wait(10.0)

    assert StopSpeaking(1, "stuck") in stage.done
    assert stage.turn.state == "listening"
    assert stage.faults == ["a released reply is not audible"]


def test_a_voice_that_never_ends_is_cut() -> None:
    stage = Stage().answered()
    stage.starts(121.9)
    stage.wait(123.0)

    assert stage.faults == ["the voice did not end"]
    assert stage.turn.state == "hearing"


def test_a_goodbye_that_gets_stuck_ends_the_talk() -> None:
    stage = Stage()
    stage.says(1.0, 1.6, "Bye.")
    stage.tell(ReplyReady(2.3, 1))

    assert acts(stage.wait(10.0)) == [StopSpeaking(1, "stuck"), EndTalk("goodbye")]


def test_what_is_due_after_a_long_sleep_is_done_bit_by_bit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turn_limits, "_MOST_AT_ONCE", 1)
    stage = Stage()
    stage.starts(1.0)
    stage.take(TimePassed(500.0))

    assert stage.turn.due_s is not None
    stage.wait(600.0)
    assert stage.turn.state == "listening"


# ---- events that mean nothing any more ----


def test_what_is_told_of_replies_that_are_gone_is_ignored() -> None:
    stage = Stage().answered()
    stage.says(3.0, 4.0, "Where is the loom?")

    for event in (
        ReplyReady(5.0, 1),
        ReplyFailed(5.0, 1),
        PlaybackEnded(5.0, "1"),
        PlaybackBegan(5.0, "1"),
        SpeechPaused(5.0, 4.9),
        SpeechResumed(5.0),
        SpeechEnded(5.0, 4.0, 4.9, -20.0, "silence"),
        ButtonReleased(5.0),
        TranscriptHeard(5.0, 99, "what?", is_final=True, speech_end_s=4.9),
        TimePassed(5.0),
    ):
        assert acts(stage.take(event)) == []

    assert stage.turn.state == "thinking"


def test_ears_that_tell_of_no_utterance_while_the_agent_speaks_are_ignored() -> None:
    stage = Stage().answered()

    for event in (
        SpeechPaused(3.0, 2.9),
        SpeechResumed(3.0),
        SpeechEnded(3.0, 2.0, 2.9, -20.0, "silence"),
        ReplyReady(3.0, 1),
        ReplyFailed(3.0, 9),
        PlaybackBegan(3.0, "1"),
        PlaybackEnded(3.0, "7"),
        TalkStarted(3.0),
        TooQuiet(3.0, -60.0),
    ):
        assert stage.take(event) == []

    assert stage.turn.state == "speaking"


def test_what_is_told_twice_is_done_once() -> None:
    stage = Stage()
    stage.tell(ButtonPressed(0.5), SpeechResumed(0.6), ButtonReleased(0.7))
    stage.says(1.0, 2.0, QUESTION)
    assert stage.tell(ReplyReady(2.6, 1)) == [Release(1)]
    assert stage.tell(ReplyReady(2.61, 1)) == []

    assert stage.starts(2.52) == [Pause()]
    assert stage.starts(2.6) == []
    stage.tell(PlaybackBegan(2.71, "1"))
    assert stage.tell(ButtonReleased(2.72)) == []


def test_the_rules_come_from_the_settings() -> None:
    settings = defaults().settings
    rules = TurnRules.from_settings(settings, forget_after_s=60.0, is_push_to_talk=True)

    assert rules.barge_in_s == pytest.approx(0.5)
    assert rules.decide_s == pytest.approx(0.7)
    assert rules.early_writes == settings.watchdog.most_drafts
    assert rules.sentences["goodbye"] == settings.agent.sentences.goodbye
    assert rules.phrases.emergency("Please, somebody has collapsed!") is not None
    assert (rules.forget_after_s, rules.is_push_to_talk) == (60.0, True)
