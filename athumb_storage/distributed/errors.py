"""The error of this room."""

from __future__ import annotations

from athumb_storage.exceptions import AthumbError


class RunError(AthumbError):
    """A run cannot be started or go on: there is no task engine, no such run, or it is for other thumbs."""
