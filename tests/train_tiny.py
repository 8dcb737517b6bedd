"""Run one of the training scripts, whole, on a tiny model and tiny packs; die on the way if asked.

usage: train_tiny.py writer|finder|twin|gaze FOLDER GGUF STEPS [learning|saving N]

With `learning N` the process kills itself (SIGKILL) in the N-th step of learning, with `saving N`
in the middle of writing the state for the N-th time. Everything else is the script's own doing.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from tokenizers import Tokenizer  # noqa: E402
from tokenizers.models import WordLevel  # noqa: E402
from tokenizers.pre_tokenizers import Whitespace  # noqa: E402
from tokenizers.processors import TemplateProcessing  # noqa: E402

from atonce.config import models  # noqa: E402
from atonce.llm import finder_training, training, twin_training  # noqa: E402
from atonce.llm.encoder import Encoder, EncoderSizes  # noqa: E402
from atonce.llm.finder import find_by_words  # noqa: E402

TRAINERS = {
    "writer": (training, training.Trainer),
    "finder": (finder_training, finder_training.FinderTrainer),
    "twin": (twin_training, twin_training.TwinTrainer),
}
NOWHERE = Path("no-such-file")


class ByWords:
    """A finder without an encoder."""

    find = staticmethod(find_by_words)

    @classmethod
    def load(cls, folder: Path, *, precision: str = "float32") -> ByWords:
        """There is nothing to load."""
        del folder, precision
        return cls()


def main() -> int:
    """Patch what is large, and run."""
    kind, folder, gguf, steps, *death = sys.argv[1:]
    vars(models)["folder"] = lambda name: Path(gguf) if name == "smollm2-135m" else Path(folder)
    vars(models)["cache_folder"] = lambda: Path(folder)
    vars(models)["ensure"] = lambda *_: None
    sys.argv = [kind, "--minutes", "5", "--steps", steps]
    run = script(kind, Path(folder))
    if death:
        die(kind, death[0], int(death[1]))

    return run()


def script(kind: str, folder: Path) -> Callable[[], int]:
    """The script's main, told of the small packs and of nothing that is shipped."""
    if kind == "finder":
        import train_finder as module

        own: dict[str, Any] = {"load_encoder": lambda _: encoder(), "SHIPPED_FINDER": NOWHERE}
    elif kind == "twin":
        import train_twin as module

        own = {"Finder": ByWords, "SHIPPED_TWIN": NOWHERE}
    elif kind == "gaze":
        import train_gaze as module

        own = {"Finder": ByWords, "SHIPPED_FINDER": Path(__file__)}
        sys.argv = [kind, "--share", "1", "--export", str(folder / "gaze.safetensors")]
    else:
        import train as module

        small = {"DEPTHS": (0, 2), "POOL_DEPTHS": (0, 2), "MASK": 3, "ENOUGH": 2}
        own = {"Finder": ByWords, "SHIPPED_WRITER": NOWHERE, **small}
        sys.argv += ["--check", "0", "--draws", "1"]

    vars(module).update(own, CORPUS=folder / "corpus", SAVE_EVERY_S=-1)
    made: Callable[[], int] = module.main
    return made


def encoder() -> tuple[Encoder, Tokenizer]:
    """A random sentence encoder that knows letters of the alphabet, each a word."""
    torch.manual_seed(0)
    words = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "price", "when", "from", "to", "costs", "ticket"]
    made = Encoder(EncoderSizes(width=24, layers=4, heads=2, hidden=32, vocabulary=len(words)))
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.2)

    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.add_special_tokens(["[CLS]", "[SEP]"])
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return made, tokenizer


def die(kind: str, where: str, when: int) -> None:
    """Have the process killed while it learns, or while it saves, for the `when`-th time."""
    module, trainer = TRAINERS.get(kind) or (sys.modules["train_gaze"], None)
    times = iter(range(1, when + 1))

    def is_over() -> bool:
        return next(times, 0) == when

    if where == "saving":
        die_saving(module, is_over)
    else:
        die_learning(trainer, is_over)


def die_saving(module: Any, is_over: Callable[[], bool]) -> None:
    """The new state is half written."""
    write = module.write_whole

    def write_half(path: Path, make: Callable[[Path], object]) -> None:
        def half(part: Path) -> None:
            make(part)
            if is_over():
                os.truncate(part, part.stat().st_size // 2)
                os.kill(os.getpid(), signal.SIGKILL)

        write(path, half)

    vars(module)["write_whole"] = write_half


def die_learning(trainer: Any, is_over: Callable[[], bool]) -> None:
    """The weights are changed and not saved."""

    class Dying(torch.optim.AdamW):
        """Changes the weights, and is then gone."""

        def step(self, *args: Any) -> Any:
            super().step(*args)
            if is_over():
                os.kill(os.getpid(), signal.SIGKILL)

    begin = trainer.__init__

    def begin_dying(self: Any, *args: Any, **named: Any) -> None:
        begin(self, *args, **named)
        self.optimiser.__class__ = Dying

    trainer.__init__ = begin_dying


if __name__ == "__main__":
    sys.exit(main())
