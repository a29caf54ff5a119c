"""Numbers of so many bits, as the headers of films have them."""

from __future__ import annotations

from athumb_storage.rendering.bytestream import Truncated


class Bits:
    """Reads forward through `data`; asked for more than there is, it raises `Truncated`."""

    def __init__(self, data: bytes) -> None:
        self._number = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def take(self, count: int) -> int:
        """The next `count` bits, as a number."""
        self._left -= count
        if self._left < 0:
            raise Truncated
        return (self._number >> self._left) & ((1 << count) - 1)

    def golomb(self) -> int:
        """The next number that tells its own length, ue(v) in H.265 and uvlc() in AV1."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)
