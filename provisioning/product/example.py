"""The product definition that `firstboot station init` writes: fictitious, complete, to be edited."""

EXAMPLE = """\
# What one batch is made of. `firstboot station provision` checks every line before it touches a unit.

[product]
model = "FB-1"
brand = "Example Brand"
type = "connected lamp"
board = "mps2_an385"
vendor_id = "fa6b4a53-d5ad-5fdf-be9d-e663e4d41ffe"
class_id = "1492af14-2569-5e48-bf42-9b2d51f2ab45"

[manufacturer]                        # several: write it in double brackets, once for each
name = "Example Devices Ltd"
address = "1 Example Street, Exampletown EX1 1EX, United Kingdom"

# [[representatives]]                 # authorised representatives, if there are any
# name = "..."
# address = "..."

[batch]
number = "2026-001"
serial_prefix = "FB1-"
# first_number = 1                    # the batch's range of serial numbers; left out: the prefix counts on
# last_number = 500

[support]
period = "P5Y"                        # ISO 8601 duration, together with
start_date = 2026-12-01               # its first day
end_date = 2031-12-31                 # the last day of security updates, this day included
notice_days = 180                     # how long before the end the device warns its owner
sequence = 1

[contact]
report = "mailto:security@example.com"
acknowledgement = "within 3 working days"
status_updates = "every 14 days until resolved"
policy = "https://example.com/security/policy"

[statement]
signatory_name = "Erika Example"
signatory_function = "Managing director"
place = "Exampletown"
# routes = { passwords = "schedule-1", reporting = "schedule-1", support_period = "schedule-1" }
# [statement.labels.passwords]        # with route "label": JC-STAR STAR-1 or CLS(IoT) 1 to 4, until it expires
# scheme = "JC-STAR"
# level = "STAR-1"
# number = "..."
# expires = 2027-06-30

[scope]                               # the recorded decision that the Act applies (ss. 4-6, Schedule 3)
connectable = "internet"
exceptions = "none of Schedule 3 applies: a mains lamp for homes"
markets = ["GB", "NI"]
decided_by = "Erika Example"
decided_on = 2026-11-02

[[components]]                        # every part of the product that Schedule 1 covers
name = "FB-1 hardware"
kind = "hardware"                     # hardware, pre-installed, must-install, associated
updates = false

[[components]]
name = "FB-1 firmware"
kind = "pre-installed"
updates = true                        # support_end = DATE if it differs from the product's

[[components]]
name = "Update service"
kind = "associated"
updates = true

[publication]                         # further texts of the site; may change within a batch
summary = "A lamp for your home that you set up from your phone."
main_characteristics = ["800 lumen, warm to cool white", "Fits E27 sockets", "Works without an account"]
# report_form = "https://example.com/security/report/"   # the form of `firstboot report serve`, if you run it

[update]
check_interval_s = 3600

[[servers]]
transport = "mqtt"
host = "10.0.2.2"
port = 8883
tls_name = "localhost"

[[servers]]
transport = "coap"
host = "10.0.2.2"
port = 5683

[label]
setup_address = "https://{name}.local/setup"
# template = "label.toml"             # the label's layout; left out: 105 by 59 mm at 300 dpi

# [wifi]                              # only for a board with a radio: the label shows name and passphrase of the unit's
# access_point = true                 # access point, over which the owner chooses the Wi-Fi network

# [keys]                              # only for a board that cannot generate keys: the station does
# injected = true

# [firmware]                          # the only image that units of this batch may run; the statement names it too
# image_sha256 = "..."
"""
