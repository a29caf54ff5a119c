"""How much of its subject a smart crop keeps of a picture: `python -m tests.benchmarks.crops PHOTO...`.

Subjects are set at random places into grounds that are drawn, or cut out of the photos. What is kept is the share of
the subject's area within the crop; beside ours stand libvips' attention crop and the crop from the middle.
"""

from __future__ import annotations

import random
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFilter, ImageOps, ImageStat

from athumb_storage.geometry import Size
from athumb_storage.rendering.crops import Saliency
from tests.benchmarks import environment
from tests.benchmarks.timing import timed

SEEDS: Final = range(1000, 1020)
"""Those that are reported. The algorithm was tuned on those from 0 to 19."""

TESTED: Final = range(1000, 1003)
"""Those of them that the unit tests try, without photos."""

CROPS: Final = ((1, 1), (16, 9), (9, 16), (3, 4))
SIZES: Final = ((480, 320), (320, 480))
Colour = tuple[int, int, int]
Window = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels."""


@dataclass(frozen=True)
class Scene:
    """A picture and where its subject is."""

    ground: str
    subject: str
    image: Image.Image
    mask: Image.Image
    """255 where the subject is."""

    def kept(self, window: Window) -> float:
        """The share of the subject's area within the window."""
        return ImageStat.Stat(self.mask.crop(window)).sum[0] / ImageStat.Stat(self.mask).sum[0]


def scenes(seeds: Iterable[int], photos: Sequence[Image.Image] = ()) -> Iterator[Scene]:
    """One scene of every ground with every subject for each seed."""
    for seed in seeds:
        for ground in [*GROUNDS, *(["photo"] if photos else [])]:
            for subject in SUBJECTS:
                yield scene(random.Random(f"{seed} {ground} {subject}"), ground, subject, photos)


def scene(rng: random.Random, ground: str, subject: str, photos: Sequence[Image.Image] = ()) -> Scene:
    """A subject whose longer side has 5 to 40 % of the picture's shorter one, anywhere in the picture."""
    size = rng.choice(SIZES)
    image = _cut_out(rng, size, photos) if ground == "photo" else GROUNDS[ground](rng, size)
    longer = rng.uniform(0.05, 0.4) * min(size)
    aspect = rng.uniform(0.6, 1)
    box = max(8, round(longer)), max(8, round(longer * aspect))
    box = box if rng.random() < 0.5 else box[::-1]
    left, top = rng.randint(0, size[0] - box[0]), rng.randint(0, size[1] - box[1])
    if subject in TONES:
        image = Image.blend(image, Image.new("RGB", size, TONES[subject]), 0.65)
    around = image.resize((1, 1), box=(left, top, left + box[0], top + box[1])).getpixel((0, 0))
    picture, shape = SUBJECTS[subject](rng, box, around, photos)  # type: ignore[arg-type]  # a colour
    mask = Image.new("L", size)
    mask.paste(shape, (left, top))
    image.paste(picture, (left, top), shape)
    return Scene(ground, subject, image, mask)


def _colour(rng: random.Random, low: int = 0, high: int = 255) -> Colour:
    return rng.randint(low, high), rng.randint(low, high), rng.randint(low, high)


def _unlike(rng: random.Random, around: Colour, distance: int = 110) -> Colour:
    """A colour at least so far from another, by the sum of the differences."""
    while True:
        colour = _colour(rng)
        if sum(abs(one - other) for one, other in zip(colour, around, strict=True)) >= distance:
            return colour


def _noise(rng: random.Random, size: Size, grain: int) -> Image.Image:
    """Noise in grey whose grains have so many pixels."""
    small = size[0] // grain + 2, size[1] // grain + 2
    return Image.frombytes("L", small, rng.randbytes(small[0] * small[1])).resize(size, Image.Resampling.BICUBIC)


def _gradient(rng: random.Random, size: Size) -> Image.Image:
    ramp = Image.linear_gradient("L").rotate(rng.uniform(0, 360), Image.Resampling.BICUBIC)
    return ImageOps.colorize(ramp.crop((38, 38, 218, 218)).resize(size), _colour(rng), _colour(rng))


def _texture(rng: random.Random, size: Size) -> Image.Image:
    return ImageOps.colorize(_noise(rng, size, rng.choice((1, 2, 4, 8))), _colour(rng), _colour(rng))


