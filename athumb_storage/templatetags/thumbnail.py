"""The library `thumbnail`: the same tag as in `athumb`, under the name that old templates load.

sorl-thumbnail, easy-thumbnails and others have a library of this name as well. Django takes that of the app which comes
last in INSTALLED_APPS, so ours would break the templates of theirs. Where there is another, this module has no
`register`, and is no library to Django.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.apps import apps

from athumb_storage.templatetags import athumb


def __getattr__(name: str) -> Any:
    # Looked up each time: a test may install other apps.
    if name != "register":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for app in apps.get_app_configs():
        other = f"{app.name}.templatetags.thumbnail"
        if other != __name__ and _is_library(other):
            raise AttributeError(f"the library 'thumbnail' is that of {other}; ours is {athumb.__name__}")
    return athumb.register


def _is_library(path: str) -> bool:
    try:
        return hasattr(import_module(path), "register")
    except ImportError:  # not there; if it is there and broken, Django says so
        return False
