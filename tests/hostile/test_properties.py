"""The same promise for whatever hypothesis comes up with, and for the pure functions that stand behind it."""

from __future__ import annotations

import io
import posixpath
import tempfile
import unicodedata
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, ImageSequence

from athumb_storage import UploadedImageIsUnreadableError
from athumb_storage.formats import HEAD_SIZE, MIME_TYPES, sniff
from athumb_storage.rendering import shown_size, stripped, verify_decodable
from athumb_storage.storages import FileSystemThumbnailStorage, InMemoryThumbnailStorage
from tests.conftest import draw
from tests.hostile.families import PLAIN, REFUSED, STORED
from tests.hostile.promise import THUMBS, is_bare, outcome
from tests.hostile.samples import samples

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

bounded = settings(
    max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)

MAGIC = (
    b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    b"\xff\xd8\xff\xdb\0\x43",
    b"\x89PNG\r\n\x1a\n",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\3\0\0\0\2\x08\2\0\0\0",
    b"GIF89a\3\0\2\0\x80\0\0",
    b"GIF87a",
    b"RIFF\xff\0\0\0WEBPVP8 ",
    b"RIFF\xff\0\0\0WEBPVP8X\x0a\0\0\0",
    b"RIFF\xff\0\0\0WEBPVP8L",
    b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf\0\0\0\xffmeta",
    b"\0\0\0\x18ftypheic\0\0\0\0heicmif1\0\0\0\xffmeta",
    b"BM\xff\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\3\0\0\0\2\0\0\0\1\0\x18\0",
    b"II*\0\x08\0\0\0",
    b"MM\0*\0\0\0\x08",
    b"<svg",
    b"%!PS",
)

anything = st.builds(bytes.__add__, st.sampled_from(MAGIC) | st.just(b""), st.binary(max_size=400))
names = st.sampled_from(["cat.jpg", "cat.PNG", "cat", "cat.gif", "cat.avif", "cat.tiff", "cat.heic", "cat.html"])
ALL = tuple(samples())
STRIPPABLE = [name for name, (image_format, _) in samples().items() if image_format in ("JPEG", "PNG", "GIF", "WEBP")]


@st.composite
def mutated(draw_, kinds=ALL):
    """A valid sample with a few things cut out, put in, flipped or taken from another sample."""
    data = samples()[draw_(st.sampled_from(kinds))][1]
    for _ in range(draw_(st.integers(1, 4))):
        start = draw_(st.integers(0, len(data)))
        end = min(len(data), start + draw_(st.sampled_from([0, 1, 2, 4, 16, 200])))
        data = data[:start] + draw_(_fillings(data[start:end])) + data[end:]
    return data


def _fillings(there):
    """What may come in place of some bytes."""
    other = samples()["jpeg" if there[:1] < b"\x80" else "png"][1]
    return st.one_of(
        st.just(b""),
        st.binary(max_size=8),
        st.sampled_from([bytes(len(there)), b"\xff" * len(there), there * 2, there[::-1]]),
        st.integers(0, len(other) - 40).map(lambda at: other[at : at + 40]),
        st.integers(0, 255).map(lambda mask: bytes(byte ^ mask for byte in there)),
    )


def kept(storage, name, data):
    """What became of an upload; a folder that a refused one left over is a broken promise, too."""
    result = outcome(storage, name, ContentFile(data))
    assert result != REFUSED or is_bare(storage)
    return result


@bounded
@given(name=names, data=anything | mutated())
def test_any_bytes_are_a_stored_set_or_a_clear_error(name, data):
    kept(InMemoryThumbnailStorage(thumbs=THUMBS), name, data)


@bounded
@given(name=names, data=anything | mutated())
def test_a_storage_for_images_stores_nothing_else_and_agrees_with_its_check(name, data):
    storage = InMemoryThumbnailStorage().with_thumbs(THUMBS, images_only=True)
    content = ContentFile(data)
    try:
        storage.check_image(content).close()
        assert content.tell() == 0
        expected = STORED
    except UploadedImageIsUnreadableError:
        expected = REFUSED
    assert not content.closed
    assert kept(storage, name, data) == expected


# Names

TRICKS = (
    "..",
    ".",
    "",
    "/",
    "\\",
    "\0",
    "\n",
    "\x7f",
    "\u202e",
    "\u2028",
    "\ud800",
    "C:",
    "CON",
    "~",
    "%2e%2e",
    "%00",
    "?x",
    "#",
)
pieces = st.one_of(
    st.sampled_from(
        [*TRICKS, "cat.jpg", "cat.jpg.", "cat.jpg ", ".jpg", "cat.jpg.thumbs", "cat.nothumbs.jpg", "small.jpg"]
    ),
    st.text(max_size=12),
    st.sampled_from(["a", "é", "\U0001f600", "a\u0301"]).flatmap(
        lambda letter: st.integers(1, 400).map(letter.__mul__)
    ),
)
hostile_names = st.builds(
    lambda parts, glue, end: glue.join(parts) + end,
    st.lists(pieces, min_size=1, max_size=4),
    st.sampled_from(["/", "", "\\"]),
    st.sampled_from(["", ".jpg", ".png", "/", "/..", ". ", "\0.jpg"]),
)
PHOTO = draw(size=(30, 20))


