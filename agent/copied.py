"""Whether a reply says only what is written somewhere: sentences of the facts, or of the settings.

What somebody wrote needs no reading over. Nearly all replies are of this kind: the writer is taught
to read out the fact that answers. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from atonce.agent.reply_form import sentences

# Words and signs; what stands between them may differ.
_WORD = re.compile(r"[^\W_]+(?:['\u2019.:,-][^\W_]+)*|[$\u20ac\u00a3%]")
# What may open a reply before it reads out a fact.
_OPENER = re.compile(r"(?:yes|no)[.,]\s+", re.I)


def is_copied(reply: str, known: Iterable[str]) -> bool:
    """Whether every sentence stands so in the known texts, or a whole text of them is the reply."""
    written = {_words(one.text) for text in known for one in sentences(text)}
    said = [_words(one.text) for one in sentences(_OPENER.sub("", reply, count=1))]
    return bool(said) and written.issuperset(said)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.lower().replace("\u2019", "'") for word in _WORD.findall(text))
