"""Find what a manifest asks of this unit by running it without effects (verify.py, rules 4 to 6).

Call this only for a manifest that authors signed. What this unit does not carry out is refused by name, wherever it
is. Refused on purpose: integrated payloads, payload-fetch, load and invoke sequences, component slots and content
checks, write, swap and invoke, copies other than the delta's, components other than these, and the members and
commands of the other SUIT drafts (suit/registry.py).
"""

from collections import namedtuple

from device.compat import const
from device.errors import (
    ClassMismatchError,
    ConditionError,
    LimitError,
    SuitError,
    UnsupportedError,
    VendorMismatchError,
)
from device.limits import CHUNK_BYTES, CHUNK_LIST_BYTES
from device.suit import commands, registry

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.errors import FirstbootError
    from device.suit.manifest import Manifest
    from device.trust.anchors import Anchors

COMPONENTS = ((b"chunks",), (b"firmware",))
APP_COMPONENTS = COMPONENTS + ((b"app-chunks",), (b"app",))  # with an application set
DELTA_COMPONENTS = (
    (b"delta-chunks",),
    (b"delta",),
)  # after either: a patch from another release to this firmware
FIRMWARE = 1
_SHA256_BYTES = const(32)
_CONDITIONS = (
    commands.MatchVendor,
    commands.MatchClass,
    commands.MatchDevice,
    commands.UseBefore,
    commands.Authorise,
)
_NOT_DONE = {
    commands.Fetch: registry.DIRECTIVE_FETCH,
    commands.MatchSlot: registry.CONDITION_COMPONENT_SLOT,
    commands.MatchContent: registry.CONDITION_CHECK_CONTENT,
    commands.Write: registry.DIRECTIVE_WRITE,
    commands.Copy: registry.DIRECTIVE_COPY,
    commands.Swap: registry.DIRECTIVE_SWAP,
    commands.Invoke: registry.DIRECTIVE_INVOKE,
}

# Facts for conditions, besides the anchors: trusted unix time, the unit's own id (16 bytes),
# `authorise(priority)` -> bool, the owner's consent, and `runs(digest, size)` -> bool, whether the running image is the
# payload with this SHA-256 and size. None if unknown: the condition then fails.
Circumstances = namedtuple("Circumstances", ("now_s", "device_id", "authorise", "runs"))
UNKNOWN = Circumstances(None, None, None, None)

# The content that one component must get: SHA-256 (32 bytes), size in bytes, URI.
Target = namedtuple("Target", ("digest", "size", "uri"))
# The way from another release to the firmware: SHA-256 and size of that release's payload, and Targets of the patch
# and of its chunk list.
Delta = namedtuple("Delta", ("source_digest", "source_size", "chunks", "patch"))


def check_members(content: "Manifest") -> None:
    """Raise for a member that this unit does not carry out (rule 4). A reference URI is for people (draft 8.4.3)."""
    if not content.components:
        raise SuitError(reason="no components")
    if _without_delta(content.components) not in (COMPONENTS, APP_COMPONENTS):
        raise UnsupportedError(what="components")
    for number in sorted(content.sequences):
        if number not in (registry.MEMBER_VALIDATE, registry.MEMBER_INSTALL):
            raise UnsupportedError(what=_member(number))
    for number in sorted(content.severed):
        if number != registry.MEMBER_TEXT:  # text is for people; a unit needs none
            raise UnsupportedError(what="severed " + _member(number))
    if registry.MEMBER_INSTALL not in content.sequences:
        raise SuitError(reason="missing", member="suit-install")


def _without_delta(components: "tuple[tuple[bytes, ...], ...]") -> "tuple[tuple[bytes, ...], ...]":
    """Return the components that every unit installs. A delta is a way to the firmware, not a component."""
    return components[:-2] if components[-2:] == DELTA_COMPONENTS else components


def _member(number: int) -> str:
    return registry.name_of(registry.MANIFEST_MEMBERS, number, "manifest member")


