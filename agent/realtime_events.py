"""What happens in a talk, in the names of OpenAI's Realtime API, and ours as `atonce.*` (pure).

Rule 1. A name of theirs is used only where it means the same; what they have no name for is
        `atonce.*`. docs/browser.md has the table, deviations included.
Rule 2. Each utterance and each reply has one id, which all events about it carry.
Rule 3. `response.created` comes once for each reply, and `response.done` once after it, whatever
        becomes of the reply: heard, cut, withdrawn, failed, or left behind by the end of the talk.
Rule 4. Times in messages are milliseconds since the talk began, as in `audio_start_ms`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from atonce.agent import events as e
from atonce.agent.conversation import heard_text
from atonce.agent.event_json import as_json
from atonce.agent.realtime_heard import HeardItems, Message
from atonce.agent.talk_turns import TalkTurns
from atonce.agent.turn_bars import of_turn

__all__ = ["Message", "Opening", "RealtimeEvents"]


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
        self._heard = HeardItems(self._message, self._ms)
        self._reply = 0
        self._sentence = 0
        self._open: dict[str, str] = {}  # responses that are created and not done, and their words
        self._unwanted: set[str] = set()  # those that the client cancelled
        self._is_asked = False
        self._said = ""  # the sentence of the agent's own that sounds
        self._sounding = ""  # the response that sounds, or sounded last
        self._written = ""  # what is said in it
        self._turns = TalkTurns()

    # ---- what the transport tells ----

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

    def item_noted(self, item: str, text: str) -> list[Message]:
        """A written question of the client's is there."""
        content = [{"type": "input_text", "text": text}]
        told = {"id": item, "object": "realtime.item", "type": "message", "status": "completed"}
        told |= {"role": "user"}
        names = ("conversation.item.added", "conversation.item.done")
        return [self._message(name, item={**told, "content": content}) for name in names]

    def spoken(self, words: str) -> Message:
        """These spoken words have sounded: told as a place in what was written."""
        characters = len(heard_text(self._written, words))
        return self._message("atonce.spoken", response_id=self._sounding, characters=characters)

    def refusal(self, code: str, message: str, cause: str | None = None) -> Message:
        """A message of the client's was not obeyed; cause: its event_id."""
        return self._error("invalid_request_error", code, message, cause)

    def asked(self) -> None:
        """The client asked something; the reply to it is not begun yet."""
        self._is_asked = True

    def cancel(self) -> bool:
        """The client wants silence; whether there is a reply that it can cancel."""
        is_there = bool(self._open) or self._is_asked
        self._unwanted |= self._open.keys()
        self._is_asked = False
        return is_there

    def translate(self, event: e.SessionEvent) -> list[Message]:
        """An event as messages, in order; none where it tells a page nothing."""
        messages = self._heard.receive(event) or self._of_reply(event) or self._of_talk(event)
        turn = self._turns.take(event)

        if turn is not None and isinstance(event, e.FirstAudio):
            bars = [
                {"name": bar.name, "start_ms": bar.start_ms, "end_ms": bar.end_ms}
                for bar in of_turn(turn)
            ]
            messages.append(self._message("atonce.timeline", response_id=self._response, bars=bars))

        return messages

    # ---- the reply ----

    def _of_reply(self, event: e.SessionEvent) -> list[Message]:
        match event:
            case e.ReplyStarted():
                self._reply, self._is_asked = event.reply, False
                return self._create(
                    self._response, is_early=event.is_early, question=event.question
                )
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
                return self._done(self._response, "failed", "nothing_to_say")
            case _:
                return self._of_playback(event)

    def _settle(self, event: e.ReplySettled) -> list[Message]:
        self._reply = event.number or self._reply
        reply = event.reply
        made = {"source": reply.source, "steps": reply.steps, "repaired": reply.repaired}
        return [
            self._about_reply("atonce.reply", text=reply.text, forced=reply.forced, **made),
            *self._transcript(self._response, reply.text),
        ]

    def _of_playback(self, event: e.SessionEvent) -> list[Message]:
        match event:
            case e.FirstAudio():
                self._reply = event.reply or self._reply
                return self._begin_sound(self._response)
            case e.SentenceSaid():
                return self._say(event)
            case e.PlaybackPaused():
                return [self._message("atonce.paused", response_id=self._sounding)]
            case e.PlaybackResumed():
                return [self._message("atonce.resumed", response_id=self._sounding)]
            case e.ReplyEnded():
                return self._end(event)
            case e.ReplyWithdrawn():
                return self._cancel(_response(event.reply or self._reply))
            case _:
                return []

    def _say(self, event: e.SentenceSaid) -> list[Message]:
        """A sentence of the agent's own is a reply that was there from the beginning."""
        self._sentence += 1
        said = f"resp_sentence_{self._sentence}"
        told = [
            self._message("atonce.sentence", response_id=said, kind=event.kind, text=event.text),
            *self._create(said, is_early=False, question=""),
            *self._transcript(said, event.text),
            *self._begin_sound(said),
        ]

        if event.kind == "one_moment":  # nobody tells when it is over
            return [*told, *self._done(said, "completed", heard=event.text)]

        self._said = said
        return told

    def _begin_sound(self, response: str) -> list[Message]:
        self._sounding, self._written = response, self._open.get(response, "")
        return [self._message("output_audio_buffer.started", response_id=response)]

    def _end(self, event: e.ReplyEnded) -> list[Message]:
        """Of a reply, or of the sentence that sounds: numbers that no reply has are sentences'."""
        reply = _response(event.reply or self._reply)
        ended = reply if reply in self._open else self._said

        if ended not in self._open:
            return []

        if event.is_cut:
            cleared = self._message("output_audio_buffer.cleared", response_id=ended)
            return [cleared, *self._cancel(ended, heard=event.heard)]

        stopped = self._message("output_audio_buffer.stopped", response_id=ended)
        return [stopped, *self._done(ended, "completed", heard=event.heard)]

    def _cancel(self, response: str, *, heard: str = "") -> list[Message]:
        by_client = response in self._unwanted
        reason = "client_cancelled" if by_client else "turn_detected"
        return self._done(response, "cancelled", reason, heard=heard)

    # ---- the talk ----

    def _of_talk(self, event: e.SessionEvent) -> list[Message]:
        match event:
            case e.StateChanged():
                # Nothing is on its way any more: what was not spoken came to nothing.
                failed = self._leave() if event.state == "listening" else []
                return [*failed, self._message("atonce.state", state=event.state)]
            case e.LoopMeasured():
                lag = {"lag_p99_ms": event.lag_p99_ms, "lag_max_ms": event.lag_max_ms}
                return [self._message("atonce.loop", **lag)]
            case e.FactsRenewed():
                return [self._message("atonce.facts", names=list(event.names))]
            case e.ErrorRaised():
                return [self._error("server_error", "agent_error", event.message)]
            case e.TalkEnded():
                return [*self._leave(), self._message("atonce.talk_ended", reason=event.reason)]
            case _:
                return []

    def _leave(self) -> list[Message]:
        """Be done with all that is open."""
        return [
            message
            for response in [*self._open]
            for message in self._done(response, "failed", "not_spoken")
        ]

    # ---- how messages are made ----

    @property
    def _response(self) -> str:
        return _response(self._reply)

    def _ms(self, at_s: float) -> int:
        return max(0, round(1000 * (at_s - self._began_s)))

    def _message(self, name: str, **told: object) -> Message:
        return {"type": name, "event_id": f"event_{next(self._numbers)}", **told}

    def _about_reply(self, name: str, **told: object) -> Message:
        return self._message(name, response_id=self._response, **told)

    def _create(self, made: str, *, is_early: bool, question: str) -> list[Message]:
        if made in self._open:  # begun anew
            return []

        self._open[made] = ""
        response: Message = {
            "id": made,
            "object": "realtime.response",
            "status": "in_progress",
            "status_details": None,
            "output": [],
        }
        ours = {"is_early": is_early, "question": question}
        return [self._message("response.created", response=response, atonce=ours)]

    def _transcript(self, made: str, text: str) -> list[Message]:
        if made in self._open:
            self._open[made] = text

        place: Message = {"response_id": made, "item_id": f"{made}_item"}
        place |= {"output_index": 0, "content_index": 0}
        name = "response.output_audio_transcript"
        return [
            self._message(f"{name}.delta", **place, delta=text),
            self._message(f"{name}.done", **place, transcript=text),
        ]

    def _done(
        self, response: str, status: str, reason: str | None = None, *, heard: str = ""
    ) -> list[Message]:
        if response not in self._open:
            return []

        del self._open[response]
        self._unwanted.discard(response)
        item = {
            "id": f"{response}_item",
            "object": "realtime.item",
            "type": "message",
            "role": "assistant",
            "status": "completed" if status == "completed" else "incomplete",
            "content": [{"type": "output_audio", "transcript": heard}],
        }
        told = {
            "id": response,
            "object": "realtime.response",
            "status": status,
            "status_details": {"type": status, "reason": reason} if reason else None,
            "output": [item] if heard else [],
        }
        return [self._message("response.done", response=told)]

    def _error(self, kind: str, code: str, message: str, cause: str | None = None) -> Message:
        told = {"type": kind, "code": code, "message": message, "param": None, "event_id": cause}
        return self._message("error", error=told)


def _response(reply: int) -> str:
    return f"resp_{reply}"
