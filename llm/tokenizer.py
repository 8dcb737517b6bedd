"""Text ↔ token ids. A special token never arises from text: it is only ever put in by its id.

Rule 1. `encode` treats `<|im_end|>` in a text as ten ordinary characters.
Rule 2. Special tokens have no text: `spell` gives no bytes for them.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from pathlib import Path

import tokenizers

from atonce.config.errors import ModelError


class Tokenizer:
    """The byte-level BPE of the embedded model."""

    def __init__(self, bpe: tokenizers.Tokenizer) -> None:
        bpe.encode_special_tokens = True  # "encode specials like any text": rule 1
        self._bpe = bpe
        self.specials = frozenset(bpe.get_added_tokens_decoder())
        self.size = bpe.get_vocab_size()

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """Read a tokenizer.json."""
        try:
            return cls(tokenizers.Tokenizer.from_file(str(path)))
        except Exception as error:  # the package raises the bare class
            raise ModelError(
                f"{path} is not a tokenizer: {error}. Delete it; it is rebuilt."
            ) from error

    def encode(self, text: str) -> list[int]:
        """The ids of a text; no special token among them."""
        ids: list[int] = self._bpe.encode(text, add_special_tokens=False).ids
        return ids

    def special(self, name: str) -> int:
        """The id of a special token by its name."""
        token = self._bpe.token_to_id(name)
        if token is None or token not in self.specials:
            raise ModelError(
                f"the tokenizer has no special token {name}: it belongs to another model."
            )

        return int(token)

    def spell(self, token: int) -> bytes:
        """The bytes that a token stands for; none for a special token."""
        if token in self.specials:
            return b""

        return bytes(BYTE_OF[character] for character in self._bpe.id_to_token(token) or "")

    def decode(self, ids: Iterable[int]) -> str:
        """The text of a sequence of ids."""
        return b"".join(map(self.spell, ids)).decode(errors="replace")

    def pieces(self, ids: Sequence[int | None]) -> list[str]:
        """What each id adds to the text; None (an open position) adds nothing.

        A character of several tokens appears with its last token; one that is never completed
        becomes a replacement sign.
        """
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        pieces: list[str] = []
        for token in ids:
            if token is None:
                pieces.append(decoder.decode(b"", final=True))
                decoder.reset()
            else:
                pieces.append(decoder.decode(self.spell(token)))

        if pieces:
            pieces[-1] += decoder.decode(b"", final=True)

        return pieces


def byte_characters() -> dict[str, int]:
    """Byte-level BPE writes every byte as one visible character; this is the way back.

    Printable Latin-1 bytes stand for themselves, the others for the characters from U+0100 on.
    """
    visible = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in visible]
    shifted = {chr(0x100 + index): byte for index, byte in enumerate(hidden)}
    return {chr(byte): byte for byte in visible} | shifted


BYTE_OF = byte_characters()
