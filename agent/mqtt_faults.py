"""What is wrong between a kiosk and its broker, in one sentence each.

Rule 1. A sentence names the setting, or the place, where the fault can be mended.
Rule 2. No password is in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import aiomqtt
from paho.mqtt.reasoncodes import ReasonCode

from atonce.config.service_settings import KioskSettings

TAKEN_OVER: Final = 142
"""MQTT 5: another client came with the same client id."""
OLD_BROKER: Final = 132
"""MQTT 5: the broker does not speak this version."""
_WRONG_LOGIN: Final = (134, 135)
_REFUSED_FROM: Final = 128
"""Reason codes from here on are refusals (MQTT 3.1.1 knows one: 128)."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why there is no connection, or not a whole one."""

    sentence: str
    """What, where, and what to do."""
    code: int | None = None
    """MQTT's reason code, where there was one."""


def place(kiosk: KioskSettings) -> str:
    """The broker, as it is called in sentences."""
    return f"the MQTT broker {kiosk.host} port {kiosk.port}"


def code_of(fault: aiomqtt.MqttError) -> int | None:
    """MQTT's reason code of a fault."""
    reason = _reason(fault)
    return None if reason is None else reason.value


def most_telling(faults: ExceptionGroup[Exception]) -> Exception:
    """Of the faults that one loss makes, the one with a reason; before them, one of our own."""
    ours = [fault for fault in faults.exceptions if not isinstance(fault, aiomqtt.MqttError)]
    return ours[0] if ours else max(faults.exceptions, key=_has_reason)


def is_refused(code: ReasonCode | int) -> bool:
    """A reason code says no."""
    value = code.value if isinstance(code, ReasonCode) else code
    return value >= _REFUSED_FROM


def problem(fault: aiomqtt.MqttError, kiosk: KioskSettings, *, was_connected: bool) -> Problem:
    """What a fault means. was_connected: the broker had let the kiosk in."""
    code = code_of(fault)
    broker = place(kiosk)

    if code == TAKEN_OVER:
        return Problem(taken_over(kiosk), code)

    if code in _WRONG_LOGIN and not was_connected:
        return Problem(_login(kiosk, broker), code)

    if was_connected:
        return Problem(f"{broker} was lost ({_short(fault)}): it is tried again", code)

    return Problem(f"{broker} cannot be reached: {_obstacle(str(fault))}", code)


def taken_over(kiosk: KioskSettings) -> str:
    """Another client has the kiosk's name, and two would throw each other out."""
    return (
        f"at {place(kiosk)} another kiosk took over the name {kiosk.client_id}, so this one keeps "
        "away until that one is gone: give every kiosk a kiosk.client_id of its own"
    )


def shared(kiosk: KioskSettings) -> str:
    """Another client has the kiosk's topics."""
    return (
        f"at {place(kiosk)} another kiosk publishes below {kiosk.base_topic}, too: give every "
        "kiosk a kiosk.base_topic of its own"
    )


def no_right(topic: str, kiosk: KioskSettings) -> str:
    """The broker's access list is in the way."""
    who = kiosk.username or "clients without a username"
    return (
        f"{place(kiosk)} does not let {who} use {topic}: correct kiosk.base_topic, or the "
        "broker's access list"
    )


def _login(kiosk: KioskSettings, broker: str) -> str:
    if not kiosk.username:
        return (
            f"{broker} wants a username and a password: set kiosk.username and the environment "
            "variable ATONCE_MQTT_PASSWORD"
        )

    return (
        f"{broker} refuses the user {kiosk.username}: correct kiosk.username or the environment "
        "variable ATONCE_MQTT_PASSWORD"
    )


def _obstacle(text: str) -> str:
    advice = {
        "refused": "nobody listens there: is the broker running, are kiosk.host and kiosk.port "
        "right?",
        "not known": "there is no such name: correct kiosk.host",
        "name resolution": "there is no such name, or no network: look at kiosk.host",
        "No address": "there is no such name: correct kiosk.host",
        "CERTIFICATE": "its certificate is not trusted, or is made for another name: look at "
        "kiosk.tls_authority and kiosk.host",
        "SSL": "it does not speak TLS at this port: correct kiosk.port, or set kiosk.tls=false",
        "reset by peer": "it hung up: does this port want TLS, or none (kiosk.port, kiosk.tls)?",
        "timed out": "it does not answer: is it running, is the network there, does the port want "
        "TLS (kiosk.tls)?",
    }
    return next((told for words, told in advice.items() if words in text), text)


def _short(fault: aiomqtt.MqttError) -> str:
    """A fault in a few words."""
    reason = _reason(fault)
    return str(reason).lower() if isinstance(reason, ReasonCode) else str(fault) or "no answer"


def _has_reason(fault: Exception) -> bool:
    return isinstance(fault, aiomqtt.MqttError) and code_of(fault) is not None


def _reason(fault: BaseException | None) -> ReasonCode | None:
    """MQTT's reason, which may stand in a fault behind the first one."""
    while fault is not None:
        if isinstance(fault, aiomqtt.MqttCodeError) and isinstance(fault.rc, ReasonCode):
            return fault.rc

        fault = fault.__cause__

    return None
