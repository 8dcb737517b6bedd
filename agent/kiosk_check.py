"""`atonce kiosk --check`: what a kiosk with these settings would meet, and what to do about it."""

from __future__ import annotations

import asyncio
import sys

from atonce.agent import devices
from atonce.agent.mqtt_faults import place
from atonce.agent.mqtt_link import Broker, MqttLink
from atonce.agent.mqtt_messages import Presences, Topics
from atonce.config.errors import AtonceError
from atonce.config.schema import Settings


def run(settings: Settings, broker: Broker) -> int:
    """Look at devices and broker; 1 if anything is wrong. A kiosk that runs is not disturbed."""
    problems = 0

    for name, found, problem in (*_devices(settings), _broker(settings, broker)):
        problems += bool(problem)
        sys.stdout.write(f"{'WRONG' if problem else 'ok':<7}{name:<13}{problem or found}\n")
        sys.stdout.flush()

    kiosk = settings.kiosk
    obeyed = ", ".join(kiosk.commands) or "none"
    words = "published" if kiosk.publish_transcripts else "not published"
    sys.stdout.write(f"{'':<7}{'commands':<13}{obeyed}\n{'':<7}{'words':<13}{words}\n")
    return int(problems > 0)


def _devices(settings: Settings) -> list[tuple[str, str, str]]:
    section = settings.microphone
    wanted = (("microphone", section.input), ("loudspeaker", section.output))

    try:
        there = devices.there()
    except AtonceError as fault:
        return [("sound", "", str(fault))]

    found: list[tuple[str, str, str]] = []

    for name, part in wanted:
        try:
            device = devices.find(there, part, is_input=name == "microphone")
            found.append((name, device.name, ""))
        except AtonceError as fault:
            found.append((name, "", str(fault)))

    return found


def _broker(settings: Settings, broker: Broker) -> tuple[str, str, str]:
    topics = Topics(settings.kiosk.base_topic)
    will = Presences(topics, "", (), is_publishing_transcripts=False).of("offline", "", None)

    async def look() -> str:
        link = MqttLink(
            broker,
            topics,
            will=will,
            farewell=lambda: will,
            receive=lambda *_: None,
            say=lambda _: None,
        )
        return await link.try_once()

    return "broker", f"{place(settings.kiosk)}, topics below {topics.base}", asyncio.run(look())
