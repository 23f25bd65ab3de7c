# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Canary: private and internal names of Anemoi and earthkit exist, and are used in ``anemoi_ailand/hosts`` only."""

import ast
import importlib
import inspect
import re
from importlib.metadata import version
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "anemoi_ailand"
HOSTS = ("anemoi", "earthkit")

#: Public methods of named tuples.
NAMED_TUPLE = {"_replace", "_asdict", "_fields", "_make"}

#: Distribution -> names used of it that it does not document, as ``module:name(parameters)``, with the parameters that
#: are passed or received; without them the name has to exist.
PRIVATE: dict[str, tuple[str, ...]] = {
    "anemoi-training": (
        "anemoi.training.train.methods:SingleTraining._step(batch, validation_mode)",
        "anemoi.training.train.methods:SingleTraining._build_metrics_for_dataset"
        "(validation_metrics_configs, scalers, data_indices)",
        "anemoi.training.train.methods:SingleTraining._compute_loss"
        "(y_pred, y, dataset_name, pred_layout, target_layout)",
        "anemoi.training.train.methods:SingleTraining._get_loss_name(self)",
        "anemoi.training.train.methods:SingleTraining.calculate_val_metrics(dataset_name, pred_layout)",
        "anemoi.training.tasks.forecaster:BaseForecaster.advance_input(x, y_pred, batch, rollout_step)",
        "anemoi.training.tasks.forecaster:BaseForecaster.get_output_offsets",
        "anemoi.training.diagnostics.callbacks.checkpoint:AnemoiCheckpoint._save_checkpoint"
        "(trainer, lightning_checkpoint_filepath)",
        "anemoi.training.diagnostics.callbacks.checkpoint:AnemoiCheckpoint._get_inference_checkpoint_filepath(filepath)",
        "anemoi.training.data.datamodule:AnemoiDatasetsDataModule.sync_dataset_state(self)",
    ),
    "anemoi-inference": (
        "anemoi.inference.runner:Runner._combine_states(states)",
        "anemoi.inference.runner:Runner._initial_state(prognostic_state, constants_state, forcings_state)",
        "anemoi.inference.runner:Runner.forecast(lead_time, input_tensors_numpy, input_states)",
        "anemoi.inference.inputs.dataset:DatasetInput(open_dataset_args, use_trajectories)",
        "anemoi.inference.inputs.dataset:DatasetInput.ds",
        "anemoi.inference.inputs.dataset:DatasetInput.ds_dates",
        "anemoi.inference.outputs.none:NoneOutput",
        "anemoi.inference.outputs.printer:PrinterOutput",
        "anemoi.inference.outputs.netcdf:LOCK",
        "anemoi.inference.outputs.netcdf:NetCDFOutput.write_step(state)",
    ),
    "anemoi-models": (
        "anemoi.models.interface:AnemoiModelInterface.predict_step(batch)",
        "anemoi.models.preprocessing.normalizer:InputNormalizer(data_indices, statistics)",
    ),
    "anemoi-datasets": ("anemoi.datasets.usage.analytics:_executor",),
    "earthkit-data": (
        "earthkit.data.core.fieldlist:Field._metadata",
        "earthkit.data.core.fieldlist:Field._values(dtype)",
        "earthkit.data.core.fieldlist:FieldList.cube",
        "earthkit.data.core.metadata:RawMetadata.override",
        "earthkit.data.indexing.fieldlist:ClonedFieldCore(field)",
        "earthkit.data.utils.metadata.dict:UserGeography",
    ),
}

