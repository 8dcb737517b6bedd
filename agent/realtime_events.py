"""What happens in a talk, in the names of OpenAI's Realtime API, and ours as `atonce.*` (pure).

Rule 1. A name of theirs is used only where it means the same; what they have no name for is
        `atonce.*`. docs/browser.md has the table, deviations included.
Rule 2. Each utterance and each reply has one id, which all events about it carry.
Rule 3. Times in messages are milliseconds since the talk began, as in `audio_start_ms`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from atonce.agent import events as e
from atonce.agent.conversation import heard_text
from atonce.agent.event_json import as_json
from atonce.agent.talk_turns import TalkTurns
from atonce.agent.turn_bars import of_turn

Message = dict[str, object]
"""What is sent as JSON; `type` names it, `event_id` numbers it."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a page is told when its talk begins."""

    session: str
    """The talk's id."""
    model: str
    """The writer's engine."""
    steps: int
    """K as the operator set it."""
    min_steps: int
    """The fewest steps a talk may choose."""
    max_steps: int
    """The most."""
    is_watched: bool
    """The watchdog chooses K where the talk does not."""


class RealtimeEvents:
    """Translates the events of one talk."""

    def __init__(self, *, began_s: float) -> None:
        """began_s: when the talk began, on the session's clock."""
        self._began_s = began_s
        self._numbers = count(1)
        self._utterance = 0
        self._reply = 0
        self._sentence = 0
        self._settled = ""  # what of this utterance was sent as final words
        self._written: dict[int, str] = {}  # replies that are settled and not yet audible
        self._sounding = ""  # what is said now, as written
        self._turns = TalkTurns()

    def opened(self, opening: Opening) -> Message:
        """The first message of a talk."""
        ours = {
            "steps": opening.steps,
            "min_steps": opening.min_steps,
            "max_steps": opening.max_steps,
            "is_watched": opening.is_watched,
        }
        session = {
            "id": opening.session,
            "object": "realtime.session",
            "type": "realtime",
            "model": opening.model,
            "output_modalities": ["audio"],
            "atonce": ours,
        }
        return self._message("session.created", session=session)

    def steps_chosen(self, steps: int | None) -> Message:
        """The talk's K was changed; None: whatever the watchdog chooses."""
        session = {"type": "realtime", "atonce": {"steps": steps}}
        return self._message("session.updated", session=session)

    def spoken(self, words: str) -> Message:
        """These spoken words have sounded: told as a place in what was written."""
        characters = len(heard_text(self._sounding, words))
        return self._message("atonce.spoken", response_id=self._response, characters=characters)

    def refusal(self, code: str, message: str, cause: str | None = None) -> Message:
        """A message of the client's was not obeyed; cause: its event_id."""
        return self._error("invalid_request_error", code, message, cause)

    def translate(self, event: e.SessionEvent) -> list[Message]:
        """An event as messages, in order; none where it tells a page nothing."""
        messages = self._of_person(event) or self._of_reply(event) or self._of_talk(event)
        turn = self._turns.take(event)

        if turn is not None and isinstance(event, e.FirstAudio):
            bars = [
                {"name": bar.name, "start_ms": bar.start_ms, "end_ms": bar.end_ms}
                for bar in of_turn(turn)
            ]
            messages.append(self._message("atonce.timeline", response_id=self._response, bars=bars))

        return messages

    # ---- the person ----

    def _of_person(self, event: e.SessionEvent) -> list[Message]:
        match event:
            case e.SpeechDetected():
                self._utterance += 1
                self._settled = ""
                start_ms = self._ms(event.from_s)
                name = "input_audio_buffer.speech_started"
                return [self._message(name, audio_start_ms=start_ms, item_id=self._item)]
            case e.SpeechStopped():
                end_ms = self._ms(event.speech_end_s)
                name = "input_audio_buffer.speech_stopped"
                return [self._message(name, audio_end_ms=end_ms, item_id=self._item)]
            case e.WordsHeard():
                return self._words(event)
            case e.QuestionHeard():
                self._settled = ""
                return [self._transcribed("completed", transcript=event.text)]
            case _:
                return []

    def _words(self, event: e.WordsHeard) -> list[Message]:
        """Theirs has only words that stay; a page shows those that may change, too."""
        told = [
            self._message(
                "atonce.words", item_id=self._item, text=event.text, settled=event.settled
            )
        ]
        settled = " ".join(event.text.split()[: event.settled])

        if settled.startswith(self._settled) and len(settled) > len(self._settled):
            delta = settled[len(self._settled) :]
            told.append(self._transcribed("delta", delta=delta))
            self._settled = settled

        return told

    def _transcribed(self, what: str, **said: str) -> Message:
        name = f"conversation.item.input_audio_transcription.{what}"
        return self._message(name, item_id=self._item, content_index=0, **said)

    # ---- the reply ----

    def _of_reply(self, event: e.SessionEvent) -> list[Message]:
        match event:
            case e.ReplyStarted():
                self._reply = event.reply
                return [
                    self._created(self._response, is_early=event.is_early, question=event.question)
                ]
            case e.PlanMade():
                plan = event.plan
                told = {"steps": plan.steps, "canvas": plan.canvas, "rule": plan.rule}
                return [self._about_reply("atonce.plan", **told, reason=event.reason)]
            case e.DraftMade():
                draft = as_json(event)["draft"]
                assert isinstance(draft, dict)  # as_json gives it so
                return [self._about_reply("atonce.draft", repair=event.repair, **draft)]
            case e.ReplyChecked():
                problems = [problem.detail for problem in event.verdict.problems]
                return [self._about_reply("atonce.check", problems=problems, final=event.final)]
            case e.ReplySettled():
                return self._settle(event)
            case e.NothingToSay():
                return [self._done("failed", "nothing_to_say")]
            case _:
                return self._of_playback(event)

    def _settle(self, event: e.ReplySettled) -> list[Message]:
        self._reply = event.number or self._reply
        reply = event.reply
        self._written[self._reply] = reply.text
        made = {"source": reply.source, "steps": reply.steps, "repaired": reply.repaired}
        return [
            self._about_reply("atonce.reply", text=reply.text, forced=reply.forced, **made),
            *self._transcript(self._response, reply.text),
        ]

    def _of_playback(self, event: e.SessionEvent) -> list[Message]:
        match event:
            case e.FirstAudio():
                self._reply = event.reply or self._reply
                self._sounding = self._written.pop(self._reply, "")
                self._written.clear()  # whatever was withdrawn
                return [self._about_reply("output_audio_buffer.started")]
            case e.PlaybackPaused():
                return [self._about_reply("atonce.paused")]
            case e.PlaybackResumed():
                return [self._about_reply("atonce.resumed")]
            case e.ReplyEnded():
                return self._end(event)
            case e.ReplyWithdrawn():
                withdrawn = _response(event.reply or self._reply)
                return [self._done("cancelled", "turn_detected", response=withdrawn)]
            case _:
                return []

    def _end(self, event: e.ReplyEnded) -> list[Message]:
        ended = _response(event.reply or self._reply)
        name = f"output_audio_buffer.{'cleared' if event.is_cut else 'stopped'}"
        status, reason = ("cancelled", "turn_detected") if event.is_cut else ("completed", None)
        return [
            self._message(name, response_id=ended),
            self._done(status, reason, heard=event.heard, response=ended),
        ]

    # ---- the talk ----

    def _of_talk(self, event: e.SessionEvent) -> list[Message]:
        match event:
            case e.StateChanged():
                return [self._message("atonce.state", state=event.state)]
            case e.SentenceSaid():
                return self._sentence_said(event)
            case e.LoopMeasured():
                lag = {"lag_p99_ms": event.lag_p99_ms, "lag_max_ms": event.lag_max_ms}
                return [self._message("atonce.loop", **lag)]
            case e.FactsRenewed():
                return [self._message("atonce.facts", names=list(event.names))]
            case e.ErrorRaised():
                return [self._error("server_error", "agent_error", event.message)]
            case e.TalkEnded():
                return [self._message("atonce.talk_ended", reason=event.reason)]
            case _:
                return []

    def _sentence_said(self, event: e.SentenceSaid) -> list[Message]:
        """A sentence of the agent's own is a reply that was there from the beginning."""
        self._sentence += 1
        self._sounding = event.text
        said = f"resp_sentence_{self._sentence}"
        return [
            self._message("atonce.sentence", response_id=said, kind=event.kind, text=event.text),
            self._created(said, is_early=False, question=""),
            *self._transcript(said, event.text),
            self._done("completed", heard=event.text, response=said),
        ]

    # ---- how messages are made ----

    @property
    def _item(self) -> str:
        return f"item_{self._utterance}"

    @property
    def _response(self) -> str:
        return _response(self._reply)

    def _ms(self, at_s: float) -> int:
        return max(0, round(1000 * (at_s - self._began_s)))

    def _message(self, name: str, **told: object) -> Message:
        return {"type": name, "event_id": f"event_{next(self._numbers)}", **told}

    def _about_reply(self, name: str, **told: object) -> Message:
        return self._message(name, response_id=self._response, **told)

    def _created(self, made: str, *, is_early: bool, question: str) -> Message:
        response = {
            "id": made,
            "object": "realtime.response",
            "status": "in_progress",
            "output": [],
        }
        ours = {"is_early": is_early, "question": question}
        return self._message("response.created", response=response, atonce=ours)

    def _transcript(self, made: str, text: str) -> list[Message]:
        place: Message = {"response_id": made, "item_id": f"{made}_item"}
        place |= {"output_index": 0, "content_index": 0}
        name = "response.output_audio_transcript"
        return [
            self._message(f"{name}.delta", **place, delta=text),
            self._message(f"{name}.done", **place, transcript=text),
        ]

    def _done(
        self, status: str, reason: str | None = None, *, heard: str = "", response: str = ""
    ) -> Message:
        details = {"type": status, "reason": reason} if reason else None
        content = [{"type": "output_audio", "transcript": heard}] if heard else []
        item = {
            "id": f"{response or self._response}_item",
            "type": "message",
            "role": "assistant",
            "status": "completed" if status == "completed" else "incomplete",
            "content": content,
        }
        told = {
            "id": response or self._response,
            "object": "realtime.response",
            "status": status,
            "status_details": details,
            "output": [item] if heard else [],
        }
        return self._message("response.done", response=told)

    def _error(self, kind: str, code: str, message: str, cause: str | None = None) -> Message:
        told = {"type": kind, "code": code, "message": message, "param": None, "event_id": cause}
        return self._message("error", error=told)


def _response(reply: int) -> str:
    return f"resp_{reply}"
