# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Adapter to torch 2.10: compile a module ahead of time to a shared library, and call it from several threads.

Torch's own loader keeps Python's lock during a call, so that threads would wait for each other; and its public function
needs seconds of imports. The C functions of the library are those of torch's ``aoti_runtime/interface.h``, made for
programs in C. This can go when ``torch._inductor.aoti_load_package`` releases the lock.
"""

from __future__ import annotations

import ctypes
import logging
import os
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

#: From and to the capsules in which torch passes addresses of tensors.
_address = ctypes.pythonapi.PyCapsule_GetPointer
_address.restype, _address.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
_capsule = ctypes.pythonapi.PyCapsule_New
_capsule.restype, _capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]

#: Fusing stops at this number of nodes; the default divides the physics of a step into many loops.
_FUSION = 100_000


def compile_library(
    module: nn.Module, arguments: Sequence[Tensor], path: Path, *, rows: int, contract: bool, n_most: int
) -> None:
    """Compile a module, whose arguments and result have shape (..., row), to a shared library.

    The library takes any multiple of ``rows`` up to ``n_most`` of them, on one thread. ``contract`` lets the compiler
    join products and sums, with one rounding instead of two.

    Raises
    ------
    Exception
        Whatever torch or the C++ compiler raise.
    """
    from torch._inductor import aoti_compile_and_package, config  # seconds of imports

    size = rows * torch.export.Dim("units", min=1, max=n_most)
    options = {
        "freezing": True,
        "max_fusion_size": _FUSION,
        "cpp.threads": 1,
        "cpp.enable_floating_point_contract_flag": "fast" if contract else "off",
    }
    quiet = logging.getLogger("torch.utils.cpp_extension")  # reports that there is no CUDA
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as folder, torch.no_grad(), config.patch(options):
            shapes = tuple({value.dim() - 1: size} for value in arguments)
            program = torch.export.export(module.eval(), tuple(arguments), dynamic_shapes=shapes)
            package = aoti_compile_and_package(program, package_path=str(Path(folder) / "part.pt2"))
            with zipfile.ZipFile(package) as archive:
                (name,) = (n for n in archive.namelist() if n.endswith(".so"))
                with archive.open(name) as source, path.open("wb") as target:
                    shutil.copyfileobj(source, target)
    finally:
        torch.set_num_threads(threads)
        quiet.setLevel(level)


def missing_compiler() -> str | None:
    """Return what to do if there is no C++ compiler, which all compiling on a CPU needs; None if there is one."""
    compiler = os.environ.get("CXX") or "g++"
    return None if shutil.which(compiler) else f"there is no C++ compiler '{compiler}'; install one, or set $CXX"


class Library:
    """Shared library of a compiled module with one result; up to ``threads`` calls run at once.

    Raises
    ------
    OSError
        The file is not a library for this processor and this torch.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._library = ctypes.CDLL(str(path))
        self._handle = ctypes.c_void_p()
        create = self._library.AOTInductorModelContainerCreateWithDevice
        create.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_char_p]
        if create(ctypes.byref(self._handle), threads, b"cpu", None):
            raise OSError(f"torch cannot open the compiled step {path}")
        self._run = self._library.AOTInductorModelContainerRun
        pointer, size = ctypes.c_void_p, ctypes.c_size_t
        self._run.argtypes = [pointer, pointer, size, pointer, size, pointer, pointer]

    def __call__(self, *arguments: Tensor) -> Tensor:
        """Call the module with contiguous tensors of the shapes and types that it was compiled for."""
        handles = torch._C._aoti.unsafe_alloc_void_ptrs_from_tensors(list(arguments))
        inputs = (ctypes.c_void_p * len(arguments))(*(_address(handle, None) for handle in handles))
        outputs = (ctypes.c_void_p * 1)()
        if self._run(self._handle, inputs, len(arguments), outputs, 1, None, None):
            raise RuntimeError("The compiled step failed; torch has written the reason to the standard error")
        # the function for one tensor does not free what it steals
        return torch._C._aoti.alloc_tensors_by_stealing_from_void_ptrs([_capsule(outputs[0], None, None)])[0]
