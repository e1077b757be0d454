"""Jobs that wait until there is room for them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable

from vosctl.batching.job import BatchJob

ASK_SECONDS = 1.0
"""Between two looks for jobs where there was none."""


class Waiting:
    """Jobs that are still to be given, taken no earlier than there is room for them.

    Args:
        jobs: gives them, and None where there is none at the moment; see `vosctl.batching.executor.Executor`.

    Attributes:
        jobs: those that were taken.
    """

    def __init__(self, jobs: Iterable[BatchJob | None]) -> None:
        self._source = iter(jobs)
        self._ask_at = 0.0
        self._ended = False
        self.jobs: deque[BatchJob] = deque()

    @property
    def over(self) -> bool:
        """Whether no more will come."""
        return self._ended and not self.jobs

    def look(self, most: int) -> None:
        """Take jobs until there are so many, or none is there at the moment."""
        while not self._ended and len(self.jobs) < most and time.monotonic() >= self._ask_at:
            try:
                job = next(self._source)
            except StopIteration:
                self._ended = True
            else:
                if job is None:
                    self._ask_at = time.monotonic() + ASK_SECONDS
                else:
                    self.jobs.append(job)
