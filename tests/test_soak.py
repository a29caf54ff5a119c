"""The soak can fail: each rule that a run is held to, against a run that breaks it. No web server is started here."""

import io
import sqlite3
from dataclasses import replace

import pytest
from django.core.files.base import ContentFile
from gallery.models import Photo
from PIL import Image, ImageOps

from athumb_storage.exceptions import UploadedImageIsUnreadableError
from athumb_storage.storages import InMemoryThumbnailStorage
from tests.benchmarks.soak import aftermath, files, promises, report
from tests.benchmarks.soak.aftermath import Aftermath
from tests.benchmarks.soak.clients import REFUSED, STORED, Answer
from tests.benchmarks.soak.run import Plan, Run
from tests.benchmarks.soak.watch import Usage

SMALL = files.draw_small()
BAD = files.draw_bad(SMALL[0].data, files.draw_one((2000, 1500)))


class TestFiles:
    @pytest.mark.parametrize(
        "upload", {upload.kind: upload for upload in SMALL}.values(), ids=lambda upload: upload.kind
    )
    def test_good_ones_are_what_they_say(self, upload):
        InMemoryThumbnailStorage().check_image(ContentFile(upload.data, upload.name))
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(upload.data)))
        assert image.size == upload.size
        assert aftermath._middle(image) == pytest.approx(upload.colour, abs=aftermath._TOLERANCE / 2)

    def test_no_two_could_be_taken_for_each_other(self):
        for one in SMALL:
            for other in SMALL:
                apart = max(abs(a - b) for a, b in zip(one.colour, other.colour, strict=True))
                assert one is other or apart > 2 * aftermath._TOLERANCE

    @pytest.mark.parametrize("upload", BAD, ids=lambda upload: upload.kind)
    def test_bad_ones_are_bad(self, upload):
        assert not upload.good
        with pytest.raises(UploadedImageIsUnreadableError):
            InMemoryThumbnailStorage().check_image(ContentFile(upload.data, upload.name))


class Site:
    """A database, a log and a bucket as a load leaves them, all in order at first."""

    def __init__(self, folder, storage):
        self.database, self.log = folder / "db.sqlite3", folder / "server.log"
        self.log.write_text("")
        self.storage = storage.with_thumbs(Photo._meta.get_field("image").storage.thumbs)
        self.answers = []
        self.connection = sqlite3.connect(self.database)
        self.connection.execute("CREATE TABLE gallery_photo (title, image, width, height)")

    def add(self, upload):
        title = f"0-{len(self.answers)}"
        name = self.storage.save(f"photos/{upload.name}", ContentFile(upload.data))
        self.execute("INSERT INTO gallery_photo VALUES (?, ?, ?, ?)", title, name, *(upload.size or (1, 1)))
        self.answers.append(Answer(upload, title, 0, 1, STORED))
        return name

    def execute(self, statement, *values):
        self.connection.execute(statement, values)
        self.connection.commit()

    def examined(self):
        return aftermath.examine(self.storage.client, self.storage.bucket_name, self.database, self.log, self.answers)


@pytest.fixture
def site(tmp_path, make_s3):
    site = Site(tmp_path, make_s3())
    yield site
    site.connection.close()


