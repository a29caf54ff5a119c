"""S3 Inventory in place of a listing."""

from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import UTC, datetime
from urllib.parse import quote, quote_plus

import pytest

from athumb_storage.audit import KINDS, Inventory, Scope, audited
from athumb_storage.audit.places import Place
from athumb_storage.audit.scope import Root
from athumb_storage.exceptions import AuditError
from athumb_storage.storages.listing import StoredFile
from tests.stock.models import Photo
from tests.stock.places import field_of, stored_in

SCHEMA = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass"

TIME = "2024-02-29T12:00:00.000Z"


def line(key, size=1, *, latest="true", deleted="false", time=TIME, bucket="media"):
    return [bucket, quote_plus(key, safe="/"), "v1", latest, deleted, str(size), time, "0123", "STANDARD"]


def packed(lines):
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(lines)
    return gzip.compress(text.getvalue().encode())


@pytest.fixture
def write(tmp_path):
    """Writes an inventory; the path of its manifest."""

    def write(*files, schema=SCHEMA, **told):
        names = [f"inventories/media/daily/data/{number}.csv.gz" for number in range(len(files))]
        for name, lines in zip(names, files, strict=True):
            (tmp_path / name.rpartition("/")[2]).write_bytes(packed(lines))
        manifest = {"sourceBucket": "media", "fileFormat": "CSV", "fileSchema": schema}
        manifest |= {
            "files": [{"key": name, "size": (tmp_path / name.rpartition("/")[2]).stat().st_size} for name in names],
            **told,
        }
        path = tmp_path / "manifest.json"
        path.write_text(json.dumps(manifest))
        return path

    return write


def listed(path, prefix="", home="s3://media"):
    return list(Inventory(path).listing()(Root(None, Place(home, prefix))))


class TestReading:
    def test_every_line_of_every_file(self, write):
        path = write([line("a.jpg", 5)], [line("b/c.jpg")])
        assert listed(path) == [
            StoredFile("a.jpg", 5, datetime(2024, 2, 29, 12, tzinfo=UTC), '"0123"'),
            StoredFile("b/c.jpg", 1, datetime(2024, 2, 29, 12, tzinfo=UTC), '"0123"'),
        ]

    @pytest.mark.parametrize("escape", [quote, quote_plus])
    def test_keys_are_escaped(self, write, escape):
        keys = ["a b+c.jpg", "100%.jpg", "n\nl'\",.jpg", "日本/ü.jpg", "%2F.jpg"]
        path = write([["media", escape(key), "", "true", "false", "1", TIME, "", ""] for key in keys])
        assert [file.name for file in listed(path)] == keys
        assert {file.etag for file in listed(path)} == {None}

    def test_the_location_alone(self, write):
        path = write([line("in/a.jpg"), line("in/"), line("in/b/"), line("inner.jpg"), line("a.jpg")])
        assert [file.name for file in listed(path, "in/")] == ["a.jpg"]

    def test_of_versions_what_is_there(self, write):
        path = write([line("a.jpg", 2), line("a.jpg", 1, latest="false"), line("b.jpg", "", deleted="true")])
        assert [(file.name, file.size) for file in listed(path)] == [("a.jpg", 2)]

    def test_the_schema_names_the_columns(self, write):
        schema = "LastModifiedDate, Key, Bucket, Size"
        path = write([[TIME, "a.jpg", "media", "7"]], schema=schema)
        assert [(file.name, file.size, file.etag) for file in listed(path)] == [("a.jpg", 7, None)]

    def test_files_by_their_keys(self, write, tmp_path):
        path = write([line("a.jpg")])
        folder = tmp_path / "inventories/media/daily/data"
        folder.mkdir(parents=True)
        (tmp_path / "0.csv.gz").rename(folder / "0.csv.gz")
        assert len(listed(path)) == 1


