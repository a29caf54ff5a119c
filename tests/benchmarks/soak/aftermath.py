"""What a load leaves behind: each row of the database against what is in the bucket."""

from __future__ import annotations

import contextlib
import io
import posixpath
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from PIL import Image, ImageStat

from tests.benchmarks.soak.clients import Answer
from tests.benchmarks.soak.files import Colour, Size, Upload

THUMBS: Final[Mapping[str, Size]] = {"square": (120, 120), "small": (320, 320), "large": (1200, 1200)}
"""What the test project makes of each photo: thumb name -> largest size in pixels."""

_CROPPED: Final = "square"
_TOLERANCE: Final = 12
"""How many levels of 255 a lossy format may move the mean of a channel; two colours differ by more in one of them."""

_MARK: Final = ".thumbs/"
_READERS: Final = 8


class Row(NamedTuple):
    """A row of the database."""

    title: str
    name: str
    size: Size


@dataclass
class Aftermath:
    """What was found. `leftovers` are keys that belong to no row; `silent` those of them that the log does not name."""

    rows: int = 0
    incomplete: list[str] = field(default_factory=list)
    miscounted: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)


def examine(client: Any, bucket: str, database: Path, log: Path, stored: Iterable[Answer]) -> Aftermath:
    """Compare the rows with the answers that promised them, and the bucket with the rows."""
    rows = _rows(database)
    promised = {answer.title: answer.upload for answer in stored}
    keys = _keys(client, bucket)
    thumbs = _thumbs(keys)

    def faults(row: Row) -> list[str]:
        read = _Bucket(client, bucket)
        return [f"{row.name}: {fault}" for fault in _faults(read, row, promised.get(row.title), thumbs[row.name])]

    with ThreadPoolExecutor(_READERS) as pool:
        incomplete = [fault for found in pool.map(faults, rows) for fault in found]
    leftovers = sorted(keys - {row.name for row in rows} - {key for row in rows for key in thumbs[row.name].values()})
    reported = _left_behind(log)
    silent = [key for key in leftovers if key not in reported]
    return Aftermath(len(rows), incomplete, list(_miscounted(rows, promised)), leftovers, silent)


def _rows(database: Path) -> list[Row]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        found = connection.execute("SELECT title, image, width, height FROM gallery_photo").fetchall()
    return [Row(title, name, (width, height)) for title, name, width, height in found]


def _miscounted(rows: list[Row], promised: Mapping[str, Upload]) -> Iterator[str]:
    titles = Counter(row.title for row in rows)
    for title in promised.keys() - titles.keys():
        yield f"upload {title}: answered as stored, but there is no row"
    for title, number in titles.items():
        if title not in promised or number > 1:
            yield f"upload {title}: {number} rows, which were not promised"
    for name, number in Counter(row.name for row in rows).items():
        if number > 1:
            yield f"{name}: {number} rows name it"


def _keys(client: Any, bucket: str) -> set[str]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {entry["Key"] for page in pages for entry in page.get("Contents", ())}


def _thumbs(keys: Iterable[str]) -> defaultdict[str, dict[str, str]]:
    """Original -> thumb name -> key."""
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for key in keys:
        original, mark, file = key.rpartition(_MARK)
        if mark:
            found[original][posixpath.splitext(file)[0]] = key
    return found


def _left_behind(log: Path) -> set[str]:
    """The keys that the log names as left behind: what follows the last colon of such a line."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if "eft behind" in line]
    return {key for line in lines for key in line.rpartition(": ")[2].split(", ")}


class _Bucket:
    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def __getitem__(self, key: str) -> bytes:
        body: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return body


def _faults(bucket: _Bucket, row: Row, upload: Upload | None, thumbs: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with a row's original and thumbs."""
    if upload is None or upload.size is None or upload.colour is None:
        yield f"made of what should have been refused: {upload and upload.kind}"
        return
    try:
        if bucket[row.name] != upload.data:
            yield "the original is not what was uploaded"
        if row.size != upload.size:
            yield f"the row says {row.size}, it is {upload.size}"
        if thumbs.keys() != THUMBS.keys():
            yield f"has the thumbs {sorted(thumbs)}"
        for thumb_name, key in thumbs.items():
            yield from _thumb_faults(thumb_name, bucket[key], upload.size, upload.colour)
    except Exception as error:  # noqa: BLE001, whatever keeps it from being read is the fault
        yield f"cannot be read: {error}"


def _thumb_faults(thumb_name: str, data: bytes, original: Size, colour: Colour) -> Iterator[str]:
    with Image.open(io.BytesIO(data)) as image:
        size, middle = image.size, _middle(image)
    expected = _expected_size(thumb_name, original)
    if any(abs(is_ - should) > 1 for is_, should in zip(size, expected, strict=True)):
        yield f"{thumb_name} is {size}, not {expected}"
    if any(abs(is_ - should) > _TOLERANCE for is_, should in zip(middle, colour, strict=True)):
        yield f"{thumb_name} shows {middle}, not {colour}"


def _expected_size(thumb_name: str, original: Size) -> Size:
    box = THUMBS[thumb_name]
    if thumb_name == _CROPPED:
        return box
    scale = min(1, box[0] / original[0], box[1] / original[1])
    return round(original[0] * scale), round(original[1] * scale)


def _middle(image: Image.Image) -> Colour:
    """The mean colour of the middle third, which is even in every file that is uploaded."""
    width, height = image.size
    whole = image.convert("RGBA").convert("RGB")
    middle = whole.crop((width // 3, height // 3, width - width // 3, height - height // 3))
    red, green, blue = ImageStat.Stat(middle).mean
    return round(red), round(green), round(blue)
