"""`atonce talk`: talk with the agent through this machine's microphone and loudspeaker."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from atonce.agent import devices, engines, keys
from atonce.agent.events import SessionEvent
from atonce.agent.metrics import Metrics, observers_of, watching
from atonce.agent.microphone import Microphone
from atonce.agent.portaudio import PortAudio
from atonce.agent.session import Session
from atonce.agent.settings_view import render
from atonce.agent.stopping import end, stoppable
from atonce.agent.talk_key import TalkKey
from atonce.agent.talk_log import TalkLog
from atonce.agent.talk_screen import TalkScreen
from atonce.agent.turn_rules import TurnRules
from atonce.config.errors import AtonceError, UsageError, first_fault
from atonce.config.load import Loaded, load
from atonce.config.schema import Settings

KEY_EVERY_S = 0.05
"""A released key is noticed that soon."""
KEYS = "s: silence it   m: mute   +/-: K   q: quit"
PUSHED_KEYS = "space or enter: hold, or tap twice, and speak   s: silence it   +/-: K   q: quit"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for."""

    config: Path | None
    """A settings file."""
    overrides: Sequence[str]
    """As behind --set."""
    _: KW_ONLY
    log: Path | None = None
    """Where the talk is kept; None: nowhere."""


def run(wish: Wish) -> int:
    """Talk until the person quits or says goodbye; the exit code."""
    loaded = load(wish.config, wish.overrides)

    if loaded.settings.microphone.push_to_talk and not keys.are_there():
        raise UsageError(
            "push-to-talk needs the keys of a terminal: start it in one, or without --push-to-talk"
        )

    talk = _Talk(loaded, wish)
    fault: AtonceError | None = None

    try:
        talk.start()
    except ExceptionGroup as group:  # the user is told the first fault, in one sentence
        raise first_fault(group) from None
    except AtonceError as error:
        fault = error

    end(fault, is_hanging=talk.is_hanging)

    if not talk.has_begun:  # the engines are still loading, in threads that nothing can stop
        raise KeyboardInterrupt

    return 0


