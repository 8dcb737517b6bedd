"""Every setting there is: its type, its range, and what it means, with its unit.

Rule 1. No defaults here: they stand in default.yaml alone, where a user reads them.
        (Only an entry under a name of the user's own has its defaults in agent_settings.py.)
Rule 2. Strict: a text is a text and a number a number; unknown names are refused.
Rule 3. Frozen: settings do not change while an agent runs.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from atonce.config.agent_settings import AgentSettings
from atonce.config.section import Line, Section, Threads, engine_name, in_order
from atonce.config.service_settings import KioskSettings, MetricsSettings, ServeSettings
from atonce.config.talk_settings import MicrophoneSettings, TurnSettings, WatchdogSettings

__all__ = [
    "LARGEST_CANVAS",
    "MOST_STEPS",
    "AgentSettings",
    "EchoSettings",
    "EndpointSettings",
    "KioskSettings",
    "LlmSettings",
    "MetricsSettings",
    "MicrophoneSettings",
    "ServeSettings",
    "Settings",
    "SynthesizerSettings",
    "TranscriberSettings",
    "TurnSettings",
    "VoiceDetectorSettings",
    "WatchdogSettings",
]

LARGEST_CANVAS = 400
"""Positions that any engine can write at once; each engine may take fewer."""
MOST_STEPS = 64
"""More denoising steps than this never changed a reply."""


class VoiceDetectorSettings(Section):
    """Tells a voice from other sound."""

    engine: Annotated[str, *engine_name("voice_detector")]
    """Which voice detector: silero, or a class of your own."""


class EndpointSettings(Section):
    """Decides that a person has stopped speaking: after a silence, by what was said so far."""

    complete_ms: Annotated[int, Field(ge=50, le=10_000)]
    """Silence (ms) that ends what sounds complete, such as a whole question."""
    unsure_ms: Annotated[int, Field(ge=50, le=10_000)]
    """Silence (ms) that ends what may go on or not."""
    incomplete_ms: Annotated[int, Field(ge=50, le=10_000)]
    """Silence (ms) that ends what breaks off, such as "I would like to" or half a number."""
    pre_roll_ms: Annotated[int, Field(ge=300, le=2000)]
    """Sound (ms) kept from before a voice is noticed, so that no first consonant is lost."""
    longest_s: Annotated[int, Field(ge=5, le=120)]
    """Longest utterance (s); what goes on longer is cut there and answered."""

    @model_validator(mode="after")
    def _silences_are_in_order(self) -> Self:
        in_order(self, "complete_ms", "unsure_ms")
        in_order(self, "unsure_ms", "incomplete_ms")
        return self


class EchoSettings(Section):
    """Takes the agent's own voice out of what its microphone hears."""

    engine: Annotated[str, *engine_name("echo")]
    """Which echo canceller: webrtc, off (for headphones), or a class of your own."""


class TranscriberSettings(Section):
    """Writes down what was said."""

    engine: Annotated[str, *engine_name("transcriber")]
    """Which transcriber: whisper, or a class of your own."""
    model: Line
    """A model name that the engine knows, or a folder with one."""
    language: Annotated[
        str,
        Field(
            pattern=r"^[a-z]{2,3}$",
            json_schema_extra={"wanted": "a language code such as en"},
        ),
    ]
    """Language that is heard (ISO 639-1), such as en."""
    threads: Threads
    """Processor threads; 0: as many as suit the processor's cores."""
    device: Literal["auto", "cpu", "cuda"]
    """Where it runs: auto takes a GPU where there is one that the engine can use."""


class SynthesizerSettings(Section):
    """Speaks the reply."""

    engine: Annotated[str, *engine_name("synthesizer")]
    """Which synthesizer: piper (heard while it is computed), piper-whole (whole sentences), hibari
    (small and fast, for slow machines), or a class of your own."""
    voice: Line
    """A voice name that the engine knows, or the path of a voice file. hibari takes joe, the
    default, for its own voice."""


