"""Jobs from a folder or glob of videos, with masks or prompts beside them."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from natsort import natsorted

from vosctl.batching.job import BatchJob, name_of
from vosctl.errors import UsageError
from vosctl.tracks.header import TRACK_SUFFIX
from vosctl.video.sources import IMAGE_SUFFIXES
from vosctl.video.sources.images import is_image

VIDEO_SUFFIXES = frozenset(
    {
        *(".3gp", ".asf", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"),
        *(".mxf", ".nut", ".ogv", ".ts", ".vob", ".webm", ".wmv", ".y4m"),
    }
)
"""Of files that are taken for videos in a folder; a glob takes whatever it matches but pictures and `_NO_VIDEOS`."""
_NO_VIDEOS = frozenset(
    {".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".xml", ".srt", ".vtt", ".ass", TRACK_SUFFIX}
)
"""Of files that lie beside videos and are none: annotations, lists, subtitles, tracks."""

MASK_SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".webp", ".json")
"""Of masks beside a video, the one that is taken first where there are several."""
PROMPTS_SUFFIX = ".prompts.json"


def find_in_folder(folder: Path) -> list[BatchJob]:
    """Return a job for each video of a folder, and each folder of images in it that has a mask beside it.

    Raises:
        UsageError: there is none.
    """
    beside = _Beside(folder)
    found = [path for path in beside.entries if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()]
    found += [path for path in beside.entries if path.is_dir() and beside.has_images_of(path)]
    if not found:
        raise UsageError(
            f"{folder}: holds no video; give a folder of videos with masks beside them (a.mp4 and a.png), a data set "
            "with Annotations and JPEGImages, or a list of jobs (.csv, .jsonl)"
        )
    return [beside.job(path, name_of(path)) for path in natsorted(found, key=lambda path: path.name)]


def find_by_glob(pattern: str) -> list[BatchJob]:
    """Return a job for each video that a pattern matches, named by its path below the part that is no pattern.

    Raises:
        UsageError: there is none.
    """
    found = [Path(name) for name in glob.glob(pattern, recursive=True)]  # noqa: PTH207 - absolute ones
    videos = [path for path in found if path.suffix.lower() not in {*IMAGE_SUFFIXES, *_NO_VIDEOS} or path.is_dir()]
    fixed = Path(*_before_pattern(Path(pattern).parts))
    folders: dict[Path, _Beside] = {}
    jobs = []
    for path in natsorted(videos, key=str):
        beside = folders.setdefault(path.parent, _Beside(path.parent))
        if path.is_dir() and not beside.has_images_of(path):
            continue
        relative = Path(os.path.relpath(path.parent, fixed)) / name_of(path)
        jobs.append(beside.job(path, relative.as_posix()))
    if not jobs:
        raise UsageError(f"{pattern}: matches no video; give a folder or a pattern such as 'v/*.mp4', in quotes")
    return jobs


def find_one(path: Path) -> list[BatchJob]:
    """Return the job of a single video."""
    return [_Beside(path.parent).job(path, name_of(path))]


def _before_pattern(parts: Iterable[str]) -> list[str]:
    kept: list[str] = []
    for part in parts:
        if glob.has_magic(part):
            break
        kept.append(part)
    return kept


class _Beside:
    """What lies in a folder, so that what is said of each video in it is found without looking again.

    Attributes:
        entries: the folder's, hidden ones left out.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self.entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
        except OSError as error:
            raise UsageError(f"{folder}: cannot be read: {error.strerror}; check the path") from error
        self._folder = folder
        names = {path.name: path.name for path in self.entries}
        self._names = {path.stem + path.suffix.lower(): path.name for path in self.entries} | names  # also A.PNG
        self._videos = {name_of(path) for path in self.entries if path.suffix.lower() in VIDEO_SUFFIXES}
        sources = self._videos | {name_of(path) for path in self.entries if path.is_dir()}
        self._numbered: dict[str, list[str]] = {}
        for path in self.entries:
            stem, dot, number = path.stem.rpartition(".")
            # a.1.png is the mask of a.1.mp4 where that is there, else of a.mp4's first object
            if dot and number.isdecimal() and path.suffix.lower() in MASK_SUFFIXES and path.stem not in sources:
                self._numbered.setdefault(stem, []).append(path.name)

    def has_images_of(self, folder: Path) -> bool:
        """Return whether a folder is one of images with a mask or a file of prompts beside it.

        One without images is too, whose job says so; not beside a video of its name, whose outputs it has.
        """
        masks, prompts = self._found(name_of(folder))
        if not (masks or prompts):
            return False
        if name_of(folder) not in self._videos:
            return True
        try:
            return any(is_image(path) for path in folder.iterdir())
        except OSError:  # the job will say so
            return True

    def job(self, source: Path, name: str) -> BatchJob:
        """Return the job of a video in this folder."""
        stem = name_of(source)
        masks, prompts = self._found(stem)
        problem = None
        if len(masks) > 1 and any(Path(mask).stem == stem for mask in masks):
            problem = f"{source}: {masks[0]} and {masks[1]} are both beside it; keep one mask, or one for each object"
        elif not (masks or prompts):
            named = f"{stem}.png, {stem}.1.png and so on (one an object) or {stem}{PROMPTS_SUFFIX}"
            problem = f"{source}: no mask or prompts beside it; expected {named}"
        return BatchJob(
            name,
            str(source),
            {},
            first_mask=tuple(str(self._folder / mask) for mask in masks),
            prompts=str(self._folder / prompts) if prompts else (),
            problem=problem,
        )

    def _found(self, stem: str) -> tuple[list[str], str | None]:
        """Return the names of a source's masks and of its file of prompts."""
        whole = [name for suffix in MASK_SUFFIXES if (name := self._names.get(f"{stem}{suffix}"))]
        return whole[:1] + natsorted(self._numbered.get(stem, [])), self._names.get(f"{stem}{PROMPTS_SUFFIX}")
