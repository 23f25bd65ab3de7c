# (C) Copyright 2026- anemoi-ailand contributors.
# This software is licensed under the terms of the Apache Licence Version 2.0,
# http://www.apache.org/licenses/LICENSE-2.0.
"""Curriculum: steps of a training sample in each epoch."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from anemoi.training.tasks.forecaster import RolloutConfig

LOG = logging.getLogger(__name__)


class ListedRollout(RolloutConfig):
    """Roll-out of each epoch from a list of its steps per sample; the last entry repeats.

    The interface is that of anemoi-training's curriculum, but the roll-out may also stay, jump or shrink. It follows
    from the epoch alone, so that a resumed run has the right one. An empty list, or an entry that is not a positive
    whole number, is a ValueError.
    """

    def __init__(self, steps: Sequence[int]) -> None:
        if not steps or any(isinstance(s, bool) or not isinstance(s, int) or s < 1 for s in steps):
            raise ValueError(
                f"`task.rollout.steps` is {list(steps)}. Give the steps of each epoch, whole numbers of at least 1, "
                "as [1, 1, 2, 4]."
            )
        self.steps = tuple(steps)
        # anemoi-training keeps the loader's processes between epochs only if this is 0
        changing = len(set(self.steps)) > 1
        super().__init__(start=self.steps[0], epoch_increment=int(changing), maximum=max(self.steps))

    def at(self, epoch: int) -> int:
        """Return the steps per sample in ``epoch``."""
        return self.steps[min(epoch, len(self.steps) - 1)]

    def should_increase(self, current_epoch: int) -> bool:
        """Return whether the next epoch has another roll-out, longer or shorter."""
        return self.at(current_epoch + 1) != self.step

    def increase(self, current_epoch: int) -> None:
        """Switch to the roll-out of the next epoch."""
        self.step = self.at(current_epoch + 1)
        LOG.info("Roll-out of epoch %d: %d steps", current_epoch + 1, self.step)


def rollout_at(rollout: RolloutConfig, epoch: int) -> int:
    """Return the steps per sample in an epoch, of this curriculum or of anemoi-training's."""
    if isinstance(rollout, ListedRollout):
        return rollout.at(epoch)
    increases = epoch // rollout.epoch_increment if rollout.epoch_increment else 0
    return min(rollout.start + increases, max(rollout.start, rollout.maximum))


def rollout_of(options: Mapping[str, Any] | None) -> RolloutConfig:
    """Build the curriculum from ``task.rollout``; null counts as not given.

    It has either ``steps``, a list, or ``start``, ``epoch_increment`` and ``maximum`` as in anemoi-training; both forms
    at once, or an unknown option, are a ValueError.
    """
    given = {k: v for k, v in dict(options or {}).items() if v is not None}
    steps = given.pop("steps", None)
    unknown = sorted(set(given) - {"start", "epoch_increment", "maximum"})
    if unknown:
        raise ValueError(
            f"`task.rollout` has no option {unknown}. It has `steps`, or `start`, `epoch_increment` and `maximum`."
        )
    if steps is None:
        return RolloutConfig(**given)
    if given:
        raise ValueError(
            f"`task.rollout` has both `steps` and {sorted(given)}. Give the list alone and set inherited options to "
            f"null, {', '.join(f'task.rollout.{k}=null' for k in sorted(given))}; or set `task.rollout.steps=null`."
        )
    return ListedRollout(list(steps))
