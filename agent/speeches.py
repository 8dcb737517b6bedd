"""Everything that is said in a talk, from the first step of its writing to its last sound.

Rule 1. What was heard enters the conversation the moment it is over or cut, before anything else
        is asked of the writer.
Rule 2. Once it is over, role, facts and the talk so far are read, so that of the next prompt only
        the question is left.
"""

from __future__ import annotations

from collections.abc import Callable

from atonce.agent.boundary import Boundary, Work
from atonce.agent.conversation import Conversation
from atonce.agent.events import (
    FirstAudio,
    Heard,
    PlaybackBegan,
    PlaybackEnded,
    PlaybackPaused,
    PlaybackResumed,
    ReplyEnded,
    ReplyWithdrawn,
    SentenceSaid,
    SessionEvent,
)
from atonce.agent.playback import News, Playback
from atonce.agent.replier import Replier, Speech, one_moment_tag
from atonce.agent.turn_events import (
    Pause,
    Release,
    ReplyFailed,
    Resume,
    Say,
    StopSpeaking,
    TurnEvent,
    Withdraw,
    Write,
)
from atonce.speech.spoken import speakable

_ECHO_S = 1.5
"""So long after its last sample the agent's own voice may come back: wireless loudspeakers are over
a second late."""
_SAID = 2
"""Texts in which an echo is looked for: the one that sounds, and the one before."""

Spoken = Write | Say | Withdraw | Release | Pause | Resume | StopSpeaking
"""What the turn wants done about it."""


class Speeches:
    """What is written, waits, or sounds."""

    def __init__(
        self,
        replier: Replier,
        playback: Playback,
        conversation: Conversation,
        boundary: Boundary,
        *,
        clock: Callable[[], float],
        tell: Callable[[TurnEvent], None],
        publish: Callable[[SessionEvent], None],
        one_moment: str = "",
    ) -> None:
        """one_moment: said where a reply will be late; empty: nothing is."""
        self._one_moment = one_moment
        replier.acknowledge = self._acknowledge
        self._replier, self._playback, self._conversation = replier, playback, conversation
        self._boundary, self._clock, self._tell, self._publish = boundary, clock, tell, publish
        self.spoken_end_s = clock()
        """When the person's last word ended."""
        self._speeches: dict[str, Speech] = {}
        self._said: list[tuple[str, float | None]] = []  # texts, and until when each was audible
        self._news: list[News] = []

    def do(self, action: Spoken) -> None:
        """What the turn wants."""
        match action:
            case Write():
                speech = Speech(action.reply, action.question, is_early=action.is_early)
                self._start(
                    speech,
                    self._replier.reply(
                        speech, spoken_end_s=self.spoken_end_s, continues=action.continues
                    ),
                )
            case Say():
                speech = Speech(action.reply, action.question, action.kind)
                self._start(speech, self._replier.sentence(speech, action.text))
            case Withdraw():
                self._withdraw(action.reply)
            case Release():
                self._release(action.reply)
            case StopSpeaking():
                self._cut(action.reply)
            case Pause():
                self._playback.pause()
                self._publish(PlaybackPaused(self._clock()))
            case Resume():
                self._playback.resume()
                self._publish(PlaybackResumed(self._clock()))

    def hurry(self) -> None:
        """The person has finished: what was a draft is waited for now."""
        for speech in self._speeches.values():
            speech.hurry()

    def follow(self) -> None:
        """Tell what became audible, or ceased to be, by now."""
        self._news += self._playback.news()

        while self._news and self._news[0].at_s <= self._clock():
            news = self._news.pop(0)

            if isinstance(news, PlaybackBegan):
                self._begun(news)
            else:
                self._ended(news)

            self._tell(news)

    def said_at(self, at_s: float) -> str:
        """What the agent was saying then, or a moment before; empty: nothing."""
        near = [text for text, until in self._said if until is None or at_s <= until + _ECHO_S]
        return " ".join(near)

    def silence(self) -> None:
        """The talk is over; what sounds ends here, and was heard so far."""
        for speech in [*self._speeches.values()]:
            if speech.has_begun and speech.kind != "one_moment":
                self._cut(speech.number)

        self._playback.withdraw()
        self._playback.stop(self._clock())

    # ---- inside ----

    def _acknowledge(self, late: Speech) -> None:
        """Say at once that a reply will be late. It is no answer, and not remembered."""
        if self._one_moment:
            speech = Speech(late.number, "", "one_moment", is_released=True)
            self._speeches[speech.tag] = speech
            self._boundary.spawn(self._replier.sentence(speech, self._one_moment))

    def _start(self, speech: Speech, work: Work) -> None:
        self._speeches[speech.tag] = speech
        self._boundary.spawn(work, number=speech.number, failed=lambda: self._fail(speech))

    def _fail(self, speech: Speech) -> None:
        """Nothing more of it will be heard than what is in the playback."""
        if not speech.is_waiting:
            self._speeches.pop(speech.tag, None)
            self._conversation.withdrawn(speech.number)

        self._tell(ReplyFailed(self._clock(), speech.number))

    def _withdraw(self, number: int) -> None:
        self._boundary.cancel(number)
        self._playback.withdraw(str(number))
        self._conversation.withdrawn(number)
        self._speeches.pop(one_moment_tag(number), None)

        if self._speeches.pop(str(number), None) is not None:
            self._publish(ReplyWithdrawn(self._clock(), number))

    def _release(self, number: int) -> None:
        speech = self._speeches.get(str(number))

        if speech is not None:
            speech.is_released = True
            speech.hurry()
            self._playback.release(str(number))

    def _cut(self, number: int) -> None:
        heard = self._playback.stop(self._clock())
        self._boundary.cancel(number)
        self._speeches.pop(one_moment_tag(number), None)
        speech = self._speeches.pop(str(number), None)

        if speech is not None:
            if not speech.has_begun:
                heard = Heard(0.0, "")  # what sounded was "one moment, please"

            text = self._conversation.cut(number, heard)
            self._over(speech, self._clock(), text or heard.text, is_cut=True)

    def _begun(self, news: PlaybackBegan) -> None:
        speech = self._speeches.get(news.tag)

        if speech is None:
            return

        speech.has_begun = True
        self._said = [*self._said, (_sayable(speech.text), None)][-_SAID:]

        if speech.kind is None:
            self._publish(FirstAudio(news.at_s, speech.number))
        else:
            self._publish(SentenceSaid(news.at_s, speech.kind, speech.text))

    def _ended(self, news: PlaybackEnded) -> None:
        self._said = [(text, until or news.at_s) for text, until in self._said]
        speech = self._speeches.pop(news.tag, None)

        if speech is None or speech.kind == "one_moment":  # stopped, or no reply
            return

        if speech.is_whole:
            heard = self._conversation.ended(speech.number) or speech.text
        else:
            known = self._playback.heard(news.at_s)
            heard = self._conversation.cut(speech.number, known) or known.text

        self._over(speech, news.at_s, heard, is_cut=not speech.is_whole)

    def _over(self, speech: Speech, at_s: float, heard: str, *, is_cut: bool) -> None:
        self._publish(ReplyEnded(at_s, heard, is_cut, speech.number))

        if speech.question:
            self._boundary.spawn(self._replier.read_ahead())


def _sayable(text: str) -> str:
    """A text as it is written and as it is said: who hears it may write it down either way."""
    return f"{text} {speakable(text)}"
