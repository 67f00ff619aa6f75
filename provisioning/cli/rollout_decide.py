"""`firstboot rollout pause`, `resume` and `end`: what a person decides about a rollout."""

from __future__ import annotations

from provisioning.cli.options import JsonOption, ProductOption, ReasonOption
from provisioning.cli.output import print_result
from provisioning.cli.rollout_access import (
    DEFAULT_ROLLOUTS,
    RolloutsOption,
    StoreOption,
    rows_of,
    store_of,
)
from provisioning.servers.rollout_store import RolloutStore
from provisioning.servers.rollout_view import document_of


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
    kept = RolloutStore(rollouts)
    of_class = store_of(store, product)
    kept.pause(of_class, reason)
    _print(kept, of_class.class_id, is_json)


def resume(
    product: ProductOption,
    store: StoreOption,
    rollouts: RolloutsOption = DEFAULT_ROLLOUTS,
    is_json: JsonOption = False,
) -> None:
    """Continue in the same stage. Failures from before count no longer.

    Example: `firstboot rollout resume --product product.toml --store published`
    """
    kept = RolloutStore(rollouts)
    of_class = store_of(store, product)
    kept.resume(of_class)
    _print(kept, of_class.class_id, is_json)


def end(
    product: ProductOption,
    store: StoreOption,
    rollouts: RolloutsOption = DEFAULT_ROLLOUTS,
    is_json: JsonOption = False,
) -> None:
    """Let every unit install the release now.

    Example: `firstboot rollout end --product product.toml --store published`
    """
    kept = RolloutStore(rollouts)
    of_class = store_of(store, product)
    kept.end(of_class)
    _print(kept, of_class.class_id, is_json)


def _print(kept: RolloutStore, class_id: bytes, is_json: bool) -> None:
    document = document_of(kept.latest(class_id))
    print_result(rows_of(document), document, is_json)
