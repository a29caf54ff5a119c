"""`manage.py athumb_audit [app.Model field ...]`"""

from __future__ import annotations

import io
import json
import logging
import os
import time

import pytest
from django.core.files.storage import FileSystemStorage
from django.core.management import CommandError, call_command

from athumb_storage.storages import configured
from tests.conftest import upload
from tests.stock.models import Attachment, Framed, Photo, Poster
from tests.stock.places import field_of, stored_in, take_away

pytestmark = pytest.mark.django_db(databases=["default", "other"])

KINDS = ["missing_originals", "missing_thumbs", "stale_thumbs", "surplus_thumbs", "orphaned_thumbs"]
KINDS.append("orphaned_originals")


@pytest.fixture
def storage(make_on_disk, tmp_path, settings):
    """Photos on the file system, where everything may be pruned."""
    settings.ATHUMB_PRUNE_PREFIXES = [f"{tmp_path}/media/"]
    with stored_in(make_on_disk(location=tmp_path / "media"), field_of(Photo)) as storage:
        yield storage


class Run:
    """What the command wrote, and the code it ended with."""

    def __init__(self, *arguments, **options):
        stdout, stderr = io.StringIO(), io.StringIO()
        self.code, self.error = 0, ""
        try:
            call_command("athumb_audit", *arguments, stdout=stdout, stderr=stderr, **options)
        except CommandError as error:
            self.code, self.error = error.returncode, str(error)
        self.text, self.stderr = stdout.getvalue(), stderr.getvalue()
        self.lines = self.text.splitlines()

    @property
    def json(self):
        return json.loads(self.text)


def audit(*options):
    return Run("stock.Photo", "image", *options)


def prune(*options):
    return audit("--prune", "--noinput", *options)


def store(storage, *names, age=48 * 3600):
    for name in names:
        storage._write_thumb(name, b"12345", "image/jpeg", replace=True)
        if age is not None:
            os.utime(storage.path(name), (time.time() - age,) * 2)


def names_in(storage):
    return sorted(file.name for file in storage.list_files())


class TestCodes:
    def test_all_is_in_order(self, storage):
        Photo.objects.create(image=upload("cat.jpg"))
        run = audit()
        assert (run.code, run.error) == (0, "")
        assert run.lines[0].startswith("3 files of ")
        assert run.lines[0].endswith(f" in {storage.location}/")
        assert run.lines[1:3] == ["missing originals: 0", "missing thumbs: 0"]

    def test_something_is_missing(self, storage):
        Photo.objects.create(image="cat.jpg")
        store(storage, "dog.jpg")
        run = audit()
        assert run.code == 3
        assert run.error == "Something is missing: 1 missing originals, 1 orphaned originals."

    def test_something_is_left_over(self, storage):
        store(storage, "dog.jpg.thumbs/small.jpg")
        run = audit()
        assert run.code == 4
        assert run.error == "Nothing is missing: 1 orphaned thumbs."
        assert "orphaned thumbs: 1, 5 bytes" in run.lines

    def test_it_could_not_be_carried_out(self, storage):
        take_away(Attachment)
        with stored_in(FileSystemStorage(location=storage.location), field_of(Attachment, "file")):
            run = audit()
        assert run.code == 1
        assert "'stock_attachment'" in run.error

    def test_the_storage_fails(self, storage, monkeypatch):
        def fail(*_):
            raise PermissionError("no")

        monkeypatch.setattr(type(storage), "list_files", fail)
        assert (audit().code, audit().error) == (1, "The audit could not be carried out: PermissionError: no")

    def test_a_mistake_of_the_project_comes_through(self, storage, monkeypatch):
        monkeypatch.setattr(type(storage), "thumb_keys", lambda *_: 1 / 0)
        Photo.objects.create(image="cat.jpg")
        with pytest.raises(ZeroDivisionError):
            audit()


class TestFields:
    def test_fields_restrict_what_is_told_of_rows(self, storage):
        with stored_in(storage, field_of(Poster)):
            Photo.objects.create(image="cat.jpg")
            Poster.objects.create(image="dog.jpg")
            counts = [
                Run(*words, "--format", "json").json["missing_originals"]["count"]
                for words in (["stock.Photo", "image"], ["stock.Photo"], ["stock.Photo", "image", "stock.Poster"])
            ]
        assert counts == [1, 1, 2]

    def test_without_any_all_with_thumbs(self, storage, settings):
        settings.STORAGES = {**settings.STORAGES}
        Photo.objects.create(image="cat.jpg")
        assert Run("--format", "json").json["missing_originals"]["count"] == 1

    @pytest.mark.parametrize(
        ("words", "error"),
        [
            (["stock.None"], "There is no model 'stock.None'"),
            (["a.b.c"], "There is no model"),
            (["image"], "'image' is no model"),
            (["stock.Photo", "none"], "has no field named 'none'"),
            (["stock.Photo", "id"], "stock.Photo.id is no file field on a storage that makes thumbs"),
            (["stock.Attachment", "file"], "stock.Attachment.file has no thumbs."),
            (["stock.Attachment"], "stock.Attachment has no field with thumbs"),
            (["stock.Photo", "--since", "soon"], "--since soon: write a time"),
            (["stock.Photo", "--since", "2024-13-01"], "--since"),
            (["stock.Photo", "--dry-run"], "go with --prune"),
            (["stock.Photo", "--originals"], "go with --prune"),
            (["stock.Photo", "--inventory", "/nowhere/manifest.json"], "is no manifest"),
        ],
    )
    def test_what_cannot_be_meant(self, storage, words, error):
        run = Run(*words)
        assert run.code == 1
        assert error in run.error


