"""What is said where nothing is asked: a greeting, thanks, who are you. Pure.

Rule 1. Only an utterance that is small talk from its first word to its last is taken for it; where
        one word is left over ("hi, when do you open"), it is a question.
Rule 2. Where somebody says two things at once, the last of KINDS counts: who thanks and says
        goodbye, is told goodbye.
Rule 3. The sentences are the operator's; an empty one leaves the reply to the writer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from atonce.llm.protocols import Prompt

OTHER = "other"
"""The sentence for small talk of no kind."""

# Said between, before and after all of it; it asks nothing by itself.
_FILLER_WORDS = (
    "oh ah um uh er erm hm so well and but ha haha wow aw now then there please sir madam mate dear"
    " love everyone everybody everything too very much really a lot an bunch ton million kindly for"
    " all you to your guys my friend robot machine computer voice guide though"
)
# What is said of each kind; of phrases that begin at the same word the longest counts.
_PHRASES: Mapping[str, str] = {
    "assent": (
        r"okay|ok|all right|alright|right|fine|sure|yes|yeah|yep|no|nope|good|great|perfect|cool"
        r"|lovely|brilliant|awesome|excellent|super|i see|got it|wait(?: a (?:moment|minute"
        r"|second))?|(?:one|just a) (?:moment|minute|second)|hold on|of course|never mind"
        r"|nevermind|no problem|no worries|sorry|i'm sorry|my mistake|really|interesting"
        r"|good to know|that's (?:fine|okay|ok|all right|good|great|perfect)"
    ),
    "hello": (
        r"hello|hi|hey|hiya|howdy|greetings|good (?:morning|afternoon|evening|day)|(?:morning"
        r"|afternoon|evening)(?=\W*$)|(?:nice|pleased|good|lovely) to meet you|is (?:anyone"
        r"|anybody|someone|somebody) there|(?:anyone|anybody) there|are you there"
        r"|can you hear me|do you hear me|is this thing (?:on|working)|are you listening|testing"
        r"|test|excuse me(?!\?)"
    ),
    "praise": (
        r"you(?:'re| are| were| have been|'ve been) (?:so |very |really |a |such )*(?:nice|kind"
        r"|funny|helpful|great|good|clever|smart|sweet|lovely|wonderful|amazing|star|great help"
        r"|big help)(?: help)?|(?:that's|that was|that is|how|it's|it is) (?:so |very "
        r"|really )*(?:nice|kind|great|helpful|good|lovely|wonderful|amazing|beautiful"
        r"|sweet)(?: of you| here)?|i (?:just )?(?:like|love) (?:you|it here|this(?: \w+)?"
        r"|your voice)|what a (?:nice|lovely|beautiful|great|wonderful|cool|pretty) \w+"
        r"|well done|good job|bravo"
    ),
    "insult": (
        r"(?:you(?:'re| are)? )?(?:so |such |a |an |really |just |bloody |stupid )*(?:stupid"
        r"|dumb|idiot|useless|rubbish|moron|crap|terrible|awful|no help)(?: (?:machine|robot"
        r"|thing|computer))?|(?:this|that|it)(?:'s| is) (?:so |really |totally )?(?:useless"
        r"|stupid|rubbish|terrible|awful|annoying|no help)|you suck|i hate (?:you|this(?: \w+)?"
        r"|it here)|shut (?:up|it)|go away|be quiet"
    ),
    "thanks": (
        r"thanks|thank you|thankyou|cheers|ta|much appreciated|i appreciate (?:it|that)"
        r"|(?:you've been|you were|that was|that's) (?:very |so |really |most )*helpful"
        r"|for (?:your|the|all your) (?:help|time|information)|anyway"
    ),
    "how_are_you": (
        r"how are you(?: doing| feeling)?(?: today)?|how(?:'s| is) (?:it going|life|your day"
        r"|everything)|how do you do|how have you been|what's up(?=\W*$)|are you (?:all right"
        r"|alright|okay|ok|well)|you (?:all right|alright|okay)"
    ),
    "who": (
        r"who are you|what are you|who(?:'s| is) (?:this|there|that|talking|speaking)|what(?:'s"
        r"| is) your name|do you have a name|tell me about yourself|introduce yourself"
        r"|who am i (?:talking|speaking) (?:to|with)|what should i call you|what do i call you"
        r"|where are you from|where do you come from|who (?:made|built|created) you"
    ),
    "machine": (
        r"are you (?:a |an |really a |actually a |just a )*(?:robot|machine|computer|bot|human"
        r"|person|ai|real|real person|human being|alive|real human|chatbot|recording|program)"
        r"|(?:so )?you(?:'re| are) (?:a |an |just a |really a )*(?:robot|machine|computer|bot"
        r"|human|person|ai|recording)|am i (?:talking|speaking) (?:to|with) (?:a |an )*(?:robot"
        r"|machine|computer|bot|human|person|ai|real person|recording)|is this (?:a "
        r"|an )*(?:robot|machine|computer|bot|recording|ai|real person)|do you (?:ever )?sleep"
        r"|do you have feelings|do you love me|do you like (?:your job|me)"
    ),
    "abilities": (
        r"help|help me|can you help(?: me)?|could you help(?: me)?|i need help"
        r"|what can you do(?: for me)?|what can i ask(?: you)?|what do you (?:know|do)"
        r"|how can you help(?: me)?|what can you (?:tell me|help (?:me )?with)"
        r"|how does this work|say something|talk to me"
    ),
    "fun": (
        r"tell (?:me|us) (?:a |another )?(?:joke|story|bedtime story|something funny|riddle)"
        r"|(?:can|could|will|would) you (?:please )?(?:sing(?: a song)?|dance|rap|tell (?:me"
        r"|us) a (?:joke|story))|sing(?: (?:me |us )?(?:a song|something))?|make me (?:laugh"
        r"|smile)|do you know (?:any |a )?(?:jokes?|songs?|stor(?:y|ies))|i'm bored"
        r"|will you marry me|(?:let's|can we) play (?:a game|something)"
    ),
    "goodbye": (
        r"goodbye|good bye|bye|bye bye|bye now|see (?:you|ya)(?: (?:later|soon|tomorrow|around"
        r"|then|next time)|(?=\W*$))|good night|night night|farewell|have a (?:nice|good|great"
        r"|lovely) (?:day|evening|one|night|time|weekend)|that's all(?: i (?:needed"
        r"|wanted)(?: to know)?)?|that is all|that's it|that was all|take care|i have to go"
        r"|i'm off|gotta go|so long|until next time"
    ),
    "again": (
        r"pardon(?: me)?|excuse me\?|what\?|sorry\?|huh|come again|say (?:that|it) again|(?:can"
        r"|could|would|will) you (?:please )?(?:repeat|say) (?:that|it)(?: again)?"
        r"|repeat(?: that| it)?|what did you (?:just )?say|what was that|i (?:didn't"
        r"|did not) (?:catch|get|hear|understand) (?:that|you|it)|i missed that"
        r"|i don't understand(?: you)?|i beg your pardon|once more|one more time"
    ),
}
KINDS = tuple(_PHRASES)
"""Every kind of small talk; for `again` what was said last is said once more, if there was any."""
FACTUAL = frozenset(("who", "machine", "abilities"))
"""What somebody's facts may answer better."""
_KNOWN = {kind: re.compile(rf"(?:{phrases})(?![\w'])") for kind, phrases in _PHRASES.items()}
_LONGEST_FIRST = sorted(_FILLER_WORDS.split(), key=len, reverse=True)
_FILLER = re.compile(rf"(?:{'|'.join(_LONGEST_FIRST)})(?![\w'])")
_GAP = re.compile(r"[\s.,;:!?\u2026-]+")
# Of small talk that says more ("thanks, we're off to the gate"), these parts can be answered.
_ANSWERABLE = ("hello", "praise", "insult", "thanks", "goodbye")
_ONCE = {kind: re.compile(rf"(?<![\w'])(?:{_PHRASES[kind]})(?![\w'])") for kind in _ANSWERABLE}


