"""A talk for the tests of the turn: it keeps the time limits as a session does."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from atonce.agent.events import PlaybackBegan, PlaybackEnded
from atonce.agent.phrases import Emergency, Phrases
from atonce.agent.turn import Turn
from atonce.agent.turn_events import (
    Action,
    ReplyReady,
    Report,
    Say,
    TimePassed,
    TranscriptHeard,
    TurnEvent,
    Write,
)
from atonce.agent.turn_rules import TurnRules
from atonce.config.load import defaults
from atonce.speech.endpoint import (
    SpeechEnded,
    SpeechPaused,
    SpeechStarted,
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
