"""A spoken reply cut into chunks, each given to the synthesizer at once. Pure.

Rule 1. A chunk ends where a sentence ends; where that is too far, at a clause; where there is none,
        between two words. Never inside a word or a value (a number, a time, an address).
Rule 2. The first chunk is short, so that the first sound is early; each may be longer than the one
        before, as far as the sound so far covers the making of the next.
Rule 3. Together the chunks are the whole reply, written and spoken; each has something to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile

from atonce.speech.spoken import Spoken, SpokenWord

FIRST_CHARACTERS = 60
"""The most in the first chunk: about four seconds of speech."""
MOST_CHARACTERS = 200
"""The most in a chunk: a longer one is not heard as one sentence."""
GROWTH = 3
"""A chunk has at most so many times the characters of all before it: on a busy machine Piper makes
sound five times as fast as it is heard, so the next chunk is there in time."""
SHORTEST_CLAUSE_WORDS = 3
"""A clause of fewer words sounds torn off."""
_SENTENCE_ENDS = (".", "!", "?")
_CLAUSE_ENDS = (",", ";", ":")
_CLOSING = "'’”\""
# Before these words a speaker can draw breath.
_OPENERS = {
    *("and", "but", "or", "so", "because", "which", "who", "that", "when", "where", "while", "if"),
    *("although", "though", "until", "since", "for", "from", "with", "without", "in", "on", "at"),
    *("to", "by", "into", "between"),
}
# After these nobody pauses.
_LEADING = {"the", "a", "an", "of", "my", "your", "our", "their", "its", "is", "are", "was", "very"}


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a reply, with its place in it."""

    words: tuple[SpokenWord, ...]
    """Its spoken words; their places are those in the whole written reply."""
    first_word: int
    """How many spoken words of the reply come before it."""
    start: int
    """First of the reply's written characters that belong to it."""
    end: int
    """One past the last of them; the next chunk starts here."""
    ends_sentence: bool
    """Whether a sentence ends with it, so that the voice may rest a little."""

    @property
    def text(self) -> str:
        """What is given to the synthesizer."""
        return " ".join(word.text for word in self.words)


def chunks(spoken: Spoken) -> Iterator[Chunk]:
    """The chunks of a reply, in order; none when it holds nothing to say."""
    words = spoken.words
    first = said = start = 0

    while first < len(words):
        stop = first + _length(words[first:], limit=_limit(said))
        end = len(spoken.written) if stop == len(words) else words[stop].start
        piece = words[first:stop]
        is_end = stop == len(words) or _ends(piece[-1], _SENTENCE_ENDS)
        yield Chunk(piece, first, start, end, is_end)
        said += _characters(piece)
        first, start = stop, end


def _limit(said: int) -> int:
    """The most characters of the next chunk, when so many were said before it."""
    return min(MOST_CHARACTERS, max(FIRST_CHARACTERS, GROWTH * said))


def _length(words: Sequence[SpokenWord], *, limit: int) -> int:
    """How many of the words make the next chunk."""
    sentence = next(
        (stop for stop, word in enumerate(words, 1) if _ends(word, _SENTENCE_ENDS)), len(words)
    )

    if _fits(words[:sentence], limit=limit):
        return sentence

    reach = _reach(words, limit=limit)
    fitting = list(_cuts(words, 1, min(reach + 1, sentence)))

    if not fitting:
        return next(_cuts(words, reach + 1, sentence), sentence)

    for is_good in (_is_clause, _is_breath, _is_rest):
        good = [cut for cut in fitting if is_good(words, cut, sentence)]

        if good:
            return good[-1]

    return fitting[-1]


def _cuts(words: Sequence[SpokenWord], first: int, end: int) -> Iterator[int]:
    """The cuts in a range that tear no value."""
    return (cut for cut in range(first, end) if _is_between(words[cut - 1], words[cut]))


def _reach(words: Sequence[SpokenWord], *, limit: int) -> int:
    """How many words have at most so many characters together."""
    lengths = accumulate(len(word.text) + 1 for word in words)
    return sum(1 for _ in takewhile(lambda length: length - 1 <= limit, lengths))


def _fits(sentence: Sequence[SpokenWord], *, limit: int) -> bool:
    """Whether a sentence stays whole; numbers in words may make it a third longer than written."""
    written = sentence[-1].end - sentence[0].start
    return _characters(sentence) <= (limit if written > limit else limit * 4 // 3)


def _is_clause(words: Sequence[SpokenWord], cut: int, sentence: int) -> bool:
    return _ends(words[cut - 1], _CLAUSE_ENDS) and _are_long(cut, sentence)


def _is_breath(words: Sequence[SpokenWord], cut: int, sentence: int) -> bool:
    return words[cut].text.lower() in _OPENERS and _are_long(cut, sentence)


def _is_rest(words: Sequence[SpokenWord], cut: int, sentence: int) -> bool:
    last = words[cut - 1].text.lower()
    return last not in _OPENERS and last not in _LEADING and _are_long(cut, sentence)


def _are_long(cut: int, sentence: int) -> bool:
    return min(cut, sentence - cut) >= SHORTEST_CLAUSE_WORDS


def _is_between(one: SpokenWord, other: SpokenWord) -> bool:
    """No value is torn: the two words stand for different characters, and neither leads on."""
    return one.end <= other.start and not one.is_tied


def _ends(word: SpokenWord, marks: tuple[str, ...]) -> bool:
    return word.text.rstrip(_CLOSING).endswith(marks)


def _characters(words: Sequence[SpokenWord]) -> int:
    return len(" ".join(word.text for word in words))
