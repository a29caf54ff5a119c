"""Fills a bucket with many tiny objects: botocore takes ten times as long as the server."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import http.client
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from tests.benchmarks.context import Context

THREADS = 8
_SIGNED = "host;x-amz-content-sha256;x-amz-date"


def fill(context: Context, keys: Sequence[str]) -> None:
    """Store an object of one byte at each of these keys, which need no escaping; a thread does a part in order."""
    part = -(-len(keys) // THREADS)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda start: _put(context, keys[start : start + part]), range(0, len(keys), part)))


def _put(context: Context, keys: Sequence[str]) -> None:
    host = urlsplit(context.endpoint_url).netloc
    connection = http.client.HTTPConnection(host)
    for key in keys:
        path = f"/{context.bucket}/{key}"
        connection.request("PUT", path, b"x", _headers(context, host, path))
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status} for {key}")
    connection.close()


def _headers(context: Context, host: str, path: str) -> dict[str, str]:
    """A signature of version 4: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html"""
    time = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{time[:8]}/us-east-1/s3/aws4_request"
    headers = {"host": host, "x-amz-content-sha256": "UNSIGNED-PAYLOAD", "x-amz-date": time}
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = f"PUT\n{path}\n\n{lines}\n{_SIGNED}\nUNSIGNED-PAYLOAD"
    signed = f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{context.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, signed.encode(), "sha256").hexdigest()
    credential = f"Credential={context.access_key}/{scope}"
    return {**headers, "Authorization": f"AWS4-HMAC-SHA256 {credential},SignedHeaders={_SIGNED},Signature={signature}"}
