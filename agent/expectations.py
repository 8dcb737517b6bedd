"""What must come of a talk, against what came of it: one clear sentence for everything amiss. Pure.

Rule 1. Loudness is measured in the recording, in blocks of 20 ms, against the agent's own loudness
        in the second before the person's line.
Rule 2. What cannot be measured is amiss: an expectation is never passed over in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, zip_longest

import numpy as np

from atonce.agent.caller_sounds import SpokenLine
from atonce.agent.events import (
    ErrorRaised,
    LoopMeasured,
    SentenceSaid,
    SessionEvent,
    StateChanged,
    TalkEnded,
)
from atonce.agent.talk_format import Expected, ExpectedLine, ExpectedTurn
from atonce.agent.talk_record import Recording, between, holds, plain, prompt_of
from atonce.agent.talk_script import Talk
from atonce.agent.talk_turns import TalkTurn
from atonce.agent.voice_track import BLOCK_S, STILL_DB, VoiceTrack
from atonce.speech.chunker import chunks
from atonce.speech.spoken import speak, speakable

DUCKED_DB = 20.0
"""So far down, a voice is in nobody's way."""
BACK_DB = 6.0
"""A voice is back at its level within so much: syllables differ."""
_BEFORE_S = 1.0
_HELD_S = 0.1
"""A duck lasts that long at least; the gap between two words does not."""
_AFTER_S = 0.3
"""Of a line that is over, in which the agent has to be silent still."""
_WHOLE = 0.9
"""Share of a word that has to be there where nothing may be lost."""


def unmet(talk: Talk, recording: Recording, turns: Sequence[TalkTurn]) -> list[str]:
    """All that was expected and is not so."""
    events = recording.events
    return [
        *_about_the_script(recording),
        *_about_turns(talk.turns, recording, turns),
        *(sentence for line in talk.lines for sentence in _about_line(line, recording)),
        *_about_sound(talk.expected, recording, turns),
        *_about_states(talk.expected, events),
        *_about_events(talk.expected, events),
    ]


# ---- the script itself ----


def _about_the_script(recording: Recording) -> Iterator[str]:
    for number in recording.unsaid:
        yield f"line {number} was never said: what it waits for did not come"

    if recording.is_timed_out:
        yield f"the talk did not end: it was stopped after {recording.seconds:.0f} s (at_most_s)"


# ---- turns ----


def _about_turns(
    expected: Sequence[ExpectedTurn] | None, recording: Recording, turns: Sequence[TalkTurn]
) -> Iterator[str]:
    if expected is None:
        return

    if len(expected) != len(turns):
        asked = "; ".join(repr(turn.question) for turn in turns) or "none"
        yield f"replies to {len(expected)} questions were expected, not to {len(turns)}: {asked}"

    for number, (wanted, turn) in enumerate(zip(expected, turns, strict=False), start=1):
        for sentence in _about_turn(wanted, turn, recording):
            yield f"turn {number}: {sentence}"


def _about_turn(wanted: ExpectedTurn, turn: TalkTurn, recording: Recording) -> Iterator[str]:
    said = turn.reply.text if turn.reply else ""
    yield from _missing("was heard", turn.question, wanted.heard)
    yield from _missing("was replied", said, wanted.reply)

    for words in wanted.lacks:
        if holds(said, words):
            yield f'the reply must not hold "{words}", but is "{said}"'

    source = turn.source or "nobody"

    if wanted.source is not None and source != wanted.source:
        yield f"the reply was to come from {wanted.source}, not from {source}"

    yield from _about_time(wanted, turn)
    yield from _about_steps(wanted, turn)
    yield from _about_end(wanted, turn, recording)


def _missing(what: str, text: str, wanted: Sequence[str]) -> Iterator[str]:
    for words in wanted:
        if not holds(text, words):
            yield f'"{words}" is not in what {what}: "{text}"'


def _about_time(wanted: ExpectedTurn, turn: TalkTurn) -> Iterator[str]:
    if wanted.within_ms is None:
        return

    took_ms = turn.first_audio_ms

    if took_ms is None:
        yield f"its first sound was to come within {wanted.within_ms} ms, and never came"
    elif took_ms > wanted.within_ms:
        yield f"its first sound came after {took_ms} ms, not within {wanted.within_ms} ms"


def _about_steps(wanted: ExpectedTurn, turn: TalkTurn) -> Iterator[str]:
    steps = turn.planned_steps
    most = wanted.most_steps if wanted.most_steps is not None else steps

    if not (wanted.fewest_steps or 0) <= steps <= most:
        yield (
            f"it was to be planned with {wanted.fewest_steps or 1} to {most} steps, not with"
            f" {steps}"
        )