def kind_of(said: str) -> str | None:
    """The kind of small talk that all of this is; None where it is not, or not only that."""
    text, found, at = _plain(said), set[str](), 0

    while at < len(text):
        ends = {kind: hit.end() for kind, known in _KNOWN.items() if (hit := known.match(text, at))}
        longest = max(ends.values(), default=at)
        other = _FILLER.match(text, at) or _GAP.match(text, at)

        if longest > at and (other is None or longest >= other.end()):
            found |= {kind for kind, end in ends.items() if end == longest}
            at = longest
        elif other is not None:
            at = other.end()
        else:
            return None

    return max(found, key=KINDS.index, default=None)


def courtesy(prompt: Prompt, sentences: Mapping[str, str]) -> str:
    """What is said to small talk; empty where it is none, or the writer is to answer it.

    sentences: by KINDS; {role} in them stands for who the agent is.
    """
    kind, past = kind_of(prompt.question), prompt.history

    # What was cut off ends in dots: it is no answer to be said again.
    if kind == "again" and sentences.get(kind) and past and not past[-1].reply.endswith("\u2026"):
        return past[-1].reply

    return sentences.get(kind or "", "").replace("{role}", prompt.role)


def makeshift(prompt: Prompt, sentences: Mapping[str, str]) -> str:
    """What is said to any other small talk when the writer has no sentence for it; empty: none."""
    text = _plain(prompt.question)
    kinds = [kind for kind in _ANSWERABLE if _ONCE[kind].search(text)]
    return sentences.get(kinds[-1] if kinds else OTHER, "").replace("{role}", prompt.role)


def _plain(said: str) -> str:
    return " ".join(said.lower().replace("\u2019", "'").split())
