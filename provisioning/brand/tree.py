"""A source tree with a maker's brand: what the firmware's build reads in place of the installation's own."""

from __future__ import annotations

import tempfile
from pathlib import Path

from firstboot.device_code import merged
from provisioning.brand.folder import MODULE, brand_of


def branded(root: Path, product: Path | None) -> Path:
    """Return `root`, or the tree in the cache with the brand beside the product definition. Raises BrandError."""
    brand = brand_of(product)
    if brand is None:
        return root
    with tempfile.TemporaryDirectory(prefix="firstboot-brand-") as work:
        module = Path(work) / MODULE
        module.parent.mkdir(parents=True)
        module.write_text(brand.module_text(), encoding="utf-8")
        return merged(root, Path(work))
