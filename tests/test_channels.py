import threading

from vosctl.channels import Channel


def test_a_channel_cancelled_wakes_both_sides():
    channel = Channel(1)
    assert channel.put(1)
    waiting = threading.Thread(target=channel.put, args=(2,))
    waiting.start()
    channel.cancel()
    waiting.join(5)
    assert not waiting.is_alive()
    assert list(channel) == []
    assert not channel.put(3)
