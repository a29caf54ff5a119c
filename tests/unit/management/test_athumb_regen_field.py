"""`manage.py athumb_regen_field app.Model field`"""

from __future__ import annotations

import io
import itertools
import json
import re
import sys
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import models

from athumb_storage import ThumbSet
from athumb_storage.management import progress
from tests.conftest import draw, upload
from tests.shop.models import Book, Document, Plain, Product, SaleProduct

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def empty_storage(settings):
    """A default storage of the test's own: to set the setting again makes a new one."""
    settings.STORAGES = {**settings.STORAGES}


@pytest.fixture(autouse=True)
def no_progress(monkeypatch):
    """A busy machine would have a line of it now and then."""
    monkeypatch.setattr(progress, "LINE_EVERY", 1000)


@pytest.fixture
def without_thumbs():
    """Makes a row whose original is stored, and whose thumbs are gone."""

    def make(name="cat.jpg", model=Product, database="default"):
        row = model(image=upload(name))
        row.save(using=database)
        default_storage.delete_thumbs(row.image.name)
        return row

    return make


class Run:
    """What the command wrote; `error` is the CommandError it ended with."""

    def __init__(self, *arguments, **options):
        stdout, stderr = io.StringIO(), io.StringIO()
        self.error = None
        try:
            call_command("athumb_regen_field", *arguments, stdout=stdout, stderr=stderr, **options)
        except CommandError as error:
            self.error = error
        self.lines, self.failures = stdout.getvalue().splitlines(), stderr.getvalue().splitlines()


def thumbs_of(name):
    try:
        return sorted(default_storage.listdir(f"{name}.thumbs")[1])
    except FileNotFoundError:
        return []


ALL = ["50x50_cropped.jpg", "60x60.jpg", "large.webp"]


def test_makes_the_thumbs_of_every_row(without_thumbs):
    names = [without_thumbs(name).image.name for name in ("a.jpg", "b.jpg")]
    run = Run("shop.Product", "image")
    assert run.error is None
    assert [thumbs_of(name) for name in names] == [ALL, ALL]
    assert run.lines == ["2 rows: 2 generated, 0 not an image, 0 without a file, 0 repeated, 0 failed."]
    assert run.failures == []


def test_the_model_is_found_whatever_its_case(without_thumbs):
    name = without_thumbs().image.name
    Run("shop.product", "image")
    assert thumbs_of(name) == ALL


def test_summary_failures_and_exit_status(without_thumbs):
    name = without_thumbs("good.jpg").image.name
    default_storage.save("products/cut.jpg", ContentFile(draw()[:300]))
    cut = Product.objects.create(image="products/cut.jpg")
    gone = Product.objects.create(image="products/gone.jpg")
    for value in (name, "", None):
        Product.objects.create(image=value)
    run = Run("shop.Product", "image")
    assert run.lines == ["6 rows: 1 generated, 0 not an image, 2 without a file, 1 repeated, 2 failed."]
    assert thumbs_of(name) == ALL
    assert str(run.error) == "2 of 6 rows failed."
    assert run.error.returncode != 0
    unreadable, missing = run.failures
    assert unreadable.startswith(f"Failed: 'products/cut.jpg' (row {cut.pk}): UploadedImageIsUnreadableError: ")
    assert missing.startswith(f"Failed: 'products/gone.jpg' (row {gone.pk}): FileNotFoundError: ")


