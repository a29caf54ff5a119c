"""The pages of the test project in a browser, with the images on an S3 server."""

from __future__ import annotations

import copy
import io
import re
import uuid
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from django.core.files.base import ContentFile
from django.http import HttpResponse
from django.test import override_settings
from django.urls import include, path
from gallery.models import Photo, Showpiece
from PIL import Image, ImageFilter

from athumb_storage.formats import MIME_TYPES
from tests.browser.conftest import listen

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]

urlpatterns = [
    path("", include("config.urls")),
    path("favicon.ico", lambda request: HttpResponse(status=204)),  # the admin names no icon
]

PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}
DESKTOP = {"viewport": {"width": 1440, "height": 900}}
SHARP_DESKTOP = {**DESKTOP, "device_scale_factor": 2}

SIZE = 2400, 1600
SMALL = 700, 500
WIDTHS = 320, 640, 960, 1280, 1920

SHIFTS = """() => new Promise((resolve) => {
    let sum = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => { sum += entry.value; }))
        .observe({ type: "layout-shift", buffered: true });
    requestAnimationFrame(() => setTimeout(() => resolve(sum), 100));
})"""
"""How far the layout has been shifted so far, in all."""

WITHOUT_SIZES = """new MutationObserver(() => document.querySelectorAll("img").forEach((image) => {
    image.removeAttribute("width");
    image.removeAttribute("height");
})).observe(document, { childList: true, subtree: true })"""


