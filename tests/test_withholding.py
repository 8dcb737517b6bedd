"""Facts that are taken away."""

from __future__ import annotations

from pathlib import Path
from random import Random

from atonce.llm.corpus import draw_example, draw_scene, load_pack
from atonce.llm.lessons import UNKNOWN, canonical_reply, lessons
from atonce.llm.withholding import SCENES, withhold, withhold_some

HOSTEL = load_pack(Path(__file__).parents[1] / "corpus" / "train" / "hostel.yaml")


def test_what_a_missing_fact_answered_is_unknown_and_the_rest_is_not() -> None:
    scene = withhold(draw_scene(HOSTEL, Random(1)), ["free"])
    first = draw_example(scene, 0, 0, Random(1))  # "do you have a bed for tonight"
    second = draw_example(scene, 0, 1, Random(1))  # "how much"

    assert first.is_unknown
    assert canonical_reply(first) == UNKNOWN
    assert not second.is_unknown
    assert scene.facts[second.gold[0]].startswith("A bed in a dorm costs")
    assert second.prompt.history[0].reply == UNKNOWN


def test_the_facts_that_are_left_keep_their_order_and_their_values() -> None:
    scene = draw_scene(HOSTEL, Random(1))
    left = withhold(scene, ["dorm", "wifi"]).facts

    assert len(left) == len(scene.facts) - 2
    assert [fact for fact in scene.facts if fact in left] == list(left)


def test_every_lesson_of_such_a_scene_can_be_taught() -> None:
    dice = Random(2)
    for example in lessons(withhold(draw_scene(HOSTEL, dice), ["checkin", "breakfast"]), dice):
        assert canonical_reply(example)
        assert all(fact < len(example.prompt.facts) for fact in example.gold)


def test_some_scenes_stay_whole() -> None:
    dice = Random(3)
    scene = draw_scene(HOSTEL, dice)
    whole = sum(withhold_some(scene, dice) == scene for _ in range(400)) / 400

    assert abs(whole - (1 - SCENES)) < 0.1
