"""Which part of a draft stands and which is written anew: pins for the next row. Pure.

A span is a pair of places in the draft's text, first and one past the last. What comes out is what
Writer.write takes as `given`: a token for every position that stays, None for those to be written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from atonce.llm.protocols import Cell

Span = tuple[int, int]


def pinned(cells: Sequence[Cell]) -> list[int | None]:
    """Everything that is settled stays."""
    return [None if cell.is_open else cell.token for cell in cells]


def remasked(cells: Sequence[Cell], spans: Iterable[Span], *, margin: int) -> list[int | None]:
    """Masks the spans again, with `margin` neighbours to each side, and what follows the last word.

    The neighbours because they were written to fit what is masked; the end so that what is written
    anew may be longer or shorter than what stood there. Without a span everything is written anew.
    """
    spans = list(spans)
    hit = [i for i, place in enumerate(places(cells)) if any(overlaps(place, s) for s in spans)]
    opened = {i for at in hit for i in range(at - margin, at + margin + 1)}
    last = max((i for i, cell in enumerate(cells) if cell.text), default=-1)
    if not opened:
        return [None] * len(cells)

    return [None if i in opened or i > last else token for i, token in enumerate(pinned(cells))]


def kept_until(cells: Sequence[Cell], characters: int) -> list[int | None]:
    """Keeps what was heard, the first characters of the text; the rest is written anew.

    A word of which a part was heard stays whole.
    """
    heard = (0, characters)
    return [
        token if overlaps(place, heard) else None
        for token, place in zip(pinned(cells), places(cells), strict=True)
    ]


def places(cells: Sequence[Cell]) -> list[Span]:
    """Where each cell's characters stand in the draft's text, which begins at its first letter."""
    text = "".join(cell.text for cell in cells)
    at = len(text.lstrip()) - len(text)
    found = []
    for cell in cells:
        found.append((at, at + len(cell.text)))
        at += len(cell.text)

    return found


def overlaps(place: Span, span: Span) -> bool:
    """Whether they share a character."""
    return place[0] < span[1] and place[1] > span[0] and place[0] < place[1]
