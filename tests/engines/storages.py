"""A storage with a picture that is the end of whoever makes its thumbs, as one that takes all memory is."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

from athumb_storage.storages import S3ThumbnailStorage


class DeadlyStorage(S3ThumbnailStorage):
    def generate_thumbs(self, name: str, *arguments: Any, **options: Any) -> Any:
        if name.endswith("deadly.jpg"):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(json.loads(os.environ["ATHUMB_ENGINE"]).get("delay", 0))
        return super().generate_thumbs(name, *arguments, **options)
