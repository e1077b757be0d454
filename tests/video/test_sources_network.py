"""Files at a server that is not as it should be."""

import http.server
import threading

import numpy as np
import pytest

from tests.helpers.frames import write_video
from vosctl.errors import VosctlError
from vosctl.video.sources import open_source


@pytest.fixture
def serve(tmp_path):
    """Serve a file without ranges: all of it, half of it and good-bye, or half of it and then nothing more."""
    servers, done = [], threading.Event()

    def start(path, share=1.0, stalls=False):
        data = path.read_bytes()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                try:
                    self.wfile.write(data[: int(share * len(data))])
                    if stalls:
                        done.wait(60)
                except OSError:
                    return

            def log_message(self, *arguments):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/{path.name}"

    yield start
    done.set()
    for server in servers:
        server.shutdown()
        server.server_close()


def noisy_video(path, count=40):
    random = np.random.default_rng(0)
    return write_video(path, [random.integers(0, 256, (96, 128, 3), np.uint8) for _ in range(count)])


def read(address):
    count = 0
    with open_source(address) as source:
        for _ in source:
            count += 1
    return count


def test_a_file_is_read_to_its_end(serve, tmp_path):
    assert read(serve(noisy_video(tmp_path / "clip.mkv"))) == 40


def test_an_index_at_the_end_that_cannot_be_reached(serve, tmp_path):
    with pytest.raises(VosctlError, match=r"clip\.mp4: not one frame .* index at the end .* download it first"):
        read(serve(noisy_video(tmp_path / "clip.mp4")))


def test_a_connection_that_breaks_off_is_an_error(serve, tmp_path):
    address = serve(noisy_video(tmp_path / "clip.mkv"), share=0.5)
    with pytest.raises(VosctlError, match=r"clip\.mkv: the connection broke off after \d+ frames; try again"):
        read(address)


@pytest.mark.slow
def test_one_that_says_nothing_more_is_an_error_too(serve, tmp_path):
    address = serve(noisy_video(tmp_path / "clip.mkv"), share=0.5, stalls=True)
    with pytest.raises(VosctlError, match="the connection broke off after"):
        read(address)
