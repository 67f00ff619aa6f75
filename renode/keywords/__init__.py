"""Robot keywords in the words of the domain."""
