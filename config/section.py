"""What all groups of settings have in common, and the kinds of value that a setting may have.

Every kind says in words what is wanted ("wanted"), for errors and for the table of settings.
"""

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from atonce.config import registry

_URL = re.compile(r"https?://[^\s/?#]+[^\s]*")
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_STUN = re.compile(r"stuns?:[A-Za-z0-9._-]+(:[0-9]{1,5})?")


class Section(BaseModel):
    """What all groups of settings have in common."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", use_attribute_docstrings=True
    )


def unfit(what: str) -> PydanticCustomError:
    """An error whose sentence is shown as it stands, behind the name of the setting."""
    return PydanticCustomError("unfit", "{what}", {"what": what})


def in_order(section: Section, low: str, high: str) -> None:
    """Refuses a section whose setting `low` is above its setting `high`."""
    if getattr(section, low) > getattr(section, high):
        raise PydanticCustomError("order", "{low} is above {high}", {"low": low, "high": high})


def _line_or_nothing(text: str) -> str:
    """One line of text that can be said: single spaces."""
    line = " ".join(text.split())

    for character in line:
        if unicodedata.category(character) == "Cc":
            raise unfit(
                f"holds the control character U+{ord(character):04X}, which nobody can say;"
                " remove it"
            )

    return line


def _line(text: str) -> str:
    """One line of text that can be said, never empty."""
    if line := _line_or_nothing(text):
        return line

    raise unfit("is empty; write something, or leave the line out")


def _url_or_nothing(text: str) -> str:
    if not text or _URL.fullmatch(text):
        return text

    raise unfit("an address that begins with http:// or https:// is wanted here")


def _host(text: str) -> str:
    if _HOST.fullmatch(text):
        return text

    raise unfit("the name or the address of a machine is wanted here, without http:// and port")


def _stun(text: str) -> str:
    if _STUN.fullmatch(text):
        return text

    raise unfit("a STUN server such as stun:stun.example.org:3478 is wanted here")


def engine_name(kind: registry.Kind) -> tuple[AfterValidator, FieldInfo]:
    """What holds for the name of an engine: the registry finds it."""

    def known(name: str) -> str:
        if registry.is_known(kind, name):
            return name

        raise unfit(registry.unknown(kind, name))

    return AfterValidator(known), Field(json_schema_extra={"wanted": registry.wanted(kind)})


def named(wanted: str) -> tuple[AfterValidator, PlainSerializer, FieldInfo]:
    """What holds for a mapping with names that the user chooses: it does not change."""
    return (
        AfterValidator(MappingProxyType),
        PlainSerializer(dict),
        Field(json_schema_extra={"wanted": wanted}),
    )


Line = Annotated[str, AfterValidator(_line)]
LineOrNothing = Annotated[str, AfterValidator(_line_or_nothing)]
Words = Annotated[
    tuple[Line, ...],
    Field(json_schema_extra={"wanted": "a list of words, such as [stop, hold on]"}),
]
"""Words and short phrases, compared without capitals and punctuation."""
Facts = Annotated[Mapping[str, Line], *named("names with a sentence each")]
Threads = Annotated[int, Field(ge=0, le=256)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Host = Annotated[
    str,
    AfterValidator(_host),
    Field(json_schema_extra={"wanted": "the name or the address of a machine"}),
]
UrlOrNothing = Annotated[
    str,
    AfterValidator(_url_or_nothing),
    Field(json_schema_extra={"wanted": "an address (http:// or https://), or nothing"}),
]
StunServers = Annotated[
    tuple[Annotated[str, AfterValidator(_stun)], ...],
    Field(json_schema_extra={"wanted": "a list of STUN servers"}),
]
