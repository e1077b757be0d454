"""Annotated images and clips on disk, read in one way for training and for evaluation."""

from vosctl.datasets.annotations import VOID, Objects, Task, read_annotation
from vosctl.datasets.davis import ALL_SEQUENCES, Sequence, check_annotated, check_trackable, find_sequences
from vosctl.datasets.stills import Still, find_stills

__all__ = [
    "ALL_SEQUENCES",
    "VOID",
    "Objects",
    "Sequence",
    "Still",
    "Task",
    "check_annotated",
    "check_trackable",
    "find_sequences",
    "find_stills",
    "read_annotation",
]
