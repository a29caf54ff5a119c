"""An audit finds what is not as it should be, and to prune never loses what somebody uses."""

from __future__ import annotations

import hashlib
import random
import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

import pytest
from django.core.files.storage import Storage, storages
from django.db import OperationalError, connection, connections
from storages.backends.s3 import S3Storage

from athumb_storage.audit import KINDS, Pruning, Scope, audited, refuse_to_prune
from athumb_storage.exceptions import AuditError
from tests.buckets import keys_in
from tests.stock.models import Attachment, Elsewhere, Framed, Labelled, Numbered, Photo, Poster, Scan, Shown
from tests.stock.places import all_stored_in, field_of, put, stored_in

pytestmark = pytest.mark.django_db(databases=["default", "other"])

PHOTO, POSTER, SCAN, FILE = field_of(Photo), field_of(Poster), field_of(Scan), field_of(Attachment, "file")
CERTIFICATE, ELSEWHERE, NUMBERED = field_of(Framed, "certificate"), field_of(Elsewhere), field_of(Numbered)

ODD = [
    *("a-b.jpg", "a/b.jpg", "a.jpg", "a b+c.jpg", "100%.jpg", "%2F.jpg", 'it\'s "x".jpg', "ünï.jpg", "日本.jpg"),
    *("n\nl.jpg", "a;b.jpg", "a.jpg.jpg", "A.JPG", "a'--.jpg", "é.jpg", "é.jpg"),
]
"""Names as uploaders choose them; of the last two, one is composed and the other is not."""


@pytest.fixture
def storage(make_s3):
    return make_s3()


@pytest.fixture
def bucket_of_photos(storage, settings):
    """A bucket for photos alone, where everything may be pruned."""
    settings.ATHUMB_PRUNE_PREFIXES = [f"s3://{storage.bucket_name}/"]
    with stored_in(storage, PHOTO):
        yield storage


def thumbs_of(name):
    return [f"{name}.thumbs/small.jpg", f"{name}.thumbs/large.webp"]


def found(fields=(PHOTO,), **options):
    """The keys of each kind that has any."""
    with audited(Scope(fields), **options) as audit:
        kinds = {kind: {finding.key for finding in audit.findings(kind)} for kind in KINDS}
        assert {kind: len(keys) for kind, keys in kinds.items()} == {
            kind: total.count for kind, total in audit.totals().items()
        }
    return {kind: keys for kind, keys in kinds.items() if keys}


def pruned(fields=(PHOTO,), *, meanwhile=lambda: None, min_age=timedelta(0), kinds=KINDS[-2:]):
    """Prune; what became of the orphans."""
    with audited(Scope(fields)) as audit:
        pruning = Pruning(audit, kinds, min_age)
        meanwhile()
        return {outcome: count for outcome, count in pruning.run().items() if count}


