"""The options of a storage on S3, for type checkers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from athumb_storage.storages.options import StorageOptionsDict


class S3OptionsDict(StorageOptionsDict, total=False):
    """The options of a storage on S3, as a project writes them: ours, and those of django-storages.

    A storage of your own passes them on: `def __init__(self, **options: Unpack[S3OptionsDict]) -> None`.
    """

    thumb_object_parameters: Mapping[str, Any]
    unique_names: bool
    conditional_writes: bool | None
    signed_url_window: int | None
    content_types: Literal["bytes", "name"]

    access_key: str | None
    secret_key: str | None
    security_token: str | None
    session_profile: str | None
    file_overwrite: bool
    object_parameters: Mapping[str, Any]
    bucket_name: str | None
    querystring_auth: bool
    querystring_expire: int
    signature_version: str | None
    location: str
    custom_domain: str | None
    cloudfront_key_id: str | None
    cloudfront_key: str | bytes | None
    cloudfront_signer: Any
    addressing_style: str | None
    file_name_charset: str
    gzip: bool
    gzip_content_types: Sequence[str]
    url_protocol: str
    endpoint_url: str | None
    proxies: Mapping[str, str] | None
    region_name: str | None
    use_ssl: bool
    verify: bool | str | None
    max_memory_size: int
    default_acl: str | None
    use_threads: bool
    transfer_config: Any
    client_config: Any
