#!/usr/bin/env bash
# Run; after a failure in the middle (4) or a stop (5) resume from the last restart file, at most $TRIES times.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$WORK" || exit 1
[ -f end.state ] && exit 0
for try in $(seq "${TRIES:-3}"); do
  anemoi-ailand run "$here/run.yaml" date="$DATE" lead_time="$LENGTH"
  code=$?
  case $code in
    0) exit 0 ;;
    4 | 5 | 137) echo "try $try ended with $code: resuming from the last restart file" >&2 ;;  # 137: killed
    *) exit $code ;;  # 2 and 3, configuration and input, do not repair themselves
  esac
done
exit "$code"
