"""A headless Chromium, driven through its debugging pipe: no driver program, no port.

For the tests and the benchmark of the page. Every wait has an end; what is left of the browser is
ended with `close`.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
ANSWER_S = 30.0
FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-extensions",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-sync",
    "--mute-audio",
    "--remote-debugging-pipe",
)

# In a page: a microphone of our own, so that somebody can speak at a moment that is not known
# before. `loaded` gives sound (a WAV file in base64) that is heard once it is started.
MICROPHONE = """(() => {
  const context = new AudioContext({ sampleRate: 48000 });
  const there = context.createMediaStreamDestination();
  const still = context.createConstantSource(); // without a source no packets are sent
  still.offset.value = 0;
  still.connect(there);
  still.start();
  navigator.mediaDevices.getUserMedia = async () => there.stream.clone();
  window.context = context;
  window.loaded = async (wav) => {
    const bytes = Uint8Array.from(atob(wav), (letter) => letter.charCodeAt(0));
    const source = context.createBufferSource();
    source.buffer = await context.decodeAudioData(bytes.buffer);
    source.connect(there);
    return source;
  };
  return context.resume();
})();"""


class ChromiumError(Exception):
    """The browser did not do what was asked."""


def found() -> str | None:
    """The browser's program, if this machine has one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """One browser with a profile of its own."""

    def __init__(self, *, microphone: Path | None = None, flags: tuple[str, ...] = ()) -> None:
        """microphone: a WAV file that is played into the page's microphone, once; None: the
        machine's own. flags: more of Chromium's."""
        program = found()
        if program is None:
            raise ChromiumError(f"no Chromium is installed: one of {', '.join(NAMES)} is wanted")

        self._profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        there, self._to = os.pipe()
        self._from, back = os.pipe()
        more = (*_sound(microphone), *flags)
        if os.geteuid() == 0:  # its sandbox does not work for root
            more = ("--no-sandbox", *more)

        command = [program, *FLAGS, *more, f"--user-data-dir={self._profile.name}", "about:blank"]
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{there} 4>&{back}', "bash", *command],
            pass_fds=(there, back),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(there)
        os.close(back)
        self._read = b""
        self._number = 0
        self.said: list[dict[str, Any]] = []
        """Events of the browser that nobody waited for."""

    def __enter__(self) -> Chromium:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def open(self, address: str, *, width: int = 900, height: int = 1200) -> Tab:
        """A new tab at an address."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, target, session)
        tab.ask("Page.enable")
        tab.ask("Runtime.enable")
        tab.size(width, height)
        tab.ask("Page.navigate", url=address)
        return tab

    def refuse_microphone(self, origin: str) -> None:
        """Answer every page's question for the microphone with no."""
        self.ask(
            "Browser.setPermission",
            permission={"name": "microphone"},
            setting="denied",
            origin=origin,
        )

    def ask(self, method: str, *, session: str | None = None, **told: object) -> dict[str, Any]:
        """One command of the DevTools protocol; its result."""
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": told}
        if session:
            message["sessionId"] = session

        os.write(self._to, json.dumps(message).encode() + b"\0")
        ends_s = time.monotonic() + ANSWER_S

        while True:
            answer = self._next(ends_s, method)
            if answer.get("id") != self._number:
                self.said.append(answer)
            elif "error" in answer:
                raise ChromiumError(f"{method}: {answer['error']['message']}")
            else:
                return dict(answer["result"])

    def _next(self, ends_s: float, method: str) -> dict[str, Any]:
        while b"\0" not in self._read:
            left_s = ends_s - time.monotonic()
            if left_s <= 0 or not select.select([self._from], [], [], left_s)[0]:
                raise ChromiumError(f"{method}: no answer within {ANSWER_S:.0f} s")

            piece = os.read(self._from, 1 << 20)
            if not piece:
                raise ChromiumError(f"{method}: the browser is gone")

            self._read += piece

        message, _, self._read = self._read.partition(b"\0")
        return dict(json.loads(message))

    def kill(self) -> None:
        """End it as a crash would: the pages have no time for a last word."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

        self.process.wait()

    def close(self) -> None:
        """End the browser and forget its profile."""
        self.kill()
        for descriptor in (self._to, self._from):
            with contextlib.suppress(OSError):
                os.close(descriptor)

        self._profile.cleanup()


class Tab:
    """One page."""

    def __init__(self, browser: Chromium, target: str, session: str) -> None:
        self._browser = browser
        self._target = target
        self._session = session

    def ask(self, method: str, **told: object) -> dict[str, Any]:
        """One command about this page."""
        return self._browser.ask(method, session=self._session, **told)

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page; a promise is awaited."""
        result = self.ask(
            "Runtime.evaluate",
            expression=script,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in result:
            told = result["exceptionDetails"]
            raise ChromiumError(str(told.get("exception", {}).get("description", told)))

        return result["result"].get("value")

    def wait(self, script: str, *, seconds: float = 30.0) -> Any:
        """The value of an expression as soon as it is true."""
        ends_s = time.monotonic() + seconds
        fault: ChromiumError | None = None

        while time.monotonic() < ends_s:
            try:
                if value := self.evaluate(script):
                    return value
            except ChromiumError as not_yet:  # the page is still being loaded
                fault = not_yet

            time.sleep(0.05)

        body = self.evaluate("document.body?.innerText")
        raise ChromiumError(f"not within {seconds:.0f} s: {script}\nthe page:\n{body}") from fault

    def click(self, selector: str) -> None:
        """As a person would, except for the way of the mouse."""
        self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    def size(self, width: int, height: int, *, is_phone: bool = False) -> None:
        """The page's size in CSS pixels."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=is_phone,
        )

    def prefer(self, **features: str) -> None:
        """What the person prefers: color_scheme="dark", reduced_motion="reduce"."""
        told = [
            {"name": f"prefers-{name.replace('_', '-')}", "value": value}
            for name, value in features.items()
        ]
        self.ask("Emulation.setEmulatedMedia", features=told)

    def screenshot(self, file: Path) -> None:
        """The whole page as PNG, or as WebP where the file is called so."""
        kind = "webp" if file.suffix == ".webp" else "png"
        told: dict[str, object] = {"format": kind, "captureBeyondViewport": True}
        if kind == "webp":
            told["quality"] = 80

        file.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", **told)["data"]))

    def close(self) -> None:
        """As a person closes it: the page may say a last word."""
        self._browser.ask("Target.closeTarget", targetId=self._target)


def _sound(microphone: Path | None) -> tuple[str, ...]:
    if microphone is None:
        return ()

    return (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone.resolve()}%noloop",
    )