class TestAftermath:
    def test_all_in_order(self, site):
        for upload in {upload.kind: upload for upload in SMALL}.values():
            site.add(upload)
        assert site.examined() == Aftermath(rows=5)

    def test_a_thumb_is_missing(self, site):
        name = site.add(SMALL[0])
        site.storage._remove([site.storage.thumb_key(name, "small")])
        (fault,) = site.examined().incomplete
        assert "has the thumbs ['large', 'square']" in fault

    def test_the_original_is_missing(self, site):
        site.storage._remove([site.add(SMALL[0])])
        (fault,) = site.examined().incomplete
        assert "cannot be read" in fault

    @pytest.mark.parametrize("part", ["original", "square", "small", "large"])
    def test_a_part_of_another_upload(self, site, part):
        name, other = site.add(SMALL[0]), site.add(SMALL[1])
        keys = [one if part == "original" else site.storage.thumb_key(one, part) for one in (name, other)]
        with site.storage._open_original(keys[1]) as content:
            site.storage._write_thumb(keys[0], content.read(), "image/jpeg", replace=True)
        (fault,) = site.examined().incomplete
        assert fault.startswith(name)
        assert part in fault

    def test_a_thumb_of_another_size(self, site):
        name = site.add(SMALL[0])
        site.storage._write_thumb(
            site.storage.thumb_key(name, "large"), files.draw_one((320, 240)), "image/jpeg", replace=True
        )
        assert any("large is (320, 240)" in fault for fault in site.examined().incomplete)

    def test_sizes_in_the_row(self, site):
        site.add(SMALL[0])
        site.execute("UPDATE gallery_photo SET width = 480, height = 640")
        (fault,) = site.examined().incomplete
        assert "the row says (480, 640)" in fault

    def test_a_bad_file_was_stored(self, site):
        site.add(replace(SMALL[0], colour=None, size=None))
        (fault,) = site.examined().incomplete
        assert "should have been refused" in fault

    def test_an_upload_without_a_row_is_miscounted_and_its_keys_are_left(self, site):
        name = site.add(SMALL[0])
        site.execute("DELETE FROM gallery_photo")
        found = site.examined()
        assert found.miscounted == ["upload 0-0: answered as stored, but there is no row"]
        assert len(found.leftovers) == 4
        assert found.silent == found.leftovers
        site.log.write_text(f"ERROR: Left behind by a failed upload of 'x': {', '.join(found.leftovers)}\n")
        assert site.examined().silent == []
        site.log.write_text(f"ERROR: Left behind by a failed upload of {name!r}: {name}.thumbs/large.webp\n")
        assert len(site.examined().silent) == 3

    def test_rows_that_nobody_was_promised(self, site):
        site.add(SMALL[0])
        site.execute("INSERT INTO gallery_photo SELECT 'other', image, width, height FROM gallery_photo")
        assert len(site.examined().miscounted) == 2  # and two rows name one file


SECONDS = 60


def usage(pid, when=0.0, **held):
    return Usage(pid, when, **{"memory": 100.0, "threads": 20, "sockets": 30, "files": 40, **held})


def at_rest(*pids, **held):
    return [usage(pid, **{"files": 20, **held}) for pid in pids or (1, 2, 3)]


def samples(**growing):
    """A sample each second; what is growing is a function of the second."""
    return [
        usage(pid, when, **{name: grown(when) for name, grown in growing.items()})
        for when in range(1, SECONDS)
        for pid in (1, 2, 3)
    ]


def a_run(**changes):
    """A run in which all went well, but for the changes."""
    well = Run(
        plan=Plan("gthread", SECONDS, 4),
        began=10.0,
        ended=float(SECONDS),
        answers=[Answer(SMALL[0], "0-0", 1, 1, STORED), Answer(BAD[0], "0-1", 12, 1, REFUSED)],
        fresh=at_rest(threads=1, files=10, memory=50.0),
        warm=at_rest(),
        rest=at_rest(),
        samples=samples(),
        aftermath=Aftermath(rows=1),
        outage=None,
        log="",
    )
    return replace(well, **changes)


def answered(*outcomes, upload=SMALL[0], began=30.0):
    return [
        *a_run().answers,
        *(Answer(upload, f"1-{number}", began, 4, words) for number, words in enumerate(outcomes)),
    ]