def test_one_row_is_one_row(monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY", 0)
    Product.objects.create(image="products/gone.jpg")
    run = Run("shop.Product", "image")
    assert re.fullmatch(r"1/1 row, [\d.]+/s, 0:00:00 left, at 'products/gone.jpg'", run.lines[0])
    assert run.lines[1:] == [
        "1 row: 0 generated, 0 not an image, 0 without a file, 0 repeated, 1 failed.",
    ]
    assert str(run.error) == "1 of 1 row failed."


def test_no_rows():
    assert Run("shop.Product", "image").lines == [
        "0 rows: 0 generated, 0 not an image, 0 without a file, 0 repeated, 0 failed."
    ]


class TestProgress:
    @pytest.fixture(autouse=True)
    def always(self, monkeypatch):
        monkeypatch.setattr(progress, "LINE_EVERY", 0)

    def test_tells_how_far_it_is_how_fast_and_what_is_left(self, without_thumbs, monkeypatch):
        clock = itertools.count(step=4)
        monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
        for name in ("a.jpg", "b.jpg", "c.jpg"):
            without_thumbs(name)
        assert Run("shop.Product", "image").lines[:3] == [
            "1/3 rows, 0.2/s, 0:00:08 left, at 'products/a.jpg'",
            "2/3 rows, 0.2/s, 0:00:04 left, at 'products/b.jpg'",
            "3/3 rows, 0.2/s, 0:00:00 left, at 'products/c.jpg'",
        ]

    @pytest.mark.parametrize(("arguments", "total"), [(["--missing"], "2 rows"), (["--limit=1"], "1 row")])
    def test_of_those_that_are_wanted(self, without_thumbs, arguments, total):
        for name in ("a.jpg", "b.jpg"):
            without_thumbs(name)
        Product.objects.create(image=upload("c.jpg"))
        assert Run("shop.Product", "image", *arguments).lines[0].startswith(f"1/{total}, ")

    def test_not_when_told_to_be_quiet(self, without_thumbs):
        without_thumbs()
        assert Run("shop.Product", "image", verbosity=0).lines == [
            "1 row: 1 generated, 0 not an image, 0 without a file, 0 repeated, 0 failed."
        ]

    def test_a_bar_on_a_terminal(self, without_thumbs):
        for name in ("a.jpg", "b.jpg"):
            without_thumbs(name)
        Product.objects.create(image="products/gone.jpg")
        terminal, stderr = Terminal(), io.StringIO()
        with pytest.raises(CommandError, match="1 of 3 rows failed"):
            call_command("athumb_regen_field", "shop.Product", "image", stdout=terminal, stderr=stderr)
        assert re.search(r"0/3 \[.*\? rows/s\]", terminal.getvalue())  # rate and time left are the library's
        assert "at 'products/a.jpg'" not in terminal.getvalue()
        assert (
            terminal.getvalue()
            .splitlines()[-1]
            .endswith("3 rows: 2 generated, 0 not an image, 0 without a file, 0 repeated, 1 failed.")
        )
        assert "gone.jpg" in stderr.getvalue()

    def test_lines_on_a_terminal_where_there_is_no_bar(self, without_thumbs, monkeypatch):
        monkeypatch.setitem(sys.modules, "tqdm", None)
        without_thumbs()
        terminal = Terminal()
        call_command("athumb_regen_field", "shop.Product", "image", stdout=terminal)
        assert terminal.getvalue().startswith("1/1 row, ")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_not_more_often_than_it_can_be_read(without_thumbs):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        without_thumbs(name)
    assert len(Run("shop.Product", "image", dry_run=True).lines) == 1


def test_verbosely_every_row_is_named(without_thumbs):
    row = without_thumbs()
    empty = Product.objects.create()
    assert set(Run("shop.Product", "image", verbosity=2).lines[:-1]) == {
        f"generated: 'products/cat.jpg' (row {row.pk})",
        f"without a file: '' (row {empty.pk})",
    }


class TestThumbOption:
    def test_one(self, without_thumbs):
        name = without_thumbs().image.name
        Run("shop.Product", "image", "--thumb", "large")
        assert thumbs_of(name) == ["large.webp"]

    def test_several(self, without_thumbs):
        name = without_thumbs().image.name
        Run("shop.Product", "image", "--thumb", "large", "--thumb=60x60")
        assert thumbs_of(name) == ["60x60.jpg", "large.webp"]

    def test_unknown(self, without_thumbs):
        name = without_thumbs().image.name
        run = Run("shop.Product", "image", "--thumb", "60x60", "--thumb", "huge")
        assert str(run.error) == "Unknown thumb 'huge'. Known thumbs: '50x50_cropped', '60x60', 'large'."
        assert thumbs_of(name) == []


def test_dry_run(without_thumbs):
    name = without_thumbs().image.name
    run = Run("shop.Product", "image", "--dry-run")
    assert thumbs_of(name) == []
    assert run.lines == ["Dry run, nothing stored: 1 row: 1 to be generated, 0 without a file, 0 repeated."]


class TestDerivedModels:
    def test_proxy(self, without_thumbs):
        name = without_thumbs(model=SaleProduct).image.name
        assert Run("shop.SaleProduct", "image").error is None
        assert thumbs_of(name) == ALL

    def test_multi_table_inheritance(self, without_thumbs):
        book = without_thumbs("book.jpg", model=Book).image.name
        other = without_thumbs("other.jpg").image.name
        run = Run("shop.Book", "image")
        assert run.lines == ["1 row: 1 generated, 0 not an image, 0 without a file, 0 repeated, 0 failed."]
        assert (thumbs_of(book), thumbs_of(other)) == (ALL, [])

    def test_the_parent_has_the_rows_of_its_children(self, without_thumbs):
        name = without_thumbs(model=Book).image.name
        Run("shop.Product", "image")
        assert thumbs_of(name) == ALL


def test_rows_that_a_manager_hides(without_thumbs, monkeypatch):
    class Hiding(models.Manager):
        def get_queryset(self):
            return super().get_queryset().exclude(name="hidden")

    manager = Hiding()
    manager.model, manager.name = Product, "hiding"
    name = without_thumbs().image.name
    Product.objects.update(name="hidden")
    monkeypatch.setitem(vars(Product._meta), "base_manager", manager)
    assert not Product._base_manager.exists()
    Run("shop.Product", "image")
    assert thumbs_of(name) == ALL


class OtherRouter:
    def db_for_write(self, model, **hints):
        return "other"


@pytest.mark.django_db(databases=["default", "other"])
@pytest.mark.parametrize("arguments", [("shop.Product", "image"), ("--all",)])
def test_the_database_that_rows_are_written_to(without_thumbs, settings, arguments):
    settings.DATABASE_ROUTERS = [f"{__name__}.OtherRouter"]
    here = without_thumbs("here.jpg").image.name
    there = without_thumbs("there.jpg", database="other").image.name
    assert Run(*arguments).lines[-1].startswith("1 row: 1 generated")
    assert (thumbs_of(here), thumbs_of(there)) == ([], ALL)


@pytest.mark.django_db(databases=["default", "other"])
def test_database(without_thumbs):
    here = without_thumbs("here.jpg").image.name
    there = without_thumbs("there.jpg", database="other").image.name
    run = Run("shop.Product", "image", "--database", "other")
    assert run.lines == ["1 row: 1 generated, 0 not an image, 0 without a file, 0 repeated, 0 failed."]
    assert (thumbs_of(here), thumbs_of(there)) == ([], ALL)


def test_a_query_for_each_page_of_rows_and_one_that_counts_them(django_assert_num_queries):
    Product.objects.bulk_create(Product(image=f"{number}.jpg") for number in range(999))
    with django_assert_num_queries(3):
        run = Run("shop.Product", "image", "--dry-run")
    assert run.lines[-1].endswith("999 rows: 999 to be generated, 0 without a file, 0 repeated.")


def test_a_plain_field_on_a_storage_with_thumbs():
    plain = Plain.objects.create(file=upload())
    storage = plain.file.storage
    storage.delete_thumbs(plain.file.name)
    assert Run("shop.Plain", "file").error is None
    assert storage.exists(storage.thumb_key(plain.file.name, "cover"))


@pytest.mark.parametrize(
    ("model", "field", "message"),
    [
        ("product", "image", "There is no model 'product': write app_label.Model, such as store.Product."),
        (
            "a.shop.Product",
            "image",
            "There is no model 'a.shop.Product': write app_label.Model, such as store.Product.",
        ),
        ("nowhere.Product", "image", "There is no model 'nowhere.Product'"),
        ("shop.Nothing", "image", "There is no model 'shop.Nothing'"),
        ("shop.Product", "picture", "Product has no field named 'picture'"),
        ("shop.Product", "name", "shop.Product.name is no file field on a storage that makes thumbs."),
        ("shop.Product", "book", "shop.Product.book is no file field on a storage that makes thumbs."),
    ],
)
def test_wrong_model_or_field(model, field, message):
    assert message in str(Run(model, field).error)


@pytest.mark.parametrize("arguments", [(), ("shop.Product",)])
def test_no_field_at_all(arguments):
    assert str(Run(*arguments).error) == "Which field? Write app_label.Model and the field's name, or --all."


def test_a_storage_that_makes_no_thumbs(settings):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    }
    error = Run("shop.Product", "image").error
    assert str(error) == "shop.Product.image is no file field on a storage that makes thumbs."


