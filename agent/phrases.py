"""Words that mean more than they say: stop, mhm, goodbye, go on, a cry for help. Pure.

Rule 1. Capitals, punctuation and hyphens do not count; apostrophes do.
Rule 2. What an utterance *is* (a backchannel, a goodbye) holds only when it is nothing else: small
        words of courtesy and hesitation may stand around it, others may not.
Rule 3. A stop word and an emergency are found anywhere among the words.
Rule 4. Who was heard for a blink said something *likely*: a word that asks, a number, a word of the
        place, or one of these lists. Whatever else a transcriber finds there was made up.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self

from atonce.agent.content_words import stems_of
from atonce.config.schema import Settings

Phrase = tuple[str, ...]
"""A phrase as its words."""

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_DRAWN_OUT = re.compile(r"(.)\1{2,}")
_PADDING = frozenset(("please", "oh", "well", "so", "and", "then", "now", "hey", "but", "just"))
"""Words that change nothing about a stop, a goodbye or a "go on"."""
_SOUNDS = frozenset(["mhm", "mm", "hm", "hmm", "uh", "um", "er", "erm", "ah", "oh", "eh", "huh"])
"""Sounds of somebody who listens or thinks; a transcriber writes them down as words."""
_OWN_VOICE_WORDS = 4
"""Fewer words that the agent said, too, may well be a person's: "at five pm?"."""
_OWN_VOICE_SHARE = 0.6
"""Of the pairs of neighbours; a transcriber mishears an echo now and then."""
_ONE_WORD = 6
"""Letters of a phrase that may be written as one word: "goon" is another one."""
_FOREIGN_WORDS = 3
"""In fewer words no language shows for sure."""


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


_COMMON: Mapping[str, frozenset[str]] = {
    "en": _listed(
        "the a an of to in is are was do does did can could would will you i we it my your and or"
        " for on at with what when where which who how much many there have has be this that not"
        " please me open close tell any"
    ),
    "de": _listed(
        "der das und ist nicht ich sie wir ein eine einen wie wo wann viel kostet haben hat mit für"
        " auf von zu den dem kann können bitte gibt es öffnet hallo guten tag danke noch auch"
    ),
    "fr": _listed(
        "le la les est une et je vous nous pas que qui quoi où quand combien pour avec dans sur des"
        " du ce cette c'est s'il plaît bonjour merci avez ouvert peut il elle à quelle heure"
    ),
    "es": _listed(
        "el la los las es una y yo usted que qué cómo cuándo cuánto dónde por para con en del hay"
        " está puede favor hola gracias cuesta tiene abre hora a quiero"
    ),
    "it": _listed(
        "il lo gli è una e io che chi come quando quanto dove per con di del della c'è sono può"
        " favore ciao grazie costa avete apre ora aperto biglietto vorrei"
    ),
    "pt": _listed(
        "o os as é uma e eu você que como quando quanto onde por para com do da em há está pode"
        " favor olá obrigado obrigada custa tem abre hora quero"
    ),
    "nl": _listed(
        "de het een en ik je u wij niet wat waar wanneer hoeveel hoe met voor van naar kan kunnen"
        " alstublieft hallo dank kost heeft zijn er open ook"
    ),
    "pl": _listed(
        "i w na nie jest to się z do jak gdzie kiedy ile kosztuje czy proszę dzień dobry dziękuję"
        " mam mogę otwarte"
    ),
}
"""Small words of languages that a visitor may speak; English as it is asked in questions."""


_ASKING: Mapping[str, frozenset[str]] = {
    "en": _listed(
        "what what's when when's where where's which who who's whose why how how's is are can could"
        " do does may will would again repeat pardon sorry louder slower help"
    )
}
"""Words of short calls, by language; where there are none everything is likely."""


@dataclass(frozen=True, slots=True)
class Emergency:
    """Words that leave no time for a model, and what is said to them."""

    phrases: tuple[str, ...]
    """Any of these."""
    say: str
    """The sentence."""


