# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The strategy follows from the number of devices."""

import pytest
from anemoi.training.distributed.single import SingleDeviceStrategy
from anemoi.training.distributed.strategy import DDPGroupStrategy

from anemoi_ailand.training.strategy import device_strategy

OPTIONS = {"num_gpus_per_model": 1, "read_group_size": 1, "use_local_synchronization": True, "static_graph": True}


@pytest.mark.parametrize(
    ("devices", "nodes", "expected"),
    [(1, 1, SingleDeviceStrategy), (2, 1, DDPGroupStrategy), (1, 2, DDPGroupStrategy)],
)
def test_only_several_devices_communicate(devices, nodes, expected):
    """Data parallel as soon as there are two, on one node or on two."""
    assert type(device_strategy(devices, nodes, "cpu", **OPTIONS)) is expected


def test_cpu_is_taken_where_it_is_asked_for():
    """The CPU is used where it is requested, even with a GPU."""
    assert str(device_strategy(1, 1, "cpu", **OPTIONS).root_device) == "cpu"
