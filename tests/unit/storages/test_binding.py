"""The seam between a field and its storage: a storage bound to a field's thumbs, and the traps on the way there."""

from __future__ import annotations

import copy
import gc
import pickle
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage, storages
from django.db import migrations, models
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.state import ModelState, ProjectState
from django.db.migrations.writer import MigrationWriter
from django.test.utils import isolate_apps, override_settings

from athumb_storage import AmbiguousThumb, InvalidThumb, Thumb, UnknownThumb
from athumb_storage.fields import FileWithThumbsField, ImageWithThumbsField
from athumb_storage.storages import FileSystemThumbnailStorage, InMemoryThumbnailStorage, S3ThumbnailStorage
from tests.conftest import draw, image_in, stored, upload
from tests.shop.models import OWN, Document, Plain, Product, Sized

ROOT = Path(__file__).resolve().parents[3]
MEMORY = {"BACKEND": "athumb_storage.storages.InMemoryThumbnailStorage"}


def with_default(settings, backend, **options):
    backend = {"BACKEND": f"athumb_storage.storages.{backend}", "OPTIONS": options}
    return {**settings.STORAGES, "default": backend}


@pytest.fixture
def memory(settings):
    settings.STORAGES = {**settings.STORAGES, "default": MEMORY}
    return default_storage


@pytest.fixture
def make_model():
    """Makes a model that is forgotten after the test."""
    with isolate_apps("tests.shop"):
        yield lambda name="Thing", bases=(models.Model,), abstract=False, **attributes: type(
            name,
            bases,
            {
                "__module__": __name__,
                "Meta": type("Meta", (), {"app_label": "shop", "abstract": abstract}),
                **attributes,
            },
        )
    gc.collect()


# Overridden settings


@pytest.mark.django_db
def test_overridden_storages_reach_bound_storages(settings, tmp_path):
    field = Product._meta.get_field("image")
    before = field.storage
    with override_settings(STORAGES=with_default(settings, "FileSystemThumbnailStorage", location=tmp_path)):
        product = Product.objects.create(image=upload())
        assert isinstance(field.storage, FileSystemThumbnailStorage)
        assert (tmp_path / "products/cat.jpg.thumbs/60x60.jpg").is_file()
        assert product.image.storage.path("x") == str(tmp_path / "x")
    assert isinstance(field.storage, InMemoryThumbnailStorage)
    assert field.storage.unbound is before.unbound or field.storage.unbound is default_storage._wrapped
    with override_settings(STORAGES={**settings.STORAGES, "default": MEMORY}):
        assert stored(field.storage) == []


@pytest.mark.django_db
def test_an_overridden_media_root_reaches_bound_storages(settings, tmp_path):
    settings.STORAGES = with_default(settings, "FileSystemThumbnailStorage")
    field = Product._meta.get_field("image")
    for folder in (tmp_path / "one", tmp_path / "two"):
        with override_settings(MEDIA_ROOT=str(folder), MEDIA_URL=f"/{folder.name}/"):
            product = Product.objects.create(image=upload())
            assert (folder / "products/cat.jpg.thumbs/large.webp").is_file()
            assert product.image.url_for_thumb("large") == f"/{folder.name}/products/cat.jpg.thumbs/large.webp"
            assert field.storage.location == str(folder)


def test_an_overridden_media_root_reaches_a_storage_of_the_fields_own(make_model, tmp_path):
    thing = make_model(image=ImageWithThumbsField(storage=FileSystemThumbnailStorage(), thumbs={"a": {"size": (9, 9)}}))
    field = thing._meta.get_field("image")
    for folder in (tmp_path / "one", tmp_path / "two"):
        with override_settings(MEDIA_ROOT=str(folder), MEDIA_URL=f"/{folder.name}/"):
            assert field.storage.location == str(folder)
            assert field.storage.url_for_thumb("cat.jpg", "a") == f"/{folder.name}/cat.jpg.thumbs/a.jpg"


