import json

import pytest

from vosctl.benchmark.cases import SIZES
from vosctl.benchmark.run import Worker
from vosctl.engine.providers import has_nvidia_gpu
from vosctl.errors import VosctlError

BACKENDS = [
    {"engine": "onnx", "device": "cpu", "precision": "fp32", "device_name": "CPUExecutionProvider"},
    {"engine": "torch", "device": "cpu", "precision": "fp32", "device_name": "cpu"},
]


class QuickWorker(Worker):
    """Answers at once: ONNX Runtime takes 10 ms, torch 20."""

    def __init__(self):
        self.asked = []

    def ask(self, request, what):
        self.asked.append(request)
        if "probe" in request:
            return BACKENDS
        case = request["case"]
        p50 = 10.0 if case["backend"]["engine"] == "onnx" else 20.0
        times = {"p50": p50, "p95": p50 + 1, "p99": p50 + 2}
        slower = case["decoder"] == "cpu" and case["size"] == "1080p"
        return {
            "frame": times,
            "rate": (500 if slower else 1000) / p50,
            "track": times if case["output"] else None,
            "resident": 321.0,
            "gpu": None,
        }


@pytest.fixture
def worker(monkeypatch):
    monkeypatch.setitem(SIZES, "480p", (160, 90))
    return QuickWorker()


class FailingWorker(QuickWorker):
    """Answers but for the cases of which a field is what fails."""

    def __init__(self, **fails):
        super().__init__()
        self.fails = fails

    def ask(self, request, what):
        if "case" in request and all(request["case"][name] == value for name, value in self.fails.items()):
            raise VosctlError(f"{what}: `decoder='nvdec'`: no memory is left")
        return super().ask(request, what)


COMMAND = ("bench", "--sizes", "480p", "--objects", "1,2", "--outputs", "overlay,rle", "--frames", "3", "--warmup", "1")


def test_a_case_that_fails_does_not_take_the_others_with_it(invoke, monkeypatch):
    monkeypatch.setitem(SIZES, "480p", (160, 90))
    arguments = ("--outputs", "none", "--decoder", "cpu,nvdec")
    result = invoke(*COMMAND[:5], *arguments, *COMMAND[7:], obj=FailingWorker(decoder="nvdec"))
    assert result.exit_code == 1
    assert "End to end" in result.stdout
    assert ["480p", "1", "onnx", "fp32", "CPUExecutionProvider", "cpu", "100.0", "-"] in [
        line.split() for line in result.stdout.splitlines()
    ]
    named = [line for line in result.stderr.splitlines() if line.startswith("Failed: ")]
    assert len(named) == 4
    assert "2 objects, 480p decoded by nvdec, to none: --decoder nvdec: no memory is left" in named[-1]
    assert "4 of 12 cases failed and are not in the figures above" in result.stderr
    result = invoke(*COMMAND, "--json", obj=FailingWorker(output="rle"))
    assert (result.exit_code, len(json.loads(result.stdout)["results"])) == (1, 8)
    assert "to rle: `decoder='nvdec'`: no memory is left" in json.loads(result.stdout)["failed"][0]
    result = invoke(*COMMAND, obj=FailingWorker())
    assert (result.exit_code, result.stdout) == (1, "")
    assert "network step: --decoder nvdec: no memory is left" in result.stderr


