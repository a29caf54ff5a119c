"""A TCP proxy in a process of its own that delays every HTTP request by a fixed time, as a distant server would.

A request is delayed once, when its first bytes arrive after the last response. Its further bytes, such as the body
that follows a `100 Continue`, pass at once.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit


class _Side(asyncio.Protocol):
    """One of the two connections of a pair: what arrives here goes to the other."""

    peer: _Side | None = None
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.peer:
            self.peer.transport.close()

    def pause_writing(self) -> None:
        if self.peer:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer:
            self.peer.transport.resume_reading()


class _Server(_Side):
    """The connection to the real server."""

    def __init__(self, client: _Client) -> None:
        self.peer: _Client = client

    def data_received(self, data: bytes) -> None:
        if not _only_interim(data):
            self.peer.between_requests = True
        self.peer.transport.write(data)


class _Client(_Side):
    """The connection from the one who is measured."""

    def __init__(self, host: str, port: int, delay: float) -> None:
        self.host, self.port, self.delay = host, port, delay
        self.between_requests = True
        self.held: list[bytes] = []
        self.holding = True  # until the server's side is connected

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connecting = asyncio.ensure_future(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        _, self.peer = await loop.create_connection(lambda: _Server(self), self.host, self.port)
        if not self.held:
            self.holding = False
        else:
            self._release_later()

    def data_received(self, data: bytes) -> None:
        if self.holding:
            self.held.append(data)
        elif self.between_requests:
            self.holding = True
            self.held.append(data)
            self._release_later()
        else:
            self._send(data)

    def _release_later(self) -> None:
        asyncio.get_running_loop().call_later(self.delay, self._release)

    def _release(self) -> None:
        self.between_requests, self.holding = False, False
        data, self.held = b"".join(self.held), []
        self._send(data)

    def _send(self, data: bytes) -> None:
        if self.peer and not self.peer.transport.is_closing():
            self.peer.transport.write(data)


def _only_interim(data: bytes) -> bool:
    """Whether this is a `100 Continue` with no final response behind it."""
    return data.startswith(b"HTTP/1.1 100") and data.partition(b"\r\n\r\n")[2] == b""


async def _serve(host: str, port: int, delay: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Client(host, port, delay), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


@contextlib.contextmanager
def slow_proxy(endpoint_url: str, delay: float = 0.02) -> Iterator[str]:
    """The URL of a proxy before `endpoint_url` that adds `delay` seconds to each request."""
    target = urlsplit(endpoint_url)
    command = [sys.executable, "-m", "tests.benchmarks.proxy", str(target.hostname), str(target.port), str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("delay", type=float)
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(options.host, options.port, options.delay))


if __name__ == "__main__":
    main()
