"""Everything that is known of a talk while it goes on, and the state that follows from it. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from atonce.agent.events import State
from atonce.agent.turn_events import Action, Report
from atonce.agent.turn_rules import OVERHANG_S, TurnRules
from atonce.agent.turn_voice import Speech, Voice
from atonce.agent.turn_words import Utterance

_MOST_SENTENCES = 8
"""Sentences that wait to be said by command; more than this is a fault of whoever sends them."""
_MOST_LOST = 4
"""Utterances whose transcript may still come after it was given up."""


@dataclass(slots=True)
class Situation:
    """One talk at one moment."""

    rules: TurnRules
    """What is a matter of choice."""
    voice: Voice = field(default_factory=Voice)
    """The reply in hand."""
    utterances: list[Utterance] = field(default_factory=list)
    """Those that go on or are not answered, oldest first."""
    heard: int = 0
    """Utterances so far."""
    pressed_s: float | None = None
    """Since when the button is held; None: it is not."""
    cut_speech: Speech | None = None
    """What was cut last, and may go on."""
    continued: int = 0
    """How often in a row something went on by itself."""
    drafts: int = 0
    """Replies begun before the endpoint in this turn."""
    may_draft: bool = True
    """Whether replies are begun before the endpoint at all."""
    sentences: deque[str] = field(default_factory=lambda: deque(maxlen=_MOST_SENTENCES))
    """Wait to be said, by command."""
    lost: deque[int] = field(default_factory=lambda: deque(maxlen=_MOST_LOST))
    """Utterances whose transcript never came."""
    echo_s: float | None = None
    """When the agent's own voice was last heard through the microphone; None: never."""
    other_sound: str = ""
    """Name of what is audible besides replies: "one moment, please"."""
    tells_too_long: bool = False
    """After the reply the person is told to be brief."""
    has_told_noise: bool = False
    """The person was told that nothing could be understood; once is enough."""
    has_prompted: bool = False
    """The friendly prompt was said; once is enough."""
    is_muted: bool = False
    """Nobody is heard."""
    quiet_s: float | None = None
    """Since when nothing happens at all; None before the talk begins."""
    lively_s: float | None = None
    """When somebody was last understood or answered; None before the talk begins."""
    has_ended: bool = False
    """The talk is over."""

    @property
    def state(self) -> State:
        """Whose turn it is."""
        if self.voice.is_audible:
            return "paused" if self.voice.is_paused else "speaking"

        if self.is_speech_on:
            return "hearing"

        return "thinking" if self.open_utterances or self.voice.speech else "listening"

    @property
    def is_speech_on(self) -> bool:
        """The person has not finished."""
        return self.pressed_s is not None or any(not one.is_over for one in self.utterances)

    @property
    def open_utterances(self) -> list[Utterance]:
        """Those that may need an answer."""
        return [one for one in self.utterances if not one.is_spent]

    @property
    def sounding(self) -> Utterance | None:
        """The one that the ears are in."""
        return next((one for one in reversed(self.utterances) if not one.is_over), None)

    def hears_itself(self, at_s: float) -> bool:
        """The agent's own voice comes back, uncancelled: sound alone proves no person."""
        return self.echo_s is not None and at_s < self.echo_s + self.rules.echo_s

    def find(self, number: int) -> Utterance | None:
        """The utterance with this number, if it may need an answer."""
        return next((one for one in self.open_utterances if one.number == number), None)

    def telling_words(self, heard: Utterance) -> int:
        """How many words of an utterance are more than what people say while they listen.

        Of a voice over the agent's, too short to interrupt, only likely words are believed: a
        transcriber makes "Mom" of "mm-hmm", and "Come on" of "cool".
        """
        phrases, longest_s = self.rules.phrases, self.rules.barge_in_s + OVERHANG_S
        is_short = heard.is_over_voice and heard.read_voice_s < longest_s
        is_believed = not is_short or phrases.is_likely(heard.text)
        return phrases.telling_words(heard.text) if is_believed else 0

    def tidy(self) -> None:
        """Drop what is over and done: a talk of hours holds no more than one turn."""
        self.utterances = [one for one in self.utterances if not (one.is_spent and one.is_over)]

        if not self.open_utterances:
            self.drafts = 0

    def understood(self, at_s: float) -> None:
        """There were words."""
        self.lively_s = at_s
        self.has_prompted = self.has_told_noise = False

    def report(self, message: str, *, is_fault: bool = False) -> list[Action]:
        """For the log."""
        return [Report(self.state, message, is_fault)]
