"""The words of a text that carry its meaning, stemmed lightly; words that mean the same are one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

# What visitors and facts call the same thing; the first word stands for its group.
_SAME = (
    "child children kid kids son daughter boy girl toddler baby youngster",
    "adult grown-up grownup",
    "senior pensioner retired grandmother grandfather grandma grandpa",
    "price cost fee pay charge much expensive cheap cheaper rate dear",
    "close shut finish end stop",
    "start begin",
    "lift elevator",
    "toilet restroom washroom bathroom loo",
    "book reserve reservation booking",
    "bicycle bike",
    "bag luggage suitcase baggage",
    "phone telephone call ring number reach",
    "long last duration take",
    "big large",
    "small little short",
    "evening tonight night",
    "weekend saturday sunday",
    "depart leave go",
    "arrive arrival come",
    "early earliest first",
    "late latest",
    "eat food meal restaurant",
    "car drive vehicle parking park",
    "buy sell purchase get",
    "photo picture photograph photography",
    "trip tour ride",
    "hot warm",
    "pool swim swimming",
    "heavy weigh weight",
    "old age aged older",
    "high tall height",
    "far distance",
    "person people guest visitor",
)
# Words too common to tell one fact from another.
_COMMON_WORDS = (
    "a an the is are was were be been am do does did have has had i you he she it we they me "
    "him her us them my your his its our their this that these those there here of in on at "
    "for with and or but so as if what when where which who how why can could will would "
    "shall should may might must um uh er oh okay ok please sorry thanks thank yes no not "
    "just also too very then than about like know tell want need i'm it's that's there's "
    "i'd i'll we're you're don't what's when's where's who's how's one some any all afraid "
    "hello hi hey well right yeah let from to until till by before after through over since"
)
_COMMON = frozenset(_COMMON_WORDS.split())
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a text."""

    text: str
    """In lower case."""
    stem: str
    """What it is compared by; empty when it carries no meaning."""
    start: int
    """First character."""
    end: int
    """One past the last character."""


@lru_cache(maxsize=512)
def words_of(text: str) -> tuple[Word, ...]:
    """All words of a text with their places."""
    return tuple(
        Word(match[0].lower(), stem(match[0]), *match.span()) for match in _WORD.finditer(text)
    )


@lru_cache(maxsize=512)
def stems_of(text: str) -> frozenset[str]:
    """The stems of a text's words that carry meaning."""
    return frozenset(word.stem for word in words_of(text) if word.stem)


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """A light stem: plural, -ing, -ed and genitive go; empty for a common word."""
    word = word.lower().replace("\u2019", "'")

    if word in _COMMON:
        return ""

    word = re.sub(r"'s?$", "", word)
    bare = _bare(word)
    return _GROUP.get(word) or _GROUP.get(bare, bare)


def _bare(word: str) -> str:
    for ending, instead in (("ies", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word.removesuffix(ending) + instead
            break

    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "ls":
        word = word[:-1]

    return word[:-1] if word.endswith("e") and len(word) > 3 else word


_GROUP = {
    form: group.split()[0]
    for group in _SAME
    for word in group.split()
    for form in (word, _bare(word))
}
