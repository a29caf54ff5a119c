"""What every storage with thumbs does: on the file system, in memory, on a real S3 server, and on a shelf."""

from __future__ import annotations

import pytest

from athumb_storage.contrib.testing import StorageContract
from tests.unit.storages.test_mixin import ThumbShelf


class TestFileSystem(StorageContract):
    @pytest.fixture
    def make_storage(self, make_on_disk):
        return make_on_disk


class TestMemory(StorageContract):
    @pytest.fixture
    def make_storage(self, make_in_memory):
        return make_in_memory


class TestS3(StorageContract):
    options_with_an_outside = {"location": "media"}

    @pytest.fixture
    def make_storage(self, make_s3):
        return make_s3


@pytest.mark.slow
class TestS3OnMoto(TestS3):
    @pytest.fixture
    def make_storage(self, request, make_on_moto):
        if request.node.name.endswith(("[a b+c&d=e.jpg]", "[%41.jpg]")):
            pytest.skip("moto's listings encode + and % so that botocore reads other names")
        return make_on_moto


class TestShelf(StorageContract):
    """A storage of somebody else, which can do as little as Django asks for."""

    options_with_an_outside = None

    @pytest.fixture
    def make_storage(self):
        files = {}

        def make(**options):
            storage = ThumbShelf(**options)
            storage.files = files
            return storage

        return make

    def stored(self, storage):
        return sorted(storage.files)
