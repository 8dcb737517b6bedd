"""Whether a reply is right: compares it with what a turn demands. Pure.

Rule 1. Its own reading of values (figures.py): it shares no code with the reply check, so that one
        cannot hide the other's mistakes.
Rule 2. Whole words and whole numbers: $14 is not in $140, nor 9 am in 9:30 am.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from atonce.llm.corpus import Example
from atonce.llm.figures import Figure, figures, in_digits, letters, names, stands_in
from atonce.llm.ranking import stems

WORD = re.compile(r"[a-z0-9$%]+(?:[:.'][a-z0-9]+)*")
NOT_KNOWN = re.compile(
    r"""\b(?:i|we|nobody|no\ one)\b[^.!?]{0,30}
        (?:n't|\snot|\snever|nobody|no\ one)(?:\s\w+){0,2}\s
        (?:know|sure|told|heard|say|tell|quote|promise|see|check|look|find|given?|got|aware|hold
          |answer|judge|advise|help|any|have(?!\sto\b))
    |\b(?:i|we)(?:'ve|'m|\shave|\sam)?(?:\s\w+){0,2}\s(?:no|nothing|without|unsure|unable)\b
    |\bno(?:thing)?\s(?:word|details?|information|idea|news|record|note|facts?|on\b|about\b)
    |\bi\sonly\s(?:know|have)\b
    |(?:n't|\snot)\s(?:\w+\s){0,2}(?:in\smy|to\sme|given|something\si|known|listed|told)
    |\bwish\si\b|\bbeyond\b|\bmore\sthan\si\sknow\b
    """,
    re.X,
)
STUTTER = re.compile(r"\b(\w+)(?:,?\s+\1\b(?!'))+", re.IGNORECASE)
ENDS_IN_LETTERS = re.compile(r"[a-z]{4}$")
LOOP = 4  # words that stand twice in the same order are a loop
DAYS = re.compile(r"\b((?:mon|tues|wednes|thurs|fri|satur|sun)day)s\b")
WHOLE_HOUR = re.compile(r"\b(\d{1,2}):00\b")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of one reply."""

    kind: str
    """"grounded", "unknown" or "talk": what the turn was."""
    is_right: bool
    """Every value that the turn demands is there; or the reply says that it does not know, and
    at most whom to call."""
    is_invented: bool
    """A value that stands nowhere in the prompt."""
    is_wrong_value: bool
    """A grounded turn: a value of a fact that the turn does not rest on."""
    is_repeating: bool
    """A stutter or a loop."""
    is_refused: bool
    """A grounded turn was answered with "I don't know"."""


def judge(example: Example, reply: str) -> Verdict:
    """Score one reply."""
    kind = kind_of(example)
    not_known = bool(NOT_KNOWN.search(reply.lower().replace("\u2019", "'")))
    is_invented = bool(invented(example, reply))
    is_met = satisfies(reply, example.must)
    answers = is_met if example.must else not not_known and bool(reply.strip())
    right = {"unknown": not_known and not is_invented, "grounded": is_met, "talk": answers}
    return Verdict(
        kind=kind,
        is_right=right[kind],
        is_invented=is_invented,
        is_wrong_value=kind == "grounded" and bool(strayed(example, reply)),
        is_repeating=repeats(reply),
        is_refused=kind == "grounded" and not_known and not is_met,
    )


def kind_of(example: Example) -> str:
    """What a turn is: the facts answer it, they are silent, or it is small talk."""
    return "unknown" if example.is_unknown else "grounded" if example.gold else "talk"


def invented(example: Example, reply: str) -> set[Figure]:
    """The values of a reply that stand nowhere: not in the prompt, not in a right reply."""
    prompt = example.prompt
    talk = [part for past in prompt.history for part in (past.question, past.reply)]
    known = [prompt.role, *prompt.facts, prompt.question, *talk, *example.replies]
    words = letters(known)
    said = {figure for figure in figures(reply) if not stands_in(figure, known)}
    return said | {name for name in names(reply) if name.text not in words}


def strayed(example: Example, reply: str) -> set[Figure]:
    """The values of a reply that only other facts hold than those the turn rests on."""
    prompt = example.prompt
    own = [prompt.facts[i] for i in example.gold]
    own += [prompt.question, prompt.role, *example.replies]
    others = [fact for i, fact in enumerate(prompt.facts) if i not in example.gold]
    elsewhere = letters(others) - letters(own)
    named = {name for text in others for name in names(text)}
    said = {
        figure
        for figure in figures(reply)
        if stands_in(figure, others) and not stands_in(figure, own)
    }
    # A word that opens a sentence has its capital anyway: it must have one in the facts, too.
    called = names(reply) | (names(reply, with_first=True) & named)
    return said | {name for name in called if name.text in elsewhere}


def satisfies(reply: str, must: Iterable[str]) -> bool:
    """Whether a reply holds everything demanded, as whole words and numbers.

    A word of four letters or more may have another ending: "includ" is met by "included".
    """
    spaced = plain(reply)
    return all(any(holds(spaced, plain(way)) for way in one.split("|")) for one in must)


def holds(spaced: str, way: str) -> bool:
    """Both as `plain` gives them."""
    if way in spaced:
        return True

    stem = way.rstrip()
    return bool(ENDS_IN_LETTERS.search(stem)) and bool(
        re.search(rf"{re.escape(stem)}[a-z']{{1,3}} ", spaced)
    )


def plain(text: str) -> str:
    """Lower-case words and numbers with a blank around each: nine → 9, 9:00 → 9, Mondays →
    monday, isn't → is n't."""
    low = in_digits(text.lower().replace("\u2019", "'")).replace("n't", " n't")
    low = re.sub(r"\b([ap])\.m\.?", r"\1m", low)
    low = WHOLE_HOUR.sub(r"\1", DAYS.sub(r"\1", low))
    return f" {' '.join(WORD.findall(low))} "


def repeats(reply: str) -> bool:
    """A word twice in a row, or four words that come back."""
    words = plain(reply).split()
    runs = Counter(tuple(words[i : i + LOOP]) for i in range(len(words) - LOOP + 1))
    doubled = any(not match[1].isdigit() for match in STUTTER.finditer(reply))
    return doubled or any(count > 1 for count in runs.values())


ASKED = {
    "a time": re.compile(r"\d (am|pm)\b|\d:\d\d|\b(noon|midnight)\b"),
    "a price": re.compile(r"\$\d"),
    "a day or a date": re.compile(
        r"\b((mon|tues|wednes|thurs|fri|satur|sun)days?|weekends?|weekdays?|daily|today|tomorrow"
        r"|january|february|march|april|may|june|july|august|september|october|november|december)\b"
    ),
    "a code or a phone number": re.compile(r"\b[a-z]\d{1,3}\b|\b\d{3} \d{4}\b"),
    "another number": re.compile(r"\d"),
    "yes or no": re.compile(r"\b(yes|no|not|only|never|free|included|closed|cannot|can't)\b"),
}
"""What is demanded → by what it is told; the first that fits."""


def question_kinds(example: Example) -> tuple[str, ...]:
    """What kind of question a turn is, for a table: each turn has several."""
    kind = kind_of(example)
    if kind != "grounded":
        return ("the facts are silent",) if kind == "unknown" else ("small talk",)

    demanded = " ".join(example.must).lower()
    asked = next((name for name, told in ASKED.items() if told.search(demanded)), "words")
    own = {stem for i in example.gold for stem in stems(example.prompt.facts[i])}
    shared = own & set(stems(example.prompt.question))
    return (
        f"asks for {asked}",
        "a later turn of a talk" if example.prompt.history else "the first turn of a talk",
        "rests on several facts" if len(example.gold) > 1 else "rests on one fact",
        "shares words with its fact" if shared else "shares no word with its fact",
    )
