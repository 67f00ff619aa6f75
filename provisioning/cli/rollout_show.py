"""`firstboot rollout show`: where a rollout is, and what the units report."""

from __future__ import annotations

from provisioning.cli.options import JsonOption, ProductOption
from provisioning.cli.rollout_access import DEFAULT_ROLLOUTS, RolloutsOption, print_rollout
from provisioning.product.product import load_product
from provisioning.servers.rollout_store import RolloutStore


def show(
    product: ProductOption, rollouts: RolloutsOption = DEFAULT_ROLLOUTS, is_json: JsonOption = False
) -> None:
    """Print the last rollout of a product: stage, units, failures by error, and each change.

    The numbers are those of the last step of `firstboot rollout run`.

    Example: `firstboot rollout show --product product.toml`
    """
    print_rollout(RolloutStore(rollouts), load_product(product).class_id, is_json)
