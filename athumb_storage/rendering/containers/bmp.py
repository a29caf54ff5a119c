"""BMP files, of Windows and OS/2, and DIB files, which lack the first header (Microsoft, "Bitmap Header Types")."""

from __future__ import annotations

import struct
from typing import BinaryIO, Final

from athumb_storage.geometry import Size

_OLDEST: Final = 12
"""The size of the header of OS/2 and Windows 2, which has short numbers."""

_RUN_LENGTHS: Final = (1, 2)
"""The compressions that count runs of the same pixel."""

FILE_HEADER: Final = b"BM" + bytes(12)
"""What a DIB lacks. Its last four bytes tell where the pixels are; zeros say that they follow at once."""


class Head:
    """What the second header of a file says.

    Args:
        reader: the file's bytes, at their beginning.
    """

    def __init__(self, reader: BinaryIO) -> None:
        data = reader.read(38)
        self.is_dib = not data.startswith(b"BM")
        head = data if self.is_dib else data[14:]
        self.size: Size = (0, 0)
        """Width and height; zeros if the header is not all there."""
        self.has_runs = False
        """Whether its pixels are compressed."""
        if len(head) < 20:
            return
        if head[0] == _OLDEST:
            self.size = struct.unpack_from("<HH", head, 4)
        else:
            width, height, _, _, compression = struct.unpack_from("<IiHHI", head, 4)
            self.size = width, abs(height)  # negative, if the first row is the top one
            self.has_runs = compression in _RUN_LENGTHS
