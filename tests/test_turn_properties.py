"""What holds for every talk, whatever is heard, fails or comes late: told by random talks."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

from hypothesis import given, settings
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
    MuteAsked,
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
    LoudnessChanged,
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
        self.is_ready = False
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
            case ReplyReady() if event.reply == self.held:
                self.is_ready = True
            case ReplyFailed() if event.reply == self.held and not self.is_ready:
                self.held = None
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
            case Write() | Say() | Withdraw() | Release() | StopSpeaking():
                self._hand(action)
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

    def _hand(self, action: Write | Say | Withdraw | Release | StopSpeaking) -> None:
        match action:
            case Write() | Say():
                assert self.held is None
                assert self.released is None
                assert action.reply > self.numbers[-1]
                self.held, self.is_ready = action.reply, False
                self.numbers.append(action.reply)
            case Withdraw():
                assert action.reply == self.held
                self.held = None
            case Release():
                assert action.reply == self.held
                assert self.is_ready
                assert not self.is_paused
                self.held, self.released = None, action.reply
            case StopSpeaking():
                assert action.reply == self.released
                self.released, self.is_audible, self.is_paused = None, False, False


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
EARS = st.one_of(
    st.builds(SpeechStarted, ANY_S, ANY_S, ANY_S),
    st.builds(SpeechPaused, ANY_S, ANY_S),
    st.builds(SpeechResumed, ANY_S),
    st.builds(
        SpeechEnded,
        *(ANY_S, ANY_S, ANY_S, ANY_S),
        st.sampled_from(["silence", "longest", "closed"]),
    ),
    st.builds(TooQuiet, ANY_S, ANY_S),
    st.builds(LoudnessChanged, ANY_S, st.booleans()),
    st.builds(TranscriptHeard, ANY_S, BACK, TEXTS, st.booleans(), st.sampled_from([0.0, 1.0])),
)
EVENTS = st.one_of(
    EARS,
    st.builds(ReplyReady, ANY_S, BACK),
    st.builds(ReplyFailed, ANY_S, BACK),
    st.builds(PlaybackBegan, ANY_S, BACK.map(str)),
    st.builds(PlaybackEnded, ANY_S, BACK.map(str)),
    st.builds(TalkStarted, ANY_S),
    st.builds(QuestionAsked, ANY_S, TEXTS),
    st.builds(SentenceAsked, ANY_S, TEXTS),
    st.builds(StopAsked, ANY_S),
    st.builds(ClearAsked, ANY_S),
    st.builds(MuteAsked, ANY_S, st.booleans()),
    st.builds(ButtonPressed, ANY_S),
    st.builds(ButtonReleased, ANY_S),
)

ASKS: list[TurnEvent] = [
    ButtonPressed(0.0),
    SpeechStarted(0.0, 0.0, 0.0),
    SpeechPaused(0.0, 0.0),
    TranscriptHeard(0.0, 0, "how much", is_final=True, speech_end_s=1.0),
    SpeechEnded(0.0, 0.0, 0.0, 0.0, "silence"),
    ButtonReleased(0.0),
]
PLAYS: list[TurnEvent] = [ReplyReady(0.0, 0), PlaybackBegan(0.0, "0")]
PAUSES_S = st.sampled_from([0.0, 0.02, 0.1, 0.3, 0.6, 1.0, 5.0, 12.0])
STEPS = st.one_of(
    EVENTS.map(lambda event: [event]),
    EVENTS.map(lambda event: [event]),
    EARS.map(lambda event: [event]),
    st.sampled_from([ASKS, PLAYS, ASKS + PLAYS, ASKS + PLAYS]),
)
"""An event, or several that make sense together."""


def spread(
    steps: list[tuple[float, list[TurnEvent]]],
) -> Iterator[tuple[float, TurnEvent]]:
    """Each event with the time since the one before."""
    for pause_s, events in steps:
        for place, event in enumerate(events):
            yield (0.05 if place else pause_s), event


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


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.tuples(PAUSES_S, STEPS), min_size=20, max_size=60),
    st.booleans(),
    st.sampled_from([0.0, 60.0]),
)
def test_whatever_happens_the_turn_wants_nothing_impossible_and_comes_back_to_listening(
    steps: list[tuple[float, list[TurnEvent]]], is_push_to_talk: bool, end_after_s: float
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

    for pause_s, event in spread(steps):
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


# ---- a person, ears, a writer and a device that work, at any speed ----


@dataclass(frozen=True)
class Said:
    """An utterance: bursts of voice with short gaps, and its words."""

    after_s: float
    """Silence before it."""
    bursts: tuple[float, ...]
    """Seconds of voice each; a gap of 0.2 s between two."""
    words: str
    """"": a noise. Else a text; a number makes each of its words the only one of its kind."""


@dataclass(frozen=True)
class Speeds:
    """How long everything takes, in seconds."""

    reading_s: float
    writing_s: float
    playing_s: float


GAP_S, ENDPOINT_S = 0.2, 0.5
SAID = st.builds(
    Said,
    st.sampled_from([0.7, 0.8, 1.0, 1.5, 2.5, 4.0, 9.0]),
    st.lists(st.sampled_from([0.12, 0.2, 0.3, 0.45, 0.6, 1.2]), min_size=1, max_size=4).map(tuple),
    st.sampled_from(["", "mhm", "okay", "Where", "How much", "Do you have a"]),
)
SPEEDS = st.builds(
    Speeds,
    st.sampled_from([0.05, 0.25, 0.6, 3.0]),
    st.sampled_from([0.02, 0.3, 1.0, 4.0]),
    st.sampled_from([0.3, 1.5, 4.0, 8.0]),
)


class World:
    """All that surrounds the turn, on a clock that jumps."""

    def __init__(self, rules: TurnRules, said: list[Said], speeds: Speeds) -> None:
        self.turn, self.book, self.speeds = Turn(rules), Bookkeeper(), speeds
        self.at_s = 0.0
        self.order = count()
        self.coming: list[tuple[float, int, TurnEvent]] = []
        self.questions: dict[int, Write | Say] = {}
        self.audible: list[int] = []
        self.left_s: dict[int, float] = {}
        self.since_s = 0.0
        self.decisions_s: list[float] = []
        self.onset_s: float | None = None
        self._speak(said)

    def run(self) -> None:
        """Until nothing happens any more."""
        while self.coming or self.turn.due_s is not None:
            due_s = self.turn.due_s

            if self.coming and (due_s is None or self.coming[0][0] < due_s):
                self.at_s, _, event = heapq.heappop(self.coming)
            else:
                assert due_s is not None
                self.at_s = max(self.at_s, due_s)
                event = TimePassed(self.at_s)

            self._tell(event)

    def _tell(self, event: TurnEvent) -> None:
        if isinstance(event, PlaybackBegan):
            if self.book.is_paused or str(self.book.released) != event.tag:
                return

            self._sound()

        if isinstance(event, PlaybackEnded):
            if self.book.is_paused or str(self.book.released) != event.tag:
                return

            if self.at_s < self.since_s + self.left_s[int(event.tag)] - 1e-6:
                return  # it was paused meanwhile

        self.book.hear(event)

        for action in self.turn.receive(event):
            self._do(action)

    def _do(self, action: Action) -> None:
        self.book.do(action)

        match action:
            case Write() | Say():
                self.questions[action.reply] = action
                self.left_s[action.reply] = self.speeds.playing_s
                self._later(self.speeds.writing_s, ReplyReady(0.0, action.reply))
            case Release():
                self._later(0.03, PlaybackBegan(0.0, str(action.reply)))
            case Pause() if self.book.is_audible and self.book.released is not None:
                self.left_s[self.book.released] -= self.at_s - self.since_s
            case Resume() if self.book.released is not None:
                if self.book.is_audible:
                    self._sound()
                else:
                    self._later(0.03, PlaybackBegan(0.0, str(self.book.released)))
            case _:
                pass

    def _sound(self) -> None:
        reply = self.book.released
        assert reply is not None

        if reply not in self.audible:
            self.audible.append(reply)

        self.since_s = self.at_s
        self._later(self.left_s[reply], PlaybackEnded(0.0, str(reply)))

    def _later(self, seconds: float, event: TurnEvent) -> None:
        at_s = self.at_s + seconds
        heapq.heappush(self.coming, (at_s, next(self.order), replace(event, at_s=at_s)))

    def _speak(self, said: list[Said]) -> None:
        """What the ears will tell; one transcript is read after the other."""
        at_s, free_s = 0.0, 0.0
        self._later(0.0, TalkStarted(0.0))

        for number, one in enumerate(said, 1):
            at_s += one.after_s
            began_s, words = at_s, numbered(one.words, number)
            self._later(at_s + 0.1, SpeechStarted(0.0, at_s - 0.5, at_s))

            for place, voice_s in enumerate(one.bursts):
                if place:
                    at_s += GAP_S
                    self._later(at_s + 0.02, SpeechResumed(0.0))

                at_s = max(at_s + voice_s, began_s + 0.11)
                self._later(at_s + 0.06, SpeechPaused(0.0, at_s))
                free_s = max(free_s, at_s + 0.06) + self.speeds.reading_s
                share = -(-len(words) * (place + 1) // len(one.bursts))
                heard = " ".join(words[:share])
                self._later(free_s, TranscriptHeard(0.0, number, heard, True, at_s))

            self._later(at_s + ENDPOINT_S, SpeechEnded(0.0, began_s, at_s, -20.0, "silence"))


def numbered(text: str, number: int) -> list[str]:
    """Its words; those of questions are the only ones of their kind."""
    plain = text.split()
    return plain if text in ("", "mhm", "okay") else [f"{word}{number}" for word in plain]


QUIET = replace(RULES, sentences={"apology": "Sorry."}, unheard_s=0.0, transcript_s=60.0)


@settings(deadline=None, max_examples=200)
@given(st.lists(SAID, min_size=1, max_size=8), SPEEDS)
def test_all_words_get_exactly_one_answer(said: list[Said], speeds: Speeds) -> None:
    world = World(QUIET, said, speeds)
    world.run()

    answers: Counter[str] = Counter()

    for reply in world.audible:
        action = world.questions[reply]

        if isinstance(action, Write) and not action.continues:
            answers.update(action.question.split())

    for number, one in enumerate(said, 1):
        for word in numbered(one.words, number):
            if word[-1].isdigit():
                assert answers[word] == 1, word

    assert world.turn.state == "listening"
    assert not world.book.is_paused


class Watch(Bookkeeper):
    """Looks at how long the voice waits for a decision."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._onset_s = 0.0
        self._is_voiced = False

    def hear(self, event: TurnEvent) -> None:
        """Where the burst began that sounds now, or sounded last."""
        super().hear(event)

        if isinstance(event, SpeechStarted):
            self._onset_s, self._is_voiced = event.voice_s, True
        elif isinstance(event, SpeechResumed):
            self._onset_s, self._is_voiced = event.at_s, True
        elif isinstance(event, SpeechPaused):
            self._is_voiced = False

    def do(self, action: Action) -> None:
        """A decision ends a pause."""
        was_paused = self.is_paused and self.is_audible
        super().do(action)

        if was_paused and not self.is_paused:
            longest_s = QUIET.decide_s + (0.0 if self._is_voiced else QUIET.words_s)
            assert self._world.at_s <= self._onset_s + longest_s


@settings(deadline=None, max_examples=200)
@given(st.lists(SAID, min_size=1, max_size=8), SPEEDS)
def test_a_decision_about_speech_over_the_voice_comes_in_time(
    said: list[Said], speeds: Speeds
) -> None:
    world = World(QUIET, said, speeds)
    world.book = Watch(world)
    world.run()
