"""What a person sees of a talk, made of its events. Pure: it draws nothing.

Rule 1. What is over becomes lines, in the order in which it happened; what goes on is the view.
Rule 2. A question is told once the agent answers it, so that words of one turn stand in one line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from atonce.agent.events import (
    DraftMade,
    ErrorRaised,
    FirstAudio,
    LevelMeasured,
    NothingToSay,
    PlanMade,
    ReplyChecked,
    ReplyEnded,
    ReplySettled,
    ReplyStarted,
    ReplyWithdrawn,
    SentenceSaid,
    SessionEvent,
    SpeechDetected,
    SpeechPaused,
    SpeechStopped,
    State,
    StateChanged,
    TalkEnded,
    WordsHeard,
)
from atonce.agent.reply_rules import Reply
from atonce.agent.turn_bars import Bar, TurnBars
from atonce.llm.protocols import Draft

SILENT_DB = -90.0
"""What a meter shows before anything was heard."""
ENDINGS = {
    "goodbye": "you said goodbye",
    "silence": "nobody has spoken for a long time",
    "error": "an error, see above",
}
"""Why it is over, where the person might wonder."""


@dataclass(frozen=True, slots=True)
class Line:
    """Something that is over."""

    kind: Literal["you", "agent", "note"]
    """Who said it; a note is the program's."""
    text: str
    """What."""
    detail: str = ""
    """How it came about, in a few words."""


@dataclass(slots=True)
class TalkView:
    """The talk at this moment."""

    state: State = "listening"
    """Whose turn it is."""
    level_db: float = SILENT_DB
    """Loudness at the microphone (RMS, dBFS)."""
    floor_db: float = SILENT_DB
    """Loudness of the stillest moment lately."""
    words: str = ""
    """What is being said."""
    settled: int = 0
    """How many of its words will not change any more."""
    draft: Draft | None = None
    """The reply that is being written."""
    repair: int = 0
    """How often it was masked again."""
    reply: str = ""
    """The reply that is settled and not over yet."""
    check: str = ""
    """What the check had against the draft."""
    steps: int = 0
    """K of the last plan."""
    reason: str = ""
    """Why that K."""
    bars: tuple[Bar, ...] = ()
    """Where the time of the last turn went."""
    first_audio_ms: list[int] = field(default_factory=list)
    """Of every answer, from the last word to the first sound."""
    turns: int = 0
    """Answers of which something was heard."""
    _questions: dict[int, str] = field(default_factory=dict)
    _replies: dict[int, Reply] = field(default_factory=dict)
    _waited_ms: dict[int, int] = field(default_factory=dict)
    _spoken_end_s: float | None = None
    _untold: str = ""
    _is_sounding: bool = False
    _bars: TurnBars = field(default_factory=TurnBars)

    def receive(self, event: SessionEvent) -> list[Line]:
        """What happened next; what is over by it."""
        self.bars = self._bars.receive(event) or self.bars

        match event:
            case LevelMeasured():
                self.level_db, self.floor_db = event.level_db, event.floor_db
            case StateChanged():
                self.state = event.state
            case SpeechDetected() | SpeechPaused() | SpeechStopped() | WordsHeard():
                self._hear(event)
            case _:
                self._write(event)

        return self._over(event)

    def _over(self, event: SessionEvent) -> list[Line]:
        match event:
            case ErrorRaised():
                return [Line("note", event.message)]
            case TalkEnded():
                return self._all_over(event)
            case SentenceSaid():
                return self._question(self._untold)
            case FirstAudio():
                return self._audible(event)
            case ReplyEnded():
                return self._ended(event)
            case _:
                return []

    def _hear(self, event: SpeechDetected | SpeechPaused | SpeechStopped | WordsHeard) -> None:
        match event:
            case SpeechDetected():
                self.words, self.settled = "", 0
            case SpeechPaused() | SpeechStopped():
                self._spoken_end_s = event.speech_end_s
            case WordsHeard():
                self.words, self.settled = event.text, event.settled
                self._untold = event.text if event.is_final else self._untold

    def _write(self, event: SessionEvent) -> None:
        match event:
            case ReplyStarted():
                self._questions[event.reply] = event.question
                self.draft, self.reply, self.check, self.repair = None, "", "", 0
            case PlanMade():
                self.steps, self.reason = event.plan.steps, event.reason
            case DraftMade():
                self.draft, self.repair = event.draft, event.repair
            case ReplyChecked() if event.verdict.problems:
                self.check = event.verdict.problems[0].detail
            case ReplySettled():
                self.draft, self.reply = None, event.reply.text
                self._replies[event.number] = event.reply
            case ReplyWithdrawn():
                self._questions.pop(event.reply, None)
                self.draft, self.reply = None, ""
            case NothingToSay():
                self.check = "it holds nothing that can be spoken"
            case _:
                pass

    def _audible(self, event: FirstAudio) -> list[Line]:
        question = self._questions.get(event.reply)

        if question is None:  # a sentence of the agent's own
            return []

        if self._spoken_end_s is not None:
            waited_ms = round(1000 * (event.at_s - self._spoken_end_s))
            self._waited_ms[event.reply] = waited_ms
            self.first_audio_ms.append(waited_ms)

        self.turns += 1
        self._is_sounding = True
        return self._question(question)

    def _all_over(self, event: TalkEnded) -> list[Line]:
        cut = [Line("agent", f"{self.reply} …", "cut off")] if self._is_sounding else []
        ending = ENDINGS.get(event.reason)
        return [*cut, *([Line("note", f"the talk is over: {ending}")] if ending else [])]

    def _ended(self, event: ReplyEnded) -> list[Line]:
        self._is_sounding = False
        self.reply, self.draft, self.check = "", None, ""
        question = self._questions.pop(event.reply, None)
        reply = self._replies.pop(event.reply, None)
        details = [
            *([reply.source, f"K {reply.steps}"] if reply and question is not None else []),
            *([f"repaired {reply.repaired}×"] if reply and reply.repaired else []),
            *self._wait(event.reply),
            *(["interrupted"] if event.is_cut else []),
        ]
        text = f"{event.heard} …" if event.is_cut else event.heard
        return [Line("agent", text.strip(), ", ".join(details))]

    def _wait(self, reply: int) -> list[str]:
        waited_ms = self._waited_ms.pop(reply, None)
        return [] if waited_ms is None else [f"first sound after {waited_ms} ms"]

    def _question(self, text: str) -> list[Line]:
        """What the person said, unless there is nothing new."""
        self.words, self.settled, self._untold = "", 0, ""
        return [Line("you", text)] if text else []
