#!/usr/bin/env bash
# Product for users: daily soil water of the root zone as a table.
set -euo pipefail
cd "$WORK"
python - <<'PYTHON'
from pathlib import Path

import xarray as xr

with xr.open_dataset("days.nc") as days:
    water = 1000.0 * (0.07 * days.swvl1 + 0.21 * days.swvl2 + 0.72 * days.swvl3)
    table = water.to_dataframe("water_to_1m_kg_m2").reset_index()
table.round(2).to_csv("water.csv.partial", index=False)
Path("water.csv.partial").replace("water.csv")
PYTHON