def test_overridden_options_of_a_storage_reach_a_bound_storage(settings):
    for thumbs in ({"one": {"size": (9, 9)}}, {"two": {"size": (9, 9)}}):
        with override_settings(STORAGES=with_default(settings, "InMemoryThumbnailStorage", thumbs=thumbs)):
            assert next(iter(Product._meta.get_field("image").storage.thumbs)) == next(iter(thumbs))
            assert Product(image="a.jpg").image.url_for_thumb(next(iter(thumbs)))


def test_overridden_thumbs_of_the_project_reach_a_bound_storage(memory):
    image = Product(image="a.jpg").image
    with pytest.raises(UnknownThumb):
        image.url_for_thumb("all")
    with override_settings(ATHUMB_THUMBS={"all": {"size": (9, 9)}}):
        assert image.url_for_thumb("all").endswith("a.jpg.thumbs/all.jpg")
    with pytest.raises(UnknownThumb):
        image.url_for_thumb("all")


# One storage, one connection


def test_binding_opens_no_second_connection(make_model, make_s3, requests_sent):
    storage = make_s3()
    one = make_model("One", image=ImageWithThumbsField(storage=storage, thumbs={"a": {"size": (9, 9)}}))
    two = make_model("Two", image=ImageWithThumbsField(storage=storage, thumbs={"b": {"size": (9, 9)}}))
    bound = [model._meta.get_field("image").storage for model in (one, two)]
    assert len(requests_sent) == 0
    for each in bound:
        each.exists("cat.jpg")
        assert each.client is storage.client
        assert each.connection is storage.connection
        assert each.bucket.meta.client is storage.client
    assert [list(each.thumbs) for each in (*bound, storage)] == [["a"], ["b"], []]


def test_a_field_is_bound_once(memory):
    field = Product._meta.get_field("image")
    assert field.storage is field.storage
    assert Product().image.storage is field.storage
    assert field.storage.unbound is default_storage._wrapped


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda storage: pickle.loads(pickle.dumps(storage))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copy_of_a_bound_storage_still_works(make_storage, again, settings, s3_options):
    settings.AWS_S3_ACCESS_KEY_ID = s3_options["access_key"]  # which no pickle holds
    settings.AWS_S3_SECRET_ACCESS_KEY = s3_options["secret_key"]
    storage = make_storage(thumbs={"own": {"size": (9, 9)}})
    bound = storage.with_thumbs({"a": {"size": (8, 8)}}, images_only=True, original={"size": (90, 90)})
    bound.url_for_thumb("cat.jpg", "a")
    other = again(bound)
    assert list(other.thumbs) == ["own", "a"]
    other.save("cat.jpg", upload())
    assert stored(other) == ["cat.jpg", "cat.jpg.thumbs/a.jpg", "cat.jpg.thumbs/own.jpg"]
    assert image_in(other, "cat.jpg").size == (90, 60)
    with pytest.raises(ValueError, match="not an image"):
        other.save("cat.jpg", ContentFile(b"text"))


def test_a_changed_copy_of_a_bound_storage_leaves_the_storage_alone(make_s3):
    storage = make_s3()
    bound = storage.with_thumbs({"a": {"size": (8, 8)}})
    other = copy.copy(bound)
    other.location = "elsewhere"
    assert bound.location == storage.location == ""


def test_a_change_of_the_storage_is_seen_by_what_is_bound_to_it():
    storage = InMemoryThumbnailStorage()
    bound = storage.with_thumbs({"a": {"size": (8, 8)}})
    bound.save("cat.jpg", upload())
    assert storage.exists("cat.jpg")
    assert storage.exists("cat.jpg.thumbs/a.jpg")


# Callable storages

CHOSEN = InMemoryThumbnailStorage()


def choose():
    return CHOSEN


class Chosen(InMemoryThumbnailStorage):
    """A class is a callable as well."""


