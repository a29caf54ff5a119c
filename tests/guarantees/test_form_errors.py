"""A form says what is wrong with a bad image, in the user's language."""

from __future__ import annotations

import ast
import gettext
import re
import struct
from pathlib import Path

import pytest
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.urls import path
from django.utils import translation

import athumb_storage
from tests.conftest import upload
from tests.forms import BOMB, TOO_LARGE, product_form
from tests.shop.models import Product

site = admin.AdminSite(name="admin")
site.register(Product)
urlpatterns = [path("admin/", site.urls)]


@pytest.fixture(autouse=True)
def _in_memory(settings):
    backend = {"BACKEND": "athumb_storage.storages.InMemoryThumbnailStorage"}
    settings.STORAGES = {**settings.STORAGES, "default": backend}


LOCALE = Path(athumb_storage.__file__).parent / "locale"
LANGUAGES = ["de", "es", "fr", "it", "nl", "pt"]


def po_entries(language):
    """msgid -> msgstr of a catalogue's source, with the header under ""."""
    text = (LOCALE / language / "LC_MESSAGES" / "django.po").read_text("utf-8")
    entries = re.findall(r'^msgid ((?:".*"\s)+)msgstr ((?:".*"\s?)+)', text, re.M)
    return {joined(msgid): joined(msgstr) for msgid, msgstr in entries}


def joined(lines):
    return "".join(ast.literal_eval(line) for line in lines.splitlines())


def translatable():
    """What the source marks to be translated."""
    found = set()
    for file in Path(athumb_storage.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
                found.add(node.args[0].value)
    return found


def test_there_is_a_catalogue_for_each_language():
    assert sorted(path.name for path in LOCALE.iterdir()) == LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_is_whole_and_compiled(language):
    entries = po_entries(language)
    assert set(entries) - {""} == translatable() != set()
    assert all(entries.values())
    with (LOCALE / language / "LC_MESSAGES" / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
        file.seek(8)
        assert struct.unpack("<I", file.read(4)) == (len(entries),)
    for msgid, msgstr in entries.items():
        assert compiled.gettext(msgid) == msgstr


def test_a_form_in_german():
    with translation.override("de"):
        assert product_form(b"text").errors["image"] == [
            "Bitte ein gültiges Bild hochladen. Die hochgeladene Datei ist kein Bild oder ist defekt."
        ]
        assert product_form(BOMB).errors["image"] == [
            "Das Bild ist zu groß: Es hat mehr Pixel, Einzelbilder oder Bytes, als erlaubt sind."
        ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_model_in_every_language(language):
    with translation.override(language), pytest.raises(ValidationError) as caught:
        Product(name="Cat", image=upload(data=BOMB)).full_clean()
    with translation.override(language):
        assert caught.value.messages == [po_entries(language)[TOO_LARGE]]


def test_a_dialect_and_a_language_without_catalogue():
    with translation.override("de-at"):
        assert product_form(BOMB).errors["image"][0].startswith("Das Bild ist zu groß")
    with translation.override("fi"):
        assert product_form(BOMB).errors["image"] == [TOO_LARGE]


@pytest.mark.django_db
@pytest.mark.urls(__name__)
def test_the_admin_in_french(admin_client, settings):
    settings.LANGUAGE_CODE = "fr"
    with translation.override("fr"):
        answer = admin_client.post("/admin/shop/product/add/", {"name": "Cat", "image": upload(data=BOMB)})
    assert po_entries("fr")[TOO_LARGE] in answer.content.decode()
