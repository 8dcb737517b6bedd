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
    State,
    StateChanged,
    TalkEnded,
    WordsHeard,
)
from atonce.agent.talk_turns import TalkTurn, TalkTurns
from atonce.agent.turn_bars import Bar, of_turn
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
    _turns: TalkTurns = field(default_factory=TalkTurns)
    _untold: str = ""

    def receive(self, event: SessionEvent) -> list[Line]:
        """What happened next; what is over by it."""
        turn = self._turns.take(event)

        match event:
            case LevelMeasured():
                self.level_db, self.floor_db = event.level_db, event.floor_db
            case StateChanged():
                self.state = event.state
            case SpeechDetected() | WordsHeard():
                self._hear(event)
            case _:
                self._write(event)

        return self._over(event, turn)

    def _over(self, event: SessionEvent, turn: TalkTurn | None) -> list[Line]:
        match event:
            case ErrorRaised():
                return [Line("note", event.message)]
            case TalkEnded():
                ending = ENDINGS.get(event.reason)
                return [Line("note", f"the talk is over: {ending}")] if ending else []
            case SentenceSaid():
                return self._question(self._untold)
            case FirstAudio() if turn is not None:  # else: a sentence of the agent's own
                return self._audible(turn)
            case ReplyEnded():
                return self._ended(event, turn)
            case _:
                return []

    def _hear(self, event: SpeechDetected | WordsHeard) -> None:
        match event:
            case SpeechDetected():
                self.words, self.settled = "", 0
            case WordsHeard():
                self.words, self.settled = event.text, event.settled
                self._untold = event.text if event.is_final else self._untold

    def _write(self, event: SessionEvent) -> None:
        match event:
            case ReplyStarted():
                self.draft, self.reply, self.check, self.repair = None, "", "", 0
            case PlanMade():
                self.steps, self.reason = event.plan.steps, event.reason
            case DraftMade():
                self.draft, self.repair = event.draft, event.repair
            case ReplyChecked() if event.verdict.problems:
                self.check = event.verdict.problems[0].detail
            case ReplySettled():
                self.draft, self.reply = None, event.reply.text
            case ReplyWithdrawn():
                self.draft, self.reply = None, ""
            case NothingToSay():
                self.check = "it holds nothing that can be spoken"
            case _:
                pass

    def _audible(self, turn: TalkTurn) -> list[Line]:
        self.bars = of_turn(turn)
        self.turns += 1

        if turn.first_audio_ms is not None:
            self.first_audio_ms.append(turn.first_audio_ms)

        return self._question(self._untold if turn.continues else turn.question)

    def _ended(self, event: ReplyEnded, turn: TalkTurn | None) -> list[Line]:
        self.reply, self.draft, self.check = "", None, ""
        details = [
            *(_made(turn) if turn is not None else []),
            *(["interrupted"] if event.is_cut else []),
        ]
        text = f"{event.heard} …" if event.is_cut else event.heard
        return [Line("agent", text.strip(), ", ".join(details))]

    def _question(self, text: str) -> list[Line]:
        """What the person said, unless there is nothing new."""
        self.words, self.settled, self._untold = "", 0, ""
        return [Line("you", text)] if text else []


def _made(turn: TalkTurn) -> list[str]:
    """How a reply came about, and how long it took."""
    reply, waited_ms = turn.reply, turn.first_audio_ms
    return [
        *([reply.source, f"K {reply.steps}"] if reply else []),
        *([f"repaired {reply.repaired}×"] if reply and reply.repaired else []),
        *([] if waited_ms is None else [f"first sound after {waited_ms} ms"]),
    ]
