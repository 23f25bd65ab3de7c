# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Choice between the plain step and the compiled one, which is made once for a checkpoint and kept on disk.

The plain step is the reference: torch calls one operation after the other, in single precision. The compiled step
(:mod:`~anemoi_ailand.rollout.step.fused_step`) is machine code without Python, with products in bfloat16 where the
processor has it. Each is batch-invariant, so that restarts, parts of a grid and members are reproduced bitwise by the
same of the two, and within their tolerance by the other.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from anemoi_ailand.hosts.torch_inductor import Library, compile_library, missing_compiler
from anemoi_ailand.model.precision import in_hardware
from anemoi_ailand.rollout.step.advance import StepLayout
from anemoi_ailand.rollout.step.batch_invariance import ROWS_COMPILED
from anemoi_ailand.rollout.step.checkpoint import (
    LandStep,
    checkpoint_checksum,
    load_step,
    with_model_error,
    with_precipitation,
)
from anemoi_ailand.rollout.step.device_step import DeviceStep, execution_name
from anemoi_ailand.rollout.step.fused_step import (
    TOLERANCE,
    NetworkPart,
    StatePart,
    difference,
    example,
    unsupported,
)
from anemoi_ailand.support.atomic import complete_file
from anemoi_ailand.support.checksum import COMPILED, source_sha256
from anemoi_ailand.support.options import check_execution
from anemoi_ailand.support.packaged import folder

LOG = logging.getLogger(__name__)

#: Point-steps from which compiling pays within a run: the plain step takes about ten minutes for them.
PAYS = 3 * 10**7

#: The compiled step takes at most this number of units of rows, and blocks of so many rows.
_UNITS, _BLOCK = 2**16, 2048

#: Length of the checksum at the end of a library.
_DIGEST_BYTES = 32

#: Digits of the key of a processor that files record.
_KEY_DIGITS = 6

#: Environment variable with the folder that is used instead of the user's cache.
CACHE = "AILAND_CACHE"


def open_step(
    checkpoint: str | Path, device: str | torch.device = "cpu", execution: str = "auto", point_steps: int = 0,
    precipitation: str = "mean", trust: bool | str | None = None, model_error: bool = False,
) -> LandStep:  # fmt: skip
    """Load a checkpoint as :func:`~anemoi_ailand.rollout.step.checkpoint.load_step` does, for many steps.

    Parameters
    ----------
    checkpoint, device, trust
        See :func:`~anemoi_ailand.rollout.step.checkpoint.load_step`, which gives the errors.
    execution : {'auto', 'plain', 'compiled'}
        ``compiled`` makes the compiled step if it is not there, which takes a few minutes once; without a C++
        compiler or for a network of one's own, the plain step is taken, with a warning. ``auto`` makes it only if
        ``point_steps`` exceed :data:`PAYS`, and takes the plain step on an accelerator.
    point_steps : int
        Rows times steps of the work ahead, as far as known.
    precipitation : {'mean', 'hourly', 'random'}
        Rain within the step; see :func:`~anemoi_ailand.rollout.step.checkpoint.with_precipitation`. Compiled steps that
        read hourly rain are files of their own.
    model_error : bool
        Read perturbations of the outputs of the network; see
        :func:`~anemoi_ailand.rollout.step.checkpoint.with_model_error`. As with hourly rain, compiled steps differ.
    """
    check_execution(execution)
    step = with_precipitation(load_step(checkpoint, device, trust), precipitation)
    return choose_execution(with_model_error(step) if model_error else step, execution, point_steps)


