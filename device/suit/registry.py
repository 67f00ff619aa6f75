"""Every number of the SUIT manifest registries, once, with the name that a refusal prints.

Source: draft-ietf-suit-manifest-37 (CDDL of its appendix A; the same numbers since -34). For what the project
refuses by name: draft-ietf-suit-update-management-14, draft-ietf-suit-trust-domains and
draft-ietf-suit-firmware-encryption (parameter 19). Tables are tuples of (number, name): constant tuples stay in
flash on a board; a dict would be built in RAM.
"""

from device.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    Table = tuple[tuple[int, str], ...]

TAG_ENVELOPE = 107
MANIFEST_VERSION = 1
DIGEST_SHA256 = -16

# Envelope (SUIT_Envelope) and manifest (SUIT_Manifest) members; severable ones have one number in both.
AUTHENTICATION_WRAPPER = 2
MANIFEST = 3
ENVELOPE_MEMBERS = (
    (2, "suit-authentication-wrapper"),
    (3, "suit-manifest"),
    (16, "suit-payload-fetch"),
    (20, "suit-install"),
    (23, "suit-text"),
)

# Members of the other drafts, which this project refuses by name: draft-ietf-suit-trust-domains and
# draft-ietf-suit-update-management (coswid).
OTHER_ENVELOPE_MEMBERS = (
    (1, "suit-delegation"),
    (14, "suit-coswid"),
    (15, "suit-dependency-resolution"),
)

MEMBER_VERSION = 1
MEMBER_SEQUENCE_NUMBER = 2
MEMBER_COMMON = 3
MEMBER_REFERENCE_URI = 4
MEMBER_VALIDATE = 7
MEMBER_LOAD = 8
MEMBER_INVOKE = 9
MEMBER_PAYLOAD_FETCH = 16
MEMBER_INSTALL = 20
MEMBER_TEXT = 23
MANIFEST_MEMBERS = (
    (1, "suit-manifest-version"),
    (2, "suit-manifest-sequence-number"),
    (3, "suit-common"),
    (4, "suit-reference-uri"),
    (7, "suit-validate"),
    (8, "suit-load"),
    (9, "suit-invoke"),
    (16, "suit-payload-fetch"),
    (20, "suit-install"),
    (23, "suit-text"),
)
OTHER_MANIFEST_MEMBERS = (
    (5, "suit-manifest-component-id"),
    (14, "suit-coswid"),
    (15, "suit-dependency-resolution"),
    (24, "suit-uninstall"),
)
SEVERABLE_MEMBERS = (16, 20, 23)
SEQUENCE_MEMBERS = (7, 8, 9, 16, 20)

# SUIT_Common.
COMMON_COMPONENTS = 2
COMMON_SHARED_SEQUENCE = 4
OTHER_COMMON_MEMBERS = ((1, "suit-dependencies"),)

# Commands: conditions and directives share one number space.
CONDITION_VENDOR_IDENTIFIER = 1
CONDITION_CLASS_IDENTIFIER = 2
CONDITION_IMAGE_MATCH = 3
CONDITION_USE_BEFORE = 4
CONDITION_COMPONENT_SLOT = 5
CONDITION_CHECK_CONTENT = 6
DIRECTIVE_SET_COMPONENT_INDEX = 12
CONDITION_ABORT = 14
DIRECTIVE_TRY_EACH = 15
DIRECTIVE_WRITE = 18
DIRECTIVE_OVERRIDE_PARAMETERS = 20
DIRECTIVE_FETCH = 21
DIRECTIVE_COPY = 22
DIRECTIVE_INVOKE = 23
CONDITION_DEVICE_IDENTIFIER = 24
CONDITION_UPDATE_AUTHORIZED = 27
DIRECTIVE_SWAP = 31
DIRECTIVE_RUN_SEQUENCE = 32
COMMANDS = (
    (1, "suit-condition-vendor-identifier"),
    (2, "suit-condition-class-identifier"),
    (3, "suit-condition-image-match"),
    (4, "suit-condition-use-before"),
    (5, "suit-condition-component-slot"),
    (6, "suit-condition-check-content"),
    (7, "suit-condition-dependency-integrity"),
    (8, "suit-condition-is-dependency"),
    (11, "suit-directive-process-dependency"),
    (12, "suit-directive-set-component-index"),
    (14, "suit-condition-abort"),
    (15, "suit-directive-try-each"),
    (18, "suit-directive-write"),
    (19, "suit-directive-set-parameters"),
    (20, "suit-directive-override-parameters"),
    (21, "suit-directive-fetch"),
    (22, "suit-directive-copy"),
    (23, "suit-directive-invoke"),
    (24, "suit-condition-device-identifier"),
    (25, "suit-condition-image-not-match"),
    (26, "suit-condition-minimum-battery"),
    (27, "suit-condition-update-authorized"),
    (28, "suit-condition-version"),
    (29, "suit-directive-wait"),
    (31, "suit-directive-swap"),
    (32, "suit-directive-run-sequence"),
    (33, "suit-directive-unlink"),
    (34, "suit-directive-override-multiple"),
    (35, "suit-directive-copy-params"),
)

