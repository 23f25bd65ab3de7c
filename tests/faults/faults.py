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

    ``words`` is a regular expression that the message matches; a case that is fine has none. ``code`` is the exit code
    of a command.
    """

    name: str
    expected: Literal["error", "warning", "fine"]
    words: str = ""
    options: tuple[str, ...] = ()
    code: int = 1


def _misspelt(option: str, nearest: str) -> Fault:
    key = option.lstrip("+").partition("=")[0]

    return Fault(f"misspelt key `{key}`", "error", rf"'{key}' is not an option. Nearest: \['{nearest}'\]", (option,))


_WEIGHTS = "training.scalers.datasets.data.general_variable.weights"
_VALIDATION, _TRAINING = "dataloader.validation.datasets.data", "dataloader.training.datasets.data"

#: Options of `anemoi-training train --config-name ailand`, found before any data are opened.
TRAINING = (
    _misspelt("+land.point=54", "points"),
    _misspelt("+land.state_nois=0.1", "state_noise"),
    _misspelt("+land.plausability=warn", "plausibility"),
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
    Fault("variable twice in one list", "error", "'land.forcing.albedo' has the variable 'al' more than once",
          ("land.forcing.albedo=[al,al]",)),
    Fault("a number as the roll-out", "error", "'task.rollout' is 4. Give a mapping with", ("task.rollout=4",)),
    Fault("unknown variable in a list of the normaliser", "error", "normalizer.config.max' has 'zz'",
          ("data.datasets.data.processors.normalizer.config.max=[zz]",)),
    Fault("validation inside training", "error", r"validation \(2019-01-01 to 2021-12-31\) has dates of the training",
          (f"{_VALIDATION}.start=2019",)),
    Fault("training without an end", "error", r"dates of the training \(2018-01-01 to the last date\)",
          (f"{_TRAINING}.end=null",)),
    Fault("validation shares a day", "error", "has dates of the training", (f"{_VALIDATION}.start=2020-12-31",)),
    Fault("validation inside another dataset of the training", "error",
          r"dates of the training \(2021-01-01 to 2021-06-30\)",
          ("land.others=[{dataset: d.zarr, start: 2021-01, end: 2021-06}]",)),
    Fault("an empty period", "error", "The period of the training ends on 2017-12-31, before it begins on 2018-01-01",
          (f"{_TRAINING}.end=2017",)),
    Fault("another dataset with the dates of the validation", "fine", "",
          ("land.others=[{dataset: other.zarr, start: 2021, end: 2021}]",)),
    Fault("shared dates, asked for", "fine", "", (f"{_VALIDATION}.start=2019", "land.shared_dates=true")),
    Fault("value of the user's own, read by an interpolation", "fine", "",
          ("+my.rate=1.0e-3", "training.optimization.lr=${my.rate}")),
    Fault("group of variables with a name of the user's own", "fine", "", ("+land.prognostic.carbon=[]",)),
    Fault("option of a schema that no packaged file has", "fine", "", ("+training.preferred_blas_backend=cublas",)),
    Fault("further options of a dataset", "fine", "", (f"+{_TRAINING}.dataset_config.skip_missing_dates=true",)),
)  # fmt: skip


#: Values that no training can take, found likewise.
VALUES = tuple(
    Fault(f"value `{option}`", "error", words, (option,)) for option, words in (
        ("training.optimization.lr=-1", "lr' is -1. Give a number above 0"),
        ("training.optimization.lr=fast", "lr' is 'fast'. Give a number"),
        ("training.optimization.lr_scheduler.lr_min=-1", "lr_min' is -1. Give a number of at least 0"),
        ("dataloader.batch_size.training=0", "training' is 0. Give a whole number of at least 1"),
        ("dataloader.batch_size.validation=2.5", "validation' is 2.5. Give a whole number"),
        ("dataloader.num_workers.training=-1", "training' is -1. Give a whole number of at least 0"),
        ("training.max_epochs=-3", "max_epochs' is -3. Give a whole number of at least 1"),
        ("training.precision=8", "precision' is 8. "),
        ("training.precision=float32", "precision' is 'float32'. "),
        ("land.execution=fast", "execution' is 'fast'. Available"),
        ("land.plausibility=maybe", "plausibility' is 'maybe'. Available"),
        ("data.datasets.data.processors.normalizer.config.default=mean-sdt", r"is 'mean-sdt'. Nearest: \['mean-std'"),
        ("+data.datasets.data.processors.normalizer.config.mean-sdt=[2t]", "mean-sdt' is not a method. Nearest"),
        ("model.model.activation=silru", r"activation' is 'silru'. Nearest: \['silu'"),
        ("model.model.step=closd", r"step' is 'closd'. Nearest: \['closed'"),
        ("model.model.network=mlpp", "network' is 'mlpp'. "),
        ("model.model.hidden_precision=bfloat", r"hidden_precision' is 'bfloat'. Nearest: \['bfloat16'"),
        ("training.strategy._target_=anemoi_ailand.training.strategy.device_startegy", "cannot be imported"),
        ("land.points=0", "points' is 0. Give a whole number of at least 1"),
        ("land.state_noise=-0.1", "state_noise' is -0.1. Give a number of at least 0"),
        ("land.state_noise=11", "state_noise' is 11. Give a number of at least 0 and at most 10"),
        ("land.static_noise=1.0e3", "static_noise' is 1000.0. Give a number of at least 0 and at most 10"),
        ("data.frequency=7h", "frequency' is '7h', but the land makes steps of 6 h"),
        ("task.timestep=3h", "timestep' is '3h', but the land makes steps of 6 h"),
        (f"{_TRAINING}.start=yesterday", "training.datasets.data.start' is 'yesterday', which is not a date"),
        (f"{_VALIDATION}.end=2021-13-01", "validation.datasets.data.end' is '2021-13-01', which is not a date"),
        (f"{_TRAINING}.end=2020-06-31", "training.datasets.data.end' is '2020-06-31', which is not a date"),
        ("land.jacobian.path=nowhere.nc", "'nowhere.nc', where there is no file"),
        ("land.others=[{dataset: d.zarr, strat: 2019}]", r"others.0.strat' is not an option. Nearest: \['start'\]"),
        ("land.others=[{dataset: o.zarr, start: 2019, end: 2018}]", "'land.others.0' ends on 2018-12-31, before it"),
        ("land.others=[{dataset: o.zarr, start: soon}]", "'land.others.0.start' is 'soon', which is not a date"),
        ("land.time_limit=soon", "time_limit' is 'soon'. Give a duration"),
        ("task.rollout={start: 4, epoch_increment: 1, maximum: 2, steps: null}", "maximum' is 2, less than"),
        ("task.rollout.steps=[1,0,2]", r"steps' is \[1, 0, 2\]. Give the steps of each epoch"),
        ("task.validation_rollout=0", "validation_rollout' is 0"),
        ("model.model.width=0", "width' is 0. Give a whole number"),
        (f"{_WEIGHTS}.sd=-1", "sd' is -1. Give a number of at least 0"),
        ("system.hardware.accelerator=tpuu", "accelerator' is 'tpuu'. "),
        ("land.others=d.zarr", "others' is 'd.zarr'. Give a list of mappings"),
        ("system.input.dataset=5", "dataset' is 5. Give the path of a dataset"),
        ("training.deterministic=maybe", "deterministic' is 'maybe'. Available"),
        ("dataloader.pin_memory=maybe", "pin_memory' is 'maybe'. Available"),
        ("dataloader.limit_batches.training=0", "training' is 0. Give a number above 0"),
        ("diagnostics.log.interval=0", "interval' is 0. Give a whole number of at least 1"),
        ("model.model.width=1e9", "width' is 1000000000.0. Give a whole number of at least 1 and at most"),
        ("training.max_steps=-1", "max_steps' is -1. Give a whole number of at least 1"),
        ("land.base=ailnad", r"base' is 'ailnad', neither a file nor a network of the package. Nearest: \['ailand'"),
        ("land.base=5", "base' is 5, neither a file"),
        ("land.observed.dataset=5", "observed.dataset' is 5. Give the path of a dataset"),
        ("land.observed.variables=swvl1", "observed.variables' is 'swvl1'. Give a list of names"),
        ("land.observed.variables=[swlv1]", r"has 'swlv1', not in the table. Nearest: \['swvl1'"),
        ("land.observed.variables=[slhf,slhf]", r"is \['slhf', 'slhf'\]. Give different names"),
        ("land.tune=all", "tune' is 'all', but there is no network to tune. Give 'land.base'"),
        ("land.tune=head", r"tune' is 'head'. Nearest: \['heads'"),
        ("land.validation_points=heldout", r"validation_points' is 'heldout'. Nearest: \['held-out'"),
    )
)  # fmt: skip


def _run(name: str, words: str, *options: str, code: int = 3) -> Fault:
    return Fault(name, "error", words, options, code)


_OUT = "output.land-netcdf"
_RUNNER = "runner.land-forecaster"

#: Options of `anemoi-ailand run inference/rollout-files`, found before the first step; 2: configuration, 3: input.
RUN = (
    _run("misspelt key of the run", r"'lead_tme' is not an option. Nearest: \['lead_time'\]", "lead_tme=1d", code=2),
    _run("misspelt key of the input", r"The layout 'reference' has no option 'pth'. Nearest: \['path'\]",
         "input.ecland.pth=x", code=2),
    _run("misspelt layout option", r"has no option 'layuot'. Nearest: \['layout'\]",
         "input.ecland.layuot=land", code=2),
    _run("misspelt key of the output", r"has no option 'pth'. Nearest: \['path'\]", f"{_OUT}.pth=x", code=2),
    _run("misspelt key of the runner", r"'threds' is not an option. Nearest: \['threads'\]", f"{_RUNNER}.threds=2",
         code=2),
    _run("misspelt treatment of impossible values", r"'plausability' is not an option. Nearest: \['plausibility'\]",
         f"{_RUNNER}.plausability=off", code=2),
    _run("a number as the path of files", "`input.ecland.path` 5. Give text", "input.ecland.path=5", code=2),
    _run("a number as the path of an output", "`output.land-netcdf.path` 5. Give text", f"{_OUT}.path=5", code=2),
    _run("a number as variables", "`output.land-netcdf.variables` 5. Give text", f"{_OUT}.variables=5", code=2),
    _run("a map of novelty called text", "but the map is NetCDF", f"{_RUNNER}.novelty=map.txt", code=2),
    _run("a start between the steps of the data", "needs forcing at 2021-02-01T09:00:00", "date=2021-02-01T03"),
    _run("misspelt key of the restart", r"'restart.evry' is not an option. Nearest: \['every'\]",
         f"{_RUNNER}.restart.evry=1d", code=2),
    _run("option without a value", "'lead_time' is not of the form key=value", "lead_time", code=2),
    _run("another runner", "has the runner 'default', but the land needs", "runner=default", code=2),
    _run("unknown device", "the `device` gpuu: Expected one of cpu, cuda", "device=gpuu", code=2),
    _run("a GPU that is not there", "the `device` cuda:7, which this machine lacks", "device=cuda:7", code=2),
    _run("month 13", "month must be in 1..12", "date=2021-13-01", code=2),
    _run("a word as a date", "Invalid datetime 'tomorrow'", "date=tomorrow", code=2),
    _run("no length", "not a positive multiple of 6 h", "lead_time=0h", code=2),
    _run("a length between steps", "not a positive multiple of 6 h", "lead_time=5h", code=2),
    _run("a word as a length", "it is not a duration", "lead_time=soon", code=2),
    _run("no threads", "greater than or equal to 1", f"{_RUNNER}.threads=0", code=2),
    _run("unknown treatment of forcing", "Input should be 'error', 'hold' or 'clip'", f"{_RUNNER}.bad_forcing=ignore",
         code=2),
    _run("unknown execution", "Input should be 'auto', 'plain' or 'compiled'", f"{_RUNNER}.execution=fast", code=2),
    _run("ensemble without spread", "all members would be the same", f"{_RUNNER}.ensemble.members=2", code=2),
    _run("a number as a precision", "Input should be a valid string", "precision=16", code=2),
    _run("a configuration that is not there", "There is no configuration 'inference/nowhere'", code=2),
    _run("a date before the data", "needs forcing at 1950-01-01T06:00:00 .4 of 4 stamps are missing",
         "date=1950-01-01"),
    _run("a run beyond the data", r"needs forcing at 2023-01-01T00:00:00", "date=2022-12-30", "lead_time=5d"),
    _run("files that are not there", "No file matches '/nowhere/x.nc'", "input.ecland.path=/nowhere/x.nc"),
    _run("a folder without data", "has no files of data", "input.ecland.path=."),
    _run("unknown layout", "There is no layout 'natve'", "input.ecland.layout=natve"),
    _run("a checkpoint that is not there", "There is no checkpoint 'nothing.ckpt'", "checkpoint=nothing.ckpt"),
    _run("NetCDF called text", r"'forecast.txt' ends with '.txt', but LandNetCDFOutput writes .nc",
         f"{_OUT}.path=forecast.txt"),
    _run("NetCDF called zarr", "ends with '.zarr'", f"{_OUT}.path=forecast.zarr"),
    _run("a folder that cannot be made", "cannot be written to the folder", f"{_OUT}.path=/proc/x/forecast.nc"),
    _run("unknown variable of the output", r"names \['swlv1'\], but the model predicts", f"{_OUT}.variables=[swlv1]"),
    _run("a point that is not there", r"has \[1000\], and the run has 44 points", f"{_OUT}.points.indices=[1000]"),
    _run("unknown period of means", "`means` is 'week'", f"{_OUT}.means=week"),
    _run("unknown level of compression", "`compression` is 33", f"{_OUT}.compression=33"),
    _run("an output between steps", "`output_frequency` is 5h, which is not a multiple of 6:00:00",
         "output_frequency=5h"),
    _run("a file as the folder of restarts", "is '/etc/passwd', a file. Give the path of a folder",
         f"{_RUNNER}.restart.folder=/etc/passwd", f"{_RUNNER}.restart.every=1d"),
    _run("two dates", "cannot be read: .* has no attribute", "date=[2021-02-01,2021-02-02]", code=2),
    _run("unknown pre-processor", "Cannot find 'foo'", "pre_processors=[foo]"),
)  # fmt: skip

#: Arguments of other commands; `{dataset}` is one from March to May 2020.
COMMANDS = (
    _run("unknown command", "There is no command 'evalute'. Nearest", "evalute", code=2),
    _run("unknown option", "There is no option '--datset'", "site", "--datset", "d.zarr", code=2),
    _run("site without a dataset", "There is no dataset 'nowhere.zarr'", "site", "--lat", "50", "--lon", "7",
         "--dataset", "nowhere.zarr", code=1),
    _run("latitude 500", "Latitude 500 of '500N_7E' is not from -90 to 90", "site", "--lat", "500", "--lon", "7",
         "--dataset", "{dataset}", code=1),
    _run("site far from all points", "The nearest of 44 points is more than 100 km away", "site", "--lat", "50",
         "--lon", "7", "--dataset", "{dataset}", code=1),
    _run("re-forecasts without a dataset", "There is no dataset 'nowhere.zarr'", "reforecast", "--dataset",
         "nowhere.zarr", "--starts", "2020-04-01", code=1),
    _run("re-forecasts before the data", "is not covered by", "reforecast", "--dataset", "{dataset}", "--starts",
         "1990-04-01", code=1),
    _run("re-forecasts on an unknown device", "The device 'gpuu' is not available here", "reforecast", "--dataset",
         "{dataset}", "--starts", "2020-04-01", "--device", "gpuu", code=1),
    _run("an empty period of re-forecasts", "No start date lies between 2020-05-01", "reforecast", "--dataset",
         "{dataset}", "--first", "2020-05-01", "--last", "2020-04-01", code=1),
    _run("unknown variable of re-forecasts", r"names \['swlv1'\]", "reforecast", "--dataset", "{dataset}", "--starts",
         "2020-04-01", "--variables", "swlv1", code=1),
    _run("re-forecasts called a table", "ends with '.csv', but `reforecast` writes .nc", "reforecast", "--dataset",
         "{dataset}", "--starts", "2020-04-01", "--output", "r.csv", code=1),
    _run("re-forecasts of no length", "--days 0. Give 1 or more", "reforecast", "--dataset", "{dataset}", "--starts",
         "2020-04-01", "--days", "0", code=1),
    _run("re-forecasts of a point twice", "`points` has 2 indices, but only 1 different", "reforecast", "--dataset",
         "{dataset}", "--starts", "2020-04-01", "--points", "1", "1", code=1),
    _run("a calibration with one member", "`members` is 1. Give at least 2", "calibrate", "--dataset", "{dataset}",
         "--members", "1", "--output", "c.json", code=1),
    _run("a calibration without starts", "`starts` is 0. Give at least 1", "calibrate", "--dataset", "{dataset}",
         "--starts", "0", "--output", "c.json", code=1),
    _run("a calibration without points", "`points` is 0. Give at least 1", "calibrate", "--dataset", "{dataset}",
         "--points", "0", "--output", "c.json", code=1),
    _run("an assimilation of a number", r"give the path of files, not \[5\]", "assimilate", "assimilation/sekf",
         "data=5", "start=2020-04-01", "end=2020-04-02", code=2),
    _run("a window between steps", "the window has 5 h; give a multiple of 6", "assimilate", "assimilation/sekf",
         "window_hours=5", code=2),
    _run("a site with a decimal comma", "invalid float value: '54,2'", "site", "--lat", "54,2", "--lon", "7",
         "--dataset", "{dataset}", code=2),
    _run("a site at a negative distance", "`--within` is -5 km. Give a positive", "site", "--lat", "50", "--lon", "7",
         "--within", "-5", "--dataset", "{dataset}", code=1),
    _run("evaluation without a dataset", "There is no file or dataset 'nowhere.zarr'", "evaluate",
         "dataset=nowhere.zarr", code=1),
    _run("misspelt key of an evaluation", r"'datset' is not an option. Nearest: \['dataset'\]", "evaluate",
         "datset=d.zarr", code=1),
    _run("an empty period of an evaluation", "the period ends on 2020-04-01, before it starts", "evaluate",
         "dataset={dataset}", "protocol_b.start=2020-05-01", "protocol_b.end=2020-04-01", code=1),
    _run("a year that the dataset lacks", "No integration of 90 days fits into 1999", "evaluate", "dataset={dataset}",
         "protocol_a.year=1999", code=1),
    _run("stability without a dataset", "There is no dataset 'nowhere.zarr'", "stability", "--dataset", "nowhere.zarr",
         code=1),
    _run("stability without a whole year", "has no whole year", "stability", "--dataset", "{dataset}", code=1),
    _run("export of nothing", "There is no checkpoint 'x.ckpt'", "export", "--checkpoint", "x.ckpt", "--output",
         "x.onnx", code=1),
    _run("export to an unknown format", "must be an ONNX file", "export", "--output", "x.txt", code=1),
    _run("compiling nothing", "There is no checkpoint 'x.ckpt'", "compile", "x.ckpt", code=1),
    _run("unknown network of the package", "There is no pretrained network 'ailnad'", "pretrained", "ailnad", code=1),
    _run("unknown configuration", r"There is no 'training/ailnad' .* Nearest: \['training/ailand'", "configs",
         "training/ailnad", code=1),
    _run("tower without a file", "There is no tower file 'nowhere.csv'", "tower", "nowhere.csv", code=1),
    _run("a run of an empty period", "The input has no dates: its period is empty", "run", "empty.yaml", code=3),
    _run("a run from a dataset that is not there", "nothing found at path 'nowhere.zarr'", "run", "nowhere.yaml",
         code=3),
    _run("a run after a dataset", r"needs forcing at 2020-06-01T06:00:00", "run", "late.yaml", code=3),
)  # fmt: skip

#: Observations and options of `anemoi-ailand assimilate`, and error statistics of its filters; the test of the table
#: has the input of each by its name.
ASSIMILATION = tuple(
    Fault(name, expected, words) for name, expected, words in (
        ("observed temperature in Celsius", "error", "look like degC: state `units`"),
        ("observed soil water in percent", "error", "look like %: state `units`"),
        ("observed humidity in percent", "error", "'2r'.*look like %: state `units`"),
        ("observed snow depth in cm", "error", "look like cm: state `units`"),
        ("fill values as observations", "error", "All of these are -9999, as a fill value is"),
        ("one impossible observation of many", "warning", "1 of 45 observations of '2t' .*They are left out"),
        ("an unknown unit of observations", "error", "has units 'furlong'; 'K' is expected"),
        ("dates as whole numbers", "error", "are numbers such as 20220601. Give text such as 2022-06-01T06:00"),
        ("dates with the day first", "error", "has a value that is not a time or number"),
        ("an observation without a time", "error", "have 1 rows without a time"),
        ("observations of another year", "error", "None of the 44 observations .*'period': 44.*Check their times"),
        ("most observations after the last window", "warning", "30 of 44 observations cannot be used: 30 period"),
        ("observations between stamps", "error", "'time': 44"),
        ("latitude and longitude exchanged", "error", "outside -90 to 90 degrees .* or swapped"),
        ("observations far from all points", "error", "'place': 44.* times .UTC. and places"),
        ("heights of stations in feet", "warning", "cannot be used: 4[0-9] height. Check their times .UTC., places"),
        ("an observation error of zero", "error", "errors of zero or less, or infinite"),
        ("a negative observation error", "error", "errors of zero or less, or infinite"),
        ("an infinite observation error", "error", "errors of zero or less, or infinite"),
        ("an observation error in percent", "error", "An error of 'swvl1' is 4 m3 m-3, more than half of the possible"),
        ("an error of zero in the options", "error", "'errors.2t': Input should be greater than 0"),
        ("observations without any error", "error", "have no error, neither in their file nor in `errors`"),
        ("observations given twice", "warning", "44 of 88 observations repeat another one .* They are left out"),
        ("dewpoint and humidity at the same place", "warning", "observed at 44 points and stamps, which is one piece"),
        ("observations of an unknown variable", "error", "There is no variable 'swlv1' .*Nearest.*swvl1"),
        ("observations of forcing", "error", "There is no variable 'avg_t' in the variables that can be observed"),
        ("observations that the network has not", "error", r"of \['smlt'\], which the network .* does not make"),
        ("a file of observations without a row", "error", "There is no value in the observations"),
        ("a file of observations with semicolons", "error", r"has no column \['time', .*it has \['time;latitude"),
        ("an ensemble of one member", "error", "'members.number': Input should be greater than or equal to 2"),
        ("an ensemble without spread", "error", "all members would be the same; give `members.initial`"),
        ("a deflating relaxation", "error", "'members.to_spread': Input should be greater than or equal to 0"),
        ("an unknown option of members", "error", r"'members.inflation' is not an option"),
        ("a correlation of layers of one", "error", "'controls.correlation': Input should be less than 1"),
        ("a negative error of the background", "error", "'controls.error.swvl1': Input should be greater than 0"),
        ("snow as a control", "error", "controls are .*'sd'. cannot be one"),
        ("a first window between stamps", "error", "cannot start at 03:00; states exist at 00, 06, 12 and 18 UTC"),
        ("an end between windows", "warning", "Windows of 24 h end at 2022-06-02 00:00:00: the last 12 h until"),
        ("a negative seed", "error", "'seed': Input should be greater than or equal to 0"),
        ("a background of another date", "error", "is of 2022-06-02 00:00:00, the start 2022-06-01 00:00:00"),
        ("a background of fewer points", "error", "has 43 points, the data 44"),
        ("biased observations", "warning", "37 of 40 observations of '2t' are far from the background.*bias"),
        ("no observation within reach of the background", "warning", "None of the 44 observations was used: 40 f"),
        ("a restart with other members", "error", "belongs to another run, which differs in members"),
        ("a restart with observations at other times", "error", "another run, which differs in observations"),
        ("a restart after a damaged window", "warning", "000000.cycle.* damaged"),
        ("a covariance with a negative variance", "error", "has a negative variance or a correlation above one"),
        ("a covariance with a correlation above one", "error", "has a negative variance or a correlation above one"),
        ("a covariance that is not positive definite", "error", "is not positive semidefinite"),
        ("a covariance that is not symmetric", "error", "is not symmetric"),
        ("an error variance of zero", "error", "An error variance of the observations is 0. Give numbers above zero"),
    )
)  # fmt: skip

#: Files, processes and disks; each is provoked by the test that looks up its words.
FILES = (
    Fault("64 flipped bytes in a checkpoint with a record", "error", "is damaged or was exchanged, and is not loaded"),
    Fault(
        "64 flipped bytes in a checkpoint without a record",
        "error",
        "is damaged and is not loaded|is not an inference checkpoint",
    ),
    Fault("64 flipped bytes in a file of weights", "error", "damaged"),
    Fault("an exchanged ONNX graph", "error", "is damaged: its SHA-256 is not the one in"),
    Fault(
        "a checkpoint of unknown checksum",
        "error",
        "Python pickle, which can execute anything.*If you trust its source",
    ),
    Fault("a checkpoint of unknown checksum, trusted", "warning", "loaded on trust: no checksum of it is known"),
    Fault(
        "a checkpoint of another checksum than the one told", "error", "has SHA-256 [0-9a-f]{64}, not .* is not loaded"
    ),
    Fault("a record of another form", "error", "is not 'CHECKSUM  inference-best.ckpt', as `sha256sum"),
    Fault(
        "weights that name a class of another package", "error", "they name the class antigravity.Model, and importing"
    ),
    Fault("weights that name a function", "error", "which is not a module of torch"),
    Fault("a network that has more than tensors and JSON", "error", "which is neither a tensor nor JSON"),
    Fault("weights as the checkpoint of a run", "error", "without the metadata that anemoi-inference needs", code=3),
    Fault(
        "more points a sample than the dataset has", "error", "`land.points` is 100000, but .*has 44 points to train on"
    ),
    Fault(
        "a second run on an output", "error", "f.nc' is in use by process [0-9]+ on .*Wait until it has ended", code=3
    ),
    Fault("a second training in a folder", "error", "is in use by process [0-9]+ on"),
    Fault("a second run on a restart folder", "error", "restarts' is in use by process", code=3),
    Fault(
        "Ctrl-C during a run",
        "error",
        "interrupted: The run was stopped on request after .*Start it again to resume",
        code=130,
    ),
    Fault("SIGKILL during a run", "fine"),
    Fault("SIGKILL while a result is exchanged", "fine"),
    Fault("a file of forcing is changed under a run", "error", "was changed while it was being read"),
    Fault("a file of forcing is removed under a run", "error", "was removed while it was being read"),
    Fault("a name in a restart file that leads elsewhere", "error", "is not the name of a file in"),
    Fault(
        "SIGKILL during `anemoi-datasets create`", "error", "is not complete: `anemoi-datasets create` was interrupted"
    ),
    Fault("a damaged chunk of a dataset", "error", "small.zarr' cannot be read at 2020-.* a chunk of .* is damaged"),
    Fault("a full disk", "error", "No space left to write '.*scores.nc'.*1,000 bytes are free"),
    Fault("a checkpoint that may not be read", "error", "may not be read by this user. Ask its owner"),
    Fault(
        "a result in a folder that may not be written", "error", "cannot be written to the folder .*Give another path"
    ),
    Fault("files of forcing that may not be read", "error", "1 of 3 files are not readable, first .*land_2020.nc"),
    Fault("SIGKILL during re-forecasts", "fine"),
    Fault("SIGKILL while a result of several files is written", "fine"),
    Fault("SIGKILL during an export", "fine"),
    Fault("SIGKILL during the export of a graph", "fine"),
    Fault("SIGKILL during a training", "fine"),
    Fault("SIGKILL between a checkpoint and its record", "fine"),
    Fault("a checkpoint that is newer than its record", "error", "was written after the record of its checksum"),
    Fault("a state that was changed to what is impossible", "error", "'swvl1' .* is -0.001 m3 m-3"),
    Fault("a state in a file that is impossible", "error", "'swvl1' .* is 2 m3 m-3"),
    Fault("a state of fewer rows than places", "error", "The state has 3 points and .* but columns of"),
    Fault("text or complex numbers as forcing", "error", r"\['avg_t'\] has text or complex numbers"),
    Fault("missing values in the first states", "warning", "The run starts at 2021-02-01T06:00, not at the first date"),
    Fault("data without points", "error", "no points"),
    Fault("an export to a folder that may not be written", "error", "cannot be written to the folder '/proc/nowhere'"),
    Fault("an output that is an input of the run", "error", "late.nc' is an input of the run. Give it another path"),
    Fault("two outputs of one name", "error", "The output 'f.nc' is that of two outputs"),
    Fault("an output that is a dataset", "error", "d.zarr' is a dataset, which is not replaced"),
    Fault("an output that another program wrote", "error", "exists, and anemoi-ailand has not written it: it is not r"),
    Fault("an output zarr that another program wrote", "error", "f.zarr' exists, and anemoi-ailand has not written it"),
    Fault("an empty file under the name of an output", "fine"),
    Fault("a damaged file of what waits of an output", "error", "run.npz' is damaged .*Start a new run"),
    Fault("a record of another time in the reference of an evaluation", "error", "'stl4' jumps by 5 K in a step"),
    Fault("a word for true in a coupling", "error", "has `accumulated: 'maybe'`. Give true or false"),
    Fault("a word for a distance in a coupling", "error", "`points: nearest` is 'all'. Give a distance above 0 in km"),
    Fault("a run that fails after its first step", "error", "The times before that are in '.*forecast.nc.partial'"),
    Fault(
        "a map of novelty of an unchecked run", "error", "`novelty` compares inputs, which `plausibility: off`", code=2
    ),
    Fault("a dataset in other units as the input of a run", "error", "'stl1' in 'd.zarr' has units 'degC'; 'K' is"),
    Fault("data against a checkpoint without a record", "error", "has no record of its training data. Leave out"),
    Fault("a network that loses water", "warning", "Water lost .positive. or created in a step.* is 1 kg m-2 at"),
    Fault("a network that creates floods", "error", "Water lost .positive. or created in a step.* is -50 kg m-2 at"),
    Fault("a file system without locks", "warning", "cannot be locked .*do not write it from two programs at once"),
)

#: Calls from Python; each is a function of this name in ``test_python.py``.
PYTHON = (
    Fault(
        "a misspelt further field of a step", "error", r"\['insolatoin'\], unknown to the land. Nearest .*insolation"
    ),
    Fault("a misspelt further field of a start", "error", r"\['lms'\], unknown to the land. Nearest .*'lsm'"),
    Fault("a misspelt attribute of a stepper", "error", r"no attribute 'plausability'. Nearest: \['plausibility'\]"),
    Fault("a field by its name in NetCDF", "fine"),
    Fault("the forcing of the step before", "error", "above that of the sun outside the atmosphere"),
    Fault("points of the forcing in reversed order", "error", "above that of the sun outside the atmosphere"),
    Fault("a start in local time", "warning", "is not at 00, 06, 12 or 18 UTC"),
    Fault("a start with an offset from UTC", "error", "is not of the form 2022-01-31 or"),
    Fault("a number as a date", "error", "20210710, a int, and not a date"),
    Fault("latitudes as longitudes", "error", "They may be exchanged"),
    Fault("a field of text", "error", "has text or complex numbers"),
    Fault("no state", "error", "The state is a NoneType. Give what `initial`"),
    Fault("a list as forcing", "error", "The fields are a list. Give a mapping"),
    Fault("half precision for pressure", "error", "'avg_sp' at .* is missing or infinite at 44 of 44 points"),
    Fault("a point that the data lack", "error", r"The points \[99\] are not all in"),
    Fault("a number as data", "error", "The path is 5. Give the path of files"),
    Fault("text as a number of threads", "error", "`threads` is '2'. Give a whole number of at least 1"),
    Fault("a state over a file of another program", "error", "mine.txt' exists, and anemoi-ailand has not written it"),
    Fault("a state of another network", "error", "belongs to the checkpoint with SHA-256"),
    Fault("times in reversed order", "error", "but the land makes steps of 6 h"),
    Fault("half of the times", "error", "but the land makes steps of 6 h"),
    Fault("times six hours late", "error", "above that of the sun outside the atmosphere"),
    Fault("an unknown unit", "error", "has units 'furlong'; 'K' is expected"),
    Fault("an ensemble without spread", "error", "all members would be the same"),
    Fault("skin temperature of another source in the data", "fine"),
    Fault("a lead time between steps", "error", "have no record at 2021-07-10 07:00"),
    Fault("lead times of text", "error", r"Lead times \['a'\] h are not positive multiples"),
    Fault("a number as points of a dataset", "error", "`points` is 5. Give a mapping"),
    Fault("a site without a place", "error", "No place is given"),
    Fault("observations without a value", "error", "There is no value in the observations"),
    Fault("observations twice", "warning", "1 of 2 observations repeat another one"),
    Fault("a start of re-forecasts given twice", "error", "`starts` has 2 dates, and 2021-07-10.* more than once"),
    Fault("a word as a start of re-forecasts", "error", "`starts` has what is not a date"),
    Fault("years of stability as text", "error", "`years` is 'ten'. Give a whole number"),
    Fault("a negative spin-up", "error", "`spin_up` is -1. Give the most years"),
    Fault("text as a spin-up", "error", "`spin_up` is 'ten'. Give the most years"),
)

#: Options and fields of a coupled land; each is one of this name in ``test_couplings.py``.
COUPLINGS = tuple(
    Fault(name, expected, words) for name, expected, words in (
        ("a coupling as it is", "fine", ""),
        ("a list as forcing of a coupling", "error", r"`forcing` is \['t'\]. Give a mapping"),
        ("a number as the source of a forcing", "error", "`forcing.t` is 5. Give a mapping with some of"),
        ("a forcing without a source", "error", "`forcing.t` is None. Give a mapping with some of"),
        ("a list as feedback", "error", r"`feedback` is \['skt'\]. Give a mapping"),
        ("a number as the variable of a feedback", "error", "`feedback.skt` is 1. Give a mapping with some of"),
        ("a word for true in what is held", "error", "`forcing.lai_lv` has `held: 'no'`. Give true or false"),
        ("a word as the hours of a mean", "error", "`forcing.avg_t` has `hours: 'six'`. Give a number"),
        ("a misspelt mapping of fields", "error", r"There is no configuration 'ifss'.*Nearest: \['ifs'\]"),
        ("a field that the atmosphere lacks", "error", "the atmosphere has no field 'msl'"),
        ("soil temperature as skin temperature", "warning", "`feedback.skt` is 'stl1' .soil temperature, layer 1."),
        ("skin temperature as air temperature", "warning", "`feedback.2t` is 'skt' .skin temperature."),
        ("net radiation as downward radiation", "warning", "`forcing.avg_sdswrf` is taken from 'ssr', which is net"),
        ("snowfall as precipitation", "warning", r"takes \['avg_tprate', 'avg_tsrwe'\] from one field, \['sf'\]"),
        ("one component of wind twice", "warning", r"takes \['avg_u', 'avg_v'\] from one field, \['10v'\]"),
        ("a coupled land called text", "error", "but the file of a coupled land is NetCDF"),
        ("one file for two results of a coupling", "error", "is `output` as well. Give it another path"),
        ("the end of a coupling over its start", "error", "is read by the land. Give it another path"),
        ("a number as the output of a coupling", "error", "`output` is 5. Give the path of a file"),
        ("an index of points that is not one", "error", r"is not a file of numpy .\*.npy. with whole numbers"),
        ("an index of points in another order", "error", "above that of the sun outside the atmosphere"),
        ("an index with one wrong point", "warning", "1 of 44 points of the land are more than 100 km from the point"),
        ("a lapse rate per kilometre", "error", "`points.lapse_rate` is 6.5 K m-1, which no air has"),
        ("a word as a lapse rate", "error", "`points.lapse_rate` is 'dry'. Give a number"),
        ("a lapse rate of the wrong sign", "warning", "`points.lapse_rate` is -0.0065 K m-1: air would be warmer"),
        ("a step without a field", "error", r"lacks the fields \['sp'\]"),
        ("the atmosphere of the step before", "error", "above that of the sun outside the atmosphere"),
        ("points of the atmosphere in another order", "error", "above that of the sun outside the atmosphere"),
        ("air of the step before", "warning", "The warmest hour of the day of 't' in local solar time"),
        ("amounts since the start for those of a step", "error", "above that of the sun outside the atmosphere"),
        ("upward radiation in the sign of the downward one", "error", "Long-wave radiation is the downward flux"),
        ("radiation of the surface for that of the air", "error", "'avg_sdlwrf' .downward long-wave radiation."),
        ("dew point in the place of temperature", "warning", "may be the upward flux|relative humidity"),
        ("an atmosphere that repeats four days", "warning", "are exactly those of 4 days before"),
        ("pressure of the sea level from an atmosphere", "warning", "Elevation and pressure contradict each other"),
        ("no wind from an atmosphere", "warning", "The strongest wind"),
    )
)  # fmt: skip

#: Files of towers; each is one of this name in ``test_towers.py``.
TOWERS = tuple(
    Fault(name, expected, words) for name, expected, words in (
        ("a tower as it is", "fine", ""),
        ("a clock with summer time", "warning", "the clock was moved within the file, as by summer time"),
        ("text in a column of a tower", "warning", "'P_F' of .* has text instead of a number in 3 records"),
        ("records that end when they start", "error", "end 0 minutes after they start, and follow one another by 30"),
        ("a tower's header without records", "error", "has a header and no records"),
        ("a record of a tower given twice", "error", "1 stamps of .* are doubled or go back"),
        ("records of a tower in another order", "error", "1 stamps of .* are doubled or go back"),
        ("a tower in UTC as local time", "warning", "before solar noon|after solar noon|at night"),
        ("a tower's temperature in kelvin", "error", "It would be in K"),
        ("a tower's pressure in hPa", "error", "It would be in hPa"),
        ("a tower's relative humidity as a fraction", "error", "It would be in 1"),
        ("long-wave radiation of a tower as the net", "error", "not a plausible downward long-wave radiation"),
        ("a misspelt quantity of a tower", "error", r"`columns` names 'temprature'. Nearest: \['temperature'\]"),
        ("an unknown unit of a tower", "error", "is in 'furlong'; known units of air temperature are"),
    )
)  # fmt: skip

#: All tables by the heading of each.
TABLES = {
    "Trainings": TRAINING,
    "Values of trainings": VALUES,
    "Runs": RUN,
    "Other commands": COMMANDS,
    "Calls from Python": PYTHON,
    "Couplings": COUPLINGS,
    "Files of towers": TOWERS,
    "Assimilation": ASSIMILATION,
    "Files and processes": FILES,
}


def words(name: str) -> str:
    """Return the words of a fault of :data:`FILES`."""
    (found,) = (fault for fault in FILES if fault.name == name)
    return found.words
