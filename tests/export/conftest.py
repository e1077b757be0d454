import pytest
import torch

from tests.helpers.networks import TINY_STAGES, randomise_norms
from vosctl.export.exporter import WeightsSource, export_network
from vosctl.export.settings import ExportSettings, GraphShape
from vosctl.network.lite import Lite
from vosctl.network.rgmp import RGMP

SOURCE = WeightsSource("tiny", "0" * 64, "none")


def tiny(name):
    """A tiny network whose crop is small too."""
    torch.manual_seed(0)
    network: Lite | RGMP
    if name.startswith("lite"):
        network = Lite(stem_channels=4, stages=TINY_STAGES, widths=(4, 4, 8, 8))
        if name == "lite with presence":
            network.add_presence()
    else:
        network = RGMP(width=4, channels=8)
    network.crop_size = 96
    return randomise_norms(network)


@pytest.fixture(scope="session", params=["lite", "lite with presence", "rgmp"])
def dynamic_export(request, tmp_path_factory):
    """Network, folder of its export with free sizes, and what the export told."""
    folder = tmp_path_factory.mktemp(request.param.replace(" ", "-")) / "exported"
    told = []
    network = tiny(request.param)
    export_network(network, SOURCE, folder, ExportSettings(), tell=told.append)
    return network, folder, told


@pytest.fixture(scope="session")
def static_export(tmp_path_factory):
    """Folder of a tiny network fixed to 64x96 and two objects."""
    folder = tmp_path_factory.mktemp("static") / "exported"
    export_network(tiny("lite"), SOURCE, folder, ExportSettings(GraphShape((64, 96), 2)))
    return folder
