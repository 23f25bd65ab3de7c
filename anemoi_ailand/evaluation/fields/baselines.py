# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Names of the emulator, of the two forecasts that cost nothing, and of the reference."""

from __future__ import annotations

EMULATOR, PERSISTENCE, CLIMATOLOGY = "emulator", "persistence", "climatology"

#: The model that they are compared with.
REFERENCE = "ecLand"