class TestOutput:
    def test_json(self, storage):
        Photo.objects.create(image="a.jpg")
        Photo.objects.create(image="b.jpg")
        store(storage, "b.jpg", "b.jpg.thumbs/small.jpg", "b.jpg.thumbs/old.jpg", "n\nl.jpg", "ü.jpg.thumbs/small.jpg")
        os.utime(storage.path("b.jpg.thumbs/small.jpg"), (1, 1))
        start = f"{storage.location}/"
        expected = {
            "missing_originals": {"count": 1, "bytes": 0, "keys": [f"{start}a.jpg"]},
            "missing_thumbs": {"count": 1, "bytes": 0, "keys": [f"{start}b.jpg.thumbs/large.webp"]},
            "stale_thumbs": {"count": 1, "bytes": 5, "keys": [f"{start}b.jpg.thumbs/small.jpg"]},
            "surplus_thumbs": {"count": 1, "bytes": 5, "keys": [f"{start}b.jpg.thumbs/old.jpg"]},
            "orphaned_thumbs": {"count": 1, "bytes": 5, "keys": [f"{start}ü.jpg.thumbs/small.jpg"]},
            "orphaned_originals": {"count": 1, "bytes": 5, "keys": [f"{start}n\nl.jpg"]},
        }
        assert audit("--format", "json", "--list").json == expected
        without = {kind: {"count": told["count"], "bytes": told["bytes"]} for kind, told in expected.items()}
        assert audit("--format", "json").json == without
        lines = [line for line in audit("--list").lines if '"' in line]
        assert len(lines) == 6
        assert lines == [
            f"{kind.replace('_', ' ')}: {json.dumps(key)}" for kind, told in expected.items() for key in told["keys"]
        ]

    def test_since(self, storage):
        Photo.objects.create(image="b.jpg")
        store(storage, "b.jpg", "b.jpg.thumbs/small.jpg", "b.jpg.thumbs/large.webp", age=None)
        assert audit("--since", "2024-01-31").code == 0
        assert audit("--since", "2124-01-31").code == 4
        assert audit("--since", "2124-01-31T12:00:00Z", "--format", "json").json["stale_thumbs"]["count"] == 2


