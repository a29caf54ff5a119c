"""Every family of hostile files through every door."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import partial

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.forms import modelform_factory
from PIL import Image, ImageFile

from athumb_storage import UploadedImageIsUnreadableError
from athumb_storage.formats import content_type_of, sniff
from athumb_storage.rendering import opening, readable_formats
from athumb_storage.storages import FileSystemThumbnailStorage, InMemoryThumbnailStorage
from tests.conftest import content_of, some_slow, stored
from tests.hostile.families import BROKEN, PLAIN, REFUSED, STORED, families, intact
from tests.hostile.promise import MOVING, THUMBS, is_bare, outcome, pillow_settings
from tests.shop.models import Product

# In production nobody makes errors of Pillow's warnings; what comes through then is what counts.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

FAMILIES = {"intact": intact, **families()}
MORE = {"more": {"size": (8, 8), "upscale": False}}


@pytest.fixture(autouse=True)
def _settings_of_pillow():
    before = pillow_settings()
    yield
    assert pillow_settings() == before


@pytest.fixture(autouse=True)
def _temporary_files(settings, tmp_path):
    folder = tmp_path / "temporary"
    folder.mkdir()
    settings.FILE_UPLOAD_TEMP_DIR = str(folder)
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 1000  # so that streams are copied to disk, too
    yield
    assert list(folder.iterdir()) == []


class OneWay(io.BytesIO):
    """A stream that cannot go back."""

    def seekable(self):
        return False


def in_memory(data, name):
    return ContentFile(data, name)


def on_disk(data, name):
    content = TemporaryUploadedFile(name, "image/jpeg", len(data), None)
    content.write(data)
    content.flush()
    return content


def streamed(data, name):
    return File(OneWay(data), name)


@dataclass(frozen=True)
class Door:
    """Who is handed the files, and as what."""

    content: object
    options: dict | None = None

    def storage(self, make_storage=InMemoryThumbnailStorage, **options):
        storage = make_storage(thumbs=THUMBS, **options)
        return storage if self.options is None else storage.with_thumbs(MORE, **self.options)

    def allows(self, expected):
        return expected - {PLAIN} if self.options == {"images_only": True} else expected


DOORS = {
    "storage": Door(streamed),
    "field": Door(on_disk, {}),
    "image field": Door(in_memory, {"images_only": True}),
}


def ended(storage, case, content):
    """What became of a case, or what broke the promise."""
    try:
        result = outcome(storage, case.file_name, content)
    except Exception as error:  # noqa: BLE001, whatever it is, it is a broken promise
        return repr(error)
    return result


def accepted(storage, content):
    """Whether the storage's check lets this content through, or what it raised that it may not."""
    try:
        with storage.check_image(content) as image:
            assert content.tell() == 0
            assert not content.closed
            return isinstance(image, Image.Image)
    except UploadedImageIsUnreadableError:
        return False
    except Exception as error:  # noqa: BLE001, as there
        return repr(error)


def surprises(cases, door, make_storage=InMemoryThumbnailStorage):
    """The cases that did not end as they have to, with how they ended."""
    found = {}
    for case in cases:
        storage = door.storage(make_storage)
        with door.content(case.data, case.file_name) as content:
            checked = accepted(storage, content) if door is DOORS["image field"] else None
            result = ended(storage, case, content)
        if checked not in (None, result == STORED):
            result = f"{result}, although the check said {checked}"
        if result == REFUSED and not is_bare(storage):
            result = "left a folder over"
        if result not in door.allows(case.expected):
            found[case.label] = result
    return found


def through_every_door():
    """Each family with each door; one door for every other family is quick enough for every run."""
    for number, family in enumerate(FAMILIES):
        for turn, door in enumerate(DOORS):
            marks = () if number % (2 * len(DOORS)) == turn else (pytest.mark.slow,)
            yield pytest.param(family, door, marks=marks, id=f"{family}-{door}")


@pytest.mark.parametrize(("family", "door"), list(through_every_door()))
def test_a_hostile_file_is_a_stored_set_or_a_clear_error(family, door):
    assert surprises(FAMILIES[family](), DOORS[door]) == {}


def moves(family):
    return " " not in family or "apng" in family or "animated" in family


@pytest.mark.parametrize(
    "family", some_slow(filter(moves, FAMILIES), always=[family for family in FAMILIES if "gif" in family.lower()])
)
def test_a_hostile_animation_moves_or_stands_still_or_is_a_clear_error(family):
    found = {}
    for case in FAMILIES[family]():
        result = ended(InMemoryThumbnailStorage(thumbs=MOVING), case, ContentFile(case.data))
        if result not in case.expected | BROKEN:
            found[case.label] = result
    assert found == {}


WHOLE = [family for family in FAMILIES if " " not in family]


@pytest.mark.parametrize(
    "family", some_slow([family for family in FAMILIES if not family.startswith("truncated")], always=WHOLE[:3])
)
def test_thumbs_of_a_hostile_file_in_the_storage_are_all_there_or_none(family):
    found = {}
    for case in FAMILIES[family]():
        plain = InMemoryThumbnailStorage(thumbs={})
        name = plain.save(case.file_name, ContentFile(case.data))
        try:
            keys = plain.with_thumbs(THUMBS).generate_thumbs(name)
        except UploadedImageIsUnreadableError:
            keys = {}
        except Exception as error:  # noqa: BLE001, as above
            found[case.label] = repr(error)
            continue
        if stored(plain) != sorted([name, *keys.values()]):
            found[case.label] = stored(plain)
    assert found == {}


