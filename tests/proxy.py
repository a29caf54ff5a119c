"""A TCP proxy before an S3 server that counts the requests, breaks chosen ones, and delays all of them on demand.

Every bucket has a script of its own, so that tests may run side by side through one proxy, and with it through one
client. Heads pass unchanged: the `Host` header is signed.

A request is delayed once, from when its first bytes arrive, as a distant server would. Its body, such as one that
follows a `100 Continue`, arrives in that time.
"""

from __future__ import annotations

import argparse
import contextlib
import enum
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Request:
    """One request, as far as a script needs to know it."""

    number: int
    """How many requests to the same bucket came before it."""
    method: str
    path: str
    """With the query."""

    @property
    def removes(self) -> bool:
        """Whether it is a DeleteObjects or DeleteObject."""
        return self.method == "DELETE" or (self.method == "POST" and self.path.split("?")[-1].startswith("delete"))


@dataclass(frozen=True)
class Message:
    """A request or an answer; the body is as it was on the wire, chunks and all."""

    head: bytes
    body: bytes = b""

    @property
    def size(self) -> int:
        """The Content-Length, 0 if there is none."""
        return int(self._header(rb"content-length") or 0)

    @property
    def chunked(self) -> bool:
        return b"chunked" in self._header(rb"transfer-encoding").lower()

    @property
    def waits(self) -> bool:
        """Whether the body comes only when it is asked for."""
        return b"100-continue" in self._header(rb"expect").lower()

    @property
    def start(self) -> list[str]:
        """The three words of the first line."""
        return self.head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)

    def _header(self, name: bytes) -> bytes:
        found = re.search(rb"\r\n" + name + rb":[ \t]*([^\r\n]*)", self.head, re.IGNORECASE)
        return found[1] if found else b""


class Ending(enum.Enum):
    """What becomes of the connection after what was sent, if anything was."""

    GOES_ON = "goes on"
    CLOSED = "is closed"
    RESET = "is reset"
    SILENT = "stays open, but nothing comes any more"


Answering = Callable[[Request, Message], bytes]
"""(request, the server's answer, empty if it never saw the request) -> what the client gets to see."""


def _nothing(request: Request, answer: Message) -> bytes:
    return b""


@dataclass(frozen=True)
class Fault:
    """One way to break a request."""

    label: str
    ending: Ending
    acts: bool
    """Whether the server gets the request and answers it in full."""
    answering: Answering = _nothing
    reads_body: bool = True

    def __str__(self) -> str:
        return self.label


def refusal(status: str, code: str) -> Answering:
    def answering(request: Request, answer: Message) -> bytes:
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>A test broke this.</Message></Error>".encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        return head if request.method == "HEAD" else head + body

    return answering


def _half_a_status_line(request: Request, answer: Message) -> bytes:
    return answer.head[:10]


