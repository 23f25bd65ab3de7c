# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Export of a trained model as an ONNX graph, which C, C++, Fortran or Python run without torch and Anemoi.

The graph is made by ``torch.onnx.export(dynamo=True)``: the older exporter has no ``expm1`` and is deprecated. It holds
normalisation, network, the twelve steps of soil water, and bounds. Before the file gets its name, onnxruntime runs it
on real states, and the results are compared with the checkpoint (:mod:`~anemoi_ailand.export.onnx_check`).
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from anemoi_ailand.constants import STEP_HOURS
from anemoi_ailand.export.host_step import OUTPUTS, PLACE_TIME, HostStep
from anemoi_ailand.export.onnx_check import Agreement, check_graph
from anemoi_ailand.export.onnx_operators import OPSET, translations
from anemoi_ailand.rollout.step.checkpoint import LandStep, checkpoint_checksum, load_step
from anemoi_ailand.rollout.step.physical_step import PhysicalStep, to_dtype
from anemoi_ailand.rollout.step.pretrained import pretrained_names, pretrained_record
from anemoi_ailand.support.atomic import complete_file
from anemoi_ailand.support.checksum import record_sha256
from anemoi_ailand.support.disk_errors import check_folder
from anemoi_ailand.variables import variable

LOG = logging.getLogger(__name__)

#: Key of the description in the graph's metadata, and the version of its layout.
METADATA_KEY, SCHEMA = "anemoi_ailand", "anemoi-ailand/onnx/1"

#: Packages that export needs, and the one that the check needs.
_PACKAGES, _RUNTIME = ("onnx", "onnxscript"), "onnxruntime"

#: Rows of the example with which the graph is traced; a graph takes any number.
_ROWS = 8


def export_step(
    checkpoint: str | Path,
    output: str | Path,
    *,
    precision: str = "float32",
    sun_inside: bool = True,
    overwrite: bool = False,
) -> Agreement | None:
    """Write a checkpoint as ``output`` (ONNX), with a description of arguments and results in ``output`` + ``.txt``.

    The SHA-256 of the graph is in ``output`` + ``.sha256``, in the form of ``sha256sum``.

    Parameters
    ----------
    checkpoint : str or Path
        Inference checkpoint, or the name of a pretrained network.
    output : str or Path
        File; its folder is created.
    precision : {'float32', 'float64'}
        Precision of the graph and its arguments.
    sun_inside : bool
        Compute sun and calendar in the graph from place and time.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Agreement or None
        Differences between onnxruntime and checkpoint; None if onnxruntime is not installed.

    Raises
    ------
    FileExistsError
        The file exists.
    FileNotFoundError
        The checkpoint does not exist.
    ValueError
        Missing packages, a checkpoint of another task or with a network that cannot be exported, or a graph that
        differs from the checkpoint. Nothing is written then.

    Examples
    --------
    >>> from anemoi_ailand import export_step
    >>> agreement = export_step("ailand", "ailand.onnx")  # doctest: +SKIP
    """
    output = Path(output)
    _check_output(output, overwrite)
    check_folder(output.parent)
    _check_packages()
    dtype = to_dtype(precision)
    step = load_step(checkpoint)
    check_exportable(step)
    host = HostStep(PhysicalStep(step).to(dtype), sun_inside=sun_inside).eval()
    LOG.info("Making the graph of %s in %s; it takes about a minute", step.path, precision)
    model = graph_of(host, dtype)
    description = describe(step, host, precision)
    model.metadata_props[METADATA_KEY] = json.dumps(description)
    output.parent.mkdir(parents=True, exist_ok=True)
    text = output.with_name(f"{output.name}.txt")
    with complete_file(output) as graph, complete_file(text) as about:
        _save(model, graph)
        agreement = _checked(graph, host, dtype)
        about.write_text(readable(description), encoding="utf-8")
        record_sha256(output, coming=graph)  # before: a process killed in between leaves a known graph
    record_sha256(output)
    LOG.info("Written: %s, %.2f MB, and %s", output, output.stat().st_size / 1e6, text.name)
    return agreement


def check_exportable(step: LandStep) -> None:
    """Refuse a network with a part that is not a graph of tensor operations (``exportable = False``), such as trees."""
    refused = sorted({type(m).__name__ for m in step.model.modules() if not getattr(m, "exportable", True)})
    if refused:
        raise ValueError(
            f"The network of {step.path} contains {refused}, which ONNX operators cannot express. "
            "Train another network, e.g. `model.model.network=mlp`, or use the checkpoint from Python."
        )


