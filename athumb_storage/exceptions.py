"""Every error of this package; all derive from `AthumbError`."""

from __future__ import annotations

from collections.abc import Iterable


def shown(name: str | None) -> str:
    """A name as errors repeat it: a hostile one may be a megabyte long."""
    return repr(name if name is None or len(name) <= 300 else f"{name[:200]}…{name[-80:]}")


def _listed(names: Iterable[object]) -> str:
    return ", ".join(repr(name) for name in names) or "none"


class AthumbError(Exception):
    """The base of every error this package raises."""

    left_behind: tuple[str, ...] = ()
    """What a save that failed could not remove again: names and thumb keys. Normally there are none."""


class InvalidThumb(AthumbError, ValueError):
    """A thumb set, a `Thumb` or one of its options is wrong; the message names them."""


class UnknownThumb(AthumbError, LookupError):
    """No thumb of that name is configured, or not in that format or density; the message lists those that are."""

    @classmethod
    def among(cls, known: Iterable[str], thumb: object) -> UnknownThumb:
        """There is no such thumb among these."""
        return cls(f"Unknown thumb {thumb!r}. Known thumbs: {_listed(known)}.")

    @classmethod
    def variant(cls, thumb: object, word: str, wanted: object, known: Iterable[object]) -> UnknownThumb:
        """There is the thumb, and not what is wanted of it: `word` says whether that is a format or a density."""
        return cls(f"Thumb {thumb!r} has no {word} {wanted!r}; it has {_listed(known)}.")


class AmbiguousThumb(AthumbError, LookupError):
    """Several fields define a thumb of that name differently, so only a field's own storage can tell."""


class InvalidFocalPoint(AthumbError, ValueError):
    """A focal point is not two fractions of the picture; the message names it."""


class OriginalSizeUnknown(AthumbError):
    """A thumb's size follows from the original's, which is not at hand without reading the file."""


class UploadedImageIsUnreadableError(AthumbError, ValueError):
    """The upload is no image, or an image that cannot be decoded. Nothing of it was stored."""


class ImageLimitExceeded(UploadedImageIsUnreadableError):
    """The image has more pixels, frames or bytes than are allowed, or takes too long. Nothing of it was stored."""


class RenderingError(AthumbError):
    """A thumb could not be scaled or encoded."""


class AuditError(AthumbError):
    """What is stored could not be told from what is used, or may not be removed."""


class UploadFailed(AthumbError):
    """The original or one of its thumbs could not be stored; what this save had stored was removed again.

    Attributes:
        name: the original's name, as asked for.
    """

    def __init__(self, name: str, reason: object, left_behind: Iterable[str] = ()) -> None:
        self.name = name
        self.left_behind = tuple(left_behind)
        message = f"Could not store {shown(name)} with its thumbs: {reason}"
        if self.left_behind:
            message += f" (left behind: {', '.join(self.left_behind)})"
        super().__init__(message)
