"""A virtual fleet: many units that run the firmware's own modules in virtual time (docs/how-to/fleet.md)."""
