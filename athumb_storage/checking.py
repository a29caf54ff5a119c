"""The options of a thumb, as a project writes them: made into what a Thumb has, or refused. No Django, no Pillow."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from athumb_storage.encoders import Frozen
from athumb_storage.exceptions import InvalidThumb
from athumb_storage.formats import EXTENSIONS, canonical
from athumb_storage.geometry import MAX_SIDE, SUBJECTS, BoxSize, parse_crop

_HEX_COLOUR: Final = re.compile(r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})", re.IGNORECASE)

_COLOURS: Final = {
    "white": "#ffffff", "silver": "#c0c0c0", "gray": "#808080", "black": "#000000", "red": "#ff0000",
    "maroon": "#800000", "yellow": "#ffff00", "olive": "#808000", "lime": "#00ff00", "green": "#008000",
    "aqua": "#00ffff", "teal": "#008080", "blue": "#0000ff", "navy": "#000080", "fuchsia": "#ff00ff",
    "purple": "#800080", "orange": "#ffa500", "transparent": "#00000000",
}  # fmt: skip
"""The colours of CSS 2.1 (section 4.3.6), and what CSS takes for transparent."""


def checked_size(size: object, density: int) -> BoxSize:
    match size:
        case (int() | None as width, int() | None as height) if width or height:
            sides = [side for side in (width, height) if side is not None]
            # True is an int, too, but no size
            if all(type(side) is int and 1 <= side <= MAX_SIDE for side in sides):
                if max(sides) * density > MAX_SIDE:
                    raise InvalidThumb(f"option 'densities': {density} times {size!r} is more than {MAX_SIDE} pixels")
                return width, height
    raise InvalidThumb(
        f"option 'size': {size!r} is not two whole numbers of pixels from 1 to {MAX_SIDE}, of which one may be None"
    )


def checked_densities(densities: Any) -> tuple[int, ...]:
    numbers = tuple(densities) if isinstance(densities, Sequence) and not isinstance(densities, str) else ()
    are_whole = all(type(number) is int and 1 <= number <= 9 for number in numbers)
    if not are_whole or 1 not in numbers or len({*numbers}) < len(numbers):
        wanted = "different whole numbers from 1 to 9, with 1 among them"
        raise InvalidThumb(f"option 'densities': {densities!r} are not {wanted}")
    return tuple(sorted(numbers))


def checked_crop(crop: object) -> str | None:
    if crop is None or crop is False:
        return None
    if crop is True:
        return "center"
    if not isinstance(crop, str):
        raise InvalidThumb(f"option 'crop': {crop!r} is neither True nor a place")
    if crop in SUBJECTS:
        return crop
    try:
        parse_crop(crop)
    except ValueError as error:
        raise InvalidThumb(f"option 'crop': {crop!r}: {error}") from None
    return crop


def checked_colour(colour: object) -> str | None:
    """The colour as #rrggbb or #rrggbbaa."""
    if colour is None:
        return None
    if not isinstance(colour, str) or not (colour in _COLOURS or _HEX_COLOUR.fullmatch(colour)):
        words = ", ".join(_COLOURS)
        raise InvalidThumb(f"option 'pad': {colour!r} is neither a colour such as '#ffe4e1' nor one of {words}")
    digits = _COLOURS.get(colour, colour).lower()[1:]
    return f"#{digits if len(digits) > 4 else ''.join(2 * digit for digit in digits)}"


def checked_format(format: object) -> str | tuple[str, ...] | None:  # noqa: A002, it is the option's name
    """The format in capitals, or several; JPG stays JPG, because old keys end in `.jpg` or `.jpeg`."""
    match format:
        case None:
            return None
        case [_, *_]:
            spellings = tuple(_checked_word(each) for each in format)
            if len({canonical(spelling) for spelling in spellings}) < len(spellings):
                raise InvalidThumb(f"option 'format': {format!r} has a format twice")
            return spellings if len(spellings) > 1 else spellings[0]
    return _checked_word(format)


def _checked_word(format: object) -> str:  # noqa: A002, as above
    if not isinstance(format, str) or canonical(format) is None:
        raise InvalidThumb(f"option 'format': {format!r} is none of {', '.join(EXTENSIONS)}")
    return format.upper()


def checked_processors(processors: object) -> tuple[tuple[str, Frozen[Any]], ...]:
    if isinstance(processors, str) or not isinstance(processors, Sequence):
        raise InvalidThumb(f"option 'processors': {processors!r} are not several dotted names, or pairs with options")
    return tuple(_checked_processor(each) for each in processors)


def _checked_processor(processor: object) -> tuple[str, Frozen[Any]]:
    options: Mapping[Any, Any] = {}
    match processor:
        case str():
            path = processor
        case (str() as path, Mapping() as options):
            pass
        case _:
            raise InvalidThumb(
                f"option 'processors': {processor!r} is no dotted name, nor one with a mapping of options"
            )
    if "." not in path or not all(part.isidentifier() for part in path.split(".")):
        raise InvalidThumb(f"option 'processors': {path!r} is no dotted name")
    for name, value in options.items():
        if not isinstance(name, str) or not isinstance(value, str | int | float | None):
            wanted = "an option has a name, and text, a number, True, False or None as its value"
            raise InvalidThumb(f"option 'processors': {name!r}: {value!r} of {path}: {wanted}")
    return path, Frozen(options)
