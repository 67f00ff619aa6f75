"""The example definition, with an invented maker whose names are not placeholders."""

from provisioning.product.example import EXAMPLE

BASE_URL = "https://tallowgate-lighting.co.uk/"
REAL = (
    EXAMPLE.replace("Example Brand", "Tallowgate")
    .replace("Example Devices Ltd", "Tallowgate Lighting Ltd")
    .replace(
        "1 Example Street, Exampletown EX1 1EX, United Kingdom",
        "14 Wharf Lane, Leeds LS9 8QX, United Kingdom",
    )
    .replace("Erika Example", "Moira Tallow")
    .replace("Exampletown", "Leeds")
    .replace("example.com", "tallowgate-lighting.co.uk")
)
