"""The test project's WSGI application, for a server that loads it and then forks: the storage is used before that.

So the parent has a client with open connections and pools with running threads, of which the children get none.
"""

from __future__ import annotations

import threading

from config.wsgi import application
from django.core.files.base import ContentFile
from gallery.models import Photo

from tests.benchmarks.soak.files import PHONE, draw_one

__all__ = ["application"]

_storage = Photo._meta.get_field("image").storage
_storage.delete(_storage.save("before-the-fork.jpg", ContentFile(draw_one(PHONE))))
assert {"athumb-s3", "athumb-render"} <= {thread.name.rpartition("_")[0] for thread in threading.enumerate()}
