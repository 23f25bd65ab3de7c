# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Adapters to anemoi-inference 0.13: hooks of the runner, and the origin of a state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anemoi.inference.runner import Runner as _Runner
else:
    _Runner = object  # a mixin: the host is imported by the class that uses it

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

    def _combine_states(self, *states: State) -> State:
        return super()._combine_states(*self.aligned_states(states))

    def _initial_state(self, *states: State) -> State:
        return self.output_state(super()._initial_state(*states), states)


def with_origin(state: State, source: Any, names: Sequence[str]) -> State:
    """Return a state that names the input it comes from, and its variables.

    Private entries: ``_input`` and ``_variables``, by which the runner checks what an input gives against the
    checkpoint. They can go when ``create_input_state`` is called through a method of the host that adds them.
    """
    return {**state, ORIGIN: source, "_variables": {n: source.metadata.typed_variables[n] for n in names}}


def origin(state: State) -> Any:
    """Input that a state comes from; None if it does not say so."""
    return state.get(ORIGIN)
