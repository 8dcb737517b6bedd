"""The settings of a live talk: whose turn it is, the microphone, the time for replies."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from atonce.config.section import LineOrNothing, Section, Words, in_order


class TurnSettings(Section):
    """Whose turn it is: interruptions, silences, and what is remembered."""

    barge_in_speech_ms: Annotated[int, Field(ge=100, le=5000)]
    """Speech (ms) over the agent's voice that interrupts it."""
    barge_in_words: Annotated[int, Field(ge=1, le=10)]
    """Words over the agent's voice that interrupt it, backchannels not counted."""
    decide_ms: Annotated[int, Field(ge=100, le=5000)]
    """Time (ms) from the onset of speech over the agent's voice until it is decided whether that
    was an interruption; the voice is paused meanwhile."""
    stop_words: Words
    """Words that interrupt at once."""
    backchannels: Words
    """What people say while they listen; it does not interrupt."""
    goodbyes: Words
    """What ends the talk when it is all that was said."""
    go_on: Words
    """What makes an interrupted reply continue where it stopped."""
    silence_prompt_s: Annotated[float, Field(ge=0, le=600)]
    """Silence (s) after which agent.sentences.silence is said, once; 0: never."""
    end_after_s: Annotated[float, Field(ge=0, le=86_400)]
    """Silence (s) after which the talk ends; 0: never."""
    history_turns: Annotated[int, Field(ge=0, le=50)]
    """Turns of the talk that a prompt may hold, the newest; older ones are dropped."""
    history_words: Annotated[int, Field(ge=0, le=2000)]
    """Words that these turns may have together; where they have more, older ones are dropped."""
    thinking_limit_s: Annotated[float, Field(ge=1, le=300)]
    """Time (s) from the end of a question until its reply must be audible; then the agent
    apologises and listens again."""
    speaking_limit_s: Annotated[float, Field(ge=5, le=600)]
    """The longest (s) that one reply may sound; then it is cut."""

    @model_validator(mode="after")
    def _speech_fits_into_the_decision(self) -> Self:
        in_order(self, "barge_in_speech_ms", "decide_ms")
        return self


class MicrophoneSettings(Section):
    """The microphone and the loudspeaker of `atonce talk` and `atonce kiosk`."""

    input: LineOrNothing
    """A part of the microphone's name, as `atonce devices` lists it; empty: the system's own."""
    output: LineOrNothing
    """A part of the loudspeaker's name, as `atonce devices` lists it; empty: the system's own."""
    mode: Literal["loudspeakers", "headphones"]
    """loudspeakers: the agent's voice is taken out of what the microphone hears (echo.engine);
    headphones: it is not."""
    push_to_talk: bool
    """Whether the agent hears only while a key is held."""


class WatchdogSettings(Section):
    """Holds replies to a time."""

    enabled: bool
    """Whether K and the canvas of each reply are chosen to fit the time; false: llm.steps holds,
    however long it takes."""
    first_audio_ms: Annotated[int, Field(ge=100, le=60_000)]
    """Time (ms) from the last word of a question to the first sound of its reply that replies are
    held to; `atonce tune` measures what this machine reaches."""
    drafts: bool
    """Whether replies are drafted early, while the person pauses."""
    most_drafts: Annotated[int, Field(ge=1, le=5)]
    """The most early drafts of one turn."""
    acknowledge: bool
    """Whether agent.sentences.one_moment is said when a reply will come late."""
    acknowledge_share: Annotated[float, Field(ge=0, le=1)]
    """The largest share of the turns, 0 to 1, in which it is said."""
