"""The utterances of a turn: what was said and is not answered yet. Pure.

Rule 1. An utterance's words are known once it was read to the end of its last voice; a transcript
        of an earlier pause, or of speech that goes on, is only a guess.
Rule 2. What was guessed is used where no better transcript ever comes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from atonce.agent.phrases import Phrases
from atonce.agent.turn_events import TranscriptHeard
from atonce.speech.turn_end import completeness

_SAME_PAUSE_S = 0.05
"""Two ends of a voice are one where they differ by less: a pause lasts longer."""


@dataclass(slots=True, eq=False)
class Utterance:
    """One, as far as the ears have told of it. Times are in seconds on the session's clock."""

    number: int
    """Its number; 0 where it came in writing."""
    started_s: float
    """When it was noticed."""
    from_s: float
    """Where its voice begins."""
    onset_s: float
    """Where the voice begins that is being judged: a burst of speech, with its short gaps."""
    voice_s: float | None
    """Since when the voice sounds; None in a pause, and after the end."""
    end_s: float
    """The end of the last voice."""
    spoken_s: float = 0.0
    """Voice since the onset, up to the last pause."""
    ended_s: float | None = None
    """The endpoint."""
    text: str = ""
    """Its words, known or guessed."""
    read_s: float = -math.inf
    """The end of the last voice in which they were read."""
    language: str = ""
    """Which one, where the transcriber tells."""
    is_known: bool = False
    """Rule 1."""
    is_spent: bool = False
    """It needs no answer: it had one, or it was nothing."""
    is_over_voice: bool = False
    """It began while the agent spoke."""
    is_faded: bool = False
    """Its voice has just become soft: it may have ended."""
    is_undecided: bool = False
    """It sounds over the agent's voice, and may be an interruption."""
    has_cut: bool = False
    """It has cut the agent's voice."""
    is_due: bool = False
    """It is answered whatever is heard meanwhile: it was too long, or came in writing."""
    is_quiet: bool = False
    """The ears found it too quiet."""
    is_cut_off: bool = False
    """It was too long: the ears cut it off."""

    @property
    def is_over(self) -> bool:
        """The endpoint has passed."""
        return self.ended_s is not None

    def voiced_s(self, at_s: float) -> float:
        """Seconds of voice since the onset."""
        sounding = 0.0 if self.voice_s is None else max(0.0, at_s - self.voice_s)
        return self.spoken_s + sounding

    @property
    def read_voice_s(self) -> float:
        """Seconds of it in which its words were read, pauses included."""
        return max(0.0, self.read_s - self.from_s)

    def pause(self, speech_end_s: float) -> None:
        """The voice has paused."""
        self.spoken_s = self.voiced_s(speech_end_s)
        self.voice_s, self.end_s = None, max(self.end_s, speech_end_s)

    def resume(self, at_s: float) -> None:
        """The voice goes on."""
        self.voice_s, self.is_known, self.is_faded = at_s, False, False

    def end(self, at_s: float, speech_end_s: float) -> None:
        """The endpoint; a transcript of all of it may still be on its way."""
        if self.voice_s is not None:
            self.pause(speech_end_s)

        self.ended_s = at_s

    def hear(self, heard: TranscriptHeard) -> None:
        """A transcript is there."""
        is_whole = heard.is_final and self.voice_s is None
        is_last = is_whole and heard.speech_end_s >= self.end_s - _SAME_PAUSE_S
        text = heard.text.strip()

        if is_last or (text and not self.is_known):
            self.text, self.language = text, heard.language or self.language
            self.read_s = heard.speech_end_s

        self.is_known = self.is_known or is_last


def written(at_s: float, text: str) -> Utterance:
    """A question that came in writing."""
    known = Utterance(0, at_s, at_s, at_s, None, at_s, ended_s=at_s, text=text, is_known=True)
    return replace(known, is_due=True)


def scope(utterances: Sequence[Utterance]) -> list[Utterance]:
    """What is to be answered together now: all, or what cannot wait for the rest."""
    open_ones = [utterance for utterance in utterances if not utterance.is_spent]
    due = [at for at, utterance in enumerate(open_ones) if utterance.is_due and utterance.is_known]

    if not due:
        return open_ones

    return [utterance for utterance in open_ones[: due[-1] + 1] if utterance.is_known]


def question(utterances: Sequence[Utterance], phrases: Phrases) -> str:
    """The words of a turn, joined. A backchannel behind a whole question is none of it."""
    words = ""

    for utterance in utterances:
        is_nothing = words and phrases.is_backchannel(utterance.text)

        if not is_nothing or completeness(words) == "incomplete":
            words = f"{words} {utterance.text}".strip()

    return words
