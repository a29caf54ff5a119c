"""The S3 client and its threads: one for the settings of a storage, shared by all threads of the process."""

from __future__ import annotations

import base64
import copy
import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Hashable
from functools import cache, cached_property
from http.client import HTTPException
from typing import Any, Final, cast
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary, WeakValueDictionary

from botocore.config import Config
from botocore.exceptions import HTTPClientError
from botocore.loaders import create_loader
from storages.backends.s3 import S3Storage
from urllib3.exceptions import HTTPError

from athumb_storage.concurrency import SharedPool
from athumb_storage.storages.s3.pages import parse_page

POOL_SIZE: Final = 16
"""How many requests of one client are under way at once, at most; and how many connections are kept open for them."""

MOST_IDLE: Final = 4
"""How many clients are kept that no storage uses any more: a project may build a storage for each request."""

_ENVIRONMENT: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_CONFIG_FILE")
"""What decides where a client goes, if the storage does not say."""

_TELL_ETAG: Final = frozenset({"PutObject", "UploadPart", "CompleteMultipartUpload", "HeadObject", "GetObject"})
"""The operations whose answer has an ETag, if it is S3's."""

_ROOTS: Final = {
    "DeleteObjects": b"DeleteResult",
    "ListObjects": b"ListBucketResult",
    "ListObjectsV2": b"ListBucketResult",
}
"""The element that the answer is, if it is S3's."""


class UnexpectedAnswer(HTTPClientError):  # type: ignore[misc]  # botocore has no types
    """An answer of success that is not S3's, such as the page of a proxy: nobody knows what was done."""

    fmt = "The answer to {operation} was {status}, but not one of S3"


class Connection:
    """A client with its threads, so that one slow server does not stop the work for another.

    Args:
        storage: an `S3Storage`, whose session and options are used.
        config: the client's settings.
    """

    def __init__(self, storage: Any, config: Config) -> None:
        self._buckets: dict[str, Any] = {}
        self._session = storage._create_session()
        self._options = _client_options(storage)
        self.threads = SharedPool(POOL_SIZE, "athumb-s3")
        self.plain_threads = SharedPool(POOL_SIZE, "athumb-s3-plain")
        # Environment and profile name endpoints as well; only a client tells.
        endpoint = storage.endpoint_url or self._made(config).meta.endpoint_url
        self.is_aws = _is_aws(endpoint)
        """Whether it is Amazon's own S3."""
        self.client = self._made(config if self.is_aws else _for_other_servers(config))
        events = self.client.meta.events
        events.register("before-sign.s3.PutObject", _send_at_once)
        # By this name it comes before a handler of botocore that parses every page once to see whether it is an error.
        events.register("before-parse.*.ListObjectsV2", parse_page)
        events.register("after-call.s3", _disbelieve)
        events.register_first("needs-retry.s3", _let_through)
        if not self.is_aws:
            events.register("before-call.s3.DeleteObjects", _check_by_md5)

    def _made(self, config: Config) -> Any:
        # botocore changes the settings that it is given, and they are a part of the key.
        return self._session.client("s3", config=copy.deepcopy(config), **self._options)

    @cached_property
    def resource(self) -> Any:
        """boto3's resource on this client."""
        made = self._session.resource("s3", config=self.client.meta.config, **self._options)
        return type(made)(client=self.client)

    def bucket(self, name: str) -> Any:
        """boto3's bucket of this name: making one takes as long as signing a URL."""
        try:
            return self._buckets[name]
        except KeyError:
            return self._buckets.setdefault(name, self.resource.Bucket(name))


_alive: WeakValueDictionary[Hashable, Connection] = WeakValueDictionary()
_recent: OrderedDict[Hashable, Connection] = OrderedDict()
_sessions: WeakKeyDictionary[Any, object] = WeakKeyDictionary()
"""Something that stands for the session of each storage that makes its own."""
_lock = threading.Lock()


def _forget() -> None:
    # A connection that a parent and its forked child both write to would mix their requests.
    global _lock
    _alive.clear()
    _recent.clear()
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget)


def with_defaults(config: Config, *, addressing_style: str | None, signature_version: str | None) -> Config:
    """The client's settings: ours where the project has none.

    django-storages drops the addressing style and the signature version where `client_config` is given.
    """
    ours: dict[str, Any] = {
        "s3": {"addressing_style": addressing_style},
        "signature_version": signature_version,
        "max_pool_connections": POOL_SIZE,
    }
    return Config(**ours).merge(config)


