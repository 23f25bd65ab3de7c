# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""A configuration names its network: the packaged one, or a class of the user by import path."""

import sys

import pytest

from anemoi_ailand.model.networks import NetworkShape, build_network
from anemoi_ailand.model.pointwise_mlp import PointwiseMLP

SHAPE = NetworkShape(n_in=6, n_prognostic=3, n_diagnostic=2, static=(1, 4))

OWN = """
from torch import nn

class Linear(nn.Module):
    def __init__(self, n_in, n_prognostic, n_diagnostic, static, *, bias=True):
        super().__init__()
        self.static, self.layer = static, nn.Linear(n_in, n_prognostic + n_diagnostic, bias=bias)

no_class = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module of the user with a network in it."""
    (tmp_path / "my_networks.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("my_networks", None)


def test_default_is_the_mlp():
    """Configurations older than the option keep their network; a null option counts as not given."""
    network = build_network({"width": 8, "depth": 1, "activation": "silu", "ratio": None}, SHAPE)
    assert isinstance(network, PointwiseMLP)
    assert network.skip


def test_import_path_of_a_class(own):
    """The class gets sizes, static columns where it has that parameter, and its options."""
    network = build_network({"network": "my_networks.Linear", "bias": False}, SHAPE)
    assert network.static == (1, 4)
    assert network.layer.bias is None
    assert network.layer.weight.shape == (5, 6)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lstm", r"'lstm', which is not known. Give 'mlp', or the import path"),
        ("no_such_module.Net", r"cannot be imported \(No module named 'no_such_module'\).*PYTHONPATH"),
        ("my_networks.Other", r"cannot be imported .*no attribute 'Other'"),
        ("my_networks.no_class", r"not a subclass of torch.nn.Module"),
    ],
)
def test_unknown_network_is_refused(own, name, message):
    """The error says what is wrong and what to give instead."""
    with pytest.raises(ValueError, match=message):
        build_network({"network": name}, SHAPE)


def test_option_of_another_network_is_refused(own):
    """The error lists the options and says how to drop an inherited one."""
    with pytest.raises(ValueError, match=r"Linear' has no option \['depth'\] \(available: \['bias'\]\).*null"):
        build_network({"network": "my_networks.Linear", "depth": 3}, SHAPE)
