"""The maker's look of the local pages, as constants. This one is neutral.

A build for a product freezes another module under this name (`firstboot firmware build --product`). Frozen modules are
part of the signed image, so no file on the unit can change them. The text of the values was checked by the build
(provisioning/brand): they go out as they are.
"""

STYLE = ""  # CSS after that of style.py: colours and logo
LANDING_STYLE = ""  # CSS after that of landing.py: colours