class TestPromises:
    def test_all_hold(self):
        assert promises.broken(a_run()) == []

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"answers": answered("500: Server Error", "500: Server Error")}, "2 x small JPEG: 500: Server Error"),
            ({"answers": answered("ConnectionResetError: reset")}, "1 x small JPEG: ConnectionResetError: reset"),
            ({"answers": answered(REFUSED)}, "1 x small JPEG: refused"),
            ({"answers": answered(STORED, upload=BAD[0])}, "1 x truncated JPEG: stored"),
            ({"answers": a_run().answers[:1]}, "not both good and bad files were answered"),
            ({"rest": at_rest(1, 2, 4)}, "the processes [1, 2, 3] became [1, 2, 4]"),
            ({"samples": samples(threads=lambda when: when)}, "process 1 had 59 threads"),
            ({"rest": at_rest(memory=126.0)}, "memory grew from 300 to 378 MiB"),
            ({"rest": at_rest(files=27)}, "process 1 keeps 27 descriptors, it began with 10"),
            ({"rest": at_rest(threads=60)}, "process 1 keeps 60 threads"),
            ({"aftermath": Aftermath(incomplete=["cat.jpg: has the thumbs []"])}, "incomplete: 1, such as cat.jpg"),
            ({"aftermath": Aftermath(miscounted=["upload 0-0: no row"])}, "rows and answers differ: 1"),
            ({"aftermath": Aftermath(leftovers=["cat.jpg"])}, "left behind: 1, such as cat.jpg"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_one_is_broken(self, changes, words):
        assert any(fault.startswith(words) for fault in promises.broken(a_run(**changes)))

    def test_a_good_file_may_be_refused_while_s3_is_away(self):
        run = a_run(answers=[*answered(REFUSED, began=10.0), *answered(STORED, began=21.0)], outage=(13.0, 20.0))
        assert promises.broken(run) == []

    @pytest.mark.parametrize(
        ("answers", "words"),
        [
            (answered(REFUSED, began=20.5), "1 x small JPEG: refused"),
            (answered(REFUSED, began=5.0), "1 x small JPEG: refused"),
            (answered("500: Server Error", began=14.0), "1 x small JPEG: 500"),
            (a_run().answers, "the load was over before the S3 server came back"),
        ],
        ids=["after", "before", "another answer", "too short"],
    )
    def test_nothing_else_may(self, answers, words):
        run = a_run(answers=answers, outage=(13.0, 20.0))
        assert any(fault.startswith(words) for fault in promises.broken(run))

    def test_what_an_outage_leaves_has_to_be_in_the_log(self):
        outage = {"answers": answered(STORED), "outage": (13.0, 20.0)}
        assert promises.broken(a_run(aftermath=Aftermath(leftovers=["cat.jpg"]), **outage)) == []
        (fault,) = promises.broken(a_run(aftermath=Aftermath(leftovers=["cat.jpg"], silent=["cat.jpg"]), **outage))
        assert fault == "left behind: 1, such as cat.jpg"

    @pytest.mark.parametrize(("server", "limit"), [("gthread", 1 + 8), ("gevent", 1), ("uvicorn", 1 + 4)])
    def test_threads_beyond_pools_and_requests(self, server, limit):
        run = a_run(plan=Plan(server, SECONDS, 4))
        assert promises.thread_limit(run, run.fresh[0]) == limit + 16 + promises.available_cores()


def test_the_table_has_a_column_for_each_run_and_a_row_for_each_measure():
    answers = answered(STORED)
    rows = report.table([a_run(answers=answers), a_run(answers=answers, outage=(13.0, 20.0))]).splitlines()
    cells = {row.split("|")[1].strip(): [cell.strip() for cell in row.split("|")[2:-1]] for row in rows}
    assert cells["measure"] == ["gthread", "gthread, outage"]
    assert cells["uploads"] == ["3", "3"]
    assert cells["good, stored"] == ["2", "2"]
    assert cells["time to answer, median"] == ["2.50 s"] * 2  # of the two that began after the warm-up
    assert cells["memory of each worker, after the load"] == ["100, 100 MiB"] * 2
    assert cells["threads of a worker, highest of allowed"] == [f"20 of {25 + promises.available_cores()}"] * 2
    assert cells["descriptors at rest, fresh → warm → after"] == ["30 → 60 → 60"] * 2
    assert len({len(row) for row in rows}) == 1
