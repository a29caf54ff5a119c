"""An upload's bytes, whatever they came as."""

import gc
import io
import tempfile
import threading
from pathlib import Path

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.uploadedfile import InMemoryUploadedFile, SimpleUploadedFile, TemporaryUploadedFile
from django.test import override_settings

from athumb_storage import ImageLimitExceeded, UploadFailed
from athumb_storage.formats import HEAD_SIZE
from athumb_storage.rendering import Limits
from athumb_storage.storages.source import Source
from tests.conftest import THUMBS, content_of, stored

DATA = bytes(range(256)) * 40


class Pipe(io.RawIOBase):
    """A stream that cannot go back and gives a few bytes at a time."""

    def __init__(self, data):
        self._rest = data

    def readable(self):
        return True

    def readinto(self, buffer):
        part = self._rest[: min(len(buffer), 1000)]
        self._rest = self._rest[len(part) :]
        buffer[: len(part)] = part
        return len(part)


class Turned(File):
    """A wrapper that decrypts: what it reads is not what the file holds."""

    def read(self, size=-1):
        return bytes(255 - byte for byte in self.file.read(size))


class OwnBuffer(io.BytesIO):
    """A buffer of a class of its own, which may do anything."""

    def read(self, size=-1):
        return super().read(size).upper()


def on_disk(folder):
    path = folder / "upload.jpg"
    path.write_bytes(DATA)
    return path


def temporary_upload(folder):
    upload = TemporaryUploadedFile("upload.jpg", "image/jpeg", len(DATA), None)
    upload.write(DATA)
    upload.seek(0)
    return upload


def opened_for_writing(folder):
    file = File((folder / "both.jpg").open("w+b"), name="both.jpg")
    file.write(DATA)
    return file


def text_stream(folder):
    return File(io.StringIO("größe " * 1000), name="text.txt")


KINDS = {
    "content file": lambda folder: ContentFile(DATA, name="a.jpg"),
    "uploaded in memory": lambda folder: SimpleUploadedFile("a.jpg", DATA),
    "uploaded in a form": lambda folder: InMemoryUploadedFile(io.BytesIO(DATA), "f", "a.jpg", None, len(DATA), None),
    "bytes": lambda folder: File(io.BytesIO(DATA), name="a.jpg"),
    "a file of a file": lambda folder: File(File(io.BytesIO(DATA), name="a.jpg")),
    "temporary file": temporary_upload,
    "file on disk": lambda folder: File(on_disk(folder).open("rb")),
    "unbuffered file": lambda folder: File(on_disk(folder).open("rb", buffering=0), name="a.jpg"),
    "file just written": opened_for_writing,
    "nameless temporary file": lambda folder: File(_filled(tempfile.TemporaryFile, folder), name="a.jpg"),
    "named temporary file": lambda folder: File(_filled(tempfile.NamedTemporaryFile, folder), name="a.jpg"),
    "spooled temporary file": lambda folder: File(_filled(tempfile.SpooledTemporaryFile, folder), name="a.jpg"),
    "stream": lambda folder: File(Pipe(DATA), name="a.jpg"),
    "buffered stream": lambda folder: File(io.BufferedReader(Pipe(DATA)), name="a.jpg"),
    "wrapper that decrypts": lambda folder: Turned(io.BytesIO(bytes(255 - byte for byte in DATA)), name="a.jpg"),
}


def _filled(make, folder):
    file = make(dir=folder)
    file.write(DATA)
    file.flush()
    return file


@pytest.fixture(params=KINDS)
def content(request, tmp_path):
    content = KINDS[request.param](tmp_path)
    yield content
    content.close()


@pytest.fixture(params=[100, 10_000_000], ids=["small limit", "large limit"])
def limit(request):
    with override_settings(FILE_UPLOAD_MAX_MEMORY_SIZE=request.param):
        yield request.param


def everything(source):
    with source.open() as reader:
        return reader.read()


def test_every_reader_begins_at_the_beginning(content, limit):
    with Source(content) as source:
        assert everything(source) == DATA
        assert everything(source) == DATA
        assert source.head() == DATA[:HEAD_SIZE]
        assert source.size == len(DATA)


def test_the_content_stays_open_and_can_be_read_by_another_storage(content, limit):
    with Source(content) as source:
        everything(source)
        assert not source.content.closed
        assert source.content.read() == DATA
        assert source.content.name == content.name
    assert not content.closed


def test_two_readers_are_independent(content, limit):
    with Source(content) as source, source.open() as one, source.open() as other:
        assert one.read(1000) == DATA[:1000]
        assert other.read(10) == DATA[:10]
        one.seek(0)
        assert other.read(10) == DATA[10:20]
        assert one.read() == DATA


