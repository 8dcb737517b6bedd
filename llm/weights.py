"""Weights on disk: the reader out of its GGUF, converted once; the writer out of our own file.

The reader is kept as float32 and mapped into memory, not read: the values are exactly the GGUF's,
it is there in a few hundredths of a second, and several processes share the pages. (Measured:
dequantising at every start 1.4 s, bfloat16 on disk 0.5 s and not exact, float32 mapped 0.06 s.)
A file is written beside its final name and moved there when it is whole.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from atonce.config.errors import ModelError
from atonce.llm.clues import CANVAS
from atonce.llm.model import Reader, Sizes, Tower
from atonce.llm.tokenizer import Tokenizer

if TYPE_CHECKING:
    from gguf import GGUFReader

log = logging.getLogger(__name__)

FETCH_AGAIN = (
    "Fetch it again with `atonce models fetch`; writer.safetensors comes with atonce itself: "
    "install atonce again."
)
# Goes up when the layout of the converted files changes; old ones are then converted again.
LAYOUT = 1
READER_FILE, TOKENIZER_FILE = "reader.safetensors", "tokenizer.json"
CONTROL_TOKEN = 3  # token type of special tokens in a GGUF


@dataclass(frozen=True, slots=True)
class Card:
    """What a writer file says of itself, and what is taken where it does not say."""

    version: str = "0"
    """Tells one training state from another."""
    depths: tuple[int, ...] = (0, 1, 2, 8, 9, 13, 18, 20, 21, 22, 23, 24, 27, 28, 29)
    """Depths of the reader that the tower's layers look at."""
    mask: int = 16
    """Token id of an open position: `<empty_output>`, which no text holds."""
    end: int = 2
    """Token id of the end mark, `<|im_end|>`; also fills the canvas right of it."""
    max_canvas: int = 48
    """Longest canvas it was trained on."""
    end_odds: float = 3.0
    """By how much the odds of "the reply has ended" are raised; 1: as the model has it. Above 1
    replies get shorter: what a weak model says behind its first sentence is mostly filler."""
    languages: tuple[str, ...] = ("en",)
    """Languages of its training texts (ISO 639-1)."""


def load_base(gguf: Path, cache: Path) -> tuple[Reader, Tokenizer]:
    """The reader and its tokenizer; gguf is the file, or a folder that holds exactly one.

    cache: a folder for the converted files; about 540 MB, made on first use.
    """
    gguf = find_gguf(gguf)
    stamp = source_stamp(gguf)
    try:
        return load_reader(cache / READER_FILE, stamp), Tokenizer.load(cache / TOKENIZER_FILE)
    except (OSError, ModelError) as reason:
        log.info("converting %s, once (%s)", gguf.name, reason)

    convert(gguf, cache, stamp)
    return load_reader(cache / READER_FILE, stamp), Tokenizer.load(cache / TOKENIZER_FILE)


def find_gguf(path: Path) -> Path:
    """The GGUF itself, or the only one in the folder."""
    if path.is_file():
        return path

    found = sorted(path.rglob("*.gguf")) if path.is_dir() else []
    if len(found) != 1:
        raise ModelError(f"{path}: expected one .gguf file, found {len(found)}. {FETCH_AGAIN}")

    return found[0]


def source_stamp(gguf: Path) -> str:
    """Changes when the file does; a hash of 100 MB at every start would cost more than it saves."""
    status = gguf.stat()
    return f"{LAYOUT} {gguf.name} {status.st_size} {status.st_mtime_ns}"


def load_reader(path: Path, stamp: str) -> Reader:
    """Map a converted reader into memory."""
    tensors, said = read_tensors(path)
    if said.get("source") != stamp:
        raise ModelError(f"{path} was made from another file. Delete it; it is rebuilt.")

    with torch.device("meta"):
        reader = Reader(Sizes(**json.loads(said["sizes"])))

    fill(reader, tensors, path)
    return reader


def load_writer(path: Path, sizes: Sizes) -> tuple[Tower, Tensor, Card]:
    """The trained tower, the ids that it may always say, and what the file says of itself."""
    tensors, said = read_tensors(path)
    card = read_card(said, path)
    if not all(0 <= depth < sizes.layers for depth in card.depths):
        raise ModelError(f"{path} looks at depths {card.depths} of a reader of {sizes.layers}.")

    if not 0 < card.max_canvas <= CANVAS:
        raise ModelError(f"{path} writes on a canvas of {card.max_canvas}, not of 1 to {CANVAS}.")

    with torch.device("meta"):
        tower = Tower(sizes, card.depths, card.mask)

    try:
        vocabulary = tensors.pop("vocabulary").long()
        state = {name: tensors.pop(name).float() for name in loose_names(tower)}
        for layer in range(len(card.depths)):
            state |= join_layer(tensors, f"layers.{layer}.")
    except KeyError as missing:
        raise ModelError(f"{path} has no tensor {missing}. {FETCH_AGAIN}") from None
    except ValueError as fault:
        raise ModelError(f"{path} does not fit the model: {fault}. {FETCH_AGAIN}") from None

    if tensors:
        raise ModelError(
            f"{path} has a tensor {min(tensors)} that this version of atonce does not know. "
            "Update atonce, or take the writer that came with it."
        )

    fill(tower, state, path)
    return tower, vocabulary, card


