"""Against a real server on the loopback interface, stopped and started again."""

import threading
from itertools import pairwise

import pytest

from tests.helpers.live import MjpegServer
from vosctl.errors import VosctlError
from vosctl.live.camera import CameraSettings
from vosctl.live.opening import open_feed
from vosctl.live.stream import StreamFeed
from vosctl.video.sources import open_source


def test_a_stream_that_is_stopped_and_started_again_goes_on():
    servers, notes, refused = [MjpegServer()], [], threading.Event()
    address = servers[0].address

    def reopen_after_a_refusal():
        if refused.is_set():
            servers.append(MjpegServer(servers[0].port, size=2))  # it comes back with larger pictures
        refused.set()
        return open_source(address)

    feed = StreamFeed(open_source(address), reopen_after_a_refusal, 60.0, notes.append, first_pause=0.05)
    seen = []
    try:
        for captured in feed:
            seen.append(captured.frame)
            if len(seen) == 5:
                servers[0].stop()
            if len(servers) == 2 and len(seen) >= 15:
                feed.stop()
    finally:
        for server in servers:
            server.stop()
    assert [one.index for one in seen] == list(range(len(seen)))
    assert all(one.image.shape == (64, 96, 3) for one in seen)
    assert all(later.pts > earlier.pts for earlier, later in pairwise(seen))
    assert "the stream dropped; trying for 60 s to open it again" in notes[0]
    assert "at attempt 2" in notes[1]


def test_a_stream_that_stays_away():
    server = MjpegServer()
    feed = open_feed(server.address, CameraSettings(), 0.2, lambda note: None)
    assert isinstance(feed, StreamFeed)
    frames = iter(feed)
    next(frames)
    server.stop()
    with pytest.raises(VosctlError, match=r"did not come back within 0.2 s"):
        for _ in frames:
            pass


def test_nobody_answers():
    server = MjpegServer()
    server.stop()
    with pytest.raises(VosctlError, match="cannot be read"):
        open_feed(server.address, CameraSettings(), 60.0, lambda note: None)
