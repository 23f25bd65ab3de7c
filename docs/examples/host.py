# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The land emulator with numpy and onnxruntime alone: ``python host.py ailand.onnx input.npz output.npz``.

``input.npz`` holds ``stamp`` (datetime64, every 6 h), ``latitude`` and ``longitude`` (row,), ``state`` and ``static``
(row, column), ``forcing_start`` and ``forcing_end`` (stamp, row, column); columns as in ``ailand.onnx.txt``.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
import onnxruntime

graph, source, target = sys.argv[1:]
record = Path(f"{graph}.sha256")  # written with the graph
if record.exists() and hashlib.sha256(Path(graph).read_bytes()).hexdigest() not in record.read_text():
    sys.exit(f"{graph} is damaged: its SHA-256 is not the one in {record}. Export it again.")
session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
data = np.load(source)
stamps, states, fluxes = data["stamp"], [data["state"]], []
days = (stamps - stamps.astype("datetime64[Y]")) / np.timedelta64(1, "D")  # since 1 January 00 UTC of its own year
place = np.stack([data["latitude"], data["longitude"]], axis=-1).astype(np.float64)
for k in range(len(stamps) - 1):
    time = np.broadcast_to(days[k : k + 2], (len(place), 2))
    arguments = {"state": states[-1], "static": data["static"]}
    arguments |= {"forcing_start": data["forcing_start"][k], "forcing_end": data["forcing_end"][k + 1]}
    arguments["place_time"] = np.concatenate([place, time], axis=-1)
    state, diagnostics = session.run(["new_state", "diagnostics"], arguments)
    states.append(state)
    fluxes.append(diagnostics)
np.savez(target, state=np.stack(states), diagnostics=np.stack(fluxes))
