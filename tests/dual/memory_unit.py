"""A unit's stores, clock and entropy in memory, for dual tests of policy."""

from device.codec import cbor
from device.owner import lifecycle, onboarding, setup_code
from device.records import identity
from device.records.store import DEVICE, USER, Store

CODE = "ABCDEFGHJKLMNPQRSTUV"
CODE += setup_code.check_character(CODE)
PASSWORD = "kettle on the hob at six"
ITERATIONS = 1000
IDENTITY = identity.Identity(bytes(range(16)), "FB-000123", "Lamp One", "Firstboot", "2026-11", "Example Ltd")


class MemoryRecords:
    """interfaces.Records in a dict; `log` keeps the order of writes and deletes."""

    def __init__(self):
        self.content = {}
        self.log = []

    def read(self, name):
        return self.content.get(name)

    def write(self, name, data):
        self.log.append("write " + name)
        self.content[name] = bytes(data)

    def delete(self, name):
        self.log.append("delete " + name)
        self.content.pop(name, None)

    def names(self):
        return sorted(self.content)

    def damage(self, name):
        data = self.content[name]
        self.content[name] = data[:-1] + bytes((data[-1] ^ 1,))


class MemoryClock:
    """interfaces.Clock that moves only by a call."""

    def __init__(self):
        self.ms = 0

    def ticks_ms(self):
        return self.ms % (1 << 30)

    def ticks_diff(self, later, earlier):
        return (later - earlier + (1 << 29)) % (1 << 30) - (1 << 29)


class PoweredUnit:
    """A unit whose device region survives restarts. `counter` counts its powered-on time by tick()."""

    def __init__(self, counter):
        self._new_counter = counter
        self.records = MemoryRecords()
        self.restart()

    def restart(self):
        self.clock = MemoryClock()
        self.counter = self._new_counter(Store(self.records, DEVICE), self.clock)

    def run(self, seconds):
        """Keep the unit powered on for so long and tick every minute."""
        for _ in range(seconds // 60):
            self.clock.ms += 60000
            self.counter.tick()


class CountingEntropy:
    """Bytes that differ from call to call; `ready` False simulates a unit without a source."""

    def __init__(self):
        self.calls = 0
        self.ready = True

    def is_ready(self):
        return self.ready

    def random_bytes(self, length):
        self.calls += 1
        return bytes([self.calls]) * length


class MemoryUnit:
    """A locked unit in factory default with CODE on its label; `restart` makes a new Owner over the same records."""

    def __init__(self):
        self.device_records = MemoryRecords()
        self.user_records = MemoryRecords()
        self.device = Store(self.device_records, DEVICE)
        self.user = Store(self.user_records, USER)
        self.clock = MemoryClock()
        self.entropy = CountingEntropy()
        self.device.write("identity", identity.encode(IDENTITY))
        salt = b"s" * 16
        self.device.write("setup", cbor.encode({1: salt, 2: setup_code.verifier(CODE, salt)}))
        self.restart()

    def restart(self):
        self.clock.ms = 0
        self.owner = onboarding.Owner(
            self.device, self.user, self.clock, self.entropy, ITERATIONS, "lamp-one.local"
        )
        self.owner.repair()

    def state(self):
        return lifecycle.derive(lifecycle.gather(True, self.device, self.user))

    def set_up(self, code=CODE, password=PASSWORD, is_normalised=False):
        run(self.owner.set_up(code, password, is_normalised))

    def sign_in(self, password=PASSWORD):
        run(self.owner.sign_in(password))


def run(flow):
    """Drive a generator to its end."""
    for _ in flow:
        pass


def refused(kind, function, *arguments, **keywords):
    """Call `function`; return the error of class `kind` that it must raise."""
    try:
        function(*arguments, **keywords)
    except kind as error:
        return error
    raise AssertionError("not refused with " + kind.__name__)