class TestRefusing:
    @pytest.mark.parametrize("file_format", ["ORC", "Parquet"])
    def test_other_formats(self, write, file_format):
        with pytest.raises(AuditError, match=f"in {file_format}; only CSV"):
            Inventory(write(fileFormat=file_format))

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": 1}', '"text"'])
    def test_no_manifest(self, tmp_path, text):
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(AuditError, match="is no manifest"):
            Inventory(tmp_path / "manifest.json")

    def test_a_manifest_that_is_not_there(self, tmp_path):
        with pytest.raises(AuditError, match="is no manifest"):
            Inventory(tmp_path / "manifest.json")

    def test_columns_that_are_needed(self, write):
        with pytest.raises(AuditError, match="no Size, LastModifiedDate"):
            Inventory(write(schema="Bucket, Key"))

    @pytest.mark.parametrize("home", ["s3://other", ""])
    def test_another_bucket(self, write, home):
        with pytest.raises(AuditError, match="of the bucket 'media'"):
            listed(write([line("a.jpg")]), home=home)

    def test_a_file_that_is_not_there(self, write, tmp_path):
        path = write([line("a.jpg")])
        (tmp_path / "0.csv.gz").unlink()
        with pytest.raises(AuditError, match="is not beside"):
            listed(path)

    def test_a_file_elsewhere(self, write, tmp_path):
        (tmp_path / "in").mkdir()
        path = write([line("a.jpg")], files=[{"key": "../0.csv.gz"}]).rename(tmp_path / "in/manifest.json")
        with pytest.raises(AuditError, match="is not beside"):
            listed(path)

    def test_a_file_that_is_cut_off(self, write, tmp_path):
        path = write([line(f"{number}.jpg") for number in range(1000)])
        data = (tmp_path / "0.csv.gz").read_bytes()
        for length in (0, len(data) // 2):
            (tmp_path / "0.csv.gz").write_bytes(data[:length])
            with pytest.raises(AuditError, match=rf"has {length} bytes, and the manifest says {len(data)}\."):
                listed(path)

    def test_a_file_that_is_damaged(self, write, tmp_path):
        path = write([line(f"{number}.jpg") for number in range(1000)])
        data = bytearray((tmp_path / "0.csv.gz").read_bytes())
        data[len(data) // 2] ^= 0xFF
        (tmp_path / "0.csv.gz").write_bytes(data)
        with pytest.raises(AuditError, match="cannot be read"):
            listed(path)

    @pytest.mark.parametrize(
        "wrong",
        [
            ["media", "a.jpg"],
            line("a.jpg", "x"),
            line("a.jpg", -1),
            line("a.jpg", 10**20),
            line("a.jpg", time="yesterday"),
            line("a.jpg", time="2024-02-29T12:00:00"),
        ],
    )
    def test_lines_that_cannot_be_read(self, write, wrong):
        with pytest.raises(AuditError, match="a line cannot be read"):
            listed(write([wrong]))

    def test_a_line_of_another_bucket(self, write):
        with pytest.raises(AuditError, match="of the bucket 'other'"):
            listed(write([line("a.jpg", bucket="other")]))


@pytest.mark.django_db(databases=["default", "other"])
def test_an_audit_by_it(write, make_s3):
    """Of what the inventory has not, the storage is asked: it may have been stored since."""
    storage = make_s3()
    bucket = storage.bucket_name
    for name in ("a.jpg", "gone.jpg", "new.jpg", "n\0l.jpg"):
        Photo.objects.create(image=name)
    later = "2024-03-01T12:00:00.000Z"
    lines = [
        line("a.jpg", bucket=bucket, time=later),
        line("a.jpg.thumbs/small.jpg", bucket=bucket, time=TIME),
        line("b.jpg", 77, bucket=bucket),
    ]
    for name in ("new.jpg", "new.jpg.thumbs/large.webp"):
        storage._write_thumb(name, b"x", "image/jpeg", replace=False)
    path = write(lines, sourceBucket=bucket)
    with (
        stored_in(storage, field_of(Photo)),
        audited(Scope([field_of(Photo)]), listing=Inventory(path).listing()) as audit,
    ):
        found = {kind: [finding.key for finding in audit.findings(kind)] for kind in KINDS}
        assert found == {
            "missing_originals": ["gone.jpg", "n\0l.jpg"],
            "missing_thumbs": ["a.jpg.thumbs/large.webp", "new.jpg.thumbs/small.jpg"],
            "stale_thumbs": ["a.jpg.thumbs/small.jpg"],
            "surplus_thumbs": [],
            "orphaned_thumbs": [],
            "orphaned_originals": ["b.jpg"],
        }
        assert audit.totals()["orphaned_originals"].bytes == 77
