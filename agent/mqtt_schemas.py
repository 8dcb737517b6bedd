"""The JSON schemas of a kiosk's messages, as docs/mqtt.md shows them. Pure."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from atonce.agent import mqtt_commands, mqtt_messages


def schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of one message; each field's description is one line."""
    made = model.model_json_schema()

    for field in made["properties"].values():
        field.pop("title", None)
        field["description"] = " ".join(field["description"].split())

    return made


def chapter() -> str:
    """All of them as Markdown: those that are published, then the commands."""
    models = {
        **{f"`{name}`": model for name, model in mqtt_messages.MODELS.items()},
        **{f"`command/{name}`": model for name, model in mqtt_commands.MODELS.items()},
    }
    return "\n".join(
        f"### {title}\n\n```json\n{_in_lines(schema(model))}\n```\n"
        for title, model in models.items()
    )


def _in_lines(made: dict[str, Any]) -> str:
    """One line for every field."""
    fields = [f"    {_json(name)}: {_json(field)}" for name, field in made["properties"].items()]
    rest = [
        f"  {_json(key)}: {_json(value)}"
        for key, value in made.items()
        if key not in ("properties", "title", "description")
    ]
    properties = '  "properties": {\n' + ",\n".join(fields) + "\n  }"
    head = [f'  "{key}": {_json(made[key])}' for key in ("title", "description")]
    return "{\n" + ",\n".join([*head, *rest, properties]) + "\n}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