def choose_execution(step: LandStep, execution: str, point_steps: int) -> LandStep:
    """Return a loaded step in the execution that :func:`open_step` would take."""
    check_execution(execution)
    if execution == "plain":
        return step
    level = logging.WARNING if execution == "compiled" else logging.DEBUG
    if reason := _impossible(step):
        LOG.log(level, "The step of %s is not compiled, so it runs plain: %s", step.path.name, reason)
        return step
    if step.device.type != "cpu":
        return step if execution == "auto" else replace(step, compiled=DeviceStep(step, hidden_precision("cuda")))
    # the names of the files need a checksum of the code, so look for their folder first
    paths = compiled_paths(step) if cache_folder().is_dir() else ()
    whole = [path for path in paths if _sound(path)]
    if not paths or len(whole) < len(paths):
        if execution == "auto" and point_steps < PAYS:
            LOG.info("The step is plain. It is several times faster after `anemoi-ailand compile %s`", _name(step))
            return step
        if (reason := missing_compiler()) or (reason := _failed(step, whole)):
            LOG.warning("The step of %s is not compiled, so it runs plain: %s", step.path.name, reason)
            return step
    try:
        return replace(step, compiled=CompiledStep(step, *(paths or compiled_paths(step))))
    except OSError as error:
        LOG.warning(
            "The compiled step of %s cannot be opened, so it runs plain (%s). Remove the folder %s to make it again",
            step.path.name, error, cache_folder(),
        )  # fmt: skip
        return step


def make_compiled(step: LandStep, whole: Sequence[Path] | None = None) -> tuple[Path, Path]:
    """Compile the parts of a step that are not in the cache; return their paths.

    ``whole`` are those that were found there and are not read again; by default, the files are looked for.
    """
    hidden, (network, state) = hidden_precision(), compiled_paths(step)
    network.parent.mkdir(parents=True, exist_ok=True)
    start, end, outputs = example(step, 4 * ROWS_COMPILED)
    todo = [
        (network, lambda: NetworkPart(step, hidden), (start, end), True),
        # joined products and sums would double the rounding errors of the physics, and save nothing
        (state, lambda: StatePart(step), (start, end, outputs), False),
    ]
    if whole is None:
        whole = [path for path, *_ in todo if _sound(path)]
    todo = [part for part in todo if part[0] not in whole]
    if todo:
        about = "Compiling the step of %s in %d parts, which takes a few minutes, once for this machine"
        LOG.info(about, _name(step), len(todo))
    with tqdm(todo, desc="Compiling the step, once for this machine", unit="part", disable=None) as bar:
        for path, part, arguments, contract in bar:
            begin = time.monotonic()
            with complete_file(path, path.with_name(f".{path.name}.{os.getpid()}")) as partial:
                compile_library(part(), arguments, partial, rows=ROWS_COMPILED, contract=contract, n_most=_UNITS)
                _seal(partial)
            LOG.info("%s made in %.0f s", path.name, time.monotonic() - begin)
    return network, state


def compiled_paths(step: LandStep) -> tuple[Path, Path]:
    """Return the files of the compiled parts: of the network, and of the state, which all networks share."""
    common = (source_sha256(COMPILED), torch.__version__, platform.machine(), _instructions())
    names = (step.inputs, step.outputs, example(step, 1)[2].shape, step.model.model.closed is not None)
    network = (checkpoint_checksum(step.path), hidden_precision(), *names, *common)
    return _file("network", network), _file("state", (*names, *common))


def hidden_precision(kind: str = "cpu") -> torch.dtype:
    """Return the precision of the products of the compiled step on this kind of device."""
    return torch.bfloat16 if in_hardware(kind) else torch.float32


def processor() -> str:
    """Return the kind of processor and a short key of its instructions, as in the names of compiled steps."""
    return f"{platform.machine()}-{hashlib.sha256(_instructions().encode()).hexdigest()[:_KEY_DIGITS]}"


