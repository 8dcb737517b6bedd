"""Written text → what a good host says, and a map that joins the two. Pure.

Rule 1. The screen shows what is written, the voice says what is spoken: numbers in words, marks by
        their names or not at all.
Rule 2. Every spoken word knows the written characters it stands for; together they never go back.
Rule 3. In what is spoken, a full stop ends a sentence and nothing else.
Rule 4. Plain words stay as they are, and no text is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from atonce.speech.sentences import sentence_ends
from atonce.speech.spoken_codes import ADDRESSES, CODES, DOORS, PHONES, VERSIONS
from atonce.speech.spoken_markup import plain
from atonce.speech.spoken_names import LEFTOVERS, NAMES, SIGNS
from atonce.speech.spoken_rules import Piece, pieces
from atonce.speech.spoken_times import CLOCK, DATES, WEEKDAYS, YEARS
from atonce.speech.spoken_values import MEASURES, MONEY, PLAIN, RANGES, SUMS

RULES = (
    *LEFTOVERS,
    *ADDRESSES,
    *DATES,
    *PHONES,
    *VERSIONS,
    *SUMS,
    *DOORS,
    *MONEY,
    *CLOCK,
    *MEASURES,
    *YEARS,
    *CODES,
    *PLAIN,
    *WEEKDAYS,
    *RANGES,
    *NAMES,
    *SIGNS,
)
_PRIVATE = re.compile("[\ue000\ue001]")
_JUNIORS = ("Junior", "Senior")
_MARKS_BEFORE = re.compile(r"^[,;:.!?]+(?=\w)")
_DOUBLED = re.compile(r"\.(?=[,;:])|[,;:]+(?=[.,;:!?])|(?<=[!?])[.,;:]+")


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """One word that the voice says."""

    text: str
    """The word, punctuation behind it included."""
    start: int
    """First of the written characters it stands for."""
    end: int
    """One past the last of them."""
    is_tied: bool = False
    """Whether it goes on with the next word: a digit of a phone number, a title."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A text as it is said, and what each spoken word stands for."""

    written: str
    """The text as the screen shows it."""
    words: tuple[SpokenWord, ...]
    """What is said, word by word. Several words may stand for the same characters ($14.50)."""

    @property
    def text(self) -> str:
        """What is given to the synthesizer."""
        return " ".join(word.text for word in self.words)


def speak(written: str) -> Spoken:
    """The text as a good host says it."""
    shown = plain(_PRIVATE.sub(" ", written))
    ends = sentence_ends(shown.text, shown.ends)
    words: list[SpokenWord] = []

    for start, end in pairwise((0, *ends)):
        sentence = _sentence(shown.text[start:end], start, is_last=end == ends[-1])
        words += sentence

    return Spoken(written, tuple(_written(word, shown.places) for word in words))


def speakable(written: str) -> str:
    """The text as it is given to the synthesizer."""
    return speak(written).text


def written_until(spoken: Spoken, words_heard: int) -> str:
    """What of the written text was heard, when so many of the spoken words were.

    A value that was heard in part ("fourteen dollars" of $14.50) counts as not heard.
    """
    count = min(max(words_heard, 0), len(spoken.words))

    if count == len(spoken.words):
        return spoken.written

    while count and spoken.words[count - 1].end > spoken.words[count].start:
        count -= 1

    if not count:
        return ""

    end, stop = spoken.words[count - 1].end, spoken.words[count].start

    while end < stop and not spoken.written[end].isspace():
        end += 1

    return spoken.written[:end]


def _sentence(text: str, offset: int, *, is_last: bool) -> list[SpokenWord]:
    """The words of one sentence; `offset` is where it starts in the plain text."""
    words = _without_stray_marks(list(_words(text)))
    words = [_inside(word, following) for word, following in pairwise(words)] + words[-1:]

    if words and not is_last:
        words[-1] = replace(words[-1], text=_ended(words[-1].text))

    return [replace(word, start=word.start + offset, end=word.end + offset) for word in words]


def _words(text: str) -> Iterator[SpokenWord]:
    """Everything between blanks, once the rules have spoken."""
    letters: list[str] = []
    first = last = Piece(0, 0, "")

    for character, piece in _characters(text, pieces(text, RULES)):
        if not character.isspace():
            first = first if letters else piece
            last = piece
            letters.append(character)
        elif letters:
            yield SpokenWord("".join(letters), first.start, last.end, last.is_tied)
            letters = []

    if letters:
        yield SpokenWord("".join(letters), first.start, last.end)


def _characters(text: str, said: Sequence[Piece]) -> Iterator[tuple[str, Piece]]:
    """Every character that is said, and the stretch of the text it stands for."""
    place = 0

    for piece in (*said, Piece(len(text), len(text), "")):
        for index in range(place, piece.start):
            yield text[index], Piece(index, index + 1, text[index])

        for character in piece.text:
            yield character, piece

        place = piece.end


def _without_stray_marks(words: list[SpokenWord]) -> list[SpokenWord]:
    """Marks that stand alone go to the word before them, or away."""
    kept: list[SpokenWord] = []

    for word in words:
        text = _DOUBLED.sub("", word.text)
        marks = _MARKS_BEFORE.match(text)

        if marks or not any(character.isalnum() for character in text):
            mark = (marks[0] if marks else text)[:1]

            if kept and mark in ".,;:!?" and kept[-1].text[-1] not in ".,;:!?":
                kept[-1] = replace(kept[-1], text=kept[-1].text + mark)

            text = text[marks.end() :] if marks else ""

        if text:
            kept.append(replace(word, text=text))

    return kept


def _inside(word: SpokenWord, following: SpokenWord) -> SpokenWord:
    """A word inside a sentence: its full stop is an abbreviation's, if nothing else begins."""
    bare = word.text.rstrip(".")
    ends = following.text[0].isupper() and bare[-1:].islower() and bare not in _JUNIORS
    return word if ends and len(bare) > 1 else replace(word, text=bare or word.text)


def _ended(word: str) -> str:
    """The last word of a sentence that is not the last."""
    bare = word.rstrip(",;")
    return bare if bare.rstrip("'")[-1:] in (".", "!", "?", ":") else bare + "."


def _written(word: SpokenWord, places: Sequence[int]) -> SpokenWord:
    return replace(word, start=places[word.start], end=places[word.end - 1] + 1)
