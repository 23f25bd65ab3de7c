# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Further datasets of a training: opened, with statistics of all and a record for the checkpoint.

anemoi-training joins datasets at equal dates. The datasets here have the same variables, each with its own dates and
points; :mod:`~anemoi_ailand.training.point_blocks` draws the samples from them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from anemoi.datasets import open_dataset
from anemoi.training.data.data_reader import create_dataset
from numpy.typing import NDArray
from omegaconf import OmegaConf
from pydantic import Field

from anemoi_ailand.data.mapping.mapped_path import exists, local_store
from anemoi_ailand.support.configuration import Strict, checked
from anemoi_ailand.support.disk_errors import not_found

LOG = logging.getLogger(__name__)

#: Constant variable of a dataset that marks points never trained on.
HELD_OUT = "held_out"

#: Key of the record in the metadata of a checkpoint.
RECORD = "other_datasets"


class OtherDataset(Strict):
    """Entry of ``land.others``: a dataset, its period, and the share of the samples drawn from it."""

    dataset: Any
    start: Any = None
    end: Any = None
    share: float | None = Field(default=None, gt=0.0, lt=1.0)


@dataclass(frozen=True)
class OpenDataset:
    """Dataset of a training: its reader in anemoi-training, its configuration, and the share that the user gave."""

    reader: Any
    config: Mapping[str, Any]
    share: float | None = None

    @property
    def name(self) -> str:
        """Path of the dataset, for messages."""
        return str(self.config["dataset"])

    @property
    def points(self) -> int:
        """Number of points that are not held out."""
        return n_trained(self.config, int(self.reader.grid_size))


def open_others(config: Any) -> list[OpenDataset]:
    """Open the datasets of ``land.others``, with the variables and the frequency of the main one.

    Raises
    ------
    ValueError
        An unknown option, shares of 1 or more in all, or no dates in the period.
    FileNotFoundError
        No dataset at the path.
    """
    given = config.training.method.get("others")
    given = OmegaConf.to_container(given, resolve=True) if OmegaConf.is_config(given) else given
    entries = [checked(entry, OtherDataset, "An entry of `land.others`") for entry in given or []]
    if not entries:
        return []
    if (total := sum(entry.share or 0.0 for entry in entries)) >= 1.0:
        raise ValueError(f"The shares in `land.others` add up to {total}, which leaves none for the main dataset.")
    _, main = main_dataset(config)
    return [_open(entry, main) for entry in entries]


def main_dataset(config: Any) -> tuple[str, dict[str, Any]]:
    """Return name and configuration of the dataset that the stock options describe."""
    datasets = config.dataloader.training.datasets
    if len(datasets) != 1:
        raise ValueError(f"`land.others` needs one main dataset; the dataloader has {list(datasets)}.")
    name = next(iter(datasets))
    found: Any = datasets[name].dataset_config
    plain: Any = OmegaConf.to_container(found, resolve=True) if OmegaConf.is_config(found) else found
    return name, dict(plain)


def _open(entry: OtherDataset, main: Mapping[str, Any]) -> OpenDataset:
    if isinstance(entry.dataset, str) and not exists(entry.dataset):
        raise not_found(local_store(entry.dataset), "dataset", "*.zarr", "Correct `land.others`.")
    place = str(Path(entry.dataset).expanduser()) if isinstance(entry.dataset, str) else entry.dataset
    config = {**main, "dataset": place}
    try:
        reader = create_dataset({"dataset_config": config, "start": entry.start, "end": entry.end})
    except ValueError as error:
        dates = open_dataset(place).dates
        raise ValueError(
            f"The dataset '{place}' of `land.others` cannot be opened from {entry.start} to {entry.end} with a step of "
            f"{main.get('frequency')} ({error}). It has {len(dates)} dates, {dates[0]} to {dates[-1]}. Correct the "
            "entry."
        ) from error
    return OpenDataset(reader, config, entry.share)


def n_trained(dataset_config: Any, total: int) -> int:
    """Count the points of a dataset that are not held out, among ``total``.

    Raises
    ------
    ValueError
        Held-out points are not stored last, so that contiguous blocks cannot avoid them.
    """
    # a configuration of anemoi-datasets, with cut-outs and subsets, which `data.anemoi_dataset` does not take; without
    # the selection of variables, which leaves the mark out
    plain = {k: v for k, v in dict(dataset_config).items() if k not in ("select", "drop") and v is not None}
    data = open_dataset(plain)
    if HELD_OUT not in data.variables:
        return total
    mark = np.asarray(data[0][data.name_to_index[HELD_OUT]][0]) > 0.5
    n = int((~mark).sum())
    if mark[:n].any():
        raise ValueError(
            f"{int(mark.sum())} of {total} points are marked as held out, but not stored last. Build the dataset with "
            "`order: {seed: 1}` in the source `ecland`, or set `held_out: include` to train on them."
        )
    LOG.info("%d of %d points are held out: no sample reads them", total - n, total)
    return n


def shares(point_steps: Sequence[int], given: Sequence[float | None]) -> NDArray[np.float64]:
    """Return the share of the samples of every dataset, shape (dataset,), with sum 1.

    The rest of the ``given`` shares is divided among the other datasets in proportion to ``point_steps``.

    Examples
    --------
    >>> from anemoi_ailand.training.datasets import shares
    >>> shares([300, 100, 50], [None, None, 0.2]).tolist()
    [0.6, 0.2, 0.2]
    """
    free = np.array([0.0 if share else float(n) for n, share in zip(point_steps, given, strict=True)])
    fixed = np.array([share or 0.0 for share in given])
    return fixed + (1.0 - fixed.sum()) * free / free.sum()