class CompiledStep:
    """Compiled step; safe to call from several threads.

    The first rows are compared with the plain step.

    Parameters
    ----------
    step : LandStep
        Plain step.
    network, state : Path
        Libraries, see :func:`make_compiled`.

    Raises
    ------
    RuntimeError
        At the first call: the compiled step differs from the plain one.
    """

    def __init__(self, step: LandStep, network: Path, state: Path) -> None:
        threads = os.cpu_count() or 1
        self._plain, self._network, self._state = step, Library(network, threads), Library(state, threads)
        self.precision = hidden_precision()
        self.name = execution_name(self.precision, processor())
        self._lock, self._compared = threading.Lock(), False
        forcing = StepLayout(step.inputs, step.outputs).forcing
        places = [k for k, name in enumerate(step.inputs) if name in forcing]
        self._columns = slice(None), slice(places[0], places[-1] + 1)  # read at the start and at the end

    def __call__(self, start: Tensor, end: Tensor) -> Tensor:
        """Compute the outputs; shapes ``(row, input), (row, input) -> (row, output)``, points innermost."""
        if not self._compared:
            self._compare(start, end)
        if 0 < len(start) <= _BLOCK:
            return self._block(start, end).t()
        out = torch.empty((len(self._plain.outputs), len(start)))
        for begin in range(0, len(start), _BLOCK):
            rows = slice(begin, begin + _BLOCK)
            out[:, rows] = self._block(start[rows], end[rows])
        return out.t()

    def of_units(self, start: Tensor, end: Tensor) -> Tensor:
        """Compute the outputs of a block of whole units with points innermost in memory, without copying the slots."""
        if not self._compared:
            self._compare(start, end)
        slots = start.t(), end.t()
        return self._state(*slots, self._network(*slots)).t()

    def _block(self, *slots: Tensor) -> Tensor:
        """Return the outputs (output, row)."""
        n_rows = len(slots[0])
        whole = [_whole_units(slot, columns) for slot, columns in zip(slots, self._columns, strict=True)]
        return self._state(*whole, self._network(*whole))[:, :n_rows]

    def _compare(self, start: Tensor, end: Tensor) -> None:
        """Compare the first rows of the process with the plain step."""
        with self._lock:
            if self._compared or not len(start):
                return
            start, end = start[:ROWS_COMPILED], end[:ROWS_COMPILED]
            found = difference(self._plain, start, end, self._block(start, end).t())
            if not found <= TOLERANCE[self.precision]:  # also if it is not finite
                raise RuntimeError(
                    f"The compiled step of {self._plain.path.name} differs from the plain one by {found:.2g} of the "
                    f"spread of an output. Remove the folder {cache_folder()}, or set `execution: plain`."
                )
            self._compared = True


def cache_folder() -> Path:
    """Return the folder of the compiled steps: ``$AILAND_CACHE``, or the one of the user's cache."""
    if own := os.environ.get(CACHE):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "anemoi-ailand"


def _whole_units(slot: Tensor, columns: slice) -> Tensor:
    """Return a slot (row, input) as (input, row), the last row repeated to a multiple of the unit.

    Other columns than the given ones, which are not read, hold any value.
    """
    n_rows, more = len(slot), -len(slot) % ROWS_COMPILED
    if not more and slot.t().is_contiguous():
        return slot.t()
    whole = slot.new_empty((slot.shape[1], n_rows + more))
    whole[columns, :n_rows] = slot.t()[columns]
    whole[columns, n_rows:] = slot[-1, columns].unsqueeze(-1)
    return whole


def _seal(path: Path) -> None:
    """Append its SHA-256 to a library, which a loader does not read."""
    with path.open("r+b") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
        file.write(digest)


def _sound(path: Path) -> bool:
    """Return whether a library is there and whole: one that is cut would kill the process when it is opened."""
    if not path.is_file():
        return False
    content = path.read_bytes()
    if hashlib.sha256(content[:-_DIGEST_BYTES]).digest() == content[-_DIGEST_BYTES:]:
        return True
    LOG.warning("The file '%s' of a compiled step is damaged, so it is not used; compiling makes it again", path)
    return False


def _file(part: str, key: tuple[object, ...]) -> Path:
    return cache_folder() / f"{part}-{hashlib.sha256(repr(key).encode()).hexdigest()[:20]}.so"


def _instructions() -> str:
    """Return the instructions that the processor has, which compiled code relies on."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):  # another system
        return platform.processor()


def _name(step: LandStep) -> str:
    """Return the name of a packaged network, or the path."""
    return step.path.stem if step.path.parent == folder("pretrained") else str(step.path)


def _impossible(step: LandStep) -> str | None:
    if step.device.type not in ("cpu", "cuda"):
        return f"it runs on {step.device.type}"
    return unsupported(step)


def _failed(step: LandStep, whole: Sequence[Path]) -> str | None:
    """Compile the parts of a step other than the ``whole`` ones; return None, or why it failed."""
    try:
        make_compiled(step, whole)
    except Exception as error:  # whatever torch and the compiler raise
        LOG.debug("Compiling failed", exc_info=True)
        return f"compiling failed ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''})"
    return None