def save_writer(path: Path, tower: Tower, vocabulary: Tensor, card: Card) -> None:
    """Write a tower in the form that `load_writer` reads: int8 rows, one scale each."""
    state = tower.state_dict()
    tensors = {name: state.pop(name).float() for name in loose_names(tower)}
    tensors["vocabulary"] = vocabulary.to(torch.int32)
    for name, tensor in state.items():
        tensors |= split_weight(name, tensor.float(), tower.sizes)

    said = {key: json.dumps(value) for key, value in asdict(card).items()}
    write_whole(path, lambda part: save_file(contiguous(tensors), part, said))


# ---- our own writer file ----


def loose_names(tower: Tower) -> list[str]:
    """What of a tower is small, and stored as it is."""
    return [name for name in tower.state_dict() if not name.startswith("layers.")]


# How the fused weights of a layer are named in the file, and in which order they lie.
FUSED = {"qkv": ("q", "k", "v"), "gate_up": ("gate", "up"), "o": ("o",), "down": ("down",)}
NORMS = ("input_norm", "post_norm")


def read_card(said: Mapping[str, str], path: Path) -> Card:
    """What the file says, the defaults for what it does not say."""
    values = asdict(Card())
    try:
        values |= {key: json.loads(said[key]) for key in values if key in said}
        return Card(
            version=str(values["version"]),
            depths=tuple(int(depth) for depth in values["depths"]),
            mask=int(values["mask"]),
            end=int(values["end"]),
            max_canvas=int(values["max_canvas"]),
            end_odds=float(values["end_odds"]),
            languages=tuple(str(language) for language in values["languages"]),
        )
    except (ValueError, TypeError) as error:
        raise ModelError(f"{path}: description not readable ({error}). {FETCH_AGAIN}") from None