def test_many_threads_read_at_once(content, limit):
    seen = []
    with Source(content) as source:
        readers = [threading.Thread(target=lambda: seen.append(everything(source))) for _ in range(4)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(10)
    assert seen == [DATA] * 4


SEEKABLE = [kind for kind in KINDS if "stream" not in kind]


@pytest.mark.parametrize("kind", SEEKABLE)
def test_a_position_behind_the_beginning_does_not_matter(kind, tmp_path):
    content = KINDS[kind](tmp_path)
    content.seek(777)
    with Source(content) as source:
        assert everything(source) == DATA
        assert source.content.read() == DATA
    content.close()


def test_a_file_that_was_closed_is_opened_again(tmp_path):
    content = File(on_disk(tmp_path).open("rb"), name=str(tmp_path / "upload.jpg"))
    content.close()
    with Source(content) as source:
        assert everything(source) == DATA
        assert source.content.read() == DATA
    content.close()


def test_what_is_closed_for_good_is_an_error():
    content = File(io.BytesIO(DATA), name="nowhere.jpg")
    content.close()
    with pytest.raises(ValueError):
        Source(content)


@pytest.mark.parametrize("make", [lambda text: ContentFile(text, name="a.txt"), lambda text: File(io.StringIO(text))])
def test_text_is_taken_as_utf_8(make, limit):
    text = "größe 猫 " * 200
    with Source(make(text)) as source:
        assert everything(source) == text.encode()
        assert source.size == len(text.encode())


def test_an_empty_file(limit):
    with Source(ContentFile(b"", name="a.jpg")) as source:
        assert everything(source) == b""
        assert source.head() == b""
        assert source.size == 0


def test_a_wrapper_that_decrypts_is_not_looked_through(tmp_path, limit):
    path = on_disk(tmp_path)
    with path.open("rb") as file, Source(Turned(file, name="a.jpg")) as source:
        assert everything(source) == bytes(255 - byte for byte in DATA)


def test_a_buffer_of_another_class_is_not_looked_through(limit):
    with Source(File(OwnBuffer(b"abc" * 500), name="a.jpg")) as source:
        assert everything(source) == b"ABC" * 500


def test_a_file_on_disk_is_not_copied(tmp_path):
    with override_settings(FILE_UPLOAD_TEMP_DIR=str(tmp_path / "copies"), FILE_UPLOAD_MAX_MEMORY_SIZE=10):
        (tmp_path / "copies").mkdir()
        with on_disk(tmp_path).open("rb") as file, Source(File(file, name="a.jpg")) as source:
            assert everything(source) == DATA
            assert list((tmp_path / "copies").iterdir()) == []


def test_a_path_that_leads_to_another_file_by_now_is_not_followed(tmp_path):
    path = on_disk(tmp_path)
    with path.open("rb") as file:
        path.rename(tmp_path / "moved.jpg")
        path.write_bytes(b"another")
        with Source(File(file, name="a.jpg")) as source:
            assert everything(source) == DATA


def test_a_path_that_leads_to_nothing_is_not_followed(tmp_path):
    path = on_disk(tmp_path)
    with path.open("rb") as file:
        path.unlink()
        with Source(File(file, name="a.jpg")) as source:
            assert everything(source) == DATA


@pytest.mark.parametrize(("limit", "copies"), [(len(DATA), 0), (len(DATA) - 1, 1), (0, 1)])
@pytest.mark.parametrize("make", [lambda: File(Pipe(DATA), name="a.jpg"), lambda: Turned(io.BytesIO(DATA))])
def test_what_is_large_is_copied_to_a_temporary_file_that_goes_again(make, limit, copies, tmp_path):
    with override_settings(FILE_UPLOAD_TEMP_DIR=str(tmp_path), FILE_UPLOAD_MAX_MEMORY_SIZE=limit):
        with Source(make()) as source:
            assert list(tmp_path.iterdir()) == []  # nobody wants to read it yet
            assert source.size == source.size == len(DATA)
            assert len(list(tmp_path.iterdir())) == copies
        assert list(tmp_path.iterdir()) == []


def test_the_temporary_file_goes_also_after_an_error(tmp_path):
    def fail():
        with (
            override_settings(FILE_UPLOAD_TEMP_DIR=str(tmp_path), FILE_UPLOAD_MAX_MEMORY_SIZE=10),
            Source(File(Pipe(DATA), name="a.jpg")) as source,
        ):
            assert everything(source) == DATA
            assert len(list(tmp_path.iterdir())) == 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


class Broken(Pipe):
    """A connection that is lost half-way."""

    def readinto(self, buffer):
        if len(self._rest) < len(DATA) // 2:
            raise OSError("connection lost")
        return super().readinto(buffer)


def test_a_stream_that_breaks_leaves_nothing(tmp_path):
    with override_settings(FILE_UPLOAD_TEMP_DIR=str(tmp_path), FILE_UPLOAD_MAX_MEMORY_SIZE=10):
        with pytest.raises(OSError, match="connection lost"):
            Source(File(Broken(DATA), name="a.jpg")).open()
        gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_bytes_in_memory_are_shared_not_copied():
    data = b"x" * 1_000_000
    content = ContentFile(data, name="a.jpg")
    with Source(content) as source, source.open() as reader:
        assert reader.getvalue() is content.file.getvalue()


def test_a_temporary_upload_is_read_from_where_it_is(tmp_path):
    with override_settings(FILE_UPLOAD_TEMP_DIR=str(tmp_path)):
        upload = temporary_upload(tmp_path)
        with Source(upload) as source, source.open() as reader:
            assert Path(reader.name) == Path(upload.temporary_file_path())
        assert len(list(tmp_path.iterdir())) == 1
        upload.close()


@pytest.mark.parametrize(
    "pieces", [[DATA], [bytes([byte]) for byte in DATA[:500]], [b"", DATA[:7], b"", b"", DATA[7:], b""], []]
)
def test_the_source_that_pieces_make_up(pieces, limit):
    with Source(ContentFile(b"what it was", name="cat.jpg"), iter(pieces)) as source:
        data = b"".join(pieces)
        assert everything(source) == everything(source) == data
        assert source.head() == data[:HEAD_SIZE]
        assert source.size == len(data)
        assert source.content.name == "cat.jpg"
        assert source.content.read() == data


def test_pieces_that_cannot_be_made_leave_nothing(tmp_path):
    def pieces():
        yield DATA
        raise OSError("the image is damaged")

    with override_settings(FILE_UPLOAD_TEMP_DIR=str(tmp_path), FILE_UPLOAD_MAX_MEMORY_SIZE=10):
        with pytest.raises(OSError, match="the image is damaged"):
            Source(ContentFile(b"what it was"), pieces())
        gc.collect()
    assert list(tmp_path.iterdir()) == []


# Streams


class Counting(Pipe):
    """Counts what is read of it."""

    read_so_far = 0

    def readinto(self, buffer):
        count = super().readinto(buffer)
        self.read_so_far += count
        return count


def test_only_the_beginning_of_a_stream_is_read_to_see_what_it_is():
    stream = Counting(DATA)
    with Source(File(stream, name="a.jpg")) as source:
        assert source.head() == source.head() == DATA[:HEAD_SIZE]
        assert stream.read_so_far == HEAD_SIZE
        assert everything(source) == DATA
        assert source.head() == DATA[:HEAD_SIZE]


def test_another_storage_reads_a_stream_from_its_beginning_too():
    with Source(File(Pipe(DATA), name="a.jpg")) as source:
        source.head()
        assert source.content.read() == DATA


@pytest.mark.parametrize("known", [True, False])
def test_no_more_is_copied_of_a_stream_than_the_limits_allow(tmp_path, known):
    stream = Counting(DATA)
    content = File(stream, name="a.jpg")
    if known:
        content.size = len(DATA)
    with (
        override_settings(FILE_UPLOAD_TEMP_DIR=str(tmp_path), FILE_UPLOAD_MAX_MEMORY_SIZE=10),
        Source(content) as source,
        pytest.raises(ImageLimitExceeded, match="max_bytes"),
    ):
        source.refuse_more_than(Limits(max_bytes=1000))
    assert stream.read_so_far <= (0 if known else 1000 + File.DEFAULT_CHUNK_SIZE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrapped_again", [False, True])
def test_a_stream_is_not_stored_a_second_time_when_nothing_is_left_of_it(make_storage, wrapped_again):
    storage = make_storage(thumbs=THUMBS)
    stream = Pipe(DATA)
    content = File(stream, name="a.bin")
    name = storage.save("a.bin", content)
    with pytest.raises(UploadFailed, match="cannot go back"):
        storage.save("b.bin", File(stream, name="b.bin") if wrapped_again else content)
    assert stored(storage) == [name]


def test_what_can_go_back_is_stored_again(make_storage):
    storage = make_storage(thumbs=THUMBS)
    content = File(io.BytesIO(DATA))
    names = [storage.save("a.bin", content), storage.save("b.bin", content)]
    assert [content_of(storage, name) for name in names] == [DATA, DATA]
