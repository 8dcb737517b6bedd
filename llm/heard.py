"""What speech recognition makes of the questions of the packs. Pure, but for reading one file.

Some questions were really spoken and heard (scripts/make_heard.py); what stands for them in
corpus/heard.<folder>.yaml is what Whisper wrote. The others get its habits: a capital, a mark at
the end, no hesitations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

HESITATION = re.compile(r",?\s*\b(?:uh|um|erm|er|hmm)\b,?", re.IGNORECASE)
ASKS = re.compile(
    r"\b(?:who|what|what's|when|where|where's|which|why|how|is|are|am|do|does|did|can|could|may"
    r"|will|would|should|have|has|right|isn't it)\b",
    re.IGNORECASE,
)

Heard = Mapping[str, str]
"""A question as the pack has it, to what was heard of it; slots stay slots."""


def heard_file(folder: Path) -> Path:
    """Where the heard questions of a folder of packs stand: beside it."""
    return folder.parent / f"heard.{folder.name}.yaml"


def load_heard(folder: Path) -> Mapping[str, Heard]:
    """Heard questions by name of the pack; questions that got lost on the way are left out."""
    path = heard_file(folder)
    if not path.exists():
        return {}

    text = path.read_text(encoding="utf-8")
    raw: Mapping[str, Mapping[str, str | None]] = yaml.safe_load(text) or {}
    return {
        name: {ask: heard for ask, heard in asks.items() if heard} for name, asks in raw.items()
    }


def as_transcribed(ask: str) -> str:
    """The question in Whisper's way of writing."""
    text = " ".join(HESITATION.sub(" ", ask).replace(" ,", ",").split()).strip(" ,")
    if not text:
        return ask

    text = re.sub(r"\bi\b(?=$|[\s'])", "I", text)
    mark = "" if text[-1] in ".!?" else "?" if ASKS.search(text) else "."
    return text[0].upper() + text[1:] + mark
