# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The strategy follows from the number of devices."""

from anemoi.training.distributed.single import SingleDeviceStrategy
from anemoi.training.distributed.strategy import DDPGroupStrategy

from anemoi_ailand.training.strategy import device_strategy

OPTIONS = {"num_gpus_per_model": 1, "read_group_size": 1, "use_local_synchronization": True, "static_graph": True}


def test_only_several_devices_communicate():
    """Data parallel as soon as there are two, on one node or on two; the CPU where it is requested."""
    single = device_strategy(1, 1, "cpu", **OPTIONS)
    assert type(single) is SingleDeviceStrategy and str(single.root_device) == "cpu"
    assert all(type(device_strategy(*n, "cpu", **OPTIONS)) is DDPGroupStrategy for n in ((2, 1), (1, 2)))
