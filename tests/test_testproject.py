"""The test project: its pages, its admin, its migrations and its demo command."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage, default_storage
from django.core.management import CommandError, call_command
from django.test import override_settings
from gallery.models import Photo, Showpiece

from athumb_storage.storages import S3ThumbnailStorage
from tests.conftest import THUMBS, draw, image_in, upload

TESTPROJECT = Path(__file__).resolve().parent.parent / "testproject"


@pytest.fixture(autouse=True)
def site(settings):
    settings.ROOT_URLCONF = "config.urls"
    settings.STORAGES = {**settings.STORAGES}  # a storage of the test's own


@pytest.fixture
def photo(db):
    return Photo.objects.create(title="A cat", image=upload("cat.jpg"))


@pytest.fixture
def showpiece(db):
    return Showpiece.objects.create(title="A cat", image=upload("cat.jpg", size=(800, 600)), image_focus="0.3,0.2")


class TestList:
    @pytest.mark.django_db
    def test_empty(self, client):
        assert "No photos yet" in client.get("/").content.decode()

    def test_shows_thumbs(self, client, photo):
        response = client.get("/")
        text = response.content.decode()
        assert response.status_code == 200
        assert 'src="/media/photos/cat.jpg.thumbs/square.jpg"' in text
        assert 'href="/media/photos/cat.jpg.thumbs/large.webp"' in text
        assert f'href="{photo.image.url}"' in text
        assert "300 \N{MULTIPLICATION SIGN} 200 pixels" in text

    def test_asks_the_database_only_once_for_each_list(self, client, photo, django_assert_num_queries):
        with django_assert_num_queries(2):
            client.get("/")

    def test_leads_to_showpieces(self, client, showpiece):
        text = client.get("/").content.decode()
        assert f'<a href="{showpiece.get_absolute_url()}"><img src="{showpiece.image.url_for_thumb("detail")}"' in text


def test_showpiece(client, showpiece):
    text = client.get(showpiece.get_absolute_url()).content.decode()
    assert re.findall(r'<source type="(.+?)"', text) == ["image/avif", "image/webp", "image/jpeg"]
    assert 'sizes="(min-width: 60em) 50vw, 100vw"' in text
    assert text.count("data:image/png;base64,") == 3
    assert "hero-640.jpg?focal=0.3,0.2 640w" in text
    assert "hero-960" not in text
    assert "<script" not in text
    assert "<style" not in text
    assert client.get("/showpieces/0/").status_code == 404


class TestUpload:
    @pytest.mark.django_db
    def test_form(self, client):
        text = client.get("/add/").content.decode()
        assert 'enctype="multipart/form-data"' in text
        assert 'type="file"' in text

    @pytest.mark.django_db
    def test_a_good_image(self, client):
        response = client.post("/add/", {"title": "Cat", "image": upload("cat.jpg")})
        assert (response.status_code, response.headers["Location"]) == (302, "/")
        photo = Photo.objects.get()
        assert (photo.width, photo.height) == (300, 200)
        assert sorted(default_storage.listdir("photos/cat.jpg.thumbs")[1]) == ["large.webp", "small.jpg", "square.jpg"]

    @pytest.mark.django_db
    @pytest.mark.parametrize(
        "data", [b"no image", draw()[:300], draw((900, 900))[:-2000]], ids=["text", "cut off early", "cut off late"]
    )
    def test_a_bad_image(self, client, data):
        response = client.post("/add/", {"title": "Cat", "image": ContentFile(data, name="cat.jpg")})
        assert response.status_code == 200
        assert response.context["form"].errors["image"] == [
            "Upload a valid image. The file you uploaded was either not an image or a corrupted image."
        ]
        assert "errorlist" in response.content.decode()
        assert not Photo.objects.exists()
        assert not default_storage.exists("photos/cat.jpg")

    @pytest.mark.django_db(transaction=True)  # a save that fails spoils a transaction
    def test_a_storage_that_fails(self, client, monkeypatch, caplog):
        def fail(*args):
            raise OSError("disk full")

        monkeypatch.setattr(InMemoryStorage, "_save", fail)
        response = client.post("/add/", {"title": "Cat", "image": upload("cat.jpg")})
        assert response.status_code == 200
        assert response.context["form"].errors["image"] == ["The photo could not be stored. Please try again later."]
        assert "disk full" in caplog.text
        assert not Photo.objects.exists()


class TestAdmin:
    def test_list_shows_a_thumb(self, admin_client, photo):
        text = admin_client.get("/admin/gallery/photo/").content.decode()
        assert f'src="{photo.image.url_for_thumb("square")}"' in text

    @pytest.mark.django_db
    def test_upload(self, admin_client):
        response = admin_client.post("/admin/gallery/photo/add/", {"title": "Cat", "image": upload("cat.jpg")})
        assert response.status_code == 302
        assert default_storage.exists("photos/cat.jpg.thumbs/square.jpg")


@pytest.mark.django_db
def test_migrations_are_up_to_date():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@pytest.mark.django_db(transaction=True)  # a photo that is refused spoils a transaction
class TestDemoCommand:
    def test_photos_of_its_own(self):
        output = io.StringIO()
        call_command("demo", "--no-serve", stdout=output)
        text = output.getvalue()
        count = Photo.objects.count()
        assert count > 0
        assert f"{count} of {count} files uploaded." in text
        for photo in Photo.objects.all():
            assert photo.image.url in text
            for thumb in photo.image.storage.thumbs:
                assert re.search(rf"{thumb} +\d+ x \d+ .* bytes +{re.escape(photo.image.url_for_thumb(thumb))}", text)
        showpiece = Showpiece.objects.get()
        assert f"a page of its own at {showpiece.get_absolute_url()}" in text
        for key in default_storage.listdir("showpieces/sunset.jpg.thumbs")[1]:
            assert key.replace("@", "%40") in text

    def test_photos_of_mine(self, tmp_path):
        (tmp_path / "a.jpg").write_bytes(draw((300, 200)))
        (tmp_path / "notes.txt").write_text("no image")
        output = io.StringIO()
        call_command("demo", "--no-serve", "--photos", str(tmp_path), stdout=output)
        assert [photo.image.name for photo in Photo.objects.all()] == ["photos/a.jpg"]
        assert "notes.txt\n  not uploaded: " in output.getvalue()
        assert "1 of 2 files uploaded." in output.getvalue()

    def test_nothing_that_can_be_uploaded(self, tmp_path):
        (tmp_path / "notes.txt").write_text("no image")
        with pytest.raises(CommandError, match="None of the files"):
            call_command("demo", "--no-serve", "--photos", str(tmp_path), stdout=io.StringIO())

    def test_a_folder_that_is_not_there(self, tmp_path):
        with pytest.raises(CommandError, match="No such file or folder"):
            call_command("demo", "--no-serve", "--photos", str(tmp_path / "nowhere"), stdout=io.StringIO())


def test_demo_with_the_projects_own_settings(tmp_path):
    """As `make demo` runs it: another process, the file storage, a database of its own."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DEMO_VAR": str(tmp_path / "var"),
        "PYTHONPATH": str(TESTPROJECT.parent),
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "demo", "--no-serve"],
        cwd=TESTPROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "files uploaded." in done.stdout
    stored = [path for path in (tmp_path / "var" / "media" / "photos").rglob("*.thumbs/*") if path.is_file()]
    assert {path.stem for path in stored} == {"square", "small", "large"}
    assert all(path.stat().st_size > 100 for path in stored)
    assert (tmp_path / "var" / "db.sqlite3").exists()


def test_an_s3_server_for_trials():
    """As `make s3` starts it: what it prints leads a storage to its bucket."""
    # What runs in the background of a shell is deaf to the signal that ends the server, and so were its children.
    hearing = "import signal, runpy; signal.signal(signal.SIGINT, signal.default_int_handler); "
    run = f"runpy.run_path({str(TESTPROJECT / 'seaweedfs.py')!r}, run_name='__main__')"
    command = [sys.executable, "-c", hearing + run]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            lines = list(iter(server.stdout.readline, "\n"))
            settings = dict(re.findall(r'^(AWS_\w+) = "(.+)"$', "".join(lines), re.M))
            with override_settings(**settings):
                storage = S3ThumbnailStorage(bucket_name="media", thumbs=THUMBS)
                name = storage.save("cat.jpg", upload())
                assert image_in(storage, storage.thumb_key(name, "small"))
        finally:
            server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
    assert lines[0].startswith('# An S3 server with the bucket "media".')
