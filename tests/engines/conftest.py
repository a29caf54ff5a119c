"""The servers that task engines need: Redis and PostgreSQL, as Debian has them, each in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

PATIENCE = 30
"""Seconds for a server to start."""


@pytest.fixture
def redis_url():
    """The address of a Redis that keeps nothing."""
    for module in ("celery", "redis", "django_tasks_fennel"):
        pytest.importorskip(module, reason=f"{module} is in the extra `engines`, which .ci/run installs")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("there is no redis-server on the PATH")
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as found:
        port = found.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            wait_for(lambda: answers(port))
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait()


def answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(100).startswith(b"+PONG")
    return False


@pytest.fixture
def postgresql():
    """A PostgreSQL of its own, whose order of texts is that of a language."""
    pytest.importorskip("psycopg", reason="psycopg is in the extra `engines`, which .ci/run installs")
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not programs:
        pytest.skip("there is no PostgreSQL in /usr/lib/postgresql")
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as folder:  # the path of a socket must not be long
        server = PostgreSQL(programs[-1], folder)
        if server.user:
            shutil.chown(folder, server.user)
        locale = ["--encoding=UTF8", "--locale-provider=icu", "--icu-locale=de-DE", "--locale=C"]
        server.run("initdb", "--auth=trust", "--username=athumb", *locale, "-D", f"{folder}/data")
        server.start()
        try:
            server.run("createdb", "-h", folder, "-U", "athumb", "athumb")
            yield server
        finally:
            server.stop()


class PostgreSQL:
    """The server and what Django has to know of it."""

    def __init__(self, programs, folder):
        self.programs, self.folder = programs, folder
        self.user = "nobody" if os.getuid() == 0 else None  # root may not start it
        self.database = {"ENGINE": "django.db.backends.postgresql", "NAME": "athumb", "USER": "athumb", "HOST": folder}

    def run(self, program, *arguments):
        command = [f"{self.programs}/{program}", *arguments]
        subprocess.run(command, user=self.user, cwd=self.folder, check=True, stdout=subprocess.DEVNULL)

    def start(self):
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off"
        self.run("pg_ctl", "-D", f"{self.folder}/data", "-w", "-l", f"{self.folder}/log", "-o", options, "start")

    def stop(self):
        """As if it had died."""
        self.run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "stop")


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