PARAMETER_VENDOR_IDENTIFIER = 1
PARAMETER_CLASS_IDENTIFIER = 2
PARAMETER_IMAGE_DIGEST = 3
PARAMETER_USE_BEFORE = 4
PARAMETER_COMPONENT_SLOT = 5
PARAMETER_STRICT_ORDER = 12
PARAMETER_SOFT_FAILURE = 13
PARAMETER_IMAGE_SIZE = 14
PARAMETER_CONTENT = 18
PARAMETER_URI = 21
PARAMETER_SOURCE_COMPONENT = 22
PARAMETER_INVOKE_ARGS = 23
PARAMETER_DEVICE_IDENTIFIER = 24
PARAMETER_UPDATE_PRIORITY = 27
PARAMETERS = (
    (1, "suit-parameter-vendor-identifier"),
    (2, "suit-parameter-class-identifier"),
    (3, "suit-parameter-image-digest"),
    (4, "suit-parameter-use-before"),
    (5, "suit-parameter-component-slot"),
    (12, "suit-parameter-strict-order"),
    (13, "suit-parameter-soft-failure"),
    (14, "suit-parameter-image-size"),
    (18, "suit-parameter-content"),
    (19, "suit-parameter-encryption-info"),
    (21, "suit-parameter-uri"),
    (22, "suit-parameter-source-component"),
    (23, "suit-parameter-invoke-args"),
    (24, "suit-parameter-device-identifier"),
    (25, "suit-parameter-fetch-arguments"),
    (26, "suit-parameter-minimum-battery"),
    (27, "suit-parameter-update-priority"),
    (28, "suit-parameter-version"),
    (29, "suit-parameter-wait-info"),
    (30, "suit-parameter-component-metadata"),
)

# SUIT_Text_Keys; below -256 for private use (draft, IANA considerations).
TEXT_UPDATE_DESCRIPTION = 2
TEXT_FIRSTBOOT_VERSION = -257  # version of the firmware as people read it
TEXT_FIRSTBOOT_INTERRUPTS = -258  # what the owner notices while it installs (UP-07)
TEXTS = (
    (1, "suit-text-manifest-description"),
    (2, "suit-text-update-description"),
    (3, "suit-text-manifest-json-source"),
    (4, "suit-text-manifest-yaml-source"),
    (-257, "firstboot-text-version"),
    (-258, "firstboot-text-interrupts"),
)

# SUIT_Text_Component_Keys: texts of one component, under its identifier.
TEXT_COMPONENT_DESCRIPTION = 5
COMPONENT_TEXTS = (
    (1, "suit-text-vendor-name"),
    (2, "suit-text-model-name"),
    (3, "suit-text-vendor-domain"),
    (4, "suit-text-model-info"),
    (TEXT_COMPONENT_DESCRIPTION, "suit-text-component-description"),
    (6, "suit-text-component-version"),
)

# SUIT_Rep_Policy, bits: send record on success 1, on failure 2, system information on success 4, on failure 8.
REPORT_ALL = 15
REPORT_FAILURE = 2


def name_of(table: "Table", number: object, kind: str) -> str:
    """Return the registered name of `number`, or "`kind` NUMBER" if the table does not have it."""
    for known, name in table:
        if known == number:
            return name
    return "{} {}".format(kind, number if isinstance(number, int) else "that is not a number")


def has(table: "Table", number: object) -> bool:
    """Return whether `number` is in the table."""
    for known, _ in table:
        if known == number:
            return True
    return False