def _about_end(wanted: ExpectedTurn, turn: TalkTurn, recording: Recording) -> Iterator[str]:
    if wanted.cut is not None and (turn.ended is None or turn.is_cut != wanted.cut):
        ended = "was cut" if turn.is_cut else "was not cut"
        found = "never ended" if turn.ended is None else ended
        yield f"the reply was {'' if wanted.cut else 'not '}to be cut, and {found}"

    if wanted.remembered is True:
        yield from _about_memory(turn, recording)

    prompt = prompt_of(turn, recording)
    past = " ".join(f"{ex.question} {ex.reply}" for ex in (prompt.history if prompt else ()))

    if wanted.prompt and prompt is None:
        yield "nobody knows what its prompt was: that takes scripted engines"
    else:
        yield from _missing("stands in its prompt", past, wanted.prompt)

    for words in wanted.prompt_lacks:
        if holds(past, words):
            yield f'"{words}" must not stand in its prompt, which holds "{past}"'


def _about_memory(turn: TalkTurn, recording: Recording) -> Iterator[str]:
    """What is remembered of a reply is what sounded, up to one word."""
    if recording.words is None or turn.ended is None:
        yield "nobody knows what sounded of the reply: that takes scripted engines and an end"
        return

    begin_s = turn.audible_s or 0.0
    sounded = between(recording.words, begin_s - BLOCK_S, turn.ended.at_s + BLOCK_S)
    heard = plain(speakable(turn.ended.heard)).split()  # as it is said
    really = plain(" ".join(word.text for word in sounded)).split()
    shorter = min(len(heard), len(really))

    if abs(len(heard) - len(really)) > 1 or heard[:shorter] != really[:shorter]:
        yield f'"{" ".join(really)}" sounded, and "{turn.ended.heard}" is remembered'


# ---- loudness around the person's lines ----


def _about_line(wanted: ExpectedLine, recording: Recording) -> Iterator[str]:
    found = [line for line in recording.lines if line.number == wanted.line]

    if not found:
        yield f"line {wanted.line} was to be measured, and was never said"
        return

    voice = VoiceTrack(recording.played, recording.rate_hz)
    line = found[0]
    level_db = voice.level_db(line.begin_s - _BEFORE_S, line.begin_s)

    if level_db < STILL_DB:
        yield f"line {wanted.line}: the agent was silent already when it began"
        return

    yield from (
        f"line {wanted.line}: {sentence}" for sentence in _measured(wanted, line, voice, level_db)
    )


def _measured(
    wanted: ExpectedLine, line: SpokenLine, voice: VoiceTrack, level_db: float
) -> Iterator[str]:
    ducked_s = voice.falls_s(line.begin_s, level_db - DUCKED_DB, _HELD_S)
    ducked_ms = None if ducked_s is None else round(1000 * (ducked_s - line.begin_s))

    if wanted.ducked_within_ms is not None and not _in_time(ducked_ms, wanted.ducked_within_ms):
        found = "never was" if ducked_ms is None else f"was after {ducked_ms} ms"
        yield (
            f"the agent's voice was to be {DUCKED_DB:.0f} dB down within"
            f" {wanted.ducked_within_ms} ms of its onset, and {found}"
        )

    if wanted.silent_within_ms is not None:
        from_s = line.begin_s + wanted.silent_within_ms / 1000
        until_s = max(line.end_s, from_s + _AFTER_S)
        last_s = voice.last_above_s(from_s, until_s, STILL_DB)

        if last_s is not None:
            yield (
                f"the agent was to be silent {wanted.silent_within_ms} ms after its onset, and"
                f" still sounded after {1000 * (last_s - line.begin_s):.0f} ms"
            )

    if wanted.back_within_ms is not None and ducked_s is not None:
        back_s = voice.rises_s(ducked_s, level_db - BACK_DB)
        back_ms = None if back_s is None else round(1000 * (back_s - line.begin_s))

        if not _in_time(back_ms, wanted.back_within_ms):
            found = "never was" if back_ms is None else f"was after {back_ms} ms"
            yield (
                "the agent's voice was to be back at its level within"
                f" {wanted.back_within_ms} ms of its onset, and {found}"
            )

    if wanted.unmoved and ducked_s is not None and ducked_s < line.end_s + _AFTER_S:
        yield f"the agent's voice was to go on, and was down after {ducked_ms} ms"


