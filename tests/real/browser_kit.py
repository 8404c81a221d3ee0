"""Chromium on loopback: a browser that can reach nothing else, accessibility checks, page weight, pictures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, Request, sync_playwright

from tests.real.kit import require_real

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
"""WCAG 2.2 AA, and what axe calls good practice (landmarks, order of headings)."""
FOCUSED = """(() => {
  const element = document.activeElement, style = getComputedStyle(element);
  return [(element.labels?.[0] ?? element).textContent, style.outlineStyle !== "none" || style.boxShadow !== "none"];
})()"""
"""Text of the element that has the focus, and whether an outline or a ring shows it."""
IMAGES = Path(__file__).parents[2] / "docs" / "images"


@dataclass
class Visit:
    """One visitor: a page in a browser context of its own, and what went wrong in it."""

    page: Page
    foreign: list[str] = field(default_factory=list)
    """Addresses beyond loopback that a page asked for."""
    complaints: list[str] = field(default_factory=list)
    """What the browser itself complained about: refused scripts and styles, script errors, missing files."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    executable = require_real("Chromium", "chromium", "chromium-browser")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(executable), args=ARGUMENTS)
        yield chromium
        chromium.close()


@contextmanager
def visit(browser: Browser, *, width: int = 1280, height: int = 800, scripts: bool = True) -> Iterator[Visit]:
    """A visitor with empty cookies and cache. On leaving: nothing beyond loopback was asked for, and nothing went wrong."""
    context: BrowserContext = browser.new_context(
        viewport={"width": width, "height": height}, java_script_enabled=scripts, locale="fr-FR", reduced_motion="reduce"
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    visitor = Visit(page)

    def asked(request: Request) -> None:
        if urlsplit(request.url).hostname not in ("localhost", "127.0.0.1", None):
            visitor.foreign.append(request.url)

    def said(message: ConsoleMessage) -> None:
        refusal_of_the_page = message.text.startswith("Failed to load resource") and message.location["url"] == page.url
        if message.type == "error" and not refusal_of_the_page:
            visitor.complaints.append(f"{message.text} ({message.location['url']})")

    def failed(error: Error) -> None:
        visitor.complaints.append(error.message)

    context.on("request", asked)
    page.on("console", said)
    page.on("pageerror", failed)
    yield visitor
    context.close()
    assert not visitor.foreign, visitor.foreign
    assert not visitor.complaints, visitor.complaints


def axe(page: Page) -> list[str]:
    """What axe finds on the page as it stands, each as one line: rule, weight, elements."""
    found: list[dict[str, Any]] = Axe().run(page, options={"resultTypes": ["violations"], "runOnly": RULES}).response["violations"]
    return [f"{page.url}: {rule['id']} ({rule['impact']}): {[node['target'] for node in rule['nodes']]}" for rule in found]


def weigh(page: Page) -> int:
    """Bytes of the page and of everything that it loads, as they travel (compressed), cached or not."""
    return int(
        page.evaluate(
            "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
            ".reduce((sum, entry) => sum + entry.encodedBodySize, 0)"
        )
    )


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def small_targets(page: Page, least: int = 44) -> list[str]:
    """Buttons and fields that a finger may miss, with their height in pixels."""
    found: list[str] = page.evaluate(
        "least => [...document.querySelectorAll('button, .btn, .choice, input:not([type=hidden]):not([type=checkbox])')]"
        ".filter(e => e.offsetHeight && e.offsetHeight < least).map(e => `${e.name || e.textContent.trim()}: ${e.offsetHeight}`)",
        least,
    )
    return found


def shot(page: Page, name: str, folder: Path) -> Path:
    """A picture of the page in ``folder``; in docs/images when PREAU_UPDATE_SCREENSHOTS is 1."""
    if os.environ.get("PREAU_UPDATE_SCREENSHOTS") == "1":
        folder = IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    page.screenshot(path=path)
    return path


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the element called ``name`` has the focus; it must show that it has it."""
    for _ in range(30):
        page.keyboard.press("Tab")
        text, outlined = page.evaluate(FOCUSED)
        if name in " ".join(text.split()):
            assert outlined, f"{name}: the focus cannot be seen"
            return
    pytest.fail(f"{name!r} cannot be reached with the Tab key on {page.url}")
