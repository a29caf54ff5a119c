"""Previews, a column of thumbs and a picker of focal points in Django's admin: an app for INSTALLED_APPS."""

from athumb_storage.contrib.admin.columns import ThumbColumn

__all__ = ["ThumbColumn"]
