"""Scenario packs: what the embedded model is trained and measured on, drawn into examples.

Rule 1: one seed, one pack, one example; nothing here draws from a global generator.
Rule 2: an example holds every fact of its pack, in the pack's order, as at run time.
The format of a pack is written down in corpus/FORMAT.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import yaml

from atonce.config.errors import AtonceError
from atonce.llm.heard import Heard, as_transcribed, load_heard
from atonce.llm.protocols import Exchange, Prompt

SLOT = re.compile(r"\{(\w+)\}")
NAMES = [
    "Alice",
    "Ben",
    "Carla",
    "David",
    "Elena",
    "Farid",
    "Grace",
    "Hugo",
    "Ines",
    "Jonas",
    "Karim",
    "Lena",
    "Marco",
    "Nadia",
    "Oscar",
    "Priya",
    "Quinn",
    "Rosa",
    "Samir",
    "Tessa",
    "Umar",
    "Vera",
    "Wei",
    "Yusuf",
    "Zoe",
    "Aiko",
    "Bruno",
    "Chloe",
    "Dmitri",
    "Esther",
]
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
CODE_LETTERS = "ABCDEFGHJKLMNPRSTUVW"  # no I and O, which look like digits

Slot = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """One question of a dialogue with its right replies, slots not yet filled."""

    asks: tuple[str, ...]
    """Ways to ask it."""
    replies: tuple[str, ...]
    """Right replies; every one fits every ask."""
    facts: tuple[str, ...]
    """Names of the facts the reply rests on; none for small talk."""
    must: tuple[str, ...]
    """What a right reply contains; alternatives with |."""
    is_unknown: bool
    """The facts do not answer it: the only right reply says so."""


@dataclass(frozen=True, slots=True)
class Pack:
    """One place where an agent works."""

    name: str
    """File name without its suffix."""
    role: str
    """Completes "You are …"."""
    slots: Mapping[str, Slot]
    """Values that are drawn anew for every scene."""
    facts: Mapping[str, str]
    """Name to sentence, in the pack's order."""
    dialogues: tuple[tuple[Turn, ...], ...]
    """Conversations, turn by turn."""
    heard: Heard = field(default_factory=dict)
    """What speech recognition made of some of the questions."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A pack with its slots filled: one role and one set of facts."""

    pack: Pack
    """Where it was drawn from."""
    values: Mapping[str, str]
    """Slot name to its drawn value."""
    role: str
    """The role, filled."""
    facts: tuple[str, ...]
    """All facts of the pack, filled, in its order."""


@dataclass(frozen=True, slots=True)
class Example:
    """One turn of a scene: what is asked, and what is right."""

    prompt: Prompt
    """As a writer gets it at run time."""
    replies: tuple[str, ...]
    """Right replies."""
    gold: tuple[int, ...]
    """Indices of the facts the reply rests on."""
    must: tuple[str, ...]
    """What a right reply contains; alternatives with |."""
    is_unknown: bool
    """The facts do not answer it."""
    key: str
    """pack/dialogue/turn, to tell turns apart."""


