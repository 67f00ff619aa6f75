"""The product class of a release, from its manifest. It decides topic and folder."""

from __future__ import annotations

from device.errors import FirstbootError
from device.suit import envelope, manifest, registry
from provisioning.release.release import Release
from provisioning.release.store import PublishError


def class_id_of_release(release: Release) -> bytes:
    """Return the class id in the manifest's conditions. Raises PublishError unless there is exactly one."""
    try:
        shared = manifest.decode(envelope.decode(release.envelope).manifest).shared
    except FirstbootError as error:
        raise PublishError(f"The envelope cannot be read: {error}") from error
    found = {
        argument[registry.PARAMETER_CLASS_IDENTIFIER]
        for command, argument in shared
        if command == registry.DIRECTIVE_OVERRIDE_PARAMETERS
        and isinstance(argument, dict)
        and registry.PARAMETER_CLASS_IDENTIFIER in argument
    }
    if len(found) != 1:
        raise PublishError("The manifest must name exactly one product class.")
    (class_id,) = found
    if not isinstance(class_id, bytes) or len(class_id) != 16:
        raise PublishError("The manifest must name exactly one product class.")
    return class_id
