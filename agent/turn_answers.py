"""What is done about the words of a turn, as long as nothing of an answer is audible. Pure.

Rule 1. Words are known, or nothing is done. The same words change nothing, other words replace the
        reply in hand.
Rule 2. What people say while they listen, said over a reply, is no question after it.
Rule 3. Nothing is released while the person speaks, save what cannot wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from atonce.agent.phrases import is_other_language, is_same
from atonce.agent.turn_events import Action, EndTalk, Kind
from atonce.agent.turn_situation import Situation
from atonce.agent.turn_voice import Speech
from atonce.agent.turn_words import Utterance, question, scope

_SAID_ONCE: tuple[Kind, ...] = ("greeting", "silence", "asked")
"""Cut, these are not said again."""


def consider(now: Situation, at_s: float) -> list[Action]:
    """Something has changed: perhaps a reply is to be begun, withdrawn or released."""
    if now.voice.is_audible:
        return []

    speech, together = now.voice.speech, _to_be_answered(now)
    is_due = any(one.is_due for one in together)
    is_over = is_due or not now.is_speech_on

    if speech is not None and speech.is_due:
        return _insist(now, at_s)

    if not together:
        return now.voice.release(at_s) if is_over else []

    if not all(one.is_known for one in together):
        return []

    words = question(together, now.rules.phrases)

    if _is_nothing(now, words, together):
        return _pass_over(now, at_s, words, together) if is_over else []

    if _wants_silence(now, together):
        return _fall_silent(now, together, is_over=is_over)

    return _reply(now, at_s, words, together, is_over=is_over, is_due=is_due)


def cry_for_help(now: Situation, at_s: float, heard: Utterance, sentence: str) -> list[Action]:
    """An emergency: the sentence is said at once, whatever else was going on."""
    _spend(now.utterances)
    speech = now.voice.speech

    if speech is not None and speech.kind == "emergency" and speech.text == sentence:
        return []

    now.cut_speech = None
    return now.voice.drop("emergency") + now.voice.say(
        at_s, "emergency", sentence, heard.text, [heard], is_due=True
    )


def failed(now: Situation, at_s: float, speech: Speech) -> list[Action]:
    """There is no sound of what was in hand, or no more."""
    if speech.kind == "goodbye":
        return end(now, "goodbye")

    is_open = now.is_speech_on or not all(one.is_known for one in scope(now.utterances))

    if speech.kind is None and is_open and not speech.is_due:
        now.drafts = now.rules.early_writes  # the next one after the endpoint
        return []

    _spend(speech.utterances)
    apology = now.rules.sentences.get("apology", "")

    if speech.kind is None and apology:
        return now.voice.say(at_s, "apology", apology, utterances=speech.utterances)

    return now.report("nothing is said, because the reply failed") + consider(now, at_s)


def over(now: Situation, at_s: float, speech: Speech) -> list[Action]:
    """What was to go on had been heard to its last word: there is nothing to add."""
    _spend(speech.utterances)
    now.cut_speech, now.continued = None, 0
    return now.report("nothing is left to be said") + consider(now, at_s)


def go_on(
    now: Situation, at_s: float, cut: Speech, asked: str, answered: Sequence[Utterance]
) -> list[Action]:
    """What was cut goes on; a fixed sentence is said again."""
    if cut.kind is not None:
        return now.voice.say(at_s, cut.kind, cut.text, cut.asked, answered, is_due=cut.is_due)

    is_early = now.is_speech_on
    return now.voice.write(at_s, asked, answered, is_early=is_early, is_due=False, continued=cut)


def may_go_on(speech: Speech) -> bool:
    """Cut, it is worth going on with."""
    return speech.kind not in _SAID_ONCE


def end(now: Situation, reason: Literal["goodbye", "silence"]) -> list[Action]:
    """The talk is over."""
    now.has_ended = True
    now.voice.speech = now.pressed_s = None
    now.utterances.clear()
    now.sentences.clear()
    return [EndTalk(reason)]


def _is_nothing(now: Situation, words: str, together: Sequence[Utterance]) -> bool:
    """No words, or a backchannel to something that was cut."""
    speech = now.voice.speech

    if not words or (speech is not None and is_same(speech.asked, words)):
        return not words

    is_listening = any(one.has_cut for one in together) or (speech is not None and speech.continues)
    return is_listening and not any(map(now.telling_words, together))


def _to_be_answered(now: Situation) -> list[Utterance]:
    """Rule 2."""
    together = scope(now.utterances)
    listening = [
        one
        for one in together
        if one.is_over_voice and one.is_known and not one.has_cut and not now.telling_words(one)
    ]
    _spend([one for one in listening if one.is_over])
    return [one for one in together if one not in listening]


def _pass_over(
    now: Situation, at_s: float, words: str, together: Sequence[Utterance]
) -> list[Action]:
    """What was heard needs no answer: what was in hand or was cut by it goes on."""
    _spend(together)
    actions = now.report(f"no answer is due to {words!r}") if words else []

    if now.voice.speech is not None:
        return actions + now.voice.release(at_s)

    cut = now.cut_speech if any(one.has_cut for one in together) else None
    is_left = now.continued < now.rules.most_continued or now.rules.phrases.is_go_on(words)

    if cut is not None and is_left:
        now.continued += 1
        return actions + go_on(now, at_s, cut, words, together)

    return actions + _complain(now, at_s, together)


def _complain(now: Situation, at_s: float, together: Sequence[Utterance]) -> list[Action]:
    """Somebody spoke and was not understood, or a noise did not end: said once."""
    sentence = now.rules.sentences.get("too_quiet", "")
    is_wanted = any(one.is_quiet or one.is_cut_off for one in together)

    if not sentence or not is_wanted or now.has_told_noise:
        return []

    now.has_told_noise = True
    return now.voice.say(at_s, "too_quiet", sentence, is_due=any(one.is_due for one in together))


def _wants_silence(now: Situation, together: Sequence[Utterance]) -> bool:
    """The last words are a stop word and nothing else, and there is something to be stopped."""
    phrases, speech = now.rules.phrases, now.voice.speech
    spoken = [one for one in together if now.telling_words(one)]

    if not spoken:
        return False

    last = spoken[-1]
    is_against = speech is not None and last not in speech.utterances
    is_meant = last.has_cut or len(spoken) > 1 or is_against
    return is_meant and phrases.is_stop(last.text)


def _insist(now: Situation, at_s: float) -> list[Action]:
    """What cannot wait is not replaced: what was said meanwhile is answered after it."""
    known = [one for one in now.open_utterances if one.is_known and one.is_over]

    if _wants_silence(now, known):
        return _fall_silent(now, known, is_over=True)

    return now.voice.release(at_s)


def _fall_silent(now: Situation, together: Sequence[Utterance], *, is_over: bool) -> list[Action]:
    actions = now.voice.drop("stop word")

    for one in together:
        one.has_cut = True

    if is_over:
        _spend(together)
        actions += now.report("the person wants silence")

    return actions


def _reply(
    now: Situation,
    at_s: float,
    words: str,
    together: Sequence[Utterance],
    *,
    is_over: bool,
    is_due: bool,
) -> list[Action]:
    speech = now.voice.speech

    if speech is not None and is_same(speech.asked, words):
        speech.utterances = list(together)
        speech.is_due = is_due
        return now.voice.release(at_s) if is_over else []

    if speech is not None and speech.kind == "asked":
        now.sentences.appendleft(speech.text)  # its time comes after the answer

    actions = now.voice.drop("words")

    if not is_over:
        is_left = now.may_draft and now.drafts < now.rules.early_writes

        if not is_left:
            return actions

        now.drafts += 1

    now.tells_too_long = any(one.is_cut_off for one in together)
    return actions + _answer(now, at_s, words, together, is_early=not is_over, is_due=is_due)


def _answer(
    now: Situation,
    at_s: float,
    words: str,
    together: Sequence[Utterance],
    *,
    is_early: bool,
    is_due: bool,
) -> list[Action]:
    rules = now.rules

    if _is_foreign(now, together) and (sentence := rules.sentences.get("other_language", "")):
        return now.voice.say(at_s, "other_language", sentence, words, together, is_due=is_due)

    if rules.phrases.is_goodbye(words):
        if sentence := rules.sentences.get("goodbye", ""):
            return now.voice.say(at_s, "goodbye", sentence, words, together, is_due=is_due)

        return [] if is_early else end(now, "goodbye")

    if now.cut_speech is not None and rules.phrases.is_go_on(words):
        return go_on(now, at_s, now.cut_speech, words, together)

    return now.voice.write(at_s, words, together, is_early=is_early, is_due=is_due)


def _is_foreign(now: Situation, together: Sequence[Utterance]) -> bool:
    """Every utterance with words is in another language, as the ears say or its words show."""
    language = now.rules.language
    spoken = [one for one in together if one.text]
    return all(
        one.language != language if one.language else is_other_language(one.text, language)
        for one in spoken
    )


def _spend(utterances: Sequence[Utterance]) -> None:
    for one in utterances:
        one.is_spent, one.is_undecided = True, False