class TestWhatIsFound:
    def test_nothing_where_all_is_in_order(self, bucket_of_photos):
        for name in ODD:
            put(bucket_of_photos, [name, *thumbs_of(name)])
            Photo.objects.create(image=name)
        Photo.objects.create(image="")
        Photo.objects.create(image=None)
        assert found() == {}

    @pytest.mark.parametrize("name", ODD)
    def test_each_kind_for_every_name(self, bucket_of_photos, name):
        Photo.objects.create(image=f"x/{name}")
        Photo.objects.create(image=f"y/{name}")
        small, large = thumbs_of(f"x/{name}")
        put(bucket_of_photos, [f"x/{name}", small, f"x/{name}.thumbs/old.jpg", f"z/{name}", *thumbs_of(f"z/{name}")])
        assert found() == {
            "missing_originals": {f"y/{name}"},
            "missing_thumbs": {large},
            "surplus_thumbs": {f"x/{name}.thumbs/old.jpg"},
            "orphaned_thumbs": {*thumbs_of(f"z/{name}")},
            "orphaned_originals": {f"z/{name}"},
        }

    def test_the_server_lists_in_another_order_than_bytes_have(self, bucket_of_photos):
        # "-" comes before "/", and SeaweedFS lists a folder before what is beside it.
        put(bucket_of_photos, ["a-b.jpg", "a/b.jpg", *thumbs_of("a-b.jpg"), *thumbs_of("a/b.jpg")])
        listed = [file.name for file in bucket_of_photos.list_files()]
        assert listed != sorted(listed)
        for name in ("a-b.jpg", "a/b.jpg"):
            Photo.objects.create(image=name)
        assert found() == {}

    def test_any_order(self, bucket_of_photos):
        names = [f"{number % 7}/{number}.jpg" for number in range(50)]
        put(bucket_of_photos, [*names, *(key for name in names[10:] for key in thumbs_of(name))])
        Photo.objects.bulk_create(Photo(image=name) for name in names[:40])
        files = list(bucket_of_photos.list_files())
        answers = []
        for seed in range(3):
            random.Random(seed).shuffle(files)
            answers.append(found(listing=lambda root: iter(files)))
        assert answers[0] == answers[1] == answers[2] == found()
        assert answers[0]["missing_thumbs"] == {key for name in names[:10] for key in thumbs_of(name)}

    def test_a_collation_that_takes_letters_for_the_same(self, storage):
        with stored_in(storage, field_of(Labelled)):
            for code, name in (("b", "b.jpg"), ("A", "A.jpg"), ("a2", "a.jpg"), ("Z", "B.jpg")):
                Labelled.objects.create(code=code, image=name)
            put(storage, ["a.jpg", "A.jpg", "b.jpg", "a.jpg.thumbs/small.jpg", "b.jpg.thumbs/small.jpg"])
            assert found([field_of(Labelled)]) == {
                "missing_originals": {"B.jpg"},
                "missing_thumbs": {"A.jpg.thumbs/small.jpg"},
            }

    def test_what_is_not_listed_yet_is_asked_for(self, storage, monkeypatch):
        """A thousand at a time, until one of these times gives nothing."""
        monkeypatch.setattr("athumb_storage.audit.reconciling._BATCH", 3)
        names = [f"{number}.jpg" for number in range(10)]
        Photo.objects.bulk_create(Photo(image=name) for name in names)
        asked = []
        storage.client.meta.events.register("before-send.s3.HeadObject", lambda request, **_: asked.append(request.url))
        with stored_in(storage, PHOTO):
            assert found()["missing_originals"] == {*names}
            assert len(asked) == 3
            put(storage, there := {*names[::2], *thumbs_of("0.jpg")})
            lost = {"missing_originals": {*names} - there}
            lost["missing_thumbs"] = {thumb for name in names[2::2] for thumb in thumbs_of(name)}
            assert found(listing=lambda _: iter(())) == lost

    def test_it_agrees_with_sets(self, make_s3):
        """Five fields, four locations, two databases and three namings in one bucket, against plain arithmetic."""
        bucket = make_s3()
        storages = {
            PHOTO: bucket,
            POSTER: make_s3(location="shop", naming="fingerprint"),
            SCAN: make_s3(location="old", naming="athumb"),
            FILE: S3Storage(**{**plain_options(bucket), "location": "shop/files"}),
            CERTIFICATE: make_s3(location="shop"),
        }
        world = World(random.Random(13), storages)
        with all_stored_in(storages):
            world.fill(bucket)
            expected = world.by_sets()
            assert {*expected} == {*KINDS}  # else it tries too little
            for kind, keys in found((PHOTO, POSTER, SCAN), since=world.since).items():
                assert sorted(keys ^ expected[kind]) == [], kind
            assert sum(map(len, expected.values())) > 100


def plain_options(storage):
    names = ("bucket_name", "endpoint_url", "access_key", "secret_key", "region_name")
    return {name: getattr(storage, name) for name in names}


