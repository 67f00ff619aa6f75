"""The maker's look and languages of the local pages, as constants. This one is neutral, and English alone.

A build for a product freezes another module under this name (`firstboot firmware build --product`). Frozen modules are
part of the signed image, so no file on the unit can change them. The text of the values was checked by the build
(provisioning/brand): they go out as they are.
"""

STYLE = ""  # CSS after that of style.py: colours and logo
LANDING_STYLE = ""  # CSS after that of landing.py: colours
# The languages besides English: (BCP 47 code, own name, whether it is written from right to left, plural form of each
# number below 200, translations in the order of TEXTS: "" for a missing one, a tuple of forms for a plural).
LANGUAGES: "tuple[tuple[str, str, bool, bytes, tuple[str | tuple[str, ...], ...]], ...]" = ()
TEXTS: "tuple[str, ...]" = ()  # the English texts, sorted