@pytest.mark.parametrize("given", [choose, Chosen])
def test_a_callable_storage(make_model, given):
    thing = make_model(image=ImageWithThumbsField(storage=given, thumbs={"a": {"size": (9, 9)}}))
    field = thing._meta.get_field("image")
    assert isinstance(field.storage, InMemoryThumbnailStorage)
    assert list(field.storage.thumbs) == ["a"]
    if given is choose:
        assert field.storage.unbound is CHOSEN
    row = thing()
    row.image.save("called.jpg", ContentFile(draw()), save=False)
    assert f"{row.image.name}.thumbs/a.jpg" in stored(field.storage)
    assert field.deconstruct()[3]["storage"] is given
    assert field.clone().deconstruct()[3]["storage"] is given
    written, imports = MigrationWriter.serialize(field)
    assert f"storage={__name__}.{given.__name__}," in f"{written},".replace(")", ",")
    assert f"import {__name__}" in imports


def test_a_callable_that_gives_no_storage_is_refused():
    with pytest.raises(TypeError, match="must be a subclass/instance"):
        ImageWithThumbsField(storage=lambda: "no storage")


# Migrations

SECRETS = ["the-access-key", "the-secret-key", "the-token", "the-proxy-password", "the-cloudfront-pem", "the-header"]


def secret_storage(**options):
    class Signer:
        pass

    return S3ThumbnailStorage(
        bucket_name="media",
        access_key="the-access-key",
        secret_key="the-secret-key",
        security_token="the-token",
        proxies={"https": "http://user:the-proxy-password@proxy"},
        cloudfront_key_id="KEYID",
        cloudfront_key="the-cloudfront-pem",
        cloudfront_signer=Signer(),
        thumb_object_parameters={"SSECustomerKey": "the-header"},
        location="media",
        **options,
    )


def test_deconstruct_gives_the_storage_as_it_was_written(make_model):
    for storage in (InMemoryThumbnailStorage(location="here"), storages["default"]):
        thing = make_model(
            f"Thing{storage._location is None}",
            image=ImageWithThumbsField(storage=storage, thumbs={"a": {"size": (9, 9)}}, thumbnail_format="png"),
        )
        field = thing._meta.get_field("image")
        assert list(field.storage.thumbs) == ["a"]  # it is bound by now
        name, path, args, kwargs = field.deconstruct()
        assert (name, path, args) == ("image", "athumb_storage.fields.ImageWithThumbsField", [])
        assert kwargs["storage"] is storage
        assert (kwargs.pop("max_length"), kwargs.pop("upload_to", "")) == (255, "")
        assert list(kwargs) == ["storage"]


def test_deconstruct_leaves_the_default_storage_out(memory):
    field = Product._meta.get_field("image")
    field.storage.exists("x")
    *_, kwargs = field.deconstruct()
    assert kwargs == {"upload_to": "products", "blank": True, "null": True, "max_length": 255}


def test_deconstruct_of_a_projects_own_field(memory):
    *_, path, _args, kwargs = Sized._meta.get_field("image").deconstruct()
    assert path == "tests.shop.models.SizedField"
    assert kwargs["width_field"] == "width"
    assert "thumbs" not in kwargs


@pytest.mark.parametrize(
    "storage",
    [
        lambda: secret_storage(thumbs={"own": {"size": (9, 9)}}, naming="athumb"),
        lambda: secret_storage().with_thumbs({"own": {"size": (9, 9)}}),
    ],
    ids=["unbound", "bound"],
)
def test_a_migration_holds_no_secret_and_no_thumbs(make_model, storage):
    thing = make_model(image=ImageWithThumbsField(storage=storage(), thumbs={"a": {"size": (9, 9)}}))
    operation = migrations.CreateModel("Thing", [("image", thing._meta.get_field("image"))])
    text = MigrationWriter(
        type("Migration", (migrations.Migration,), {"operations": [operation]})("0001", "shop")
    ).as_string()
    assert "S3ThumbnailStorage(" in text
    assert "bucket_name='media'" in text
    assert "location='media'" in text
    assert ("naming='athumb'" in text) == (storage()._lookup.field_thumbs is None)
    for secret in [*SECRETS, "thumbs"]:
        assert secret not in re.sub(r"athumb_storage|S3ThumbnailStorage|ImageWithThumbsField", "", text)
    scope = {}
    exec(text, scope)
    [(_, field)] = scope["Migration"].operations[0].fields
    assert field.storage.bucket_name == "media"
    assert field.storage.access_key is None


