"""`ThumbnailStorageMixin` gives thumbs to any other storage, whatever that can do."""

from __future__ import annotations

import io
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import InMemoryStorage, Storage
from django.utils.encoding import filepath_to_uri

from athumb_storage import AthumbError, UploadFailed
from athumb_storage.storages import ThumbnailStorageMixin
from tests.conftest import KEYS, THUMBS, image_in, stored, upload


class Shelf(Storage):
    """As little as Django asks of a storage: no listing, no times."""

    def __init__(self, prefix="shelf"):
        self.prefix = prefix
        self.files = {}
        self.types = {}

    def _open(self, name, mode="rb"):
        if name not in self.files:
            raise FileNotFoundError(name)
        return File(io.BytesIO(self.files[name]), name=name)

    def _save(self, name, content):
        content.seek(0)
        data = content.read()
        self.files[name] = data.encode() if isinstance(data, str) else data
        self.types[name] = getattr(content, "content_type", None)
        return name

    def exists(self, name):
        return name in self.files

    def delete(self, name):
        self.files.pop(name, None)

    def url(self, name):
        return f"http://{self.prefix}/{filepath_to_uri(name)}"


class ThumbShelf(ThumbnailStorageMixin, Shelf):
    pass


@pytest.fixture
def shelf():
    return ThumbShelf(thumbs=THUMBS)


def test_one_line_gives_thumbs_to_a_storage(shelf):
    assert shelf.save("cat.jpg", upload()) == "cat.jpg"
    assert sorted(shelf.files) == KEYS
    assert image_in(shelf, KEYS[3]).format == "WEBP"
    assert shelf.url_for_thumb("cat.jpg", "web") == f"http://shelf/{KEYS[3]}"
    assert shelf.url_for_thumb("cat.jpg", "web", force_ssl=True) == f"https://shelf/{KEYS[3]}"


def test_its_own_options_still_count():
    assert ThumbShelf("board", thumbs=THUMBS).url_for_thumb("cat.jpg", "small").startswith("http://board/")
    assert ThumbShelf(prefix="board").prefix == "board"


def test_it_is_told_the_content_types(shelf):
    content = ContentFile(upload().read())
    content.content_type = "text/html"
    shelf.save("cat.jpg", content)
    assert [shelf.types[key] for key in KEYS] == ["image/jpeg", "image/jpeg", "image/jpeg", "image/webp"]


def test_where_nothing_can_be_listed_the_known_thumbs_are_deleted(shelf):
    shelf.save("cat.jpg", upload())
    shelf.files["cat.jpg.thumbs/old.jpg"] = b""
    shelf.delete("cat.jpg")
    assert list(shelf.files) == ["cat.jpg.thumbs/old.jpg"]


def test_thumbs_are_generated_again_in_place(shelf):
    shelf.save("cat.jpg", upload())
    shelf.files[KEYS[1]] = b"broken"
    assert shelf.generate_thumbs("cat.jpg", only=["small"]) == {"small": KEYS[1]}
    assert image_in(shelf, KEYS[1]).size == (30, 20)
    with pytest.raises(FileNotFoundError):
        shelf.generate_thumbs("absent.jpg")


def test_a_storage_that_renames_a_thumb_is_told_of():
    class Renaming(Shelf):
        def _save(self, name, content):
            return super()._save(name.replace("/web.", "/net."), content)

    class ThumbRenaming(ThumbnailStorageMixin, Renaming):
        pass

    shelf = ThumbRenaming(thumbs=THUMBS)
    with pytest.raises(AthumbError, match=r"'cat\.jpg\.thumbs/web\.webp' as 'cat\.jpg\.thumbs/net\.webp'"):
        shelf.save("cat.jpg", upload())
    assert shelf.files == {}


def test_a_storage_that_renames_originals_has_their_thumbs_beside_them():
    class Hashing(Shelf):
        def _save(self, name, content):
            return super()._save(name if ".thumbs/" in name else f"hashed/{len(name)}.png", content)

    class ThumbHashing(ThumbnailStorageMixin, Hashing):
        pass

    shelf = ThumbHashing(thumbs={"small": {"size": (30, 30)}})
    assert shelf.save("cat.jpg", upload()) == "hashed/7.png"
    assert list(shelf.files) == ["hashed/7.png", "hashed/7.png.thumbs/small.png"]
    assert image_in(shelf, "hashed/7.png.thumbs/small.png").format == "PNG"


def test_a_storage_that_fails_is_named_and_left_as_it_was():
    class Full(ThumbShelf):
        def _write_thumb(self, *args, **options):
            if len(self.files) == 3:
                raise OSError("full")
            return super()._write_thumb(*args, **options)

    shelf = Full(thumbs=THUMBS)
    with pytest.raises(UploadFailed, match=r"'cat\.jpg'.*full"):
        shelf.save("cat.jpg", upload())
    assert shelf.files == {}


def test_all_is_stored_by_the_thread_that_saves():
    """Not every storage may be used by several threads."""
    import threading

    threads = set()

    class Watched(Shelf):
        def _save(self, name, content):
            threads.add(threading.get_ident())
            return super()._save(name, content)

    class ThumbWatched(ThumbnailStorageMixin, Watched):
        pass

    ThumbWatched(thumbs=THUMBS).save("cat.jpg", upload())
    assert threads == {threading.get_ident()}


def test_the_mixin_leaves_other_bases_alone():
    class Tagged(InMemoryStorage):
        def url(self, name):
            return super().url(name) + "?tag"

    class ThumbTagged(ThumbnailStorageMixin, Tagged):
        pass

    storage = ThumbTagged(thumbs=THUMBS, base_url="/m/")
    storage.save("cat.jpg", upload())
    assert stored(storage) == KEYS
    assert storage.url_for_thumb("cat.jpg", "small") == f"/m/{KEYS[1]}?tag"


def test_a_parameter_joins_those_that_are_there(settings):
    settings.MEDIA_CACHE_BUSTER = "7"

    class Tagged(ThumbShelf):
        def url(self, name, tag="x"):
            return f"{super().url(name)}?tag={tag}"

    shelf = Tagged(thumbs=THUMBS)
    assert shelf.url_for_thumb("cat.jpg", "small").endswith("?tag=x&cbust=7")
    assert shelf.url_for_thumb("cat.jpg", "small", tag="y").endswith("?tag=y&cbust=7")


class TestArgumentsThatDjangoTakes:
    """What Django's own storages do with odd arguments."""

    @pytest.fixture
    def storage(self, make_storage):
        return make_storage(thumbs={"small": {"size": (30, 30)}})

    @pytest.mark.parametrize("name", ["", "."])
    def test_the_root_is_there(self, storage, name):
        storage.save("cat.jpg", upload())
        assert storage.exists(name)

    def test_a_path_is_as_good_as_a_name(self, storage):
        path = PurePosixPath("photos/cat.jpg")
        name = storage.save(path, upload())
        assert name == "photos/cat.jpg"
        assert storage.thumb_key(path, "small") == storage.thumb_key(name, "small")
        url = storage.url_for_thumb(path, "small")
        assert urlsplit(url).path == urlsplit(storage.url_for_thumb(name, "small")).path
        assert storage.generate_thumbs(path) == {"small": "photos/cat.jpg.thumbs/small.jpg"}
        storage.delete_thumbs(path)
        assert stored(storage) == [name]
        storage.delete(path)
        assert stored(storage) == []
