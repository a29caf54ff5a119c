"""The picker of focal points, as somebody uses it."""

from __future__ import annotations

import io

import pytest
from django.contrib import admin
from django.core.files.base import ContentFile
from django.http import HttpResponse
from django.urls import path
from PIL import Image

from athumb_storage.contrib.testing import colour_at
from athumb_storage.geometry import place
from tests.browser.conftest import POLICY
from tests.shop.models import Album, AlbumPhoto

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]

SIZE = 1200, 400
RED, LIME, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


class PhotoInline(admin.StackedInline):
    model = AlbumPhoto
    extra = 0


class AlbumAdmin(admin.ModelAdmin):
    inlines = [PhotoInline]


class PhotoAdmin(admin.ModelAdmin):
    fields = ["image", "focus"]


class WithoutPointAdmin(admin.ModelAdmin):
    readonly_fields = ["focus"]


site = admin.AdminSite(name="admin")
site.register(Album, AlbumAdmin)
site.register(AlbumPhoto, PhotoAdmin)
other_site = admin.AdminSite(name="other")
other_site.register(AlbumPhoto, WithoutPointAdmin)
urlpatterns = [
    path("admin/", site.urls),
    path("other/", other_site.urls),
    path("favicon.ico", lambda request: HttpResponse(status=204)),
]


def photo(name="cat.png"):
    """Red, green and blue, side by side."""
    image = Image.new("RGB", SIZE, RED)
    image.paste(LIME, (400, 0, 800, 400))
    image.paste(BLUE, (800, 0, 1200, 400))
    output = io.BytesIO()
    image.save(output, "PNG")
    return ContentFile(output.getvalue(), name=name)


@pytest.fixture
def album_photo(media, monkeypatch):
    monkeypatch.setattr(AlbumPhoto._meta.get_field("image"), "_bound", None)
    return AlbumPhoto.objects.create(album=Album.objects.create(title="Cats"), image=photo())


@pytest.fixture
def opened(tab, admin_user):
    """Opens a page of the admin, for somebody who has logged in."""
    page, complaints = tab

    def open_page(address):
        assert page.goto(address).headers["content-security-policy"] == POLICY
        page.fill("#id_username", "admin")
        page.fill("#id_password", "password")
        page.click("[type=submit]")
        page.wait_for_url(lambda url: "/login/" not in url)
        return page

    yield open_page
    assert complaints == []


