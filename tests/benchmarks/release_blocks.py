"""Blocks that a CoAP server reads from each kind of release store, `python -m tests.benchmarks.release_blocks`.

Each store holds one release of 640 kB. A block is 1 024 bytes with its size and etag, read in the order of a download.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.keys.file_signer import FileSigner
from provisioning.release.folder_store import FolderStore
from provisioning.release.release import build_release
from provisioning.release.store import ReleaseStore
from provisioning.shared_store.database import SharedDatabase
from provisioning.shared_store.release_store import DatabaseStore
from tests.postgres import Cluster, missing_reason

BLOCK: Final = 1024
PAYLOAD: Final = 640_000
DOWNLOADS: Final = 5
CLASS_ID: Final = bytes(range(16))


def cost(store: ReleaseStore) -> tuple[float, float]:
    """Publish a release, read it block by block, and return wall and processor microseconds of this process a block."""
    release = build_release(
        os.urandom(PAYLOAD),
        vendor_id=bytes(16),
        class_id=CLASS_ID,
        sequence_number=1,
        signer=FileSigner(ec.generate_private_key(ec.SECP256R1())),
        version="1.0.0",
        mitigates="nothing",
        interrupts="no",
    )
    store.put_release(release)
    name = f"o/{release.payload_digest.hex()}"
    store.part(name, 0, BLOCK)  # the first one hashes a file
    wall, cpu, blocks = time.perf_counter(), time.process_time(), 0
    for _ in range(DOWNLOADS):
        for start in range(0, PAYLOAD, BLOCK):
            found = store.part(name, start, BLOCK)
            assert found is not None and found.data == release.payload[start : start + BLOCK]
            blocks += 1
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return 1e6 * wall / blocks, 1e6 * cpu / blocks


def main() -> None:
    """Print a row for each kind of store."""
    print("| store | microseconds a block | of them processor time of the server process |\n|---|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        _row("a folder", FolderStore(Path(name) / "published", CLASS_ID))
        database = SharedDatabase.create(str(Path(name) / "servers.db"))
        _row("a SQLite file", DatabaseStore(database, CLASS_ID))
        database.close()
    if reason := missing_reason():
        print(f"PostgreSQL was not measured: {reason}")
        return
    with Cluster(is_on_disk=True) as cluster:
        database = SharedDatabase.create(cluster.new_database())
        _row("PostgreSQL, Unix socket", DatabaseStore(database, CLASS_ID))
        database.close()


def _row(name: str, store: ReleaseStore) -> None:
    wall, cpu = cost(store)
    print(f"| {name} | {wall:.0f} | {cpu:.0f} |", flush=True)


if __name__ == "__main__":
    main()