def test_a_field_without_thumbs(monkeypatch):
    storage = type(Plain._meta.get_field("file").storage)()
    monkeypatch.setattr(Plain._meta.get_field("file"), "storage", storage)
    assert str(Run("shop.Plain", "file").error) == "shop.Plain.file has no thumbs."


class TestRows:
    """Which rows are chosen."""

    @pytest.fixture
    def rows(self, without_thumbs):
        rows = [without_thumbs(name) for name in ("a.jpg", "b.jpg", "c.jpg")]
        for row, name in zip(rows, ("x", "y", "x"), strict=True):
            Product.objects.filter(pk=row.pk).update(name=name)
        return rows

    @pytest.mark.parametrize(
        ("arguments", "done"),
        [
            (["--pk={1}"], "b"),
            (["--pk={0}", "--pk={2}"], "ac"),
            (["--start-pk={1}"], "bc"),
            (["--start-pk={1}", "--filter=name=x"], "c"),
            (["--filter=name=x"], "ac"),
            (["--filter=name__in=x,y", "--filter=image__endswith=b.jpg"], "b"),
            (["--filter=book__isnull=True"], "abc"),
            (["--filter=book__isnull=false"], ""),
            (["--limit=2"], "ab"),
            (["--limit=0"], ""),
        ],
    )
    def test_those_that_are_wanted(self, rows, arguments, done):
        run = Run("shop.Product", "image", *(each.format(*(row.pk for row in rows)) for each in arguments))
        assert run.error is None
        assert [row.image.name for row in rows if thumbs_of(row.image.name)] == [
            f"products/{name}.jpg" for name in done
        ]
        assert run.lines[-1].startswith(f"{len(done)} row{'' if len(done) == 1 else 's'}: {len(done)} generated")

    @pytest.mark.parametrize(
        ("argument", "message"),
        [
            ("--pk=one", "'one' is no primary key of shop.Product."),
            ("--start-pk=1;2", "'1;2' is no primary key of shop.Product."),
            ("--filter=name", "--filter name: write LOOKUP=VALUE"),
            ("--filter=colour=red", "--filter colour=red: Cannot resolve keyword 'colour'"),
            ("--filter=id=red", "--filter id=red: Field 'id' expected a number but got 'red'."),
            ("--filter=book__isnull=perhaps", "--filter book__isnull=perhaps: The QuerySet value for an isnull"),
            ("--workers=0", "--workers: at least one is needed."),
            ("--limit=-1", "--limit: a number of rows is needed, 0 or more."),
            ("--tasks=3", "--tasks goes with --enqueue."),
            ("--database=nope", "There is no database 'nope' among 'default', 'other'."),
            ("--checkpoint=/nonexistent/x", "The checkpoint cannot be written: "),
            ("--since=2026-01-31", "--since goes with --stale."),
            ("--all", "--all takes every field, so model cannot be given with it."),
        ],
    )
    def test_those_that_cannot_be_meant(self, rows, argument, message):
        assert message in str(Run("shop.Product", "image", argument).error)
        assert not any(thumbs_of(row.image.name) for row in rows)

    @pytest.mark.parametrize("since", ["2026-13-01", "yesterday", "2026-01-31T25:00"])
    def test_a_time_that_is_none(self, since):
        assert f"--since {since}: " in str(Run("shop.Product", "image", "--stale", f"--since={since}").error)


