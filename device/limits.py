"""The bounds that parts of the device share, each with its unit and its reason."""

# CBOR (deterministic, RFC 8949 4.2)
CBOR_DEPTH = 12  # SUIT needs 8 levels; a level takes some 100 bytes of heap and no stack
CBOR_ITEMS = (
    512  # entries of all arrays and maps in one message, keys and values counted: at most 75 KiB of heap
)
UNVERIFIED_ITEMS = (
    128  # the same before a signature was verified (envelope, COSE message): at most 19 KiB of heap
)
ENVELOPE_BYTES = 8192  # a manifest with an HSS signature (W4, two levels) stays below 6 KiB
RECORD_BYTES = 4096  # one signed record: one MQTT message, one littlefs block
STATEMENT_BYTES = 16384  # a statement of compliance with all seven items and several manufacturers
REPORT_BYTES = 512

# Transfer
CHUNK_BYTES = 4096  # one flash sector: a wrong chunk costs one erase
CHUNK_LIST_BYTES = 32768  # 1024 digests, so payloads up to 4 MiB
CHUNK_WINDOW = 8  # retained chunks requested at once, if there is room: 32 KiB of RAM
CHUNK_WINDOW_LEAST = 2  # always there: their buffers are allocated with the source
DELTA_PIECE_BYTES = 512  # of the target, made at once: whole flash units; with the window below 8 KiB in all
DELTA_EMPTY_ROUNDS = 64  # rounds of a patch that make nothing: bsdiff sometimes writes one
HEATSHRINK_WINDOW_BITS = 11  # 2 KiB of RAM
HEATSHRINK_LOOKAHEAD_BITS = 9  # longest reference 512 bytes: runs of unchanged bytes cost little
NONCE_BYTES = 16
NONCE_LIFE_S = 60
SIGNATURES_TRIED = 4
ANCHOR_KEYS = 16  # a key of each role, the next one of each role, and room for one migration
KEY_ID_BYTES = 32  # a SHA-256; ours are 8
TRACKER_KEY_DAYS = 400  # longest life of a key that stays online: a thief moves time no further than its end
KEYSET_BYTES = 8192  # a key set with two HSS signatures (W4, one level) or eight of P-256
KEYSET_SIGNATURES = 8  # old and new roots, each up to SIGNATURES_TRIED
IMAGE_KEYS = 3  # key hashes in the boot ROM (docs/design.md, Boot)
# A record or manifest is at most this much newer than the one before: a stolen key that signs a huge number cannot make
# every later number too small.
SEQUENCE_JUMP = 1_000_000
KEYSET_REVOKED = 64  # key ids that never come back

# SUIT command sequences: the most that one manifest may ask
SUIT_COMPONENTS = 16
SUIT_NESTING = 4  # sequences inside sequences
SUIT_STEPS = 512  # commands carried out in all

# CoAP and OSCORE
COAP_BLOCK_BYTES = 1024
COAP_MESSAGE_BYTES = 1280  # IPv6 minimum MTU
COAP_OPTIONS = 32  # in one message
OSCORE_SEQUENCE_STEP = 1024  # sender sequence numbers reserved by one durable write (RFC 8613 B.1.1)

# MQTT
MQTT_PACKET_BYTES = 40960  # a chunk list of 32 KiB with its topic
MQTT_KEEP_ALIVE_S = 60
MQTT_OPEN_REQUESTS = 32  # requests without an answer: a window of subscriptions and their ends
MQTT_STRAY_MESSAGES = 64  # in a row, of topics not subscribed to: leftovers of a window are at most 8

# Freshness (UP-13)
STALE_AFTER_S = (
    72 * 3600
)  # powered-on time without a valid freshness record until the unit reports that it is stale
STALE_STEP_S = 1800  # charged in advance by one write: bounds the writes to 48 a day, and what a restart adds
STALE_GRACE_S = 60  # after a start; a unit that reaches its server at once writes nothing
STALE_TICK_S = 60
WITHHELD_S = (
    72 * 3600
)  # powered-on time behind the tracker's newest numbers until the unit reports that they are withheld