@pytest.mark.parametrize("cls", [InMemoryThumbnailStorage, FileSystemThumbnailStorage])
def test_a_storage_is_deconstructed_without_thumbs(cls):
    storage = cls("here", base_url="/there/", thumbs={"a": {"size": (9, 9)}}, naming="athumb", fallback_format="png")
    path, args, kwargs = storage.deconstruct()
    assert (args, kwargs) == (("here",), {"naming": "athumb"})
    assert path.endswith(cls.__name__)
    assert storage.with_thumbs({"b": {"size": (9, 9)}}).deconstruct() == (path, args, kwargs)


def state_of(*fields):
    state = ProjectState()
    state.add_model(ModelState("shop", "Thing", [("id", models.BigAutoField(primary_key=True)), *fields]))
    return state


def changes(before, after):
    return MigrationAutodetector(before, after)._detect_changes()


@pytest.mark.parametrize("storage", [lambda: OWN, lambda: default_storage, secret_storage, lambda: choose])
def test_changing_thumbs_makes_no_migration(storage):
    def field(thumbs, **options):
        return ImageWithThumbsField(upload_to="x", storage=storage(), thumbs=thumbs, **options)

    before = state_of(("image", field({"a": {"size": (9, 9)}})))
    for after in (field(()), field({"b": {"size": (8, 8)}}), field({"a": {"size": (9, 9)}}, thumbnail_format="png")):
        assert changes(before, state_of(("image", after))) == {}
    other = ImageWithThumbsField(upload_to="y", storage=storage())
    assert list(changes(before, state_of(("image", other)))) == ["shop"]


def test_changing_the_thumbs_of_a_storage_makes_no_migration():
    def field(**options):
        return models.FileField(storage=InMemoryThumbnailStorage(location="x", **options))

    before = state_of(("file", field(thumbs={"a": {"size": (9, 9)}})))
    assert changes(before, state_of(("file", field(thumbs={"b": {"size": (9, 9)}})))) == {}
    assert changes(before, state_of(("file", field(fallback_format="png")))) == {}
    assert changes(before, state_of(("file", field(base_url="/elsewhere/")))) == {}
    # Where files lie is another matter.
    assert list(changes(before, state_of(("file", field(naming="athumb"))))) == ["shop"]


def test_the_models_as_they_are_need_no_migration_after_one_was_written(memory):
    """What a migration writes down is, read back, no change."""
    for model in (Product, Document, Plain, Sized):
        state = ModelState.from_model(model)
        again = []
        for name, field in state.fields.items():
            if not isinstance(field, models.FileField):
                again.append((name, field))
                continue
            text, imports = MigrationWriter.serialize(field)
            scope = {"models": models}
            exec("\n".join(imports), scope)
            again.append((name, eval(text, scope)))
        before, after = ProjectState(), ProjectState()
        before.add_model(ModelState("shop", model.__name__, again))
        after.add_model(ModelState("shop", model.__name__, list(state.fields.items())))
        assert changes(before, after) == {}


