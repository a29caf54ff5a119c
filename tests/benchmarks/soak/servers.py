"""The web servers: the commands that start them, and what it takes to serve the test project's form."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from testproject.seaweedfs import SeaweedFS
from tests.benchmarks.soak import watch
from tests.benchmarks.soak.clients import HOST, csrf_token

ROOT = Path(__file__).resolve().parents[3]
PROJECT = ROOT / "testproject"
WORKERS = 2
THREADS = 8
"""Request threads of a gthread worker."""

START_TIMEOUT = 60
STOP_TIMEOUT = 30
"""Seconds."""

_GUNICORN = ("gunicorn", "--workers", str(WORKERS), "--no-control-socket", "--log-level", "warning", "--bind")
_GTHREAD = ("--worker-class", "gthread", "--threads", str(THREADS))


def _commands(port: int) -> dict[str, tuple[str, ...]]:
    gunicorn = (*_GUNICORN, f"{HOST}:{port}")
    uvicorn = ("uvicorn", "--workers", str(WORKERS), "--log-level", "warning", "--host", HOST, "--port", str(port))
    return {
        "gthread": (*gunicorn, *_GTHREAD, "config.wsgi:application"),
        "gthread-preload": (*gunicorn, *_GTHREAD, "--preload", "tests.benchmarks.soak.preloaded:application"),
        "gevent": (*gunicorn, "--worker-class", "gevent", "config.wsgi:application"),
        "uvicorn": (*uvicorn, "--lifespan", "off", "config.asgi:application"),
    }


NAMES = tuple(_commands(0))


def busy_threads(name: str, clients: int) -> int:
    """How many threads of one worker may be at work on requests at once, at most."""
    # Django runs each request of an ASGI server in a thread of its own, which ends with it.
    return clients if name == "uvicorn" else kept_threads(name)


def kept_threads(name: str) -> int:
    """How many threads a worker keeps for requests to come; under gevent all of it is one thread."""
    return THREADS if name.startswith("gthread") else 0


@dataclass(frozen=True)
class Site:
    """The test project, served: where its clients, its processes, its database and its log are found."""

    port: int
    pid: int
    database: Path
    log: Path


@contextlib.contextmanager
def serving(name: str, s3: SeaweedFS, bucket: str, folder: Path) -> Iterator[Site]:
    """The test project with a fresh database in `folder`, until the end of the block.

    Raises:
        RuntimeError: the server does not start or stop as it should.
    """
    environment = _environment(s3, bucket, folder)
    database = _migrated(environment, folder)
    log = folder / "server.log"
    port = _free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *_commands(port)[name]],
            cwd=PROJECT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    site = Site(port, process.pid, database, log)
    try:
        _wait_until_ready(process, site)
        yield site
        _stop(process)
    except BaseException:
        sys.stderr.write(log.read_text(errors="replace")[-3000:])
        raise
    finally:
        if process.poll() is None:  # something failed
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _environment(s3: SeaweedFS, bucket: str, folder: Path) -> dict[str, str]:
    return {
        # glibc then gives the memory of a decoded photo back at once, so that what is held at rest can be compared.
        "MALLOC_MMAP_THRESHOLD_": str(128 * 1024),
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(PROJECT), str(ROOT)]),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DEBUG": "0",
        "DEMO_VAR": str(folder),
        "DEMO_STORAGE": "s3",
        "AWS_STORAGE_BUCKET_NAME": bucket,
        "AWS_S3_ENDPOINT_URL": s3.endpoint_url,
        "AWS_S3_REGION_NAME": s3.region,
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
        "AWS_CONDITIONAL_WRITES": "1",
    }


def _migrated(environment: dict[str, str], folder: Path) -> Path:
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=PROJECT, env=environment, check=True)
    database = folder / "db.sqlite3"
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")  # kept in the file; readers no longer wait for writers
    return database


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[bytes], site: Site) -> None:
    """Until the form is served and all workers have come to rest."""
    deadline = time.monotonic() + START_TIMEOUT
    before: object = None
    while True:
        time.sleep(0.3)
        held = [(usage.pid, usage.memory, usage.threads, usage.files) for usage in watch.usages(process.pid)]
        if held == before and len(held) > WORKERS and _serves(site.port):
            return
        before = held
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("The web server does not start.")


def _serves(port: int) -> bool:
    try:
        return bool(csrf_token(port))
    except (OSError, http.client.HTTPException):
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"The web server does not stop within {STOP_TIMEOUT} s.") from error