def _half_the_headers(request: Request, answer: Message) -> bytes:
    return answer.head[: len(answer.head) // 2]


def _half_the_body(request: Request, answer: Message) -> bytes:
    if answer.body or request.method == "HEAD":
        return answer.head + answer.body[: len(answer.body) // 2]
    return re.sub(rb"(?i)content-length: *0", b"Content-Length: 100", answer.head) + b"x" * 50


def _page(body: bytes) -> Answering:
    def answering(request: Request, answer: Message) -> bytes:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        return head if request.method == "HEAD" else head + body

    return answering


def _removed_nothing(request: Request, answer: Message) -> bytes:
    # DeleteObjects answers 200 and tells of each key in its body; a key that is not named back was deleted.
    error = "<Error><Key>everything</Key><Code>AccessDenied</Code><Message>A test broke this.</Message></Error>"
    body = f"<?xml version='1.0'?><DeleteResult>{error}</DeleteResult>".encode()
    return f"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


RESET_EARLY = Fault("reset-in-the-request", Ending.RESET, acts=False, reads_body=False)
RESET = Fault("reset", Ending.RESET, acts=False)
RESET_AFTER = Fault("reset-after", Ending.RESET, acts=True)
CLOSED_AFTER = Fault("closed-after", Ending.CLOSED, acts=True)
ERROR = Fault("500", Ending.GOES_ON, acts=False, answering=refusal("500 Internal Server Error", "InternalError"))
ERROR_AFTER = Fault("500-after", Ending.GOES_ON, acts=True, answering=ERROR.answering)
SLOW_DOWN = Fault("503", Ending.GOES_ON, acts=False, answering=refusal("503 Slow Down", "SlowDown"))
SLOW_DOWN_AFTER = Fault("503-after", Ending.GOES_ON, acts=True, answering=SLOW_DOWN.answering)
FORBIDDEN = Fault("403", Ending.GOES_ON, acts=False, answering=refusal("403 Forbidden", "AccessDenied"))
ERROR_IN_200 = Fault("error-in-200", Ending.GOES_ON, acts=False, answering=refusal("200 OK", "InternalError"))
EMPTY_200 = Fault("empty-200", Ending.GOES_ON, acts=False, answering=_page(b""))
PAGE_200 = Fault("page-200", Ending.GOES_ON, acts=False, answering=_page(b"<!doctype html><title>Log in</title>"))
TRUNCATED_STATUS = Fault("half-a-status-line", Ending.CLOSED, acts=True, answering=_half_a_status_line)
TRUNCATED_HEAD = Fault("half-the-headers", Ending.CLOSED, acts=True, answering=_half_the_headers)
TRUNCATED_BODY = Fault("half-the-body", Ending.CLOSED, acts=True, answering=_half_the_body)
TIMEOUT = Fault("time-out", Ending.SILENT, acts=False)
TIMEOUT_AFTER = Fault("time-out-after", Ending.SILENT, acts=True)
REMOVED_NOTHING = Fault("removed-nothing", Ending.GOES_ON, acts=False, answering=_removed_nothing)

QUICK_FAULTS = [
    RESET_EARLY,
    RESET,
    RESET_AFTER,
    CLOSED_AFTER,
    ERROR,
    ERROR_AFTER,
    SLOW_DOWN,
    SLOW_DOWN_AFTER,
    FORBIDDEN,
    EMPTY_200,
    PAGE_200,
    ERROR_IN_200,
    TRUNCATED_STATUS,
    TRUNCATED_HEAD,
    TRUNCATED_BODY,
]
"""Those of which the client learns at once."""
SLOW_FAULTS = [TIMEOUT, TIMEOUT_AFTER]
"""Those of which it learns when its patience ends."""

When = Callable[[Request], bool]


def only(number: int) -> When:
    """The request of this number."""
    return lambda request: request.number == number


def both(number: int) -> When:
    """The request of this number and the next one."""
    return lambda request: request.number in (number, number + 1)


def since(number: int) -> When:
    """The request of this number and all later ones: an outage."""
    return lambda request: request.number >= number


def every(step: int) -> When:
    """One request in `step`, the last of them."""
    return lambda request: request.number % step == step - 1


@dataclass
class Script:
    """What happens to the requests for one bucket, and what did."""

    choose: Callable[[Request], Fault | None] = lambda request: None
    requests: list[Request] = field(default_factory=list)
    broken: list[Request] = field(default_factory=list)
    sent: int = 0
    """Bytes of the requests that reached the server, and of its answers."""
    received: int = 0

    def next(self, method: str, path: str) -> tuple[Request, Fault | None]:
        request = Request(len(self.requests), method, path)
        self.requests.append(request)
        fault = self.choose(request)
        if fault:
            self.broken.append(request)
        return request, fault


class Proxy:
    """The proxy, in threads of this process; a context manager.

    Args:
        delay: seconds by which each request comes later to the server.
    """

    def __init__(self, endpoint_url: str, delay: float = 0) -> None:
        target = urlsplit(endpoint_url)
        self._target = str(target.hostname), int(target.port or 80)
        self._delay = delay
        self._lock = threading.Lock()
        self._scripts: dict[str, Script] = {}
        self._connections: dict[socket.socket, threading.Thread] = {}

    def __enter__(self) -> Proxy:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._accepting = threading.Thread(target=self._accept, name="proxy", daemon=True)
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(10)
        with self._lock:
            connections = dict(self._connections)
        for connection, thread in connections.items():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(10)

    @property
    def url(self) -> str:
        host, port = self._listener.getsockname()
        return f"http://{host}:{port}"

    def script(self, bucket: str, fault: Fault | None = None, when: When | None = None) -> Script:
        """Begin to count the requests for a bucket anew, and break those chosen by `when`, by default all."""
        return self.scripted(bucket, lambda request: fault if when is None or when(request) else None)

    def scripted(self, bucket: str, choose: Callable[[Request], Fault | None]) -> Script:
        """The same, where not all requests break in the same way."""
        script = Script(choose)
        with self._lock:
            self._scripts[bucket] = script
        return script

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            thread = threading.Thread(target=self._serve, args=(connection,), name="proxy", daemon=True)
            with self._lock:
                self._connections[connection] = thread
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with client, contextlib.suppress(OSError), socket.create_connection(self._target) as server:
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with client.makefile("rb") as requests, server.makefile("rb") as answers:
                    while self._passes_one(client, requests, server, answers):
                        pass
        finally:
            with self._lock:
                del self._connections[client]

    def _passes_one(self, client: socket.socket, requests: BinaryIO, server: socket.socket, answers: BinaryIO) -> bool:
        """One request and its answer; whether the connection goes on."""
        head = _read_head(requests)
        if not head:
            return False
        due = time.monotonic() + self._delay
        script, request, fault = self._next(Message(head))
        complete = _complete(Message(head), client, requests) if fault is None or fault.reads_body else None
        answer = Message(b"")
        if complete and (fault is None or fault.acts):
            time.sleep(max(0.0, due - time.monotonic()))
            server.sendall(complete.head + complete.body)
            answer = _read_answer(answers, request.method)
            with self._lock:
                script.sent += len(complete.head) + len(complete.body)
                script.received += len(answer.head) + len(answer.body)
        if fault is None:
            client.sendall(answer.head + answer.body)
            return True
        client.sendall(fault.answering(request, answer))
        _end(client, requests, fault.ending)
        return fault.ending is Ending.GOES_ON

    def _next(self, message: Message) -> tuple[Script, Request, Fault | None]:
        method, path, _ = message.start
        bucket = path.split("?")[0].split("/")[1]
        with self._lock:
            script = self._scripts.setdefault(bucket, Script())
            return script, *script.next(method, path)


def _read_head(stream: BinaryIO) -> bytes:
    """Up to and with the empty line; nothing if the other side has closed the connection."""
    lines = []
    while line := stream.readline():
        lines.append(line)
        if line == b"\r\n":
            return b"".join(lines)
    return b""


def _read_body(stream: BinaryIO, message: Message) -> bytes:
    if not message.chunked:
        body = stream.read(message.size)
        if len(body) < message.size:
            # Nothing of it is passed on: the other side would wait for the rest, and the proxy for its answer.
            raise ConnectionResetError("the connection was closed within a body")
        return body
    parts = []
    while True:
        line = stream.readline()
        if not line:
            raise ConnectionResetError("the connection was closed within a body")
        size = int(line.split(b";")[0], 16)
        # The last chunk is empty, and trailers and an empty line follow it.
        parts += [line, stream.read(size + 2) if size else _read_head(stream)]
        if not size:
            return b"".join(parts)


def _complete(message: Message, client: socket.socket, requests: BinaryIO) -> Message:
    """The request with its body. The server is not told that the client would wait: nobody signs that header."""
    if message.waits:
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    head = re.sub(rb"(?i)\r\nexpect:[^\r\n]*", b"", message.head)
    return Message(head, _read_body(requests, message))


def _read_answer(answers: BinaryIO, method: str) -> Message:
    message = Message(_read_head(answers))
    if not message.head:
        raise ConnectionResetError("the server closed the connection")
    status = int(message.start[1])
    if status < 200:
        return _read_answer(answers, method)
    bare = method == "HEAD" or status in (204, 304)
    return message if bare else Message(message.head, _read_body(answers, message))


def _end(client: socket.socket, requests: BinaryIO, ending: Ending) -> None:
    if ending is Ending.RESET:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif ending is Ending.SILENT:
        requests.read(1)  # until the client gives up


@contextlib.contextmanager
def slow_proxy(endpoint_url: str, delay: float = 0.02) -> Iterator[str]:
    """The URL of a proxy that adds `delay` seconds to each request.

    It is a process of its own, so that what it does is not counted as work of the process that is measured.
    """
    command = [sys.executable, "-m", "tests.proxy", endpoint_url, str(delay)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().rstrip()
        finally:
            process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("endpoint_url")
    parser.add_argument("delay", type=float)
    options = parser.parse_args()
    with Proxy(options.endpoint_url, options.delay) as proxy:
        print(proxy.url, flush=True)
        sys.stdin.read()  # until whoever has started it is gone


if __name__ == "__main__":
    main()
