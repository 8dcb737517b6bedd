"""Facts that are taken away, so that what they answer becomes unknown. Pure.

A place does not know everything, and the nearest fact often looks like an answer. Packs hold such
questions, but few; taking a fact away makes one of every question that it answers.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from random import Random

from atonce.llm.corpus import Scene, Turn
from atonce.llm.lessons import UNKNOWN

SCENES = 0.6  # share of scenes that something is taken from
MOST = 3  # facts that are taken from one scene


def withhold_some(scene: Scene, dice: Random) -> Scene:
    """The scene as it is, or without some of its facts."""
    most = min(MOST, len(scene.facts) // 4)
    if not most or dice.random() >= SCENES:
        return scene

    return withhold(scene, dice.sample(list(scene.pack.facts), dice.randint(1, most)))


def withhold(scene: Scene, names: Collection[str]) -> Scene:
    """The scene without these facts: turns that rest on one of them are unknown."""
    pack = scene.pack
    kept = {name: text for name, text in pack.facts.items() if name not in names}
    facts = tuple(fact for name, fact in zip(pack.facts, scene.facts, strict=True) if name in kept)
    dialogues = tuple(tuple(without(turn, names) for turn in turns) for turns in pack.dialogues)
    return replace(scene, pack=replace(pack, facts=kept, dialogues=dialogues), facts=facts)


def without(turn: Turn, names: Collection[str]) -> Turn:
    """The turn, unknown if it rests on one of these facts."""
    if not set(turn.facts) & set(names):
        return turn

    return replace(turn, replies=(UNKNOWN,), facts=(), must=(), is_unknown=True)
