"""A Piper voice cut into three graphs, to be heard before all of a sentence is computed.

The first graph reads the whole sentence: phonemes to lengths, melody and noise. What follows it
are plain convolutions along time: the flow, and behind it the wave decoder, each of which sees only
a few frames to both sides. A piece that is computed with those frames around it is the same as in
the whole sentence. streaming-vits finds the first seam; the second one, before the wave decoder,
keeps small what is computed twice: the flow sees far but is cheap, the wave decoder is dear but
sees little.

The three graphs are made once, and kept in the cache.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atonce.speech.onnx_session import open_session

if TYPE_CHECKING:
    from onnx import ModelProto

log = logging.getLogger(__name__)

_LAYOUT = 2
"""Goes up when the graphs are cut in another way; old ones are then made again."""
_NOTE = "split.json"
_PARTS = ("front", "flow", "wave")
_EXACT = 2e-6
"""Largest difference of a sample from the whole sentence; 16 bits resolve 3e-5."""
_MARGINS = (4, 6, 8, 10, 12, 16, 20, 24, 28, 32, 40, 48, 64)
"""Frames that a decoder may see to each side."""
_PROBED = 160
"""Frames of noise in which the margins are measured; more than twice the widest and a piece."""


class NotStreamableError(Exception):
    """This voice has no seam, or the packages to cut it are missing; it speaks whole sentences."""


@dataclass(frozen=True, slots=True)
class Split:
    """The three graphs of a voice, and what one must know to run them in pieces."""

    source: str
    """Changes when the voice's file does."""
    hop: int
    """Samples in a frame."""
    flow_margin: int
    """Frames beyond each end of a piece that the flow has to see."""
    wave_margin: int
    """The same for the wave decoder."""
    sizes: tuple[int, ...]
    """Bytes of the three files: one that was cut short is noticed."""


def split_voice(voice: Path, cache: Path) -> tuple[Split, Path]:
    """The parts of a voice and the folder they lie in; made on first use, in about a second.

    cache: a folder for them, about as large as the voice. NotStreamableError if it cannot be done.
    """
    source = _stamp(voice)
    folder = cache / f"{voice.stem}-{sha256(source.encode()).hexdigest()[:12]}"

    try:
        return _read(folder), folder
    except (OSError, ValueError, TypeError, KeyError) as reason:
        log.info("cutting %s for streaming, once (%s)", voice.name, reason)

    return _make(voice, source, folder), folder


def graph(folder: Path, part: str) -> Path:
    """The file of one part: front, flow or wave."""
    return folder / f"{part}.onnx"


def _read(folder: Path) -> Split:
    said = json.loads((folder / _NOTE).read_text("utf-8"))
    split = Split(**{**said, "sizes": tuple(said["sizes"])})

    if split.sizes != _sizes(folder):
        raise ValueError(f"{folder} holds files of another size")

    return split


def _sizes(folder: Path) -> tuple[int, ...]:
    return tuple(graph(folder, part).stat().st_size for part in _PARTS)


def _make(voice: Path, source: str, folder: Path) -> Split:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)

        with tempfile.TemporaryDirectory(prefix=".part-", dir=folder.parent) as made:
            part = Path(made) / folder.name
            part.mkdir()
            hop = _cut(voice, part)
            split = Split(source, hop, *_margins(part, hop), _sizes(part))
            (part / _NOTE).write_text(json.dumps(asdict(split)), "utf-8")

            if folder.exists():  # of an older layout, or left half made by an older version
                shutil.rmtree(folder)

            part.replace(folder)
    except OSError as error:
        raise NotStreamableError(
            f"{folder} cannot be written ({error.strerror or error})"
        ) from error

    return split


def _cut(voice: Path, folder: Path) -> int:
    """Write the three graphs; the samples in a frame."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
        from onnx import shape_inference
        from onnx.utils import Extractor
        from streaming_vits import graph as vits
    except ImportError as error:
        raise NotStreamableError(f"a package is missing ({error})") from error

    try:
        model = onnx.load(str(voice))
        seam = vits.find_seam(model)
        hop = int(vits.describe_decoder(model)["hop"])
    except (ValueError, DecodeError) as error:
        raise NotStreamableError(f"{voice.name} is built otherwise ({error})") from error

    if seam.g is not None:
        raise NotStreamableError(f"{voice.name} has several speakers")

    del model.metadata_props[:]  # Piper writes some keys twice, which onnx refuses
    frames, lengths = _tensors(model)
    whole = Extractor(shape_inference.infer_shapes(model, data_prop=True))
    inputs = [one.name for one in model.graph.input]
    outputs = [one.name for one in model.graph.output]
    _write(whole, folder, "front", inputs, [seam.z_p, seam.mask, lengths])
    _write(whole, folder, "flow", [seam.z_p, seam.mask], [frames])
    _write(whole, folder, "wave", [frames], outputs)
    return hop


def _tensors(model: ModelProto) -> tuple[str, str]:
    """Names of the wave decoder's input and of the lengths of the phonemes, in frames."""
    frames = {node.input[0] for node in model.graph.node if "dec.conv_pre.weight" in node.input}
    lengths = {node.output[0] for node in model.graph.node if node.op_type == "Ceil"}

    if len(frames) != 1 or len(lengths) != 1:
        raise NotStreamableError("its wave decoder or its lengths were not found")

    return frames.pop(), lengths.pop()


def _write(whole: Any, folder: Path, part: str, inputs: list[str], outputs: list[str]) -> None:
    import onnx

    onnx.save(whole.extract_model(inputs, outputs), str(graph(folder, part)))


def _margins(folder: Path, hop: int) -> tuple[int, int]:
    """How far flow and wave decoder see, measured on noise."""
    flow, wave = open_session(graph(folder, "flow")), open_session(graph(folder, "wave"))
    latent, mask = (one.name for one in flow.get_inputs())
    channels = flow.get_inputs()[0].shape[1]
    noise = np.random.default_rng(0).standard_normal((1, channels, _PROBED)).astype(np.float32)

    def flowed(first: int, last: int) -> np.ndarray[Any, Any]:
        ones = np.ones((1, 1, last - first), dtype=np.float32)
        made = flow.run(None, {latent: noise[:, :, first:last], mask: ones})[0]
        return np.asarray(made).reshape(channels, -1).T  # (frames, channels)

    frames = flowed(0, _PROBED).T[None]  # (1, channels, frames)

    def waved(first: int, last: int) -> np.ndarray[Any, Any]:
        made = wave.run(None, {wave.get_inputs()[0].name: frames[:, :, first:last]})[0]
        return np.asarray(made).reshape(-1, hop)  # (frames, samples)

    return _sight(flowed), _sight(waved)


def _sight(decode: Any) -> int:
    """Frames to each side with which a piece is the same as in the whole, and a step to spare."""
    whole = decode(0, _PROBED)
    first, last = _PROBED // 2 - 8, _PROBED // 2 + 8

    for margin, wider in pairwise(_MARGINS):
        piece = decode(first - margin, last + margin)[margin:-margin]

        if np.abs(piece - whole[first:last]).max() <= _EXACT * max(1.0, np.abs(whole).max()):
            return wider

    raise NotStreamableError("its decoder sees too far to be cut")


def _stamp(voice: Path) -> str:
    """Changes when the file does; a hash of 60 MB at every start would cost more than it saves."""
    status = voice.stat()
    return f"{_LAYOUT} {voice.resolve()} {status.st_size} {status.st_mtime_ns}"
