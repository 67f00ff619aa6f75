"""The running image: its slot, its digest, and the image keys that it revokes."""

from device.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.interfaces import Boot
    from device.update.slots import BootState


class RunningImage:
    """The image that the boot ROM started, and the slots. Every method may raise FlashError."""

    def __init__(self, boot: "Boot", boot_state: "BootState") -> None:
        self.boot = boot
        self.boot_state = boot_state
        self._measured: "tuple[int, bytes] | None" = (
            None  # size and digest of the payload in the running slot
        )

    @property
    def free_slot(self) -> int:
        """Return the slot for the next release: the one that is not running."""
        return 1 - self.boot.slot

    @property
    def digest(self) -> bytes:
        """Return the SHA-256 of the running image, as the boot ROM handed it over."""
        return self.boot.image_digest

    def is_payload(self, digest: bytes, size: int) -> bool:
        """Return whether the running image is the payload with this SHA-256 and size in bytes."""
        if not 0 < size <= self.boot_state.slot_limit_bytes:
            return False
        if self._measured is None or self._measured[0] != size:
            # A slow board needs a second for half a megabyte, and the running image does not change.
            self._measured = (size, self.boot_state.digest(self.boot.slot, size))
        return self._measured[1] == digest

    def revoke_keys(self, numbers: "tuple[int, ...]", is_trial: bool) -> None:
        """Make the boot ROM refuse the image keys `numbers`, except the running image's own key.

        Only a confirmed image does this, with no release on trial. Before that both slots may need the old key;
        afterwards the image in the other slot may not start any more.
        """
        boot = self.boot
        if not numbers or is_trial or not self.boot_state.marks(boot.slot).is_confirmed:
            return
        for number in numbers:
            if number < boot.image_key_count and number != boot.image_key:
                self.boot_state.revoke_image_key(number, boot.image_key, boot.image_key_count)