def shown(media, thumb="face"):
    with Image.open(media / f"albums/cat.png.thumbs/{thumb}.png") as image:
        return colour_at(image, image.width // 2, image.height // 2)


def click(page, across, down, picker=0):
    picture = page.locator(".athumb-picker button img").nth(picker)
    box = picture.bounding_box()
    picture.click(position={"x": box["width"] * across, "y": box["height"] * down})


def point(page, name="focus"):
    return tuple(float(part) for part in page.input_value(f"[name={name}]").split(","))


def near(*values):
    """A point, as exactly as somebody can click on it."""
    return pytest.approx(values, abs=0.011)


def saved(page):
    page.click("[name=_save]")
    page.wait_for_selector(".messagelist .success")
    return AlbumPhoto.objects.get().focus


def test_a_click_chooses_the_point_of_the_crops(album_photo, opened, media):
    assert shown(media) == LIME
    page = opened(f"/admin/shop/albumphoto/{album_photo.pk}/change/")
    assert page.locator(".athumb-told").inner_text() == "50% from the left, 50% from the top"
    click(page, 0.9, 0.2)
    chosen = point(page)
    assert chosen == near(0.9, 0.2)
    x, y = (f"{value:.0%}" for value in chosen)
    assert page.locator(".athumb-told").inner_text() == f"{x} from the left, {y} from the top"
    marker, picture = (page.locator(each).bounding_box() for each in (".athumb-marker", ".athumb-picker button img"))
    assert marker["x"] + marker["width"] / 2 == pytest.approx(picture["x"] + picture["width"] * 0.9, abs=3)
    assert marker["y"] + marker["height"] / 2 == pytest.approx(picture["y"] + picture["height"] * 0.2, abs=3)
    assert saved(page) == "{:.2f},{:.2f}".format(*chosen)
    assert shown(media) == BLUE


def test_keys_move_it(album_photo, opened, media):
    page = opened(f"/admin/shop/albumphoto/{album_photo.pk}/change/")
    page.focus(".athumb-picker button")
    for key in ("ArrowLeft", "ArrowDown", "ArrowDown", "Shift+ArrowLeft", "Enter", " "):
        page.keyboard.press(key)
    assert page.input_value("#id_focus") == "0.39,0.52"
    page.keyboard.press("Home")
    assert page.input_value("#id_focus") == "0.50,0.50"
    for _ in range(6):
        page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Shift+ArrowUp")
    assert page.evaluate("document.activeElement.type") == "button"
    assert saved(page) == "0.00,0.40"
    assert shown(media) == RED


def test_typing_moves_the_marker_and_what_is_no_point_does_not(album_photo, opened):
    page = opened(f"/admin/shop/albumphoto/{album_photo.pk}/change/")
    told = page.locator(".athumb-told")
    typed = {"0.1, 0.3": "10%", "0.1,": "10%", "2,0": "10%", "left": "10%", "1,0": "100%", "": "50%"}
    for text, left in typed.items():
        page.fill("#id_focus", text)
        assert told.inner_text().startswith(f"{left} from the left")
        assert page.locator(".athumb-marker").evaluate("(marker) => marker.style.left") == left


def test_others_hear_of_a_change(album_photo, opened):
    page = opened(f"/admin/shop/albumphoto/{album_photo.pk}/change/")
    page.evaluate("window.heard = []; document.addEventListener('change', (e) => window.heard.push(e.target.name))")
    click(page, 0.5, 0.5)
    assert page.evaluate("window.heard") == ["focus"]


@pytest.mark.parametrize("point", [(0.5, 0.5), (0.3, 0.8), (0, 1), (0.97, 0.02)])
def test_the_crops_are_drawn_as_they_will_be(album_photo, opened, point):
    page = opened(f"/admin/shop/albumphoto/{album_photo.pk}/change/")
    page.fill("#id_focus", f"{point[0]},{point[1]}")
    thumbs = {name: thumb for name, thumb in album_photo.image.storage.thumbs.items() if thumb.crop == "focal"}
    figures = page.locator(".athumb-crops figure")
    assert figures.locator("figcaption").all_inner_texts() == list(thumbs)
    for index, thumb in enumerate(thumbs.values()):
        frame, image = (figures.nth(index).locator(each).bounding_box() for each in ("span", "img"))
        placement = place(SIZE, thumb, subject=point)
        shares = [side / frame["width"] for side in (frame["height"], image["width"], image["height"])]
        left, top, right, bottom = placement.box
        expected = [bottom - top, *SIZE]
        assert shares == pytest.approx([side / (right - left) for side in expected], rel=0.01)
        scale = SIZE[0] / image["width"]
        offset = [(frame[axis] - image[axis]) * scale for axis in ("x", "y")]
        assert offset == pytest.approx([left, top], abs=0.6 * scale)


def test_each_row_of_an_inline_has_its_own(album_photo, opened):
    AlbumPhoto.objects.create(album=album_photo.album, image=photo("dog.png"))
    page = opened(f"/admin/shop/album/{album_photo.album_id}/change/")
    click(page, 0.25, 0.5, picker=1)
    assert page.input_value("[name=photos-0-focus]") == ""
    assert point(page, "photos-1-focus") == near(0.25, 0.5)
    page.click(".add-row a")
    assert page.locator("[name=photos-2-focus]").is_visible()
    assert page.locator(".athumb-picker").count() == 2
    page.click("#photos-2 .inline-deletelink")
    click(page, 0.5, 0.5, picker=0)
    assert point(page, "photos-0-focus") == near(0.5, 0.5)


def test_without_the_input_there_is_only_a_preview(album_photo, opened):
    page = opened(f"/other/shop/albumphoto/{album_photo.pk}/change/")
    page.locator(".athumb-preview > a > img").wait_for()
    assert not page.locator(".athumb-picker").is_visible()
