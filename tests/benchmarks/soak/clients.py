"""Clients that upload through the form, one after the other, until the time is over."""

from __future__ import annotations

import http.client
import random
import re
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.cookies import SimpleCookie

from tests.benchmarks.soak.files import Upload

HOST = "127.0.0.1"
FORM = "/add/"
TIMEOUT = 120
"""Seconds that a client waits for an answer."""

STORED = "stored"
REFUSED = "refused"


@dataclass(frozen=True)
class Answer:
    """What came of one upload. `began` is by the clock of `time.monotonic`; `title` names the row it should make.

    `outcome` is STORED (sent on to the list), REFUSED (the form again, with an error) or what else happened.
    """

    upload: Upload
    title: str
    began: float
    seconds: float
    outcome: str

    @property
    def expected(self) -> bool:
        return self.outcome == (STORED if self.upload.good else REFUSED)


def load(port: int, uploads: Sequence[Upload], clients: int, seconds: float, phase: str) -> list[Answer]:
    """Upload with so many clients for so long; the answers to all that was begun in that time."""
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(clients) as pool:
        jobs = [pool.submit(_client, port, uploads, f"{phase}-{number}", until) for number in range(clients)]
    return sorted((answer for job in jobs for answer in job.result()), key=lambda answer: answer.began)


def _client(port: int, uploads: Sequence[Upload], name: str, until: float) -> list[Answer]:
    choice = random.Random(name)  # the same order in every run
    weights = [upload.weight for upload in uploads]
    token = csrf_token(port)
    answers: list[Answer] = []
    while time.monotonic() < until:
        (upload,) = choice.choices(uploads, weights)
        answers.append(_answer(port, token, upload, f"{name}-{len(answers)}"))
    return answers


def csrf_token(port: int) -> str:
    """The cookie that the form sets.

    Raises:
        OSError, http.client.HTTPException: nobody answers, or not with the form.
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT)
    try:
        connection.request("GET", FORM, headers={"Connection": "close"})
        response = connection.getresponse()
        response.read()
        cookies = SimpleCookie(response.getheader("Set-Cookie", ""))
        if "csrftoken" not in cookies:
            raise http.client.HTTPException(f"{FORM} answers {response.status}, without a token")
        return cookies["csrftoken"].value
    finally:
        connection.close()


def _answer(port: int, token: str, upload: Upload, title: str) -> Answer:
    body, content_type = _form(title, upload)
    headers = {
        "Content-Type": content_type,
        "Cookie": f"csrftoken={token}",
        "X-CSRFToken": token,
        # To send on a connection that the server is about to close fails now and then, whatever the server serves.
        "Connection": "close",
    }
    began = time.monotonic()
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT)
    try:
        connection.request("POST", FORM, body, headers)
        response = connection.getresponse()
        outcome = _outcome(response, response.read())
    except (OSError, http.client.HTTPException) as error:
        outcome = f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    return Answer(upload, title, began, time.monotonic() - began, outcome)


def _form(title: str, upload: Upload) -> tuple[bytes, str]:
    """The body of a multipart form, and its content type."""
    boundary = uuid.uuid4().hex
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="title"\r\n\r\n{title}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{upload.name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode() + upload.data + f"\r\n--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def _outcome(response: http.client.HTTPResponse, page: bytes) -> str:
    if response.status == 302 and response.getheader("Location") == "/":
        return STORED
    if response.status == 200 and b'class="errorlist"' in page:
        return REFUSED
    text = re.sub(r"<[^>]*>|\s+", " ", page.decode(errors="replace"))
    return f"{response.status}: {' '.join(text.split())[:120]}"
