"""What the tests of rendering share: images to begin with, and thumbs decoded again."""

import io
import math

from PIL import Image, ImageChops, ImageStat

from athumb_storage.formats import HEAD_SIZE, sniff
from athumb_storage.rendering import render
from athumb_storage.specs import Thumb, Variant

RED, LIME, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)
CORNERS = (RED, LIME, BLUE, YELLOW)
"""The colours of `quadrants`: top left, top right, bottom left, bottom right."""

TURNED = {
    1: lambda image: image.copy(),
    2: lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    3: lambda image: image.transpose(Image.Transpose.ROTATE_180),
    4: lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    5: lambda image: image.transpose(Image.Transpose.TRANSPOSE),
    6: lambda image: image.transpose(Image.Transpose.ROTATE_90),
    7: lambda image: image.transpose(Image.Transpose.TRANSVERSE),
    8: lambda image: image.transpose(Image.Transpose.ROTATE_270),
}
"""How a camera stores an upright image in each EXIF orientation."""


def quadrants(size=(240, 160)):
    """Four colours, one in each corner."""
    image = Image.new("RGB", size)
    middle = size[0] // 2, size[1] // 2
    image.paste(RED, (0, 0, *middle))
    image.paste(LIME, (middle[0], 0, size[0], middle[1]))
    image.paste(BLUE, (0, middle[1], middle[0], size[1]))
    image.paste(YELLOW, (*middle, *size))
    return image


def saved(image, format_="PNG", **options):
    output = io.BytesIO()
    image.save(output, format_, **options)
    return output.getvalue()


def decoded(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def rendered(data, thumbs, format_="PNG"):
    """Thumb name -> what came out, of thumbs that name no format of their own."""
    variants = [Variant.of(name, thumb, thumb.format or format_) for name, thumb in thumbs.items()]
    return {result.variant.thumb_name: result for result in render(io.BytesIO(data), sniff(data[:HEAD_SIZE]), variants)}


def thumb_of(data, format_="PNG", **options):
    """One thumb, decoded."""
    return decoded(rendered(data, {"thumb": Thumb(**options)}, format_)["thumb"].data)


def at(image, x, y, mode="RGB"):
    """The pixel at a fraction of width and height."""
    return image.convert(mode).getpixel((int(x * image.width), int(y * image.height)))


def corners_of(image):
    return [at(image, x, y) for x, y in ((0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75))]


def near(colour, tolerance=6):
    return _Near(colour, tolerance)


class _Near:
    """Equal to every pixel whose bands differ by no more than the tolerance."""

    def __init__(self, colour, tolerance):
        self.colour, self.tolerance = colour, tolerance

    def __eq__(self, other):
        pairs = zip(self.colour, other, strict=True)
        return all(abs(a - b) <= self.tolerance for a, b in pairs)

    def __repr__(self):
        return f"{self.colour} ± {self.tolerance}"


def psnr(one, other):
    """The peak signal-to-noise ratio of two images of one size, in decibels."""
    difference = ImageChops.difference(one.convert("RGB"), other.convert("RGB"))
    bands = ImageStat.Stat(difference).sum2
    error = sum(bands) / (len(bands) * one.width * one.height)
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)
