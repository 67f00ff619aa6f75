"""Which product class a release is for: it decides topic and folder, and the manifest says it."""

from __future__ import annotations

from device.errors import FirstbootError
from device.suit import envelope, manifest, registry
from provisioning.release.release import Release
from provisioning.release.store import PublishError


def class_id_of_release(release: Release) -> bytes:
    """The class id that the manifest's conditions name. Raises PublishError unless it is exactly one."""
    try:
        shared = manifest.decode(envelope.decode(release.envelope).manifest).shared
    except FirstbootError as error:
        raise PublishError(f"the envelope cannot be read: {error}") from error
    found = {
        argument[registry.PARAMETER_CLASS_IDENTIFIER]
        for command, argument in shared
        if command == registry.DIRECTIVE_OVERRIDE_PARAMETERS
        and isinstance(argument, dict)
        and registry.PARAMETER_CLASS_IDENTIFIER in argument
    }
    if len(found) != 1:
        raise PublishError("the manifest does not name one product class")
    (class_id,) = found
    if not isinstance(class_id, bytes) or len(class_id) != 16:
        raise PublishError("the manifest does not name one product class")
    return class_id
