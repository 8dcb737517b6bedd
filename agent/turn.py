"""Whose turn it is: one table, and the page of prose before it. Pure.

The five states follow from what is known; nothing sets them:

    listening   nobody speaks, nothing is due
    hearing     the person speaks (or holds the button); nothing of a reply was audible yet
    thinking    the person has finished; the transcript, the reply or its first sound is awaited
    speaking    a reply is audible
    paused      it is ducked, because somebody speaks; what that is will be known in a moment

**A turn** is all that a person says until something of an answer is audible: one utterance, or
several. As soon as the words of a pause are there a reply is begun, before the endpoint; it waits
in the playback and is released once every utterance is over and its words are known. When speech
goes on meanwhile the reply waits: where the new words are none (a noise, "mhm") it is released
after all; where they are words it is withdrawn without a sound, all words are joined, and one reply
is written to them. So it does not matter how often a voice flickers, how late a transcript comes,
or how many come: each is compared with the words that the reply in hand answers, and the same words
change nothing. The same question is never written, or computed, twice.

**Interruptions** are judged in two stages. At the onset of speech the voice falls silent and keeps
its place. Then whatever comes first decides: enough speech, two words that are more than a
backchannel, or a stop word cut the reply; a transcript without such words, or the end of the time,
lets it go on from the same place. Speech that has ended by then is judged by its words, if they
come soon: "where is it" and "mm-hmm" last equally long, and "all right" over half a second. A voice
that has just faded when the time is up is given 0.2 s more to be known to have ended (the agent's
is silent all the while); where it is back it cuts. A single word that decides nothing is answered
after the reply, but of a voice too short to interrupt only likely words are believed (phrases.py):
"mm-hmm" comes out of a transcriber as "Mom". What has cut a reply and turns out to hold no words,
or only "okay", was none: the reply goes on by itself, once. A stop word that stands alone gets no
answer but silence. A reply that was audible for a blink was not heard, and its question is joined
with what cut it.

**What cannot wait** is answered whatever sounds meanwhile: an emergency, a question in writing, and
an utterance that was so long that the ears cut it off. Only words stop what is said to an
emergency, or to a noise that does not end.

**Every state has an end.** Each thing that is awaited has a time limit, `due_s` is the next one,
and past it the turn goes on without: a transcript that never came is replaced by the last guess, a
reply by an apology, a voice that never ends is cut. Each is reported as a fault. Whatever repeats
by itself (pausing, going on, prompting after silence) is counted, so that nothing oscillates.

The files beside this one: turn_events (what comes in and goes out), turn_rules (what is a matter of
choice), turn_situation (what is known), turn_words (the person's side), turn_voice (the agent's),
turn_hearing, turn_playing, turn_commands (the entries of the table), and what they share:
turn_answers, turn_interruptions, turn_limits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from atonce.agent.events import PlaybackBegan, PlaybackEnded, State
from atonce.agent.turn_commands import ask, clear, greet, let_go, mute, press, queue, start, stop
from atonce.agent.turn_events import (
    Action,
    ButtonPressed,
    ButtonReleased,
    ClearAsked,
    MuteAsked,
    QuestionAsked,
    ReplyFailed,
    ReplyReady,
    SentenceAsked,
    StopAsked,
    TalkStarted,
    TimePassed,
    TranscriptHeard,
    TurnEvent,
)
from atonce.agent.turn_hearing import (
    burst,
    close,
    duck,
    fade,
    fade_early,
    hold,
    note_faint,
    pause,
    read,
    read_late,
    resume,
)
from atonce.agent.turn_limits import due_s, pass_on
from atonce.agent.turn_playing import begin, fail, finish, other_ended, ready
from atonce.agent.turn_rules import TurnRules
from atonce.agent.turn_situation import Situation
from atonce.speech.endpoint import (
    LoudnessChanged,
    SpeechEnded,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TooQuiet,
)

STATES: tuple[State, ...] = ("listening", "hearing", "thinking", "speaking", "paused")
"""The columns of the table."""


class Turn:
    """Follows one talk; `receive` is told what happened and says what is to be done."""

    def __init__(self, rules: TurnRules) -> None:
        self._now = Situation(rules)

    @property
    def state(self) -> State:
        """Whose turn it is now."""
        return self._now.state

    @property
    def is_paused(self) -> bool:
        """It has paused the agent's voice, and will let it go on."""
        return self._now.voice.is_paused

    @property
    def due_s(self) -> float | None:
        """When the next time limit is, on the session's clock: TimePassed is wanted then. It may
        change with every event."""
        return due_s(self._now)

    @property
    def may_draft(self) -> bool:
        """Whether replies are begun before the endpoint; the watchdog says no on a slow machine."""
        return self._now.may_draft

    @may_draft.setter
    def may_draft(self, may_draft: bool) -> None:
        self._now.may_draft = may_draft

    def receive(self, event: TurnEvent) -> list[Action]:
        """What is to be done about it, in this order; nothing once the talk has ended."""
        now, before = self._now, self._now.state

        if now.has_ended:
            return []

        actions = _TABLE[type(event)][STATES.index(before)](now, event)
        now.tidy()

        if now.state == "listening" and not now.has_ended:
            if before != "listening":
                now.quiet_s = event.at_s

            actions += _rest(now, event.at_s)

        return actions


def _nothing(now: Situation, event: TurnEvent) -> list[Action]:
    """It means nothing in this state."""
    del now, event
    return []


Handler = Callable[[Situation, Any], list[Action]]
"""What one event means in one state; the next state follows from what it leaves."""

_TABLE: dict[type[TurnEvent], tuple[Handler, Handler, Handler, Handler, Handler]] = {
    # event           listening    hearing      thinking     speaking    paused
    SpeechStarted:   (hold,        hold,        hold,        duck,       duck),
    SpeechPaused:    (_nothing,    pause,       _nothing,    pause,      pause),
    SpeechResumed:   (_nothing,    resume,      _nothing,    burst,      burst),
    SpeechEnded:     (_nothing,    close,       _nothing,    close,      close),
    LoudnessChanged: (_nothing,    fade_early,  _nothing,    fade,       fade),
    TooQuiet:        (_nothing,    note_faint,  _nothing,    note_faint, note_faint),
    TranscriptHeard: (read_late,   read_late,   read_late,   read,       read),
    ReplyReady:      (_nothing,    ready,       ready,       _nothing,   _nothing),
    ReplyFailed:     (_nothing,    fail,        fail,        fail,       fail),
    PlaybackBegan:   (begin,       begin,       begin,       _nothing,   _nothing),
    PlaybackEnded:   (other_ended, other_ended, other_ended, finish,     finish),
    TimePassed:      (pass_on,     pass_on,     pass_on,     pass_on,    pass_on),
    TalkStarted:     (greet,       start,       start,       start,      start),
    QuestionAsked:   (ask,         ask,         ask,         ask,        ask),
    SentenceAsked:   (queue,       queue,       queue,       queue,      queue),
    StopAsked:       (stop,        stop,        stop,        stop,       stop),
    ClearAsked:      (clear,       clear,       clear,       clear,      clear),
    MuteAsked:       (mute,        mute,        mute,        mute,       mute),
    ButtonPressed:   (press,       press,       press,       press,      press),
    ButtonReleased:  (let_go,      let_go,      let_go,      let_go,     let_go),
}  # fmt: skip


def _rest(now: Situation, at_s: float) -> list[Action]:
    """Nobody's turn: nothing stays paused, and what waits to be said is said."""
    actions = now.voice.resume()

    if now.sentences:
        actions += now.voice.say(at_s, "asked", now.sentences.popleft())

    return actions