def pooled(parts: Sequence[Mapping[str, NDArray]], weights: Sequence[float]) -> dict[str, NDArray]:
    r"""Return the statistics of several datasets together, each of shape (variable,).

    With weights :math:`w_i`, :math:`\mu = \sum w_i \mu_i / \sum w_i` and, by the law of total variance,
    :math:`\sigma^2 = \sum w_i (\sigma_i^2 + (\mu_i - \mu)^2) / \sum w_i`.

    Examples
    --------
    >>> import numpy as np
    >>> from anemoi_ailand.training.datasets import pooled
    >>> names = ("mean", "stdev", "minimum", "maximum")
    >>> one, two = (dict(zip(names, np.array(v)[:, None])) for v in ([0.0, 1.0, -2.0, 2.0], [4.0, 1.0, 3.0, 5.0]))
    >>> {name: float(values[0].round(3)) for name, values in pooled([one, two], [1, 1]).items()}
    {'mean': 2.0, 'stdev': 2.236, 'minimum': -2.0, 'maximum': 5.0}
    """
    of = {key: np.stack([np.asarray(part[key], dtype=np.float64) for part in parts]) for key in parts[0]}
    mean = np.average(of["mean"], axis=0, weights=weights)
    variance = np.average(of["stdev"] ** 2 + (of["mean"] - mean) ** 2, axis=0, weights=weights)
    return {"mean": mean, "stdev": np.sqrt(variance), "minimum": of["minimum"].min(0), "maximum": of["maximum"].max(0)}


def include_others(runtime: dict[str, Any], config: Any) -> None:
    """Replace the statistics that a training method receives by those of all datasets; record them in the metadata.

    Statistics of a dataset are those stored with it, over all its points; they are weighted by points x dates of the
    training. They enter normalisation, loss and noise, and the checkpoint keeps them.

    Raises
    ------
    ValueError
        A dataset lacks a variable, or the statistics of tendencies that the main one has.
    """
    others = open_others(config)
    if not others:
        return
    name, main = main_dataset(config)
    metadata = runtime["metadata"]
    for other in others:
        check_variables(other, runtime["data_indices"][name].name_to_index)
    own = metadata["dataset"][name]["shape"]
    sizes = [(int(own[0]), int(own[-1])), *((len(o.reader.dates), int(o.reader.grid_size)) for o in others)]
    weights = [float(dates * points) for dates, points in sizes]
    together = [runtime["statistics"][name], *(o.reader.statistics for o in others)]
    runtime["statistics"] = {name: pooled(together, weights)}
    tendencies = (runtime["statistics_tendencies"] or {}).get(name)
    if tendencies is not None:
        leads = tendencies["lead_times"]
        changes = {lead: pooled([tendencies[lead], *(_tendencies(o, lead) for o in others)], weights) for lead in leads}
        runtime["statistics_tendencies"] = {name: {**changes, "lead_times": leads}}
    points = [n_trained(main, sizes[0][1]), *(o.points for o in others)]
    steps = [dates * n for (dates, _), n in zip(sizes, points, strict=True)]
    part = shares(steps, [None, *(o.share for o in others)])
    metadata[RECORD] = [_record(o, n, s) for o, n, s in zip(others, points[1:], part[1:], strict=True)]
    LOG.info("Samples from '%s' (%.3f), %s", main["dataset"], part[0], _text(metadata[RECORD]))


def check_variables(other: OpenDataset, expected: Mapping[str, int]) -> None:
    """Refuse a dataset whose variables are not those of the main one, in the same order."""
    found = other.reader.name_to_index
    if dict(found) != dict(expected):
        differing = sorted(set(found) ^ set(expected)) or "the same in another order"
        raise ValueError(
            f"The dataset '{other.name}' of `land.others` has other variables than the main one: {differing}. Create "
            "it again with the recipe of this version, or leave the variables out of `land`."
        )


def _tendencies(other: OpenDataset, lead: str) -> Mapping[str, NDArray]:
    found: Mapping[str, NDArray] | None = other.reader.statistics_tendencies(lead)
    if found is None:
        raise ValueError(
            f"The dataset '{other.name}' of `land.others` has no statistics of changes in {lead}. Create it with "
            f"`statistics: {{tendencies: [{lead}]}}` in its recipe."
        )
    return found


def _record(other: OpenDataset, points: int, share: float) -> dict[str, Any]:
    """Describe a dataset in the metadata of the checkpoint."""
    dates, stored = other.reader.dates, list(_attributes(other.reader.metadata))
    return {
        "dataset": other.name,
        "description": [a.get("description") for a in stored],
        "uuid": [a.get("uuid") for a in stored],
        "start": str(dates[0]), "end": str(dates[-1]), "dates": len(dates),
        "points": points, "held_out": int(other.reader.grid_size) - points, "share": round(float(share), 6),
    }  # fmt: skip


def _attributes(metadata: Any) -> Iterator[dict[str, Any]]:
    """Yield the attributes of all stores in the metadata of a dataset, however it is put together."""
    if isinstance(metadata, Mapping):
        for key, value in metadata.items():
            if key == "attrs" and isinstance(value, Mapping):
                yield dict(value)
            else:
                yield from _attributes(value)
    elif isinstance(metadata, list | tuple):
        for value in metadata:
            yield from _attributes(value)


def _text(records: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(
        f"'{r['dataset']}' ({r['share']:.3f}; {r['points']} points, {r['start']} to {r['end']})" for r in records
    )
