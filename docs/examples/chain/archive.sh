#!/usr/bin/env bash
# Copy the results with their checksums, verify them, and rename the folder; the restart files can then be deleted.
set -euo pipefail
target=$ARCHIVE/$DATE
[ -d "$target" ] && exit 0
rm -rf "$target.partial"
mkdir -p "$target.partial"
cp "$WORK"/forecast.nc "$WORK"/days.nc "$WORK"/water.csv "$WORK"/end.state "$target.partial/"
(cd "$WORK" && sha256sum forecast.nc days.nc water.csv end.state) > "$target.partial/SHA256SUMS"
(cd "$target.partial" && sha256sum --check --quiet SHA256SUMS)
mv "$target.partial" "$target"
