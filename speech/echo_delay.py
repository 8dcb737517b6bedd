"""How late the agent's own voice comes back, up to two seconds. Pure.

Loudspeakers over the air and long queues are later than an echo canceller looks for: it is given
what was played as much later as it is heard.

Rule 1. Both sounds are compared at 4 kHz, with their low tones turned down: those are alike
        everywhere.
Rule 2. A delay is taken for true when two looks in a row agree. While a person speaks over the
        echo nothing is alike enough, and the last one stays.
"""

from __future__ import annotations

import numpy as np

from atonce.speech.protocols import Samples

_STEP = 4
"""Of 16,000 samples a second every fourth is enough."""
_RATE_HZ = 16_000 // _STEP
_EVERY = _RATE_HZ // 10
_LOOK = _RATE_HZ // 2
"""Coarse samples that are compared: half a second of what was heard."""
_MOST = 2 * _RATE_HZ
"""The longest delay."""
_ALIKE = 0.35
"""Correlation from which a delay is believed; a small room leaves about 0.6 of 1."""
_NEAR = _RATE_HZ // 50
"""Two looks agree within 20 ms."""
_STILL = 1e-7
"""Power (-70 dBFS) below which there is nothing to compare."""


class DelayFinder:
    """Follows one microphone and its loudspeaker."""

    def __init__(self) -> None:
        self._heard = _silence(_LOOK)
        self._played = _silence(_LOOK + _MOST)
        self._unseen = 0
        self._last: int | None = None
        self.delay_s: float | None = None
        """How late the echo is; None: none was found yet."""

    def hear(self, heard: Samples, played: Samples) -> None:
        """The next stretch of both, of equal lengths that are multiples of 4."""
        self._heard = _appended(self._heard, _coarse(heard))
        self._played = _appended(self._played, _coarse(played))
        self._unseen += len(heard) // _STEP

        if self._unseen >= _EVERY:
            self._unseen = 0
            self._look()

    def _look(self) -> None:
        heard, played = _sharpened(self._heard), _sharpened(self._played)

        if np.square(heard).mean() < _STILL or np.square(played).mean() < _STILL:
            return

        late, alike = _best(heard, played)
        is_sure = self._last is not None and abs(late - self._last) <= _NEAR
        self._last = late if alike >= _ALIKE else None

        if is_sure and self._last is not None:
            self.delay_s = late / _RATE_HZ


def _best(heard: Samples, played: Samples) -> tuple[int, float]:
    """By how many coarse samples what is heard is later than what was played, and how alike."""
    size = 1 << (len(heard) + len(played)).bit_length()
    spectrum = np.fft.rfft(played, size) * np.conj(np.fft.rfft(heard, size))
    # At place p what was heard lies over played[p : p + len(heard)].
    products = np.fft.irfft(spectrum, size)[: _MOST + 1]
    powers = np.concatenate([[0.0], np.cumsum(np.square(played, dtype=np.float64))])
    under = powers[len(heard) :] - powers[: len(powers) - len(heard)]
    sizes = np.sqrt(np.maximum(under * float(np.square(heard).sum()), 1e-12))
    loud = under > _STILL * len(heard)
    alike = np.where(loud, products / sizes, 0.0)
    place = int(np.argmax(alike))
    return _MOST - place, float(alike[place])


def _sharpened(samples: Samples) -> Samples:
    return np.diff(samples, prepend=samples[:1])


def _coarse(samples: Samples) -> Samples:
    whole = len(samples) // _STEP * _STEP
    mean: Samples = samples[:whole].reshape(-1, _STEP).mean(axis=1, dtype=np.float32)
    return mean


def _appended(before: Samples, now: Samples) -> Samples:
    return np.concatenate([before, now])[-len(before) :]


def _silence(samples: int) -> Samples:
    return np.zeros(samples, dtype=np.float32)
