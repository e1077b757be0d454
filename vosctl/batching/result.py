"""What came of a job: one line of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from vosctl.batching.job import BatchJob
from vosctl.errors import VosctlError
from vosctl.summary import Losses, Summary

JobState = Literal["done", "failed", "skipped", "interrupted"]
"""`skipped`: everything was there from an earlier run."""

WHOLE_STATES: tuple[JobState, ...] = ("done", "skipped")
"""Those of jobs of which everything is there."""


def as_line(fields: Mapping[str, object]) -> str:
    """Return fields as one line of JSON without its end; of names that are no Unicode the bytes are escaped."""
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True, slots=True)
class JobResult:
    """What came of a job.

    Attributes:
        name: the job's.
        source: its video.
        state: how it ended.
        seconds: it took, all in all.
        frames: that were written.
        drawn: of them, those of which an earlier run had tracked the result.
        lost: by object, in which frames it was lost; objects that never were are not in it.
        outputs: what was written.
        error: why it failed, in one line.
        warnings: what the user should know.
        digest: of the job, see `BatchJob.digest`.
    """

    name: str
    source: str
    state: JobState
    seconds: float = 0.0
    frames: int = 0
    drawn: int = 0
    lost: Mapping[int, Losses] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    error: str | None = None
    warnings: tuple[str, ...] = ()
    digest: str = ""

    @classmethod
    def of(cls, job: BatchJob, state: JobState, seconds: float = 0.0) -> JobResult:
        """Return a result that says nothing more of a job."""
        return cls(job.name, job.source, state, seconds, digest=job.digest)

    @property
    def frames_per_second(self) -> float:
        """Frames a second, of all the time that the job took."""
        return self.frames / self.seconds if self.seconds else 0.0

    def with_summary(self, summary: Summary, seconds: float) -> JobResult:
        """Return the result of a run that came to its end."""
        outputs = tuple(map(str, summary.outputs))
        return replace(
            self,
            state="done",
            seconds=seconds,
            frames=summary.frames,
            drawn=summary.drawn,
            lost=dict(summary.losses),
            outputs=outputs,
        )

    def to_line(self) -> str:
        """As one line of JSON, without its end."""
        lost = [
            {
                "object": key,
                "frames": one.frames,
                "ranges": [list(pair) for pair in one.ranges],
                "more_ranges": one.more,
            }
            for key, one in self.lost.items()
        ]
        fields = {name: getattr(self, name) for name in self.__slots__}
        fields |= {"seconds": round(self.seconds, 3), "fps": round(self.frames_per_second, 2), "lost": lost}
        return as_line(fields)

    @classmethod
    def from_line(cls, line: str) -> JobResult:
        """Read what `to_line` wrote.

        Raises:
            ValueError: it is something else, such as a line that was not written to its end.
        """
        fields = json.loads(line)
        if not isinstance(fields, dict) or fields.get("state") not in get_args(JobState):
            raise ValueError("is no result of a job")
        try:
            known = {name: fields[name] for name in cls.__slots__ if name in fields}
            lost = {
                int(one["object"]): Losses(
                    int(one["frames"]), tuple((int(a), int(b)) for a, b in one["ranges"]), int(one["more_ranges"])
                )
                for one in fields["lost"]
            }
            texts = {name: tuple(map(str, fields[name])) for name in ("outputs", "warnings")}
            made = cls(**known | texts | {"lost": lost})
        except (KeyError, TypeError) as error:
            raise ValueError(f"is no result of a job: {error}") from error
        numbers, words = (made.frames, made.drawn), (made.name, made.digest)
        if not (all(isinstance(one, int) for one in numbers) and all(isinstance(one, str) for one in words)):
            raise ValueError("is no result of a job")
        return made


@dataclass(slots=True)
class BatchSummary:
    """What became of many jobs.

    Attributes:
        done: how many were done in this run.
        skipped: how many were whole already.
        failed: the results of those that failed.
        interrupted: how many were under way when a signal came.
        frames: that were written in this run.
        seconds: wall time, engines loading included.
        results: where a line for each job is; None where none was written.
    """

    done: int = 0
    skipped: int = 0
    failed: list[JobResult] = field(default_factory=list)
    interrupted: int = 0
    frames: int = 0
    seconds: float = 0.0
    results: Path | None = None

    def add(self, result: JobResult) -> None:
        """Count a result."""
        match result.state:
            case "done":
                self.done += 1
            case "skipped":
                self.skipped += 1
            case "failed":
                self.failed.append(result)
            case "interrupted":
                self.interrupted += 1
        self.frames += result.frames

    @property
    def frames_per_second(self) -> float:
        """Of the whole run, all processes together."""
        return self.frames / self.seconds if self.seconds else 0.0


class JobsFailedError(VosctlError):
    """Some jobs failed; the others are done."""

    exit_code = 3
