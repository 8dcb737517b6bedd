"""What a reply may hold: the vocabulary and the prompt's own tokens, but no value made up. Pure.

Rule 1. A special token is never said.
Rule 2. A value (number, price, time, day, month, language) is said only where the prompt holds it,
        as a figure or in letters. Names that are spelled piece by piece are the reply check's.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

# fmt: off
NUMBERS = (
    "zero", "", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    "twenty",
)
"""By their figure; "one" is missing, as it mostly stands for a thing: "the blue one"."""

VALUES = frozenset((
    "zero", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "hundred",
    "thousand", "million", "dozen", "noon", "midnight", "pm", "monday", "tuesday", "wednesday",
    "thursday", "friday", "saturday", "sunday", "mondays", "tuesdays", "wednesdays", "thursdays",
    "fridays", "saturdays", "sundays", "january", "february", "march", "april", "june", "july",
    "august", "september", "october", "november", "december", "christmas", "easter", "english",
    "french", "spanish", "german", "italian", "finnish", "chinese", "japanese", "arabic",
    "polish", "portuguese",
))
"""Words that are values; "may", "second" and "am" are mostly other words."""
# fmt: on

SIGNS = frozenset("$€£¥%")


def word_of(text: str) -> str:
    """A token's text as values are compared."""
    return text.strip().lower()


def is_value(text: str) -> bool:
    """Whether a token's text says a value."""
    word = word_of(text)
    return word in VALUES or any(letter.isdigit() or letter in SIGNS for letter in word)


def held_by(texts: Iterable[str]) -> set[str]:
    """The words of these tokens; a number in figures and in letters."""
    words = set(map(word_of, texts))
    for figure, word in enumerate(NUMBERS):
        if word and not words.isdisjoint((str(figure), word)):
            words |= {str(figure), word}

    return words


def sayable(
    vocabulary: Iterable[int],
    prompt: Iterable[int],
    *,
    values: Mapping[int, str],
    held: Container[str],
    specials: Container[int],
) -> list[int]:
    """The ids that a reply to this prompt may hold, ascending; no special token among them.

    vocabulary: ids that are always at hand. prompt: the prompt's own. values: the words of those
    ids of the vocabulary that are values. held: the words that the prompt holds, see `held_by`.
    """
    free = {token for token in vocabulary if token not in values or values[token] in held}
    return sorted(token for token in free | set(prompt) if token not in specials)