def drawn(size):
    """A JPEG with detail at every scale, as a camera's has: noise would flatter no format, and a gradient all."""
    image = Image.linear_gradient("L").resize(size)
    for scale in (256, 128, 64, 32, 16, 8, 4, 2):
        layer = Image.effect_noise([side // scale + 2 for side in size], 64).resize(size, Image.Resampling.BICUBIC)
        image = Image.blend(image, layer, 0.2 if scale > 8 else 0.05)
    tinted = Image.merge(
        "RGB", [image, image.filter(ImageFilter.BoxBlur(2)), image.transpose(Image.Transpose.ROTATE_180)]
    )
    output = io.BytesIO()
    tinted.save(output, "JPEG", quality=92)
    return ContentFile(output.getvalue(), name="photo.jpg")


@pytest.fixture(scope="module")
def bucket_url(browser, s3_server):  # the browser comes first, for without one all of this is skipped
    """That of a public bucket, in which the test project stores its images."""
    name = f"public-{uuid.uuid4().hex[:12]}"
    s3_server.create_bucket(name, public=True)
    storage = {
        "BACKEND": "athumb_storage.storages.PublicS3ThumbnailStorage",
        "OPTIONS": {
            "bucket_name": name,
            "endpoint_url": s3_server.endpoint_url,
            "access_key": s3_server.access_key,
            "secret_key": s3_server.secret_key,
            "region_name": s3_server.region,
        },
    }
    # No text of a page is run or applied, but for the attribute `style`, which the tags write.
    policy = f"default-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data: {s3_server.endpoint_url}"
    static = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES={"default": storage, "staticfiles": static}, CONTENT_POLICY=policy):
        yield f"{s3_server.endpoint_url}/{name}/"


def stored(size):
    piece = Showpiece(title="A landscape", image_focus="0.30,0.20")
    piece.image.save("photo.jpg", drawn(size), save=False)
    return piece


@pytest.fixture(scope="module")
def files(bucket_url):
    """Stored once: it takes seconds, and no test changes them."""
    return {size: stored(size) for size in (SIZE, SMALL)}


@pytest.fixture
def add(files):
    """A function that adds a row with a photo of that size."""

    def add_row(size):
        piece = copy.copy(files[size])
        piece.save()
        return piece

    return add_row


@pytest.fixture
def piece(add):
    return add(SIZE)


@pytest.fixture
def open_page(browser, live_server):
    """A function that opens a page on some device. None may complain of anything."""
    complaints = []
    with ExitStack() as stack:

        def open_one(address, prepare=lambda page: None, wait_until="networkidle", **device):
            page = browser.new_page(base_url=live_server.url, **{**DESKTOP, **device})
            stack.callback(page.close)
            listen(page, complaints)
            prepare(page)
            page.goto(address, wait_until=wait_until)
            return page

        yield open_one
    assert complaints == []


def into(answers):
    """Prepares a page: all answers that it gets are added."""
    return lambda page: page.on("response", lambda answer: answers.append(answer))


class Gate:
    """Lets a page wait for its images until it is opened."""

    def __init__(self, page, address):
        self.page = page
        self.held = []
        self.is_open = False
        page.route(f"{address}**", self.take)

    def take(self, route):
        if self.is_open:
            route.continue_()
        else:
            self.held.append(route)

    def open(self):
        self.is_open = True
        for route in self.held:
            route.continue_()
        self.page.wait_for_load_state("networkidle")


def image_answers(answers):
    return [answer for answer in answers if answer.request.resource_type == "image" and answer.url.startswith("http")]


def candidates(page):
    """Each URL of the page's images, with the type that it is said to have, or None."""
    found = page.evaluate(
        """[...document.querySelectorAll("main source, main img")].flatMap((element) => [
            ...(element.srcset ? element.srcset.split(", ") : []), element.src,
        ].filter(Boolean).map((candidate) => [candidate.split(" ")[0], element.type || null]))"""
    )
    return {tuple(each) for each in found}


def assert_all_answer(page, bucket_url):
    """That each file which the page offers is in the bucket, and is what it is said to be; all of them."""
    found = candidates(page)
    for url, kind in found:
        answer = page.request.get(url)
        assert url.startswith(bucket_url)
        assert answer.status == 200, url
        assert answer.headers["content-type"] == (kind or "image/jpeg"), url
        with Image.open(io.BytesIO(answer.body())) as image:
            assert MIME_TYPES[image.format] == answer.headers["content-type"]
    return found


def test_the_best_format_is_shown(piece, open_page, bucket_url):
    answers = []
    page = open_page(piece.get_absolute_url(), into(answers))
    shown = page.locator("picture img").evaluate("(image) => [image.currentSrc, image.naturalWidth > 0]")
    assert urlsplit(shown[0]).path.endswith(".thumbs/hero-960.avif")
    assert shown[1]
    images = {answer.url: answer for answer in image_answers(answers) if not answer.url.endswith(".svg")}
    assert len(images) == 3
    for url, answer in images.items():
        assert url.startswith(bucket_url)
        assert answer.status == 200
    assert images[shown[0]].headers["content-type"] == "image/avif"


def test_every_file_for_other_browsers_is_there(piece, open_page, bucket_url):
    found = assert_all_answer(open_page(piece.get_absolute_url()), bucket_url)
    assert {kind for _, kind in found} == {"image/avif", "image/webp", "image/jpeg", None}
    assert len(found) == 3 * len(WIDTHS) + 1 + 2 * 2


def test_a_list_shows_both_kinds(piece, open_page, bucket_url):
    Photo.objects.create(title="A photo", image=drawn(SMALL))
    page = open_page("/")
    assert len(assert_all_answer(page, bucket_url)) == 2 + 1
    page.click(f'a[href="{piece.get_absolute_url()}"]')
    page.wait_for_selector(".showpiece")


def test_a_small_original_offers_no_width_that_it_lacks(add, open_page, bucket_url):
    page = open_page(add(SMALL).get_absolute_url())
    for srcset in page.locator("picture > source").evaluate_all("(all) => all.map((each) => each.srcset)"):
        assert re.findall(r" (\d+)w", srcset) == ["320", "640"]
    assert_all_answer(page, bucket_url)
    hero = page.locator("picture img")
    assert urlsplit(hero.evaluate("(image) => image.currentSrc")).path.endswith("/hero-640.avif")
    assert (hero.get_attribute("width"), hero.get_attribute("height")) == ("700", "394")


@pytest.fixture
def open_gated(piece, open_page, bucket_url):
    """A function that opens the page of a photo without its images: the page, and the gate behind which they wait."""

    def open_one(script="", **device):
        gates = []

        def prepare(page):
            page.add_init_script(script)
            gates.append(Gate(page, bucket_url))

        page = open_page(piece.get_absolute_url(), prepare, wait_until="domcontentloaded", **device)
        page.wait_for_timeout(300)  # that it has been painted
        return page, gates[0]

    return open_one


@pytest.mark.parametrize("device", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_the_placeholder_is_there_first_and_nothing_moves(open_gated, device):
    page, gate = open_gated(**device)
    hero = page.locator("picture img")
    assert not hero.evaluate("(image) => image.complete")
    assert hero.evaluate("(image) => getComputedStyle(image).backgroundImage").startswith('url("data:image/png;base64,')
    before = hero.bounding_box()
    assert before["height"] == pytest.approx(before["width"] * 9 / 16, abs=1)
    assert any("/hero-" in route.request.url for route in gate.held)
    gate.open()
    assert hero.evaluate("(image) => image.complete && image.naturalWidth") > 0
    assert hero.bounding_box() == before
    assert page.evaluate(SHIFTS) == 0


def test_without_width_and_height_it_would_move(open_gated):
    """That the test before this one can fail."""
    page, gate = open_gated(WITHOUT_SIZES, **PHONE)
    gate.open()
    assert page.evaluate(SHIFTS) > 0.05


def hero_loaded(open_page, piece, device):
    """The name of the file that is loaded for the large picture, and its bytes."""
    answers = []
    open_page(piece.get_absolute_url(), into(answers), **device)
    (hero,) = [answer for answer in image_answers(answers) if "/hero-" in answer.url]
    return hero.url.rpartition("/")[2].partition("?")[0], len(hero.body())


def test_each_device_loads_what_it_needs(piece, open_page, capsys):
    devices = {"phone": PHONE, "desktop": DESKTOP, "sharp desktop": SHARP_DESKTOP}
    loaded = {name: hero_loaded(open_page, piece, device) for name, device in devices.items()}
    storage, original = piece.image.storage, piece.image.name
    one_for_all = storage.size(storage.thumb_key(original, "hero-1920"))
    loaded |= {"one JPEG for all": ("hero-1920.jpg", one_for_all), "original": (original, storage.size(original))}
    with capsys.disabled():
        print("", *(f"{name}: {file}, {size:,} bytes" for name, (file, size) in loaded.items()), sep="\n")
    assert [loaded[name][0] for name in devices] == ["hero-960.avif", "hero-960.avif", "hero-1920.avif"]
    assert loaded["phone"][1] < loaded["sharp desktop"][1] < one_for_all


def serious(page, part=None):
    """What axe-core has to say against a page, or a part of it."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is not installed").Axe()
    # Else it would apply text as style, which the page forbids, to look into style sheets that import others.
    options = {"preload": False, "resultTypes": ["violations"]}
    found = axe.run(page, context=part, options=options).response["violations"]
    return [
        f"{each['id']}: {node['html']} {node['failureSummary']}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
class TestAccessibility:
    @pytest.mark.parametrize("address", ["/", "/add/", "showpiece"])
    def test_a_page(self, piece, open_page, scheme, address):
        Photo.objects.create(title="A photo", image=drawn(SMALL))
        page = open_page(piece.get_absolute_url() if address == "showpiece" else address, color_scheme=scheme)
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == {"light": "rgb(245, 247, 250)", "dark": "rgb(18, 24, 30)"}[scheme]
        assert serious(page) == []

    def test_a_refused_upload(self, open_page, bucket_url, scheme):
        page = open_page("/add/", color_scheme=scheme)
        page.fill("#id_title", "No photo")
        page.set_input_files("#id_image", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"no image"})
        page.click("button")
        page.wait_for_selector(".errorlist")
        assert serious(page) == []

    def test_the_picker_in_the_admin(self, piece, open_page, admin_user, scheme):
        page = open_page(f"/admin/gallery/showpiece/{piece.pk}/change/", color_scheme=scheme)
        page.fill("#id_username", "admin")
        page.fill("#id_password", "password")
        page.click("[type=submit]")
        page.wait_for_selector(".athumb-picker button img")
        assert page.locator(".athumb-crops figure").count() == 2  # of the responsive set one, and the other
        # The rest of the widget is Django's, whose file input has no label of its own in 6.1.
        assert serious(page, ".athumb-preview") == []


def test_axe_finds_what_is_wrong(open_page, bucket_url):
    page = open_page("/add/")
    page.locator("label").first.evaluate("(label) => label.remove()")
    assert any(fault.startswith("label:") for fault in serious(page))