class _Survey:
    """Rules 5 and 6: find what each component must become by running the manifest without effects.

    `count` components must be fetched and matched. A delta adds two, which this run skips: in this run
    the running image counts as `target` at most, never as the release that the patch was made from.
    """

    def __init__(
        self,
        anchors: "Anchors",
        circumstances: Circumstances,
        count: int,
        has_delta: bool,
        target: "Target | None" = None,
    ) -> None:
        self._anchors = anchors
        self._circumstances = circumstances
        self._is_vendor = self._is_class = False
        self._mismatch: "FirstbootError | None" = None
        self._count = count
        self._has_delta = has_delta
        self._target = target
        self._matched = 0
        self.fetched: "list[Target | None]" = []  # None: the chunk list of the running image

    def run(self, shared: "list[Any]", sequence: "list[Any]", is_install: bool) -> None:
        """Answer every effect of the shared sequence and `sequence`. Raises the reason of a failed condition."""
        running = commands.run((shared, sequence), self._count + 2 * self._has_delta)
        answer: "bool | None" = None
        try:
            while True:
                answer = self._answer(running.send(answer), is_install)
        except StopIteration:
            return
        except ConditionError as error:
            section = registry.MEMBER_INSTALL if is_install else registry.MEMBER_VALIDATE
            reason = self._mismatch or error
            for name in ("component", "sequence", "index"):
                reason.fields[name] = error.fields[name]
            reason.fields["section"] = section
            raise reason

    def _answer(self, effect: "Any", is_install: bool) -> bool:
        mismatch = self._circumstance(effect)
        if mismatch is None:
            if isinstance(effect, commands.MatchImage):
                return self._match(effect, is_install)
            elif isinstance(effect, commands.Fetch) and is_install:
                self._fetch(effect)
            elif isinstance(effect, commands.Copy) and is_install and self._copy(effect):
                pass
            elif not isinstance(effect, _CONDITIONS):
                place = "" if is_install else " in suit-validate"
                raise UnsupportedError(what=_effect_name(effect) + place)
        self._mismatch = mismatch or self._mismatch
        return mismatch is None

    def _circumstance(self, effect: "Any") -> "FirstbootError | None":
        """Return why a condition about this unit fails; None if it holds, or for any other effect."""
        around = self._circumstances
        if isinstance(effect, commands.MatchVendor):
            self._is_vendor = effect.identifier == self._anchors.vendor_id
            return None if self._is_vendor else VendorMismatchError(offered=effect.identifier.hex())
        if isinstance(effect, commands.MatchClass):
            self._is_class = effect.identifier == self._anchors.class_id
            return None if self._is_class else ClassMismatchError(offered=effect.identifier.hex())
        if isinstance(effect, commands.MatchDevice):
            is_ours = around.device_id is not None and effect.identifier == around.device_id
            return None if is_ours else ConditionError(command="suit-condition-device-identifier")
        if isinstance(effect, commands.UseBefore):
            # Without trusted time the unit cannot know that it is early enough (update-management 6.1).
            is_before = around.now_s is not None and around.now_s < effect.time_s
            return None if is_before else ConditionError(command="suit-condition-use-before")
        if isinstance(effect, commands.Authorise):
            is_agreed = around.authorise is not None and around.authorise(effect.priority)
            return None if is_agreed else ConditionError(command="suit-condition-update-authorized")
        return None

    def _fetch(self, effect: "Any") -> None:
        if not (self._is_vendor and self._is_class):
            raise SuitError(reason="fetch before the vendor and class conditions")
        if effect.digest is None or effect.size is None:
            raise SuitError(reason="not set", parameter="suit-parameter-image-digest or -size")
        # Chunk list first, each component once, and matched before the next is fetched.
        if effect.component != len(self.fetched) or self._matched != len(self.fetched):
            raise SuitError(reason="order of fetches")
        if effect.component >= self._count:
            raise SuitError(reason="delta without its condition")
        self.fetched.append(Target(effect.digest, effect.size, effect.uri))

    def _copy(self, effect: "Any") -> bool:
        """Return whether a unit carries out this copy; only the delta's run does."""
        return False

    def _match(self, effect: "Any", is_install: bool) -> bool:
        """Match what was fetched, or the running image. suit-validate may ask for what the boot ROM checks at every
        start."""
        if is_install and effect.component == FIRMWARE and not self.fetched:
            return self._match_source(effect) if self._has_delta else self._match_running(effect)
        target = self.fetched[effect.component] if effect.component < len(self.fetched) else None
        if target is None:
            raise SuitError(reason="image match of what was not fetched")
        if effect.digest != target.digest or effect.size != target.size:
            raise SuitError(reason="image match of something else than was fetched")
        if is_install:
            self._matched = max(self._matched, effect.component + 1)
        return True

    def _match_running(self, effect: "Any") -> bool:
        """Return whether this firmware runs; then neither it nor its chunk list is fetched."""
        if not (self._is_vendor and self._is_class):
            raise SuitError(reason="image match before the vendor and class conditions")
        runs = self._circumstances.runs
        if effect.size is None or runs is None or not runs(effect.digest, effect.size):
            return False
        self.fetched = [None, Target(effect.digest, effect.size, object_uri(effect.digest))]
        self._matched = len(self.fetched)
        return True

    def _is_target(self, effect: "Any") -> bool:
        target = self._target
        return target is not None and (effect.digest, effect.size) == (target.digest, target.size)

    def _match_source(self, effect: "Any") -> bool:
        """Return whether the running image matches, in a manifest with a delta."""
        return self._is_target(effect) and self._match_running(effect)

    def targets(self) -> "list[Target | None]":
        """Return what each component must become. Raises SuitError if one is not fetched and matched or none is new."""
        if self._matched != self._count:
            raise SuitError(reason="a component is not fetched and matched")
        pairs = [(self.fetched[at], self.fetched[at + 1]) for at in range(0, self._count, 2)]
        for chunks, payload in pairs:
            if chunks is not None and payload is not None:
                check_sizes(chunks, payload)
        if pairs[-1][0] is None:
            raise SuitError(reason="nothing to fetch")
        return self.fetched


