"""Whether a reply says only what is written somewhere: sentences of the facts, or of the settings.

What somebody wrote needs no reading over. Nearly all replies are of this kind: the writer is taught
to read out the fact that answers. One word that differs is mostly a slip, seldom another wording.
Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher

from atonce.agent.reply_form import Sentence, sentences

# Words and signs; what stands between them may differ.
_WORD = re.compile(r"[^\W_]+(?:['\u2019.:,-][^\W_]+)*|[$\u20ac\u00a3%]")
SHORTEST = 4
"""Words of a sentence that can differ in one: shorter ones are alike by chance."""
# What may open a reply before it reads out a fact.
_OPENER = re.compile(r"^(?:yes|no)[.,]\s+", re.I)


def is_copied(reply: str, known: Iterable[str]) -> bool:
    """Whether every sentence stands so in the known texts, or a whole text of them is the reply."""
    written = {_words(one.text) for text in known for one in sentences(text)}
    said = [_words(one.text) for one in sentences(_OPENER.sub("", reply, count=1))]
    return bool(said) and written.issuperset(said)


def slips(reply: str, known: Iterable[str]) -> tuple[tuple[int, int], ...]:
    """Where a sentence differs from a known one in one word: its place in the reply, or the next
    word's where one is missing. A word more at the beginning ("Sorry, ...") is none."""
    written = {_words(one.text) for text in known for one in sentences(text)}
    found = (_slip(one, written) for one in sentences(reply) if _words(one.text) not in written)
    return tuple(place for place in found if place is not None)


def _slip(said: Sentence, written: Iterable[tuple[str, ...]]) -> tuple[int, int] | None:
    words = _words(said.text)
    places = [match.span() for match in _WORD.finditer(said.text)]

    for known in written:
        if len(words) < SHORTEST or abs(len(known) - len(words)) > 1:
            continue

        changes = [
            change
            for change in SequenceMatcher(None, words, known, autojunk=False).get_opcodes()
            if change[0] != "equal"
        ]
        if len(changes) != 1:
            continue

        ((kind, start, stop, other_start, other_stop),) = changes
        is_opener = kind == "delete" and start == 0
        if not is_opener and max(stop - start, other_stop - other_start) == 1:
            first, last = places[min(start, len(places) - 1)]  # a word that is missing: the next
            return said.start + first, said.start + last

    return None


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.lower().replace("\u2019", "'") for word in _WORD.findall(text))
