"""How much of a sentence to synthesize at a time: the first sound early, no later one late. Pure.

A decode of n frames costs about `slowness * units(n)`: frames beyond both ends have to be computed
with it and thrown away, so small pieces are early and dear. On a machine that cannot afford them
the pieces grow, up to the whole sentence.
"""

from __future__ import annotations

from dataclasses import dataclass

FEWEST = 16
"""Frames of a piece: 0.19 s of Piper's sound. Less is mostly margin."""
SAFE = 0.5
"""Share of the time until the sound runs out that a decode may be expected to take."""
_LATEST = 0.7
"""The same for the last piece, which takes a scrap along, and for the fewest frames."""
HELD_BACK_S = 0.06
"""Of the first piece: stillness that is trimmed, and samples kept for the fade."""
_CALL = 8.0
"""Frames that could be decoded in the time that a call costs by itself."""
_WORSE = 0.5
_BETTER = 0.2
"""Share of a new measurement that is believed: a machine that got busy is noticed within a piece
or two, and one moment of calm does not make bold."""
_FIRST = (16, 24, 32, 48, 64, 96, 128, 192, 256)
"""Frames that a first piece may have, before it is the whole sentence."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a voice's two decoders compute for one piece."""

    flow_margin: int
    """Frames beyond each end that the flow decoder sees."""
    wave_margin: int
    """The same of the wave decoder."""
    flow_share: float = 0.3
    """Cost of a frame in the flow decoder; 1 in the wave decoder. Measured on a medium voice."""

    def units(self, frames: int) -> float:
        """Of a piece in the middle of a sentence."""
        wave = frames + 2 * self.wave_margin
        return _CALL + wave + self.flow_share * (frames + 2 * self.flow_margin)

    def affordable(self, units: float) -> int:
        """The longest piece, in frames, for so many units; may be below one."""
        fixed = self.units(0)
        return int((units - fixed) / (1 + self.flow_share))


class Slowness:
    """Seconds of computing for a unit of work, as this machine showed it lately."""

    def __init__(self, seconds: float) -> None:
        """seconds: the first guess."""
        self.seconds = seconds

    def note(self, seconds: float, units: float) -> None:
        """A piece of so many units took so long."""
        change = seconds / units - self.seconds
        self.seconds += change * (_WORSE if change > 0 else _BETTER)


class Pace:
    """The pieces of one text: knows how long the sound that was made so far still lasts."""

    def __init__(self, frame_s: float, work: Work, slowness: Slowness) -> None:
        """frame_s: seconds of sound in a frame."""
        self._frame_s = frame_s
        self._work = work
        self._slowness = slowness
        self._ends_at_s = -1.0
        self._is_playing = False

    def made(self, seconds: float, now_s: float) -> None:
        """So much sound was handed on; it plays behind what was there, or from now."""
        begins_s = max(self._ends_at_s, now_s) if self._is_playing else now_s
        self._ends_at_s = begins_s + seconds
        self._is_playing = True

    def frames(self, left: int, now_s: float) -> int:
        """Frames of the next piece."""
        if not self._is_playing or self._ends_at_s <= now_s:
            return first_frames(left, self._frame_s, self._slowness.seconds, self._work)

        return next_frames(left, self._ends_at_s - now_s, self._slowness.seconds, self._work)


def first_frames(total: int, frame_s: float, slowness: float, work: Work) -> int:
    """Frames of the first piece: the fewest with which no later piece should come late.

    frame_s: seconds of sound in a frame; slowness: seconds of computing for a unit of work.
    """
    for first in _FIRST:
        if total - first < FEWEST:  # the scrap behind it would cost more than it holds
            break

        if _holds(first, total, frame_s, slowness, work):
            return first

    return total


def next_frames(left: int, ahead_s: float, slowness: float, work: Work) -> int:
    """Frames of the next piece, when sound for `ahead_s` seconds waits to be played."""
    affordable = work.affordable(SAFE * ahead_s / slowness)
    frames = min(left, max(FEWEST, affordable))
    # A last scrap of its own would cost more than it holds.
    return left if left - frames < FEWEST else frames


def _holds(first: int, total: int, frame_s: float, slowness: float, work: Work) -> bool:
    """Every piece after the first is ready before the sound runs out."""
    ahead_s = first * frame_s - HELD_BACK_S
    left = total - first

    while left > 0:
        frames = next_frames(left, ahead_s, slowness, work)
        cost_s = slowness * work.units(frames)

        if cost_s > _LATEST * ahead_s:
            return False

        ahead_s += frames * frame_s - cost_s
        left -= frames

    return True