class _DeltaSurvey(_Survey):
    """The run for a delta: the condition on the release that the patch was made from holds.

    Then, in this order: list and patch are fetched and matched, the patch is copied into the firmware (which applies
    it), and the firmware is matched with what it is without a delta.
    """

    def __init__(self, anchors: "Anchors", circumstances: Circumstances, full: "list[Target | None]") -> None:
        super().__init__(anchors, circumstances, len(full), True, full[FIRMWARE])
        self._full = full
        self._source: "Target | None" = None
        self._patch: "list[Target]" = []
        self._matched_patch = 0
        self._is_copied = False

    def _match_source(self, effect: "Any") -> bool:
        if not self._is_copied and self._is_target(effect):
            return False  # the branch of a unit that has this firmware already
        if self._is_copied:
            if not self._is_target(effect):
                raise SuitError(reason="image match of something else than was fetched")
            self.fetched = self._full[: FIRMWARE + 1]
            self._matched = len(self.fetched)
            return True
        if not (self._is_vendor and self._is_class):
            raise SuitError(reason="image match before the vendor and class conditions")
        if effect.size is None or self._source is not None:
            raise SuitError(reason="condition on the source of a delta")
        self._source = Target(effect.digest, effect.size, "")
        return True

    def _match(self, effect: "Any", is_install: bool) -> bool:
        at = effect.component - self._count
        if at < 0:
            return super()._match(effect, is_install)
        if at >= len(self._patch) or (effect.digest, effect.size) != self._patch[at][:2]:
            raise SuitError(reason="image match of something else than was fetched")
        self._matched_patch = max(self._matched_patch, at + 1)
        return True

    def _fetch(self, effect: "Any") -> None:
        at = effect.component - self._count
        if at < 0:
            super()._fetch(effect)
            return
        if effect.digest is None or effect.size is None:
            raise SuitError(reason="not set", parameter="suit-parameter-image-digest or -size")
        if at != len(self._patch) or self._matched_patch != at:
            raise SuitError(reason="order of fetches")
        self._patch.append(Target(effect.digest, effect.size, effect.uri))

    def _copy(self, effect: "Any") -> bool:
        if effect.component != FIRMWARE or effect.source != self._count + 1 or self._is_copied:
            return False
        self._is_copied = self._matched_patch == len(DELTA_COMPONENTS)
        return self._is_copied

    def delta(self) -> Delta:
        """Return the delta. Raises SuitError unless both runs lead to the same firmware."""
        if self._source is None or not self._is_copied or self.targets() != self._full:
            raise SuitError(reason="delta that does not make the firmware")
        check_sizes(self._patch[0], self._patch[1])
        return Delta(self._source.digest, self._source.size, self._patch[0], self._patch[1])


def targets_of(
    content: "Manifest", anchors: "Anchors", circumstances: Circumstances
) -> "tuple[list[Target | None], Delta | None]":
    """Return a Target for each component that every unit installs, and the Delta or None (rules 5 and 6).

    A Target is None for the chunk list of the running firmware. Raises as verify.verify_envelope for these
    rules.
    """
    count = len(_without_delta(content.components))
    install = content.sequences[registry.MEMBER_INSTALL]
    validate = content.sequences.get(registry.MEMBER_VALIDATE)
    delta = None
    survey = _Survey(anchors, circumstances, count, count < len(content.components))
    survey.run(content.shared, install, True)
    if count < len(content.components):
        full = survey.targets()
        other = _DeltaSurvey(anchors, circumstances, full)
        other.run(content.shared, install, True)
        delta = other.delta()
        # Run again with the firmware known: it may be running already.
        survey = _Survey(anchors, circumstances, count, True, full[FIRMWARE])
        survey.run(content.shared, install, True)
    if validate is not None:
        survey.run(content.shared, validate, False)
    return survey.targets(), delta


def _effect_name(effect: "Any") -> str:
    """Return the draft's name of an effect that this unit does not carry out."""
    return commands.name(_NOT_DONE[type(effect)])


def check_sizes(chunks: Target, payload: Target) -> None:
    """Raise LimitError, SuitError or UnsupportedError unless sizes and URIs of a payload and its chunk list agree."""
    if chunks.size > CHUNK_LIST_BYTES:
        raise LimitError(what="chunk list", limit=CHUNK_LIST_BYTES)
    count = (payload.size + CHUNK_BYTES - 1) // CHUNK_BYTES
    if count == 0 or chunks.size != count * _SHA256_BYTES:
        raise SuitError(reason="sizes of payload and chunk list do not agree")
    for target in (chunks, payload):
        if target.uri != object_uri(target.digest):
            raise UnsupportedError(what="URI that is not o/ and the SHA-256")


def object_uri(digest: bytes) -> str:
    """Return the relative URI under which an object with this SHA-256 is published."""
    return "o/" + digest.hex()
