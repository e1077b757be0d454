"""Decoders that are dropped while packets are under way in their threads."""

import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

PATIENCE = 120.0  # seconds, for a busy machine

DROP = """
import sys
import av
from vosctl.video.sources.decoding import Decoder

container = av.open(sys.argv[1])
stream = container.streams.video[0]
stream.codec_context.thread_count = 4
decoder = Decoder(stream, live=False, in_order=False)
for _ in range(3):  # a packet that takes a while to be looked through, and has no picture in it
    packet = av.Packet(b"\\0\\0\\0\\2\\x1f\\x80" * 2_000_000)
    packet.stream = stream
    list(decoder.decode(packet))
if sys.argv[2] == "closed":
    decoder.close()
del packet, decoder, stream, container
print("done")
"""


@pytest.mark.parametrize("how", ["closed", "forgotten"])
def test_a_decoder_can_be_dropped_while_its_threads_work(tmp_path, how):
    """They need Python's lock to let go of packets; whoever waits for their end must not hold it."""
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux([*stream.encode(frame), *stream.encode(None)])
    run = subprocess.run(
        [sys.executable, "-c", DROP, str(path), how], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert run.stdout == "done\n", run.stderr
