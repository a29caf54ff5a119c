"""Names that somebody else chose: each is refused with Django's own error, or made safe; nothing in between."""

from __future__ import annotations

import os
import unicodedata
from contextlib import suppress
from xml.parsers import expat
from xml.sax.saxutils import escape

import pytest
from django.core.exceptions import SuspiciousFileOperation, SuspiciousOperation
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import models
from django.test.utils import isolate_apps

from athumb_storage import UploadedImageIsUnreadableError
from athumb_storage.fields import FileWithThumbsField
from athumb_storage.storages import FileSystemThumbnailStorage, S3ThumbnailStorage
from athumb_storage.storages.filenames import safe_name
from tests.conftest import content_of, draw, some_slow, stored

THUMBS = {"small": {"size": (9, 9)}, "a_longer_name": {"size": (8, 8)}}
IMAGE = draw((20, 10))
TEXT = b"no image"
CONTENTS = pytest.mark.parametrize("data", [IMAGE, TEXT], ids=["image", "text"])


@pytest.fixture
def storage(make_storage):
    return make_storage(thumbs=THUMBS)


def complete(storage, name, data):
    """Everything that is stored once `data` is stored as `name`."""
    thumbs = ["a_longer_name", "small"] if data == IMAGE else []
    return sorted([name, *(storage.thumb_key(name, thumb) for thumb in thumbs)])


def is_safe(name):
    parts = name.split("/")
    return (
        "\\" not in name
        and not name.startswith("/")
        and not {"", ".", ".."} & set(parts)
        and not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in name)
        and not any(unicodedata.bidirectional(character) in BIDI_CONTROLS for character in name)
        and parts[-1] == parts[-1].rstrip(". ")
    )


BIDI_CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}

LEADING_OUT = [
    "../cat.jpg",
    "../../etc/passwd",
    "a/../../cat.jpg",
    "a/../b/../../cat.jpg",
    "a/..",
    "..",
    "/etc/passwd",
    "/cat.jpg",
    "//server/cat.jpg",
    "..\\cat.jpg",
    "a\\..\\..\\cat.jpg",
    "\\\\server\\share\\cat.jpg",
    "\\cat.jpg",
    "\u202e../cat.jpg",
    "a/\u202e../\u200e../cat.jpg",
    ".\u200f./cat.jpg",
]

CONTROLS = [
    "cat\x00.jpg",
    "\x00",
    "cat.jpg\x00.html",
    "a\x00/cat.jpg",
    "cat\n.jpg",
    "cat\r\nX-Header: yes.jpg",
    "cat\x1b[31m.jpg",
    "cat\x7f.jpg",
    "cat\x85.jpg",
    "cat\u2028.jpg",
    "cat\ufffe.jpg",
    "cat\uffff.jpg",
    "fol\uffffder/cat.jpg",
    "cat\u2029.jpg",
    "cat\ud800.jpg",
    "\udcff.jpg",
    "a\udfff/cat.jpg",
]

NOTHING_LEFT = [
    "",
    ".",
    "...",
    "....",
    " ",
    ". .",
    "a/...",
    "a/ ",
    "\u202e",
    "a/\u200f",
    "\u202e.\u202c",
    "a/",
    "/",
    "\\",
]


@CONTENTS
@pytest.mark.parametrize(
    "names", [LEADING_OUT, CONTROLS, NOTHING_LEFT], ids=["leading out", "controls", "nothing left"]
)
def test_what_is_no_file_name_is_refused_and_nothing_is_stored(storage, tmp_path, names, data):
    outside = sorted(tmp_path.parent.iterdir())
    for name in names:
        with pytest.raises(SuspiciousOperation):
            pytest.fail(f"{name!a} was stored as {storage.save(name, ContentFile(data))!a}")
    assert stored(storage) == []
    assert sorted(tmp_path.parent.iterdir()) == outside