class TestAll:
    def test_every_field_with_thumbs(self, without_thumbs):
        names = [without_thumbs("a.jpg").image.name, without_thumbs("b.jpg", model=Book).image.name]
        manual = Document.objects.create(manual=upload()).manual.name
        default_storage.delete_thumbs(manual)
        plain = Plain.objects.create(file=upload())
        plain.file.storage.delete_thumbs(plain.file.name)
        run = Run("--all")
        assert run.error is None
        assert [thumbs_of(name) for name in names] == [ALL, ALL]
        assert thumbs_of(manual) == ["page.png"]
        assert plain.file.storage.exists(plain.file.storage.thumb_key(plain.file.name, "cover"))
        # The row of a Book is a row of Product, whose table has the name; a Plain has a field without a file.
        assert run.lines[-1] == "5 rows: 4 generated, 0 not an image, 1 without a file, 0 repeated, 0 failed."

    def test_of_no_such_database(self):
        assert str(Run("--all", "--database=nope").error).startswith("There is no database 'nope' among ")


def test_fail_fast(without_thumbs):
    gone = Product.objects.create(image="products/gone.jpg")
    name = without_thumbs().image.name
    run = Run("shop.Product", "image", "--fail-fast")
    assert str(run.error) == "Stopped at the first failure, after 0 rows."
    assert run.failures[0].startswith(f"Failed: 'products/gone.jpg' (row {gone.pk}): ")
    assert thumbs_of(name) == []


