import os
import signal
import subprocess
import sys
import threading

import pytest

from vosctl.interrupts import Interrupted, check, held, interrupted, interruptible, pending


def test_a_held_signal_is_raised_at_the_end():
    steps: list[object] = []

    def run():
        with held():
            signal.raise_signal(signal.SIGINT)
            steps.append(interrupted())
            signal.raise_signal(signal.SIGINT)
            steps.append(pending())

    with pytest.raises(Interrupted) as caught:
        run()
    assert steps == [True, signal.SIGINT]
    assert caught.value.exit_code == 130
    assert not interrupted()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_it_can_be_heard_earlier_and_is_then_raised_once():
    def run():
        with held():
            with held():
                signal.raise_signal(signal.SIGINT)
                with pytest.raises(Interrupted):
                    check()
            steps.append("on")
        steps.append("after")

    steps: list[object] = []
    run()
    assert steps == ["on", "after"], "what was heard is not raised again"
    assert not interrupted()


def test_another_error_is_not_replaced_by_it():
    def run():
        with held():
            signal.raise_signal(signal.SIGINT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()
    assert not interrupted()


def test_outside_the_main_thread_nothing_changes():
    seen = []

    def run():
        with held():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_a_call_on_a_thread_gives_its_result_or_its_error():
    assert interruptible(lambda: 7, lambda result: pytest.fail("nobody left")) == 7
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: 1 // 0, print)


def test_a_call_that_hangs_is_left_at_an_interrupt_and_its_late_result_discarded():
    release, discarded, hurried = threading.Event(), [], []
    dropped = threading.Event()

    def work():
        signal.raise_signal(signal.SIGINT)
        release.wait(30)
        return "late"

    def discard(late):
        discarded.append(late)
        dropped.set()

    with pytest.raises(KeyboardInterrupt):
        interruptible(work, discard, lambda: hurried.append(True))
    assert hurried == [True]
    release.set()
    assert dropped.wait(30)
    assert discarded == ["late"]


PROGRAM = """
import signal
from vosctl.interrupts import SIGNALS, install, interrupted
signal.signal(signal.SIGHUP, signal.SIG_IGN)
install()
heard = 0
for number in (signal.SIGHUP, {first}, {first}, signal.SIGTERM):
    try:
        signal.raise_signal(number)
    except KeyboardInterrupt as error:
        heard += 1
        status = error.exit_code
print(heard, status, interrupted())
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_in_a_program_the_first_signal_is_raised_once_and_ignored_ones_stay_ignored(first):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(first=int(first))], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", str(128 + first), "True"]
