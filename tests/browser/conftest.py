"""A browser, and a site with a strict content security policy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from django.test import override_settings
from pytest_django.live_server_helper import LiveServer

POLICY = "default-src 'self'"
"""That of a page, unless the setting `CONTENT_POLICY` says otherwise."""


def strict(get_response):
    """A middleware under which a page runs no script and applies no style of its own text."""
    from django.conf import settings

    def answer(request):
        response = get_response(request)
        response["Content-Security-Policy"] = getattr(settings, "CONTENT_POLICY", POLICY)
        return response

    return answer


@pytest.fixture(scope="session")
def live_server(django_db_setup):
    """pytest-django's, with one more middleware: which there are is read when it starts."""
    from django.conf import settings

    with override_settings(MIDDLEWARE=[*settings.MIDDLEWARE, f"{__name__}.strict"]):
        server = LiveServer("localhost")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser(django_db_setup):
    """Chromium, driven by Playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium on the PATH")
    with pytest.MonkeyPatch.context() as patch, playwright.sync_playwright() as driver:
        # Playwright has an event loop in this thread, of which Django takes the tests to be a part.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def media(settings):
    """A folder for uploads that the live server serves, empty afterwards."""
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "athumb_storage.storages.FileSystemThumbnailStorage"},
    }
    yield Path(settings.MEDIA_ROOT)
    shutil.rmtree(settings.MEDIA_ROOT, ignore_errors=True)


@pytest.fixture
def tab(browser, live_server):
    """A page of the browser, and what it complains of."""
    page = browser.new_page(base_url=live_server.url)
    complaints = []
    listen(page, complaints)
    yield page, complaints
    page.close()


def listen(page, complaints):
    """Add what the page complains of: also answers that are errors, which a console does not always tell."""
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(f"{request.url}: {request.failure}"))
    page.on("response", lambda answer: complaints.append(f"{answer.url}: {answer.status}") if _failed(answer) else None)


def _failed(answer):
    return answer.status >= 400
