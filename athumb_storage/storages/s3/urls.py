"""The URLs of thumbs on S3 as string work: whatever does not depend on the name is prepared once."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, urlsplit

from botocore import UNSIGNED
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import NoCredentialsError
from botocore.utils import percent_encode
from django.utils.encoding import filepath_to_uri
from storages.backends.s3 import S3Storage

from athumb_storage.storages.s3.client import connection_of

MOST_SECONDS: Final = 604_800
"""How long a URL signed for S3 may last:
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html#query-string-auth-v4-signing-example
"""

REMEMBERED: Final = 10_000
"""How many signed URLs are remembered within their window; a page shows far fewer."""

# A name that needs neither quoting nor cleaning: no part of its path is empty or begins with a dot.
_is_plain: Final = re.compile(r"[\w~-][\w.~-]*(?:/[\w~-][\w.~-]*)*", re.ASCII).fullmatch


class Storage(Protocol):
    """What is asked of an `S3Storage`, which has no types."""

    bucket_name: str
    custom_domain: str | None
    url_protocol: str
    querystring_expire: int
    signed_url_window: int | None
    cloudfront_signer: Any

    def _key_on_s3(self, name: str) -> str: ...
    def _signs_urls(self) -> bool: ...
    def _create_session(self) -> Any: ...


class Urls(Protocol):
    """Makes the URL of a storage name."""

    def url(self, name: str) -> str: ...


def prepared_urls(storage: Storage) -> Urls | None:
    """What makes this storage's URLs fastest; None if only its own `url()` can."""
    if getattr(type(storage), "url", None) is not S3Storage.url:  # a project's own, which has its reasons
        return None
    unsigned = UnsignedUrls(storage)
    if not storage._signs_urls():
        return unsigned
    if storage.signed_url_window is None:
        return None
    sign = _cloudfront_signing(storage) if storage.custom_domain else _s3_signing(storage)
    return sign and WindowedUrls(unsigned, sign, storage.signed_url_window)


class UnsignedUrls:
    """URLs without a signature."""

    def __init__(self, storage: Storage) -> None:
        self._key = storage._key_on_s3
        start = self._key("x")[:-1]  # which says so where there is no bucket
        self._quote: Callable[[str], str]
        if storage.custom_domain:
            self._root = f"{storage.url_protocol}//{storage.custom_domain}/"
            self._quote = filepath_to_uri
        else:
            self._root = _bucket_url(storage)
            self._quote = _percent_encoded
        self._start = self._root + self._quote(start)

    def url(self, name: str) -> str:
        if _is_plain(name):
            return self._start + name
        return self._start + self._quote(name) if _is_clean(name) else self._root + self._quote(self._key(name))

    def urls(self, names: Sequence[str]) -> list[str]:
        """Those of several, in less time."""
        start = self._start
        return [start + name for name in names] if _is_plain("/".join(names)) else [self.url(name) for name in names]


class WindowedUrls:
    """Signed URLs that stay the same for `window` seconds, so that browsers and CDNs can cache what they lead to.

    The signature is made for the moment the window began, so all processes come to the same URL.
    """

    def __init__(self, unsigned: UnsignedUrls, sign: Callable[[str, int, int], str], window: int) -> None:
        self._window = window
        self._signed = lru_cache(REMEMBERED)(
            lambda name, began: sign(unsigned.url(name), began, window),
        )

    def url(self, name: str) -> str:
        now = int(time.time())
        return self._signed(name, now - now % self._window)


def _is_clean(name: str) -> bool:
    """Whether the storage would leave the name as it is: no part of its path is empty or begins with a dot."""
    return name[0] not in "./" and name[-1] != "/" and "//" not in name and "/." not in name and "\\" not in name


def _bucket_url(storage: Storage) -> str:
    url = connection_of(storage, signature_version=UNSIGNED).client.generate_presigned_url(
        "get_object", Params={"Bucket": storage.bucket_name, "Key": "x"}
    )
    return str(url).removesuffix("x")


def _percent_encoded(key: str) -> str:
    return str(percent_encode(key, safe="/~"))  # as botocore encodes keys


class _SignatureFrom(S3SigV4QueryAuth):  # type: ignore[misc]  # botocore has no types
    """botocore's query signature, dated to a given moment instead of now."""

    def __init__(self, began: int, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._began = datetime.fromtimestamp(began, UTC)

    def _modify_request_before_signing(self, request: AWSRequest) -> None:
        request.context["timestamp"] = self._began.strftime("%Y%m%dT%H%M%SZ")
        super()._modify_request_before_signing(request)


def _s3_signing(storage: Storage) -> Callable[[str, int, int], str] | None:
    session = storage._create_session()
    # The bucket may be an access point, of another region and service; botocore knows.
    signed = connection_of(storage, signature_version="s3v4").client.generate_presigned_url(
        "get_object", Params={"Bucket": storage.bucket_name, "Key": "x"}
    )
    query = parse_qs(urlsplit(signed).query)
    if query["X-Amz-Algorithm"] != ["AWS4-HMAC-SHA256"]:  # an access point of many regions
        return None
    *_, region, service, _ = query["X-Amz-Credential"][0].split("/")

    def sign(url: str, began: int, window: int) -> str:
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        # A URL that is handed out at the end of its window still lasts as long as it should.
        expires = storage.querystring_expire + window
        request = AWSRequest("GET", url)
        _SignatureFrom(began, credentials.get_frozen_credentials(), service, region, expires=expires).add_auth(request)
        return str(request.url)

    return sign


def _cloudfront_signing(storage: Storage) -> Callable[[str, int, int], str]:
    def sign(url: str, began: int, window: int) -> str:
        expires = datetime.fromtimestamp(began + window + storage.querystring_expire, UTC)
        return str(storage.cloudfront_signer.generate_presigned_url(url, date_less_than=expires))

    return sign
