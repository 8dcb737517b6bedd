"""Speech over the agent's voice: duck at once, then cut or go on. Pure.

Rule 1. It is decided within the time, whatever is missing: the onset is where the voice began, not
        where it was noticed. Only where the speech has ended its words are awaited a little longer,
        unless it was longer than all that people say while they listen; and where it has faded, and
        the agent's voice is silent anyway, it is awaited whether it has ended: that is known later
        than it is so.
Rule 2. What comes after a decision may overrule it: a transcript with words cuts even a voice that
        has gone on.
Rule 3. Where the agent hears itself, sound proves nothing: only words that are not its own count.
Rule 4. What is said because of a cry for help, or of a noise that does not end, is neither ducked
        nor cut by sound, only by words.
"""

from __future__ import annotations

from atonce.agent.turn_answers import consider, may_go_on
from atonce.agent.turn_events import Action, Kind, Reason
from atonce.agent.turn_rules import DECIDED_BEFORE_S, EPSILON_S, NOTICED_S, OVERHANG_S
from atonce.agent.turn_situation import Situation
from atonce.agent.turn_words import Utterance

_LISTENING_S = 0.75
"""What people say while they listen is shorter, the overhang of the voice detector included: a slow
"all right" lasts 0.64 s."""
_SHORT_OF_IT_S = 0.5
"""A reply that ends so soon after the onset was not spoken over: "yes" may be an answer to it."""
_FIRM: tuple[Kind, ...] = ("emergency", "too_quiet")
"""Said because of what sounds: rule 4."""


def duck(now: Situation, at_s: float, heard: Utterance) -> list[Action]:
    """A burst of speech begins over the agent's voice."""
    speech = now.voice.speech

    if speech is None or speech.kind in _FIRM or heard.is_spent or now.hears_itself(at_s):
        return []

    heard.is_undecided = True

    if now.voice.is_paused or speech.pauses >= now.rules.most_pauses:
        return []

    speech.pauses += 1
    return now.voice.pause(at_s)


def judge(now: Situation, at_s: float, heard: Utterance) -> list[Action]:
    """More is known of it, or time has passed."""
    if heard.is_spent:
        return []

    reason = _interruption(now, heard, at_s)

    if reason is not None:
        return cut(now, at_s, heard, reason)

    if heard.is_known and heard.is_over and not now.telling_words(heard):
        heard.is_spent = True

    if heard.is_known:
        heard.is_undecided = False
    elif heard.is_undecided and at_s >= decided_s(now, heard) - EPSILON_S:
        heard.is_undecided = _is_next_burst(heard)

    return go_on_speaking(now)


def decided_s(now: Situation, heard: Utterance) -> float:
    """When it is decided at the latest."""
    rules = now.rules
    deadline_s = heard.onset_s + rules.decide_s - DECIDED_BEFORE_S

    if heard.voice_s is None:
        is_listening = _sounds_like_listening(now, heard)
        return deadline_s if is_listening else deadline_s + rules.words_s

    enough_s = heard.voice_s + rules.barge_in_s - heard.spoken_s + NOTICED_S
    return min(deadline_s, enough_s) + _patience_s(now, heard)


def end_of_voice(now: Situation, at_s: float) -> None:
    """The reply is over; who began to speak only just before was not listening to it."""
    for one in now.open_utterances:
        one.is_undecided = False
        one.is_over_voice = one.is_over_voice and at_s - one.from_s >= _SHORT_OF_IT_S


def go_on_speaking(now: Situation) -> list[Action]:
    """Nothing that sounds may be an interruption: back to full level."""
    is_open = any(one.is_undecided for one in now.open_utterances)
    return [] if is_open else now.voice.resume()


def cut(now: Situation, at_s: float, heard: Utterance | None, reason: Reason) -> list[Action]:
    """The agent falls silent, and the talk is the person's."""
    speech, audible_s = now.voice.speech, now.voice.audible_s(at_s)
    assert speech is not None  # only what is audible is cut
    actions = now.voice.drop(reason)
    now.tells_too_long = False

    for one in now.utterances:
        one.is_undecided = False

    if heard is not None:
        heard.has_cut = True

    is_joined = reason in ("speech", "words", "button") and audible_s < now.rules.unheard_s
    again = [one for one in speech.utterances if one not in now.utterances]

    if is_joined and speech.asked:
        now.utterances = again + now.utterances

        for one in speech.utterances:
            one.is_spent = False
    else:
        now.cut_speech = speech if may_go_on(speech) else None

    return actions + consider(now, at_s)


def _interruption(now: Situation, heard: Utterance, at_s: float) -> Reason | None:
    rules = now.rules

    if rules.phrases.has_stop_word(heard.text):
        return "stop word"

    if now.telling_words(heard) >= rules.barge_in_words:
        return "words"

    if not heard.is_undecided or heard.is_known:
        return None

    is_enough = _has_lasted(now, heard, at_s) if heard.voice_s is None else _lasts(now, heard, at_s)
    return "speech" if is_enough else None


def _lasts(now: Situation, heard: Utterance, at_s: float) -> bool:
    """A voice that sounds is long enough."""
    rules, patience_s = now.rules, _patience_s(now, heard)
    sure_s = heard.voiced_s(at_s) - NOTICED_S
    deadline_s = heard.onset_s + rules.decide_s - DECIDED_BEFORE_S + patience_s

    if at_s >= deadline_s - EPSILON_S and not _has_gap(heard):
        # The time is up, and nothing says that the voice has ended.
        sure_s += NOTICED_S + DECIDED_BEFORE_S

    return sure_s >= rules.barge_in_s + patience_s - EPSILON_S


def _has_lasted(now: Situation, heard: Utterance, at_s: float) -> bool:
    """A voice that has ended was long enough, and its words do not come."""
    if heard.spoken_s - OVERHANG_S < now.rules.barge_in_s - EPSILON_S:
        return False

    is_long = heard.spoken_s >= max(_LISTENING_S, now.rules.barge_in_s + OVERHANG_S) - EPSILON_S
    is_listening = _sounds_like_listening(now, heard)
    return not is_listening and (is_long or at_s >= decided_s(now, heard) - EPSILON_S)


def _patience_s(now: Situation, heard: Utterance) -> float:
    """For so much longer it may turn out to have ended."""
    return NOTICED_S if now.voice.is_paused and heard.is_faded else 0.0


def _sounds_like_listening(now: Situation, heard: Utterance) -> bool:
    """The words of this burst are, so far, only what people say while they listen."""
    is_of_burst = heard.read_s > heard.onset_s + EPSILON_S
    return is_of_burst and now.rules.phrases.is_backchannel(heard.text)


def _is_next_burst(heard: Utterance) -> bool:
    """Its time is up; a burst of voice that sounds now is judged from its own onset."""
    if heard.voice_s is None or not _has_gap(heard):
        return False

    heard.onset_s = heard.voice_s
    return True


def _has_gap(heard: Utterance) -> bool:
    return heard.voice_s is not None and heard.voice_s > heard.onset_s + EPSILON_S
