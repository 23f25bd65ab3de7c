# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""One device needs no communication: the strategy follows from the number of devices."""

from __future__ import annotations

import logging
from typing import Any

from anemoi.training.distributed.single import SingleDeviceStrategy
from anemoi.training.distributed.strategy import DDPGroupStrategy

LOG = logging.getLogger(__name__)


def device_strategy(num_devices: int, num_nodes: int, accelerator: str, **options: Any) -> Any:
    """Strategy of anemoi-training for so many devices.

    anemoi-training takes its data-parallel strategy for one device, too: every gradient is then hooked, copied to a
    buffer and reduced among one process.

    Parameters
    ----------
    num_devices, num_nodes : int
        Devices of a node, nodes.
    accelerator : str
        As in ``system.hardware.accelerator``.
    **options
        For the data-parallel strategy; one device has no use for them.

    Returns
    -------
    pytorch_lightning.strategies.Strategy
    """
    if num_devices * num_nodes > 1:
        return DDPGroupStrategy(**options)
    device = "cpu" if accelerator == "cpu" else "auto"
    LOG.info("One device: no process group, device '%s'", device)
    return SingleDeviceStrategy(device=device)
