# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Adapters to anemoi-inference 0.13: hooks of the runner, origin of a state, internals of inputs and outputs, lock."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from importlib.metadata import distribution
from typing import TYPE_CHECKING, Any

from anemoi_ailand.support.netcdf_lock import NETCDF_LOCK

if TYPE_CHECKING:
    from anemoi.inference.runner import Runner as _Runner
else:
    _Runner = object  # a mixin: the host is imported by the class that uses it

LOG = logging.getLogger(__name__)

State = dict[str, Any]

#: Entry of a state that holds the input it comes from; the others of an input are :func:`with_origin`'s.
ORIGIN = "_input"


class RunnerHooks(_Runner):
    """Mixin that gives public names to the private methods of ``Runner`` between inputs and outputs.

    A runner is a class ``Mine(RunnerHooks, Runner)`` that defines :meth:`aligned_states` and :meth:`output_state`.

    Private names: ``_combine_states`` and ``_initial_state`` (overridden). They can go when anemoi-inference compares
    coordinates with a tolerance, and has a hook for the state that outputs get at step zero.
    """

    def aligned_states(self, states: Sequence[State]) -> Sequence[State]:
        """Return the states of the inputs with equal coordinates, which the host compares bitwise."""
        return states

    def output_state(self, state: State, inputs: Sequence[State]) -> State:
        """Return what outputs get at step zero, given what the host would give and the states of the inputs."""
        del inputs
        return state

    def create_output(self, dataset_name: str, metadata: Any) -> Any:
        """Create an output; one of this package without importing all others, which takes 0.2 s."""
        from anemoi.inference.config.utils import multi_datasets_config

        config = multi_datasets_config(self.config.output, dataset_name, self.dataset_names)
        name, options = next(iter(config.items())) if isinstance(config, dict) and len(config) == 1 else (config, {})
        if not isinstance(name, str) or not isinstance(options, dict):
            return super().create_output(dataset_name, metadata)
        own = distribution("anemoi-ailand").entry_points.select(group="anemoi.inference.outputs", name=name)
        if not own:
            return super().create_output(dataset_name, metadata)
        output = next(iter(own)).load()(self, metadata, **options)
        LOG.info("[%s] Output: %s", dataset_name, output)
        return output

    def _combine_states(self, *states: State) -> State:
        return super()._combine_states(*self.aligned_states(states))

    def _initial_state(self, *states: State) -> State:
        return self.output_state(super()._initial_state(*states), states)


def with_origin(state: State, source: Any, names: Sequence[str]) -> State:
    """Return a state that names the input it comes from, and its variables.

    Private entries: ``_input`` and ``_variables``, by which the runner checks what an input gives against the
    checkpoint. They can go when ``create_input_state`` is called through a method of the host that adds them.
    """
    known = source.metadata.typed_variables  # which has no hourly rain
    return {**state, ORIGIN: source, "_variables": {n: known[n] for n in names if n in known}}


def origin(state: State) -> Any:
    """Return the input that a state comes from, None if unknown."""
    return state.get(ORIGIN)


def stored_dates(source: Any) -> Any:
    """Return the dates of the Anemoi dataset that an input reads; None for an input of another kind.

    Undocumented attributes: ``open_dataset_args`` and ``ds_dates`` of ``DatasetInput``. They can go when every input
    reports its dates before it reads.
    """
    return source.ds_dates if hasattr(source, "open_dataset_args") else None


def static_fields(source: Any, wanted: Callable[[Iterable[str]], list[str]]) -> dict[str, Any]:
    """Return those fields (point,) at the first date of the Anemoi dataset of an input that ``wanted`` selects by name.

    Undocumented attributes: as :func:`stored_dates`, and ``grid_indices`` of ``DatasetInput``.
    """
    if not hasattr(source, "open_dataset_args"):
        return {}
    index = source.ds.name_to_index
    first = source.ds[0]
    return {n: first[index[n]].reshape(-1)[source.grid_indices] for n in wanted(index)}


