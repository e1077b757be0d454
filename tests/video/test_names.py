import pytest

from vosctl.errors import UsageError
from vosctl.video.names import ObjectNames


def test_names_are_read_as_they_are_typed():
    names = ObjectNames.parse(["2=a=b, c", "7=Tänzerin"])
    assert (names.of(2), names.of(7), names.of(1)) == ("a=b, c", "Tänzerin", "object_1")
    assert bool(names)
    assert not ObjectNames.parse([])


def test_the_class_of_a_name_is_its_lowest_object():
    names = ObjectNames({9: "dog", 4: "dog", 5: "cat"})
    assert [names.class_of(one) for one in (4, 5, 9, 2)] == [4, 5, 4, 2]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["dancer"], "dancer: give the object's number and its name, such as 1=dancer"),
        (["1=a", "1=b"], "object 1 is named twice"),
        (["0=a"], "objects have the numbers 1 to 255"),
        (["256=a"], "objects have the numbers 1 to 255"),
        (["1="], "give a name of 1 to 200 letters"),
        (["1=  "], "give a name of 1 to 200 letters"),
        (["1=a\nb"], "give a name of 1 to 200 letters"),
        (["1=" + "a" * 201], "give a name of 1 to 200 letters"),
    ],
)
def test_what_is_no_name(texts, message):
    with pytest.raises(UsageError, match=message):
        ObjectNames.parse(texts)
