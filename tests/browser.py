"""Headless Chromium through its DevTools protocol over two pipes, with nothing but the standard library."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--no-startup-window",
    "--disable-background-networking",
    "--remote-debugging-pipe",
)
START = (
    "import os, sys; read, write, *words = sys.argv[1:]; "
    "os.dup2(int(read), 3); os.dup2(int(write), 4); os.execv(words[0], words)"
)
"""Becomes the browser, which reads commands from descriptor 3 and answers on 4."""
PATIENCE = 60
"""Seconds to wait for an answer."""
LONGEST_ADDRESS = 200
"""Characters that are kept of what a page asks for: a photograph in the page is an address, too."""


def find() -> str | None:
    """The browser's command, or None if there is none on the path."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Tab:
    """One page; what it asks of the network and what goes wrong in its scripts is collected."""

    def __init__(self, write: int, read: int, log: Path) -> None:
        self._write, self._read, self._log = write, read, log
        self._rest = b""
        self._last = 0
        self.session = ""
        self.faults: list[str] = []
        self.requests: list[str] = []
        self._loaded = False

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a command of the protocol."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        try:
            os.write(self._write, json.dumps(message).encode() + b"\0")
        except BrokenPipeError:
            raise AssertionError(self._failed("the browser ended")) from None
        while True:
            answer = self._next()
            if answer.get("id") == self._last:
                assert "error" not in answer, (method, answer["error"])
                return dict(answer["result"])

    def _next(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], max(0.0, until - time.monotonic()))
            assert ready, self._failed(f"the browser said nothing for {PATIENCE} s")
            chunk = os.read(self._read, 1 << 20)
            assert chunk, self._failed("the browser ended")
            self._rest += chunk
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        self._note(message)
        return message

    def _failed(self, what: str) -> str:
        return f"{what}; its last words:\n{self._log.read_text(errors='replace')[-2000:]}"

    def _note(self, message: dict[str, Any]) -> None:
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.faults.append(json.dumps(message["params"]["exceptionDetails"])[:2000])
            case "Log.entryAdded" if message["params"]["entry"]["level"] == "error":
                self.faults.append(message["params"]["entry"]["text"])
            case "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"][:LONGEST_ADDRESS])
            case "Page.loadEventFired":
                self._loaded = True

    def open(self, page: Path, width: int = 1400, height: int = 900, dark: bool = False) -> None:
        """Load a file, in a window of a size, for someone who prefers light or dark; forget what was collected."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self._loaded = False
        self.faults.clear()
        self.requests.clear()
        self.call("Page.navigate", url=page.resolve().as_uri())
        while not self._loaded:
            self._next()

    def run(self, code: str) -> Any:
        """The value of an expression, awaited."""
        asked = self.call("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in asked, asked["exceptionDetails"]
        return asked["result"].get("value")

    def wait(self, condition: str) -> None:
        """Until an expression is true, asked every 10 ms."""
        until = time.monotonic() + PATIENCE
        while not self.run(f"!!({condition})"):
            assert time.monotonic() < until, f"not true after {PATIENCE} s: {condition}"
            time.sleep(0.01)

    def busy(self) -> float:
        """Seconds of CPU that the page's main thread has worked."""
        metrics = self.call("Performance.getMetrics")["metrics"]
        return next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")

    def press(self, key: str, code: int = 0, text: str = "") -> None:
        """A key, down and up."""
        for kind in ("keyDown", "keyUp"):
            shown = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **shown)

    def screenshot(self) -> bytes:
        """The window as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])


@contextmanager
def browser(command: str) -> Iterator[Tab]:
    """A browser with one tab, ended with the block."""
    to_browser, from_us = os.pipe()
    from_browser, to_us = os.pipe()
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_browser, to_us)]
    os.close(to_browser)
    os.close(to_us)
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        words = [command, *OPTIONS, f"--user-data-dir={profile}"]
        log = Path(profile) / "stderr.txt"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-c", START, *map(str, ends), *words],
                pass_fds=ends,
                stdout=subprocess.DEVNULL,
                stderr=stream,
            )
        for end in ends:
            os.close(end)
        try:
            tab = Tab(from_us, from_browser, log)
            target = tab.call("Target.createTarget", url="about:blank")["targetId"]
            tab.session = tab.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                tab.call(f"{domain}.enable")
            tab.call("Performance.enable", timeDomain="threadTicks")
            yield tab
            tab.call("Browser.close")
        finally:
            os.close(from_us)
            os.close(from_browser)
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
