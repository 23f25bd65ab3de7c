#!/usr/bin/env bash
# Build a dataset from the retrieved files, and check before the run that nothing is missing.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ ! -d "$WORK/land.zarr" ]; then
  rm -rf "$WORK/land.partial.zarr"
  AILAND_SAMPLE="$WORK/input" anemoi-datasets create "${RECIPE:-$(anemoi-ailand recipes --path ecland-sample)}" \
    "$WORK/land.partial.zarr" --overwrite
  mv "$WORK/land.partial.zarr" "$WORK/land.zarr"
fi
cd "$WORK"
anemoi-ailand run "$here/run.yaml" date="$DATE" lead_time="$LENGTH" --dry-run
