"""How much is decoded at once, and what a decoder reads."""

import io
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from athumb_storage import Thumb
from athumb_storage.rendering import Limits, engine, render
from athumb_storage.rendering.guard import PixelsInFlight, guarded
from athumb_storage.specs import Variant
from tests.hostile.builder import deflated_zeros, png

PATIENCE = 10


class Held:
    """A thread that holds some pixels until it is told to let go."""

    def __init__(self, gate, pixels, most):
        self.began, self._end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold, args=(gate, pixels, most), daemon=True)
        self._thread.start()

    def _hold(self, gate, pixels, most):
        with gate.hold(pixels, most):
            self.began.set()
            self._end.wait(PATIENCE)

    def let_go(self):
        self._end.set()
        self._thread.join(PATIENCE)


@pytest.fixture
def gate():
    return PixelsInFlight()


def has_begun(held, within=0.1):
    return held.began.wait(within)


def test_no_more_is_decoded_at_once_than_the_bound(gate):
    first, second = Held(gate, 6, 10), Held(gate, 4, 10)
    assert has_begun(first, PATIENCE)
    assert has_begun(second, PATIENCE)
    third = Held(gate, 1, 10)
    assert not has_begun(third)
    first.let_go()
    assert has_begun(third, PATIENCE)
    second.let_go()
    third.let_go()


def test_who_comes_first_is_served_first(gate):
    first = Held(gate, 8, 10)
    assert has_begun(first, PATIENCE)
    large = Held(gate, 9, 10)
    assert not has_begun(large)
    small = Held(gate, 1, 10)  # there were room for it, but then the large one might wait for ever
    assert not has_begun(small)
    first.let_go()
    assert has_begun(large, PATIENCE)
    assert has_begun(small, PATIENCE)
    large.let_go()
    small.let_go()


def test_an_image_above_the_bound_is_decoded_alone(gate):
    other = Held(gate, 1, 10)
    assert has_begun(other, PATIENCE)
    huge = Held(gate, 50, 10)
    assert not has_begun(huge)
    other.let_go()
    assert has_begun(huge, PATIENCE)
    late = Held(gate, 1, 10)
    assert not has_begun(late)
    huge.let_go()
    assert has_begun(late, PATIENCE)
    late.let_go()


def test_without_a_bound_nobody_waits(gate):
    held = [Held(gate, 10**9, None) for _ in range(5)]
    assert all(has_begun(each, PATIENCE) for each in held)
    for each in held:
        each.let_go()


def test_an_error_gives_back_what_was_held(gate):
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"), gate.hold(10, 10):
            raise ValueError("broken")
    with gate.hold(10, 10):
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_begins_with_nothing_decoded(gate):
    with gate.hold(10, 10):
        child = os.fork()
        if not child:
            with gate.hold(10, 10):  # would wait for ever for what its parent holds
                os._exit(0)
        deadline = time.monotonic() + PATIENCE
        while (ended := os.waitpid(child, os.WNOHANG))[0] == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        if ended[0] == 0:
            os.kill(child, 9)
            os.waitpid(child, 0)
    assert ended == (child, 0)


def test_images_are_decoded_one_after_the_other_if_there_is_room_for_one(monkeypatch):
    data = png(1200, 1000, pixels=deflated_zeros(1201 * 1000))
    lock, now, most = threading.Lock(), [0], [0]
    decode = engine.decode

    def watched(*args):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.01)
        try:
            return decode(*args)
        finally:
            with lock:
                now[0] -= 1

    monkeypatch.setattr(engine, "decode", watched)
    variants = [Variant.of("a", Thumb(size=(9, 9)), "PNG")]

    def rendered(_):
        return render(io.BytesIO(data), "PNG", variants, Limits(pixels_in_flight=1_300_000))

    with ThreadPoolExecutor(8) as threads:
        assert [len(thumbs) for thumbs in threads.map(rendered, range(12))] == [1] * 12
    assert most == [1]


# The file that a decoder reads


PIECES = [b"abc", (2, 3), b"", (7, 2), b"xyz"]
WHOLE = b"abc" + b"234" + b"78" + b"xyz"


def opened():
    return guarded(io.BytesIO(b"0123456789"), PIECES, lambda: None)


def test_pieces_are_read_as_if_they_were_a_file():
    assert opened().read() == WHOLE
    reader = opened()
    assert b"".join(iter(lambda: reader.read(2), b"")) == WHOLE
    for start in range(len(WHOLE) + 2):
        for size in range(len(WHOLE) + 2):
            assert reader.seek(start) == start
            assert reader.read(size) == WHOLE[start : start + size]
            assert reader.tell() == min(start + size, max(len(WHOLE), start))


def test_a_place_is_sought_from_the_start_from_here_or_from_the_end():
    reader = opened()
    assert reader.seek(-2, os.SEEK_END) == len(WHOLE) - 2
    assert reader.read() == b"yz"
    reader.seek(3)
    assert reader.seek(2, os.SEEK_CUR) == 5
    with pytest.raises(ValueError, match="-1"):
        reader.seek(-1)


def test_a_file_that_is_shorter_than_its_pieces_ends_early():
    reader = guarded(io.BytesIO(b"0123456789"), [(8, 5), b"behind"], lambda: None)
    assert reader.read() == b"89"


def test_the_clock_is_looked_at_while_a_decoder_reads():
    looks = []
    reader = guarded(io.BytesIO(bytes(1000)), [(0, 1000)], lambda: looks.append(1))
    while reader.read(1):
        pass
    assert len(looks) > 10
