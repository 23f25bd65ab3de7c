#!/usr/bin/env bash
# Bring forcing, state and static fields to $WORK/input. Here: files of ecLand from $SOURCE, the sample in the package by
# default. From MARS it would be `mars request.mars`, with the target in $WORK/input.partial.
set -euo pipefail
source=${SOURCE:-$(python -c "from anemoi_ailand import folder; print(folder('sample'))")}
[ -d "$WORK/input" ] && exit 0
rm -rf "$WORK/input.partial"
mkdir -p "$WORK"
cp -r "$source" "$WORK/input.partial"
mv "$WORK/input.partial" "$WORK/input"  # complete or not at all