#: Module of a host, mostly undocumented -> public names that the package imports of it outside ``hosts``.
IMPORTED = {
    "anemoi.datasets": ("open_dataset",),
    "anemoi.datasets.create.source": ("Source",),
    "anemoi.inference.checkpoint": ("Checkpoint",),
    "anemoi.inference.config.run": ("RunConfiguration",),
    "anemoi.inference.forcings": ("ComputedForcings", "Forcings"),
    "anemoi.inference.input": ("Input",),
    "anemoi.inference.inputs.dataset": ("DatasetInput",),
    "anemoi.inference.metadata": ("Metadata",),
    "anemoi.inference.output": ("Output",),
    "anemoi.inference.processor": ("Processor",),
    "anemoi.inference.runner": ("Runner", "RunnerClasses"),
    "anemoi.inference.runners": ("create_runner",),
    "anemoi.inference.task": ("Task",),
    "anemoi.inference.tasks.runner": ("RunnerTask",),
    "anemoi.inference.tensors": ("TensorHandler",),
    "anemoi.inference.transport": ("Transport",),
    "anemoi.inference.transports.processes": ("ProcessesTransport",),
    "anemoi.inference.transports.threads": ("ThreadsTransport",),
    "anemoi.inference.types": ("Date", "FloatArray", "IntArray", "State"),
    "anemoi.models.preprocessing.normalizer": ("InputNormalizer",),
    "anemoi.training.data.data_reader": ("create_dataset",),
    "anemoi.training.diagnostics.callbacks.checkpoint": ("AnemoiCheckpoint",),
    "anemoi.training.diagnostics.callbacks.stopping": ("TimeLimit",),
    "anemoi.training.distributed.single": ("SingleDeviceStrategy",),
    "anemoi.training.distributed.strategy": ("DDPGroupStrategy",),
    "anemoi.training.losses.base": ("FunctionalLoss",),
    "anemoi.training.losses.scalers.base_scaler": ("BaseScaler",),
    "anemoi.training.schemas.base_schema": ("BaseSchema",),
    "anemoi.training.tasks.forecaster": ("BaseForecaster", "RolloutConfig"),
    "anemoi.training.train.methods": ("SingleTraining",),
    "anemoi.training.train.step_output": ("TrainingStepOutput",),
    "anemoi.training.utils.enums": ("TensorDim",),
    "anemoi.training.utils.index_space": ("IndexSpace",),
    "anemoi.utils.checkpoints": ("load_metadata",),
    "anemoi.utils.cli": ("Command", "Failed", "cli_main", "make_parser", "register_commands"),
    "anemoi.utils.dates": ("as_timedelta", "frequency_to_string", "frequency_to_timedelta"),
    "anemoi.utils.logs": ("set_logging_name",),
    "earthkit.meteo.solar": ("solar_declination_angle",),
}

#: Text that has to stand in a source file of a host: attributes that instances get, keys of a state, asked names.
MENTIONED = {
    "anemoi.training.data.multidataset": ("self.data_readers =", "self.valid_date_indices ="),
    "anemoi.training.diagnostics.callbacks.checkpoint": ("self._last_checkpoint_saved =",),
    "anemoi.training.data.data_reader": ("self.default_sampling",),
    "anemoi.inference.runner": ('state.get("_input")', 'state.get("_variables")'),
    "anemoi.inference.inputs.dataset": ("self.open_dataset_args =", "self.use_trajectories ="),
    "anemoi.datasets.usage.forwards": ("self.forward =",),
    "anemoi.datasets.usage.gridded.store": ("def chunks(self)",),
    "anemoi.inference.output": ("self.output =",),
    "anemoi.inference.outputs.netcdf": ("with LOCK:",),
    "anemoi.inference.outputs.tee": ("self.outputs =",),
    "anemoi.models.interface": (
        "self.model = ",
        '"batch": batch',
        '"pre_processors": self.pre_processors',
        '"post_processors": self.post_processors',
        '"n_step_input": self.n_step_input',
        "self.model.predict_step(**predict_kwargs",
    ),
    "anemoi.models.preprocessing.normalizer": (
        '"_norm_mul"',
        '"_norm_add"',
        '"_input_idx"',
        '"_output_idx"',
        '"_model_output_idx"',
    ),
    "anemoi.datasets.create.gridded.result": ("._coords_names[",),
    "earthkit.data.core.metadata": ("self._d",),
    "earthkit.data.core.index": ("self._getitem(",),
}


def problem(reference: str) -> str | None:
    """Return what is wrong with a name of a host; None if it is as expected."""
    module, path, parameters = re.fullmatch(r"([^:]+):([^(]+)(?:\((.*)\))?", reference).groups()
    try:
        found = importlib.import_module(module)
        for name in path.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError) as error:
        return f"{reference} is missing ({error})"
    given = inspect.signature(found).parameters if parameters else {}
    lost = [p for p in (parameters or "").split(", ") if p and p not in given]
    return f"{reference} has the parameters {list(given)}, without {lost}" if lost else None


@pytest.mark.parametrize("host", PRIVATE)
def test_private_names_are_as_expected(host: str) -> None:
    """Every name that an adapter uses exists, with its parameters; else adapt ``anemoi_ailand/hosts``."""
    wrong = [text for name in PRIVATE[host] if (text := problem(name))]
    assert not wrong, f"{host} {version(host)} has changed; adapt anemoi_ailand/hosts:\n" + "\n".join(wrong)


def imported_names() -> dict[str, set[str]]:
    """Names that the package imports of its hosts outside ``hosts``, by module."""
    found: dict[str, set[str]] = {}
    for tree in own_modules().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in HOSTS:
                found.setdefault(node.module or "", set()).update(alias.name for alias in node.names)
            elif isinstance(node, ast.Import):
                names = (alias.name for alias in node.names)
                found.update({name: set() for name in names if name.split(".")[0] in HOSTS})
    return found