def dataset_paths(source: Any) -> list[str]:
    """Return the paths of the Anemoi datasets that an input reads; none for an input of another kind.

    Undocumented attributes: ``open_dataset_args`` and ``open_dataset_kwargs`` of ``DatasetInput``; as
    :func:`stored_dates`.
    """
    given = [*getattr(source, "open_dataset_args", ()), getattr(source, "open_dataset_kwargs", None)]
    entries = [one.get("dataset") if isinstance(one, dict) else one for one in given]
    return [entry for entry in entries if isinstance(entry, str)]


def restrict_points(source: Any, points: slice) -> None:
    """Make an input give some of its points only.

    Undocumented attribute: ``grid_indices`` of ``DatasetInput``, which the inputs of this package have, too.
    """
    if getattr(source, "grid_indices", None) != slice(None):
        raise ValueError(
            f"The input {source} cannot be divided into shards. Give a dataset or files without `grid_indices`, or run "
            "without `shards`."
        )
    source.grid_indices = points


def stated_units(source: Any) -> dict[str, str | None]:
    """Return the units of the variables in the Anemoi dataset of an input, None where it states none.

    Undocumented attributes: as :func:`stored_dates`. Without a dataset nothing is known.
    """
    if not hasattr(source, "open_dataset_args"):
        return {}
    metadata = getattr(source.ds, "variables_metadata", None) or {}
    return {name: (metadata.get(name) or {}).get("units") for name in source.ds.name_to_index}


def has_single_dates(source: Any) -> bool:
    """Return whether an input reads an Anemoi dataset that stores each date as a chunk of its own.

    Undocumented attributes: as :func:`stored_dates`, and ``forward`` and ``chunks`` of a dataset.
    """
    data: Any = source.ds if hasattr(source, "open_dataset_args") else None
    while hasattr(data, "forward"):
        data = data.forward
    return getattr(data, "chunks", (0,))[0] == 1


def forecast_axes(source: Any) -> tuple[Any, Any] | None:
    """Return base dates and steps of the dataset of forecasts that an input reads; None if it reads no such dataset.

    Undocumented attributes: ``use_trajectories`` and ``ds`` of ``DatasetInput``; as :func:`stored_dates`.
    """
    if not (hasattr(source, "open_dataset_args") and getattr(source, "use_trajectories", False)):
        return None
    return source.ds.base_dates, source.ds.steps


def inner_outputs(output: Any) -> list[Any]:
    """Return the outputs within an output: those of ``tee``, or the one that a ``ForwardOutput`` wraps.

    Undocumented attributes: ``outputs`` and ``output``. They can go when the host walks its outputs itself.
    """
    return getattr(output, "outputs", None) or ([output.output] if hasattr(output, "output") else [])


def refuse_pre_processors(source: Any, own: Sequence[Any] | None) -> None:
    """Refuse pre-processors of an input, whether ``own`` or of the runner, which the input would ignore."""
    given = [*(own or []), *getattr(source.context, "pre_processors", {}).get(source.dataset_name, [])]
    if given:
        raise ValueError(f"The input `{source.trace_name}` applies no pre-processors; given are {given}. Remove them.")


def share_netcdf_lock() -> None:
    """Give Anemoi's ``output: netcdf`` our lock for the HDF5 library; nothing to do where that output is not loaded.

    HDF5 is not thread-safe in the wheels of netCDF4. anemoi-inference guards it with a lock of its own
    (``outputs.netcdf.LOCK``) and writes the time coordinates without any (``NetCDFOutput.write_step``), so that our
    background reader or writer in the same process ends in a segmentation fault. This can go when anemoi-inference
    offers a public lock that covers all of its calls.
    """
    module: Any = sys.modules.get("anemoi.inference.outputs.netcdf")
    if module is None or module.LOCK is NETCDF_LOCK:
        return
    module.LOCK = NETCDF_LOCK
    unguarded = module.NetCDFOutput.write_step

    @wraps(unguarded)
    def write_step(self: Any, state: Any) -> None:
        with NETCDF_LOCK:
            unguarded(self, state)

    module.NetCDFOutput.write_step = write_step
