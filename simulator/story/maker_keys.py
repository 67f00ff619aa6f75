"""The maker's development keys in the story, and the key set that its roots sign."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from firstboot.locations import cache_folder
from provisioning.keys import keyset
from provisioning.keys.key_ring import KeyRing

KEYS: Final = cache_folder() / "keys" / "development"


class MakerKeys:
    """The keys in `folder`, generated on first use. `plan` describes the next key set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ring = KeyRing.generate_development(folder)
        self.plan = keyset.ensure_plan(folder)

    def renew_tracker_key(self, start_s: int) -> None:
        """Let the next key set accept the tracker's key from `start_s` (Unix time) on."""
        self.plan = self.plan.with_tracker_from(start_s)

    def key_set(self, class_id: bytes, now_s: int, plan: keyset.KeySetPlan | None = None) -> bytes:
        """Return the key set of `plan` (None: of `self.plan`), signed at `now_s` by as few roots as suffice."""
        plan = plan or self.plan
        content = keyset.key_set(plan, class_id, self.ring.anchor_keys(), now_s)
        return keyset.sign_key_set(content, keyset.minimal(plan, keyset.root_signers(self.folder)))