def _stripes(rng: random.Random, size: Size) -> Image.Image:
    image, step = Image.new("RGB", (2 * max(size),) * 2, _colour(rng)), rng.randint(8, 40)
    pen, colour = ImageDraw.Draw(image), _colour(rng)
    for at in range(0, image.width, step):
        pen.rectangle((at, 0, at + step // 2, image.height), colour)
    image = image.rotate(rng.uniform(0, 180))
    left, top = (image.width - size[0]) // 2, (image.height - size[1]) // 2
    return image.crop((left, top, left + size[0], top + size[1]))


def _clouds(rng: random.Random, size: Size) -> Image.Image:
    """Soft noise that has less of the fine than of the coarse, as landscapes do."""
    total = _noise(rng, size, 160)
    for grain, share in ((80, 0.4), (40, 0.33), (20, 0.25), (10, 0.2), (5, 0.15), (2, 0.1)):
        total = Image.blend(total, _noise(rng, size, grain), share)
    return ImageOps.colorize(ImageOps.autocontrast(total), _colour(rng), _colour(rng), _colour(rng))


def _shelf(rng: random.Random, size: Size) -> Image.Image:
    """A busy ground of boxes in colours that are alike."""
    base = _colour(rng, 40, 215)
    image = Image.new("RGB", size, base)
    pen = ImageDraw.Draw(image)
    for _ in range(150):
        left, top = rng.randint(-20, size[0]), rng.randint(-20, size[1])
        tint = tuple(band + rng.randint(-40, 40) for band in base)
        pen.rectangle((left, top, left + rng.randint(10, 60), top + rng.randint(10, 60)), tint)
    return image


GROUNDS: Final[dict[str, Callable[[random.Random, Size], Image.Image]]] = {
    "gradient": _gradient,
    "noise": _texture,
    "stripes": _stripes,
    "clouds": _clouds,
    "shelf": _shelf,
}


def _cut_out(rng: random.Random, size: Size, photos: Sequence[Image.Image]) -> Image.Image:
    """A part of a photo that has the proportions, at least half as large as it can be."""
    photo = rng.choice(photos)
    share = rng.uniform(0.5, 1) * min(photo.width / size[0], photo.height / size[1])
    width, height = int(size[0] * share), int(size[1] * share)
    left, top = rng.randint(0, photo.width - width), rng.randint(0, photo.height - height)
    part = photo.crop((left, top, left + width, top + height))
    part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else part
    return part.resize(size, Image.Resampling.LANCZOS, reducing_gap=2)


Subject = tuple[Image.Image, Image.Image]
"""A picture and its mask."""


def _round(size: Size) -> Image.Image:
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).ellipse((0, 0, size[0] - 1, size[1] - 1), 255)
    return mask


def _ellipse(rng: random.Random, size: Size, around: Colour, photos: Sequence[Image.Image]) -> Subject:
    return Image.new("RGB", size, _unlike(rng, around)), _round(size)


def _face(rng: random.Random, size: Size, around: Colour, photos: Sequence[Image.Image]) -> Subject:
    """A portrait: skin, hair, eyes and a mouth."""
    light = rng.uniform(0.45, 1)
    skin = round(245 * light), round(rng.uniform(185, 205) * light), round(rng.uniform(145, 175) * light)
    width, height = size
    image = Image.new("RGB", size, skin)
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, width, round(0.2 * height)), _colour(rng, 10, 90))
    for side in (0.3, 0.7):
        eye = (side - 0.08) * width, 0.38 * height, (side + 0.08) * width, 0.46 * height
        pen.ellipse(eye, (35, 25, 20))
    pen.ellipse((0.35 * width, 0.68 * height, 0.65 * width, 0.78 * height), (150, 50, 50))
    return image.filter(ImageFilter.GaussianBlur(width / 60)), _round(size)


def _textured(rng: random.Random, size: Size, around: Colour, photos: Sequence[Image.Image]) -> Subject:
    """A small thing of strong contrasts."""
    pattern = _noise(rng, size, rng.choice((2, 3, 5))).point([255 * (value > 127) for value in range(256)])
    colour = _unlike(rng, around)
    return ImageOps.colorize(pattern, colour, _unlike(rng, colour, 300)), _round(size)


def _other_photo(rng: random.Random, size: Size, around: Colour, photos: Sequence[Image.Image]) -> Subject:
    """A piece of another picture: of a photo, or a drawn one where there is none."""
    larger = max(64, size[0]), max(64, size[1])
    other = _cut_out(rng, larger, photos) if photos else GROUNDS[rng.choice(("clouds", "shelf"))](rng, larger)
    return other.resize(size, Image.Resampling.LANCZOS), _round(size)


def _product(rng: random.Random, size: Size, around: Colour, photos: Sequence[Image.Image]) -> Subject:
    """A package with a label and a highlight, in saturated colours."""
    hue = rng.randrange(360)
    image = Image.new("RGB", size, f"hsv({hue}, {rng.randint(65, 100)}%, {rng.randint(55, 100)}%)")
    pen, (width, height) = ImageDraw.Draw(image), size
    label = f"hsv({(hue + rng.randint(120, 240)) % 360}, 60%, 95%)"
    pen.rectangle((0.2 * width, 0.45 * height, 0.8 * width, 0.75 * height), label)
    pen.rectangle((0.12 * width, 0.08 * height, 0.2 * width, 0.92 * height), (240, 240, 240))
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, width - 1, height - 1), min(size) // 5, 255)
    return image, mask


