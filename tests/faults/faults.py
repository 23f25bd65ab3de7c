# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Catalogue of faults: one wrong thing each, and the class and words of the message that it must give.

``tools/make_reliability.py`` writes it as a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Fault:
    """One wrong thing, given by ``options`` of a command or by a function of this ``name`` in the test of its table.

    ``words`` is a regular expression that the message matches; a case that is fine has none.
    """

    name: str
    expected: Literal["error", "warning", "fine"]
    words: str = ""
    options: tuple[str, ...] = ()


def _misspelt(option: str, nearest: str) -> Fault:
    key = option.lstrip("+").partition("=")[0]

    return Fault(f"misspelt key `{key}`", "error", rf"'{key}' is not an option. Nearest: \['{nearest}'\]", (option,))


_WEIGHTS = "training.scalers.datasets.data.general_variable.weights"
_VALIDATION, _TRAINING = "dataloader.validation.datasets.data", "dataloader.training.datasets.data"

#: Options of `anemoi-training train --config-name ailand`, found before any data are opened.
TRAINING = (
    _misspelt("+land.point=54", "points"),
    _misspelt("+land.state_nois=0.1", "state_noise"),
    _misspelt("+training.max_epoch=2", "max_epochs"),
    _misspelt("+training.max_step=2", "max_steps"),
    _misspelt("+training.optimization.lrr=1.0e-3", "lr"),
    _misspelt("+optimization=fast", "training.optimization"),
    _misspelt("+training.optimization.lr_scheduler.warmup=10", "warmup_t"),
    _misspelt("+training.gradient_clip.value=1.0", "val"),
    _misspelt("+training.method.detachevery=8", "detach_every"),
    _misspelt("+training.scalers.datasets.data.general_variable.weight=2.0", "weights"),
    _misspelt("+dataloader.batchsize=2", "batch_size"),
    _misspelt("+dataloader.batch_size.train=3", "training"),
    _misspelt("+dataloader.num_worker=3", "num_workers"),
    _misspelt(f"+{_TRAINING}.ende=2020", "end"),
    _misspelt("+diagnostics.progressbar=1", "progress_bar"),
    _misspelt("+diagnostics.progress_bar.refresh_rat=3", "refresh_rate"),
    _misspelt("+diagnostics.log.mlflow.enable=true", "enabled"),
    _misspelt("+diagnostics.checkpoint.every_n_epoch=1", "every_n_epochs"),
    _misspelt("+system.outputs=elsewhere", "output"),
    _misspelt("+system.output.checkpoint=elsewhere", "checkpoints"),
    _misspelt("+system.input.datset=d.zarr", "dataset"),
    _misspelt("+system.hardware.num_gpu_per_node=2", "num_gpus_per_node"),
    Fault("unknown key in `data`", "error", "'data.diagnostics' is not an option. Available",
          ("+data.diagnostics=[gpp]",)),
    Fault("option of a callback that it lacks", "error", "diagnostics.callbacks.0.date' is not an option",
          ("+diagnostics.callbacks.0.date=3",)),
    Fault("weight of an unknown variable", "error", r"weight for 'swlv1', .* Nearest: \['swvl1'\]",
          (f"+{_WEIGHTS}.swlv1=2.0",)),
    Fault("weight of an input", "error", "weight for 't', which is an input only", (f"+{_WEIGHTS}.t=2.0",)),
    Fault("unknown variable in a list", "error", r"'swlv1', which is not in the table. Nearest: \['swvl1'\]",
          ("land.prognostic.water=[swlv1,swvl2,swvl3,swvl4]",)),
    Fault("variable in two lists", "error", "'t' is in 'land.forcing.weather' and in 'land.forcing.albedo'",
          ("land.forcing.albedo=[t]",)),
    Fault("unknown variable in a list of the normaliser", "error", "normalizer.config.max' has 'zz'",
          ("data.datasets.data.processors.normalizer.config.max=[zz]",)),
    Fault("validation inside training", "error", "validation .2019-01-01 to 2021-12-31. has dates of the training",
          (f"{_VALIDATION}.start=2019",)),
    Fault("training without an end", "error", r"dates of the training \(2018-01-01 to the last date\)",
          (f"{_TRAINING}.end=null",)),
    Fault("validation shares a day", "error", "has dates of the training", (f"{_VALIDATION}.start=2020-12-31",)),
    Fault("shared dates, asked for", "fine", "", (f"{_VALIDATION}.start=2019", "land.shared_dates=true")),
    Fault("value of the user's own, read by an interpolation", "fine", "",
          ("+my.rate=1.0e-3", "training.optimization.lr=${my.rate}")),
    Fault("group of variables with a name of the user's own", "fine", "", ("+land.prognostic.carbon=[]",)),
    Fault("option of a schema that no packaged file has", "fine", "", ("+training.preferred_blas_backend=cublas",)),
    Fault("further options of a dataset", "fine", "", (f"+{_TRAINING}.dataset_config.skip_missing_dates=true",)),
)  # fmt: skip
