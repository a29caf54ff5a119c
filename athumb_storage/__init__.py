"""A Django storage that makes every thumb when the original is uploaded."""

from athumb_storage.exceptions import (
    AmbiguousThumb,
    AthumbError,
    ImageLimitExceeded,
    InvalidFocalPoint,
    InvalidThumb,
    OriginalSizeUnknown,
    RenderingError,
    UnknownThumb,
    UploadedImageIsUnreadableError,
    UploadFailed,
)
from athumb_storage.geometry import CropAmount
from athumb_storage.specs import Thumb, ThumbOptions
from athumb_storage.thumbsets import Responsive, Thumbs, ThumbSet
from athumb_storage.version import __version__

__all__ = [
    "AmbiguousThumb",
    "AthumbError",
    "CropAmount",
    "ImageLimitExceeded",
    "InvalidFocalPoint",
    "InvalidThumb",
    "OriginalSizeUnknown",
    "RenderingError",
    "Responsive",
    "Thumb",
    "ThumbOptions",
    "ThumbSet",
    "Thumbs",
    "UnknownThumb",
    "UploadFailed",
    "UploadedImageIsUnreadableError",
    "__version__",
]
