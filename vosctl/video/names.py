"""What the objects are called in annotations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from vosctl.arguments import whole_number
from vosctl.errors import UsageError

_ENTRY = re.compile(r"(?P<id>\d{1,9})=(?P<name>.*)", re.DOTALL)
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class ObjectNames:
    """The names that a user gave; the other objects are `object_1`, `object_2`, ...

    Objects of one name are of one class (category); its number is the lowest of their ids.

    Attributes:
        by_id: names by object id, 1..255.

    Raises:
        UsageError: an id or a name cannot be one.
    """

    by_id: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(cast(object, self.by_id), Mapping):
            raise UsageError(f"`object_names={self.by_id!r}`: give names by object id, such as {{1: 'dancer'}}")
        for object_id, name in self.by_id.items():
            if not isinstance(cast(object, name), str):
                raise UsageError(f"`object_names`: {object_id}={name!r}: a name is text")
            if not 1 <= whole_number("object_names", object_id) <= 255:
                raise UsageError(f"`object_names`: {object_id}={name}: objects have the numbers 1 to 255")
            if not name.strip() or len(name) > _LONGEST or not name.isprintable():
                raise UsageError(f"`object_names`: {object_id}={name!r}: give a name of 1 to {_LONGEST} letters")

    @classmethod
    def parse(cls, texts: Iterable[str]) -> ObjectNames:
        """Read names as they are typed: `1=dancer`.

        Raises:
            UsageError: one is said in another form, or an object is named twice.
        """
        names: dict[int, str] = {}
        for text in texts:
            match = _ENTRY.fullmatch(text)
            if match is None:
                raise UsageError(f"`object_names`: {text}: give the object's number and its name, such as 1=dancer")
            if int(match["id"]) in names:
                raise UsageError(f"`object_names`: object {int(match['id'])} is named twice; leave one out")
            names[int(match["id"])] = match["name"]
        return cls(names)

    def __bool__(self) -> bool:
        """Whether any object has a name of its own."""
        return bool(self.by_id)

    def of(self, object_id: int) -> str:
        """Return the name of an object."""
        return self.by_id.get(object_id, f"object_{object_id}")

    def class_of(self, object_id: int) -> int:
        """Return the number of an object's class: the lowest id that has the same name."""
        name = self.of(object_id)
        return min((one for one, other in self.by_id.items() if other == name), default=object_id)
