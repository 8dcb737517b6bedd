"""What a script of a talk may hold: every key, its meaning and its range; docs/rehearsals.md tells.

Rule 1. A key has a unit in its name where its value has one.
Rule 2. Everything has a value that holds when nothing is said, but who says what, and when.
"""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from atonce.config.section import Section, unfit

Anchor = Literal[
    "line", "agent_begins", "agent_ends", "listening", "hearing", "thinking", "speaking", "paused"
]
"""What a line may wait for: the end of the line before, the agent's sound, or a state."""
Noise = Literal["none", "white", "hum", "babble"]
Sound = Literal["cough", "click", "clap", "white", "hum", "babble"]
SlowEngine = Literal["transcriber", "writer", "synthesizer"]


def _listed(value: object) -> object:
    if isinstance(value, list):
        return tuple(value)

    return (value,) if isinstance(value, str) else value


Texts = Annotated[
    tuple[str, ...],
    BeforeValidator(_listed),
    Field(json_schema_extra={"wanted": "a text, or a list of texts"}),
]
Ratio = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=3600)]
Level = Annotated[float, Field(ge=-120, le=0)]
Within = Annotated[
    int | None,
    Field(
        ge=1,
        le=60_000,
        json_schema_extra={"wanted": "a whole number of milliseconds from 1 to 60000"},
    ),
]
Steps = Annotated[
    int | None, Field(ge=1, le=64, json_schema_extra={"wanted": "a whole number from 1 to 64"})
]
YesNo = Annotated[bool | None, Field(json_schema_extra={"wanted": "true or false"})]
Name = Annotated[str | None, Field(json_schema_extra={"wanted": "text"})]


class Room(Section):
    """Where the person stands."""

    rate_hz: Annotated[int, Field(ge=8000, le=48_000)] = 16_000
    """Rate of microphone and loudspeaker."""
    noise: Noise = "none"
    """What sounds all the time: white noise, a hum, or a babble of voices."""
    noise_db: Level = -50.0
    """Its loudness (RMS, dBFS)."""
    echo_db: Annotated[
        float | None, Field(ge=-60, le=0, json_schema_extra={"wanted": "a number from -60 to 0"})
    ] = None
    """How loud the agent's voice comes back through the microphone, against itself; left out:
    headphones."""
    echo_ms: Annotated[int, Field(ge=0, le=5000)] = 150
    """How late it comes back."""
    lost: Ratio = 0.0
    """Share of the microphone's frames that never arrive."""


class Fakes(Section):
    """What the scripted engines do, and how long they take."""

    replies: Annotated[
        dict[str, str], Field(json_schema_extra={"wanted": "words with a reply each"})
    ] = {}  # noqa: RUF012  # pydantic copies it
    """For words of a question, the reply; to others the nearest fact is read out."""
    final_ms: Annotated[int, Field(ge=0, le=60_000)] = 200
    """A transcript at a pause."""
    partial_ms: Annotated[int, Field(ge=0, le=60_000)] = 150
    """A transcript while somebody speaks."""
    read_ms: Annotated[int, Field(ge=0, le=60_000)] = 60
    """Reading a prompt."""
    step_ms: Annotated[int, Field(ge=0, le=60_000)] = 20
    """A denoising step."""
    piece_ms: Annotated[int, Field(ge=0, le=60_000)] = 40
    """Computing a third of a second of sound."""


class Slow(Section):
    """An engine that is slower than it should be, for a while."""

    engine: SlowEngine
    """Which."""
    times: Annotated[float, Field(ge=1, le=100)] = 1.0
    """How many times as long its calls take."""
    late_ms: Annotated[int, Field(ge=0, le=60_000)] = 0
    """How late its results come, though it is free already: as over a network."""
    finals_only: bool = False
    """Only transcripts at a pause."""
    from_s: Seconds = 0.0
    """From which second of the talk."""
    until_s: Seconds = 3600.0
    """To which second of the talk."""