@pytest.mark.parametrize(
    "thumbs", [(("60x60", {"size": (60, 60)}),), {"a": Thumb(size=(9, 9))}, ("from long ago", 7, "no pair")], ids=str
)
def test_an_old_migration_that_carries_thumbs_still_loads(thumbs):
    storage = InMemoryThumbnailStorage(thumbs={"own": {"size": (9, 9)}})
    state = state_of(
        ("image", ImageWithThumbsField(upload_to="x", storage=storage, thumbs=thumbs, thumbnail_format="png")),
        ("file", FileWithThumbsField(storage=storage, thumbs=thumbs)),
    )
    thing = state.apps.get_model("shop", "Thing")
    assert thing(image="a.jpg").image.url_for_thumb("own")
    with pytest.raises(UnknownThumb):
        storage.url_for_thumb("a.jpg", "60x60")  # those of a migration bind nobody
    now = state_of(
        ("image", ImageWithThumbsField(upload_to="x", storage=storage)), ("file", FileWithThumbsField(storage=storage))
    )
    assert changes(state, now) == {}


def test_a_data_migration_can_read_and_store():
    storage = InMemoryThumbnailStorage(thumbs={"own": {"size": (9, 9)}})
    state = state_of(("image", ImageWithThumbsField(upload_to="x", storage=storage)))
    row = state.apps.get_model("shop", "Thing")()
    row.image.save("cat.jpg", ContentFile(draw()), save=False)
    assert stored(storage) == ["x/cat.jpg", "x/cat.jpg.thumbs/own.jpg"]


# What the storage itself knows of its fields


def test_the_storage_itself_resolves_what_its_fields_define(make_model):
    storage = InMemoryThumbnailStorage(thumbs={"own": {"size": (5, 5)}})
    with pytest.raises(UnknownThumb):
        storage.url_for_thumb("cat.jpg", "a")
    make_model(
        "One", image=ImageWithThumbsField(storage=storage, thumbs={"a": {"size": (9, 9)}, "b": {"size": (7, 7)}})
    )
    make_model(
        "Two",
        image=ImageWithThumbsField(
            storage=storage, thumbs={"a": {"size": (9, 9)}, "b": {"size": (7, 7), "format": "PNG"}}
        ),
    )
    assert storage.url_for_thumb("cat.jpg", "a").endswith("cat.jpg.thumbs/a.jpg")
    assert storage.url_for_thumb("cat.jpg", "own").endswith("cat.jpg.thumbs/own.jpg")
    for ask in (storage.url_for_thumb, storage.thumb_key):
        with pytest.raises(
            AmbiguousThumb, match=r"'b'(?=.*shop\.One\.image)(?=.*shop\.Two\.image).*field's own storage"
        ):
            ask("cat.jpg", "b")
    with pytest.raises(UnknownThumb, match=r"'c'.*'own', 'a', 'b'"):
        storage.url_for_thumb("cat.jpg", "c")
    assert list(storage.thumbs) == ["own"]
    storage.save("cat.jpg", upload())
    assert stored(storage) == ["cat.jpg", "cat.jpg.thumbs/own.jpg"]
    assert storage.generate_thumbs("cat.jpg", only=["a"]) == {"a": "cat.jpg.thumbs/a.jpg"}


def test_the_storages_own_thumb_comes_before_what_fields_say(make_model):
    own, of_field = {"a": {"size": (5, 5)}}, {"a": {"size": (9, 9), "format": "PNG"}}
    storage = InMemoryThumbnailStorage(thumbs=own)
    thing = make_model(
        image=ImageWithThumbsField(storage=storage, thumbs=of_field), plain=models.ImageField(storage=storage)
    )
    bound = thing._meta.get_field("image").storage
    for ask in (storage, thing._meta.get_field("plain").storage):
        assert ask.thumb_key("cat.jpg", "a") == "cat.jpg.thumbs/a.jpg"
        name = ask.save("cat.jpg", upload())
        assert ask.generate_thumbs(name, only=["a"]) == {"a": f"{name}.thumbs/a.jpg"}
        assert image_in(storage, f"{name}.thumbs/a.jpg").size == (5, 3)
    assert bound.thumb_key("cat.jpg", "a") == "cat.jpg.thumbs/a.png"


