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
    """The settings of a database on a server of its own, whose order of texts is that of a language."""
    pytest.importorskip("psycopg", reason="psycopg is in the extra `engines`, which .ci/run installs")
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not programs:
        pytest.skip("there is no PostgreSQL in /usr/lib/postgresql")
    user = "nobody" if os.getuid() == 0 else None  # root may not start it
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as folder:  # the path of a socket must not be long
        if user:
            shutil.chown(folder, user)

        def run(program, *arguments):
            subprocess.run(
                [programs[-1] / program, *arguments], user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL
            )

        data = f"{folder}/data"
        locale = ["--encoding=UTF8", "--locale-provider=icu", "--icu-locale=de-DE", "--locale=C"]
        run("initdb", "--auth=trust", "--username=athumb", *locale, "-D", data)
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        run("pg_ctl", "-D", data, "-w", "-l", f"{folder}/log", "-o", options, "start")
        try:
            run("createdb", "-h", folder, "-U", "athumb", "athumb")
            yield {"ENGINE": "django.db.backends.postgresql", "NAME": "athumb", "USER": "athumb", "HOST": folder}
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "stop")


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
