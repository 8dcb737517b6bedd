"""Markdown → the words that stand on the screen, each character with its place in what was written.

Rule 1. Marks go, words stay: 2 * 3, my_file_name and C# are no markup.
Rule 2. A table is read row by row, a list item by item, one line of code as it stands; more lines
        of code, pictures' addresses and what is struck out are shown and not said.

Pure. The parser is markdown-it's; it does not tell places, so they are found again here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_MARKUP = re.compile(r"[*_`~\[\]|\\\n\r]|&\w|^\s*(?:[-+>#]|\d+[.)])\s", re.M)
"""Only text that holds one of these is parsed."""
_TIMES = re.compile(r"(?<=[\d)])(\s*)\*(\s*)(?=[\d(])")
_POWER = re.compile(r"(?<=\d)\*\*(?=\d)")
_ADDRESS = re.compile(r"\](?:\([^()]*(?:\([^()]*\)[^()]*)*\)|\[[^\]]*\])")
_NEXT_CELL = re.compile(r"[\s|]*")
_OPEN_END = re.compile(r"[^\s.,;:!?…-]$")


@dataclass(frozen=True, slots=True)
class Plain:
    """The words of a text without its markup."""

    text: str
    """What stands on the screen, in one line."""
    places: tuple[int, ...]
    """For each of its characters the place in what was written; never falling."""
    ends: frozenset[int]
    """Places in `text` where a paragraph, a heading, a row or an item ends."""


def plain(written: str) -> Plain:
    """The text without markup."""
    if not _MARKUP.search(written):
        return Plain(written, tuple(range(len(written))), frozenset())

    source = written.replace("\r\n", " \n").replace("\r", "\n").replace("\0", " ")
    source = _POWER.sub("^ ", _TIMES.sub(r"\1×\2", source))
    tokens = _parser().parse(source)
    has_rows = any(token.type == "td_open" for token in tokens)
    is_list = sum(map(_is_numbered, tokens)) > 1
    reading = _Reading(source, has_rows=has_rows, is_list=is_list)

    for token in tokens:
        reading.read(token)

    return Plain("".join(reading.text), tuple(reading.places), frozenset(reading.ends))


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    # Indented code, underlined headings and link definitions would swallow plain sentences.
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    return parser.disable(["code", "lheading", "reference"])


def _is_numbered(token: Token) -> bool:
    return token.type == "list_item_open" and bool(token.info)


@dataclass(slots=True)
class _Reading:
    """What has been read of the tokens."""

    source: str
    text: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    cursor: int = 0
    """Where in the source the next word is looked for."""
    struck: int = 0
    """Depth of what is struck out."""
    has_rows: bool = False
    """The table has more than its heads."""
    heads: list[str] = field(default_factory=list)
    """What stands above the columns of the table."""
    column: int = 0
    """Of the table's row."""
    head: str = ""
    """What is said before the next cell."""
    is_head: bool = False
    """Inside a cell of the table's first row."""
    is_list: bool = False
    """Several numbered items: "1. Go left" is one of them, and no sentence "1."."""

    def read(self, token: Token) -> None:
        """One block token, in the order of the text."""
        match token.type:
            case "inline" if self.is_head:
                self.heads.append("".join(child.content for child in token.children or ()))
                self.cursor = max(self.cursor, self.source.find(token.content, self.cursor))
                self.is_head = False
            case "inline":
                self._say_head(is_empty=not token.content)

                for child in token.children or ():
                    self._read_inline(child)
            case "list_item_open" if token.info:
                self._say(f"{token.info}{',' if self.is_list else '.'} ")
            case "fence":
                self._read_code(token)
            case "table_open" | "th_open" | "th_close" | "tr_open" | "td_open" | "td_close":
                self._read_table(token)
            case "paragraph_close" | "heading_close" | "tr_close":
                self._end()
            case _:
                pass

    def _read_table(self, token: Token) -> None:
        """The heads are said in every row, where two columns do not explain themselves."""
        match token.type:
            case "table_open":
                self.heads = []
            case "th_open":
                self.is_head = self.has_rows
            case "tr_open":
                self.column = 0
            case "td_open":
                is_needed = 0 < self.column < len(self.heads) and len(self.heads) > 2
                self.head = self.heads[self.column] if is_needed else ""
                self.column += 1
            case _:
                self._pause()

    def _say_head(self, *, is_empty: bool) -> None:
        """The head of the cell's column, at the cell's place."""
        if self.head and not is_empty:
            place = _NEXT_CELL.match(self.source, self.cursor)

            for character in f"{self.head} ":
                self._add(character, place.end() if place else self.cursor)

        self.head = ""

    def _read_inline(self, token: Token) -> None:
        match token.type:
            case "text" | "code_inline" if not self.struck:
                self._say(token.content)
            case "image":
                for child in token.children or ():
                    self._read_inline(child)

                self._skip_address()
            case "softbreak" | "hardbreak":
                self._break()
            case "link_close":
                self._skip_address()
            case "s_open" | "s_close":
                self.struck += token.nesting
            case _:
                pass

    def _say(self, words: str) -> None:
        """The words, found again behind the cursor: all together, else one by one."""
        place = self.source.find(words, self.cursor)
        gap = self.source[self.cursor : place] if place >= 0 else "x"

        if not any(character.isalnum() for character in gap):
            self.text += words
            self.places += range(place, place + len(words))
            self.cursor = place + len(words)
            return

        for character in words:
            place = self.source.find(character, self.cursor)
            self._add(character, place if place >= 0 else self.cursor)
            self.cursor = max(self.cursor, place + 1)

    def _add(self, character: str, place: int) -> None:
        self.text.append(character)
        self.places.append(min(place, len(self.source) - 1))

    def _pause(self) -> None:
        """A comma, where no mark stands and something was said."""
        if not self.text:
            return

        if _OPEN_END.search(self.text[-1]):
            self._add(",", self.places[-1])

        self._add(" ", self.places[-1])

    def _break(self) -> None:
        """A new line: a pause where a new sentence or item seems to begin."""
        line = self.source[self.cursor :].lstrip()

        if line[:1].isupper():
            self._pause()
        else:
            self._add(" ", self.places[-1] if self.places else 0)

    def _end(self) -> None:
        while self.text and self.text[-1] in ", ":
            self.text.pop()
            self.places.pop()

        if self.text:
            self._add(" ", self.places[-1])
            self.ends.append(len(self.text))

    def _read_code(self, token: Token) -> None:
        lines = token.content.strip().splitlines()

        if len(lines) == 1:
            self._say(lines[0].strip())
            self._end()

        _, end = token.map or (0, 1)
        line_ends = [match.end() for match in re.finditer(r"\n|$", self.source)]
        self.cursor = max(self.cursor, line_ends[min(end, len(line_ends)) - 1])

    def _skip_address(self) -> None:
        if found := _ADDRESS.match(self.source, self.cursor):
            self.cursor = found.end()
