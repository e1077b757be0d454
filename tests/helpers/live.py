"""For the tests of live runs: feeds and windows that do as they are told, and a camera's web server."""

import http.server
import itertools
import threading
import time
from fractions import Fraction

import cv2
import numpy as np

from tests.helpers.frames import square_frame
from vosctl.live.feeds import Captured, Feed
from vosctl.video.frames import Frame, SourceInfo

RED, BLUE = (230, 40, 40), (40, 40, 230)
HEIGHT, WIDTH = 64, 96


def picture(index):
    """A red square that moves and a blue one that stands, ids 1 and 2."""
    return square_frame(HEIGHT, WIDTH, (1, RED, 8 + index % 20, 10, 24), (2, BLUE, 64, 34, 20))


def frame(index):
    return Frame(index, picture(index)[0], index * 40, Fraction(1, 1000), 40)


class ScriptedFeed(Feed):
    """Gives a frame each time it is told to, then ends or breaks off."""

    def __init__(self, count, error=None, live=True):
        super().__init__()
        self.info = SourceInfo("scripted", WIDTH, HEIGHT, Fraction(25), Fraction(1, 1000), live=live)
        self.count, self.error = count, error
        self.allowed = threading.Semaphore(0)
        self.closed = False
        self.held = [False]

    def hold(self, held):
        if held != self.held[-1]:
            self.held.append(held)

    def __iter__(self):
        for index in range(self.count):
            while not self.allowed.acquire(timeout=0.01):
                if self._stopped.is_set():
                    return
            yield Captured(frame(index), time.perf_counter())
        if self.error is not None:
            raise self.error

    def close(self):
        self.closed = True


class ScriptedWindow:
    """Shows nothing; answers each picture shown with the next events of a script, and lets the feed go on."""

    def __init__(self, feed, *script):
        self.feed = feed
        self.script = iter(itertools.chain(script, itertools.repeat([])))
        self.pictures = []
        self.polls = 0

    def show(self, image, wait=0.0):
        self.pictures.append(image.copy())
        return self.poll(wait)

    def poll(self, wait):
        self.feed.allowed.release()
        self.polls += 1
        return list(next(self.script))


class MjpegServer:
    """A camera's web server on the loopback interface: motion JPEG without an end, until it is stopped."""

    def __init__(self, port=0, size=1):
        fakes = self
        self.stopping = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                for index in itertools.count():
                    if fakes.stopping.wait(0.02):
                        return
                    image = np.repeat(np.repeat(picture(index)[0], size, axis=0), size, axis=1)
                    data = cv2.imencode(".jpg", image[..., ::-1])[1].tobytes()
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                    try:
                        self.wfile.write(head.encode() + data + b"\r\n")
                    except OSError:
                        return

            def log_message(self, *arguments):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_port
        self.address = f"http://127.0.0.1:{self.port}/camera.mjpg"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self):
        """Drop every connection and free the port."""
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