def load_pack(path: Path, heard: Heard | None = None) -> Pack:
    """Read one pack; its texts are checked by the corpus tests, not here."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    dialogues = tuple(
        tuple(_turn(turn) for turn in dialogue["turns"]) for dialogue in raw["dialogues"]
    )
    slots = raw.get("slots") or {}
    return Pack(path.stem, raw["role"], slots, raw["facts"], dialogues, heard or {})


def load_packs(folder: Path) -> tuple[Pack, ...]:
    """Read all packs of a folder, by name, with what was heard of their questions."""
    heard = load_heard(folder)
    paths = sorted(folder.glob("*.yaml"))
    packs = tuple(load_pack(path, heard.get(path.stem)) for path in paths)
    if not packs:
        raise AtonceError(f"no scenario packs in {folder}: name a folder that holds *.yaml packs")

    return packs


def _turn(raw: Mapping[str, Any]) -> Turn:
    return Turn(
        asks=tuple(raw["ask"]),
        replies=tuple(raw["reply"]),
        facts=tuple(raw.get("facts") or ()),
        must=tuple(str(must) for must in raw.get("must") or ()),
        is_unknown=bool(raw.get("unknown")),
    )


def draw_scene(pack: Pack, rng: Random) -> Scene:
    """Fill every slot of a pack with a value of its kind."""
    values = {name: draw_value(slot, rng) for name, slot in pack.slots.items()}
    facts = tuple(fill(text, values) for text in pack.facts.values())
    return Scene(pack, values, fill(pack.role, values), facts)


def draw_example(
    scene: Scene, dialogue: int, turn: int, rng: Random, *, heard: float = 0.0
) -> Example:
    """One turn with its earlier turns as history; the ask is drawn, replies all stay.

    heard: in this share, a question is written as speech recognition writes it, 0 to 1.
    """
    turns = scene.pack.dialogues[dialogue]
    history = tuple(
        Exchange(draw_ask(scene, past, rng, heard), fill(rng.choice(past.replies), scene.values))
        for past in turns[:turn]
    )
    now = turns[turn]
    names = tuple(scene.pack.facts)
    return Example(
        prompt=Prompt(scene.role, scene.facts, draw_ask(scene, now, rng, heard), history),
        replies=tuple(fill(reply, scene.values) for reply in now.replies),
        gold=tuple(names.index(name) for name in now.facts),
        must=tuple(SLOT.sub(lambda m: scene.values[m[1]], must) for must in now.must),
        is_unknown=now.is_unknown,
        key=f"{scene.pack.name}/{dialogue}/{turn}",
    )


def draw_ask(scene: Scene, turn: Turn, rng: Random, heard: float) -> str:
    """One way to ask, filled."""
    ask = rng.choice(turn.asks)
    # Dice of their own: the same turns are drawn whether they are heard or not.
    if Random(f"{scene.values} {ask}").random() < heard:
        ask = scene.pack.heard.get(ask) or as_transcribed(ask)

    return fill(ask, scene.values)


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put drawn values into a text; a value that opens a sentence gets a capital."""

    def value(match: re.Match[str]) -> str:
        drawn = values[match[1]]
        opens = not match.start() or re.search(r"[.!?]\s+$", text[: match.start()])
        return drawn[:1].upper() + drawn[1:] if opens else drawn

    return SLOT.sub(value, text)


def draw_value(slot: Slot, rng: Random) -> str:
    """One value of the slot's kind, written as it is spoken."""
    if slot["kind"] == "choice":
        return str(rng.choice(slot["values"]))

    if slot["kind"] in _WORDS:
        return _WORDS[slot["kind"]](rng)

    if slot["kind"] == "time":
        return _clock(rng.randrange(_minutes(slot["from"]), _minutes(slot["to"]) + 1, 15))

    low, high = int(slot["from"]), int(slot["to"])
    if slot["kind"] == "money":
        value = rng.randint(low, high)
        return f"${value}.50" if rng.random() < 0.25 else f"${value}"

    value = rng.randrange(low, high + 1, int(slot.get("step", 1)))
    if slot["kind"] == "duration":
        return _duration(value)

    return _UNITS[slot["kind"]].format(value)


_WORDS: Mapping[str, Callable[[Random], str]] = {
    "name": lambda rng: rng.choice(NAMES),
    "weekday": lambda rng: rng.choice(WEEKDAYS),
    "month": lambda rng: rng.choice(MONTHS),
    "date": lambda rng: f"{rng.choice(MONTHS)} {rng.randint(1, 28)}",
    "phone": lambda rng: f"555 {rng.randint(100, 199):04d}",
    "code": lambda rng: f"{rng.choice(CODE_LETTERS)}{rng.randint(1, 99)}",
}
_UNITS = {
    "int": "{}",
    "percent": "{}%",
    "temperature": "{} degrees",
    "distance": "{} metres",
}
KINDS = frozenset(_WORDS) | frozenset(_UNITS) | {"choice", "time", "money", "duration"}


def _clock(minutes: int) -> str:
    hour, minute = divmod(minutes, 60)
    return f"{(hour - 1) % 12 + 1}:{minute:02d} {'am' if hour < 12 else 'pm'}"


def _minutes(clock: object) -> int:
    hour, minute = str(clock).split(":")
    return int(hour) * 60 + int(minute)


def _duration(minutes: int) -> str:
    minutes -= minutes % 5 if minutes > 10 else 0  # people say 25 minutes, not 23
    hours, rest = divmod(minutes, 60)
    parts = [f"{hours} hour{'s' if hours > 1 else ''}"] if hours else []
    if rest or not hours:
        parts.append(f"{rest} minute{'s' if rest != 1 else ''}")

    return " ".join(parts)