MADE_SAFE = {
    "photo\u202egpj.exe": "photogpj.exe",
    "\u2066photo\u2069.jpg": "photo.jpg",
    "\u202a\u202b\u202c\u202d\u202e\u061c\u200e\u200f\u2067\u2068cat.jpg": "cat.jpg",
    "fo\u202eld/cat.jpg": "fold/cat.jpg",
    "cat.jpg.": "cat.jpg",
    "cat.jpg ": "cat.jpg",
    "cat.jpg. . .": "cat.jpg",
    "cat.jpg\u202e.": "cat.jpg",
    "...cat": "...cat",
    "..cat.jpg": "..cat.jpg",
    ".jpg": ".jpg",
    "C:\\x": "C:/x",
    "C:\\photos\\cat.jpg": "C:/photos/cat.jpg",
    "photos\\cat.jpg": "photos/cat.jpg",
    "CON": "CON",
    "nul.jpg": "nul.jpg",
    "COM1.png": "COM1.png",
    "cat?.jpg": "cat?.jpg",
    "%2e%2e%2fcat.jpg": "%2e%2e%2fcat.jpg",
    "~root": "~root",
    "-rf": "-rf",
    "קאט.jpg": "קאט.jpg",
    "👩\u200d👩\u200d👧.jpg": "👩\u200d👩\u200d👧.jpg",
    "dog.jpg.thumb/large.jpg": "dog.jpg.thumb/large.jpg",
}


@CONTENTS
def test_what_can_be_made_safe_is_stored_complete(storage, data):
    for name, safe in MADE_SAFE.items():
        kept = telling(safe, data)
        assert storage.save(name, ContentFile(data)) == kept
        assert stored(storage) == complete(storage, kept, data)
        assert content_of(storage, kept) == data
        storage.delete(kept)


def telling(safe, data):
    """The name as it tells whether it is an image."""
    if (data == IMAGE) == safe.endswith((".jpg", ".png")):
        return safe
    root, _, extension = safe.rpartition(".")
    marked = f"{root}.nothumbs.{extension}" if root else f"{safe}.nothumbs"
    return f"{safe}.jpg" if data == IMAGE else marked


THUMB_KEYS = [
    "cat.jpg.thumbs",
    "a/cat.jpg.thumbs. ",
    "cat.jpg.thumbs/large.jpg",
    "cat.jpg.thumbs/large.jpg.",
    "cat.jpg.thumbs\u202e/large.jpg",
    "cat.jpg.thu\u200embs/\u200flarge.jpg",
    "cat.jpg.thumbs\\large.jpg ",
    "a/cat.jpg.thumbs/b/../large.jpg",
    "cat.jpg.thumbs/\u202e./large.jpg",
]


@CONTENTS
def test_a_thumb_key_in_disguise_is_refused(storage, data):
    for name in THUMB_KEYS:
        with pytest.raises(SuspiciousFileOperation):
            pytest.fail(f"{name!a} was stored as {storage.save(name, ContentFile(data))!a}")
    assert stored(storage) == []


@pytest.mark.parametrize(
    "options",
    [{"unique_names": True}, {"conditional_writes": False}, {"file_overwrite": True}, {"location": "media/deep"}],
    ids=lambda options: next(iter(options)),
)
def test_tricks_are_refused_however_names_are_settled_on_s3(make_s3, requests_sent, options):
    storage = make_s3(thumbs=THUMBS, **options)
    for name in [*LEADING_OUT, *CONTROLS, *THUMB_KEYS]:
        with pytest.raises(SuspiciousOperation):
            storage.save(name, ContentFile(IMAGE))
    assert requests_sent == []


def test_a_safe_name_stays_as_it_is():
    for name, safe in MADE_SAFE.items():
        assert safe_name(name) == safe_name(safe) == safe
        assert is_safe(safe)


# As a browser sends them, through a field

HOSTILE = [
    *LEADING_OUT,
    *CONTROLS,
    *NOTHING_LEFT,
    *MADE_SAFE,
    *THUMB_KEYS,
    "a" * 300 + ".jpg",
    "猫" * 100 + ".jpg",
    "." * 300,
    "x." + "y" * 300,
    "\U0001f408" * 70 + ".jpg",
]


