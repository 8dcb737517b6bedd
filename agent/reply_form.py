"""Whether a reply can be spoken at all: faults of form, each with its place in the text.

Loops, sentences that break off, marks and markup that no voice can say. What the reply says is
none of this file's business (see reply_check.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

MAX_WORDS = 60  # half a minute of speech; the replies the writer is trained on have 45 at most


@dataclass(frozen=True, slots=True)
class Problem:
    """One place where a reply fails."""

    kind: str
    """empty, mark, loop, cut off, too long, value, name, ..."""
    start: int
    """First character of the failing span."""
    end: int
    """One past its last character."""
    detail: str
    """What is wrong, for the log and the screen."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a reply."""

    start: int
    """First character."""
    end: int
    """One past the last character, its punctuation included."""
    text: str
    """The sentence."""


# A sentence ends at . ! ? before a space; not after a title or inside "p.m.".
_SENTENCE_END = re.compile(
    r"(?<!\bMr)(?<!\bMs)(?<!\bDr)(?<!\bSt)(?<!\bMrs)(?<!\bProf)[.!?]+[\"')]*\s+"
)
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_MARK = re.compile(
    r"<\|?[^<>\s]*\|?>|\[[^\]\s]*\]|https?:\S*|www\.\S*"  # special tokens, brackets, addresses
    r"|[^\w\s.,;:!?'\"()\u2018\u2019\u201c\u201d\u2013\u2014\u2026/&%$\u20ac\u00a3\u00b0+@-]+|_+"
    r"|^\s*(?:[-\u2022]|\d+[.)])\s(?=[^\n]*\n)"  # a list
    r"|[\x00-\x08\x0b-\x1f\x7f]+",
    re.M,
)
_SAYABLE = frozenset("[]hw")
"""How marks begin that can be said where somebody wrote them: brackets, addresses (spoken.py)."""
_STRAY = re.compile(
    r"^[.,;:!?)%]+|[,;:(][\s,;:]*(?=[.,;:!?)])|(?<=[.!?])\s+[.,;:!?]|[$\u20ac\u00a3](?!\s?\d)"
)
# Two words that lost the space or the letters between them, by how they are written.
_TORN = re.compile(
    r"(?<=[^\W\d_][^\W\d_])[.,;:!?]+['\u2019]?[^\W\d_]+"  # "welcome.oun", "I:'t"
    r"|\b\d+(?!(?:st|nd|rd|th|am|pm|s|x|m|km|cm|mm|kg|g|l|ml|gb|mb|kw|mph|hrs?|mins?)\b)[a-z]{2,}"
    r"|(?<![nN])['\u2019]t(?![^\W\d_])|(?<!\bI)(?<!\bi)['\u2019]m\b"  # "room't", "No'm"
    r"|(?<=[.!?] )[a-z][^\W_]*"  # a sentence without its beginning
    r"|[?!][.,;:]|(?<![.m])[.,;:][?!]|[^\S\n]*\n\s*",
)
# A word that needs a noun, before a mark or a word that is none.
_BARE = re.compile(
    r"\b(?:the|an?|your|our|my|their|every)"
    r"(?=[,;:]| (?:the|an?|your|our|my|their|I|is|are|and|of|you)\b)"
)
# "that that" and the like are English; digits repeat inside phone numbers.
_DOUBLES = {
    *("that", "had", "is", "very", "really", "so", "no", "yes", "bye", "ha", "la", "well", "now"),
    *("there", "knock", "chop"),
}
# No English sentence ends in one of these.
_UNFINISHED = {
    *("the", "a", "an", "and", "or", "but", "nor", "your", "our", "my", "their", "if", "because"),
    *("than", "every", "very", "whose"),
}


def sentences(text: str) -> tuple[Sentence, ...]:
    """The sentences of a text with their places."""
    cuts = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    spans = ((start, end) for start, end in pairwise(cuts) if start < end)
    return tuple(Sentence(start, end, text[start:end]) for start, end in spans)


