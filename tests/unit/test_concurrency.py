"""The shared pool of threads."""

import subprocess
import sys
import threading
import time
import weakref
from contextvars import ContextVar

import pytest

from athumb_storage.concurrency import SharedPool, ThisThread, available_cores


def test_work_is_done_in_threads_of_the_pool():
    pool = SharedPool(2, "athumb-test")
    name = pool.submit(lambda: threading.current_thread().name).result(10)
    assert name.startswith("athumb-test")


def test_arguments_and_errors_come_through():
    pool = SharedPool(1, "test")
    assert pool.submit(divmod, 7, 2).result(10) == (3, 1)
    assert pool.submit(int, "11", base=2).result(10) == 3
    with pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 1, 0).result(10)


def test_never_more_threads_than_its_size_and_never_fewer_than_it_can_use():
    pool = SharedPool(3, "test")
    together = threading.Barrier(3)
    lock = threading.Lock()
    running, most = 0, 0

    def work():
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait(10)  # breaks unless three run at once
        time.sleep(0.005)
        with lock:
            running -= 1
        return threading.get_ident()

    threads = {job.result(20) for job in [pool.submit(work) for _ in range(12)]}
    assert most == 3
    assert len(threads) == 3


def test_many_threads_may_start_it_at_once():
    pool = SharedPool(2, "test")
    start = threading.Barrier(8)
    seen = []

    def use():
        start.wait(10)
        seen.append(pool.submit(threading.get_ident).result(10))

    users = [threading.Thread(target=use) for _ in range(8)]
    for user in users:
        user.start()
    for user in users:
        user.join(10)
    assert len(seen) == 8
    assert len(set(seen)) <= 2


# In a process of its own, because to fork one that has other threads is warned of from Python 3.12 on.
FORKING = """
import os, sys, warnings
from athumb_storage.concurrency import SharedPool

warnings.simplefilter("ignore")
pool = SharedPool(2, "test")
assert pool.submit(os.getpid).result(10) == os.getpid()
if {locked}:
    pool._lock.acquire()
child = os.fork()
if not child:
    try:
        ok = pool.submit(os.getpid).result(10) == os.getpid()
    except BaseException:
        ok = False
    os._exit(0 if ok else 3)
if {locked}:
    pool._lock.release()
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert pool.submit(os.getpid).result(10) == os.getpid()
"""


@pytest.mark.parametrize("locked", [False, True])
def test_a_forked_child_starts_threads_of_its_own(locked):
    script = FORKING.format(locked=locked)
    done = subprocess.run([sys.executable, "-c", script], timeout=60, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_there_is_a_core():
    assert available_cores() >= 1


def test_work_sees_the_context_of_the_thread_that_submits_it():
    told = ContextVar("told", default="nothing")
    pool = SharedPool(1, "test")
    token = told.set("something")
    try:
        assert pool.submit(told.get).result(10) == "something"
    finally:
        told.reset(token)
    assert pool.submit(told.get).result(10) == "nothing"


def test_without_threads_work_is_done_at_once():
    done = ThisThread().submit(threading.get_ident)
    assert done.done()
    assert done.result() == threading.get_ident()


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_whoever_asks_for_the_result_gets_the_error(error):
    def fails():
        raise error

    done = ThisThread().submit(fails)
    with pytest.raises(error):
        done.result()


def test_an_error_does_not_keep_what_it_was_about_alive():
    class Thing:
        pass

    def fails(thing):
        raise ValueError

    thing = Thing()
    gone = weakref.ref(thing)
    done = ThisThread().submit(fails, thing)
    del thing, done
    assert gone() is None