class LlmSettings(Section):
    """Writes the reply: all of it at once, in a few denoising steps."""

    engine: Annotated[str, *engine_name("llm")]
    """Which writer: embedded; reader or twin, its rivals, which write word by word; or a class of
    your own."""
    steps: Annotated[int, Field(ge=1, le=MOST_STEPS)]
    """K, the denoising steps of a reply: fewer are faster, more are surer."""
    min_steps: Annotated[int, Field(ge=1, le=MOST_STEPS)]
    """The fewest denoising steps that a reply is planned with; where the budget has no time for
    them, a fact is read out or one step is done, and that is said."""
    max_steps: Annotated[int, Field(ge=1, le=MOST_STEPS)]
    """The most denoising steps that a reply may be written in."""
    canvas: Annotated[int, Field(ge=8, le=LARGEST_CANVAS)]
    """Positions (tokens) that are denoised together: the longest reply, its end mark included."""
    rule: Literal["cosine", "quota", "doubling", "threshold", "factor", "entropy"]
    """Which positions are committed in a step: cosine, quota and doubling commit a planned number,
    threshold, factor and entropy all that are sure enough, and no fewer than cosine."""
    threshold: Annotated[float, Field(ge=0, le=1)]
    """Confidence from which the threshold rule commits, 0 to 1."""
    factor: Annotated[float, Field(ge=0, le=10)]
    """How bold the factor rule is: n positions are committed together when the least sure of them
    has a doubt of at most factor / (n + 1)."""
    entropy_bound: Annotated[float, Field(ge=0, le=10)]
    """How much entropy, in nats, the positions that the entropy rule commits together may have."""
    left_bias: Annotated[float, Field(ge=0, le=1)]
    """How much surer a position further right must be to be committed first; above 0 replies grow
    from the left."""
    ends_early: bool
    """Whether a reply ends as soon as two steps agree on it without doubt; false: it takes all its
    steps, unless nothing is left open."""
    repairs: Annotated[int, Field(ge=0, le=8)]
    """How often a reply that fails the check is masked where it failed and denoised again."""
    twin: bool
    """Whether the reader's twin may write, word by word, where every repair failed."""
    precision: Literal["auto", "float32", "bfloat16"]
    """In which the embedded model multiplies: bfloat16 takes a third less where the processor has
    instructions for it, much more elsewhere, and now and then gives another word. auto: bfloat16
    where there are such instructions."""
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)]
    """Same seed, same question, same settings: same reply."""
    threads: Threads
    """Processor threads; 0: as many as suit the processor's cores."""

    @model_validator(mode="after")
    def _steps_are_in_order(self) -> Self:
        in_order(self, "min_steps", "max_steps")
        in_order(self, "min_steps", "steps")
        in_order(self, "steps", "max_steps")
        return self


class Settings(Section):
    """All settings."""

    agent: AgentSettings
    """Who the agent is and what it knows."""
    voice_detector: VoiceDetectorSettings
    """Tells a voice from other sound."""
    endpoint: EndpointSettings
    """Decides that a person has stopped speaking: after a silence, by what was said so far."""
    turn: TurnSettings
    """Whose turn it is: interruptions, silences, and what is remembered."""
    microphone: MicrophoneSettings
    """The microphone and the loudspeaker of `atonce talk` and `atonce kiosk`."""
    echo: EchoSettings
    """Takes the agent's own voice out of what its microphone hears."""
    transcriber: TranscriberSettings
    """Writes down what was said."""
    synthesizer: SynthesizerSettings
    """Speaks the reply."""
    llm: LlmSettings
    """Writes the reply: all of it at once, in a few denoising steps."""
    watchdog: WatchdogSettings
    """Holds replies to a time."""
    metrics: MetricsSettings
    """What can be watched from outside; all of it is off by default."""
    serve: ServeSettings
    """The browser's server (`atonce serve`). Its token is no setting: --token, or the environment
    variable ATONCE_TOKEN."""
    kiosk: KioskSettings
    """The kiosk's messages over MQTT (`atonce kiosk`). The broker's password is no setting: it
    comes from the environment variable ATONCE_MQTT_PASSWORD."""