@dataclass(frozen=True, slots=True)
class Phrases:
    """The lists. Phrases are written as people write them; see rule 1."""

    stop_words: tuple[str, ...] = ("stop", "wait", "no", "hold on", "be quiet")
    """Over the agent's voice, these cut it at once."""
    backchannels: tuple[str, ...] = ("mhm", "mm-hmm", "uh-huh", "okay", "ok", "yeah", "I see")
    """What people say while they listen."""
    goodbyes: tuple[str, ...] = ("goodbye", "bye", "see you", "that's all")
    """What ends a talk."""
    go_on: tuple[str, ...] = ("go on", "continue", "carry on", "keep going")
    """What makes a reply that was cut go on."""
    emergencies: tuple[Emergency, ...] = ()
    """In the order in which they are looked for."""
    language: str = ""
    """Of the talk (ISO 639-1); empty: everything that is heard is likely."""
    place: frozenset[str] = frozenset()
    """What the place is about, as stems (content_words.py)."""
    _split: dict[str, frozenset[Phrase]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lists = ("stop_words", "backchannels", "goodbyes", "go_on")
        split = {name: _phrases(getattr(self, name)) for name in lists}
        object.__setattr__(self, "_split", split)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """As the settings list them."""
        turn = settings.turn
        return cls(
            stop_words=turn.stop_words,
            backchannels=turn.backchannels,
            goodbyes=turn.goodbyes,
            go_on=turn.go_on,
            emergencies=tuple(
                Emergency(emergency.phrases, emergency.say)
                for emergency in settings.agent.emergencies.values()
            ),
            language=settings.transcriber.language,
            place=stems_of(_about(settings)),
        )

    def is_backchannel(self, text: str) -> bool:
        """Nothing but what people say while they listen; "go on" is said so, too."""
        words = words_of(text)
        return bool(words) and _is_made_of(words, self._listening())

    def telling_words(self, text: str) -> int:
        """How many words are left without those that people say while they listen."""
        words = words_of(text)
        listening = self._listening()
        at = count = 0

        while at < len(words):
            lengths = [len(phrase) for phrase in listening if words[at:][: len(phrase)] == phrase]
            count += not lengths
            at += max(lengths, default=1)

        return count

    def is_likely(self, text: str) -> bool:
        """Rule 4."""
        words = words_of(text)
        asking = _ASKING.get(self.language)
        is_known = asking is None or any(word in asking or word.isdigit() for word in words)
        is_meant = any(
            _has(words, phrase) for phrases in self._split.values() for phrase in phrases
        )
        return is_known or is_meant or bool(stems_of(text) & self.place)

    def is_goodbye(self, text: str) -> bool:
        """A goodbye and nothing else, thanks aside."""
        return self._is_only(text, "goodbyes")

    def is_go_on(self, text: str) -> bool:
        """The person wants the rest."""
        return self._is_only(text, "go_on")

    def is_stop(self, text: str) -> bool:
        """The person wants silence, and nothing else."""
        return self._is_only(text, "stop_words")

    def has_stop_word(self, text: str) -> bool:
        """A stop word is among the words."""
        words = words_of(text)
        return any(_has(words, phrase) for phrase in self._split["stop_words"])

    def emergency(self, text: str) -> str | None:
        """What is to be said at once; None: no emergency."""
        words = words_of(text)

        for emergency in self.emergencies:
            if any(_has(words, phrase) for phrase in _phrases(emergency.phrases)):
                return emergency.say

        return None

    def beside_own_voice(self, text: str, said: str) -> str:
        """The words of a person in what was heard together with the agent's own voice.

        All of them where the own voice is not clearly among them; none where it is all there is.
        What the transcriber misheard inside the own voice is none either.
        """
        if not is_own_voice(text, said):
            return text

        words = text.split()
        own = _own_places(words, said)
        kept: list[str] = []

        for first, end in _gaps(own):
            piece = " ".join(words[first:end])
            is_inside = first > 0 and end < len(words)

            if self.has_stop_word(piece) or (end - first > 1 and not is_inside) or end - first > 2:
                kept.append(piece)

        return " ".join(kept)

    def _listening(self) -> frozenset[Phrase]:
        return self._split["backchannels"] | self._split["go_on"] | {(word,) for word in _SOUNDS}

    def _is_only(self, text: str, name: str) -> bool:
        words = words_of(text)
        wanted = self._split[name]
        around = self._split["backchannels"] | {(word,) for word in _PADDING | _SOUNDS}
        found = any(_has(words, phrase) for phrase in wanted)
        return found and _is_made_of(words, wanted | around)


def _about(settings: Settings) -> str:
    """Everything that the place is known for."""
    agent = settings.agent
    live = [fact.sentence for fact in agent.live_facts.values()]
    return " ".join([agent.role, *agent.facts.values(), *live])


def words_of(text: str) -> Phrase:
    """The words of a text as they are compared."""
    plain = text.lower().replace("’", "'")
    return tuple(_DRAWN_OUT.sub(r"\1\1", word) for word in _WORD.findall(plain))


def is_same(one: str, other: str) -> bool:
    """The same words, sounds of hesitation and listening aside."""
    first, second = words_of(one), words_of(other)
    return first == second or _without_sounds(first) == _without_sounds(second) != ()


def is_own_voice(text: str, said: str) -> bool:
    """What was heard is what the agent itself just said, or a piece of it.

    A few words are never taken for it: a person may repeat them. For transcripts of utterances that
    began while the agent was audible, or a moment after.
    """
    heard = words_of(text)

    if len(heard) < _OWN_VOICE_WORDS:
        return False

    pairs = set(pairwise(words_of(said)))
    known = sum(1 for pair in pairwise(heard) if pair in pairs)
    return known >= _OWN_VOICE_SHARE * (len(heard) - 1)


def _own_places(words: Sequence[str], said: str) -> list[bool]:
    """Which of the words stand beside the same neighbour in what the agent said."""
    pairs = set(pairwise(words_of(said)))
    plain = [" ".join(words_of(word)) for word in words]
    known = [pair in pairs for pair in pairwise(plain)]
    return [one or other for one, other in zip([False, *known], [*known, False], strict=True)]


def _gaps(own: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """First and end of the stretches that are not own."""
    first = 0

    for place, is_own in enumerate([*own, True]):
        if is_own:
            if place > first:
                yield first, place

            first = place + 1


def is_other_language(text: str, language: str) -> bool:
    """The words are clearly of a language other than this one (ISO 639-1)."""
    own = _COMMON.get(language)
    words = words_of(text)

    if own is None:
        return False

    if _is_other_script(text):
        return True

    if len(words) < _FOREIGN_WORDS:
        return False

    known = sum(1 for word in words if word in own)
    foreign = max(
        _foreign(words, theirs - own) for code, theirs in _COMMON.items() if code != language
    )
    return foreign >= 2 and foreign > known


def _foreign(words: Sequence[str], theirs: frozenset[str]) -> int:
    return len({word for word in words if word in theirs})


def _is_other_script(text: str) -> bool:
    """Most letters are not Latin ones, as those of all languages listed here are."""
    letters = [character for character in text if character.isalpha()]
    latin = sum(1 for letter in letters if unicodedata.name(letter, "").startswith("LATIN"))
    return len(letters) >= _FOREIGN_WORDS and latin * 2 < len(letters)


def _phrases(texts: Iterable[str]) -> frozenset[Phrase]:
    """Also as one word, where that is no other: transcribers write "nevermind"."""
    phrases = {phrase for text in texts if (phrase := words_of(text))}
    joined = {("".join(phrase),) for phrase in phrases}
    return frozenset(phrases | {one for one in joined if len(one[0]) >= _ONE_WORD})


def _has(words: Phrase, phrase: Phrase) -> bool:
    last = len(words) - len(phrase)
    return any(words[at : at + len(phrase)] == phrase for at in range(last + 1))


def _is_made_of(words: Phrase, phrases: frozenset[Phrase]) -> bool:
    """The words are some of the phrases, one after the other."""
    reached = {0}

    for at in range(len(words)):
        if at in reached:
            rest = words[at:]
            reached |= {at + len(phrase) for phrase in phrases if rest[: len(phrase)] == phrase}

    return len(words) in reached


def _without_sounds(words: Phrase) -> Phrase:
    return tuple(word for word in words if word not in _SOUNDS)
