"""django-athumb's names for settings, read where django-storages' own are not set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from storages.utils import setting

_REGION_IN_HOST: Final = re.compile(r"s3[.-](?P<region>[a-z0-9-]+)\.amazonaws\.com")

_PARAMETERS: Final = {
    "cache-control": "CacheControl",
    "content-disposition": "ContentDisposition",
    "content-encoding": "ContentEncoding",
    "content-language": "ContentLanguage",
    "content-type": "ContentType",
    "expires": "Expires",
    "x-amz-acl": "ACL",
    "x-amz-grant-full-control": "GrantFullControl",
    "x-amz-grant-read": "GrantRead",
    "x-amz-grant-read-acp": "GrantReadACP",
    "x-amz-grant-write-acp": "GrantWriteACP",
    "x-amz-server-side-encryption": "ServerSideEncryption",
    "x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
    "x-amz-storage-class": "StorageClass",
    "x-amz-tagging": "Tagging",
    "x-amz-website-redirect-location": "WebsiteRedirectLocation",
}


def legacy_settings() -> dict[str, Any]:
    """The options that `AWS_STORAGE_BUCKET_CNAME`, `AWS_REGION` and `AWS_HEADERS` stand for, as far as they are set."""
    options = {
        "custom_domain": setting("AWS_STORAGE_BUCKET_CNAME"),
        "region_name": _region(setting("AWS_REGION")),
        "object_parameters": _object_parameters(setting("AWS_HEADERS")),
    }
    return {name: value for name, value in options.items() if value}


def _region(region: str | None) -> str | None:
    """django-athumb took a region or the host of one."""
    match = _REGION_IN_HOST.fullmatch(region or "")
    if match:
        return match["region"]
    return None if region == "s3.amazonaws.com" else region


def _object_parameters(headers: Any) -> dict[str, Any]:
    if callable(headers):
        raise ImproperlyConfigured("AWS_HEADERS is a function: override the storage's get_object_parameters() instead.")
    if not isinstance(headers or {}, Mapping):
        raise ImproperlyConfigured("AWS_HEADERS is not a mapping of headers.")
    parameters: dict[str, Any] = {}
    for header, value in (headers or {}).items():
        name = header.lower()
        if name.startswith("x-amz-meta-"):
            parameters.setdefault("Metadata", {})[name.removeprefix("x-amz-meta-")] = value
        elif name in _PARAMETERS:
            parameters[_PARAMETERS[name]] = value
        else:
            raise ImproperlyConfigured(f"AWS_HEADERS: {header!r} has no counterpart in AWS_S3_OBJECT_PARAMETERS.")
    return parameters
