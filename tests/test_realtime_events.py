"""The events of a talk in the names of OpenAI's Realtime API, and the commands of a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.agent import events as e
from atonce.agent import talk_script
from atonce.agent.realtime_commands import (
    LONGEST_MESSAGE,
    LONGEST_QUESTION,
    Ask,
    ChooseSteps,
    Forget,
    Note,
    RealtimeCommands,
    Refuse,
    Stop,
    TellDelay,
)
from atonce.agent.realtime_events import Message, Opening, RealtimeEvents
from atonce.agent.rehearsal import rehearse
from atonce.agent.reply_check import Problem, Verdict
from atonce.agent.reply_rules import Reply
from atonce.llm.protocols import Cell, Draft, Plan

TALKS = Path(__file__).parents[1] / "examples" / "talks"
SPEECH_STARTED = "input_audio_buffer.speech_started"
STARTED, STOPPED, CLEARED = (
    f"output_audio_buffer.{what}" for what in ("started", "stopped", "cleared")
)


def draft(step: int) -> Draft:
    cells = (Cell(7, "Nine", is_open=False, confidence=0.9), Cell(0, "", True, 0.0))
    return Draft(step=step, steps=2, cells=cells)


REPLY = Reply("We open at 9.", "denoiser", steps=2, repaired=0, forced=False)
TURN: list[e.SessionEvent] = [
    e.StateChanged(10.0, "hearing"),
    e.SpeechDetected(10.0, from_s=9.8),
    e.WordsHeard(10.6, "When do", settled=1),
    e.WordsHeard(11.0, "When do you", settled=2),
    e.SpeechPaused(11.4, speech_end_s=11.2),
    e.WordsHeard(11.5, "When do you open?", settled=4, is_final=True),
    e.ReplyStarted(11.5, reply=3, question="When do you open?", is_early=True),
    e.PlanMade(11.5, Plan(steps=2, canvas=16), "600 ms are left", reply=3),
    e.PromptRead(11.55, tokens=40),
    e.DraftMade(11.6, draft(1), repair=0),
    e.DraftMade(11.65, draft(2), repair=0),
    e.ReplyChecked(11.66, Verdict(()), final=True),
    e.ReplySettled(11.66, REPLY, number=3),
    e.ReplyWaits(11.7, reply=3),
    e.SpeechStopped(11.72, speech_end_s=11.2),
    e.FirstAudio(11.8, reply=3),
]


def told(*happened: e.SessionEvent) -> list[Message]:
    events = RealtimeEvents(began_s=5.0)
    return [message for event in happened for message in events.translate(event)]


def only(messages: list[Message], name: str) -> list[Message]:
    return [message for message in messages if message["type"] == name]


def test_a_turn_is_told_in_the_names_that_clients_of_openai_know() -> None:
    messages = told(*TURN, e.ReplyEnded(13.0, "We open at 9.", is_cut=False, reply=3))
    names = [message["type"] for message in messages]
    theirs = [name for name in names if not str(name).startswith("atonce.")]

    assert theirs == [
        "input_audio_buffer.speech_started",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.delta",
        "response.created",
        "response.output_audio_transcript.delta",
        "response.output_audio_transcript.done",
        "input_audio_buffer.speech_stopped",
        "conversation.item.input_audio_transcription.completed",
        "output_audio_buffer.started",
        "output_audio_buffer.stopped",
        "response.done",
    ]
    assert json.loads(json.dumps(messages)) == messages


def test_each_message_has_a_number_of_its_own() -> None:
    messages = told(*TURN)
    assert len({message["event_id"] for message in messages}) == len(messages)


def test_times_count_from_the_beginning_of_the_talk() -> None:
    messages = told(*TURN)
    assert only(messages, "input_audio_buffer.speech_started")[0]["audio_start_ms"] == 4800
    assert only(messages, "input_audio_buffer.speech_stopped")[0]["audio_end_ms"] == 6200


def test_transcript_deltas_join_to_the_words_that_stay() -> None:
    deltas = only(told(*TURN), "conversation.item.input_audio_transcription.delta")
    assert "".join(str(message["delta"]) for message in deltas) == "When do you open?"


def test_words_that_may_still_change_are_told_under_our_own_name() -> None:
    first = only(told(*TURN), "atonce.words")[0]
    assert (first["text"], first["settled"]) == ("When do", 1)


def test_all_that_concerns_one_reply_carries_its_id() -> None:
    messages = told(*TURN)
    ids = {message["response_id"] for message in messages if "response_id" in message}
    assert ids == {"resp_3"}


def test_the_canvas_is_told_with_open_positions_and_confidence() -> None:
    message = only(told(*TURN), "atonce.draft")[0]
    assert message["cells"] == [
        {"text": "Nine", "is_open": False, "confidence": 0.9},
        {"text": "", "is_open": True, "confidence": 0.0},
    ]
    assert (message["step"], message["steps"], message["repair"]) == (1, 2, 0)


def test_the_watchdog_s_plan_comes_with_its_reason() -> None:
    plan = only(told(*TURN), "atonce.plan")[0]
    assert (plan["steps"], plan["canvas"], plan["reason"]) == (2, 16, "600 ms are left")


def test_a_check_tells_what_it_found() -> None:
    verdict = Verdict((Problem("value", 0, 4, "9 stands in no fact"),))
    (message,) = told(e.ReplyChecked(1.0, verdict, final=False))
    assert (message["problems"], message["final"]) == (["9 stands in no fact"], False)


def test_a_cut_reply_is_cancelled_and_tells_what_was_heard() -> None:
    messages = told(*TURN, e.ReplyEnded(12.0, "We open", is_cut=True, reply=3))
    response = messages[-1]["response"]
    assert messages[-2]["type"] == "output_audio_buffer.cleared"
    assert isinstance(response, dict)
    assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert response["output"][0]["content"][0]["transcript"] == "We open"


def test_the_end_of_a_reply_is_its_own_although_the_next_one_is_begun() -> None:
    messages = told(
        *TURN,
        e.ReplyStarted(12.0, reply=4, question="And on Friday?"),
        e.ReplyEnded(12.1, "We", is_cut=True, reply=3),
        e.ReplyWithdrawn(12.2, reply=4),
    )
    ended = [message["response"] for message in only(messages, "response.done")]
    assert [response["id"] for response in ended if isinstance(response, dict)] == [
        "resp_3",
        "resp_4",
    ]


SENTENCE = [
    "atonce.sentence",
    "response.created",
    "response.output_audio_transcript.delta",
    "response.output_audio_transcript.done",
    "output_audio_buffer.started",
]


def test_a_sentence_of_the_agent_s_own_is_a_reply_of_its_own() -> None:
    said = e.SentenceSaid(1.0, "greeting", "Hello!")
    messages = told(said, e.ReplyEnded(2.0, "Hello!", is_cut=False, reply=1))
    names = [message["type"] for message in messages]
    assert names == [*SENTENCE, "output_audio_buffer.stopped", "response.done"]
    response = messages[-1]["response"]
    assert isinstance(response, dict)
    assert (response["id"], response["status"]) == ("resp_sentence_1", "completed")


def test_one_moment_please_is_over_at_once_because_its_end_is_not_told() -> None:
    names = [message["type"] for message in told(e.SentenceSaid(1.0, "one_moment", "Wait."))]
    assert names == [*SENTENCE, "response.done"]


def test_a_reply_that_came_to_nothing_is_done_when_nobody_s_turn_begins() -> None:
    started = e.ReplyStarted(1.0, reply=1, question="When?")
    for last in (e.StateChanged(2.0, "listening"), e.TalkEnded(2.0, "error")):
        (done,) = only(told(started, last), "response.done")
        assert isinstance(done["response"], dict)
        assert done["response"]["status"] == "failed"

    (done,) = only(told(started, e.NothingToSay(1.5, "…"), last), "response.done")
    assert isinstance(done["response"], dict)
    assert done["response"]["status_details"] == {"type": "failed", "reason": "nothing_to_say"}


def test_what_the_client_cancelled_says_so() -> None:
    events = RealtimeEvents(began_s=0.0)
    assert events.cancel() is False
    events.translate(e.ReplyStarted(1.0, reply=1, question="When?"))
    assert events.cancel() is True
    (done,) = events.translate(e.ReplyWithdrawn(1.2, reply=1))
    assert isinstance(done["response"], dict)
    assert done["response"]["status_details"] == {
        "type": "cancelled",
        "reason": "client_cancelled",
    }
    assert events.cancel() is False


COMPLETED = "conversation.item.input_audio_transcription.completed"
WHOLE = "When do you open?"


@pytest.mark.parametrize(
    "happened",
    [
        [e.SpeechPaused(2.0, 1.8), e.WordsHeard(2.3, WHOLE, 4, True), e.SpeechStopped(2.6, 1.8)],
        [e.SpeechPaused(2.0, 1.8), e.SpeechStopped(2.6, 1.8), e.WordsHeard(2.7, WHOLE, 4, True)],
        [  # what was read at a pause is not all, where speech went on
            e.SpeechPaused(2.0, 1.8),
            e.WordsHeard(2.3, "When", 1, True),
            e.SpeechStopped(4.0, 3.8),
            e.WordsHeard(4.2, WHOLE, 4, True),
        ],
        [  # the next one begins before the words of this one are there
            e.SpeechPaused(2.0, 1.8),
            e.SpeechStopped(2.6, 1.8),
            e.SpeechDetected(3.0, 2.9),
            e.WordsHeard(3.1, WHOLE, 4, True),
        ],
    ],
)
def test_an_utterance_is_completed_once_with_its_words_whatever_comes_first(
    happened: list[e.SessionEvent],
) -> None:
    (completed,) = only(told(e.SpeechDetected(1.0, 0.9), *happened), COMPLETED)
    assert (completed["item_id"], completed["transcript"]) == ("item_1", WHOLE)


def test_a_noise_completes_without_words() -> None:
    noise = [e.SpeechDetected(1.0, 0.9), e.SpeechPaused(1.5, 1.3), e.SpeechStopped(2.0, 1.3)]
    (completed,) = only(told(*noise, e.WordsHeard(2.1, "", 0, True)), COMPLETED)
    assert completed["transcript"] == ""


@pytest.mark.parametrize(
    "script",
    [
        "greeting-and-goodbye",
        "greeting-interrupted",
        "speech-resumes",
        "twenty-interruptions",
        "cut-at-the-last-word",
        "go-on",
        "slow-writer",
        "noise-is-no-question",
    ],
)
def test_in_rehearsals_ids_and_order_are_what_clients_rely_on(script: str) -> None:
    """What is created is done, once; what is done was created; what sounds ends before that."""
    recording = rehearse(talk_script.read(TALKS / f"{script}.yaml")).recording
    events = RealtimeEvents(began_s=0.0)
    messages = [message for event in recording.events for message in events.translate(event)]
    course: dict[str, list[str]] = {}

    for message in messages:
        response = message.get("response")
        ended = response["id"] if isinstance(response, dict) else message.get("response_id", "")
        course.setdefault(str(ended), []).append(str(message["type"]))

    course.pop("", None)
    assert messages

    for names in course.values():
        assert names.count("response.created") == names.count("response.done") == 1
        theirs = [name for name in names if not name.startswith("atonce.")]
        assert (theirs[0], theirs[-1]) == ("response.created", "response.done")
        sounds = [name for name in theirs if name.startswith("output_audio_buffer.")]
        assert sounds in ([], [STARTED], [STARTED, STOPPED], [STARTED, CLEARED], [CLEARED])

    begun = [message["item_id"] for message in only(messages, SPEECH_STARTED)]
    completed = [message["item_id"] for message in only(messages, COMPLETED)]
    assert len({*begun}) == len(begun)
    assert len({*completed}) == len(completed)
    assert {*completed} <= {*begun}
    assert len(begun) - len(completed) <= 1  # the talk may end while somebody speaks


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (e.PlaybackPaused(1.0), "atonce.paused"),
        (e.PlaybackResumed(1.0), "atonce.resumed"),
        (e.LoopMeasured(1.0, 3.0, 9.0), "atonce.loop"),
        (e.FactsRenewed(1.0, ("hours",)), "atonce.facts"),
        (e.ErrorRaised(1.0, "no"), "error"),
        (e.TalkEnded(1.0, "goodbye"), "atonce.talk_ended"),
    ],
)
def test_what_else_happens_is_told(event: e.SessionEvent, name: str) -> None:
    assert [message["type"] for message in told(event)] == [name]


def test_a_page_learns_at_the_beginning_which_k_it_may_choose() -> None:
    events = RealtimeEvents(began_s=0.0)
    opening = Opening("call_1", "dllm", steps=4, min_steps=2, max_steps=12, is_watched=True)
    session = events.opened(opening)["session"]
    assert isinstance(session, dict)
    assert session["atonce"] == {
        "steps": 4,
        "min_steps": 2,
        "max_steps": 12,
        "is_watched": True,
    }
    assert events.steps_chosen(None)["session"] == {"type": "realtime", "atonce": {"steps": None}}
    refused = events.refusal("busy", "Somebody else talks.", "mine")["error"]
    assert isinstance(refused, dict)
    assert refused["event_id"] == "mine"


def test_the_voice_s_place_is_told_in_characters_of_what_was_written() -> None:
    events = RealtimeEvents(began_s=0.0)
    events.translate(e.ReplyStarted(1.0, reply=2, question="When?"))
    events.translate(e.ReplySettled(1.2, REPLY, number=2))
    events.translate(e.FirstAudio(1.4, reply=2))

    assert events.spoken("We open")["characters"] == len("We open")
    assert events.spoken("We open at nine.")["characters"] == len(REPLY.text)
    events.translate(e.SentenceSaid(2.0, "goodbye", "Goodbye!"))
    assert events.spoken("Goodbye!")["characters"] == len("Goodbye!")


# --- bars ---


def test_bars_tell_where_the_time_from_the_last_word_to_the_first_sound_went() -> None:
    bars = only(told(*TURN), "atonce.timeline")[0]["bars"]
    assert bars == [
        {"name": "transcript", "start_ms": 0, "end_ms": 300},
        {"name": "prompt read", "start_ms": 300, "end_ms": 350},
        {"name": "step 1", "start_ms": 350, "end_ms": 400},
        {"name": "step 2", "start_ms": 400, "end_ms": 450},
        {"name": "check", "start_ms": 450, "end_ms": 460},
        {"name": "voice", "start_ms": 460, "end_ms": 500},
        {"name": "endpoint", "start_ms": 0, "end_ms": 520},
        {"name": "on its way", "start_ms": 520, "end_ms": 600},
    ]


# --- commands ---


def received(*messages: object) -> object:
    commands = RealtimeCommands(min_steps=2, max_steps=12)
    return [commands.receive(json.dumps(message)) for message in messages][-1]


def item(text: object, role: str = "user") -> dict[str, object]:
    content = [{"type": "input_text", "text": text}]
    return {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": role, "content": content},
    }


CREATE = {"type": "response.create"}


def test_a_written_question_is_asked_when_a_response_is_wanted() -> None:
    assert received(item(" When do\nyou open? ")) == Note("item_written_1", "When do you open?")
    named = item("When?")
    assert isinstance(named["item"], dict)
    named["item"]["id"] = "mine"
    assert received(named) == Note("mine", "When?")
    assert received(item(" When do\nyou open? "), CREATE) == Ask("When do you open?")
    assert received(item("On Friday,"), item("when?"), CREATE) == Ask("On Friday, when?")


def test_both_names_for_silence_stop_the_agent() -> None:
    assert received({"type": "output_audio_buffer.clear"}) == Stop()
    cancel = {"type": "response.cancel", "event_id": "a"}
    assert received(cancel) == Stop(wants_reply=True, cause="a")


def test_a_written_question_is_acknowledged_as_an_item() -> None:
    added, done = RealtimeEvents(began_s=0.0).item_noted("mine", "When?")
    assert (added["type"], done["type"]) == ("conversation.item.added", "conversation.item.done")
    assert isinstance(done["item"], dict)
    assert done["item"]["content"] == [{"type": "input_text", "text": "When?"}]


def test_the_talk_can_be_forgotten() -> None:
    assert received({"type": "atonce.forget"}) == Forget()


@pytest.mark.parametrize("steps", [2, 12, None])
def test_a_talk_may_choose_its_k_within_the_operator_s_range(steps: int | None) -> None:
    update = {"type": "session.update", "session": {"atonce": {"steps": steps}}}
    assert received(update) == ChooseSteps(steps)


@pytest.mark.parametrize("steps", [1, 13, 4.0, "4", True, [4]])
def test_any_other_k_is_refused_with_the_range(steps: object) -> None:
    update = {"type": "session.update", "event_id": "a", "session": {"atonce": {"steps": steps}}}
    refusal = received(update)
    assert isinstance(refusal, Refuse)
    assert "from 2 to 12" in refusal.message
    assert refusal.cause == "a"


def test_the_client_s_delay_is_taken_in_seconds() -> None:
    assert received({"type": "atonce.playout", "delay_ms": 85.5}) == TellDelay(0.0855)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"type": "session.update", "session": {"instructions": "x"}}, "unsupported_setting"),
        ({"type": "session.update", "session": 3}, "unsupported_setting"),
        (
            {"type": "session.update", "session": {"voice": "x", "atonce": {"steps": 4}}},
            "unsupported_setting",
        ),
        ({"type": "atonce.playout", "delay_ms": -1}, "invalid_delay"),
        ({"type": "atonce.playout", "delay_ms": 1e9}, "invalid_delay"),
        ({"type": "atonce.playout", "delay_ms": 10**999}, "invalid_delay"),
        ({"type": "atonce.playout", "delay_ms": True}, "invalid_delay"),
        ({"type": "atonce.playout"}, "invalid_delay"),
        (item("hello", role="system"), "invalid_item"),
        (item(["hello"]), "invalid_item"),
        (item("  "), "invalid_item"),
        (
            {
                "type": "conversation.item.create",
                "item": {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "What is this?"},
                        {"type": "input_image", "image_url": "data:"},
                    ],
                },
            },
            "invalid_item",
        ),
        ({"type": "conversation.item.create", "item": 4}, "invalid_item"),
        ({"type": "conversation.item.create"}, "invalid_item"),
        (item("x" * (LONGEST_QUESTION + 1)), "question_too_long"),
        (CREATE, "nothing_asked"),
        ({**CREATE, "response": {"instructions": "Be rude."}}, "unsupported_setting"),
        ({"type": "conversation.item.truncate"}, "unsupported_type"),
        ({"type": "input_audio_buffer.append", "audio": "AAAA"}, "unsupported_type"),
        ({"type": "input_audio_buffer.commit"}, "unsupported_type"),
        ({"type": ["response.create"]}, "unknown_type"),
        ({"type": 5}, "unknown_type"),
        ({}, "unknown_type"),
        ([], "invalid_json"),
    ],
)
def test_what_cannot_be_obeyed_is_refused_in_a_word_and_a_sentence(
    message: object, code: str
) -> None:
    refusal = received(message)
    assert isinstance(refusal, Refuse)
    assert refusal.code == code
    assert len(refusal.message) > 20


def test_half_characters_and_long_ids_do_not_come_back_as_they_are() -> None:
    asked = received(item("Caf\ud83d?"), CREATE)
    assert asked == Ask("Caf??")
    refusal = received({"type": "\ud83d" * 999, "event_id": "\ud83d" * 999})
    assert isinstance(refusal, Refuse)
    assert refusal.cause == "?" * 512
    assert len(refusal.message.encode()) < 400


@pytest.mark.parametrize("raw", ["{", b"{}", "x" * (LONGEST_MESSAGE + 1), "[" * 20_000, '"a"'])
def test_what_is_no_json_object_of_a_sane_size_is_refused(raw: str | bytes) -> None:
    assert isinstance(RealtimeCommands(min_steps=1, max_steps=2).receive(raw), Refuse)


json_like = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "session", "atonce", "steps", "item", "content", "role", "text"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(st.sampled_from(["session.update", "conversation.item.create", "atonce.playout"]), json_like)
def test_no_message_whatever_it_holds_raises(name: str, rest: object) -> None:
    message = {"type": name, "session": rest, "item": rest, "delay_ms": rest}
    RealtimeCommands(min_steps=1, max_steps=9).receive(json.dumps(message))
