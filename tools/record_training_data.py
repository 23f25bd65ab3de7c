# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Write the record of the training data next to a checkpoint, for one whose training did not put it into its metadata.

    python tools/record_training_data.py anemoi_ailand/pretrained/ailand.ckpt reference.zarr towers.zarr

The datasets are those of the training, the main one first. Periods are those that the checkpoint states; points that
are held out are left out.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from anemoi.datasets import open_dataset
from anemoi.utils.checkpoints import load_metadata

from anemoi_ailand.data.plausibility.training_data import record_path, write_record
from anemoi_ailand.training.data_record import Part, read_training_data
from anemoi_ailand.training.datasets import RECORD, n_trained


def periods_of(checkpoint: Path) -> list[tuple[Any, Any]]:
    """Return first and last date of the training in each dataset."""
    metadata = load_metadata(str(checkpoint))
    main = metadata["config"]["dataloader"]["training"]["datasets"]["data"]
    return [(main["start"], main["end"]), *((other["start"], other["end"]) for other in metadata.get(RECORD, []))]


def main() -> None:
    """Read the datasets and write the record."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("datasets", nargs="+")
    args = parser.parse_args()
    parts = []
    for dataset, (start, end) in zip(args.datasets, periods_of(args.checkpoint), strict=True):
        data = open_dataset(dataset, start=start, end=end)
        parts.append(Part(dataset, data, n_trained({"dataset": dataset}, data.shape[-1])))
    found = read_training_data(parts, whole=True, plausibility="warn")
    path = write_record(record_path(args.checkpoint), found)
    logging.info("%s: %.1f kB", path, path.stat().st_size / 1e3)


if __name__ == "__main__":
    main()
