from vosctl.engine.base import StateBatches


def test_states_are_batched_again_only_when_they_are_others():
    made = []

    def concatenate(states):
        made.append(states)
        return list(states)

    batches = StateBatches(concatenate)
    whole = [slice(0, 2)]
    first, second, equal = ["a"], ["b"], ["a"]
    assert batches.get([first, second], whole) == [[["a"], ["b"]]]
    batches.get((first, second), whole)
    assert len(made) == 1
    for others in ([second, first], [first], [equal], [first, second], []):
        assert batches.get(others, whole) == [others]
    assert len(made) == 6
    halves = [slice(0, 1), slice(1, 2)]
    for _ in range(2):
        assert batches.get([first, second], halves) == [[first], [second]]
    assert len(made) == 8
    assert batches.get([first, second], whole) == [[first, second]]
