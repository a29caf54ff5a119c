"""BMP files: what their header says (Microsoft, "Bitmap Header Types")."""

from __future__ import annotations

import struct
from typing import BinaryIO, Final

_OLDEST: Final = 12
"""The size of the header of OS/2 and Windows 2, which has short numbers."""


_RUN_LENGTHS: Final = (1, 2)
"""The compressions that count runs of the same pixel."""


def has_runs(reader: BinaryIO) -> bool:
    """Whether its pixels are compressed."""
    reader.seek(14)
    head = reader.read(20)
    return len(head) == 20 and head[0] != _OLDEST and struct.unpack_from("<I", head, 16)[0] in _RUN_LENGTHS


def dimensions(reader: BinaryIO) -> tuple[int, int]:
    """Width and height; zeros if the header is not all there."""
    head = reader.read(26)
    if len(head) < 26:
        return 0, 0
    if struct.unpack_from("<I", head, 14)[0] == _OLDEST:
        width, height = struct.unpack_from("<HH", head, 18)
        return width, height
    width, height = struct.unpack_from("<Ii", head, 18)
    return width, abs(height)  # negative, if the first row is the top one