def graph_of(host: HostStep, dtype: torch.dtype) -> Any:
    """Make the graph of a step for any number of rows, as a model of onnx_ir."""
    from onnx_ir.passes import common
    from onnxscript import optimizer

    arguments = example(host, dtype)
    row = torch.export.Dim("row")
    with _quiet():
        program = torch.onnx.export(
            host,
            tuple(arguments.values()),
            dynamo=True,
            input_names=list(arguments),
            output_names=list(OUTPUTS),
            dynamic_shapes=tuple({0: row} for _ in arguments),
            custom_translation_table=translations(),
            opset_version=OPSET,
            optimize=False,  # in a graph this long its search for patterns takes longer than all the rest
            verify=False,
            verbose=False,
        )
        assert program is not None  # with dynamo there is one
        model = program.model
        optimizer.fold_constants(model)
        for tidy in (
            common.RemoveUnusedNodesPass(),
            common.CommonSubexpressionEliminationPass(),
            common.IdentityEliminationPass(),
            common.RemoveUnusedNodesPass(),
        ):
            tidy(model)
    for node in model.graph:  # source positions of operators, with paths of this machine
        node.metadata_props.clear()
    model.graph.metadata_props.clear()
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress messages of the exporter below errors."""
    loggers = [logging.getLogger(name) for name in ("onnx_ir", "onnxscript", "torch.onnx")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def example(host: HostStep, dtype: torch.dtype) -> dict[str, Tensor]:
    """Return example arguments of a step by name, filled with ones."""
    sizes = {n: len(columns) for n, columns in host.columns.items()}
    return {n: torch.ones(_ROWS, k, dtype=torch.float64 if n == PLACE_TIME else dtype) for n, k in sizes.items()}


def describe(step: LandStep, host: HostStep, precision: str) -> dict[str, Any]:
    """Describe arguments and results of the graph (names, units, times, order), and its origin."""
    packages = ("anemoi-ailand", "anemoi-models", "torch", "onnx", "onnxscript")
    sha256 = checkpoint_checksum(step.path)
    return {
        "schema": SCHEMA,
        "what": "one step of the anemoi-ailand land emulator, in physical units, bounds applied",
        "licence": _licence(sha256),
        "checkpoint": {"file": step.path.name, "sha256": sha256},
        "step_hours": STEP_HOURS,
        "precision": precision,
        "opset": OPSET,
        "sun": "inside" if host.sun else "outside",
        "inputs": {name: [_column(name, n) for n in columns] for name, columns in host.columns.items()},
        "outputs": {name: [_column(name, n) for n in columns] for name, columns in host.results.items()},
        "versions": {p: version(p) for p in packages},
    }


def _column(argument: str, name: str) -> dict[str, Any]:
    if argument == PLACE_TIME:
        end = "start" if name == "day_start" else "end"
        day = f"since 1 January 00 UTC of its own year, whole hours, at the {end} of the step"
        place = "north" if name == "latitude" else "east"
        is_day = name.startswith("day")
        return {"name": name, "units": "days" if is_day else "degrees", "meaning": day if is_day else place}
    row = variable(name)
    return {
        "name": name,
        "units": row.units,
        "meaning": row.long_name,
        "time": row.time.value,
        "bounds": list(row.bounds),
    }


def _licence(sha256: str) -> str:
    for record in map(pretrained_record, pretrained_names()):
        if record["sha256"] == sha256:
            return str(record["licence"])
    return "of the weights: ask who trained them; of everything else in the graph: Apache-2.0"


def readable(description: dict[str, Any]) -> str:
    """Format the description as text with one line per column."""
    checkpoint = description["checkpoint"]
    lines = [
        f"{description['what']}",
        "",
        f"checkpoint  {checkpoint['file']}, SHA-256 {checkpoint['sha256']}",
        f"licence     {description['licence']}",
        f"step        {description['step_hours']} h, from t to t + {description['step_hours']} h",
        f"precision   {description['precision']}; place_time, if asked for, is float64",
        f"opset       {description['opset']}",
        f"sun         {description['sun']}",
        f"versions    {', '.join(f'{k} {v}' for k, v in description['versions'].items())}",
    ]
    for kind in ("inputs", "outputs"):
        for argument, columns in description[kind].items():
            lines += ["", f"{kind[:-1]} {argument} (row, {len(columns)})"]
            for i, c in enumerate(columns):
                note = "; ".join(filter(None, [c["meaning"], c.get("time", "").replace("_", " ")]))
                lines.append(f"  {i:2d}  {c['name']:<15}{c['units']:<14}{note}")
    return "\n".join(lines) + "\n"


def _checked(path: Path, host: HostStep, dtype: torch.dtype) -> Agreement | None:
    if find_spec(_RUNTIME) is None:
        LOG.warning("onnxruntime is not installed, so the graph was not compared with the checkpoint. Install it.")
        return None
    agreement = check_graph(path, host, dtype)
    LOG.info("%s", agreement)
    return agreement


def _save(model: Any, path: Path) -> None:
    import onnx_ir

    onnx_ir.save(model, path)


def _check_output(output: Path, overwrite: bool) -> None:
    existing = [str(p) for p in (output, output.with_name(f"{output.name}.txt")) if p.exists()]
    if existing and not overwrite:
        raise FileExistsError(f"{existing} exist and were not replaced. Give another --output, or --overwrite.")
    if output.suffix != ".onnx":
        raise ValueError(f"The output '{output}' must be an ONNX file. Give a name that ends in '.onnx'.")


def _check_packages() -> None:
    missing = [p for p in _PACKAGES if find_spec(p) is None]
    if missing:
        raise ValueError(
            f"Export needs the packages {list(_PACKAGES)}; {missing} are not installed. "
            "Install them: pip install 'anemoi-ailand[export]'"
        )