# Rollouts (device/update/rollout.py); WITHHELD_S also bounds how long a rollout holds a release back
ROLLOUT_KEY_BYTES = 16
ROLLOUT_SHARES = 10_000  # a share of the fleet is a number of these parts

# Multicast DNS (device/net/mdns.py)
MDNS_GROUP = "224.0.0.251"
MDNS_PORT = 5353
MDNS_PACKET_BYTES = 1500  # an Ethernet frame; what others ask fits
MDNS_ITEMS = 64  # questions and records in one packet
MDNS_PAUSE_MS = 20  # after each packet: a flood costs at most 50 a second, the network stack drops the rest
MDNS_ADDRESS_MS = 5000  # the unit looks this often whether its address changed

# Waiting on peers
REST_SLICE_S = 86400  # longest single wait: MicroPython's asyncio bears less than 2**29 ms
LINK_RETRY_S = 5  # when no source could be reached; doubles up to the check interval
CONNECT_TIMEOUT_S = 15
REPLY_TIMEOUT_S = 10  # without progress; bytes of an answer that arrives are progress
REPLY_BYTES_S = 16  # a slower answer counts as no progress, so that no peer holds up a check for hours
TRIAL_WINDOW_S = 120  # a trial image that has not confirmed by then resets itself
FAILED_RELEASES = 16  # verdicts that are remembered
RENEWED_OFFERS = 2  # other envelopes that may lift a verdict on a stored copy
TRIAL_CHECK_INTERVAL_S = 1  # a trial image asks often: it has to reach its server inside the window
RETRY_PAUSE_CAP_S = 86400  # longest pause before a release is tried again
RETRY_PAUSE_S = 60  # before a release that only missed its server is tried again; doubles each time

# Local pages
HTTP_BODY_BYTES = 2048
HTTP_LINE_BYTES = 1024
HTTP_HEADERS = 40
HTTP_HEAD_BYTES = 8192  # request line and headers together
HTTP_READ_TIMEOUT_S = 10  # microdot sets none; ours bounds the whole request
HTTP_WRITE_TIMEOUT_S = 20  # 20 KiB over the slowest link we know
HTTP_SILENCE_S = 5  # until the first byte of a connection; a browser sends it at once
HTTP_CLIENTS = 4
HTTP_CLIENTS_PER_PEER = 3  # a page, its style and its script; the last place is kept for another host
HTTP_REMEMBERED_PEERS = 64  # addresses whose connections brought no request; some 4 kB at most
SESSION_LIFE_S = 1800
SESSIONS = 4

# Owner's password (PW-15)
PASSWORD_MIN_CHARS = 15
PASSWORD_MAX_CHARS = 64
PASSWORD_MAX_BYTES = 256
PBKDF2_MIN_ITERATIONS = 1000  # NIST SP 800-132 5.2; a board sets as many as it can afford
PBKDF2_MAX_ITERATIONS = 10_000_000  # a damaged record must not keep the unit busy for hours
THROTTLE_FREE = 5  # wrong guesses without a delay: typing errors of the owner
THROTTLE_CAP_S = 300  # longest delay: slows a guesser, does not lock the owner out (PW-14)
SETUP_CODE_CHARS = 21  # 20 random characters of 5 bits, one check character (device/owner/setup_code.py)

PRESS_LIFE_S = 120  # after a press of the button set-up is open this long: time to type 21 characters
BUTTON_POLL_MS = 50  # shorter than any press of a finger

# The owner's settings (UP-06)
POSTPONE_DAYS = 30  # at most: a security update that waits longer is in effect switched off

