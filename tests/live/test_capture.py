import pytest

from tests.helpers.live import ScriptedFeed
from vosctl.errors import VosctlError
from vosctl.live.capture import Capture


def wait_for(capture, count):
    while capture.count < count:
        capture._changed.acquire()
        capture._changed.wait(0.01)
        capture._changed.release()


def test_only_the_newest_frame_is_kept():
    feed = ScriptedFeed(7)
    with Capture(feed) as capture:
        capture.start()
        capture.start()
        feed.allowed.release(5)
        wait_for(capture, 5)
        assert capture.take(1).frame.index == 4
        assert capture.dropped == 4
        assert capture.take(0) is None, "a frame is given once"
        assert not capture.ended
        feed.allowed.release(2)
        wait_for(capture, 7)
        assert capture.take(1).frame.index == 6
        assert capture.take(10) is None
        assert capture.ended
    assert (capture.count, capture.dropped) == (7, 5)


def test_the_first_frame_of_a_file_is_held_for_its_mask():
    feed = ScriptedFeed(3, live=False)
    feed.allowed.release(3)
    with Capture(feed) as capture:
        capture.start()
        wait_for(capture, 1)
        assert capture.take(1).frame.index == 0
        wait_for(capture, 3)
        assert capture.take(1).frame.index == 2


def test_what_breaks_the_feed_comes_after_its_last_frame():
    feed = ScriptedFeed(1, error=VosctlError("camera 0: stopped giving pictures"))
    feed.allowed.release(2)
    with Capture(feed) as capture:
        capture.start()
        assert capture.take(10).frame.index == 0
        with pytest.raises(VosctlError, match="stopped giving"):
            capture.take(10)


def test_leaving_stops_a_feed_that_waits_and_closes_one_that_never_began():
    feed = ScriptedFeed(5)
    with Capture(feed) as capture:
        capture.start()
    assert capture._thread is not None
    capture._thread.join(10)
    assert not capture._thread.is_alive()
    unread = ScriptedFeed(5)
    with Capture(unread):
        pass
    assert unread.closed