@pytest.fixture
def model():
    with isolate_apps("tests.shop"):

        class Hostile(models.Model):
            file = FileWithThumbsField(upload_to="up", max_length=60, thumbs={})

            class Meta:
                app_label = "shop"

        yield Hostile


@CONTENTS
def test_a_clients_file_name_through_a_field(model, storage, data):
    field = model._meta.get_field("file")
    field.storage = storage
    on_s3 = isinstance(storage, S3ThumbnailStorage)  # where each save takes a moment
    for name in HOSTILE[::4] if on_s3 else HOSTILE:
        thing = model()
        with suppress(SuspiciousOperation):
            thing.file.save(name, SimpleUploadedFile("x", data), save=False)
        if not thing.file:
            assert stored(storage) == []
            continue
        saved = thing.file.name
        assert saved.startswith("up/")
        assert is_safe(saved)
        assert len(saved) <= 60
        assert stored(storage) == complete(field.storage, saved, data)
        assert content_of(storage, saved) == data
        thing.file.delete(save=False)


# Length

S3_LIMIT = 1024


def name_of_length(length, *, character="a", root=40, extension=".jpg"):
    """A name of this many bytes: folders, then a file whose name has `root` bytes before its extension."""
    suffix = "b" * (root % len(character.encode())) + character * (root // len(character.encode())) + extension
    left = length - len(suffix.encode()) - 1
    folders = "folder/" * ((left - 1) // 7)  # at least one f is left: two slashes would be cleaned to one
    return f"{folders}{'f' * (left - len(folders))}/{suffix}"


@pytest.mark.parametrize("location", ["", "media/of mine"])
@pytest.mark.parametrize("character", ["a", "猫", "\U0001f408"])
def test_a_plain_key_of_as_many_bytes_as_s3_takes(make_s3, location, character):
    storage = make_s3(location=location)
    name = name_of_length(S3_LIMIT - len(f"{location}/".lstrip("/")), character=character)
    assert storage.save(name, ContentFile(TEXT)) == name
    assert stored(storage) == [name]


@pytest.mark.parametrize("naming", some_slow(["folder", "athumb"], always=["athumb"]))
@pytest.mark.parametrize("options", [{}, {"unique_names": True}], ids=["claimed", "unique"])
def test_a_plain_file_needs_no_room_for_thumbs_on_s3(make_s3, naming, options):
    storage = make_s3(thumbs=THUMBS, naming=naming, **options)
    token = 8 if options else 0
    name = storage.save(name_of_length(S3_LIMIT - token, extension=".txt"), ContentFile(TEXT))
    assert len(name) == S3_LIMIT
    assert stored(storage) == [name]
    assert storage.generate_thumbs(name) == {}
    storage.delete_thumbs(name)
    assert stored(storage) == [name]
    storage.delete(name)
    assert stored(storage) == []


def test_where_names_are_unique_nothing_is_sent_of_an_image_without_room(make_s3, requests_sent):
    storage = make_s3(thumbs=THUMBS, unique_names=True)
    with pytest.raises(SuspiciousFileOperation, match="a_longer_name"):
        storage.save(name_of_length(S3_LIMIT - LONGEST_THUMB - 7), ContentFile(IMAGE))
    assert requests_sent == []


@pytest.mark.parametrize("location", ["", "media/of mine"])
@CONTENTS
def test_a_key_longer_than_s3_takes_is_refused(make_s3, requests_sent, location, data):
    storage = make_s3(location=location, thumbs=THUMBS)
    longest = S3_LIMIT - len(f"{location}/".lstrip("/"))
    if data == IMAGE:
        longest -= LONGEST_THUMB
    for length in (longest + 1, longest + 500, 5000):
        for character in "a猫":
            with pytest.raises(SuspiciousFileOperation, match=f"{S3_LIMIT}"):
                storage.save(name_of_length(length, character=character), ContentFile(data))
    assert requests_sent == []


LONGEST_THUMB = len(".thumbs/a_longer_name.jpg")


@pytest.mark.parametrize("location", ["", "media"])
def test_the_longest_key_of_a_thumb_counts(make_s3, requests_sent, location):
    storage = make_s3(location=location, thumbs=THUMBS)
    name = name_of_length(S3_LIMIT - LONGEST_THUMB - len(f"{location}/".lstrip("/")))
    assert storage.save(name, ContentFile(IMAGE)) == name
    assert stored(storage) == complete(storage, name, IMAGE)
    requests_sent.clear()
    with pytest.raises(SuspiciousFileOperation, match="a_longer_name"):
        storage.save(f"x{name}", ContentFile(IMAGE))
    assert requests_sent == []


@CONTENTS
@pytest.mark.parametrize(
    "options", [{}, {"conditional_writes": False}, {"unique_names": True}], ids=["claimed", "asked", "unique"]
)
def test_a_long_name_that_is_taken(make_s3, options, data):
    """Another name is longer, and for the longest there is no room."""
    storage = make_s3(thumbs=THUMBS, **options)
    name = name_of_length(S3_LIMIT - LONGEST_THUMB)
    make_s3().save(name, ContentFile(TEXT))
    with suppress(SuspiciousFileOperation):
        other = storage.save(name, ContentFile(data))
        assert set(stored(storage)) == {name, *complete(storage, other, data)}
        return
    assert stored(storage) == [name]


@CONTENTS
@pytest.mark.parametrize("size", [14, 40])
def test_max_length_counts_characters(storage, size, data):
    name = "猫" * 80 + (".jpg" if data == IMAGE else ".txt")
    names = {storage.save(name, ContentFile(data), max_length=size) for _ in range(2)}
    assert {len(name) for name in names} == {size}
    assert set(stored(storage)) == {key for name in names for key in complete(storage, name, data)}


@CONTENTS
def test_a_max_length_that_leaves_nothing(storage, data):
    with pytest.raises(SuspiciousFileOperation):
        storage.save("猫" * 80 + ".jpg", ContentFile(data), max_length=4)
    assert stored(storage) == []


FILE_LIMIT = 255
"""Bytes of a file's name on nearly all file systems."""


@pytest.fixture
def files(tmp_path):
    assert os.pathconf(tmp_path, "PC_NAME_MAX") == FILE_LIMIT
    return FileSystemThumbnailStorage(location=tmp_path, thumbs=THUMBS)


@pytest.mark.parametrize("character", ["a", "猫"])
@pytest.mark.parametrize("naming", ["folder", "athumb"])
@pytest.mark.parametrize("file_name", [".txt", ".jpg"])
def test_a_plain_file_needs_no_room_for_thumbs_on_the_file_system(tmp_path, character, naming, file_name):
    files = FileSystemThumbnailStorage(location=tmp_path, thumbs=THUMBS, naming=naming)
    name = name_of_length(FILE_LIMIT + 4, character=character, root=FILE_LIMIT - 4).rpartition("/")[2][:-4] + file_name
    assert len(name.encode()) == FILE_LIMIT
    kept = name.removesuffix(".jpg")  # it is none, and there is no room for a mark
    assert files.save(f"photos/{name}", ContentFile(TEXT)) == f"photos/{kept}"
    name = kept
    assert stored(files) == [f"photos/{name}"]
    assert files.generate_thumbs(f"photos/{name}") == {}
    files.delete_thumbs(f"photos/{name}")
    assert stored(files) == [f"photos/{name}"]
    files.delete(f"photos/{name}")
    assert stored(files) == []


@pytest.mark.parametrize("character", ["a", "猫"])
@pytest.mark.parametrize(
    ("data", "length"),
    [(data, length) for data in (IMAGE, TEXT) for length in (FILE_LIMIT + 1, 300, 5000)]
    + [(IMAGE, FILE_LIMIT - 6), (IMAGE, FILE_LIMIT)],
)
def test_a_file_name_that_has_no_room_on_the_file_system(files, length, character, data):
    name = name_of_length(length + 4, character=character, root=length - 4).rpartition("/")[2]
    assert len(name.encode()) == length
    with pytest.raises(SuspiciousFileOperation, match=f"{FILE_LIMIT}"):
        files.save(f"photos/{name}", ContentFile(data))
    assert stored(files) == []


@CONTENTS
@pytest.mark.parametrize("character", ["a", "猫"])
def test_the_longest_file_name_on_the_file_system(files, character, data):
    length = FILE_LIMIT - len(".thumbs")
    name = "photos/" + name_of_length(length, character=character, root=length - 4).rpartition("/")[2]
    kept = name if data == IMAGE else name.removesuffix(".jpg")  # it is none, and there is no room for a mark
    assert files.save(name, ContentFile(data)) == kept
    assert stored(files) == complete(files, kept, data)
    if data == TEXT:
        files.save(name, ContentFile(IMAGE))
    before = stored(files)
    # Another name is longer, and leaves the thumbs of an image no room.
    with pytest.raises(SuspiciousFileOperation, match=f"{FILE_LIMIT}"):
        files.save(name, ContentFile(IMAGE))
    assert stored(files) == before


def test_a_plain_file_name_may_be_as_long_as_the_file_system_has_it(tmp_path):
    storage = FileSystemThumbnailStorage(location=tmp_path)
    assert len(storage.save("a" * FILE_LIMIT, ContentFile(TEXT))) == FILE_LIMIT
    with pytest.raises(SuspiciousFileOperation, match=f"{FILE_LIMIT}"):
        storage.save("a" * (FILE_LIMIT + 1), ContentFile(TEXT))


@CONTENTS
def test_a_path_that_is_too_long_for_the_file_system(files, data):
    with pytest.raises(SuspiciousFileOperation, match="4095"):
        files.save("folder/" * 700 + "cat.jpg", ContentFile(data))
    assert stored(files) == []


def test_a_project_may_make_names_valid_itself(make_s3):
    class Shouting(S3ThumbnailStorage):
        def get_valid_name(self, name):
            return super().get_valid_name(name).upper()

    storage = make_s3(Shouting, thumbs=THUMBS)
    assert storage.generate_filename("a/cat\u202e.jpg") == "a/CAT.JPG"


def test_every_name_that_is_stored_fits_into_xml():
    """Else S3 could neither list it nor delete it with others."""
    refused = []
    for character in map(chr, [*range(0x20000), *range(0x2FFF0, 0x30010)]):
        try:
            name = safe_name(f"a{character}b.jpg")
        except SuspiciousFileOperation:
            refused.append(character)
            continue
        parser = expat.ParserCreate()
        parser.Parse(f"<Key>{escape(name)}</Key>".encode(), True)
    assert "\uffff" in refused
    assert len(refused) < 2200  # half pairs, controls, and few besides


@pytest.mark.parametrize("name", ["\x01" * 10**6, "." * 10**6, "a" * 10**6 + ".jpg.thumbs/x.jpg"], ids=["1", ".", "a"])
def test_an_error_does_not_repeat_a_name_that_is_very_long(storage, name):
    with pytest.raises(SuspiciousOperation) as caught:
        storage.save(name, ContentFile(IMAGE))
    assert len(str(caught.value)) < 2000


def test_a_failed_upload_does_not_either(make_in_memory):
    storage = make_in_memory(thumbs=THUMBS)
    with pytest.raises(UploadedImageIsUnreadableError) as caught:
        storage.save("a" * 10**6 + ".jpg", ContentFile(IMAGE[:50]))
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize("mode", ["wb", "w", "r+b", "ab", "xb"])
def test_nothing_is_written_to_a_thumb_by_open(storage, mode):
    for name in THUMB_KEYS:
        with pytest.raises(SuspiciousFileOperation, match="cannot be stored"):
            storage.open(name, mode)
    assert stored(storage) == []


def test_a_thumb_can_be_read_by_open(storage):
    name = storage.save("cat.jpg", ContentFile(IMAGE))
    with storage.open(storage.thumb_key(name, "small")) as file:
        assert file.read(2) == b"\xff\xd8"
