"""Recipes that `firstboot serve recipe` prints."""
