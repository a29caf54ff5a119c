"""docs/migrating.md, walked step by step: a small project of django-athumb, and a bucket that it has filled."""

from __future__ import annotations

import ast
import os
import re
import sqlite3
import subprocess
import sys
import urllib.parse
import urllib.request
import uuid
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.files.base import ContentFile
from django.utils.module_loading import import_string
from PIL import Image

from athumb_storage.storages import PublicS3ThumbnailStorage, S3ThumbnailStorage
from tests.conftest import draw

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "migrating.md"

pytestmark = pytest.mark.slow

OLD_MIGRATION = """\
# -*- coding: utf-8 -*-
from __future__ import unicode_literals

from django.db import models, migrations
import athumb.fields


class Migration(migrations.Migration):

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Product',
            fields=[
                ('id', models.AutoField(verbose_name='ID', serialize=False, auto_created=True, primary_key=True)),
                ('image', athumb.fields.ImageWithThumbsField(max_length=255, null=True, upload_to='store/product_images', thumbs=(('50x50_cropped', {'crop': True, 'size': (50, 50)}), ('gone', {'size': (7, 7)})), blank=True)),
                ('banner', athumb.fields.ImageWithThumbsField(max_length=255, thumbnail_format='png', upload_to='banners', blank=True, thumbs=(('wide', {'size': (90, 30)}),))),
            ],
            options={
            },
            bases=(models.Model,),
        ),
    ]
"""  # noqa: E501, as Django wrote it

OLD_TABLE = """\
CREATE TABLE "store_product" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "image" varchar(255) NULL, "banner" varchar(255) NOT NULL);
CREATE TABLE "django_migrations" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "app" varchar(255) NOT NULL, "name" varchar(255) NOT NULL, "applied" datetime NOT NULL);
INSERT INTO django_migrations (app, name, applied) VALUES ('store', '0001_initial', '2015-01-01 00:00:00');
INSERT INTO store_product (image, banner) VALUES ('store/product_images/cat.jpg', 'banners/dog.jpg');
INSERT INTO store_product (image, banner) VALUES ('store/product_images/LOUD.JPG', '');
"""  # noqa: E501

MODELS = """\
from django.db import models

from athumb_storage.fields import ImageWithThumbsField
from athumb_storage.storages import PublicS3ThumbnailStorage

PUBLIC_MEDIA = PublicS3ThumbnailStorage(bucket_name={bucket!r}, naming="athumb")


class Product(models.Model):
    image = ImageWithThumbsField(
        upload_to="store/product_images",
        thumbs=(("50x50_cropped", {{"size": (50, 50), "crop": True}}), ("60x60", {{"size": (60, 60)}})),
        blank=True,
        null=True,
        storage=PUBLIC_MEDIA,
    )
    banner = ImageWithThumbsField(
        upload_to="banners", blank=True, thumbnail_format="png", thumbs=(("wide", {{"size": (90, 30)}}),)
    )
"""

SETTINGS = """\
from pathlib import Path

SECRET_KEY = "only for tests"
USE_TZ = True
INSTALLED_APPS = ["django.contrib.contenttypes", "athumb_storage", "store"]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": Path(__file__).parent / "db.sqlite3"}}}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
TEMPLATES = [{{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}}]
STORAGES = {{
    "default": {{
        "BACKEND": "athumb_storage.storages.PublicS3ThumbnailStorage",
        "OPTIONS": {{"naming": "athumb"}},
    }},
    "staticfiles": {{"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}},
}}
# As django-athumb named them.
AWS_STORAGE_BUCKET_NAME = {bucket!r}
AWS_ACCESS_KEY_ID = {access_key!r}
AWS_SECRET_ACCESS_KEY = {secret_key!r}
AWS_REGION = "us-east-1"
AWS_HEADERS = {{"Cache-Control": "max-age=86400"}}
MEDIA_CACHE_BUSTER = "7"
AWS_S3_ENDPOINT_URL = {endpoint_url!r}
"""

TEMPLATE = """\
{% load thumbnail %}
{% for p in products %}
{% thumbnail p.image '50x50_cropped' %}
{% thumbnail p.image 60x60 as thumb %}{{ thumb }}
{% thumbnail p.banner 'wide' %}
{% endfor %}
"""

