"""What is wrong with settings → one sentence each: where, which key, what was wrong, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from atonce.config.plain_yaml import Keys, Origin, Value
from atonce.config.reference import Entry, entries

LONGEST_QUOTE = 40
"""Characters of a wrong value that are shown."""
_LAYERS = ("default", "file", "command line")


def sentences(
    errors: Iterable[ErrorDetails], origins: Mapping[Keys, Origin], model: type[BaseModel]
) -> list[str]:
    """One sentence for each error that pydantic found, in the order of files and lines."""
    found = [_sentence(error, origins, entries(model)) for error in errors]
    return [text for _, text in sorted(found, key=lambda pair: pair[0])]


def unwanted(keys: Keys, value: Value, origin: Origin) -> str:
    """The sentence for a value where a section is wanted."""
    return complaint(keys, f"a section is wanted here, not {quoted(value)}", origin)


def complaint(keys: Keys, what: str, origin: Origin | None) -> str:
    """Puts place and key before what is wrong."""
    return f"{origin}: {'.'.join(keys)}: {what}" if origin else f"{'.'.join(keys)}: {what}"


def quoted(value: object) -> str:
    """A value as one would name it in a sentence."""
    if value is None:
        return "an empty value"

    if isinstance(value, bool):
        return str(value).lower()

    if isinstance(value, int | float):
        return f"the number {value}"

    if isinstance(value, list):
        return "a list"

    if isinstance(value, dict):
        return "a section"

    text = str(value)
    short = text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…"
    return f'the text "{short}"'


def _sentence(
    error: ErrorDetails, origins: Mapping[Keys, Origin], known: Mapping[Keys, Entry]
) -> tuple[tuple[int, int], str]:
    keys = tuple(str(key) for key in error["loc"])

    if error["type"] == "order":
        keys, what = _order(error, keys, origins)
    elif error["type"] == "extra_forbidden":
        what = _unknown(keys, known)
    else:
        what = _wrong(error, keys, known)

    origin = _origin(keys, origins)
    rank = (_LAYERS.index(origin.layer), origin.line) if origin else (0, 0)
    return rank, complaint(keys, what, origin)


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
    beside = {entry.keys[-1]: entry.name for entry in known.values() if entry.keys[:-1] == section}
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


def _wrong(error: ErrorDetails, keys: Keys, known: Mapping[Keys, Entry]) -> str:
    """A value of the wrong type or out of range."""
    entry = known.get(keys)

    if error["type"] == "missing":
        return "is missing"

    if error["type"] in ("empty", "unnamed", "engine"):
        return error["msg"]

    value = error["input"]

    if entry is None and error["type"] == "string_type":
        hint = "; put it in quotes" if isinstance(value, bool | int | float) else ""
        return f"text is wanted here, not {quoted(value)}{hint}"

    wanted = entry.wanted if entry else error["msg"]
    found = "what stands there" if entry and entry.is_secret else quoted(value)
    needs_quotes = error["type"] == "string_type" and isinstance(value, bool | int | float)
    hint = "; put it in quotes" if needs_quotes else ""
    return f"{wanted} is wanted here, not {found}{hint}"
