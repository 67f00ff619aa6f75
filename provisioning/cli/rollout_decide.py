"""`firstboot rollout pause`, `resume` and `end`: what a person decides about a rollout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from provisioning.cli.options import JsonOption, ProductOption, ReasonOption
from provisioning.cli.rollout_access import (
    DEFAULT_ROLLOUTS,
    RolloutsOption,
    StoreOption,
    print_rollout,
    store_of,
)
from provisioning.release.store import ReleaseStore
from provisioning.servers.rollout_store import RolloutStore


def pause(
    product: ProductOption,
    store: StoreOption,
    reason: ReasonOption,
    rollouts: RolloutsOption = DEFAULT_ROLLOUTS,
    is_json: JsonOption = False,
) -> None:
    """Let no further unit begin. Units that restarted into the release go on with their trial.

    A unit waits for at most 72 hours of running time, so publish a better release within that time.

    Example: `firstboot rollout pause --product product.toml --store published --reason "the lamp flickers"`
    """
    _decide(lambda kept, of_class: kept.pause(of_class, reason), product, store, rollouts, is_json)


def resume(
    product: ProductOption,
    store: StoreOption,
    rollouts: RolloutsOption = DEFAULT_ROLLOUTS,
    is_json: JsonOption = False,
) -> None:
    """Continue in the same stage. Failures from before count no longer.

    Example: `firstboot rollout resume --product product.toml --store published`
    """
    _decide(RolloutStore.resume, product, store, rollouts, is_json)


def end(
    product: ProductOption,
    store: StoreOption,
    rollouts: RolloutsOption = DEFAULT_ROLLOUTS,
    is_json: JsonOption = False,
) -> None:
    """Let every unit install the release now.

    Example: `firstboot rollout end --product product.toml --store published`
    """
    _decide(RolloutStore.end, product, store, rollouts, is_json)


def _decide(
    step: Callable[[RolloutStore, ReleaseStore], object],
    product: Path,
    store: str,
    rollouts: Path,
    is_json: bool,
) -> None:
    kept, of_class = RolloutStore(rollouts), store_of(store, product)
    step(kept, of_class)
    print_rollout(kept, of_class.class_id, is_json)
