import click
import pytest

from vosctl.cli import COMMANDS, cli
from vosctl.cli.environment import _all_variables


@pytest.fixture
def request_of(monkeypatch, invoke):
    """Run `segment` up to its job; what reached it."""
    from vosctl.cli.segment import segment

    heard = {}

    def keep(**values):
        heard.update(values)

    monkeypatch.setattr(segment, "callback", keep)

    def run(*arguments, program="vosctl", **environment):
        heard.clear()
        result = invoke("segment", "x.mp4", *arguments, env=environment, prog_name=program)
        return result, dict(heard)

    return run


@pytest.mark.parametrize(
    ("variables", "name", "value"),
    [
        ({"VOSCTL_QUIET": "1"}, "quiet", True),
        ({"VOSCTL_SEGMENT_QUIET": "true"}, "quiet", True),
        ({"VOSCTL_JSON": "1"}, "as_json", True),
        ({"VOSCTL_SEGMENT_JSON": "1"}, "as_json", True),
        ({"VOSCTL_DEVICE": "cpu"}, "device", "cpu"),
        ({"VOSCTL_DEVICE": "cpu", "VOSCTL_SEGMENT_DEVICE": "cuda"}, "device", "cuda"),
        ({"VOSCTL_WINDOW_SIZE": "192"}, "window_size", 192),
        ({"VOSCTL_NO_AUDIO": "yes"}, "no_audio", True),
    ],
)
def test_every_option_has_its_variables(request_of, variables, name, value):
    result, heard = request_of(**variables)
    assert result.exit_code == 0, result.output
    assert heard[name] == value
    assert result.stderr == ""


@pytest.mark.parametrize("program", ["python -m vosctl", "my vosctl"])
def test_variables_are_the_same_whatever_the_program_was_started_as(request_of, program):
    result, heard = request_of(program=program, VOSCTL_SEGMENT_DEVICE="cpu", VOSCTL_WINDOW_SIZE="192")
    assert (heard["device"], heard["window_size"]) == ("cpu", 192)
    assert result.stderr == ""


def test_values_of_a_repeated_option_are_separated_by_semicolons(request_of):
    _, heard = request_of(VOSCTL_BOX="1,2,30,40; 3=5,6,70,80", VOSCTL_FIRST_MASK="a b.png;c.png", VOSCTL_POINT="1,2:-")
    assert [mark.box for mark in heard["box"]] == [(1, 2, 30, 40), (5, 6, 70, 80)]
    assert [mark.object_id for mark in heard["box"]] == [None, 3]
    assert [str(path) for path in heard["first_mask"]] == ["a b.png", "c.png"]
    assert not heard["point"][0].on_object


def test_the_command_line_comes_first(request_of):
    _, heard = request_of("--device", "mps", "--box", "1,1,9,9", VOSCTL_DEVICE="cpu", VOSCTL_BOX="2,2,8,8")
    assert heard["device"] == "mps"
    assert len(heard["box"]) == 1


def test_objects_of_the_environment_give_way_to_those_of_the_command_line(invoke, tmp_path):
    result = invoke("segment", "absent.mp4", "--box", "1,1,9,9", env={"VOSCTL_FIRST_MASK": "m.png"})
    assert "absent.mp4" in result.stderr
    assert "each says" not in result.stderr


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("VOSCTL_DEVCE", "VOSCTL_DEVICE"),
        ("VOSCTL_SEGMENT_AS_JSON", "VOSCTL_SEGMENT_JSON"),
        ("VOSCTL_BOXX", "VOSCTL_BOX"),
        ("VOSCTL_WEIGHTS_IMPORT_NAMES", "VOSCTL_WEIGHTS_IMPORT_NAME"),
    ],
)
def test_a_variable_that_nobody_reads_is_told(request_of, name, meant):
    result, _ = request_of(**{name: "1"})
    assert f"Warning: {name}: no option has this environment variable; is {meant} meant?" in result.stderr


def test_a_variable_that_is_like_none_is_told(request_of):
    result, _ = request_of(VOSCTL_Q="1")
    assert result.stderr == "Warning: VOSCTL_Q: no option has this environment variable\n"


def test_variables_of_other_commands_are_no_mistake(request_of):
    result, _ = request_of(VOSCTL_TRAIN_BATCH="3", VOSCTL_OPSET="17", VOSCTL_HOME="/nowhere", VOSCTL_DEBUG="1")
    assert result.stderr == ""


def test_a_wrong_value_names_the_variable(request_of):
    result, _ = request_of(VOSCTL_THREADS="many")
    assert result.exit_code == 2
    assert "--threads" in result.stderr
    assert "VOSCTL_THREADS" in result.stderr


def test_an_error_names_the_variable_of_an_option_that_nobody_typed(invoke):
    line = "Error: --window-size: has no meaning with --window off"
    arguments = ["segment", "x.mp4", "--first-mask", "m.png", "--window", "off"]
    result = invoke(*arguments, env={"VOSCTL_WINDOW_SIZE": "64", "VOSCTL_DEVICE": "cpu"})
    assert result.stderr == f"{line} (--window-size is from VOSCTL_WINDOW_SIZE)\n"
    assert invoke(*arguments, "--window-size", "64").stderr == f"{line}\n"


@pytest.mark.parametrize(
    ("arguments", "variables", "quiet", "verbose"),
    [
        (["-q"], {"VOSCTL_VERBOSE": "1"}, True, False),
        (["-v"], {"VOSCTL_QUIET": "1"}, False, True),
        (["-q"], {}, True, False),
        ([], {"VOSCTL_VERBOSE": "1"}, False, True),
    ],
)
def test_of_quiet_and_verbose_the_typed_one_counts(request_of, arguments, variables, quiet, verbose):
    _, heard = request_of(*arguments, **variables)
    assert (heard["quiet"], heard["verbose"]) == (quiet, verbose)


@pytest.mark.parametrize(
    ("arguments", "variables"), [(["-qv"], {}), ([], {"VOSCTL_QUIET": "1", "VOSCTL_VERBOSE": "1"})]
)
def test_quiet_and_verbose_contradict_each_other(request_of, arguments, variables):
    result, _ = request_of(*arguments, **variables)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: --quiet and --verbose: one prints less")


def test_no_option_of_any_command_is_left_out():
    context = click.Context(cli, info_name="vosctl")
    names = set(_all_variables(cli, (), context))
    for command in COMMANDS:
        for option in cli.get_command(context, command).params:
            if isinstance(option, click.Option):
                flag = max(option.opts, key=len).lstrip("-").replace("-", "_").upper()
                assert f"VOSCTL_{flag}" in names
                assert f"VOSCTL_{command.replace('-', '_').upper()}_{flag}" in names