class World:
    """A bucket with a bit of everything, and what an audit of it has to find."""

    def __init__(self, chance, storages):
        self.chance = chance
        fingerprints = {name: thumb.fingerprint for name, thumb in POSTER.thumbs.items()}
        wide = [f"wide{density}.{fingerprints['wide']}" for density in ("", "@2x")]
        self.posters = [f"small.{fingerprints['small']}.jpg"] + [f"{w}.{e}" for w in wide for e in ("webp", "png")]
        self.rows = {"photo": [], "poster": [], "scan": [], "file": [], "certificate": []}
        self.early, self.late = set(), set()

    def thumbs(self, kind, key):
        if kind == "photo":
            return thumbs_of(key)
        if kind == "poster":
            return [f"{key}.thumbs/{label}" for label in self.posters]
        root, _, extension = key.rpartition(".")
        return [f"{root}_small.{extension}"] if kind == "scan" else []

    def fill(self, bucket):
        places = {"photo": "", "poster": "shop/", "scan": "old/", "file": "shop/files/", "certificate": "shop/"}
        for kind, place in places.items():
            for number in range(30):
                name = f"{self.chance.choice(['', 'p/', 'p-', 'q/r/'])}{kind}{number}{self.chance.choice(ODD[2:4])}"
                key = place + name
                if self.chance.random() < 0.8:
                    self.rows[kind].append((name, key))
                keys = [key, *self.thumbs(kind, key)]
                if self.chance.random() < 0.3:
                    keys += [
                        f"{key}.thumbs/gone.jpg",
                        f"{key}.thumbs/small.00000000.jpg",
                        f"{key}.thumbs/x.0000000g.jpg",
                    ]
                for each in keys:
                    if self.chance.random() < 0.8:
                        (self.early if self.chance.random() < 0.5 else self.late).add(each)
        self.rows["poster"].append(("manual.pdf", "shop/manual.pdf"))  # whose name says that it has no thumbs
        self.early |= {"shop/manual.pdf", f"shop/manual.pdf.thumbs/{self.posters[0]}", "loose.txt"}
        put(bucket, sorted(self.early))
        time.sleep(1.1)
        self.since = datetime.now(UTC).replace(microsecond=0)
        time.sleep(1.1)
        put(bucket, sorted(self.late))
        for kind, model in {"photo": Photo, "poster": Poster, "scan": Scan}.items():
            half = len(self.rows[kind]) // 2
            for alias, rows in (("default", self.rows[kind][:half]), ("other", self.rows[kind][half:])):
                model.objects.using(alias).bulk_create(model(image=name) for name, _ in rows)
        Attachment.objects.bulk_create(Attachment(file=name) for name, _ in self.rows["file"])
        for name, _ in self.rows["certificate"]:
            Framed.objects.create(certificate=name)

    def by_sets(self):
        listed = self.early | self.late
        used = {key for rows in self.rows.values() for _, key in rows}
        told = {kind: {key for _, key in self.rows[kind]} for kind in ("photo", "poster", "scan")}
        originals = set().union(*told.values())
        expected = {kind: {k: self.thumbs(kind, k) for k in keys} for kind, keys in told.items()}
        required = {
            (kind, key, thumb)
            for kind, keys in expected.items()
            for key, thumbs in keys.items()
            for thumb in thumbs
            if not key.endswith("manual.pdf")
        }
        known = {thumb for keys in expected.values() for thumbs in keys.values() for thumb in thumbs}
        # A file of the plain field may have thumbs by any rule of the places that it lies in.
        known |= {t for _, key in self.rows["file"] for kind in ("photo", "poster") for t in self.thumbs(kind, key)}
        stale = {
            thumb
            for kind, key, thumb in required
            if kind != "poster" and {thumb, key} <= listed and thumb in self.early
        }
        surplus, orphaned_thumbs, orphans = set(), set(), set()
        for key in listed - used - known:
            folder, is_thumb, label = key.rpartition(".thumbs/")
            if not is_thumb:
                orphans.add(key)
            elif folder not in used:
                orphaned_thumbs.add(key)
            elif folder in told["poster"] and label.startswith("small.0000"):
                is_there = f"{folder}.thumbs/{self.posters[0]}" in listed
                (surplus if is_there else stale).add(key)
            elif folder in originals:
                surplus.add(key)
        return {
            "missing_originals": originals - listed,
            "missing_thumbs": {thumb for _, key, thumb in required if key in listed} - listed,
            "stale_thumbs": stale,
            "surplus_thumbs": surplus,
            "orphaned_thumbs": orphaned_thumbs,
            "orphaned_originals": orphans,
        }


class TestWhatIsPruned:
    def test_orphans_and_nothing_else(self, bucket_of_photos):
        Photo.objects.create(image="a.jpg")
        kept = {"a.jpg", *thumbs_of("a.jpg"), "a.jpg.thumbs/surplus.jpg"}
        put(bucket_of_photos, [*kept, "b.jpg", *thumbs_of("b.jpg")])
        assert pruned() == {"removed": 3}
        assert keys_in(bucket_of_photos) == kept

    def test_thumbs_alone_where_originals_are_not_asked_for(self, bucket_of_photos):
        put(bucket_of_photos, ["b.jpg", *thumbs_of("b.jpg"), *thumbs_of("c.jpg")])
        assert pruned(kinds=["orphaned_thumbs"]) == {"removed": 4}
        assert keys_in(bucket_of_photos) == {"b.jpg"}

    @pytest.mark.parametrize("name", ODD)
    def test_every_name(self, bucket_of_photos, name):
        Photo.objects.create(image=f"x/{name}")
        kept = {f"x/{name}", *thumbs_of(f"x/{name}")}
        put(bucket_of_photos, [*kept, f"z/{name}", *thumbs_of(f"z/{name}")])
        pruned()
        assert keys_in(bucket_of_photos) == kept

    def test_a_name_by_which_the_storage_would_remove_another(self, bucket_of_photos):
        Photo.objects.create(image="a/b.jpg")
        kept = {"a/b.jpg", *thumbs_of("a/b.jpg")}
        put(bucket_of_photos, kept)
        # SeaweedFS has no such keys itself.
        files = [*bucket_of_photos.list_files()]
        odd = [type(files[0])("a//b.jpg", files[0].size, files[0].modified, files[0].etag)]
        with audited(Scope([PHOTO]), listing=lambda root: iter([*files, *odd])) as audit:
            outcomes = Pruning(audit, KINDS[-2:], timedelta(0)).run()
        assert outcomes["removed"] == 0
        assert keys_in(bucket_of_photos) == kept

    def test_young_orphans_stay(self, bucket_of_photos):
        put(bucket_of_photos, thumbs_of("b.jpg"))
        assert pruned(min_age=timedelta(hours=1)) == {"too young": 2}
        assert len(keys_in(bucket_of_photos)) == 2

    def test_more_than_a_batch(self, bucket_of_photos, monkeypatch):
        monkeypatch.setattr("athumb_storage.audit.pruning.BATCH", 7)
        put(bucket_of_photos, [f"{number}.jpg.thumbs/small.jpg" for number in range(20)])
        assert pruned() == {"removed": 20}
        assert keys_in(bucket_of_photos) == set()


