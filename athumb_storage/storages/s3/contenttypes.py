"""What a plain file is said to be when it is served: a page of a stranger must not run on the project's own site."""

from __future__ import annotations

from typing import Any, Final

from django.core.files.base import File
from django.core.files.uploadedfile import UploadedFile

from athumb_storage.formats import content_type_of

DOWNLOAD: Final = {"ContentType": "application/octet-stream", "ContentDisposition": "attachment"}
"""How a file is stored whose bytes do not tell what it is: a browser saves it and does not show it."""

CONTENT_TYPES: Final = ("bytes", "name")
"""The ways to tell content types: by the bytes of a file, or by its name and the client's word."""


def known_type(content: File[Any], head: bytes) -> str | None:
    """The content type of a file that begins with `head`: the project's word, or what the bytes tell, or None.

    An uploaded file's own `content_type` is what the client says of it, which proves nothing.
    """
    told = None if isinstance(content, UploadedFile) else getattr(content, "content_type", None)
    return told or content_type_of(head)