def form_problems(reply: str, *, known: str = "") -> Iterator[Problem]:
    """Every fault of form; a doubled word that stands so in the known text is none."""
    words = list(_WORD.finditer(reply))

    if not words:
        yield Problem("empty", 0, len(reply), "nothing that can be spoken")
        return

    for match in (*_MARK.finditer(reply), *_STRAY.finditer(reply)):
        if match[0][:1] in _SAYABLE and match[0] in known:
            continue

        yield Problem("mark", *match.span(), f"cannot be spoken: {match[0]!r}")

    for match in (*_TORN.finditer(reply), *_BARE.finditer(reply)):
        start, end = match.start(), min(len(reply), match.end() + 1)
        if reply[max(0, start - 6) : end].lower() not in known.lower():
            yield Problem("torn", *match.span(), f"no English: {reply[start:end]!r}")

    yield from _loops(reply, words, known.lower())
    yield from _cut_off(reply, known)

    if len(words) > MAX_WORDS:
        yield Problem("too long", words[MAX_WORDS].start(), len(reply), f"{len(words)} words")


def _loops(reply: str, words: list[re.Match[str]], known: str) -> Iterator[Problem]:
    texts = [match[0].lower() for match in words]

    for place, (one, other) in enumerate(pairwise(texts)):
        between = reply[words[place].end() : words[place + 1].start()]
        twice = one == other and not between.strip(" -\u2013") and not one.isdigit()

        if twice and one not in _DOUBLES and f"{one} {one}" not in known:
            start, end = words[place].start(), words[place + 1].end()
            yield Problem("loop", start, end, f"said twice: {one!r}")

    for place, text in enumerate(texts):
        if re.fullmatch(r"(\w{1,4}?)\1{2,}", text) and not text.isdigit() and text not in known:
            yield Problem("loop", *words[place].span(), f"stutters: {text!r}")

    yield from _repeated_phrases(words, texts)
    yield from _repeated_sentences(reply)


def _repeated_phrases(words: list[re.Match[str]], texts: list[str]) -> Iterator[Problem]:
    """The same phrase again: three words at once or within a sentence, five anywhere."""
    seen: dict[tuple[str, ...], int] = {}

    for size in (2, 3, 5):
        for place in range(len(texts) - size + 1):
            phrase = tuple(texts[place : place + size])
            before = seen.setdefault(phrase, place)
            gap = place - before - size
            is_loop = gap == 0 or (gap > 0 and size == 5)

            if before < place and is_loop and not all(word.isdigit() for word in phrase):
                start, end = words[place].start(), words[place + size - 1].end()
                yield Problem("loop", start, end, f"said again: {' '.join(phrase)!r}")
                return


def _repeated_sentences(reply: str) -> Iterator[Problem]:
    seen: set[tuple[str, ...]] = set()

    for sentence in sentences(reply):
        words = tuple(_WORD.findall(sentence.text.lower()))

        if words in seen and len(words) > 1:
            yield Problem("loop", sentence.start, sentence.end, "the same sentence again")

        seen.add(words)


def _cut_off(reply: str, known: str) -> Iterator[Problem]:
    """A fact that was written without its full stop may end so."""
    for sentence in sentences(reply):
        words = list(_WORD.finditer(sentence.text))

        # "On pier A." names something: an "a" that opens no sentence has no capital.
        is_name = len(words) > 1 and words[-1][0] == "A"
        if words and words[-1][0].lower() in _UNFINISHED and not is_name:
            start, end = (sentence.start + place for place in words[-1].span())
            yield Problem("cut off", start, end, f"a sentence ends in {words[-1][0]!r}")

    last_sentence = sentences(reply)[-1].text.strip()
    is_ended = re.search(r"[.!?\u2026][\"')\u2019\u201d]*\s*$", reply)
    if not is_ended and not any(line.endswith(last_sentence) for line in known.splitlines()):
        last = list(_WORD.finditer(reply))[-1]
        yield Problem("cut off", last.start(), len(reply), "no end of the sentence")
