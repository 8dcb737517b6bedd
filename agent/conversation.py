"""What was asked and what was really heard of the replies, for the next prompt. Pure.

Rule 1. A reply enters the history when its end was heard, or when it was cut: never before, and
        never more of it than was heard, to the word. A value heard in part counts as not heard.
Rule 2. What was cut ends in an ellipsis.
Rule 3. A reply of which nothing was audible leaves nothing: its words come back with the next
        question (turn.py joins them).
Rule 4. A reply that goes on where another was cut makes one exchange with it.
Rule 5. Only as much is kept as a prompt may hold; the oldest goes first. Facts are not kept here:
        no talk is so long that it drives them out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from atonce.agent.events import Heard
from atonce.llm.protocols import Exchange
from atonce.speech.spoken import speak, written_until

CUT = "…"
"""Ends what was heard of a reply that was cut."""
_LOOK_AHEAD = 3
"""So many spoken words an engine may leave out in a row without the place being lost."""
_MOST_OPEN = 8
"""Replies that were settled and not yet heard; there are two at most, unless somebody forgets to
say that one was withdrawn."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """A reply that was cut: what "go on" continues."""

    question: str
    """What it answers."""
    text: str
    """All of it, as written."""
    heard_characters: int
    """How many of its first characters were heard: they are pinned, the rest is written anew."""


@dataclass(frozen=True, slots=True)
class _Open:
    """A reply that is settled and not over."""

    question: str
    text: str
    kept: int
    """How many of its first characters were heard before: it continues another reply."""


class Conversation:
    """One talk's memory."""

    def __init__(self, *, most_turns: int, most_words: int, unheard_s: float = 0.2) -> None:
        """The newest exchanges are kept, so many, with so many words together.

        unheard_s: a reply that sounded for less, without one word, was not heard at all.
        """
        self._most_words = most_words
        self._unheard_s = unheard_s
        self._exchanges: deque[Exchange] = deque(maxlen=most_turns)
        self._open: dict[int, _Open] = {}
        self._continuation: Continuation | None = None

    def settled(self, reply: int, question: str, text: str, *, heard_characters: int = 0) -> None:
        """A reply stands, as written. heard_characters: for one that continues another, how much
        of this text was heard then; the rest is what will be spoken."""
        self._open[reply] = _Open(question, text, heard_characters)

        while len(self._open) > _MOST_OPEN:
            del self._open[next(iter(self._open))]

    def withdrawn(self, reply: int) -> None:
        """Nothing of it was audible."""
        self._open.pop(reply, None)

    def ended(self, reply: int) -> str:
        """It was heard to its end; what that was, as written."""
        done = self._open.pop(reply, None)

        if done is None:
            return ""

        self._keep(Exchange(done.question, done.text), done)
        self._continuation = None
        return done.text[done.kept :].strip()

    def cut(self, reply: int, heard: Heard) -> str:
        """It was cut; what was heard of it, as written.

        heard: seconds and words of what was spoken, that is, behind the part heard before.
        """
        done = self._open.pop(reply, None)

        if done is None:
            return ""

        now = heard_text(done.text[done.kept :], heard.text)
        whole = done.text[: done.kept] + now
        self._continuation = Continuation(done.question, done.text, len(whole))

        if now or done.kept or heard.seconds >= self._unheard_s:
            is_all = whole.strip() == done.text.strip()
            self._keep(Exchange(done.question, whole.strip() if is_all else marked(whole)), done)

        return now.strip()

    def continuation(self) -> Continuation | None:
        """What "go on" continues: the reply that was cut last, if nothing came after it."""
        return self._continuation

    def history(self) -> tuple[Exchange, ...]:
        """What the next prompt may hold of the talk, oldest first."""
        chosen: list[Exchange] = []
        left = self._most_words

        for exchange in reversed(self._exchanges):
            size = _size(exchange)

            if size > left:
                if not chosen and left > 0:
                    chosen.append(_shortened(exchange, left))

                break

            chosen.append(exchange)
            left -= size

        return tuple(reversed(chosen))

    def clear(self) -> None:
        """Another person, another talk."""
        self._exchanges.clear()
        self._open.clear()
        self._continuation = None

    def _keep(self, exchange: Exchange, done: _Open) -> None:
        is_same = self._exchanges and self._exchanges[-1].question == exchange.question

        if done.kept and is_same:  # rule 4
            self._exchanges.pop()

        self._exchanges.append(exchange)


def heard_text(written: str, heard: str) -> str:
    """What of a written text was heard, when these of its spoken words were.

    heard: spoken words with blanks between, from the first on; an engine may leave some out.
    """
    spoken = speak(written)
    count = _reached([word.text for word in spoken.words], heard.split())
    return written_until(spoken, count)


def marked(text: str) -> str:
    """The text as what was heard of something longer."""
    bare = text.rstrip(" ,;:-–—")
    return f"{bare} {CUT}" if bare.endswith((".", "!", "?")) else bare + CUT


def _reached(words: Sequence[str], heard: Sequence[str]) -> int:
    """How many of the words were said when these were heard."""
    at = 0

    for word in heard:
        near = words[at : at + _LOOK_AHEAD + 1]
        at += near.index(word) + 1 if word in near else 0

    return at


def _size(exchange: Exchange) -> int:
    return len(exchange.question.split()) + len(exchange.reply.split())


def _shortened(exchange: Exchange, words: int) -> Exchange:
    """The last words of both; the reply has the first claim on the room, up to one half."""
    question, reply = exchange.question.split(), exchange.reply.split()
    of_reply = min(len(reply), max(words // 2, words - len(question)))
    of_question = min(len(question), words - of_reply)
    return Exchange(
        " ".join(question[len(question) - of_question :]),
        " ".join(reply[len(reply) - of_reply :]),
    )
