# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Lightning strategy by number of devices: one device needs no communication."""

from __future__ import annotations

import logging
from typing import Any

from anemoi.training.distributed.single import SingleDeviceStrategy
from anemoi.training.distributed.strategy import DDPGroupStrategy
from torch.nn.parallel import DistributedDataParallel

from anemoi_ailand.support.options import check_known, options_of

LOG = logging.getLogger(__name__)


def device_strategy(num_devices: int, num_nodes: int, accelerator: str, **options: Any) -> Any:
    """Choose anemoi-training's strategy for a number of devices per node and of nodes.

    anemoi-training uses its data-parallel strategy even for one device: every gradient is then hooked, copied to a
    buffer and reduced over one process. ``options`` are those of the data-parallel strategy, ignored for one device.
    """
    known = [*options_of(DDPGroupStrategy), *options_of(DistributedDataParallel)]  # the strategy passes the rest on
    check_known(options, known, "`training.strategy`")
    if num_devices * num_nodes > 1:
        return DDPGroupStrategy(**options)
    device = "cpu" if accelerator == "cpu" else "auto"
    LOG.info("One device: no process group, device '%s'", device)
    return SingleDeviceStrategy(device=device)
