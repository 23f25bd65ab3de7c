# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""The command ``anemoi-ailand export``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from anemoi.utils.cli import Command


class Export(Command):
    """Write a trained network as an ONNX graph for C, C++, Fortran or Python without torch, and check it.

    An output *.safetensors gets the weights instead: for exchange, as no code is executed when they are loaded.
    """

    def add_arguments(self, command_parser: ArgumentParser) -> None:
        """Add the arguments of the command."""
        add = command_parser.add_argument
        add("--checkpoint", default="ailand", help="inference checkpoint, or a pretrained network (default: ailand)")
        add("--output", required=True, help="file to write: *.onnx, with a description (.txt), or *.safetensors")
        add(
            "--precision",
            choices=["float32", "float64"],
            default="float32",
            help="precision of the graph (default: float32)",
        )
        add(
            "--sun",
            choices=["inside", "outside"],
            default="inside",
            help="compute sun and calendar in the graph, from place and time, or take them as inputs (default: inside)",
        )
        add("--overwrite", action="store_true", help="replace an existing file")

    def run(self, args: Namespace) -> None:
        """Export, and print the agreement of the graph with the checkpoint."""
        if args.output.endswith(".safetensors"):
            from anemoi_ailand.export.weights_export import export_weights  # slow to import

            path = export_weights(args.checkpoint, args.output, overwrite=args.overwrite)
            sys.stdout.write(f"{path}: a step is bitwise that of the checkpoint\n")
            return
        from anemoi_ailand.export.onnx_export import export_step  # slow to import

        agreement = export_step(
            args.checkpoint,
            args.output,
            precision=args.precision,
            sun_inside=args.sun == "inside",
            overwrite=args.overwrite,
        )
        result = str(agreement) if agreement else "Not compared with the checkpoint: onnxruntime is not installed"
        sys.stdout.write(f"{args.output}: {result}\n")


command = Export