def few(family, door):
    """Some of its cases, others for each door, which stand for all where each takes its time."""
    cases = list(FAMILIES[family]())
    return cases[list(DOORS).index(door) :: max(3, len(cases) // 3)]


def some(door):
    """One case of each family, another for each door; damage to one sample goes through one door alone."""
    turn = list(DOORS).index(door)
    for number, family in enumerate(FAMILIES):
        if " " not in family or number % len(DOORS) == turn:
            cases = list(FAMILIES[family]())
            yield cases[(len(cases) - 1) * turn // 2]


@pytest.mark.parametrize("door", some_slow(DOORS, always=["field"]))
def test_a_hostile_file_is_a_stored_set_or_a_clear_error_on_disk(door, tmp_path):
    found = {}
    for family in FAMILIES:
        for number, case in enumerate(few(family, door)):
            folder = tmp_path / family / str(number)
            folder.mkdir(parents=True)
            make_storage = partial(FileSystemThumbnailStorage, location=folder)
            found |= {(family, label): end for label, end in surprises([case], DOORS[door], make_storage).items()}
    assert found == {}


@pytest.mark.parametrize("door", some_slow(DOORS, always=["image field"]))
def test_a_hostile_file_on_s3_is_not_served_as_what_it_is_not(door, make_s3):
    storage = DOORS[door].storage(make_s3)
    for case in some(door):
        with DOORS[door].content(case.data, case.file_name) as content:
            assert ended(storage, case, content) in DOORS[door].allows(case.expected), case.label
        for name in (names := stored(storage)):
            assert_served_safely(storage, name)
        for name in names:
            storage.delete(name)


def assert_served_safely(storage, name):
    """As what its bytes are, or else to be saved and not shown: SeaweedFS takes the type from the name otherwise."""
    served = storage.bucket.Object(name).get()
    known = content_type_of(served["Body"].read(32))
    if known:
        assert served["ContentType"] == known
    else:
        assert served["ContentDisposition"] == "attachment"


@pytest.mark.django_db
def test_a_form_gives_an_error_of_its_own_and_saves_what_it_calls_valid():
    form_class = modelform_factory(Product, fields=["image"])
    found, valid = {}, set()
    for family in FAMILIES:
        for case in few(family, "image field"):
            form = form_class({}, {"image": SimpleUploadedFile(case.file_name, case.data, "image/jpeg")})
            before = stored(default_storage)
            try:
                if form.is_valid():
                    name = form.save().image.name
                    assert content_of(default_storage, name) == case.data
                    default_storage.delete(name)
                    valid.add(family)
                else:
                    assert list(form.errors) == ["image"]
            except Exception as error:  # noqa: BLE001, as above
                found[family, case.label] = repr(error)
            assert stored(default_storage) == before
    assert found == {}
    assert {"intact", "narrow"} <= valid
    assert valid.isdisjoint({"tiny", "foreign", "huge_dimensions"})


# Formats that are not on the list


@pytest.fixture
def opened(monkeypatch):
    """The formats whose plugin was handed a file, each with the settings of Pillow at that moment."""
    Image.init()
    found = []

    def watched(image_format, factory):
        def open_(*args):
            found.append((image_format, pillow_settings()))
            return factory(*args)

        return open_

    monkeypatch.setattr(opening, "open_heic", watched("HEIC", opening.open_heic))
    for image_format, (factory, accept) in Image.OPEN.copy().items():
        monkeypatch.setitem(Image.OPEN, image_format, (watched(image_format, factory), accept))
    return found


def saved(storage, case):
    """Whether a case was stored; nothing is looked at, because that opens images, too."""
    try:
        storage.save(case.file_name, ContentFile(case.data))
    except UploadedImageIsUnreadableError:
        return False
    return True


@pytest.mark.parametrize("family", ["foreign", "wrong_extension", "polyglots", "tiny", "huge_dimensions", "intact"])
def test_only_formats_on_the_list_are_ever_opened(family, opened):
    before = pillow_settings()
    for case in FAMILIES[family]():
        saved(DOORS["storage"].storage(), case)
    assert {image_format for image_format, _ in opened} <= readable_formats()
    assert all(during == before for _, during in opened)


def test_every_format_on_the_list_is_opened(opened):
    for case in intact():
        saved(DOORS["storage"].storage(), case)
    assert {image_format for image_format, _ in opened} == readable_formats()


@pytest.mark.parametrize("allowed", sorted(readable_formats()))
def test_a_shorter_list_counts(allowed, opened):
    make_storage = partial(InMemoryThumbnailStorage, allowed_formats=[allowed])
    accepted = set()
    for case in FAMILIES["wrong_extension"]():
        if saved(DOORS["image field"].storage(make_storage), case):
            accepted.add(sniff(case.data[:32]))
    assert {image_format for image_format, _ in opened} == accepted == {allowed}


def test_nothing_is_decoded_in_truncated_mode(monkeypatch):
    """Pillow can be told, for a whole process, to make do with half a file."""
    seen = set()
    load = ImageFile.ImageFile.load

    def watched(image):
        seen.add(ImageFile.LOAD_TRUNCATED_IMAGES)
        return load(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", watched)
    surprises(FAMILIES["truncated jpeg"](), DOORS["storage"])
    surprises(FAMILIES["intact"](), DOORS["storage"])
    assert seen == {False}
