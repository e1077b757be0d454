"""Many videos: jobs, what runs them, and what came of each."""

from vosctl.batching.executor import BatchEvents, Executor, InProcess
from vosctl.batching.job import BatchJob, JobOptions
from vosctl.batching.result import BatchSummary, JobResult, JobState
from vosctl.batching.running import run_job

__all__ = [
    "BatchEvents",
    "BatchJob",
    "BatchSummary",
    "Executor",
    "InProcess",
    "JobOptions",
    "JobResult",
    "JobState",
    "run_job",
]
