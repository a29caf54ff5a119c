"""The library `thumbnail`: the same tag as in `athumb`, under the name that old templates load."""

from athumb_storage.templatetags.athumb import register

__all__ = ["register"]
