"""Large files go up in parts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from s3transfer.utils import ChunksizeAdjuster, ReadFileChunk

from athumb_storage.storages.claims import status_of
from athumb_storage.storages.source import Source
from athumb_storage.storages.upload import settle

logger = logging.getLogger("athumb_storage")


@dataclass(frozen=True)
class Target:
    """Where a file goes: a boto3 client, a bucket, a key, and the parameters of S3's PutObject for it."""

    client: Any
    bucket: str
    key: str
    parameters: dict[str, Any]

    def call(self, operation: str, **arguments: Any) -> Any:
        """One request, with those parameters that this operation knows."""
        method = self.client.meta.method_to_api_mapping[operation]
        known = self.client.meta.service_model.operation_model(method).input_shape.members
        parameters = {name: value for name, value in self.parameters.items() if name in known}
        return getattr(self.client, operation)(Bucket=self.bucket, Key=self.key, **{**parameters, **arguments})


def put_in_parts(target: Target, source: Source, part_size: int, submit: Callable[..., Future[Any]]) -> None:
    """Store `source`, its parts in parallel.

    Args:
        target: where it goes.
        source: what is to be stored.
        part_size: how many bytes a part has, as far as S3's limits for parts allow.
        submit: begins a request and gives its future.
    """
    upload = {"UploadId": target.call("create_multipart_upload")["UploadId"]}
    size = source.size
    part_size = ChunksizeAdjuster().adjust_chunksize(part_size, size)
    jobs = [
        submit(_put_part, target, source, upload, number, offset, min(part_size, size - offset))
        for number, offset in enumerate(range(0, size, part_size), start=1)
    ]
    try:
        parts = [job.result() for job in jobs]
        target.call("complete_multipart_upload", **upload, MultipartUpload={"Parts": parts})
    except BaseException:
        settle(jobs)
        _abort(target, upload)
        raise


def _abort(target: Target, upload: dict[str, str]) -> None:
    try:
        target.call("abort_multipart_upload", **upload)
    except Exception as error:
        # It is gone if it was completed after all and only the answer to that was lost.
        if not isinstance(error, ClientError) or status_of(error) != 404:
            logger.exception("Parts of %r may be left behind: upload %s", target.key, upload["UploadId"])


def _put_part(
    target: Target, source: Source, upload: dict[str, str], number: int, offset: int, size: int
) -> dict[str, Any]:
    with source.open() as reader:
        reader.seek(offset)
        body = ReadFileChunk(reader, size, source.size)
        answer = target.call("upload_part", **upload, PartNumber=number, Body=body)
    # A checksum that the project asked for has to be told again when the parts are put together.
    told = {name: value for name, value in answer.items() if name == "ETag" or name.startswith("Checksum")}
    return {"PartNumber": number, **told}