class CallerLine(Section):
    """What the person says or does at one moment."""

    say: Name = None
    """Words, spoken by a voice."""
    file: Name = None
    """A recording, of any rate."""
    sound: Annotated[
        Sound | None,
        Field(json_schema_extra={"wanted": "one of cough, click, clap, white, hum, babble"}),
    ] = None
    """A noise."""
    text: str = ""
    """What a recording says: the scripted ears hear it there."""
    seconds: Annotated[float, Field(ge=0.02, le=120)] = 1.0
    """How long a hum, white noise or babble lasts."""
    at_s: Annotated[
        float | None, Field(ge=0, le=3600, json_schema_extra={"wanted": "seconds of the talk"})
    ] = None
    """At which second of the talk."""
    after: Annotated[
        Anchor | None, Field(json_schema_extra={"wanted": f"one of {', '.join(Anchor.__args__)}"})
    ] = None
    """What it waits for, from the end of the line before on."""
    wait_s: Seconds = 0.0
    """How long after that."""
    level_db: Level = -23.0
    """Its loudness (RMS while it sounds, dBFS)."""

    @model_validator(mode="after")
    def _is_one_thing_at_one_time(self) -> Self:
        if sum(what is not None for what in (self.say, self.file, self.sound)) != 1:
            raise unfit("needs one of say, file and sound")

        if (self.at_s is None) == (self.after is None):
            raise unfit("needs one of at_s and after, to know when")

        if self.say is not None and not self.say.strip():
            raise unfit("says nothing; write words behind say")

        return self


class ExpectedTurn(Section):
    """What must come of one question."""

    heard: Texts = ()
    """Words that were understood."""
    reply: Texts = ()
    """Words in the reply."""
    lacks: Texts = ()
    """Words that must not be in the reply."""
    source: Annotated[
        Literal["denoiser", "twin", "fact", "courtesy", "unknown"] | None,
        Field(json_schema_extra={"wanted": "one of denoiser, twin, fact, courtesy, unknown"}),
    ] = None
    """Where the reply comes from."""
    within_ms: Within = None
    """First audio, from the last sample of the person's words, in the recording."""
    cut: YesNo = None
    """Whether it was cut before its end."""
    remembered: YesNo = None
    """true: what is remembered of the reply is what sounded, up to one word."""
    most_steps: Steps = None
    """K, at most: the watchdog has turned it down."""
    fewest_steps: Steps = None
    """K, at least: it has turned it up again."""
    prompt: Texts = ()
    """Words in the history that this turn's prompt holds."""
    prompt_lacks: Texts = ()
    """Words that must not be in it."""


class ExpectedLine(Section):
    """What must come of one line of the person, measured in the recording."""

    line: Annotated[int, Field(ge=1, le=1000)]
    """Which, from 1."""
    ducked_within_ms: Within = None
    """The agent's voice is 20 dB down, so soon after the line begins to sound."""
    silent_within_ms: Within = None
    """The agent is silent from then on until the line is over."""
    back_within_ms: Within = None
    """The agent's voice is back at its level, so soon after the line begins to sound."""
    unmoved: YesNo = None
    """The agent's voice is not ducked while the line sounds."""


class Expected(Section):
    """What must come of the talk."""

    said: Texts = ()
    """Words that really sounded, in this order; anything may come between."""
    unsaid: Texts = ()
    """Words that never sounded."""
    whole: YesNo = None
    """Whether every sound of every reply was heard, none of them twice."""
    states: Annotated[tuple[str, ...], Field(json_schema_extra={"wanted": "a list of states"})] = ()
    """States in this order, nothing left out between two of them."""
    never: Texts = ()
    """States that must not come."""
    sentences: Annotated[
        tuple[str, ...] | None, Field(json_schema_extra={"wanted": "a list of kinds"})
    ] = None
    """All fixed sentences that were said, by kind."""
    ended: Name = None
    """Why the talk ended."""
    errors: Annotated[int, Field(ge=0, le=1000)] = 0
    """Errors that are raised."""
    lag_ms: Within = None
    """The event loop's lag (p99)."""


class Head(Section):
    """What holds for the whole talk."""

    about: str = ""
    """What it shows."""
    engines: Literal["fakes", "real"] = "fakes"
    """Scripted engines, or those of the settings."""
    clock: Literal["virtual", "real"] = "virtual"
    """A clock that jumps, or life's."""
    voice: str = "hibari"
    """Who speaks the person's words where the engines are real: not the agent's own voice."""
    quiet_s: Annotated[float, Field(ge=0.5, le=600)] = 2.5
    """The talk is over when all was said, the agent listens, and nobody sounds for so long."""
    at_most_s: Annotated[float, Field(ge=1, le=7200)] = 120.0
    """It is over in any case."""
    load: Annotated[int, Field(ge=0, le=64)] = 0
    """Processes that want the processor, too."""
    room: Room = Room()
    """Where the person stands."""
    fakes: Fakes = Fakes()
    """What the scripted engines do."""