class TestWhatHappensInBetween:
    """After the listing, and before something is removed."""

    @pytest.mark.parametrize("database", ["default", "other"])
    def test_a_row_appears(self, bucket_of_photos, database):
        put(bucket_of_photos, ["b.jpg", *thumbs_of("b.jpg"), *thumbs_of("c.jpg")])
        outcomes = pruned(meanwhile=lambda: Photo.objects.using(database).create(image="b.jpg"))
        assert outcomes == {"in use by now": 3, "removed": 2}
        assert keys_in(bucket_of_photos) == {"b.jpg", *thumbs_of("b.jpg")}

    @pytest.mark.parametrize("name", ["/b.jpg", "./b.jpg"])
    def test_a_row_with_a_name_of_old(self, bucket_of_photos, name):
        put(bucket_of_photos, kept := {"b.jpg", *thumbs_of("b.jpg")})
        assert pruned(meanwhile=lambda: Photo.objects.create(image=name)) == {"in use by now": 3}
        assert keys_in(bucket_of_photos) == kept

    def test_a_row_of_a_plain_field_whose_thumbs_cannot_be_told_back(self, make_s3, settings):
        storage = make_s3(naming="athumb")
        settings.ATHUMB_PRUNE_PREFIXES = [f"s3://{storage.bucket_name}/"]
        put(storage, kept := {"b.jpg", "b_small.jpg"})
        with all_stored_in({SCAN: storage, FILE: S3Storage(**plain_options(storage))}):
            outcomes = pruned([SCAN], meanwhile=lambda: Attachment.objects.create(file="b.jpg"))
        assert outcomes == {"in use by now": 2}
        assert keys_in(storage) == kept

    def test_a_row_whose_thumbs_cannot_be_told_back(self, make_s3, settings):
        storage = make_s3(naming="athumb")
        settings.ATHUMB_PRUNE_PREFIXES = [f"s3://{storage.bucket_name}/"]
        put(storage, ["b.jpg", "b_small.jpg", "c_small.jpg"])
        with stored_in(storage, SCAN):
            outcomes = pruned([SCAN], meanwhile=lambda: Scan.objects.create(image="b.jpg"))
        assert outcomes == {"in use by now": 2, "removed": 1}
        assert keys_in(storage) == {"b.jpg", "b_small.jpg"}

    def test_an_object_is_written_anew(self, bucket_of_photos):
        small, large = thumbs_of("b.jpg")
        put(bucket_of_photos, [small, large])
        assert pruned(meanwhile=lambda: put(bucket_of_photos, [small], b"y")) == {
            "changed since they were listed": 1,
            "removed": 1,
        }
        assert keys_in(bucket_of_photos) == {small}

    def test_the_same_is_written_anew(self, bucket_of_photos):
        small, large = thumbs_of("b.jpg")
        put(bucket_of_photos, [small, large])

        def rewrite():
            time.sleep(1.1)
            put(bucket_of_photos, [small])

        assert pruned(meanwhile=rewrite) == {"changed since they were listed": 1, "removed": 1}

    def test_somebody_else_removes_it(self, bucket_of_photos):
        small, large = thumbs_of("b.jpg")
        put(bucket_of_photos, [small, large])
        assert pruned(meanwhile=lambda: bucket_of_photos.remove_files([small])) == {"gone already": 1, "removed": 1}

    def test_a_callable_learns_of_it(self, bucket_of_photos, settings):
        settings.ATHUMB_FILES_IN_USE = [f"{__name__}.names_in_texts"]
        put(bucket_of_photos, ["b.jpg", *thumbs_of("b.jpg"), *thumbs_of("c.jpg")])
        IN_TEXTS.clear()
        assert pruned(meanwhile=lambda: IN_TEXTS.append("b.jpg")) == {"in use by now": 3, "removed": 2}


