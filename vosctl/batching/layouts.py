"""Where the outputs of each job go, in the folder of all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

from vosctl.errors import UsageError
from vosctl.remote import is_address
from vosctl.video.sinks.base import ANNOTATION_SUFFIXES, FOLDER_FORMATS, AnnotationFormat
from vosctl.video.sinks.checks import OUTPUTS

LayoutName = Literal["folders", "flat", "kinds", "davis"]
"""`folders`: one for each job, NAME/masks and NAME/overlay.mp4; `flat`: NAME_masks and NAME_overlay.mp4; `kinds`: one
for each output, masks/NAME and overlay/NAME.mp4; `davis`: likewise, with the masks in Annotations/NAME."""

LAYOUTS: tuple[LayoutName, ...] = get_args(LayoutName)
_FORMS: dict[LayoutName, str] = {
    "folders": "{name}/{output}",
    "flat": "{name}_{output}",
    "kinds": "{output}/{name}",
    "davis": "{output}/{name}",
}
_SUFFIXES = {
    "masks": "",
    "overlay": ".mp4",
    "matte": ".mp4",
    "cutout": ".mov",
    "rle": ".jsonl",
    "composite": ".mp4",
    "track": ".vostrack",
}
_PICTURES = ".png"


@dataclass(frozen=True, slots=True)
class WantedOutput:
    """An output that every job is to have.

    Attributes:
        name: as in `vosctl.segment`.
        suffix: of its file; empty for the usual one, ".png" for a folder of pictures.
    """

    name: str
    suffix: str = ""

    @classmethod
    def parse(cls, text: str) -> WantedOutput:
        """Read an output as it is written: `masks`, `overlay.webm`, `cutout.png`.

        Raises:
            UsageError: there is no such output.
        """
        name, dot, suffix = text.strip().partition(".")
        if name not in OUTPUTS:
            raise UsageError(f"`outputs`: {text.strip()!r} is none; give some of {', '.join(OUTPUTS)}")
        return cls(name, f".{suffix.lower()}" if dot else "")

    def suffix_of(self, annotation_format: AnnotationFormat) -> str:
        """Return the suffix of its file; empty for a folder."""
        if self.name in ("masks", "cutout") and self.suffix == _PICTURES:
            return ""
        if self.name == "annotations" and not self.suffix:
            return "" if annotation_format in FOLDER_FORMATS else ANNOTATION_SUFFIXES[annotation_format]
        return self.suffix or _SUFFIXES[self.name]


@dataclass(frozen=True, slots=True)
class Layout:
    """A folder of outputs and their order in it.

    Attributes:
        root: the folder, or an address.
        name: see `LayoutName`.
        resolution: of a data set: the folder between Annotations and the sequences, "480p".
    """

    root: str
    name: LayoutName = "folders"
    resolution: str = ""

    def outputs(
        self, job: str, wanted: Iterable[WantedOutput], annotation_format: AnnotationFormat = "coco"
    ) -> dict[str, str]:
        """Return where each output of a job goes, by the outputs' names."""
        return {one.name: self._place(job, one.name, one.suffix_of(annotation_format)) for one in wanted}

    def stems(self, job: str) -> list[str]:
        """Return where the outputs of a job may go, without their suffixes."""
        return [self._place(job, name, "") for name in OUTPUTS]

    def _place(self, job: str, output: str, suffix: str) -> str:
        if self.name == "davis" and output == "masks":
            output = f"Annotations/{self.resolution}" if self.resolution else "Annotations"
        return self.below(_FORMS[self.name].format(name=job, output=output) + suffix)

    def below(self, relative: str) -> str:
        """Return the place of something in the folder."""
        return f"{self.root.rstrip('/') or '/'}/{relative}" if self.root != "/" else f"/{relative}"

    def progress(self, job: str, digest: str) -> str:
        """Return the place of the track that a job of this name and digest keeps while it runs."""
        return self.below(f"{HIDDEN}/{short_name(job)}.{digest}.vostrack")


HIDDEN = ".vosctl"
"""The folder in that of the outputs that holds what is needed while jobs run."""
_LONGEST_NAME = 180
"""Bytes of a name of 255, which most file systems have room for."""


def short_name(job: str) -> str:
    """Return the name of a job, or where something is to be added to it and it leaves no room for that, another one."""
    folder, slash, last = job.rpartition("/")
    coded = os.fsencode(last)
    if len(coded) <= _LONGEST_NAME:
        return job
    word = hashlib.sha256(coded).hexdigest()[:8]
    return f"{folder}{slash}{coded[:_LONGEST_NAME].decode('utf-8', 'ignore')}-{word}"


def hidden_folder(progress: str | None) -> Path | None:
    """Return the folder of that name in which a job keeps its track; None where it keeps it elsewhere, or nowhere."""
    if progress is None or is_address(progress):
        return None
    return next((folder for folder in Path(progress).parents if folder.name == HIDDEN), None)


def parse_outputs(text: str) -> tuple[WantedOutput, ...]:
    """Read several outputs: `masks,overlay.webm`.

    Raises:
        UsageError: one of them is none, is there twice, or there is none.
    """
    wanted = tuple(WantedOutput.parse(part) for part in text.split(",") if part.strip())
    if not wanted:
        raise UsageError(f"`outputs`: names none; give some of {', '.join(OUTPUTS)}")
    names = [one.name for one in wanted]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"`outputs`: {twice[0]} is there twice")
    return wanted


def check_name(name: str) -> str:
    """Return the name of a job, which becomes part of its outputs' paths.

    Raises:
        UsageError: it leads out of the folder of outputs, or is none.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if not name.strip() or path.is_absolute() or ".." in path.parts or not path.parts or path.parts[0] == HIDDEN:
        raise UsageError(f"`name={name}`: is part of the outputs' paths; give one such as beach or day1/beach")
    if not name.isprintable() or ":" in path.parts[0]:
        raise UsageError(f"`name={name!r}`: has characters that file names do not; give one such as beach")
    return name
