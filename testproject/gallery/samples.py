"""Draws the photos that the demo uploads when it is given none."""

from __future__ import annotations

import colorsys
import math
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw

if TYPE_CHECKING:
    from pathlib import Path

    Color = tuple[int, int, int]


def draw_samples(folder: Path) -> list[Path]:
    """Write three images into ``folder``: a landscape, a portrait and a PNG with transparency."""
    paths = [folder / "sunset.jpg", folder / "poster.jpg", folder / "petals.png"]
    sunset().save(paths[0], quality=88)
    poster().save(paths[1], quality=88)
    petals().save(paths[2])
    return paths


def sunset(width: int = 1920, height: int = 1080) -> Image.Image:
    picture = vertical_gradient((width, height), (38, 28, 92), (255, 150, 84))
    draw = ImageDraw.Draw(picture)
    radius, middle, horizon = height // 6, (width * 2 // 3, height * 3 // 5), height * 3 // 5
    for glow in range(8, 0, -1):
        tint = (255, 150 + 8 * (8 - glow), 90 + 8 * (8 - glow))
        draw.ellipse(circle(middle, radius + glow * 9), fill=tint)
    draw.ellipse(circle(middle, radius), fill=(255, 236, 170))
    for layer, color in enumerate([(96, 52, 110), (62, 36, 92), (30, 22, 60)]):
        draw.polygon(hills(width, height, horizon + layer * height // 9, layer), fill=color)
    return picture


def hills(width: int, height: int, top: int, seed: int) -> list[tuple[float, float]]:
    ridge = [
        (x, top + height / 18 * (math.sin(x / 190 + seed * 2) + 0.5 * math.sin(x / 61 + seed * 5)))
        for x in range(0, width + 12, 12)
    ]
    return [*ridge, (width, height), (0, height)]


def poster(width: int = 900, height: int = 1400) -> Image.Image:
    picture = vertical_gradient((width, height), (14, 116, 144), (190, 242, 220))
    draw = ImageDraw.Draw(picture)
    for ring in range(12):
        hue = ring / 12
        draw.ellipse(circle((width // 2, height // 2), 420 - ring * 34), fill=rainbow(hue))
    for stripe in range(9):
        draw.line([(0, 120 * stripe), (width, 120 * stripe + 340)], fill=(255, 255, 255), width=5)
    return picture


def petals(size: int = 800) -> Image.Image:
    picture = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    for petal in range(9):
        angle = math.tau * petal / 9
        center = (round(size / 2 + size / 4 * math.cos(angle)), round(size / 2 + size / 4 * math.sin(angle)))
        layer = Image.new("RGBA", picture.size, (0, 0, 0, 0))
        ImageDraw.Draw(layer).ellipse(circle(center, size // 5), fill=(*rainbow(petal / 9), 150))
        picture = Image.alpha_composite(picture, layer)
    ImageDraw.Draw(picture).ellipse(circle((size // 2, size // 2), size // 9), fill=(255, 221, 87, 255))
    return picture


def vertical_gradient(size: tuple[int, int], top: Color, bottom: Color) -> Image.Image:
    mask = Image.linear_gradient("L").resize(size)
    waves = Image.radial_gradient("L").resize(size)
    mask = ImageChops.blend(mask, waves, 0.25)
    return Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), mask)


def circle(center: tuple[int, int], radius: int) -> tuple[int, int, int, int]:
    x, y = center
    return (x - radius, y - radius, x + radius, y + radius)


def rainbow(hue: float) -> Color:
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.62, 0.95)
    return (round(red * 255), round(green * 255), round(blue * 255))