def _in_time(took_ms: int | None, wanted_ms: int) -> bool:
    return took_ms is not None and took_ms <= wanted_ms


# ---- the agent's words ----


def _about_sound(
    expected: Expected, recording: Recording, turns: Sequence[TalkTurn]
) -> Iterator[str]:
    if not (expected.said or expected.unsaid or expected.whole):
        return

    if recording.words is None:
        yield "nobody knows which words sounded: said, unsaid and whole take scripted engines"
        return

    sounded = " ".join(word.text for word in recording.words)
    yield from _out_of_order(sounded, expected.said)
    yield from (
        f'"{words}" must not sound, and did: "{sounded}"'
        for words in expected.unsaid
        if holds(sounded, words)
    )

    if expected.whole:
        for number, turn in enumerate(turns, start=1):
            yield from _about_loss(number, turn, recording)


def _out_of_order(sounded: str, wanted: Sequence[str]) -> Iterator[str]:
    rest = f" {plain(sounded)} "

    for words in wanted:
        _, found, behind = rest.partition(f" {plain(words)} ")

        if found:
            rest = f" {behind}"
        else:
            yield f'"{words}" did not sound, or not in this order; what sounded: "{sounded}"'


def _about_loss(number: int, turn: TalkTurn, recording: Recording) -> Iterator[str]:
    """Every word of a reply sounded once, from its beginning to its end."""
    assert recording.words is not None  # the caller looked
    written = turn.reply.text if turn.reply else ""
    wanted = [word for chunk in chunks(speak(written)) for word in plain(chunk.text).split()]
    end_s = turn.ended.at_s if turn.ended else recording.seconds
    begin_s = end_s if turn.audible_s is None else turn.audible_s
    sounded = between(recording.words, begin_s - BLOCK_S, end_s + BLOCK_S)
    found = [word for sound in sounded for word in plain(sound.text).split()]
    torn = [word.text for word in sounded if word.share < _WHOLE]

    if found != wanted:
        at = next(i for i, (a, b) in enumerate(zip_longest(found, wanted)) if a != b)
        yield (
            f'turn {number}: the reply did not sound whole and once: "{" ".join(found)}",'
            f" which differs from word {at + 1} on"
        )
    elif torn:
        yield f"turn {number}: parts of these words were lost: {', '.join(torn)}"


# ---- what the session told ----


def _about_states(expected: Expected, events: Sequence[SessionEvent]) -> Iterator[str]:
    states = [event.state for event in events if isinstance(event, StateChanged)]
    changes = [*states[:1], *(after for before, after in pairwise(states) if after != before)]

    if expected.states and not _follow(changes, expected.states):
        yield (
            f"the states were to be {', '.join(expected.states)}, and were"
            f" {', '.join(changes) or 'none'}"
        )

    for state in expected.never:
        if state in states:
            yield f"the state {state} must not come, and came"


def _follow(states: Sequence[str], wanted: Sequence[str]) -> bool:
    """They stand there side by side."""
    count = len(wanted)
    places = range(len(states) - count + 1)
    return any(list(states[at : at + count]) == list(wanted) for at in places)


def _about_events(expected: Expected, events: Sequence[SessionEvent]) -> Iterator[str]:
    kinds = tuple(event.kind for event in events if isinstance(event, SentenceSaid))

    if expected.sentences is not None and kinds != expected.sentences:
        wanted, found = (", ".join(some) or "none" for some in (expected.sentences, kinds))
        yield f"the agent's own sentences were to be {wanted}, and were {found}"

    reasons = [event.reason for event in events if isinstance(event, TalkEnded)]

    if expected.ended is not None and reasons[-1:] != [expected.ended]:
        how = f"for {reasons[-1]}" if reasons else "not at all"
        yield f"the talk was to end for {expected.ended}, and ended {how}"

    errors = [event.message for event in events if isinstance(event, ErrorRaised)]

    if len(errors) != expected.errors:
        what = "; ".join(errors) or "none"
        yield f"{expected.errors} errors were expected, and there were {len(errors)}: {what}"

    lags = [event.lag_p99_ms for event in events if isinstance(event, LoopMeasured)]

    if expected.lag_ms is not None and max(lags, default=np.inf) > expected.lag_ms:
        found = f"was {max(lags):.0f} ms" if lags else "was not measured"
        yield f"the event loop's lag (p99) was to be at most {expected.lag_ms} ms, and {found}"