IN_TEXTS = []


class ReadsElsewhere:
    """A router of a project that reads what another migrates."""

    model = None

    def db_for_read(self, model, **_):
        return "other" if model is self.model else None

    db_for_write = db_for_read

    def allow_migrate(self, db, app_label, **_):
        return db == "default"


def names_in_the_default_storage(storage):
    return ["a.jpg"] if storage is storages["default"] else []


def names_in_texts(storage):
    assert storage.bucket_name
    return IN_TEXTS


class KeepsToItself:
    """Keys that do not tell their original, though all thumbs of one have a folder."""

    def key(self, name, variant):
        return f"{self.prefix(name)}{variant.label}.{variant.extension}"

    def prefix(self, name):
        return f"thumbs/{hashlib.sha256(name.encode()).hexdigest()}/"

    def original(self, key):
        return None


class TestSharedBuckets:
    """Nobody loses a file because another field, project or location looks at the same bucket."""

    def test_two_models(self, bucket_of_photos):
        Photo.objects.create(image="a.jpg")
        Poster.objects.create(image="b.jpg")
        with stored_in(bucket_of_photos, POSTER):
            kept = {"a.jpg", *thumbs_of("a.jpg"), "b.jpg", "b.jpg.thumbs/small.jpg", "b.jpg.thumbs/old.jpg"}
            put(bucket_of_photos, kept)
            assert pruned() == {}
        assert keys_in(bucket_of_photos) == kept

    @pytest.mark.parametrize("naming", ["folder", "fingerprint", "athumb"])
    @pytest.mark.parametrize("inner", [True, False])
    def test_a_location_in_the_other(self, make_s3, settings, naming, inner):
        """Whichever is audited, and whatever the naming of the other is."""
        outer, within = make_s3(naming=naming), make_s3(location="in")
        settings.ATHUMB_PRUNE_PREFIXES = [f"s3://{outer.bucket_name}/"]
        with all_stored_in({SCAN: outer, PHOTO: within}):
            Scan.objects.create(image="in/scan.jpg")
            Scan.objects.create(image="scan.jpg")
            Photo.objects.create(image="photo.jpg")
            scans = {"in/scan.jpg", "scan.jpg", *SCAN.storage.thumb_keys("in/scan.jpg")["small"]}
            kept = scans | {"in/photo.jpg", *thumbs_of("in/photo.jpg")}
            put(outer, [*kept, "in/none.jpg.thumbs/small.jpg"])
            pruned([PHOTO if inner else SCAN])
        assert keys_in(outer) >= kept

    def test_another_project_beside(self, make_s3, settings):
        storage = make_s3()
        settings.ATHUMB_PRUNE_PREFIXES = [f"s3://{storage.bucket_name}/ours/"]
        theirs = {"theirs/a.jpg", *thumbs_of("theirs/a.jpg"), "ours-not/a.jpg", *thumbs_of("ours-not/a.jpg"), "a.jpg"}
        put(storage, [*theirs, "ours/a.jpg", *thumbs_of("ours/a.jpg")])
        with stored_in(storage, PHOTO):
            assert pruned() == {"outside of ATHUMB_PRUNE_PREFIXES": 7, "removed": 3}
        assert keys_in(storage) == theirs

    def test_a_plain_field_and_a_plain_storage(self, bucket_of_photos):
        plain = S3Storage(**{**plain_options(bucket_of_photos), "location": "files"})
        put(bucket_of_photos, kept := {"files/a.pdf", "files/b.jpg", *thumbs_of("files/b.jpg"), "c.pdf"})
        with all_stored_in({FILE: plain, CERTIFICATE: bucket_of_photos}):
            for name in ("a.pdf", "b.jpg"):
                Attachment.objects.create(file=name)
            Framed.objects.create(certificate="c.pdf")
            assert pruned() == {}
        assert keys_in(bucket_of_photos) == kept

    def test_rows_of_a_derived_model_and_of_its_parent(self, bucket_of_photos):
        put(bucket_of_photos, kept := {"a.jpg", *thumbs_of("a.jpg"), "b.jpg", *thumbs_of("b.jpg"), "c.pdf"})
        with stored_in(bucket_of_photos, CERTIFICATE):
            Framed.objects.create(image="a.jpg", certificate="c.pdf")
            Photo.objects.create(image="b.jpg")
            assert found() == {}
            assert pruned() == {}
        assert keys_in(bucket_of_photos) == kept

    def test_rows_of_another_database(self, bucket_of_photos):
        put(bucket_of_photos, kept := {"a.jpg", *thumbs_of("a.jpg")})
        Photo.objects.using("other").create(image="a.jpg")
        assert found() == {}
        assert pruned() == {}
        assert keys_in(bucket_of_photos) == kept

    def test_what_is_in_use_without_a_field(self, bucket_of_photos, settings):
        settings.ATHUMB_FILES_IN_USE = [f"{__name__}.names_in_texts"]
        IN_TEXTS[:] = ["a.jpg", "sub//b.jpg", ""]
        kept = {"a.jpg", *thumbs_of("a.jpg"), "a.jpg.thumbs/old.jpg", "sub/b.jpg", *thumbs_of("sub/b.jpg")}
        put(bucket_of_photos, kept)
        assert found() == {}
        assert pruned() == {}
        assert keys_in(bucket_of_photos) == kept

    def test_in_use_without_a_field_where_thumbs_cannot_be_told_back(self, make_s3, settings):
        storage = make_s3(naming="athumb")
        settings.ATHUMB_PRUNE_PREFIXES = [f"s3://{storage.bucket_name}/"]
        settings.ATHUMB_FILES_IN_USE = [f"{__name__}.names_in_texts"]
        IN_TEXTS[:] = ["a.jpg"]
        put(storage, ["a.jpg", "a_small.jpg"])
        with stored_in(storage, SCAN):
            assert found([SCAN]) == {}

    def test_a_plain_field_where_thumbs_cannot_be_told_back(self, make_s3, settings):
        """Such as the table of a history, which keeps the names of files that were replaced."""
        storage = make_s3(naming="athumb")
        settings.ATHUMB_PRUNE_PREFIXES = [f"s3://{storage.bucket_name}/"]
        put(storage, kept := {"a.jpg", "a_small.jpg"})
        Attachment.objects.create(file="a.jpg")
        with all_stored_in({SCAN: storage, FILE: S3Storage(**plain_options(storage))}):
            assert found([SCAN]) == {}
            assert pruned([SCAN]) == {}
        assert keys_in(storage) == kept

    @pytest.mark.parametrize("table", ["stock_elsewhere", "Stock_Elsewhere"])
    def test_rows_of_a_table_that_nobody_manages(self, bucket_of_photos, table):
        """Databases differ in which names of a table they take for the same, so it is asked itself."""
        put(bucket_of_photos, kept := {"a.jpg", *thumbs_of("a.jpg")})
        with connection.cursor() as cursor:
            cursor.execute(f'CREATE TABLE "{table}" (id integer PRIMARY KEY, image text)')
        Elsewhere.objects.create(image="a.jpg")
        with stored_in(bucket_of_photos, ELSEWHERE):
            assert found() == {}
            assert pruned() == {}
        assert keys_in(bucket_of_photos) == kept

    def test_nothing_where_such_a_table_cannot_be_read(self, bucket_of_photos):
        with stored_in(bucket_of_photos, ELSEWHERE):
            assert found() == {}
            with pytest.raises(AuditError, match=r"stock\.Elsewhere\.image in the database 'default' cannot be read"):
                refuse_to_prune(Scope([PHOTO]))

    def test_nothing_where_such_a_table_cannot_be_read_now(self, bucket_of_photos):
        """Also if there is another of the same name, in the database that the project uses."""
        for database in ("default", "other"):
            with connections[database].cursor() as cursor:
                cursor.execute("CREATE TABLE stock_elsewhere (id integer PRIMARY KEY, image text)")
        Elsewhere.objects.using("other").create(image="a.jpg")

        def locked(execute, sql, *arguments):
            if "stock_elsewhere" in sql:
                raise OperationalError("timed out")
            return execute(sql, *arguments)

        is_told = pytest.raises(AuditError, match=r"stock\.Elsewhere\.image in the database 'other'.*timed out")
        with stored_in(bucket_of_photos, ELSEWHERE), connections["other"].execute_wrapper(locked), is_told:
            found()

    @pytest.mark.parametrize("model", [Photo, Shown, Framed])
    def test_rows_that_are_read_where_nothing_is_migrated(self, bucket_of_photos, settings, monkeypatch, model):
        """By the model that has the field, a proxy of it, or one that is derived from it."""
        put(bucket_of_photos, kept := {"a.jpg", *thumbs_of("a.jpg")})
        monkeypatch.setattr(ReadsElsewhere, "model", model)
        settings.DATABASE_ROUTERS = [f"{__name__}.ReadsElsewhere"]
        model.objects.create(image="a.jpg")
        assert pruned() == {}
        assert keys_in(bucket_of_photos) == kept

    def test_a_database_that_has_not_all_tables(self, bucket_of_photos):
        """Of those that no router speaks of, each may have every model."""
        with connections["other"].cursor() as cursor:
            cursor.execute("ALTER TABLE stock_scan RENAME TO stock_away")
        with stored_in(bucket_of_photos, SCAN):
            Scan.objects.create(image="a.jpg")
            put(bucket_of_photos, ["a.jpg", *thumbs_of("a.jpg")])
            assert found() == {}
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE stock_scan RENAME TO stock_away")
        with stored_in(bucket_of_photos, SCAN), pytest.raises(AuditError, match="'stock_scan' cannot be read"):
            found()

    @pytest.mark.parametrize("naming", ["folder", "athumb"])
    def test_rows_of_a_view_whose_key_repeats_itself(self, make_s3, settings, monkeypatch, naming):
        monkeypatch.setattr("athumb_storage.audit.rows.PAGE", 2)
        storage = make_s3(naming=naming)
        settings.ATHUMB_PRUNE_PREFIXES = [f"s3://{storage.bucket_name}/"]
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE stock_elsewhere (id integer, image text)")
        names = {f"{number}.jpg" for number in range(5)}
        Elsewhere.objects.bulk_create(Elsewhere(id=1, image=name) for name in names)
        put(storage, names)
        with stored_in(storage, ELSEWHERE):
            assert set(found([ELSEWHERE])) == {"missing_thumbs"}
            assert pruned([ELSEWHERE]) == {}

    @pytest.mark.parametrize("naming", ["athumb", KeepsToItself()])
    def test_a_row_that_appears_behind_the_page_that_is_read(self, make_s3, settings, monkeypatch, naming):
        """Primary keys need not grow, and a thumb key need not tell its original."""
        monkeypatch.setattr("athumb_storage.audit.pruning.BATCH", 1)
        storage = make_s3(naming=naming)
        settings.ATHUMB_PRUNE_PREFIXES = [f"s3://{storage.bucket_name}/"]
        with stored_in(storage, NUMBERED):
            kept = {"b.jpg", *NUMBERED.storage.thumb_keys("b.jpg")["small"]}
            put(storage, kept)
            outcomes = pruned([NUMBERED], meanwhile=lambda: Numbered.objects.create(image="b.jpg"))
        assert outcomes == {"in use by now": 2}

    def test_the_default_of_a_field(self, bucket_of_photos, monkeypatch):
        monkeypatch.setattr(PHOTO, "_get_default", lambda: "avatar.jpg")
        put(bucket_of_photos, kept := {"avatar.jpg", *thumbs_of("avatar.jpg")})
        assert found() == {}
        assert pruned() == {}
        assert keys_in(bucket_of_photos) == kept

    def test_a_default_that_is_not_stored_is_not_missing(self, bucket_of_photos, monkeypatch):
        monkeypatch.setattr(PHOTO, "_get_default", lambda: "avatar.jpg")
        assert found() == {}

    def test_a_storage_of_which_nobody_knows_where_it_stores(self, bucket_of_photos, caplog):
        class Wrapper(Storage):
            pass

        with stored_in(Wrapper(), FILE):
            refuse_to_prune(Scope([PHOTO]))
        assert "Nobody knows where the Wrapper of stock.Attachment.file" in caplog.text

    def test_storages_that_no_field_has(self, bucket_of_photos, settings):
        """Static files beside the media, and what a project stores by an alias."""
        options = plain_options(bucket_of_photos)
        aliases = {
            "staticfiles": ("storages.backends.s3.S3Storage", {**options, "location": "static"}),
            "news": ("athumb_storage.storages.S3ThumbnailStorage", {**options, "location": "news"}),
            "same": ("storages.backends.s3.S3Storage", options),
        }
        settings.STORAGES = settings.STORAGES | {
            alias: {"BACKEND": backend, "OPTIONS": options} for alias, (backend, options) in aliases.items()
        }
        kept = {"static/admin.css", "news/a.jpg", *thumbs_of("news/a.jpg"), "news/old.jpg.thumbs/x.jpg"}
        put(bucket_of_photos, [*kept, "orphan.jpg", "newspaper.jpg"])
        assert found() == {"orphaned_originals": {"orphan.jpg", "newspaper.jpg"}}
        pruned()
        assert keys_in(bucket_of_photos) == kept

    def test_a_field_within_a_storage_that_none_has(self, make_s3, settings):
        outer, inner = make_s3(), make_s3(location="news/in")
        options = {**plain_options(outer), "location": "news"}
        settings.STORAGES = settings.STORAGES | {
            "news": {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
        }
        put(outer, ["news/a.jpg", "news/in/b.jpg", "c.jpg"])
        with all_stored_in({PHOTO: outer, POSTER: inner}):
            assert found() == {"orphaned_originals": {"news/in/b.jpg", "c.jpg"}}

    def test_a_callable_is_asked_about_every_storage(self, bucket_of_photos, settings):
        settings.STORAGES = settings.STORAGES | {
            "default": {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": plain_options(bucket_of_photos)},
        }
        settings.ATHUMB_FILES_IN_USE = [f"{__name__}.names_in_the_default_storage"]
        put(bucket_of_photos, kept := {"a.jpg", *thumbs_of("a.jpg")})
        assert found() == {}
        assert pruned() == {}
        assert keys_in(bucket_of_photos) == kept

    @pytest.mark.parametrize(
        "names", ["a.jpg", b"a.jpg", {"a.jpg": 1}, 5, None, [("a.jpg",)], [b"a.jpg"], [Photo(image="a.jpg")]], ids=repr
    )
    def test_a_callable_that_gives_no_names(self, bucket_of_photos, settings, monkeypatch, names):
        settings.ATHUMB_FILES_IN_USE = [f"{__name__}.names_in_texts"]
        monkeypatch.setitem(globals(), "IN_TEXTS", names)
        with pytest.raises(AuditError, match=r"test_audit\.names_in_texts in ATHUMB_FILES_IN_USE gives"):
            found()

    def test_names_that_are_files_or_paths(self, bucket_of_photos, settings):
        settings.ATHUMB_FILES_IN_USE = [f"{__name__}.names_in_texts"]
        IN_TEXTS[:] = [Photo(image="a.jpg").image, PurePosixPath("sub/b.jpg"), Photo().image]
        put(bucket_of_photos, ["a.jpg", "sub/b.jpg"])
        assert found() == {}

    def test_a_name_that_no_database_has(self, make_on_disk, tmp_path, settings):
        settings.ATHUMB_PRUNE_PREFIXES = [f"{tmp_path}/"]
        (tmp_path / "caf\udce9.jpg").write_bytes(b"x")
        with stored_in(make_on_disk(location=tmp_path), PHOTO):
            assert pruned() == {"removed": 1}

    def test_a_folder_behind_a_link(self, make_on_disk, tmp_path, settings):
        """The same file has a path by the link, which rows may have, and another."""
        settings.ATHUMB_PRUNE_PREFIXES = [f"{tmp_path}/media/"]
        (tmp_path / "data").mkdir()
        (tmp_path / "media").symlink_to("data")
        (tmp_path / "data/a.jpg").write_bytes(b"x")
        Photo.objects.create(image=f"{tmp_path}/media/a.jpg")
        with stored_in(make_on_disk(location=tmp_path / "media"), PHOTO):
            assert set(found()) == {"missing_thumbs"}
            assert pruned() == {}

    @pytest.mark.parametrize("leads_there", [True, False])
    def test_a_link_in_another_storage(self, make_on_disk, tmp_path, settings, leads_there):
        settings.ATHUMB_PRUNE_PREFIXES = [f"{tmp_path}/media/"]
        for folder in ("media", "static"):
            (tmp_path / folder).mkdir()
        (tmp_path / "static/link").symlink_to("../media" if leads_there else "../other")
        options = {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "static"},
        }
        settings.STORAGES = settings.STORAGES | {"static": options}
        with stored_in(make_on_disk(location=tmp_path / "media"), PHOTO):
            scope = Scope([PHOTO])
        with pytest.raises(AuditError, match="static/link' leads there") if leads_there else nullcontext():
            refuse_to_prune(scope)

    def test_rows_that_a_manager_hides(self, bucket_of_photos, monkeypatch):
        put(bucket_of_photos, kept := {"a.jpg", *thumbs_of("a.jpg")})
        Photo.objects.create(image="a.jpg")
        monkeypatch.setattr(type(Photo.objects), "get_queryset", lambda self: Photo._base_manager.none())
        assert pruned() == {}
        assert keys_in(bucket_of_photos) == kept
