"""How fast this machine could be at best: what bounds a pass of a model, measured, not looked up.

One token at a time is bound by reading the weights from memory, many at once by multiplying.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

READ_BYTES = 512_000_000  # more than any cache holds
ROWS = 512  # of the matrix product that is measured
TRIES = 5


@dataclass(frozen=True, slots=True)
class Roofline:
    """The bounds of this machine, by one precision."""

    bytes_s: float
    """Bytes that are read from memory in a second."""
    flops_s: float
    """Floating-point operations of a large matrix product in a second."""

    def seconds(self, *, weights: float, operations: float) -> float:
        """The least time of a pass that reads so many bytes and does so many operations."""
        return max(weights / self.bytes_s, operations / self.flops_s)


def measure_reading(device: torch.device, *, tries: int = TRIES, size: int = READ_BYTES) -> float:
    """Bytes a second, the best of some tries."""
    return size / best(reading(device, size), device, tries)


def reading(device: torch.device, size: int = READ_BYTES) -> Callable[[], object]:
    """A sum over more than the caches hold."""
    memory = torch.ones(size // 4, device=device)
    return lambda: memory.sum()


def large_product(
    product: Callable[[Tensor], Tensor], width: int, like: Tensor
) -> tuple[Callable[[], object], int]:
    """A product of many rows, and its operations; like: of the inputs' kind and device."""
    x = torch.randn(ROWS, width, device=like.device).to(like.dtype)
    return lambda: product(x), 2 * x.numel() * product(x).shape[-1]


@torch.inference_mode()
def best(work: Callable[[], object], device: torch.device, tries: int) -> float:
    """Seconds of the fastest of some tries, after one that does not count."""
    taken = []
    for _ in range(tries + 1):
        wait(device)
        start = time.perf_counter()
        work()
        wait(device)
        taken.append(time.perf_counter() - start)

    return min(taken[1:])


def wait(device: torch.device) -> None:
    """Until the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