def test_imported_names_are_listed() -> None:
    """The table of imported names is that of the package, so that a new dependence on a host is a decision."""
    assert imported_names() == {module: set(names) for module, names in IMPORTED.items()}


def test_imported_names_exist() -> None:
    """Every name that the package imports of a host exists; else adapt the module that imports it."""
    wrong = [text for module, names in IMPORTED.items() for n in names if (text := problem(f"{module}:{n}"))]
    assert not wrong, "A host has changed:\n" + "\n".join(wrong)


def test_private_attributes_are_mentioned() -> None:
    """Attributes and keys that only exist at run time still stand in the source of the host."""
    lost = []
    for module, texts in MENTIONED.items():
        source = inspect.getsource(importlib.import_module(module))
        lost += [f"{module}: {text}" for text in texts if text not in source]
    assert not lost, "No longer in the source of the host; adapt anemoi_ailand/hosts:\n" + "\n".join(lost)


def test_canary_finds_changes() -> None:
    """A name that is gone, a module that is gone and another signature are reported."""
    assert "is missing" in str(problem("anemoi.inference.runner:Runner._no_such"))
    assert "is missing" in str(problem("anemoi.inference.no_such_module:Runner"))
    assert "without ['no_such']" in str(problem("anemoi.inference.runner:Runner.forecast(lead_time, no_such)"))


def own_modules() -> dict[str, ast.Module]:
    """Syntax trees of the package without ``hosts``, by dotted name."""
    paths = [p for p in sorted(PACKAGE.rglob("*.py")) if p.parent != PACKAGE / "hosts"]
    names = [".".join(p.relative_to(PACKAGE.parent).with_suffix("").parts) for p in paths]
    return {n: ast.parse(p.read_text(encoding="utf-8")) for n, p in zip(names, paths, strict=True)}


def is_private(name: str) -> bool:
    """Return whether a name begins with one underscore and was not written by Python's ``abc`` or ``typing``."""
    return name.startswith("_") and not name.startswith(("__", "_abc_", "_is_protocol"))


def private_reads(trees: dict[str, ast.Module]) -> list[str]:
    """Private attributes that are read and defined nowhere in the package, and private keys of a state."""
    nodes = [(module, node) for module, tree in trees.items() for node in ast.walk(tree)]
    defined = {n.name for _, n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    defined |= {n.attr for _, n in nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}
    defined |= {n.id for _, n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    found = []
    for module, node in nodes:
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in defined | NAMED_TUPLE:
            found.append(f"{module}:{node.lineno} .{node.attr}")
        elif isinstance(node, ast.Constant) and node.value in ("_input", "_variables"):
            found.append(f"{module}:{node.lineno} {node.value!r}")
    return found


def overridden(cls: type) -> list[str]:
    """Private names of the host's classes that a class of the package defines again."""
    hosts = [b for b in cls.__mro__ if b.__module__.split(".")[0] in HOSTS]
    return [
        f"{cls.__module__}.{cls.__name__}.{name} ({host.__module__})"
        for name in vars(cls)
        for host in hosts
        if is_private(name) and name in vars(host)
    ]


def _imports_host(tree: ast.Module) -> bool:
    names = [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    return any(name.split(".")[0] in HOSTS or name.startswith("anemoi_ailand.hosts") for name in names)


def test_no_private_name_of_a_host_outside_the_adapters() -> None:
    """Private attributes that the package reads are its own, and no private key of a state is named."""
    wrong = private_reads(own_modules())
    assert not wrong, "Move to anemoi_ailand/hosts:\n" + "\n".join(wrong)


def test_no_private_method_of_a_host_is_overridden_outside_the_adapters() -> None:
    """Classes derived from a host's class redefine its public names only."""
    wrong = []
    for name in (n for n, tree in own_modules().items() if _imports_host(tree)):
        module = importlib.import_module(name)
        classes = [c for c in vars(module).values() if inspect.isclass(c) and c.__module__ == name]
        wrong += [text for cls in classes for text in overridden(cls)]
    assert not wrong, "Move to anemoi_ailand/hosts:\n" + "\n".join(wrong)


def test_checks_find_private_names() -> None:
    """A private buffer, a private key and an overridden private method are found."""
    text = 'x = normaliser._norm_mul\ny = {"_input": 1}\nself._own = 1\nz = other._own\n'
    assert private_reads({"m": ast.parse(text)}) == ["m:1 ._norm_mul", "m:2 '_input'"]
    runner = importlib.import_module("anemoi.inference.runner").Runner
    mine = type("Mine", (runner,), {"_combine_states": None, "_own": None})
    (found,) = overridden(mine)
    assert "Mine._combine_states (anemoi.inference" in found