class TestPruning:
    def test_orphaned_thumbs(self, storage):
        Photo.objects.create(image=upload("cat.jpg"))
        store(storage, "a.jpg", "a.jpg.thumbs/small.jpg", "b.jpg.thumbs/x.jpg")
        kept = [name for name in names_in(storage) if not name.startswith(("a.jpg.", "b.jpg."))]
        run = prune()
        assert names_in(storage) == kept
        assert run.lines[-4:] == [
            f'to be removed: orphaned thumbs: "{storage.location}/a.jpg.thumbs/small.jpg"',
            f'to be removed: orphaned thumbs: "{storage.location}/b.jpg.thumbs/x.jpg"',
            "To be removed: 2 orphaned thumbs.",
            "Removed 2 files; skipped 0.",
        ]
        assert (run.code, run.error) == (4, "Nothing is missing: 1 orphaned originals.")
        assert prune("--originals").code == 0
        assert "a.jpg" not in names_in(storage)

    def test_a_dry_run(self, storage):
        store(storage, "a.jpg", "a.jpg.thumbs/small.jpg")
        run = prune("--originals", "--dry-run")
        assert run.lines[-1] == "Dry run: 1 orphaned thumbs, 1 orphaned originals would be removed."
        assert run.code == 4
        assert len(names_in(storage)) == 2

    def test_in_json(self, storage):
        store(storage, "a.jpg", "a.jpg.thumbs/small.jpg")
        store(storage, "b.jpg", age=0)
        run = prune("--originals", "--format", "json")
        assert run.json["pruned"] == {
            "orphaned_thumbs": {"removed": 1},
            "orphaned_originals": {"removed": 1, "too young": 1},
        }
        assert run.json["orphaned_originals"]["count"] == 2
        assert "Removed 2 files; skipped 1, 1 too young." in run.stderr
        assert run.code == 4

    def test_the_age(self, storage):
        store(storage, "a.jpg.thumbs/small.jpg", age=3600)
        assert prune().lines[-1] == "Removed 0 files; skipped 1, 1 too young."
        assert prune("--min-age", "0.5").lines[-1] == "Removed 1 files; skipped 0."

    @pytest.mark.parametrize("hours", ["nan", "inf", "-1", "1e9", "a day"])
    def test_no_age(self, storage, hours):
        run = prune(f"--min-age={hours}")
        assert run.code == 1
        assert f"argument --min-age: '{hours}' is no number of hours" in run.error

    def test_what_is_no_orphan_after_all_is_not_counted(self, storage, monkeypatch):
        store(storage, "a.jpg.thumbs/small.jpg", "b.jpg.thumbs/small.jpg", "c.jpg.thumbs/small.jpg")

        class Terminal(io.StringIO):
            def readline(self):
                Photo.objects.create(image="a.jpg")
                storage.remove_files(["b.jpg.thumbs/small.jpg"])
                return "yes\n"

        monkeypatch.setattr("sys.stdin", Terminal())
        run = audit("--prune")
        assert run.lines[-1].endswith("Removed 1 files; skipped 2, 1 gone already, 1 in use by now.")
        assert run.code == 0

    def test_what_is_skipped_is_logged(self, storage, caplog):
        store(storage, "a\n.jpg.thumbs/small.jpg", age=0)
        with caplog.at_level(logging.INFO, "athumb_storage"):
            prune()
        name = repr(storage.path("a\n.jpg.thumbs/small.jpg"))
        assert caplog.messages[-1] == f"Not removed, too young: {name}"

    @pytest.mark.parametrize("answer", ["yes\n", "no\n", "yes, but\n", "", None])
    def test_it_asks(self, storage, monkeypatch, answer):
        store(storage, "a.jpg.thumbs/small.jpg")
        monkeypatch.setattr("sys.stdin", None if answer is None else io.StringIO(answer))
        run = audit("--prune")
        assert (names_in(storage) == []) == (answer == "yes\n")
        assert run.code == (0 if answer == "yes\n" else 1)
        assert "Remove them? Type 'yes' to go on: " in run.text
        assert "--noinput" in run.error or run.code == 0

    def test_the_question_is_no_part_of_json(self, storage, monkeypatch):
        store(storage, "a.jpg.thumbs/small.jpg")
        monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
        run = audit("--prune", "--format", "json")
        assert run.json["pruned"] == {"orphaned_thumbs": {"removed": 1}}
        assert "Remove them?" in run.stderr

    def test_it_does_not_ask_for_nothing(self, storage, monkeypatch):
        monkeypatch.setattr("sys.stdin", None)
        assert audit("--prune").code == 0

    @pytest.mark.parametrize(
        ("prefixes", "error"),
        [
            ([], "does not say what is this project's alone"),
            (["s3://media/", "/elsewhere/"], "has 's3://media/', '/elsewhere/'"),
            (["relative/"], "ATHUMB_PRUNE_PREFIXES has 'relative/'"),
            (["/without/slash"], "with a slash at its end"),
            ("/media/", "a list of strings is wanted"),
            ([5], "a list of strings is wanted"),
        ],
    )
    def test_it_is_refused_where_nothing_is_declared(self, storage, settings, prefixes, error):
        settings.ATHUMB_PRUNE_PREFIXES = prefixes
        store(storage, "a.jpg.thumbs/small.jpg")
        run = prune()
        assert run.code == 1
        assert error in run.error
        assert len(names_in(storage)) == 1
        assert audit().code == 4

    def test_it_is_refused_where_a_file_has_two_names(self, storage, tmp_path):
        store(storage, "a.jpg.thumbs/small.jpg")
        (tmp_path / "media/linked").symlink_to(tmp_path)
        run = prune()
        assert run.code == 1
        assert "is a symbolic link" in run.error
        assert (tmp_path / "media/a.jpg.thumbs/small.jpg").exists()

    def test_a_storage_of_the_arguments_that_is_there_no_more(self, storage):
        with stored_in(configured("gone"), field_of(Photo)):
            for arguments in ([], ["image"]):
                run = Run("stock.Photo", *arguments)
                assert run.code == 1
                assert "could not be carried out" in run.error
                assert "'gone'" in run.error

    def test_it_is_refused_where_a_storage_is_there_no_more(self, storage):
        store(storage, "a.jpg.thumbs/small.jpg")
        with stored_in(configured("gone"), field_of(Framed, "certificate")):
            run = prune()
        assert run.code == 1
        assert "'gone'" in run.error
        assert len(names_in(storage)) == 1

    @pytest.mark.parametrize("paths", [["none.where"], ["tests.stock.models.nothing"], "text"])
    def test_it_is_refused_where_a_callable_is_not_there(self, storage, settings, paths):
        settings.ATHUMB_FILES_IN_USE = paths
        store(storage, "a.jpg.thumbs/small.jpg")
        run = prune()
        assert run.code == 1
        assert "ATHUMB_FILES_IN_USE" in run.error
        assert len(names_in(storage)) == 1

    def test_a_table_that_cannot_be_read_any_more(self, storage, monkeypatch, caplog):
        store(storage, "a.jpg.thumbs/small.jpg")

        class Terminal(io.StringIO):
            def readline(self):
                take_away(Photo)
                return "yes\n"

        monkeypatch.setattr("sys.stdin", Terminal())
        with caplog.at_level(logging.ERROR, "athumb_storage"):
            run = audit("--prune")
        assert run.code == 1
        assert "'stock_photo'" in run.error
        assert len(names_in(storage)) == 1
        assert caplog.messages == ["Pruning ended before its end; at least 0 files were removed."]