def join_layer(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """One layer's tensors, taken out of the file's and fused as model.py has them."""
    joined = {prefix + name: tensors.pop(prefix + name).float() for name in NORMS}
    for fused, names in FUSED.items():
        parts = [(tensors.pop(prefix + n), tensors.pop(f"{prefix}{n}.scale", None)) for n in names]
        widths = {matrix.shape[1:] for matrix, _ in parts}
        if len(widths) > 1 or any(s is not None and s.shape != m.shape[:1] for m, s in parts):
            raise ValueError(f"{prefix}{fused} is made of parts of different sizes")

        joined[f"{prefix}{fused}.weight"] = join_rows(parts)

    return joined


def join_rows(parts: Sequence[tuple[Tensor, Tensor | None]]) -> Tensor:
    """Matrices one below the other in float32; int8 rows are multiplied by their scales.

    Straight into the result: this is most of the time of loading a writer.
    """
    joined = torch.empty(sum(len(matrix) for matrix, _ in parts), *parts[0][0].shape[1:])
    row = 0
    for matrix, scale in parts:
        target = joined[row : row + len(matrix)]
        row += len(matrix)
        if scale is None:
            target.copy_(matrix)
        else:
            torch.mul(matrix, scale[:, None], out=target)

    return joined


def split_weight(name: str, weight: Tensor, sizes: Sizes) -> dict[str, Tensor]:
    """The other way: a fused weight as the file's int8 parts and scales."""
    prefix, _, kind = name.removesuffix(".weight").rpartition(".")
    if kind not in FUSED:
        return {name: weight}

    keys = sizes.kv_heads * sizes.head
    rows = {"qkv": [sizes.heads * sizes.head, keys, keys], "gate_up": [sizes.hidden] * 2}
    split: dict[str, Tensor] = {}
    for part, matrix in zip(
        FUSED[kind], torch.split(weight, rows.get(kind, [len(weight)])), strict=True
    ):
        split[f"{prefix}.{part}"], split[f"{prefix}.{part}.scale"] = to_int8(matrix)

    return split


def to_int8(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """A matrix in a quarter of the size: (rows, columns) int8, and one scale a row."""
    scale = matrix.abs().amax(1).clamp(min=1e-12) / 127
    return (matrix / scale[:, None]).round().to(torch.int8), scale


def from_int8(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A file's tensors in float32: those with a `.scale` beside them were compressed."""
    return {
        name: tensor.float() * tensors[f"{name}.scale"][:, None]
        if f"{name}.scale" in tensors
        else tensor.float()
        for name, tensor in tensors.items()
        if not name.endswith(".scale")
    }


# ---- the GGUF ----


def convert(gguf: Path, cache: Path, stamp: str) -> None:
    """Write reader and tokenizer into the cache folder in the form that loads fast."""
    # These two take 0.1 s to import and are needed on first use only.
    from gguf import GGUFReader
    from gguf.quants import dequantize

    try:
        source = GGUFReader(gguf)
        sizes = read_sizes(source)
        bpe = read_bpe(source)
        named = {t.name: torch.tensor(dequantize(t.data, t.tensor_type)) for t in source.tensors}
        state = reader_state(named, sizes)
    except (ValueError, KeyError, IndexError, AttributeError, RuntimeError, OSError) as error:
        raise ModelError(
            f"{gguf} is damaged or not the expected model ({error}). {FETCH_AGAIN}"
        ) from error

    with torch.device("meta"):
        fill(Reader(sizes), state, gguf)

    said = {"source": stamp, "sizes": json.dumps(asdict(sizes))}
    cache.mkdir(parents=True, exist_ok=True)
    write_whole(cache / TOKENIZER_FILE, lambda part: part.write_text(bpe, encoding="utf-8"))
    write_whole(cache / READER_FILE, lambda part: save_file(state, part, said))


def read_sizes(source: GGUFReader) -> Sizes:
    """The model's shape from the GGUF's fields."""

    def value(name: str) -> Any:
        return source.fields[name].contents()

    width, heads = value("llama.embedding_length"), value("llama.attention.head_count")
    return Sizes(
        width=width,
        layers=value("llama.block_count"),
        heads=heads,
        kv_heads=value("llama.attention.head_count_kv"),
        head=width // heads,
        hidden=value("llama.feed_forward_length"),
        vocabulary=value("llama.vocab_size"),
        context=value("llama.context_length"),
        theta=value("llama.rope.freq_base"),
        # Stored as float32: 9.9999997e-06.
        epsilon=round(value("llama.attention.layer_norm_rms_epsilon"), 9),
    )


def read_bpe(source: GGUFReader) -> str:
    """The tokenizer.json of the GGUF's vocabulary and merges."""
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers

    words = source.fields["tokenizer.ggml.tokens"].contents()
    kinds = source.fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(pair.split(" ")) for pair in source.fields["tokenizer.ggml.merges"].contents()]
    vocabulary = {word: index for index, word in enumerate(words)}
    bpe = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    specials = [word for word, kind in zip(words, kinds, strict=True) if kind == CONTROL_TOKEN]
    bpe.add_special_tokens([tokenizers.AddedToken(word, special=True) for word in specials])
    return str(bpe.to_str())


def reader_state(named: Mapping[str, Tensor], sizes: Sizes) -> dict[str, Tensor]:
    """The GGUF's tensors under model.py's names, fused as it has them."""
    state = {"embedding": named["token_embd.weight"], "norm": named["output_norm.weight"]}
    for layer in range(sizes.layers):
        old, new = f"blk.{layer}.", f"layers.{layer}."
        q = unpermute(named[old + "attn_q.weight"], sizes.heads)
        k = unpermute(named[old + "attn_k.weight"], sizes.kv_heads)
        state[new + "qkv.weight"] = torch.cat([q, k, named[old + "attn_v.weight"]])
        state[new + "o.weight"] = named[old + "attn_output.weight"]
        gate, up = named[old + "ffn_gate.weight"], named[old + "ffn_up.weight"]
        state[new + "gate_up.weight"] = torch.cat([gate, up])
        state[new + "down.weight"] = named[old + "ffn_down.weight"]
        state[new + "input_norm"] = named[old + "attn_norm.weight"]
        state[new + "post_norm"] = named[old + "ffn_norm.weight"]

    return contiguous(state)


def unpermute(weight: Tensor, heads: int) -> Tensor:
    """A GGUF interleaves the two halves that are rotated together; here they follow each other."""
    rows, width = weight.shape
    pairs = weight.view(heads, rows // heads // 2, 2, width)
    return pairs.transpose(1, 2).reshape(rows, width)


# ---- files ----


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors, mapped into memory, and what the file says of itself."""
    if not path.is_file():
        raise ModelError(f"{path} is missing. {FETCH_AGAIN}")

    try:
        with safe_open(str(path), "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, ValueError, OSError) as error:
        raise ModelError(f"{path} is damaged ({error}). {FETCH_AGAIN}") from None


def fill(module: torch.nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Put the tensors into a module without data; names and shapes must fit exactly."""
    try:
        module.load_state_dict(tensors, strict=True, assign=True)
    except RuntimeError as error:
        fault = str(error).splitlines()[-1].strip()
        raise ModelError(f"{path} does not fit the model: {fault} {FETCH_AGAIN}") from None

    module.eval().requires_grad_(requires_grad=False)


def contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """As safetensors wants them."""
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file so that its name only ever stands for a whole one, Ctrl-C or not."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        write(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
