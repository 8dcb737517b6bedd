"""The settings of what runs unattended: the browser's server, the kiosk, and their metrics.

No secret stands in a settings file: the server's token comes from ATONCE_TOKEN, the broker's
password from ATONCE_MQTT_PASSWORD.
"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from atonce.config.section import (
    Host,
    Line,
    LineOrNothing,
    Port,
    Section,
    StunServers,
    UrlOrNothing,
    unfit,
)

Command = Literal["ask", "say", "stop", "mute", "volume"]
"""What a message may ask of a kiosk."""
LONGEST_TOPIC = 200
"""Characters of a base topic; brokers take 65535 bytes, and the topics below it need some."""


def _topic(text: str) -> str:
    is_plain = not any(character in text for character in "+#\0") and not text.startswith("$")

    if is_plain and all(text.split("/")) and len(text) <= LONGEST_TOPIC:
        return text

    raise unfit(
        "a topic such as museum/kiosk-1 is wanted here: no + or #, no $ at the start, no / at the"
        f" start or the end or twice, at most {LONGEST_TOPIC} characters"
    )


class MetricsSettings(Section):
    """What can be watched from outside; all of it is off by default."""

    prometheus_port: Port
    """Port on which Prometheus finds the metrics; 0: off."""
    host: Host
    """Address at which that port is opened."""
    traces: bool
    """Whether each turn is sent as an OpenTelemetry trace."""
    traces_endpoint: UrlOrNothing
    """Where traces are sent (OTLP over HTTP); empty: where the variables of OpenTelemetry say."""


class ServeSettings(Section):
    """The browser's server (`atonce serve`). Its token is no setting: --token, or the environment
    variable ATONCE_TOKEN."""

    host: Host
    """Address that it listens at; any other than 127.0.0.1 needs a token."""
    port: Port
    """Port that it listens at; 0: any that is free."""
    tls_certificate: LineOrNothing
    """File with the certificate for https (PEM); empty: http. Browsers give the microphone only
    to https, or to localhost."""
    tls_key: LineOrNothing
    """File with the key of that certificate (PEM)."""
    stun: StunServers
    """STUN servers, for browsers behind other routers; none within one network."""
    ice_timeout_s: Annotated[float, Field(ge=1, le=120)]
    """Time (s) within which the connection must stand."""
    close_after_s: Annotated[float, Field(ge=1, le=120)]
    """Time (s) without a sign of life from the browser after which its talk is ended."""

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> Self:
        if bool(self.tls_certificate) != bool(self.tls_key):
            missing = "tls_key" if self.tls_certificate else "tls_certificate"
            raise unfit(f"a certificate and its key belong together; {missing} is missing")

        return self


class KioskSettings(Section):
    """The kiosk's messages over MQTT (`atonce kiosk`). The broker's password is no setting: it
    comes from the environment variable ATONCE_MQTT_PASSWORD."""

    host: Host
    """The broker's name or address."""
    port: Annotated[int, Field(ge=1, le=65_535)]
    """The broker's port."""
    username: LineOrNothing
    """Name under which the kiosk logs in; empty: without one."""
    tls: bool
    """Whether the connection is encrypted."""
    tls_authority: LineOrNothing
    """File with the certificates that are trusted for it (PEM); empty: the system's own."""
    base_topic: Annotated[
        str, AfterValidator(_topic), Field(json_schema_extra={"wanted": "a topic"})
    ]
    """What all its topics begin with."""
    client_id: Line
    """Its name at the broker; no two clients may have the same."""
    publish_transcripts: bool
    """Whether what was heard and replied is published; without it, no word leaves the machine."""
    commands: Annotated[
        tuple[Command, ...],
        Field(json_schema_extra={"wanted": "a list of ask, say, stop, mute and volume"}),
    ]
    """Which commands it obeys."""
    clear_after_s: Annotated[float, Field(ge=5, le=3600)]
    """Silence (s) after which the talk is forgotten: the next person never meets it."""
    keep_alive_s: Annotated[int, Field(ge=5, le=3600)]
    """Time (s) between signs of life to the broker, which tells the others when they stop."""