def _dark(rng: random.Random, size: Size, around: Colour, photos: Sequence[Image.Image]) -> Subject:
    return Image.new("RGB", size, _colour(rng, 10, 70)), _round(size)


def _light(rng: random.Random, size: Size, around: Colour, photos: Sequence[Image.Image]) -> Subject:
    return Image.new("RGB", size, _colour(rng, 190, 250)), _round(size)


SUBJECTS: Final[dict[str, Callable[[random.Random, Size, Colour, Sequence[Image.Image]], Subject]]] = {
    "ellipse": _ellipse,
    "face": _face,
    "textured": _textured,
    "other photo": _other_photo,
    "product": _product,
    "dark on light": _dark,
    "light on dark": _light,
}
TONES: Final = {"dark on light": "white", "light on dark": "black"}
"""What the ground is mixed with."""

Way = Callable[[Image.Image], Callable[[Size], tuple[int, int]]]
"""How crops are placed: from a picture and then the size of a window, its left and top."""


def ours(image: Image.Image) -> Callable[[Size], tuple[int, int]]:
    saliency = Saliency(image)

    def place(size: Size) -> tuple[int, int]:
        across, down = saliency.offset(size)
        return round(across * (image.width - size[0])), round(down * (image.height - size[1]))

    return place


def libvips(image: Image.Image) -> Callable[[Size], tuple[int, int]]:
    import pyvips

    source = pyvips.Image.new_from_memory(image.tobytes(), *image.size, 3, "uchar").copy(interpretation="srgb")

    def place(size: Size) -> tuple[int, int]:
        crop = source.smartcrop(*size, interesting="attention")
        return -crop.xoffset, -crop.yoffset

    return place


def middle(image: Image.Image) -> Callable[[Size], tuple[int, int]]:
    return lambda size: ((image.width - size[0]) // 2, (image.height - size[1]) // 2)


Shares = dict[str, list[float]]
"""Group -> what was kept in each of its crops, from 0 to 1."""


def kept(scenes: Iterable[Scene], ways: Mapping[str, Way]) -> dict[str, Shares]:
    """What each way keeps, by the grounds, subjects and crops, and of all."""
    found: dict[str, Shares] = {name: defaultdict(list) for name in ways}
    for scene in scenes:
        for name, way in ways.items():
            place = way(scene.image)
            for crop in CROPS:
                size = largest(scene.image.size, crop)
                left, top = place(size)
                share = scene.kept((left, top, left + size[0], top + size[1]))
                groups = f"on {scene.ground}", f"of {scene.subject}", "crop {}:{}".format(*crop), "all"
                for group in groups:
                    found[name][group].append(share)
    return found


def largest(size: Size, crop: Size) -> Size:
    """The largest window with the proportions of `crop`, in whole pixels."""
    (width, height), (across, down) = size, crop
    if across * height >= down * width:
        return width, max(1, round(width * down / across))
    return max(1, round(height * across / down)), height


def _table(found: Mapping[str, Shares]) -> Iterator[str]:
    yield f"| share kept, % | {' | '.join(found)} |"
    yield f"|---{'|---' * len(found)}|"
    for group in sorted(next(iter(found.values()))):
        means = (f"{100 * statistics.mean(shares[group]):.1f}" for shares in found.values())
        yield f"| {group} | {' | '.join(means)} |"


def _milliseconds(size: Size) -> tuple[float, float]:
    """The medians of what the map of a picture takes, and then each crop."""
    maps, crops = [], []
    for scene in scenes(TESTED):
        image = scene.image.resize(size)
        maps.append(timed(partial(Saliency, image)))
        saliency = Saliency(image)
        crops += [timed(partial(saliency.offset, crop)) for crop in CROPS]
    return 1000 * statistics.median(maps), 1000 * statistics.median(crops)


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        photo = ImageOps.exif_transpose(image).convert("RGB")
    photo.thumbnail((1600, 1600))
    return photo


def main() -> None:
    environment.enter("tests.benchmarks.crops")
    import pyvips

    photos = [_opened(Path(name)) for name in sys.argv[1:]]
    ways = {"ours": ours, f"libvips {pyvips.version(0)}.{pyvips.version(1)}": libvips, "middle": middle}
    print(f"pyvips {pyvips.__version__}, {len(photos)} photos\n")
    print(*_table(kept(scenes(SEEDS, photos), ways)), sep="\n")
    print("\nThe scenes of the unit tests:\n")
    print(*_table(kept(scenes(TESTED), ways)), sep="\n")
    size = 1000, 700
    print("\n{}x{} pixels: {:.1f} ms a picture and {:.1f} ms a crop".format(*size, *_milliseconds(size)))


if __name__ == "__main__":
    main()
