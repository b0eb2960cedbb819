"""A headless Chromium for the tests of pages: the fixtures ``page`` and ``problems``.

Playwright's own browsers are a download apart from pip, so that of the system is used.
"""

import os
import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

NAMES = ('chromium', 'chromium-browser', 'google-chrome')
OPTIONS = (
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
)
LOCAL = ('localhost', '127.0.0.1', '::1')


@pytest.fixture
def problems() -> list[str]:
    """What ``page`` met: errors on the console, failed requests, and those to outside.

    A test whose page must meet some looks at them and clears the list.
    """
    return []


@pytest.fixture
def page(problems: list[str]) -> Iterator:
    """A new page of a new profile, which reaches files and this machine alone.

    It is playwright's ``Page`` (sync API), and the test fails if it met problems.
    """
    # Imported here: the other tests do without it.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(), args=OPTIONS
        )
        context = browser.new_context()
        context.route(is_outside, lambda route: route.abort())
        page = context.new_page()
        _watch(page, problems)
        yield page
        # Closing it interrupts requests, which is no problem of the page.
        found = list(problems)
        browser.close()
    assert not found


def find_browser() -> str:
    """Return the path of a Chromium, or skip the test; under CI there must be one."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        reason = 'no Chromium is installed; this helps: apt-get install -y chromium'
        (pytest.fail if os.environ.get('CI') else pytest.skip)(reason)
    return found


def is_outside(url: str) -> bool:
    """Whether a request leaves this machine."""
    parts = urlsplit(url)
    return parts.scheme in ('http', 'https', 'ws', 'wss') and (
        parts.hostname not in LOCAL
    )


def _watch(page, problems: list[str]) -> None:
    def on_console(message) -> None:
        if message.type == 'error':
            problems.append(f'console: {message.text}')

    def on_failed(request) -> None:
        problems.append(f'request: {request.url[:200]}: {request.failure}')

    def on_websocket(socket) -> None:
        if is_outside(socket.url):
            problems.append(f'websocket: {socket.url}')

    page.on('console', on_console)
    page.on('pageerror', lambda error: problems.append(f'error: {error}'))
    page.on('requestfailed', on_failed)
    page.on('websocket', on_websocket)
