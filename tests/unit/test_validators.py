"""Validators on their own; what they come to in forms and models is in `test_forms`."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.db import models
from django.db.migrations.writer import MigrationWriter
from django.test.utils import isolate_apps
from django.utils import translation

from athumb_storage.fields import FileWithThumbsField, ImageWithThumbsField
from athumb_storage.storages import InMemoryThumbnailStorage
from athumb_storage.validators import ImageUploadExtensionValidator
from tests.conftest import draw, upload
from tests.shop.models import Product


def named(name):
    return ContentFile(b"", name=name)


def accepts(validator, name):
    try:
        validator(named(name))
    except ValidationError:
        return False
    return True


class TestExtensions:
    @pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.jpeg", "a.gif", "A.JPG", "photos/a.b.Png"])
    def test_those_of_django_athumb_are_allowed(self, name):
        assert accepts(ImageUploadExtensionValidator(), name)

    @pytest.mark.parametrize("name", ["a.webp", "a.avif", "a.html", "a.jpg.exe", "a", "jpg", "a.jpg/b"])
    def test_others_are_not(self, name):
        assert not accepts(ImageUploadExtensionValidator(), name)

    def test_the_setting_counts_when_a_file_is_validated(self, settings):
        validator = ImageUploadExtensionValidator()
        settings.ALLOWABLE_THUMBNAIL_EXTENSIONS = ["webp", "PNG"]
        assert accepts(validator, "a.webp")
        assert accepts(validator, "a.png")
        assert not accepts(validator, "a.jpg")
        settings.ALLOWABLE_THUMBNAIL_EXTENSIONS = ["jpg"]
        assert accepts(validator, "a.jpg")
        settings.ALLOWABLE_THUMBNAIL_EXTENSIONS = []
        assert not accepts(validator, "a.jpg")

    def test_a_list_of_its_own_counts_more_than_the_setting(self, settings):
        settings.ALLOWABLE_THUMBNAIL_EXTENSIONS = ["jpg"]
        validator = ImageUploadExtensionValidator(["WebP"])
        assert accepts(validator, "a.webp")
        assert accepts(validator, "a.WEBP")
        assert not accepts(validator, "a.jpg")
        assert not accepts(ImageUploadExtensionValidator([]), "a.jpg")

    def test_the_error_names_the_extensions_in_the_users_language(self):
        with translation.override("en"), pytest.raises(ValidationError) as caught:
            ImageUploadExtensionValidator()(named("a.exe"))
        with translation.override("en"):
            assert caught.value.messages == [
                "File extension “exe” is not allowed. Allowed extensions are: png, jpg, jpeg, gif."
            ]
            assert caught.value.code == "extension_not_allowed"
        with translation.override("de"):
            assert caught.value.messages[0].startswith("Dateiendung „exe“ ist nicht erlaubt.")

    @pytest.mark.parametrize("allowed", [None, ["png"]])
    @pytest.mark.parametrize(
        ("name", "code"), [("cat", "no_extension"), ("a.b/cat", "no_extension"), ("cat.exe", "extension_not_allowed")]
    )
    def test_the_codes_are_those_of_django_athumb(self, allowed, name, code):
        with pytest.raises(ValidationError) as caught:
            ImageUploadExtensionValidator(allowed)(named(name))
        assert caught.value.code == code

    @isolate_apps("tests.shop")
    def test_a_fields_own_words_are_found_by_these_codes(self):
        class Thing(models.Model):
            file = models.FileField(
                validators=[ImageUploadExtensionValidator()],
                error_messages={"no_extension": "Name it.", "extension_not_allowed": "Not that."},
            )

            class Meta:
                app_label = "shop"

        for name, words in [("cat", "Name it."), ("cat.exe", "Not that.")]:
            with pytest.raises(ValidationError) as caught:
                Thing(file=named(name)).full_clean()
            assert caught.value.message_dict == {"file": [words]}

    def test_a_message_of_the_projects_own(self):
        with pytest.raises(ValidationError, match="No") as caught:
            ImageUploadExtensionValidator(message="No", code="own")(named("a.exe"))
        assert caught.value.code == "own"
        with pytest.raises(ValidationError, match="No") as caught:
            ImageUploadExtensionValidator(message="No", code="own")(named("a"))
        assert caught.value.code == "own"

    @pytest.mark.parametrize("arguments", [{}, {"allowed_extensions": ["png", "webp"]}, {"message": "No"}])
    def test_the_validator_can_be_written_into_a_migration(self, arguments):
        validator = ImageUploadExtensionValidator(**arguments)
        text, imports = MigrationWriter.serialize(validator)
        assert imports == {"import athumb_storage.validators"}
        scope = {}
        exec("\n".join(imports), scope)
        assert eval(text, scope) == validator
        assert validator != ImageUploadExtensionValidator(["tga"])

    def test_the_setting_is_not_written_into_a_migration(self, settings):
        settings.ALLOWABLE_THUMBNAIL_EXTENSIONS = ["webp"]
        text, _ = MigrationWriter.serialize(ImageUploadExtensionValidator())
        assert text == "athumb_storage.validators.ImageUploadExtensionValidator()"


class TestExtensionsOfAField:
    def test_without_the_setting_every_extension_will_do(self):
        Product(name="Cat", image=upload("cat.tiff", format="TIFF")).full_clean()
        Product(name="Cat", image=upload("cat.webp", format="WEBP")).full_clean()

    def test_with_the_setting_only_its_extensions_are_allowed(self, settings):
        settings.ALLOWABLE_THUMBNAIL_EXTENSIONS = ["png", "jpg"]
        Product(name="Cat", image=upload("cat.JPG")).full_clean()
        with translation.override("en"), pytest.raises(ValidationError) as caught:
            Product(name="Cat", image=upload("cat.gif", format="GIF")).full_clean()
        with translation.override("en"):
            assert caught.value.message_dict == {
                "image": ["File extension “gif” is not allowed. Allowed extensions are: png, jpg."]
            }

    @isolate_apps("tests.shop")
    def test_a_field_for_any_file_has_no_such_rule(self, settings):
        settings.ALLOWABLE_THUMBNAIL_EXTENSIONS = ["png"]

        class Thing(models.Model):
            file = FileWithThumbsField(storage=InMemoryThumbnailStorage())

            class Meta:
                app_label = "shop"

        Thing(file=named("a.pdf")).full_clean()

    def test_the_rule_is_in_no_migration(self, settings):
        settings.ALLOWABLE_THUMBNAIL_EXTENSIONS = ["png"]
        *_, kwargs = ImageWithThumbsField().deconstruct()
        assert "validators" not in kwargs

    @isolate_apps("tests.shop")
    def test_a_fields_own_validators_count_beside_the_rule(self):
        class Thing(models.Model):
            image = ImageWithThumbsField(
                storage=InMemoryThumbnailStorage(), validators=[ImageUploadExtensionValidator(["png"])]
            )

            class Meta:
                app_label = "shop"

        Thing(image=upload("cat.png", format="PNG")).full_clean()
        with pytest.raises(ValidationError) as caught:
            Thing(image=upload("cat.jpg", data=draw()[:300])).full_clean()
        assert {error.code for error in caught.value.error_dict["image"]} == {"extension_not_allowed", "invalid_image"}
        *_, kwargs = Thing._meta.get_field("image").deconstruct()
        assert kwargs["validators"] == [ImageUploadExtensionValidator(["png"])]