PRINT_URLS = """\
from django.template import engines
from store.models import Product
print(engines["django"].get_template("page.html").render({"products": Product.objects.order_by("pk")}))
"""

BY_THE_OLD_RULE = {
    "store/product_images/cat.jpg": (300, 200),
    "store/product_images/cat_50x50_cropped.jpg": (50, 50),
    "store/product_images/cat_60x60.jpg": (60, 40),
    "store/product_images/LOUD.JPG": (200, 300),
    "store/product_images/LOUD_50x50_cropped.JPG": (50, 50),
    "store/product_images/LOUD_60x60.JPG": (40, 60),
    "banners/dog.jpg": (300, 100),
    "banners/dog_wide.png": (90, 30),
}
"""Key in the bucket -> size in pixels."""

ORIGINALS = {"store/product_images/cat.jpg", "store/product_images/LOUD.JPG", "banners/dog.jpg"}


class Project:
    """The project in a folder, and its bucket."""

    def __init__(self, folder, server, bucket):
        self.folder = folder
        self.bucket = bucket
        self.client = server.client()
        self._fill_bucket()
        self._write("store/__init__.py", "")
        self._write("store/migrations/__init__.py", "")
        self._write("store/migrations/0001_initial.py", OLD_MIGRATION)
        self._write("store/models.py", MODELS.format(bucket=bucket))
        self._write("store/templates/page.html", TEMPLATE)
        keys = {"access_key": server.access_key, "secret_key": server.secret_key, "endpoint_url": server.endpoint_url}
        self._write("settings.py", SETTINGS.format(bucket=bucket, **keys))
        with closing(sqlite3.connect(folder / "db.sqlite3")) as database:
            database.executescript(OLD_TABLE)

    def _write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def _fill_bucket(self):
        for key, size in BY_THE_OLD_RULE.items():
            image_format = "PNG" if key.endswith("png") else "JPEG"
            self.client.put_object(Bucket=self.bucket, Key=key, Body=draw(size, format=image_format, color="blue"))

    def stored_keys(self):
        return {entry["Key"] for entry in self.client.list_objects_v2(Bucket=self.bucket)["Contents"]}

    def stored(self, key):
        return self.client.get_object(Bucket=self.bucket, Key=key)

    def shell(self, *command, text=None, check=True):
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": f"{self.folder}:{ROOT}"}
        done = subprocess.run(
            command, cwd=self.folder, env=environment, input=text, capture_output=True, text=True, timeout=60
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def manage(self, *arguments, **options):
        return self.shell(sys.executable, "-W", "error", "-m", "django", *arguments, **options)

    def edit_migrations_as_the_page_says(self):
        (command,) = re.findall(r"^sed .+$", PAGE.read_text(), re.M)
        self.shell("sh", "-c", command)

    def migrate(self):
        self.edit_migrations_as_the_page_says()
        self.manage("makemigrations")
        self.manage("migrate")

    def columns(self):
        """Name, type and NOT NULL of each column; their order does not matter to Django."""
        with closing(sqlite3.connect(self.folder / "db.sqlite3")) as database:
            rows = database.execute("PRAGMA table_info(store_product)").fetchall()
        return {(name, kind.lower(), not_null) for _, name, kind, not_null, *_ in rows}

    def rows(self):
        with closing(sqlite3.connect(self.folder / "db.sqlite3")) as database:
            return database.execute("SELECT id, image, banner FROM store_product ORDER BY id").fetchall()


@pytest.fixture
def project(tmp_path, s3_server):
    bucket = f"old-{uuid.uuid4().hex[:12]}"
    s3_server.create_bucket(bucket, public=True)
    return Project(tmp_path, s3_server, bucket)


class TestMigrations:
    def test_unedited_they_do_not_load(self, project):
        done = project.manage("showmigrations", check=False)
        assert done.returncode != 0
        assert "No module named 'athumb'" in done.stderr

    def test_one_migration_that_touches_no_column(self, project):
        before = project.columns(), project.rows()
        project.edit_migrations_as_the_page_says()
        project.manage("makemigrations")
        (new,) = set((project.folder / "store" / "migrations").glob("0002*.py"))
        text = new.read_text()
        assert re.findall(r"migrations\.(\w+)\(", text) == ["AlterField"]
        assert "name='image'" in text  # `banner` is on the default storage
        assert "athumb_storage.storages.s3.PublicS3ThumbnailStorage(" in text
        assert "thumbs" not in text.replace("ImageWithThumbsField", "")
        project.manage("migrate")
        assert (project.columns(), project.rows()) == before
        project.manage("makemigrations", "--check")

    def test_no_secret_is_written_down(self, project):
        models = project.folder / "store" / "models.py"
        models.write_text(models.read_text().replace("naming=", "access_key='open', secret_key='sesame', naming="))
        project.edit_migrations_as_the_page_says()
        project.manage("makemigrations")
        (new,) = (project.folder / "store" / "migrations").glob("0002*.py")
        assert "sesame" not in new.read_text()
        assert "access_key" not in new.read_text()

    def test_a_new_database_can_be_made_from_them(self, project):
        project.migrate()
        before = project.columns()
        (project.folder / "db.sqlite3").unlink()
        project.manage("migrate")
        assert project.columns() == before
        assert project.rows() == []


class TestBucket:
    def test_urls_have_the_paths_of_before_and_answer(self, project):
        project.migrate()
        urls = project.manage("shell", "-c", PRINT_URLS).stdout.split()
        urls = [url for url in urls if url.startswith("http")]  # newer Djangos say what they import
        paths = [urllib.parse.urlsplit(url).path for url in urls]
        assert paths == [
            f"/{project.bucket}/{key}"
            for key in (
                "store/product_images/cat_50x50_cropped.jpg",
                "store/product_images/cat_60x60.jpg",
                "banners/dog_wide.png",
                "store/product_images/LOUD_50x50_cropped.JPG",
                "store/product_images/LOUD_60x60.JPG",
            )
        ]
        for url in urls:
            assert url.endswith("?cbust=7")
            with urllib.request.urlopen(url) as response:
                assert response.status == 200

    def test_regeneration_writes_to_the_same_keys(self, project):
        project.migrate()
        before = {key: project.stored(key)["Body"].read() for key in project.stored_keys()}
        for field in ("image", "banner"):
            project.manage("athumb_regen_field", "store.Product", field)
        assert project.stored_keys() == set(BY_THE_OLD_RULE)
        for key in ORIGINALS:
            assert project.stored(key)["Body"].read() == before[key]
        for key in set(BY_THE_OLD_RULE) - ORIGINALS:
            thumb = project.stored(key)
            assert thumb["ContentType"] == ("image/png" if key.endswith("png") else "image/jpeg")
            assert thumb["CacheControl"] == "max-age=86400"

    def test_regenerated_thumbs_have_the_sizes_of_before(self, project):
        project.migrate()
        for key in set(BY_THE_OLD_RULE) - ORIGINALS:
            project.client.put_object(Bucket=project.bucket, Key=key, Body=b"spoilt")
        for field in ("image", "banner"):
            project.manage("athumb_regen_field", "store.Product", field)
        sizes = {key: Image.open(BytesIO(project.stored(key)["Body"].read())).size for key in project.stored_keys()}
        assert sizes == BY_THE_OLD_RULE

    def test_deleting_takes_the_thumbs_along(self, project):
        project.migrate()
        project.manage("shell", "-c", "from store.models import Product; Product.objects.get(pk=1).image.delete()")
        left = {key for key in BY_THE_OLD_RULE if not key.startswith("store/product_images/cat")}
        assert project.stored_keys() == left


FULL_CLEAN = """\
from django.core.files.base import ContentFile
from store.models import Product
Product(image=ContentFile(open("cat.jpg", "rb").read(), name="cat.jpg"), banner="").full_clean()
"""


class TestExtensions:
    def test_the_setting_is_kept_to(self, project):
        project.migrate()
        (project.folder / "cat.jpg").write_bytes(draw())
        project.manage("shell", "-c", FULL_CLEAN)
        settings = project.folder / "settings.py"
        settings.write_text(settings.read_text() + "ALLOWABLE_THUMBNAIL_EXTENSIONS = ['png', 'gif']\n")
        refused = project.manage("shell", "-c", FULL_CLEAN, check=False)
        assert "File extension “jpg” is not allowed. Allowed extensions are: png, gif." in refused.stderr
        project.manage("makemigrations", "--check")

    def test_the_page_has_django_athumbs_default(self):
        (extensions,) = re.findall(r"^ALLOWABLE_THUMBNAIL_EXTENSIONS = (.+)$", PAGE.read_text(), re.M)
        validator = import_string(self.new_name("athumb.validators.ImageUploadExtensionValidator"))()
        for extension in ast.literal_eval(extensions):
            validator(ContentFile(b"", name=f"a.{extension}"))
        with pytest.raises(ValidationError, match="tiff"):
            validator(ContentFile(b"", name="a.tiff"))

    def new_name(self, old):
        (new,) = re.findall(rf"^\| `{re.escape(old)}` \| `([\w.]+)`", PAGE.read_text(), re.M)
        return new


class TestWords:
    """What the page says of old names."""

    @pytest.mark.parametrize("argument", ["bucket", "bucket_cname", "region", "acl", "headers", "force_no_ssl"])
    def test_old_arguments_fail_at_once(self, argument):
        with pytest.raises(ImproperlyConfigured, match=f"Invalid setting '{argument}' for PublicS3ThumbnailStorage"):
            PublicS3ThumbnailStorage(**{argument: "x"})

    @pytest.mark.parametrize("argument", ["bucket", "bucket_cname", "region", "acl", "headers", "force_no_ssl"])
    def test_their_new_names_are_arguments(self, argument):
        (row,) = re.findall(rf"^\| `{argument}` \| `(\w+)", PAGE.read_text(), re.M)
        value = {} if argument == "headers" else "x"
        assert getattr(S3ThumbnailStorage(**{row: value}), row) == value

    @pytest.mark.parametrize(
        ("options", "url"),
        [
            ({"custom_domain": "media.example.com"}, "https://media.example.com/photos/cat_60x60.jpg"),
            ({}, "https://media.s3.amazonaws.com/photos/cat_60x60.jpg"),
            ({"addressing_style": "path"}, "https://s3.amazonaws.com/media/photos/cat_60x60.jpg"),
            (
                {"custom_domain": "media.example.com", "url_protocol": "http:"},
                "http://media.example.com/photos/cat_60x60.jpg",
            ),
        ],
    )
    def test_urls(self, options, url):
        thumbs = {"60x60": {"size": (60, 60)}}
        storage = PublicS3ThumbnailStorage(bucket_name="media", naming="athumb", thumbs=thumbs, **options)
        assert storage.url_for_thumb("photos/cat.jpg", "60x60") == url

    def test_urls_that_the_page_shows(self):
        text = PAGE.read_text()
        assert "`https://media.example.com/photos/cat_60x60.jpg`" in text
        assert "`https://media.s3.amazonaws.com/photos/cat_60x60.jpg`" in text

    @pytest.mark.parametrize(
        ("setting", "value", "option", "expected"),
        [
            ("AWS_STORAGE_BUCKET_CNAME", "media.example.com", "custom_domain", "media.example.com"),
            ("AWS_REGION", "eu-west-1", "region_name", "eu-west-1"),
            ("AWS_REGION", "s3-eu-west-1.amazonaws.com", "region_name", "eu-west-1"),
            ("AWS_HEADERS", {"Cache-Control": "max-age=60"}, "object_parameters", {"CacheControl": "max-age=60"}),
        ],
    )
    def test_old_settings_work(self, settings, setting, value, option, expected):
        setattr(settings, setting, value)
        assert getattr(S3ThumbnailStorage(), option) == expected

    def test_a_function_for_headers_is_refused(self, settings):
        settings.AWS_HEADERS = lambda name, content: {}
        with pytest.raises(ImproperlyConfigured, match="get_object_parameters"):
            S3ThumbnailStorage()

    def test_a_private_storage_can_do_without_the_projects_domain(self, settings):
        settings.AWS_STORAGE_BUCKET_CNAME = "media.example.com"
        storage = S3ThumbnailStorage(bucket_name="media", custom_domain=None, access_key="a", secret_key="b")
        assert storage.url("cat.jpg").startswith("https://media.s3.amazonaws.com/cat.jpg?")
