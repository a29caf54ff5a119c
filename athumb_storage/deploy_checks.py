"""System checks for `--deploy`: whether S3 does what the storages rely on. They store a thumb, and remove it again."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from email.message import Message
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004, it is Django's
from django.utils.crypto import get_random_string

from athumb_storage.checks import BUCKET_WANTED, storages_on_s3
from athumb_storage.specs import Thumb, Variant

_SECONDS: Final = 10
"""How long a URL may take."""

_VARIANT: Final = Variant.of("check", Thumb(size=(1, 1)), "WEBP")
_CONTENT_TYPE: Final = "image/webp"
_DATA: Final = base64.b64decode("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")
"""A thumb of one pixel."""


@register("athumb_storage", deploy=True)
def check_storages_on_s3(**_: Any) -> Sequence[CheckMessage]:
    """Try out each storage on S3.

    E005: there is no bucket. W006: it cannot be written to, or nothing be removed from it; then no more is tried.
    W007: a thumb cannot be had by its URL. W008, W009: it can, with another content type or caching than it has.
    E004: conditional writes are on, and the server does not honour them. W001: they are off, and it does. W002: it
    could not be tried out.
    """
    return [message for storage in storages_on_s3() for message in _check_storage(storage)]


def _check_storage(storage: Any) -> Iterator[CheckMessage]:
    if not storage.bucket_name:
        yield Error(f"{type(storage).__name__} has no bucket.", hint=BUCKET_WANTED, id="athumb_storage.E005")
        return
    found = _check_thumb(storage)
    yield from found
    if all(message.id != "athumb_storage.W006" for message in found):
        yield from _check_conditions(storage)


def _check_thumb(storage: Any) -> list[CheckMessage]:
    """Store a thumb as uploads do, and look at its URL."""
    key = storage.options.naming.key(f"{get_random_string(22)}.webp", _VARIANT)
    immutable = storage.options.is_immutable(_VARIANT) and not storage._replaces
    unwritable, found = [], []
    try:
        storage._write_thumb(key, _DATA, _CONTENT_TYPE, replace=True, immutable=immutable)
        found = _check_url(storage, key, storage._thumb_parameters(storage._key_on_s3(key), _CONTENT_TYPE, immutable))
    except Exception as error:  # noqa: BLE001, whatever it is, it is reported
        unwritable = [_unwritable(f"Nothing can be stored in {_bucket(storage)}: {error}")]
    finally:  # the answer to a write may have been lost
        unremovable = _check_removal(storage, key)
    return unwritable or [*found, *unremovable]


def _check_removal(storage: Any, key: str) -> list[CheckMessage]:
    try:
        storage._remove([key])
    except Exception as error:  # noqa: BLE001, whatever it is, it is reported
        return [_unwritable(f"{key!r} was stored in {_bucket(storage)} and cannot be removed: {error}")]
    return []


def _unwritable(message: str) -> CheckMessage:
    hint = "Look at the storage's options for the server and its keys, and let them put and delete objects."
    return Warning(message, hint=hint, id="athumb_storage.W006")


def _check_url(storage: Any, key: str, parameters: dict[str, Any]) -> list[CheckMessage]:
    """Whether the URL of a stored thumb gives what was stored by these parameters."""
    url = ""
    try:
        url = storage._thumb_url(key, False, "", {})
        headers = _headers_of(url)
    except HTTPError as error:
        with error:
            return [_unreachable(url, f"the answer is {error.code}", error.code)]
    except Exception as error:  # noqa: BLE001, whatever it is, it is reported
        return [_unreachable(url, str(error))]
    return [*_check_content_type(url, headers, parameters), *_check_caching(url, headers, parameters)]


def _headers_of(url: str) -> Message:
    request = Request(url, headers={"User-Agent": "athumb_storage"})  # noqa: S310, it is the project's own
    with urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
        headers: Message = answer.headers
        return headers


def _unreachable(url: str, reason: str, status: int | None = None) -> CheckMessage:
    hint = "The storage's options custom_domain, url_protocol, endpoint_url and location have to lead to the bucket."
    if status == 403:
        hint = "The bucket or its policy does not allow reading: allow it there, or sign URLs by querystring_auth=True."
    message = f"A thumb cannot be had by its URL {_public(url)}: {_public(reason)}"
    return Warning(message, hint=hint, id="athumb_storage.W007")


def _check_content_type(url: str, headers: Message, parameters: dict[str, Any]) -> Iterator[CheckMessage]:
    stored, served = parameters["ContentType"], headers.get("Content-Type", "")
    if _essence(served) != _essence(stored):
        yield Warning(
            f"A thumb is stored as {stored}, and its URL {_public(url)} says {served or 'nothing'}.",
            hint="Let what answers at the storage's custom_domain pass on the Content-Type of S3.",
            id="athumb_storage.W008",
        )


def _check_caching(url: str, headers: Message, parameters: dict[str, Any]) -> Iterator[CheckMessage]:
    stored, served = parameters.get("CacheControl"), ", ".join(headers.get_all("Cache-Control", []))
    if stored and _directives(served) != _directives(stored):
        yield Warning(
            f"A thumb is stored with Cache-Control {stored}, and its URL {_public(url)} says {served or 'nothing'}.",
            hint="Let what answers at the storage's custom_domain pass on the Cache-Control of S3, or set CacheControl "
            "in the storage's object_parameters to what it says.",
            id="athumb_storage.W009",
        )


def _check_conditions(storage: Any) -> Iterator[CheckMessage]:
    """Whether the storage can claim names as it is told to."""
    if storage.unique_names or storage.file_overwrite:
        return
    try:
        honoured = storage.honours_conditional_writes()
    except Exception as error:  # noqa: BLE001, whatever it is, it is reported
        message = f"It could not be tried out whether {_bucket(storage)} can claim names: {error}"
        yield Warning(message, id="athumb_storage.W002")
        return
    if storage.claims_names and not honoured:
        yield Error(
            f"The server of {_bucket(storage)} does not honour conditional writes, so uploads could replace one "
            "another.",
            hint="Set the storage's option conditional_writes=False; then it asks before it stores.",
            id="athumb_storage.E004",
        )
    elif honoured and not storage.claims_names:
        yield Warning(
            f"The server of {_bucket(storage)} honours conditional writes, and the storage does not use them.",
            hint="Set the storage's option conditional_writes=True: uploads cannot replace one another then.",
            id="athumb_storage.W001",
        )


def _bucket(storage: Any) -> str:
    return f"bucket {storage.bucket_name!r}"


def _public(text: str) -> str:
    """A URL without its signature, or an error that may repeat one."""
    return text.partition("?")[0]


def _essence(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _directives(cache_control: str) -> set[str]:
    return {directive.strip().lower() for directive in cache_control.split(",")}
