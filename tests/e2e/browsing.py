"""Chromium, driven by Playwright, on a page of the inspector."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.e2e.standing import Proxy

_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in _NAMES if (found := shutil.which(name))), "")
try:
    from playwright.async_api import Browser, Page, async_playwright
except ImportError:
    Browser = Page = Any
    async_playwright = None


def needed() -> pytest.MarkDecorator:
    missing = [what for what, there in (
        ("the Python package playwright (pip install --require-hashes -r requirements-browser.lock)", async_playwright),
        ("the Debian package chromium", CHROMIUM)) if not there]
    return pytest.mark.skipif(bool(missing), reason="needs a browser: install " + " and ".join(missing))


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@asynccontextmanager
async def opened(browser: Browser, proxy: Proxy, *, token: bool = True, **options: Any) -> AsyncIterator[Page]:
    """The inspector's page, live.  What it complains about is a failure."""
    context = await browser.new_context(permissions=["clipboard-read", "clipboard-write"], **options)
    page = await context.new_page()
    page.set_default_timeout(15_000)
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(f"{said.type}: {said.text}") if said.type != "log" else None)
    page.on("pageerror", lambda error: complaints.append(f"uncaught: {error}"))
    page.on("request", lambda asked: complaints.append(f"asked {asked.url}")
            if not asked.url.startswith((f"http://127.0.0.1:{proxy.port('admin')}/inspector", "blob:")) else None)
    await page.goto(proxy.running.inspector.url(token=token))
    if token:
        await page.get_by_text("live", exact=True).wait_for()
    yield page
    assert complaints == []
    await context.close()


async def clipboard(page: Page) -> str:
    return await page.evaluate("navigator.clipboard.readText()")
