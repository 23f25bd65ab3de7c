#!/usr/bin/env bash
# One cycle of the land, task after task. Tasks may be repeated: finished work is skipped.
#   DATE=2022-01-01 LENGTH=10d ./chain.sh
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export DATE=${DATE:?first date, for example 2022-01-01}
export LENGTH=${LENGTH:-10d}
export WORK=${WORK:-work/$DATE}
export ARCHIVE=${ARCHIVE:-archive}
for task in retrieve prepare run products archive; do
  echo "== $task $DATE"
  "$here/$task.sh"
done
