"""The owner of the device as an HTTPS client that pins the fingerprint on the label and keeps a session."""

from __future__ import annotations

from provisioning.onboarding.client import DeviceClient, FingerprintError, Reply

__all__ = ["FingerprintError", "Owner", "Reply"]


class Owner(DeviceClient):
    """Uses the pages of one device as its owner does. `last_status` is the HTTP status of the last answer."""

    last_status = 0

    def request(
        self, method: str, path: str, form: dict[str, str] | None = None, *, accept: str = ""
    ) -> Reply:
        """As DeviceClient.request."""
        reply = super().request(method, path, form, accept=accept)
        self.last_status = reply.status
        return reply

    def set_up(self, code: str, password: str) -> Reply:
        """Send the set-up form as a browser without JavaScript does."""
        return self.request("POST", "/setup", {"code": code, "password": password})