def test_a_terminal_that_does_not_have_all_letters(without_thumbs, monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY", 0)
    row = without_thumbs("é.jpg")
    written = io.BytesIO()
    stdout = io.TextIOWrapper(written, encoding="ascii", write_through=True)
    call_command("athumb_regen_field", "shop.Product", "image", verbosity=2, stdout=stdout)
    lines = written.getvalue().decode().splitlines()
    assert lines[0].endswith(r"left, at 'products/\xe9.jpg'")
    assert lines[1] == rf"generated: 'products/\xe9.jpg' (row {row.pk})"


def test_a_report_has_a_line_for_each_row(without_thumbs, tmp_path):
    row = without_thumbs('a"\n.jpg')
    gone = Product.objects.create(image="products/gone.jpg")
    report = tmp_path / "report.jsonl"
    for _ in range(2):
        Run("shop.Product", "image", f"--report={report}")
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert len(lines) == 4  # the second is added
    common = {"field": "shop.Product.image"}
    assert lines[0] == {**common, "pk": row.pk, "name": row.image.name, "outcome": "generated"}
    assert lines[1].pop("reason").startswith("FileNotFoundError: ")
    assert lines[1] == {**common, "pk": gone.pk, "name": "products/gone.jpg", "outcome": "failed"}


def test_a_report_says_what_a_dry_run_would_do(without_thumbs, tmp_path):
    without_thumbs()
    report = tmp_path / "report.jsonl"
    Run("shop.Product", "image", "--dry-run", f"--report={report}")
    assert json.loads(report.read_text())["outcome"] == "to be generated"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_report_on_a_full_disk(without_thumbs):
    without_thumbs()
    error = Run("shop.Product", "image", "--report=/dev/full").error
    assert str(error) == "The report cannot be written: [Errno 28] No space left on device"


def test_a_report_and_a_checkpoint_in_one_file(tmp_path):
    (tmp_path / "other").symlink_to(tmp_path / "one")
    files = f"--report={tmp_path / 'one'}", f"--checkpoint={tmp_path / 'x' / '..' / 'other'}"
    assert str(Run("shop.Product", "image", *files).error) == "--report and --checkpoint are two files."
    assert not (tmp_path / "one").exists()


def test_a_report_that_cannot_be_written(tmp_path):
    error = Run("shop.Product", "image", f"--report={tmp_path}").error
    assert str(error).startswith("The report cannot be written: ")
    assert str(tmp_path) in str(error)


class TestCheckpoint:
    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "checkpoint.json"

    def test_it_goes_on_where_it_was(self, without_thumbs, path):
        first, last = (without_thumbs(name).image.name for name in ("a.jpg", "c.jpg"))
        gone = Product.objects.create(image="products/gone.jpg")
        command = "shop.Product", "image", "--fail-fast", f"--checkpoint={path}"
        for _ in range(2):  # what failed is the first one the next time
            stopped = Run(*command)
            assert str(stopped.error) == "Stopped at the first failure, after 2 rows."
            assert [line.split(")")[0] for line in stopped.failures] == [f"Failed: 'products/gone.jpg' (row {gone.pk}"]
        default_storage.delete_thumbs(first)
        default_storage.delete_thumbs(last)
        later = without_thumbs("d.jpg").image.name
        default_storage.save("products/gone.jpg", upload())
        default_storage.delete_thumbs("products/gone.jpg")
        run = Run(*command)
        assert run.error is None
        assert [thumbs_of(name) for name in (first, last, gone.image.name, later)] == [[], [], ALL, ALL]
        assert run.lines == ["4 rows: 4 generated, 0 not an image, 0 without a file, 0 repeated, 0 failed."]

    def test_a_row_that_failed_is_done(self, without_thumbs, path):
        Product.objects.create(image="products/gone.jpg")
        command = "shop.Product", "image", f"--checkpoint={path}"
        for _ in range(2):
            run = Run(*command)
            assert str(run.error) == "1 of 1 row failed."
        assert run.failures == []  # it was told the first time

    def test_what_cannot_be_meant_leaves_none(self, path):
        Run("shop.Product", "image", "--filter=colour=red", f"--checkpoint={path}")
        assert not path.exists()

    def test_what_is_done_is_not_done_again(self, without_thumbs, path):
        name = without_thumbs().image.name
        first = Run("shop.Product", "image", f"--checkpoint={path}")
        default_storage.delete_thumbs(name)
        again = Run("shop.Product", "image", f"--checkpoint={path}")
        assert thumbs_of(name) == []
        assert again.lines == [f"{path} says that all is done. Remove it to begin anew.", *first.lines]

    def test_of_all_fields(self, without_thumbs, path):
        name = without_thumbs().image.name
        manual = Document.objects.create(manual=upload()).manual.name
        default_storage.delete_thumbs(manual)
        default_storage.delete(manual)
        assert str(Run("--all", "--fail-fast", f"--checkpoint={path}").error).startswith("Stopped at the first failure")
        assert thumbs_of(name) == ALL
        default_storage.delete_thumbs(name)
        run = Run("--all", f"--checkpoint={path}")
        assert thumbs_of(name) == []
        assert len(run.failures) == 1
        assert run.lines[-1] == "2 rows: 1 generated, 0 not an image, 0 without a file, 0 repeated, 1 failed."

    @pytest.mark.parametrize("argument", ["--thumb=large", "--filter=name=x", "--limit=3", "--dry-run"])
    def test_that_of_other_arguments_is_refused(self, without_thumbs, path, argument):
        Run("shop.Product", "image", f"--checkpoint={path}")
        error = Run("shop.Product", "image", argument, f"--checkpoint={path}").error
        assert str(error).startswith(
            f"{path} is the checkpoint of a command with other arguments, or of other thumbs: "
        )

    def test_that_of_other_thumbs_is_refused(self, without_thumbs, path, monkeypatch):
        Run("shop.Product", "image", f"--checkpoint={path}")
        field = Product._meta.get_field("image")
        monkeypatch.setattr(field, "thumbs", ThumbSet({"large": {"size": (70, 70)}}))
        monkeypatch.setattr(field, "_bound", None)
        assert "or of other thumbs" in str(Run("shop.Product", "image", f"--checkpoint={path}").error)

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"arguments": {}, "counts": {"NOBODY": 1}}', "null"])
    def test_what_is_none_is_refused(self, path, content):
        path.write_text(content)
        error = Run("shop.Product", "image", f"--checkpoint={path}").error
        assert str(error).startswith(f"{path} is no checkpoint of this command: ")
        assert path.read_text() == content


def test_a_storage_that_may_not_be_listed(make_s3, no_list_identity, monkeypatch):
    storage = make_s3(thumbs={"small": {"size": (20, 20)}}, **no_list_identity)
    field = Product._meta.get_field("image")
    monkeypatch.setattr(field, "_given", storage)
    monkeypatch.setattr(field, "_bound", None)
    Product.objects.create(image=upload())
    run = Run("shop.Product", "image", "--missing")
    assert str(run.error).startswith("What is missing or stale cannot be told: ")
    assert "AccessDenied" in str(run.error)
    assert Run("shop.Product", "image").error is None