def test_the_default_storage_knows_the_fields_of_all_apps(memory):
    assert default_storage.url_for_thumb("cat.jpg", "60x60").endswith("cat.jpg.thumbs/60x60.jpg")
    with pytest.raises(AmbiguousThumb, match=r"(?=.*gallery\.Photo\.image)(?=.*shop\.Product\.image)"):
        default_storage.url_for_thumb("cat.jpg", "large")
    assert Product(image="cat.jpg").image.storage.url_for_thumb("cat.jpg", "large").endswith("large.webp")


def test_the_storage_itself_deletes_the_thumbs_of_its_fields(make_model, make_s3):
    storage = make_s3(naming="athumb")
    thing = make_model(image=ImageWithThumbsField(storage=storage, thumbs={"a": {"size": (9, 9)}}))
    thing._meta.get_field("image").storage.save("cat.jpg", upload())
    assert stored(storage) == ["cat.jpg", "cat_a.jpg"]
    storage.delete("cat.jpg")
    assert stored(storage) == []


# Models


def test_the_fields_of_an_abstract_model_are_each_their_own(make_model):
    storage = InMemoryThumbnailStorage()
    base = make_model(
        "Base", abstract=True, image=ImageWithThumbsField(storage=storage, thumbs={"a": {"size": (9, 9)}})
    )
    one = make_model("One", (base,))
    two = make_model(
        "Two", (base,), image=ImageWithThumbsField(storage=storage, thumbs={"a": {"size": (9, 9), "format": "PNG"}})
    )
    for model, key in [(one, "cat.jpg.thumbs/a.jpg"), (two, "cat.jpg.thumbs/a.png")]:
        assert model(image="cat.jpg").image.url_for_thumb("a").endswith(key)
    with pytest.raises(AmbiguousThumb, match=r"(?=.*shop\.One\.image)(?=.*shop\.Two\.image)") as caught:
        storage.url_for_thumb("cat.jpg", "a")
    assert "Base" not in str(caught.value)
    row = one()
    row.image.save("cat.jpg", ContentFile(draw()), save=False)
    assert stored(storage) == ["cat.jpg", "cat.jpg.thumbs/a.jpg"]


def test_a_wrong_thumb_of_an_abstract_model_is_named(make_model):
    with pytest.raises(InvalidThumb, match=r"shop\.Base\.image.*'a'.*'size'"):
        make_model(
            "Base",
            abstract=True,
            image=ImageWithThumbsField(storage=InMemoryThumbnailStorage(), thumbs={"a": {"size": 9}}),
        )


@pytest.mark.django_db
def test_rows_can_be_pickled(memory):
    product = Product.objects.create(image=upload())
    for row in (product, Product.objects.get()):
        again = pickle.loads(pickle.dumps(row))
        assert again.image.name == "products/cat.jpg"
        assert again.image.url_for_thumb("large") == product.image.url_for_thumb("large")
        assert list(again.image.storage.thumbs) == ["50x50_cropped", "60x60", "large"]
        with again.image.open() as file:
            assert file.read(2) == b"\xff\xd8"


@pytest.mark.django_db
def test_rows_can_be_copied(memory):
    product = Product.objects.create(image=upload())
    for again in (copy.copy(product), copy.deepcopy(product)):
        assert again.image.url_for_thumb("60x60") == product.image.url_for_thumb("60x60")


@pytest.mark.django_db
def test_a_deferred_file_has_its_thumbs(memory):
    Product.objects.create(image=upload())
    product = Product.objects.defer("image").get()
    assert product.image.url_for_thumb("60x60").endswith("60x60.jpg")


# django-cleanup