# Wi-Fi (device/agent/wifi.py)
WIFI_NETWORKS = 16  # in range, shown to the owner: the strongest
WIFI_JOIN_S = 25  # without an address by then a join has failed; a slow router needs some 15
WIFI_SURE_S = 3  # a radio must say a cause for this long: most drivers try again by themselves
WIFI_PAUSE_S = 5  # before a lost network is tried again; doubles each time
WIFI_PAUSE_CAP_S = 300
WIFI_LINGER_S = (
    60  # the access point stays open after a join, so that the owner's phone can read that it worked
)
WIFI_WINDOW_S = (
    600  # after a press of the button a unit without its network opens the access point for this long
)
PORTAL_CLIENTS = 2  # of the plain page that leads to the pages
PORTAL_S = 5  # for one of them
IMPROV_OPEN_S = 300  # after the set-up code was proved over a serial line (device/net/improv.py)
DNS_PACKET_BYTES = 512  # RFC 1035, 4.2.1; a longer question is dropped

# The broker in the owner's home (device/owner/home.py, device/agent/home_link.py)
HOME_ADDRESS_CHARS = 64  # of a broker, and of the name in its certificate
HOME_USER_CHARS = 64
HOME_PASSWORD_CHARS = 64
HOME_AUTHORITY_BYTES = 1024  # DER; as PEM in a form it stays below HTTP_BODY_BYTES
HOME_PACKET_BYTES = 512  # longest packet that this broker may send: a command has some 60
HOME_COMMANDS = 8  # in HOME_MINUTE_MS; a broker that sends more is disconnected
HOME_MINUTE_MS = 60_000
HOME_TICK_MS = 5000  # the unit looks this often whether something changed
HOME_REPEAT_MS = 300_000  # the same state is published again
HOME_EXPIRE_S = 900  # after which Home Assistant no longer shows a state
HOME_PAUSE_S = 5  # before the next try; doubles each time
HOME_PAUSE_CAP_S = 300
HOME_STEADY_MS = 60_000  # a link that held this long counts as good: the next pause is short again
HOME_ASIDE_S = 20  # longest wait of a check for updates until the link is closed
HOME_FAREWELL_S = 5  # longest wait of a factory reset for the broker
HOME_TEXT_CHARS = 64  # of a version or value that is published
HOME_SUMMARY_CHARS = 255  # Home Assistant shows no more of a release's summary

# Factory port
FACTORY_FRAME_BYTES = 4096
FACTORY_DATA_BYTES = 2048  # one part of a record; longer records travel in parts

# The `servers` record
SOURCES = 4  # places to look for releases
CHECK_INTERVAL_S = (1, 30 * 86400)  # shortest: for a test bench; longest: a month

# Application sets (device/codec/bundle.py, device/agent/apps.py)
APP_FILES = 64
APP_NAME_BYTES = 48
APP_FILE_BYTES = 65536  # one file is hashed and read in one piece
APP_INDEX_BYTES = 8192  # 64 names of 48 bytes with sizes and digests stay below 6 KiB
APP_PROOF_S = 3  # a trial image confirms after its application ran this long without an exception
APP_RESTARTS = 5  # after exceptions in a row; then it stays off until the next start
APP_STEADY_S = 600  # one that ran this long counts as healthy again
APP_PAUSE_S = 1  # before the first restart; doubles with each one
APP_REPORT_CHARS = 160  # what the application shows on the status page
APP_TITLE_CHARS = 20  # of the application's page; a phone shows it in the navigation
APP_LABEL_CHARS = 40
APP_NAME_CHARS = 12
APP_VALUE_CHARS = 64  # of a reading
APP_SETTINGS = 6  # with `action` they stay below the fields of a form
APP_CHOICES = 8  # of one setting
APP_READINGS = 8
APP_ACTIONS = 4
APP_WAITING = 4  # actions that the application has not taken yet
APP_NUMBER = 2**31 - 1  # largest number of a setting or reading, and the smallest below zero
APP_CRASHES = (
    3  # watchdog restarts without APP_STEADY_S between them; then the firmware runs without the application
)
