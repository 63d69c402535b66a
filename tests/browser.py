"""A real browser for what is written as a page, and what every page must keep to."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
MISSING = "no Chromium: apt-get install chromium"
PATIENCE = 120_000  # ms: how long a step may take on a busy machine
LOUD = ("error", "warning", "assert")
INLINE = ("data:", "blob:")  # addresses that ask nobody


def program() -> str | None:
    """The installed Chromium, if there is one."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@contextlib.contextmanager
def chromium(executable: str) -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def watched_page(
    browser: Browser,
    path: Path,
    *,
    dark: bool = False,
    width: int = 1280,
    height: int = 900,
    reduced_motion: bool = False,
) -> Iterator[Page]:
    """A report, opened offline from its file, when it is ready.

    Raises:
        AssertionError: at the end, if the page said an error or a warning, threw, opened a
            dialog, or asked for anything but its own file.
    """
    address = path.absolute().as_uri()
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce" if reduced_motion else "no-preference",
        offline=True,
        accept_downloads=True,
    )
    context.set_default_timeout(PATIENCE)
    with contextlib.closing(context):
        page = context.new_page()
        said, asked = _logs(page)
        page.goto(address)
        page.evaluate("optbench.ready")
        yield page
        page.evaluate("document.readyState")  # what was sent before has arrived then
        assert not said and asked == [address], said + asked


def _logs(page: Page) -> tuple[list[str], list[str]]:
    """What the page says that it should not, and what it asks for; both grow."""
    said: list[str] = []
    asked: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in LOUD:
            said.append(f"{message.type}: {message.text}")

    def refuse(dialog: Dialog) -> None:
        said.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def ask(address: str) -> None:
        if not address.startswith(INLINE):
            asked.append(address)

    page.on("console", hear)
    page.on("pageerror", lambda error: said.append(f"thrown: {error}"))
    page.on("dialog", refuse)
    page.on("popup", lambda popup: ask(popup.url))
    page.on("websocket", lambda socket: ask(socket.url))
    page.context.on("request", lambda request: ask(request.url))
    return said, asked
