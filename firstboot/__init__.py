"""The one import package of an installed Firstboot (docs/adr/0024-one-import-package.md).

In a wheel, `device`, `provisioning`, `simulator` and `renode` are its subpackages. In the checkout they are packages of
their own beside it, because MicroPython imports `device` under this name.
"""
