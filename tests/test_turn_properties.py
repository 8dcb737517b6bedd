"""What holds for every talk, whatever is heard, fails or comes late: told by random talks."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count, pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from atonce.agent.events import PlaybackBegan, PlaybackEnded
from atonce.agent.phrases import Emergency, Phrases
from atonce.agent.turn import Turn
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
from atonce.speech.endpoint import (
    SpeechEnded,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TooQuiet,
)

RULES = TurnRules(
    phrases=Phrases(emergencies=(Emergency(("someone collapsed",), "Call for help."),)),
    sentences={
        "greeting": "Welcome.",
        "silence": "Anything else?",
        "goodbye": "Goodbye.",
        "too_quiet": "Please speak up.",
        "too_long": "One thing at a time.",
        "other_language": "Only English.",
        "apology": "Sorry.",
    },
)


class Bookkeeper:
    """Does nothing but check that what the turn wants can be done, and in this order."""

    def __init__(self) -> None:
        self.held: int | None = None
        self.released: int | None = None
        self.is_audible = False
        self.is_paused = False
        self.numbers = [0]
        self.utterances = 0
        self.has_ended = False

    def hear(self, event: TurnEvent) -> None:
        """What an event says of the reply in hand."""
        match event:
            case SpeechStarted():
                self.utterances += 1
            case ReplyFailed() if not self.is_audible:
                self.held = None if event.reply == self.held else self.held
                self.released = None if event.reply == self.released else self.released
            case PlaybackBegan() if event.tag == str(self.released):
                self.is_audible = True
            case PlaybackEnded() if event.tag == str(self.released) and self.is_audible:
                self.released, self.is_audible = None, False
            case _:
                pass

    def do(self, action: Action) -> None:
        """One action."""
        assert not self.has_ended

        match action:
            case Write() | Say():
                assert self.held is None
                assert self.released is None
                assert action.reply > self.numbers[-1]
                self.held = action.reply
                self.numbers.append(action.reply)
            case Withdraw():
                assert action.reply == self.held
                self.held = None
            case Release():
                assert action.reply == self.held
                assert not self.is_paused
                self.held, self.released = None, action.reply
            case StopSpeaking():
                assert action.reply == self.released
                self.released, self.is_audible, self.is_paused = None, False, False
            case Pause():
                assert not self.is_paused
                self.is_paused = True
            case Resume():
                assert self.is_paused
                self.is_paused = False
            case EndTalk():
                self.has_ended = True
            case Forget() | Report():
                pass


# ---- chaos: events that make no sense together ----

ANY_S = st.just(0.0)
"""Times are put in later."""
TEXTS = st.sampled_from(
    [
        *("", "mhm", "stop", "go on", "bye", "how much", "where", "someone collapsed", "no wait"),
        "wo ist bitte der bus",
    ]
)
BACK = st.sampled_from([0, 0, 0, 1, 7])
"""The newest reply or utterance, the one before, one that never was."""
EVENTS = st.one_of(
    st.builds(SpeechStarted, ANY_S, ANY_S, ANY_S),
    st.builds(SpeechPaused, ANY_S, ANY_S),
    st.builds(SpeechResumed, ANY_S),
    st.builds(
        SpeechEnded,
        *(ANY_S, ANY_S, ANY_S, ANY_S),
        st.sampled_from(["silence", "longest", "closed"]),
    ),
    st.builds(TooQuiet, ANY_S, ANY_S),
    st.builds(TranscriptHeard, ANY_S, BACK, TEXTS, st.booleans(), st.sampled_from([0.0, 1.0])),
    st.builds(ReplyReady, ANY_S, BACK),
    st.builds(ReplyFailed, ANY_S, BACK),
    st.builds(PlaybackBegan, ANY_S, BACK.map(str)),
    st.builds(PlaybackEnded, ANY_S, BACK.map(str)),
    st.builds(TalkStarted, ANY_S),
    st.builds(QuestionAsked, ANY_S, TEXTS),
    st.builds(SentenceAsked, ANY_S, TEXTS),
    st.builds(StopAsked, ANY_S),
    st.builds(ClearAsked, ANY_S),
    st.builds(ButtonPressed, ANY_S),
    st.builds(ButtonReleased, ANY_S),
)


def placed(event: TurnEvent, at_s: float, book: Bookkeeper) -> TurnEvent:
    """The event at a moment, and of the replies and utterances that there are."""
    match event:
        case SpeechStarted():
            return SpeechStarted(at_s, at_s - 0.6, at_s - 0.1)
        case SpeechPaused():
            return SpeechPaused(at_s, at_s - 0.06)
        case SpeechEnded():
            return replace(event, at_s=at_s, speech_end_s=at_s - 0.2)
        case TranscriptHeard():
            # Either of what was said just now, or of long ago.
            end_s = at_s if event.speech_end_s else 0.0
            number = book.utterances - event.utterance
            return replace(event, at_s=at_s, utterance=number, speech_end_s=end_s)
        case ReplyReady() | ReplyFailed():
            return replace(event, at_s=at_s, reply=book.numbers[-1] - event.reply)
        case PlaybackBegan() | PlaybackEnded():
            return replace(event, at_s=at_s, tag=str(book.numbers[-1] - int(event.tag)))
        case _:
            return replace(event, at_s=at_s)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(st.floats(0.0, 3.0), EVENTS), max_size=60),
    st.booleans(),
    st.sampled_from([0.0, 60.0]),
)
def test_whatever_happens_the_turn_wants_nothing_impossible_and_comes_back_to_listening(
    events: list[tuple[float, TurnEvent]], is_push_to_talk: bool, end_after_s: float
) -> None:
    rules = replace(RULES, is_push_to_talk=is_push_to_talk, end_after_s=end_after_s)
    turn, book, at_s = Turn(rules), Bookkeeper(), 0.0

    def tell(event: TurnEvent) -> None:
        book.hear(event)

        for action in turn.receive(event):
            book.do(action)

        assert turn.state == "listening" or turn.due_s is not None
        assert (turn.state in ("speaking", "paused")) == (book.is_audible and not book.has_ended)
        assert turn.state != "speaking" or not book.is_paused

    for pause_s, event in events:
        at_s += pause_s

        while turn.due_s is not None and turn.due_s <= at_s:
            before_s = turn.due_s
            tell(TimePassed(before_s))
            assert turn.due_s is None or turn.due_s > before_s

        now = placed(event, at_s, book)

        if isinstance(now, PlaybackBegan) and book.held == int(now.tag):
            continue  # nothing sounds that was not let go

        tell(now)

    # Nobody answers any more: neither the ears, nor the writer, nor the device.
    for _ in range(80):
        if turn.state == "listening":
            break

        assert turn.due_s is not None
        at_s = max(at_s, turn.due_s)
        tell(TimePassed(at_s))

    assert turn.state == "listening"
    assert not book.is_paused or book.has_ended
    assert len(turn._now.utterances) == 0
