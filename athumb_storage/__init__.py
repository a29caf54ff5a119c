"""A Django storage that makes every thumb when the original is uploaded."""

from athumb_storage.exceptions import (
    AmbiguousThumb,
    AthumbError,
    ImageLimitExceeded,
    InvalidThumb,
    OriginalSizeUnknown,
    RenderingError,
    UnknownThumb,
    UploadedImageIsUnreadableError,
    UploadFailed,
)
from athumb_storage.specs import Thumb, ThumbSet
from athumb_storage.version import __version__

__all__ = [
    "AmbiguousThumb",
    "AthumbError",
    "ImageLimitExceeded",
    "InvalidThumb",
    "OriginalSizeUnknown",
    "RenderingError",
    "Thumb",
    "ThumbSet",
    "UnknownThumb",
    "UploadFailed",
    "UploadedImageIsUnreadableError",
    "__version__",
]
