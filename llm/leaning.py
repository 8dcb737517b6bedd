"""Whether a question leans on the last turn ("And on Sunday?") or stands alone. Pure.

Rule 1. A question that stands alone is read and answered as if nothing had been said before: the
        model was taught on talks whose turns belong together, and takes the last reply for the
        answer to whatever comes next.
Rule 2. What decides is how the question is worded, and what is found with the last turn and
        without. The weights were fitted on the training packs: each turn behind its own talk, and
        behind one turn about something else (docs/training-log.md).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from atonce.llm.lessons import UNKNOWN
from atonce.llm.protocols import Exchange, Found, Prompt
from atonce.llm.ranking import Index, stems, words_of

BASE = 0.75
"""Log-odds that a question leans, before anything is known of it: 0.52 more than was fitted to find
the fact, as the gaze, fitted on talks of one subject, loses more than the finder without the past.
Of 114 follow-ups of training packs 80 are answered rightly so, 75 at 0.48, 95 with the past always
read; of 44 questions about many subjects in one talk 40, 40, and 12."""
POINTS = re.compile(
    r"\b(its?|it's|that|that's|they|they're|them|their|he|he's|she|she's|him|his|hers?|this|those"
    r"|these|ones?|both|then|either|else|same|other|another|too)\b"
)
GOES_ON = re.compile(
    r"(?:(?:uh|um|er|okay|ok|oh|well|so|no|yes|yeah|great|thanks|right|fine|good)\b[ ,.]*)*"
    r"(?:and|or|but|what about|how about|what if|plus|also|not)\b"
)
THERE = re.compile(r"(?<!\bis )(?<!\bare )\bthere\b")
AGAIN = re.compile(
    r"\b(?:again|repeat|pardon|once more|say that|sorry|didn't (?:hear|get|catch|copy)|meant|i mean"
    r"|rather|instead)\b"
)
WORDED: Mapping[re.Pattern[str], float] = {POINTS: 1.07, GOES_ON: 0.58, THERE: 0.81, AGAIN: 1.2}
"""Worth of wordings that lean."""
NO_STEM, STEM, KNOWN, LENGTH, SHARED = 1.1, -0.29, -0.38, -1.19, 1.6
"""Worth of having no content word, of each one up to MOST_STEMS, of their share that stands in the
facts, of the logarithm of all words, and of their share that stands in the last turn."""
MOST_STEMS = 5
CLEAR_ALONE, AHEAD_ALONE, CLEAR_BEHIND, AHEAD_BEHIND, NONE_BEHIND = -0.46, -0.72, 0.67, 0.23, -0.35
"""Worth of the logarithm of the best fact's chance and of its lead in logits, without the last turn
and with it, and of the logarithm of the chance that none answers with it."""
MOST_AHEAD, LEAST = 8.0, 1e-4
MOST_BEHIND = AHEAD_BEHIND * MOST_AHEAD + NONE_BEHIND * math.log(LEAST)
"""The most that what is found with the last turn can be worth."""
WORDS_LEAN = -2.2
"""What the words must be worth where nobody can tell what is found with the last turn and without;
chosen on the training packs, see docs/reply-check.md."""
SAID, SAME = -1.66, -0.69
"""Worth of the best fact without the last turn being the one that was said last, or the same as
with it: then the talk tells nothing new."""


def leans(
    question: str, facts: Sequence[str], last: Exchange, *, alone: Found, behind: Found
) -> bool:
    """Whether the last turn is needed to answer.

    alone, behind: what was found for the question by itself, and behind the last turn.
    """
    if not question.strip():  # read ahead: what comes next may lean
        return True

    return odds(question, facts, last, alone=alone, behind=behind) > 0


def stands_alone(question: str, facts: Sequence[str], last: Exchange, alone: Found) -> bool:
    """Whether nothing that could be found behind the last turn would make the question lean: then
    it need not be looked for."""
    if not question.strip():
        return False

    found = by_finding_alone(facts, last, alone)
    return BASE + by_wording(question, facts, last) + found + MOST_BEHIND <= 0


def odds(
    question: str, facts: Sequence[str], last: Exchange, *, alone: Found, behind: Found
) -> float:
    """The log-odds that the question leans."""
    return BASE + by_wording(question, facts, last) + by_finding(facts, last, alone, behind)


def leans_by_words(prompt: Prompt) -> bool:
    """Whether the words alone make it likely enough that the last turn is needed."""
    last = prompt.history[-1] if prompt.history else None
    return last is not None and by_wording(prompt.question, prompt.facts, last) > WORDS_LEAN


def by_wording(question: str, facts: Sequence[str], last: Exchange) -> float:
    """What the words say."""
    low = question.lower().replace("\u2019", "'")
    content = set(stems(question))
    known = {stem for fact in facts for stem in stems(fact)}
    past = {*stems(last.question), *stems(last.reply)}
    count = max(1, len(content))
    leaning = sum(
        worth
        for words, worth in WORDED.items()
        if (words.match(low) if words is GOES_ON else words.search(low))
    )
    return (
        leaning
        + NO_STEM * (not content)
        + STEM * min(len(content), MOST_STEMS)
        + KNOWN * len(content & known) / count
        + SHARED * len(content & past) / count
        + LENGTH * math.log(1 + len(words_of(question)))
    )


def by_finding(facts: Sequence[str], last: Exchange, alone: Found, behind: Found) -> float:
    """What was found says."""
    return (
        by_finding_alone(facts, last, alone)
        + CLEAR_BEHIND * log_chance(max(behind.chances))
        + AHEAD_BEHIND * ahead(behind)
        + NONE_BEHIND * log_chance(1 - sum(behind.chances))
        + SAME * (best(alone.scores) == best(behind.scores))
    )


def by_finding_alone(facts: Sequence[str], last: Exchange, alone: Found) -> float:
    """What was found without the last turn says."""
    return (
        CLEAR_ALONE * log_chance(max(alone.chances))
        + AHEAD_ALONE * ahead(alone)
        + SAID * (best(alone.scores) == said_last(facts, last))
    )


def said_last(facts: Sequence[str], last: Exchange) -> int | None:
    """The fact that the last reply read out, by its words; None: it said none."""
    met = Index(tuple(tuple(stems(fact)) for fact in facts)).scores(stems(last.reply))
    return best(met) if max(met) > 0 else None


def best(scores: Sequence[float]) -> int:
    """Where the highest stands."""
    return max(range(len(scores)), key=lambda place: scores[place])


def ahead(found: Found) -> float:
    """How far the best fact lies before the second, in logits."""
    ranked = sorted(found.scores, reverse=True)
    return min(MOST_AHEAD, ranked[0] - ranked[1]) if len(ranked) > 1 else MOST_AHEAD


def log_chance(chance: float) -> float:
    """Its logarithm, not below that of LEAST."""
    return math.log(max(chance, LEAST))


def needed(prompt: Prompt, found: Found) -> Prompt:
    """The prompt with as much of the talk as its question leans on: nothing, or the last turn that
    said something. A refusal that is read again makes the next one likelier."""
    told = [past for past in prompt.history[-1:] if not past.reply.startswith(UNKNOWN)]
    return replace(prompt, history=tuple(told) if found.leans else ())
