# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""States of the ground that model error and its scores distinguish, and their limits."""

from __future__ import annotations

#: States of the ground: under snow, frozen without snow, or dry, moist or wet.
GROUND = ("snow", "frozen", "dry", "moist", "wet")

#: Snow mass from which there is snow [kg m-2].
SNOW = 1.0

#: Water of the first layer between wilting point (0) and field capacity (1) that separates dry, moist and wet ground.
DRY, WET = 0.25, 0.75