CLEANUP = """
    import django
    from django.conf import settings
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage
    from django.core.management import call_command

    import tests.settings as ours

    names = [name for name in dir(ours) if name.isupper()]
    options = {name: getattr(ours, name) for name in names}
    options["INSTALLED_APPS"] = [*ours.INSTALLED_APPS, "django_cleanup.apps.CleanupConfig"]
    settings.configure(**options)
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)

    from tests.conftest import draw, stored
    from tests.shop.models import OWN, Plain, Product

    product = Product.objects.create(image=ContentFile(draw(), name="cat.jpg"))
    print(len(stored(default_storage)))
    product.image = ContentFile(draw(), name="dog.jpg")
    product.save()
    print(*stored(default_storage))
    other = Product.objects.get()
    other.image = None
    other.save()
    print(len(stored(default_storage)))
    other.image.save("horse.jpg", ContentFile(draw()))
    print(len(stored(default_storage)))
    Product.objects.all().delete()
    print(len(stored(default_storage)))
    plain = Plain.objects.create(file=ContentFile(draw(), name="a.jpg"))
    print(len(stored(OWN)))
    plain.delete()
    print(len(stored(OWN)))
    Product.objects.create(image=ContentFile(draw(), name="cat.jpg"))
    Product.objects.update(image="")
    print(len(stored(default_storage)))
    product = Product.objects.create(image=ContentFile(draw(), name="dog.jpg"))
    copied = Product.objects.get(pk=product.pk)
    copied.pk = None
    copied.save()
    print(len(stored(default_storage)))
    product.delete()
    print(len(stored(default_storage)))
"""


def test_django_cleanup_removes_original_and_thumbs():
    paths = [str(ROOT), str(ROOT / "testproject")]
    program = f"import sys; sys.path[:0] = {paths!r}\n{textwrap.dedent(CLEANUP)}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "4"
    assert [name.rpartition("/")[2] for name in lines[1].split()] == [
        "dog.jpg",
        "50x50_cropped.jpg",
        "60x60.jpg",
        "large.webp",
    ]
    assert lines[2:7] == ["0", "4", "0", "2", "0"]
    # It hears of no update(), and takes the file that a copy of the row names, too.
    assert lines[7:] == ["4", "8", "4"]


def stored_by_rows(deed):
    """What is stored after a deed to a row that has cat.jpg."""
    row = Product.objects.create(image=upload("cat.jpg"))
    deed(row)
    return sorted(name for name in stored(default_storage) if ".thumbs/" not in name)


def replace(row):
    row.image = upload("dog.jpg")
    row.save()


def clear(row):
    row.image = ""
    row.save()


def write_in_bulk(row):
    row.image = upload("dog.jpg")
    Product.objects.bulk_update([row], ["image"])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("deed", "left"),
    [
        (lambda row: row.image.delete(), []),
        (lambda row: row.image.storage.delete(row.image.name), []),
        (lambda row: row.delete(), ["products/cat.jpg"]),
        (lambda row: Product.objects.all().delete(), ["products/cat.jpg"]),
        (replace, ["products/cat.jpg", "products/dog.jpg"]),
        (clear, ["products/cat.jpg"]),
        (lambda row: Product.objects.update(image=upload("dog.jpg")), ["products/cat.jpg"]),
        (write_in_bulk, ["products/cat.jpg"]),
        (
            lambda row: Product.objects.bulk_create([Product(image=upload("dog.jpg"))]),
            ["products/cat.jpg", "products/dog.jpg"],
        ),
    ],
    ids=["file", "storage", "row", "rows", "replaced", "cleared", "update", "bulk_update", "bulk_create"],
)
def test_what_a_deed_to_a_row_leaves(memory, deed, left):
    """As the guide has it, under "Deleting"."""
    assert stored_by_rows(deed) == left
    for name in left:
        assert memory.exists(memory.thumb_key(name, "60x60"))


@pytest.mark.django_db
def test_a_fields_file_saves_renders_and_deletes_through_one_storage(memory):
    product = Product()
    product.image.save("a.png", ContentFile(draw(format="PNG")), save=False)
    assert image_in(product.image.storage, "products/a.png.thumbs/60x60.png").size == (60, 40)
    product.image.delete(save=False)
    assert stored(memory) == []