def test_the_tables_and_what_they_belong_to(invoke, worker):
    result = invoke(*COMMAND, obj=worker)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert "cores" in lines[0]
    assert lines[1].startswith("python 3.")
    assert "3 frames counted after 1 of warm-up" in lines[2]
    rows = [line.split() for line in lines]
    assert ["1", "onnx", "fp32", "CPUExecutionProvider", "10.0", "11.0", "12.0", "0.50"] in rows
    assert ["2", "torch", "fp32", "cpu", "20.0", "21.0", "22.0", "1.00"] in rows
    assert [
        "480p",
        "cpu",
        "2",
        "overlay",
        "torch",
        "fp32",
        "cpu",
        "50.0",
        "20.0",
        "21.0",
        "22.0",
        "20.0",
        "321",
        "-",
    ] in rows
    assert [
        "480p",
        "cpu",
        "1",
        "rle",
        "onnx",
        "fp32",
        "CPUExecutionProvider",
        "100.0",
        "10.0",
        "11.0",
        "12.0",
        "10.0",
        "321",
        "-",
    ] in rows
    assert len(worker.asked) == 1 + 4 + 4 + 1


def test_the_faster_decoder_is_told_for_each_size(invoke, worker, monkeypatch):
    monkeypatch.setitem(SIZES, "1080p", (160, 90))
    sizes = ("--sizes", "480p,1080p", "--objects", "1", "--outputs", "none,rle")
    result = invoke(*COMMAND, *sizes, "--decoder", "cpu,nvdec", obj=worker)
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.stdout.partition("Decoders, frames a second")[2].splitlines()]
    assert ["480p", "1", "onnx", "fp32", "CPUExecutionProvider", "cpu", "100.0", "100.0"] in rows
    assert ["1080p", "1", "onnx", "fp32", "CPUExecutionProvider", "nvdec", "50.0", "100.0"] in rows
    report = json.loads(invoke(*COMMAND, *sizes, "--decoder", "cpu,nvdec", "--json", obj=worker).stdout)
    assert {one["decoder"] for one in report["results"] if one["what"] == "step"} == {None}
    assert [one["decoder"] for one in report["results"] if one["output"] == "none"] == 4 * ["cpu", "nvdec"]


@pytest.mark.skipif(has_nvidia_gpu(), reason="there is an NVIDIA GPU")
def test_a_decoder_that_is_not_here_is_told_before_anything_is_measured(invoke):
    result = invoke("bench", "--decoder", "cpu,nvdec", "-q")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: looking for engines and decoders: --decoder nvdec: ")
    assert result.stderr.endswith("; use --decoder cpu\n")


def test_json(invoke, worker):
    report = json.loads(invoke(*COMMAND, "--json", obj=worker).stdout)
    assert report["settings"]["frames"] == 3
    assert report["versions"]["vosctl"]
    assert [one["what"] for one in report["results"]] == ["step"] * 4 + ["end-to-end"] * 5
    last = report["results"][-1]
    assert (last["output"], last["size"], last["engine"], last["frame"]["p95"]) == ("rle", "480p", "onnx", 11.0)
    assert report["results"][0]["track"] is None


def test_the_engine_is_asked_for(invoke, worker):
    invoke(*COMMAND, "--engine", "torch", "--device", "cpu", "--weights", "lite", obj=worker)
    assert worker.asked[0]["probe"]["engines"] == ("torch",)
    assert worker.asked[0]["probe"]["devices"] == ("cpu",)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--sizes", "8k", "--sizes 8k"),
        ("--objects", "one", "--objects one"),
        ("--objects", "99", "--objects: give numbers"),
        ("--outputs", "gif", "--outputs gif"),
        ("--engine", "fast", "--engine fast"),
        ("--frames", "0", "--frames"),
    ],
)
def test_options_that_cannot_be(invoke, worker, option, value, message):
    result = invoke("bench", option, value, obj=worker)
    assert result.exit_code == 2
    assert message in result.stderr
    assert worker.asked == []


def test_weights_of_a_name_that_is_not_known_are_wrong_usage(invoke):
    result = invoke("bench", "--weights", "nope")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: --weights nope: neither a file nor a registered name")


def test_weights_that_are_not_there(invoke):
    """Told by the real process that looks for engines."""
    result = invoke("bench", "--weights", "absent.safetensors")
    assert result.exit_code == 1
    assert "no such weights file" in result.stderr
    assert len(result.stderr.splitlines()) == 1