def assert_safe(name):
    assert not posixpath.isabs(name)
    assert ".." not in name.split("/")
    assert "\\" not in name
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in name)


@bounded
@given(name=hostile_names)
def test_any_name_is_a_safe_one_or_a_clear_error(name):
    storage = InMemoryThumbnailStorage(thumbs=THUMBS)
    if kept(storage, name, PHOTO) == STORED:
        for key in _files(storage):
            assert_safe(key)


def _files(storage, folder=""):
    folders, files = storage.listdir(folder)
    return [folder + file for file in files] + [key for sub in folders for key in _files(storage, f"{folder}{sub}/")]


@bounded
@given(name=hostile_names, data=st.sampled_from([PHOTO, b"no image", PHOTO[:99]]))
def test_any_name_stays_within_its_folder_on_disk(name, data):
    with tempfile.TemporaryDirectory() as around:
        folder = Path(around, "media")
        folder.mkdir()
        storage = FileSystemThumbnailStorage(location=folder, thumbs=THUMBS)
        result = outcome(storage, name, ContentFile(data))
        assert result != STORED or data == PHOTO
        assert result != PLAIN or data == b"no image"
        assert list(Path(around).iterdir()) == [folder]


# Pure functions


@bounded
@given(head=anything)
def test_sniff_knows_a_format_or_none(head):
    assert sniff(head) in {*MIME_TYPES, None}
    assert sniff(head) == sniff(head[:HEAD_SIZE])


@bounded
@given(data=anything | mutated(), image_format=st.sampled_from(list(MIME_TYPES)) | st.none())
def test_the_check_raises_clear_errors_alone_whatever_format_it_is_told(data, image_format):
    reader = io.BytesIO(data)
    try:
        with verify_decodable(reader, image_format or sniff(data) or "JPEG") as image:
            assert image.width > 0
            assert image.height > 0
        assert reader.tell() == 0
    except UploadedImageIsUnreadableError:
        pass
    assert not reader.closed


@bounded
@given(data=anything | mutated())
def test_the_shown_size_is_known_or_none(data):
    size = shown_size(io.BytesIO(data))
    assert size is None or min(size) > 0


def pictures(data):
    """What is seen of an image: each frame upright, with its profile and how long it is shown."""
    with Image.open(io.BytesIO(data)) as image:
        frames = ImageSequence.Iterator(image) if image.format in ("GIF", "PNG", "WEBP") else [image]
        return [
            (
                ImageOps.exif_transpose(frame.convert("RGBA")).tobytes(),
                frame.info.get("icc_profile"),
                frame.info.get("duration"),
            )
            for frame in frames
        ]


def stripped_twice(data):
    """The image without metadata, and that stripped once more."""
    image_format = sniff(data)
    once = b"".join(stripped(io.BytesIO(data), image_format))
    return once, b"".join(stripped(io.BytesIO(once), image_format))


@pytest.mark.parametrize("sample", STRIPPABLE)
def test_stripping_keeps_what_is_seen(sample):
    data = samples()[sample][1]
    once, twice = stripped_twice(data)
    assert pictures(once) == pictures(data)
    assert twice == once


@bounded
@given(data=mutated(tuple(STRIPPABLE)))
def test_stripping_a_damaged_image_keeps_what_is_seen_or_is_a_clear_error(data):
    try:
        verify_decodable(io.BytesIO(data), sniff(data) or "JPEG").close()
        once, twice = stripped_twice(data)
    except UploadedImageIsUnreadableError:
        return
    verify_decodable(io.BytesIO(once), sniff(data)).close()
    assert pictures_or_none(data) in (None, pictures_or_none(once))  # what was damaged may have been left out
    assert twice == once


def pictures_or_none(data):
    """The same, if Pillow can decode all of it; the check looks at the first frame alone."""
    try:
        return pictures(data)
    except (OSError, SyntaxError, ValueError, EOFError):
        return None


@bounded
@given(data=anything | mutated(), image_format=st.sampled_from(list(MIME_TYPES)))
def test_stripping_anything_raises_clear_errors_alone(data, image_format):
    reader = io.BytesIO(data)
    try:
        once = b"".join(stripped(reader, image_format))
    except UploadedImageIsUnreadableError:
        return
    assert len(once) <= len(data) + 100
    assert not reader.closed
