"""Which facts answer a question: one score a fact, higher is better. Pure, about two milliseconds.

BM25 over word stems and over word pieces, helped by a table of what asks for what: "how much" for
a price, "where" for a place, "kids" for children. Earlier turns count less than the question, so
that "and on Monday?" still finds the opening hours. The scores are logits: their softmax over
the facts is about how likely each fact is the one. Weights and table were fitted on the training
packs alone (listwise logistic regression, an L1 penalty on the table).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

from atonce.llm.protocols import Exchange

K1, B = 1.0, 0.35  # BM25: how soon a repeated word stops counting, how much long facts lose
PIECES = (
    4,
    5,
)  # letters of a word piece; finds "lifeguards" by "lifeguard's", "opening" by "opens"

# What one unit of each signal is worth; scaled as they were fitted.
QUESTION, QUESTION_SHARE, QUESTION_MEAN = 0.489, 1.476, 0.22
PIECE, LAST_QUESTION, LAST_REPLY, BEFORE = 0.111, 0.256, 0.298, 0.112
SHORT_LAST_QUESTION, SHORT_LAST_REPLY = 0.087, 0.088  # a question of two words leans on the past
SHORT = 2  # content words
LENGTH = -0.304  # a long fact meets more words by chance
FIRST = 0.229  # the first fact of a place is asked for more

STOP_WORDS = """
a an the is are was were be been am do does did doing have has had having i you he she
it we they me him her us them my your his its our their this that these those to of in
on at by for with from as and or but if then so than too very can could would should
will shall may might must just not no yes there here what which who whom when where why
how about into over out up down off again um uh er erm like well okay ok right please
sorry hi hello hey good morning guys get got i'm you're it's we're they're i've you've
don't doesn't isn't aren't what's where's when's how's who's that's there's i'd you'd
we'd also any some all one thing things tell know want need mean let say go going come
much many long far often
"""
STOP = frozenset(STOP_WORDS.split())
SUFFIXES = (
    ("ational", "ate"), ("ies", "y"), ("ing", ""), ("edly", ""), ("ed", ""),
    ("es", ""), ("s", ""), ("ly", ""), ("er", ""), ("ment", ""),
)  # fmt: skip
WORD = re.compile(r"[a-z']+|\$?\d[\d:.]*%?")
CONTRACTED = re.compile(r"'s$|'re$|'ll$|'ve$|'d$")

# What a question asks with, and what kinds of value a fact holds: the table's other entries are
# stems. A "?" marks the first, a "#" the second.
ASKING = (
    "how much",
    "how long",
    "how late",
    "how",
    "when",
    "what time",
    "where",
    "who",
    "can i",
    "can you",
    "is there",
    "do i",
    "what",
    "is",
    "price",
    "until",
    "from",
)
HOLDING: Mapping[str, re.Pattern[str]] = {
    name: re.compile(pattern)
    for name, pattern in {
        "$": r"\$\d",
        "T": r"\d (am|pm)\b|\bnoon\b|\bmidnight\b",
        "WD": r"\b(mon|tues|wednes|thurs|fri|satur|sun)days?\b|weekend|weekday|every day|daily",
        "PH": r"\b555 \d{4}",
        "PC": r"\d%|percent",
        "DUR": r"\d (minute|hour|day|week|month|year)",
        "NUM": r"\b\d+\b",
        "PL": r"\b(next to|behind|beside|opposite|floor|left|right|between|in front|entrance|near"
        r"|corner|upstairs|downstairs)\b",
        "FREE": r"\bfree\b",
        "NO": r"\b(not|no|never|cannot|only)\b",
        "UNTIL": r"\buntil\b|\bclose",
        "FROM": r"\bfrom\b|\bopen",
    }.items()
}
CODE = re.compile(r"\b[A-Z]\d{1,2}\b")
ASKS_FOR: Mapping[str, Mapping[str, float]] = {
    "?can_i": {
        "#FROM": 0.23, "#NO": 0.24, "bag": 0.41, "cost": -0.33,
        "day": 0.21, "els": 0.68, "minut": -0.36, "staf": 0.21,
    },
    "?can_you": {"deliveri": 0.9},
    "?do_i": {"hour": -0.22},
    "?from": {"#FROM": 0.41},
    "?how": {"#DUR": 0.61, "#NO": -0.29, "#NUM": 0.43},
    "?how_late": {"pm": 0.56},
    "?how_long": {"#DUR": 1.26, "day": 0.42, "minut": 0.51},
    "?how_much": {"#$": 0.64, "cost": 1.23},
    "?is": {"degr": 0.81, "guest": 0.22, "open": -0.33, "und": 0.34},
    "?is_there": {"#NO": -0.21, "#PL": 0.22},
    "?price": {"cost": 0.21},
    "?until": {"until": -0.94},
    "?what": {"#NO": -0.26, "cost": 0.23},
    "?what_time": {"#T": 0.93},
    "?when": {"#DUR": 0.23, "#T": 0.85, "#WD": 0.33, "pm": 0.7},
    "?where": {"#$": -0.43, "#PL": 1.28},
    "?who": {"#PH": 0.83, "555": 0.83},
    "back": {"return": 2.31},
    "bag": {"locker": 1.12},
    "bik": {"bicycl": 1.54},
    "cal": {"#PH": 0.91, "555": 0.91},
    "car": {"day": 0.31},
    "charg": {"cost": 0.27},
    "cheap": {"#$": 0.51, "cost": 0.22},
    "clos": {"open": 1.41},
    "cold": {"degr": 0.43},
    "day": {"#WD": 1.09},
    "discount": {"#PC": 1.9},
    "dog": {"#NO": 0.71},
    "he": {"old": 1.1},
    "hour": {"#T": 0.28},
    "kid": {"children": 2.32},
    "leav": {"#FREE": 0.47, "fre": 0.47},
    "numb": {"cal": 0.39},
    "old": {"children": 0.24},
    "open": {"#UNTIL": 0.29},
    "pay": {"#FREE": 0.46, "#NO": 0.53, "card": 0.25, "children": 0.22, "fre": 0.46, "paid": 0.26},
    "pric": {"#$": 1.33, "cost": 0.77},
    "somewher": {"#PL": 1.76},
    "ticket": {"#$": 0.37},
    "tim": {"#T": 0.48, "mondai": 0.35, "pm": 1.05},
}  # fmt: skip


def rank(
    question: str, facts: Sequence[str], history: Sequence[Exchange] = ()
) -> tuple[float, ...]:
    """One score for every fact; equal scores where nothing tells them apart."""
    if not facts:
        return ()

    words, past = stems(question), list(history)[-2:]
    content = len(set(words))
    about = Index(tuple(tuple(stems(fact)) for fact in facts))
    spelt = Index(tuple(tuple(pieces(fact)) for fact in facts))
    asked = about.scores(words)
    best = max(asked) or 1.0
    empty = [0.0] * len(facts)
    last_question = about.scores(stems(past[-1].question)) if past else empty
    last_reply = about.scores(stems(past[-1].reply)) if past else empty
    before = past[-2] if len(past) > 1 else None
    earlier = about.scores(stems(f"{before.question} {before.reply}")) if before else empty
    piece = spelt.scores(pieces(question))
    lean = content <= SHORT
    return tuple(
        (QUESTION + QUESTION_MEAN / (1 + content)) * asked[i]
        + QUESTION_SHARE * asked[i] / best
        + PIECE * piece[i]
        + (LAST_QUESTION + lean * SHORT_LAST_QUESTION) * last_question[i]
        + (LAST_REPLY + lean * SHORT_LAST_REPLY) * last_reply[i]
        + BEFORE * earlier[i]
        + LENGTH * math.log(len(about.texts[i]) + 1)
        + FIRST * (i == 0)
        + asked_for(question, fact)
        for i, fact in enumerate(facts)
    )


class Index:
    """BM25 over a few short texts."""

    def __init__(self, texts: tuple[tuple[str, ...], ...]) -> None:
        self.texts = texts
        self.counts = [Counter(text) for text in texts]
        self.found_in = Counter(word for text in texts for word in set(text))
        self.mean = max(1.0, sum(map(len, texts)) / len(texts))

    def scores(self, words: Sequence[str]) -> list[float]:
        """How well each text meets the words; a word said twice counts twice."""
        return [
            sum(self.weight(word, count, text) for word in words if (count := counts[word]))
            for text, counts in zip(self.texts, self.counts, strict=True)
        ]

    def weight(self, word: str, count: int, text: Sequence[str]) -> float:
        """What one meeting is worth: more for a rare word, less in a long text."""
        texts, found = len(self.texts), self.found_in[word]
        rare = math.log(1 + (texts - found + 0.5) / (found + 0.5))
        return rare * count * (K1 + 1) / (count + K1 * (1 - B + B * len(text) / self.mean))


def words_of(text: str) -> list[str]:
    """Lower-case words and numbers as they stand."""
    return [word.strip("'") for word in WORD.findall(text.lower().replace("\u2019", "'"))]


@lru_cache(4096)
def stems(text: str) -> list[str]:
    """The content words of a text without their endings."""
    kept = (word for word in words_of(text) if word and word not in STOP)
    return [stem(CONTRACTED.sub("", word)) for word in kept]


def stem(word: str) -> str:
    """A word without its ending, spelt so that its forms meet: "opening", "opens" → "open"."""
    for ending, instead in SUFFIXES:
        is_double = ending == "s" and word.endswith("ss")
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not is_double:
            word = word[: -len(ending)] + instead
            break

    if len(word) > 3 and word[-1] == "e":
        word = word[:-1]

    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiou":
        word = word[:-1]

    return word[:-1] + "i" if len(word) > 3 and word[-1] == "y" else word


@lru_cache(4096)
def pieces(text: str) -> list[str]:
    """Pieces of four and five letters of every content word, its beginning marked."""
    marked = ("<" + word for word in sorted(set(stems(text))))
    return [
        word[at : at + size]
        for word in marked
        for size in PIECES
        for at in range(len(word) + 1 - size)
    ]


def asked_for(question: str, fact: str) -> float:
    """What the table says of this question and this fact."""
    holds = held(fact)
    return sum(
        worth
        for asked in asking(question)
        for wanted, worth in ASKS_FOR.get(asked, {}).items()
        if wanted in holds
    )


def asking(question: str) -> set[str]:
    """Stems of a question and the words it asks with."""
    spaced = f" {' '.join(words_of(question))} "
    return set(stems(question)) | {
        "?" + words.replace(" ", "_") for words in ASKING if f" {words} " in spaced
    }


@lru_cache(4096)
def held(fact: str) -> frozenset[str]:
    """Stems of a fact and the kinds of value in it."""
    low = fact.lower()
    kinds = {"#" + name for name, pattern in HOLDING.items() if pattern.search(low)}
    return frozenset(stems(fact)) | kinds | ({"#CODE"} if CODE.search(fact) else set())