def _for_other_servers(config: Config) -> Config:
    """Servers that are not Amazon's often reject the checksums that boto3 adds since 1.36 without being asked to, and
    know only the signatures of version 4, where boto3 still signs URLs by version 2.
    """
    config = Config(request_checksum_calculation="when_required").merge(config)
    return config if config.signature_version else config.merge(Config(signature_version="s3v4"))


def connection_of(storage: Any, *, signature_version: Any = None) -> Connection:
    """What storages with these settings share. A client is thread-safe, only its making is not:
    https://boto3.amazonaws.com/v1/documentation/api/latest/guide/clients.html#multithreading-or-multiprocessing-with-clients

    It lives as long as a storage that uses it, and a while longer.

    Args:
        storage: an `S3Storage`.
        signature_version: another one than the storage's own.
    """
    settings = (_lock, storage.client_config, _session_key(storage), *_client_options(storage).values())
    kept = vars(storage).get("_kept_connections", {})
    if signature_version in kept and kept[signature_version][0] == settings:
        return cast(Connection, kept[signature_version][1])
    connection = _shared_connection(storage, signature_version)
    vars(storage)["_kept_connections"] = {**kept, signature_version: (settings, connection)}  # a copy has the other one
    return connection


def _shared_connection(storage: Any, signature_version: Any) -> Connection:
    config = storage.client_config
    if signature_version:
        config = config.merge(Config(signature_version=signature_version))
    wanted = tuple(sorted((name, repr(value)) for name, value in vars(config).items()))
    key = (*_session_key(storage), tuple(_client_options(storage).items()), wanted)
    with _lock:
        connection = _alive.get(key)
        if connection is None:
            connection = _alive[key] = Connection(storage, config)
        _recent[key] = connection
        _recent.move_to_end(key)
        if len(_recent) > MOST_IDLE:
            _recent.popitem(last=False)
    return connection


def _client_options(storage: Any) -> dict[str, Any]:
    return {
        "region_name": storage.region_name,
        "use_ssl": storage.use_ssl,
        "endpoint_url": storage.endpoint_url,
        "verify": storage.verify,
    }


def _session_key(storage: Any) -> tuple[Hashable, ...]:
    """What the session is made of."""
    if type(storage)._create_session is not S3Storage._create_session:
        return (_sessions.setdefault(storage.unbound, object()),)  # only the project knows, so nobody else has it
    environment = tuple(map(os.environ.get, _ENVIRONMENT))
    return storage.access_key, storage.secret_key, storage.security_token, storage.session_profile, environment


@cache
def _aws_domains() -> tuple[str, ...]:
    partitions = create_loader().load_data("partitions")["partitions"]
    names = {partition["outputs"][name] for partition in partitions for name in ("dnsSuffix", "dualStackDnsSuffix")}
    return tuple(f".{name}" for name in names)


def _is_aws(url: str) -> bool:
    return (urlsplit(url).hostname or "").endswith(_aws_domains())


def _send_at_once(request: Any, **_: Any) -> None:
    """Not to ask whether a body in memory may be sent saves a round trip; for a file the question is worth it."""
    if isinstance(request.data, bytes) and "Expect" in request.headers:
        del request.headers["Expect"]


def _check_by_md5(params: dict[str, Any], **_: Any) -> None:
    """S3 wants DeleteObjects with a checksum. botocore sends a CRC32, which many servers do not know:
    https://github.com/s3fs-fuse/s3fs-fuse/issues/2639
    """
    digest = hashlib.md5(params["body"], usedforsecurity=False).digest()
    params["headers"]["Content-MD5"] = base64.b64encode(digest).decode()
    params["headers"].pop("x-amz-sdk-checksum-algorithm", None)
    params["context"].pop("checksum", None)


def _let_through(caught_exception: Any, **_: Any) -> None:
    """botocore takes what it does not know for a request that failed, and may try again: also what a signal handler
    raised meanwhile.

    Raises:
        Exception: it.
    """
    if type(caught_exception) is HTTPClientError:
        cause = caught_exception.kwargs.get("error")
        if isinstance(cause, Exception) and not isinstance(cause, OSError | HTTPError | HTTPException | ValueError):
            raise cause


def _disbelieve(http_response: Any, parsed: dict[str, Any], model: Any, **_: Any) -> None:
    """
    Raises:
        UnexpectedAnswer: it is said to be done, in words that are not S3's.
    """
    if http_response.status_code >= 300:
        return
    if model.name in _ROOTS:
        believed = _ROOTS[model.name] in http_response.content[:1000]
    elif model.name == "DeleteObject":
        believed = http_response.status_code == 204
    else:
        believed = bool(parsed.get("ETag")) or model.name not in _TELL_ETAG
    if not believed:
        raise UnexpectedAnswer(operation=model.name, status=http_response.status_code)
