"""One page of pictures: originals, our thumbs, those of libvips, how they differ, and what other libraries make.

`make gallery`, or `python -m tests.benchmarks.gallery FILE` for the page's name. What is drawn covers the shapes and
kinds of pixels that there are; a folder in PHOTOS adds photos. CMYK without a profile differs from libvips, which has a
printer's for it; ours is what browsers show.
"""

from __future__ import annotations

import base64
import html
import io
import math
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops, ImageCms, ImageDraw, ImageStat

from tests.benchmarks import environment, photos

BOX = 160
SHAPES = {"wide": (640, 240), "tall": (240, 640), "odd": (333, 251), "small": (90, 60)}
OPTIONS: dict[str, dict[str, Any]] = {
    "fit": {"size": (BOX, BOX)},
    "crop": {"size": (BOX, BOX), "crop": True},
    "no upscale": {"size": (BOX, BOX), "upscale": False},
}
MORE: dict[str, dict[str, Any]] = {
    "one side": {"size": (BOX, None)},
    "pad": {"size": (BOX, BOX), "pad": "white"},
    "smart crop": {"size": (BOX, BOX), "crop": "smart"},
    "focal crop at 0.2,0.3": {"size": (BOX, BOX), "crop": "focal"},
    "density 2": {"size": (BOX // 2, BOX // 2), "densities": (1, 2)},
    "sharpened": {"size": (BOX, BOX), "processors": ("athumb_storage.processors.sharpen",)},
}
"""Beside them stands what libvips makes of the same, and of the last the fit as it is without."""

FOCAL = 0.2, 0.3
SHOWN_WITH_MORE = ("JPEG, wide", "JPEG, turned", "PNG, transparent")
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF")


def picture(size: tuple[int, int]) -> Image.Image:
    """Gradients, thin lines, flat colours and a soft edge."""
    width, height = size
    ramp = Image.linear_gradient("L").resize(size)
    image = Image.merge("RGB", (ramp, ramp.transpose(Image.Transpose.ROTATE_180), Image.new("L", size, 90)))
    pen = ImageDraw.Draw(image)
    for number in range(0, width, 12):
        pen.line((number, 0, width - number, height), (20, 20, 20) if number % 24 else (250, 250, 250))
    pen.ellipse((width // 5, height // 5, width // 2, height // 2), (220, 30, 40))
    pen.rectangle((width // 2, height // 2, width * 4 // 5, height * 4 // 5), (30, 60, 200))
    return image


def originals() -> Iterator[tuple[str, bytes]]:
    for label, size in SHAPES.items():
        yield f"JPEG, {label}", _saved(picture(size), "JPEG", quality=92)
    size = SHAPES["odd"]
    image = picture(size)
    soft = image.convert("RGBA")
    soft.putalpha(Image.radial_gradient("L").resize(size).point([255 - value for value in range(256)]))
    yield "PNG, RGB", _saved(image, "PNG")
    yield "PNG, transparent", _saved(soft, "PNG")
    yield "PNG, palette", _saved(image.quantize(32), "PNG")
    yield "PNG, grey", _saved(image.convert("L"), "PNG")
    yield "PNG, one bit", _saved(image.convert("1"), "PNG")
    yield "GIF, transparent", _saved(soft, "GIF")
    yield "WebP, transparent", _saved(soft, "WEBP", lossless=True)
    yield "AVIF", _saved(image, "AVIF", quality=90)
    yield "TIFF, CMYK", _saved(image.convert("CMYK"), "TIFF")
    yield "JPEG, CMYK", _saved(image.convert("CMYK"), "JPEG", quality=92)
    exif = Image.Exif()
    exif[0x0112] = 6
    yield "JPEG, turned", _saved(image, "JPEG", quality=92, exif=exif)
    yield "JPEG, Display P3", _saved(image, "JPEG", quality=92, icc_profile=_display_p3())
    for path in [*photos.real(os.environ.get("PHOTOS")), *photos.below(os.environ.get("PHOTOS"), "*.heic")]:
        yield path.name, path.read_bytes()


def moving() -> Iterator[tuple[str, bytes]]:
    image = picture(SHAPES["odd"]).convert("RGBA")
    frames = [image.rotate(-36 * turn, Image.Resampling.BICUBIC) for turn in range(10)]
    yield (
        "GIF, moving",
        _saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=80, loop=0, disposal=2),
    )
    for path in photos.below(os.environ.get("PHOTOS"), "*.gif"):
        yield path.name, path.read_bytes()


def _saved(image: Image.Image, image_format: str, **options: Any) -> bytes:
    output = io.BytesIO()
    image.save(output, image_format, **options)
    return output.getvalue()


def _display_p3() -> bytes:
    """The profile that libvips has."""
    import pyvips

    pixel = pyvips.Image.black(8, 8, bands=3).copy(interpretation="srgb")
    return bytes(pixel.icc_transform("p3", input_profile="srgb").get("icc-profile-data"))


def ours(data: bytes, options: dict[str, Any], image_format: str) -> bytes:
    from athumb_storage import Thumb
    from athumb_storage.formats import HEAD_SIZE, sniff
    from athumb_storage.rendering import render
    from athumb_storage.specs import Variant

    read = sniff(data[:HEAD_SIZE])
    assert read
    thumb = Thumb(**options)
    variant = Variant.of("thumb", thumb, image_format, thumb.densities[-1])
    [rendered] = render(io.BytesIO(data), read, [variant], focal=FOCAL)
    return rendered.data


def reference(data: bytes, options: dict[str, Any]) -> bytes:
    """The same by libvips, as a PNG; transparency is scaled premultiplied there, too."""
    import pyvips

    if options.get("animated"):
        moving = pyvips.Image.thumbnail_buffer(data, BOX, height=BOX, option_string="n=-1")
        return bytes(moving.webpsave_buffer(Q=85, keep="none"))
    if data[4:8] == b"ftyp" and b"heic" in data[8:40]:
        data = _decoded(data)
    density = options.get("densities", (1,))[-1]
    width, height = ((side or 10_000) * density for side in options["size"])
    size = "both" if options.get("upscale", True) and density == 1 else "down"
    crops = {None: "none", True: "centre", "smart": "attention", "focal": "none"}
    box = {"width": width, "height": height, "size": size, "crop": crops[options.get("crop")]}
    if options.get("crop") == "focal":
        return _around(data, width, height)
    image = pyvips.Image.thumbnail_buffer(data, box.pop("width"), export_profile="srgb", **box)
    if options.get("pad"):
        image = image.flatten(background=255) if image.hasalpha() else image
        image = image.gravity("centre", width, height, extend="white")
    return bytes(image.pngsave_buffer(keep="none"))


def _decoded(heic: bytes) -> bytes:
    """Its pixels as pi-heif has them: pyvips comes without a decoder for HEVC."""
    import pi_heif

    image = pi_heif.open_heif(heic).to_pillow()
    return _saved(image, "PNG", icc_profile=image.info.get("icc_profile"))


def _around(data: bytes, width: int, height: int) -> bytes:
    """A crop around the focal point."""
    import pyvips

    whole = pyvips.Image.new_from_buffer(data, "").autorot()
    scale = max(width / whole.width, height / whole.height)
    size = {"height": round(whole.height * scale), "size": "force"}
    image = pyvips.Image.thumbnail_buffer(data, round(whole.width * scale), export_profile="srgb", **size)
    left, top = (
        min(max(round(at * side - box / 2), 0), side - box)
        for at, side, box in zip(FOCAL, (image.width, image.height), (width, height), strict=True)
    )
    return bytes(image.crop(left, top, width, height).pngsave_buffer(keep="none"))


def easy(data: bytes, options: dict[str, Any], image_format: str) -> bytes:
    from django.core.files.base import ContentFile
    from easy_thumbnails.files import get_thumbnailer

    thumbnailer = get_thumbnailer(ContentFile(data), relative_name="gallery.jpg")
    thumbnailer.thumbnail_extension = image_format.lower()
    wanted = {**options, "crop": bool(options.get("crop")), "upscale": options.get("upscale", True), "quality": 85}
    return thumbnailer.generate_thumbnail(wanted).read()


def sorl(data: bytes, options: dict[str, Any], image_format: str) -> bytes:
    from sorl.thumbnail.engines.pil_engine import Engine

    engine = Engine()
    image = Image.open(io.BytesIO(data))
    wanted = {
        "crop": "center" if options.get("crop") else False,
        "upscale": options.get("upscale", True),
        "colorspace": "RGB",
        "orientation": True,
        "padding": False,
        "padding_color": "#ffffff",
        "cropbox": False,
        "rounded": None,
        "blur": 0,
        "format": image_format,
        "quality": 85,
    }
    return engine._get_raw_data(engine.create(image, options["size"], wanted), image_format, 85, {}, progressive=True)


PEERS: dict[str, Callable[[bytes, dict[str, Any], str], bytes]] = {"easy-thumbnails": easy, "sorl-thumbnail": sorl}


def on_grey(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data)).convert("RGBA")
    ground = Image.new("RGBA", image.size, (128, 128, 128, 255))
    ground.alpha_composite(image)
    return ground.convert("RGB")


def compared(one: Image.Image, other: Image.Image) -> tuple[str, Image.Image | None]:
    """PSNR in dB and the mean ΔE (CIE 1976), on mid grey; and the difference, made four times as strong."""
    if one.size != other.size:
        return f"{one.size}, not {other.size}", None
    difference = ImageChops.difference(one, other)
    error = sum(value**2 for value in ImageStat.Stat(difference).rms) / 3
    psnr = math.inf if error == 0 else 10 * math.log10(255**2 / error)
    return f"{psnr:.1f} dB, ΔE {_delta(one, other):.1f}", difference.point(
        [min(4 * value, 255) for value in range(256)] * 3
    )


def _delta(one: Image.Image, other: Image.Image) -> float:
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    pair = [(ImageCms.applyTransform(image, to_lab) or image).tobytes() for image in (one, other)]
    total = 0.0
    for at in range(0, len(pair[0]), 3):
        first, second = pair[0][at : at + 3], pair[1][at : at + 3]
        lightness = (first[0] - second[0]) / 2.55
        a, b = (_signed(first[band]) - _signed(second[band]) for band in (1, 2))
        total += math.sqrt(lightness**2 + a * a + b * b)
    return total / (len(pair[0]) // 3)


def _signed(value: int) -> int:
    return value - 256 if value > 127 else value


def _shown(data: bytes | Image.Image | None, words: str) -> str:
    if data is None:
        return f"<td>{html.escape(words)}</td>"
    if isinstance(data, Image.Image):
        data = _saved(data, "PNG")
    if data[4:8] == b"ftyp" and b"heic" in data[8:40]:
        data = _decoded(data)
    kind = (Image.open(io.BytesIO(data)).format or "png").lower()
    if kind == "tiff":
        data, kind = _saved(Image.open(io.BytesIO(data)).convert("RGB"), "PNG"), "png"
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return f'<td><img src="{source}" style="max-width: 160px"><br>{html.escape(words)}</td>'


def _row(label: str, data: bytes, options: dict[str, Any], image_format: str) -> str:
    thumb, true = ours(data, options, image_format), reference(data, options)
    words, difference = compared(on_grey(thumb), on_grey(true))
    cells = [
        f"<th>{html.escape(label)}</th>",
        _shown(data, f"{len(data):,} bytes"),
        _shown(thumb, f"{len(thumb):,} bytes"),
        _shown(true, "libvips"),
        _shown(difference, words),
    ]
    for make in PEERS.values():
        try:
            theirs = make(data, options, image_format)
            cells.append(_shown(theirs, f"{len(theirs):,} bytes; {compared(on_grey(theirs), on_grey(true))[0]}"))
        except Exception as error:  # noqa: BLE001, what they cannot do is a result as well
            cells.append(_shown(None, type(error).__name__))
    return f"<tr>{''.join(cells)}</tr>\n"


def page() -> Iterator[str]:
    heads = "".join(
        f"<th>{head}</th>" for head in ("", "original", "ours", "reference", "difference, fourfold", *PEERS)
    )
    yield "<!doctype html><meta charset=utf-8><title>Gallery</title>"
    yield "<style>body { background: #808080; font: 12px sans-serif } td, th { vertical-align: top }</style>"
    yield f"<table><tr>{heads}</tr>\n"
    for label, data in originals():
        for option, options in OPTIONS.items():
            yield _row(f"{label}: {option}", data, options, "JPEG" if label.startswith("JPEG") else "PNG")
        if label in SHOWN_WITH_MORE or "," not in label:
            for option, options in MORE.items():
                yield _row(f"{label}: {option}", data, options, "PNG")
    for label, data in moving():
        yield _row(f"{label}: animated", data, {"size": (BOX, BOX), "animated": True}, "WEBP")
    for image_format in FORMATS:
        data = _saved(picture(SHAPES["odd"]), "PNG")
        yield _row(f"PNG, RGB, as {image_format}", data, OPTIONS["fit"], image_format)
    yield "</table>"


def main() -> None:
    environment.enter("tests.benchmarks.gallery")
    from django.conf import settings

    path = Path(sys.argv[1] if len(sys.argv) > 1 else environment.FOLDER / "gallery.html")
    settings.configure(INSTALLED_APPS=["easy_thumbnails"], THUMBNAIL_PROGRESSIVE=100)
    import django

    django.setup()
    path.write_text("".join(page()))
    print(f"Written to {path}")


if __name__ == "__main__":
    main()
