"""What is wrong with settings → one sentence each: where, which key, what was wrong, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from atonce.config.errors import SettingsError
from atonce.config.plain_yaml import Keys, Origin, Value, scalar
from atonce.config.reference import Entry, entries, pattern

LONGEST_QUOTE = 40
"""Characters of a wrong value that are shown."""
_LAYERS = ("default", "tuned", "file", "command line")


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong with the settings."""

    keys: Keys
    """Which setting."""
    what: str
    """What is wrong with it."""
    origin: Origin | None
    """Where it stands; None where it stands nowhere."""

    @property
    def place(self) -> tuple[int, int]:
        """Sorts complaints as their places are read: files first, line by line."""
        return (_LAYERS.index(self.origin.layer), self.origin.line) if self.origin else (0, 0)

    def __str__(self) -> str:
        place = f"{self.origin}: " if self.origin else ""
        return f"{place}{'.'.join(self.keys)}: {self.what}"


def refusal(complaints: Iterable[Complaint]) -> SettingsError:
    """All of them in one error, each on its line."""
    return SettingsError("\n".join(map(str, sorted(complaints, key=lambda one: one.place))))


def about(
    errors: Iterable[ErrorDetails], origins: Mapping[Keys, Origin], model: type[BaseModel]
) -> list[Complaint]:
    """What pydantic found, as complaints."""
    return [_complaint(error, origins, entries(model)) for error in errors]


def not_a_section(keys: Keys, value: Value, origin: Origin) -> Complaint:
    """A value stands where a section is wanted."""
    return Complaint(keys, f"a section is wanted here, not {quoted(value)}", origin)


def quoted(value: object) -> str:
    """A value as one would name it in a sentence."""
    if value is None:
        return "an empty value"

    if isinstance(value, bool):
        return str(value).lower()

    if isinstance(value, int | float):
        return f"the number {_short(str(value))}"

    if isinstance(value, list):
        return "a list"

    if isinstance(value, dict):
        return "a section"

    return f'the text "{_short(str(value))}"'


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…"


def _complaint(
    error: ErrorDetails, origins: Mapping[Keys, Origin], known: Mapping[Keys, Entry]
) -> Complaint:
    keys = tuple(str(key) for key in error["loc"])

    if error["type"] == "order":
        keys, what = _order(error, keys, origins)
    elif error["type"] == "extra_forbidden":
        what = _unknown(keys, known)
    elif error["type"] == "missing":
        what = "is missing"
    elif error["type"] == "unfit":
        what = error["msg"]
    else:
        what = _wrong(error, known.get(pattern(keys, known)))

    return Complaint(keys, what, _origin(keys, origins))


def _origin(keys: Keys, origins: Mapping[Keys, Origin]) -> Origin | None:
    """Where the key stands, or the nearest section around it."""
    for length in range(len(keys), 0, -1):
        if keys[:length] in origins:
            return origins[keys[:length]]

    return None


def _order(error: ErrorDetails, section: Keys, origins: Mapping[Keys, Origin]) -> tuple[Keys, str]:
    """Two settings that do not fit together: blames the one that was set last."""
    low, high = (*section, error["ctx"]["low"]), (*section, error["ctx"]["high"])
    values = error["input"]
    layers = {keys: _LAYERS.index(origins[keys].layer) for keys in (low, high)}

    if layers[low] >= layers[high]:
        return low, (
            f"{values[low[-1]]} is above {'.'.join(high)}, which is {values[high[-1]]} "
            f"({origins[high]})"
        )

    return high, (
        f"{values[high[-1]]} is below {'.'.join(low)}, which is {values[low[-1]]} ({origins[low]})"
    )


def _unknown(keys: Keys, known: Mapping[Keys, Entry]) -> str:
    """There is no such setting; the nearest one is."""
    section = keys[:-1]
    kind = pattern(section, known)
    beside = {
        entry.keys[-1]: ".".join((*section, entry.keys[-1]))
        for entry in known.values()
        if entry.keys[:-1] == kind
    }
    near = get_close_matches(keys[-1], beside, n=1) or get_close_matches(
        keys[-1].lower(), beside, n=1
    )

    if near:
        return f"there is no such setting; did you mean {beside[near[0]]}?"

    elsewhere = {entry.keys[-1]: entry.name for entry in known.values()}
    near = get_close_matches(keys[-1], elsewhere, n=1, cutoff=0.8)

    if near:
        return f"there is no such setting; did you mean {elsewhere[near[0]]}?"

    place = f"{'.'.join(section)} has" if section else "there are"
    return f"there is no such setting; {place} {', '.join(beside)}"


def _wrong(error: ErrorDetails, entry: Entry | None) -> str:
    """A value of the wrong type or out of range; no entry: one of the user's own names."""
    value = error["input"]
    wanted = entry.wanted if entry else "text"
    found = "what stands there" if entry and entry.is_secret else quoted(value)
    hint = _hint(error["type"], value, is_open=entry is not None and entry.is_open)
    return f"{wanted} is wanted here, not {found}{hint}"


def _hint(kind: str, value: object, *, is_open: bool) -> str:
    """What to do about a value that is nearly right."""
    if kind == "string_type" and isinstance(value, bool | int | float):
        return "; put it in quotes"

    if is_open and value is None:
        return "; write {} for none"

    is_quoted = isinstance(value, str) and not isinstance(scalar(value), str)
    return "; take the quotes away" if is_quoted and value else ""
