import signal
from multiprocessing import get_context

import pytest

from vosctl.interrupts import SIGNALS, Interrupted
from vosctl.training.interruption import PATIENCE, Interruption, ignore_in_worker


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_is_noted_and_a_second_one_raised(number):
    with Interruption() as interruption:
        assert not interruption.asked
        signal.raise_signal(number)
        assert interruption.number == number
        with pytest.raises(Interrupted) as caught:
            signal.raise_signal(signal.SIGINT)
    assert caught.value.exit_code == 130
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_that_is_ignored_stays_so():
    former = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGTERM)
        assert not interruption.asked
    finally:
        signal.signal(signal.SIGTERM, former)


def _told_to_end(seconds_left) -> None:
    ignore_in_worker()
    signal.raise_signal(signal.SIGTERM)
    seconds_left.put(signal.alarm(0))


def test_a_worker_outlives_what_its_parent_gets_too_but_not_for_ever():
    context = get_context("fork")
    seconds_left = context.SimpleQueue()
    worker = context.Process(target=_told_to_end, args=(seconds_left,))
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    assert 0 < seconds_left.get() <= PATIENCE
