from vosctl.engine.base import StateBatch


def test_states_are_batched_again_only_when_they_are_others():
    made = []

    def concatenate(states):
        made.append(states)
        return list(states)

    batch = StateBatch(concatenate)
    first, second, equal = ["a"], ["b"], ["a"]
    assert batch.get([first, second]) == [["a"], ["b"]]
    batch.get((first, second))
    assert len(made) == 1
    for others in ([second, first], [first], [equal], [first, second], []):
        assert batch.get(others) == others
    assert len(made) == 6
