# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Start of a run from its configuration, with failures classified for operational chains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from anemoi.inference.runners import create_runner

from anemoi_ailand.rollout.run.configuration import options_of_runner, read_run
from anemoi_ailand.rollout.run.options import run_options
from anemoi_ailand.rollout.run.signals import Stopped

#: Phase in which a run failed.
Phase = Literal["configuration", "input", "failed", "stopped"]


class Failure(RuntimeError):
    """Failure of a run, by phase.

    ``what`` is ``configuration`` (invalid), ``input`` (missing or unsuitable, before the first step), ``failed`` (after
    the first step was begun) or ``stopped`` (on request).
    """

    def __init__(self, what: Phase, error: BaseException) -> None:
        super().__init__(str(error) or repr(error))
        self.what: Phase = what


def launch(path: str, overrides: Sequence[str] = (), *, dry_run: bool = False) -> None:
    """Read and check a configuration (:func:`read_run`), then run it; errors become a :class:`Failure`."""
    try:
        config = read_run(path, overrides, dry_run=dry_run)
        run_options(options_of_runner(config))
    except (ValueError, OSError) as error:
        raise Failure("configuration", error) from error
    try:
        runner = create_runner(config)
    except TypeError as error:  # unknown option of an input or output
        raise Failure("configuration", error) from error
    except (ValueError, OSError) as error:
        raise Failure("input", error) from error
    try:
        runner.execute()
    except Stopped as error:
        raise Failure("stopped", error) from error
    except (ValueError, OSError) as error:
        raise Failure("failed" if getattr(runner, "under_way", False) else "input", error) from error