class _Talk:
    """One talk at one machine."""

    def __init__(self, loaded: Loaded, wish: Wish) -> None:
        self._loaded = loaded
        self._settings = for_microphone(loaded.settings)
        self._is_pushed = self._settings.microphone.push_to_talk
        self._screen = TalkScreen(keys=_keys(is_pushed=self._is_pushed))
        self._log_in = wish.log
        self._log: TalkLog | None = None
        self._watched: Metrics | None = None
        self._session: Session | None = None
        self._microphone: Microphone | None = None
        self._key = TalkKey()
        self._steps: int | None = None
        self._faults_before: tuple[int, ...] = ()

    @property
    def has_begun(self) -> bool:
        """It came to a talk."""
        return self._session is not None

    @property
    def is_hanging(self) -> bool:
        """The sound system does not give its devices back."""
        return self._microphone is not None and self._microphone.is_hanging

    def start(self) -> None:
        """From the first look at the devices to the last word."""
        section = self._settings.microphone

        with self._screen:
            # Before anything that takes long, and where Ctrl-C still ends it at once.
            found = devices.there()
            devices.find(found, section.input, is_input=True)
            devices.find(found, section.output, is_input=False)
            engines.ensure_models(self._settings, say=self._screen.say)
            self._log = _log(self._log_in, self._loaded, self._screen.say)

            with self._log or contextlib.nullcontext(), watching(self._settings) as self._watched:
                asyncio.run(self._run())

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        section = self._settings.microphone

        with stoppable():
            microphone = self._microphone = Microphone(
                lambda: PortAudio(clock),
                show=self._show,
                clock=clock,
                microphone=section.input,
                loudspeaker=section.output,
                is_cancelled=section.mode == "loudspeakers",
                tap=self._log.hear if self._log else None,
            )
            with contextlib.suppress(asyncio.CancelledError):
                async with microphone:
                    await self._converse(microphone, clock)

            self._sum_up(microphone)

    async def _converse(self, microphone: Microphone, clock: Callable[[], float]) -> None:
        heard, played = microphone.names
        self._screen.say(f"microphone {heard}, loudspeaker {played}")
        self._screen.say("loading the models …")
        session = self._session = Session(
            self._settings,
            await engines.load(self._settings),
            microphone,
            clock=clock,
            rules=TurnRules.from_settings(self._settings, is_push_to_talk=self._is_pushed),
            observers=observers_of(self._watched),
        )
        if self._is_pushed:
            self._open_ears(session, is_open=False)

        self._screen.say(f"ready: {'press the key and ' if self._is_pushed else ''}speak")
        self._faults_before = microphone.faults  # loading holds everything up
        self._screen.begin()

        with keys.read(self._press) if keys.are_there() else contextlib.nullcontext():
            async with asyncio.TaskGroup() as group:
                following = group.create_task(self._follow_key(clock))
                await session.run()
                following.cancel()

    def _show(self, event: SessionEvent) -> None:
        if self._log is not None:
            self._log.show(event)

        self._screen.show(event)

    # ---- keys ----

    def _press(self, key: str) -> None:
        session = self._session

        if session is None:
            return

        match key:
            case " " | "\n" | "\r" if self._is_pushed:
                was_down = self._key.is_down
                self._key.press(asyncio.get_running_loop().time())
                if self._key.is_down and not was_down:
                    self._open_ears(session, is_open=True)
                    session.press()
            case "s" | " " | "\n" | "\r":
                session.stop()
            case "m" if not self._is_pushed:
                self._screen.is_muted = not self._screen.is_muted
                self._mute(session, is_muted=self._screen.is_muted)
            case "+" | "=" | "-":
                self._turn_dial(session, -1 if key == "-" else 1)
            case "q":
                signal.raise_signal(signal.SIGINT)
            case _:
                pass

    async def _follow_key(self, clock: Callable[[], float]) -> None:
        """Notice that the key of push-to-talk went up."""
        while self._is_pushed and self._session is not None:
            was_down = self._key.is_down
            self._key.pass_time(clock())

            if was_down and not self._key.is_down:
                self._session.release()
                self._open_ears(self._session, is_open=False)

            await asyncio.sleep(KEY_EVERY_S)

    def _open_ears(self, session: Session, *, is_open: bool) -> None:
        """Without the key nothing is heard, and no word is written down."""
        self._mute(session, is_muted=not is_open)
        self._screen.needs_key = not is_open

    def _mute(self, session: Session, *, is_muted: bool) -> None:
        session.mute(is_muted=is_muted)

        if self._log is not None:
            self._log.is_deaf = is_muted

    def _turn_dial(self, session: Session, by: int) -> None:
        llm = self._settings.llm
        steps = (self._steps or self._screen.view.steps or llm.steps) + by
        self._steps = max(llm.min_steps, min(llm.max_steps, steps))
        session.choose_steps(self._steps)
        self._screen.say(f"replies are written in {self._steps} steps from now on")

    def _sum_up(self, microphone: Microphone) -> None:
        """The talk in one line."""
        waits_ms = self._screen.view.first_audio_ms

        if waits_ms:
            answers = f"{self._screen.view.turns} answers" if len(waits_ms) > 1 else "one answer"
            self._screen.say(
                f"{answers}; first sound after {statistics.median(waits_ms):.0f} ms in the median, "
                f"{max(waits_ms)} ms at worst"
            )

        lost = [
            now - before
            for now, before in zip(microphone.faults, self._faults_before, strict=False)
        ]
        if any(lost):
            self._screen.say(
                f"the machine was too busy {lost[0]} times for the microphone and {lost[-1]} times "
                "for the loudspeaker"
            )

        if self._log is not None:
            self._screen.say(f"kept in {self._log.folder}")


def for_microphone(settings: Settings) -> Settings:
    """With headphones there is no echo to take out."""
    if settings.microphone.mode == "loudspeakers":
        return settings

    return settings.model_copy(update={"echo": settings.echo.model_copy(update={"engine": "off"})})


def _keys(*, is_pushed: bool) -> str:
    if not keys.are_there():
        return "Ctrl-C: quit"

    return PUSHED_KEYS if is_pushed else KEYS


def _log(folder: Path | None, loaded: Loaded, say: Callable[[str], None]) -> TalkLog | None:
    if folder is None:
        return None

    name = time.strftime("talk-%Y-%m-%d-%H%M%S")
    return TalkLog(folder / name, settings=render(loaded), say=say)
