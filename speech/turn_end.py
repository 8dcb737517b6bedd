"""Is what was said so far complete? Judged by its words alone, at a pause. Pure.

Words that were cut off in the middle mostly show it at their end ("to the", "my number is 5 5 5"),
and a whole question mostly shows it too. What shows in neither is "unsure". A full stop proves
nothing: a transcriber puts one wherever the sound stops. A comma or dots prove a break.
"""

from __future__ import annotations

import re

from atonce.speech.endpoint import Completeness


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*|\d+(?:[.,:]\d+)*")
_BREAKS = (",", "-", "–", "—", "...", "…", ":", ";")
_NEVER_LAST = _listed(
    "a an the my your our their its every and or but nor because if whether than unless although"
    " i we i'm you're he's she's we're they're i'll we'll you'll i'd we'd i've we've let's"
    " um uh er erm ehm mm hmm very"
)
"""Words that always want another one after them."""
_PREPOSITIONS = _listed(
    "to of for from in on at by with without into onto about between through during under over near"
    " towards before after per via as like until since"
)
"""Last only in a question that begins with what it asks for ("what is it for")."""
_VERBS = _listed(
    "is are was were am be been do does did has have had can could will would shall should may"
    " might must want need"
)
"""Last only in a long question ("do you know where the loom is")."""
_NUMBERS = _listed(
    "zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    " fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty"
    " ninety hundred thousand million double triple point"
)
_DIGITS_FOLLOW = re.compile(
    r"\b(?:number|code|pin|phone|extension|postcode|zip|digits|id|dial|press|enter)\b"
)
"""Where these are spoken of, a number comes in groups with a breath between them."""
_DANGLES = re.compile(
    r"\b(?:tell me|know|wondering|(?:know|tell me|say) how (?:much|many|long|far)"
    r"|what kind|what time|i said|looking|is there|are there|so that|such)$"
)
"""Ends that want more, though their last word alone does not."""
_ASKS = re.compile(
    r"^(?:(?:and|so|but|okay|ok|hi|hello|hey|yes|well|excuse me|sorry|thanks|thank you|please|now"
    r"|good morning|good afternoon|good evening)\s+)*"
    r"(?:(?:until|till|from|since|by|before|after|at|on|in|for|to|with)\s+(?=what|which|when|who|how))?"
    r"(what|what's|whats|which|who|who's|whose|where|where's|when|when's|why|how|how's|is|are|am|was"
    r"|were|do|does|did|can|could|will|would|may|might|should|shall|has|have|isn't|aren't|don't"
    r"|doesn't|can't)\b"
)
_ASKS_FOR_A_THING = _listed("what what's which who who's whose where where's")
_WHOLE = re.compile(
    r"(?:(?:please|okay|ok|yes|well|oh|no) )?"
    r"(?:yes|no|yeah|yep|nope|thanks|thank you|thank you very much|many thanks"
    r"|goodbye|bye|bye bye|see you|stop|wait|hold on"
    r"|go on|go ahead|carry on|keep going|continue"
    r"|repeat that|say that again|never mind|no thanks|no thank you|yes please|sure|of course"
    r"|all right|alright|that's all|that is all|help|great|perfect|pardon|.+ please)"
)
"""Said whole, though they are no questions. A greeting and "sorry" are not among them: what is
asked mostly follows, after a breath."""
_SENTENCES = re.compile(r"[.!?]\s+(?=[A-Za-z])")
"""Where one sentence ends and the next begins; the point in a number is none."""
_FEWEST_WORDS = 3
"""A question of fewer words is the start of one more often than a whole one."""
_LONG_QUESTION = 5
"""Words of a question that may end in a verb."""


def completeness(text: str) -> Completeness:
    """Whether the words so far are all that somebody wants to say. What was told before the last
    sentence ("I found a card. Where is my parcel?") says nothing of that."""
    whole = _judged(text)

    if whole == "complete":
        return whole

    last = _SENTENCES.split(text)[-1]
    return _judged(last) if last != text and _is_question(last) else whole


def _is_question(text: str) -> bool:
    words = _WORD.findall(text.lower().replace("’", "'"))
    return len(words) >= _FEWEST_WORDS and _ASKS.match(" ".join(words)) is not None


def _judged(text: str) -> Completeness:
    words = _WORD.findall(text.lower().replace("’", "'"))
    plain = " ".join(words)

    if not words:
        return "unsure"

    if text.rstrip().endswith(_BREAKS):
        return "incomplete"

    if _WHOLE.fullmatch(plain):
        return "complete"

    asks = _ASKS.match(plain)

    if asks is None or len(words) < _FEWEST_WORDS:
        return "incomplete" if _wants_more(words, plain) else "unsure"

    return _judged_question(words, plain, asks[1])


def _wants_more(words: list[str], plain: str) -> bool:
    """The end of what is no question, or the beginning of one."""
    return (
        words[-1] in _NEVER_LAST | _PREPOSITIONS | _VERBS
        or _is_number(words[-1])
        or (_DANGLES.search(plain) is not None and len(words) > 1)
    )


def _judged_question(words: list[str], plain: str, asks: str) -> Completeness:
    last = words[-1]

    is_about_a_thing = asks in _ASKS_FOR_A_THING

    if last in _NEVER_LAST or (_DANGLES.search(plain) and not is_about_a_thing):
        return "incomplete"

    if _is_number(last):
        return "incomplete" if _DIGITS_FOLLOW.search(plain) else "unsure"

    if last in _PREPOSITIONS:
        return "unsure" if is_about_a_thing else "incomplete"

    if last in _VERBS:
        return "unsure" if len(words) >= _LONG_QUESTION else "incomplete"

    return "complete"


def _is_number(word: str) -> bool:
    return word[0].isdigit() or word in _NUMBERS
