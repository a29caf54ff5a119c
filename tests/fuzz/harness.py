"""What atheris runs, in a process of its own: the arguments are libFuzzer's, the last one a folder for the corpus."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris
from django.conf import settings

MAX_PIXELS = 1_000_000
"""Few enough that a large image which is allowed does not take the time of a thousand small ones."""


def targets() -> Callable[[bytes], None]:
    """What is done with each input. All that is imported here, and nothing before, is instrumented."""
    refused = importlib.import_module("athumb_storage").UploadedImageIsUnreadableError
    storages = importlib.import_module("athumb_storage.storages")
    rendering = importlib.import_module("athumb_storage.rendering")
    formats = importlib.import_module("athumb_storage.formats")
    promise = importlib.import_module("tests.hostile.promise")
    content_file = importlib.import_module("django.core.files.base").ContentFile
    limits = rendering.Limits(max_pixels=MAX_PIXELS)

    def check(data: bytes, image_format: str) -> None:
        rendering.verify_decodable(io.BytesIO(data), image_format, limits).close()

    def strip(data: bytes, image_format: str) -> None:
        for _ in rendering.stripped(io.BytesIO(data), image_format):
            pass

    def run(data: bytes) -> None:
        storage = storages.InMemoryThumbnailStorage(thumbs=promise.THUMBS | promise.MOVING, max_pixels=MAX_PIXELS)
        promise.outcome(storage, "cat.jpg", content_file(data))
        for target in (check, strip):
            with suppress(refused):
                target(data, formats.sniff(data[: formats.HEAD_SIZE]) or "JPEG")

    return run


def fill(corpus: Path) -> None:
    """Write the valid samples there, for the fuzzer to begin with."""
    samples = importlib.import_module("tests.hostile.samples").samples()
    for name, (_, data) in samples.items():
        (corpus / name).write_bytes(data)


def main(arguments: list[str]) -> None:
    settings.configure()
    sys.path.append(str(Path(__file__).resolve().parents[2] / "testproject"))  # for what the tests' helpers import
    with atheris.instrument_imports(include=["athumb_storage", "PIL"]):
        run = targets()
    if Path(arguments[-1]).is_dir():
        fill(Path(arguments[-1]))
    atheris.Setup(arguments, run)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
