# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The land's state from which a coupled run starts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from anemoi_ailand.rollout.forcing.dataset_fields import StoredFields
from anemoi_ailand.rollout.step.land_state import LandState
from anemoi_ailand.rollout.stepper import LandStepper
from anemoi_ailand.support.options import check_known

LOG = logging.getLogger(__name__)


def initial_state(config: Any, stepper: LandStepper, date: datetime) -> LandState:
    """State at ``date``: ``{dataset: PATH}`` with state, static fields and forcing at the start, or ``{state: PATH}``.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        Nothing is there; another option; the date is not held; a field is missing.
    """
    if not isinstance(config, Mapping) or len(config) != 1:
        raise TypeError(f"`initial` is {config!r}. Give {{dataset: PATH}} or {{state: PATH}}.")
    check_known(config, ("dataset", "state"), "`initial`")
    if "state" in config:
        state = stepper.load(Path(str(config["state"])))
        if state.date != date:
            raise ValueError(
                f"The saved state '{config['state']}' is of {state.date}, the run starts at {date}. "
                "Start the run at the date of the state, or give another state."
            )
        return state
    needs = stepper.needs
    names = [*needs["prognostic"], *needs["static"], *needs["forcing_at_start"]]
    stored = StoredFields(str(config["dataset"]), names)
    found = np.flatnonzero(stored.dates == np.datetime64(date, "s"))
    if not found.size:
        raise ValueError(
            f"Dataset '{stored.path}' has {stored.dates[0]} to {stored.dates[-1]}, but the run starts at {date}. "
            "Change the date of the run, or give another dataset."
        )
    first = int(found[0])
    values = stored.read(first, first + 1, np.arange(stored.latitudes.size))[0]
    LOG.info("Land starts from %s at %s", stored.path, date)
    return stepper.initial(date, stored.latitudes, stored.longitudes, dict(zip(names, values.T, strict=True)))
