"""The maker of docs/how-to/a-year.md: a folder with keys, batches and releases, made with the commands of a maker.

The commands run in this process, so their time is the test's. The boards are simulated, and the outcomes of the test
run are given.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from typer.testing import CliRunner

from provisioning.cli.main import app, load_commands
from provisioning.compliance.issue import draw_key
from provisioning.keys.key_ring import KeyRing
from provisioning.release.image import image_info, key_hash, sign_image
from simulator.cli.device_bare import PortServer
from simulator.device import SimulatedMachine, release_body
from tests import openpgp
from tests.unit.provisioning.real_maker import BASE_URL, REAL
from tests.unit.provisioning.station.test_units_for_sale import sign_evidence_for
from tests.unit.provisioning.year.field_units import FieldUnit

PASSPHRASE: Final = "a phrase only the signatory knows"
LWIP: Final = {1: "2.2.0", 2: "2.2.1"}  # by release
SITE: Final = (
    f"site build --product product.toml --base-url {BASE_URL} --register register.jsonl --archive archive --out site"
    " --evidence evidence --evidence-key runner.pem --record support.cose --trust maker/keys/support.pem"
)


class Maker:
    """A folder in which a maker works; it is the working directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not app.registered_groups:
            load_commands(app)

    def runs(self, line: str, *, typed: str | None = None) -> tuple[int, str]:
        """Run `firstboot LINE`. Return the exit code and everything that it printed."""
        done = CliRunner().invoke(app, shlex.split(line), input=typed)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.output

    def does(self, line: str, *, typed: str | None = None) -> str:
        """Run a command, which must succeed. Return everything that it printed."""
        code, output = self.runs(line, typed=typed)
        assert code == 0, f"{line}\n{output}"
        return output

    def begins(self) -> None:
        """Make keys, a definition, a record for devices, the images of two releases, and the first site."""
        self.defines("2026-001")
        self.does("keys init maker --product product.toml")
        draw_key(self.folder / "moira.pem", PASSPHRASE)
        (self.folder / "maker/keys/signatory.pub").write_bytes((self.folder / "moira.pub").read_bytes())
        openpgp.private_key(self.folder / "security.asc")
        self.does("keys generate server server")
        self.does("keys generate signing --out runner.pem")
        self.does("keys show runner.pem --public runner.pub")
        self.does(
            "release record support --product product.toml --signer maker/keys/support.pem --first --out support.cose"
        )
        for number in LWIP:
            self._image(number)
        self.builds_the_site()
        self.does("registry init --registry registry.db")
        self.does(
            "registry consignee hillside --registry registry.db --role distributor --email goods@hillside.example"
            ' --name "Hillside Retail" --address "2 Hill Road, Leeds" --by "M. Tallow"'
        )

    def builds_the_site(self) -> None:
        """Build the site, with the advisories if there are any."""
        self.does(SITE + (" --advisories public" if (self.folder / "public").exists() else ""))

    def defines(self, batch: str) -> None:
        """Write the definition of a batch."""
        text = REAL.replace("mps2_an385", "simulator").replace('number = "2026-001"', f'number = "{batch}"')
        (self.folder / "product.toml").write_text(text)

    def _image(self, number: int) -> None:
        """Sign the image of a release, and write its bill of materials."""
        images = self.folder / "images"
        images.mkdir(exist_ok=True)
        body = images / f"body-{number}.bin"
        body.write_bytes(release_body())
        out = images / f"release-{number}.img"
        sign_image(
            body,
            KeyRing(self.folder / "maker/keys").image_key_paths[0],
            version=f"{number}.0.0+{number}",
            security_counter=number,
            out=out,
        )
        digest = hashlib.sha256(release_body()).hexdigest()
        bill = {
            "bomFormat": "CycloneDX",
            "serialNumber": str(number),
            "metadata": {"component": {"hashes": [{"alg": "SHA-256", "content": digest}]}},
            "components": [{"name": "lwip", "version": LWIP[number]}],
        }
        (images / f"release-{number}.cdx.json").write_text(json.dumps(bill))

    def makes(self, batch: str, image: int, count: int) -> list[FieldUnit]:
        """Issue the statement of a batch, make its units and close it. Return the units."""
        self.defines(batch)
        path = self.folder / f"images/release-{image}.img"
        sign_evidence_for(self.folder, path.read_bytes())
        self.builds_the_site()
        self.does(
            f"statement issue --product product.toml --evidence evidence/firmware.cose --runner runner.pub --evidence"
            f" evidence/publication-FB-1.cose --image {path} --archive archive --key moira.pem"
            ' --name "Moira Tallow" --function "Managing director"',
            typed=f"{batch}\n{PASSPHRASE}\n",
        )
        self.builds_the_site()
        with self._boards(batch, path, count) as (machines, ports):
            self.does(
                f"station run {ports} --count {count} --product product.toml --keys maker/keys"
                " --oscore-key server/oscore.pub --registry registry.db --labels labels --archive archive"
                f" --image-digest {image_info(path.read_bytes()).digest.hex()}"
            )
        self.does(f"registry close-batch --registry registry.db --batch {batch}")
        self.does(f"station check-batch --registry registry.db --batch {batch} --labels labels")
        self.builds_the_site()
        return [FieldUnit(self.folder, machine.flash) for machine in machines]

    def ships(self, batch: str) -> None:
        """Ship every unit of a batch to Hillside Retail."""
        self.does(
            f"station ship --batch {batch} --consignee hillside --registry registry.db --archive archive"
            " --register register.jsonl --packing packing.jsonl --keys maker/keys"
        )

    @contextmanager
    def _boards(self, batch: str, image: Path, count: int) -> Iterator[tuple[list[SimulatedMachine], str]]:
        """Yield boards with only an image, powered on, and the options of their ports."""
        ring = KeyRing(self.folder / "maker/keys")
        hashes = tuple(key_hash(path) for path in ring.image_key_paths)
        machines, ports = [], []
        try:
            for number in range(count):
                machine = SimulatedMachine(self.folder / "boards" / f"{batch}-{number}", hashes)
                machines.append(machine)
                machine.program(None, image)
                machine.power_on()
                ports.append(PortServer(self.folder / f"port{number}", machine.factory_port()))
            yield machines, " ".join(f"--port unix:port{number}" for number in range(count))
        finally:
            for port in ports:
                port.close()
            for machine in machines:
                machine.close()
