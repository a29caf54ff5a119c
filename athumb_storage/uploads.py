"""What a field and its storage tell each other of one upload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from athumb_storage.geometry import Point


@dataclass
class UploadInfo:
    """It travels on the content, from a form to the field and from there to the storage and back."""

    width: int | None = None
    """In pixels, of the image as it is shown; filled by the storage that saves it, and None if it is no image."""
    height: int | None = None
    format: str | None = None
    """The image's, such as "JPEG"; filled by the storage that saves it."""
    focal: Point | None = None
    """What a focal crop has in its middle, as fractions of width and height; set by the field."""
    placeholder: str | None = None
    """The ThumbHash of the image, in base64; filled by the storage that saves it, if the field wants that."""
    wants_placeholder: bool = False
    """Whether the field has somewhere to keep it; set by the field."""
    checked_by: object = None
    """The model field whose validator has found that it could be saved."""

    def opened(self, size: tuple[int, int]) -> None:
        """Fill in the size."""
        self.width, self.height = size

    def hashed(self, placeholder: str) -> None:
        """Fill in the placeholder."""
        self.placeholder = placeholder


def upload_info(content: Any) -> UploadInfo:
    """The info of this content; a new one, if it has none yet."""
    try:
        info: UploadInfo = content.upload_info
    except AttributeError:
        info = content.upload_info = UploadInfo()
    return info
