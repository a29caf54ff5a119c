"""The S3 client: one for a process and its settings, shared by all threads."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Hashable
from typing import Any, Final

from botocore import UNSIGNED
from botocore.config import Config

POOL_SIZE: Final = 16
"""How many requests of one process are under way at once, at most; and how many connections are kept open for them."""

_clients: dict[Hashable, Any] = {}
_lock = threading.Lock()


def _forget() -> None:
    # A connection that a parent and its forked child both write to would mix their requests.
    global _lock
    _clients.clear()
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget)


def with_defaults(
    config: Config, *, addressing_style: str | None, signature_version: str | None, custom: bool
) -> Config:
    """The client's settings: ours where the project has none.

    django-storages drops the addressing style and the signature version where `client_config` is given. Servers other
    than AWS (`custom`) often reject the checksums that boto3 adds since 1.36 without being asked to, and know only the
    signatures of version 4, where boto3 still signs URLs by version 2.
    """
    ours: dict[str, Any] = {
        "s3": {"addressing_style": addressing_style},
        "signature_version": signature_version,
        "max_pool_connections": POOL_SIZE,
    }
    if custom:
        ours["request_checksum_calculation"] = "when_required"
    config = Config(**ours).merge(config)
    if custom and config.signature_version is None:
        config = config.merge(Config(signature_version="s3v4"))
    return config


def shared_client(storage: Any, *, unsigned: bool = False) -> Any:
    """The client for the settings of this `S3Storage`. A client is thread-safe, only its making is not:
    https://boto3.amazonaws.com/v1/documentation/api/latest/guide/clients.html#multithreading-or-multiprocessing-with-clients
    """
    options = {
        "region_name": storage.region_name,
        "use_ssl": storage.use_ssl,
        "endpoint_url": storage.endpoint_url,
        "verify": storage.verify,
    }
    identity = (storage.access_key, storage.secret_key, storage.security_token, storage.session_profile)
    config = storage.client_config
    if unsigned:
        config = config.merge(Config(signature_version=UNSIGNED))
    wanted = tuple(sorted((name, repr(value)) for name, value in vars(config).items()))
    key = (identity, tuple(options.items()), wanted)
    with _lock:
        if key not in _clients:
            # botocore changes the settings that it is given, and they are a part of the key.
            client = storage._create_session().client("s3", config=copy.deepcopy(config), **options)
            client.meta.events.register("before-sign.s3.PutObject", _send_at_once)
            _clients[key] = client
        return _clients[key]


def _send_at_once(request: Any, **_: Any) -> None:
    """Not to ask whether a body in memory may be sent saves a round trip; for a file the question is worth it."""
    if isinstance(request.data, bytes) and "Expect" in request.headers:
        del request.headers["Expect"]
