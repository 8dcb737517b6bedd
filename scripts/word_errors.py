"""Words that were heard against words that were said."""

from __future__ import annotations

import re

_NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve"
SPELLED = {str(number): word for number, word in enumerate(_NUMBERS.split())}
SPELLED |= {"mr": "mister", "okay": "ok"}


def words(text: str) -> list[str]:
    """Lower case, without marks, small numbers and titles spelled."""
    found = re.findall(r"[a-z]+(?:'[a-z]+)*|\d+", text.lower().replace("’", "'").replace("-", " "))
    return [SPELLED.get(word, word) for word in found]


def errors(heard: list[str], said: list[str]) -> int:
    """Words that must be put in, taken out or replaced."""
    row = list(range(len(said) + 1))

    for count, word in enumerate(heard, start=1):
        last, row = row, [count]

        for place, other in enumerate(said):
            row.append(min(last[place] + (word != other), last[place + 1] + 1, row[-1] + 1))

    return row[-1]
