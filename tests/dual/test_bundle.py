"""Bundles of application files: there is one encoding, and each damage is refused."""

from hashlib import sha256

from device import limits
from device.codec import bundle, cbor
from device.errors import BundleError, CborError, LimitError

FILES = {"__init__.py": b"async def run(context):\n    pass\n", "data/logo.bin": bytes(300), "empty.txt": b""}


def read_of(data):
    return lambda offset, length: data[offset : offset + length]


def files_of(data):
    return bundle.decode(read_of(data), len(data))


def built(index, contents=b"", version=1):
    """Return a bundle whose index may be wrong."""
    return cbor.encode([version, cbor.encode(index), contents])


def entry(name="__init__.py", content=b"", size=None, digest=None):
    return [name, len(content) if size is None else size, digest or sha256(content).digest()]


def refused(error, data, text=""):
    try:
        files_of(data)
    except error as found:
        assert text in found.describe(), found.describe()
        return
    raise AssertionError("taken: " + text)


def test_files_come_back_where_the_index_says():
    data = bundle.encode(FILES)
    assert data == cbor.encode(cbor.decode(data, len(data)))
    found = files_of(data)
    assert [file.name for file in found] == sorted(FILES)
    for file in found:
        content = data[file.offset : file.offset + file.size]
        assert content == FILES[file.name]
        assert sha256(content).digest() == file.digest


def test_the_same_files_give_the_same_bytes_in_any_order():
    turned = {name: FILES[name] for name in sorted(FILES)[::-1]}
    assert bundle.encode(turned) == bundle.encode(FILES)


def test_every_truncation_and_every_byte_after_it_is_refused():
    data = bundle.encode({"__init__.py": b"pass\n"})
    for length in range(len(data)):
        refused((BundleError, CborError), data[:length])
    refused(BundleError, data + b"\0")


def test_a_bundle_of_another_version_or_form_is_refused():
    refused(BundleError, built([entry()], version=2), "version")
    refused(BundleError, b"\x82\x01\x40", "version")
    refused(BundleError, b"", "version")
    refused(BundleError, b"\x83\x01\x80\x40", "byte string")
    refused(BundleError, b"\x83\x01\x5f\x40\xff", "length")
    refused(CborError, b"\x83\x01\x58\x01\x80\x40", "shortest")
    refused(BundleError, b"\x83\x01\x5b" + b"\xff" * 8, "length")


def test_names_stand_in_order_and_once():
    refused(BundleError, built([entry("b"), entry("__init__.py")]), "order")
    refused(BundleError, built([entry(), entry()]), "order")


def test_names_that_lead_elsewhere_are_refused():
    long = "a" * (limits.APP_NAME_BYTES + 1)
    for name in (
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        "..",
        "../a",
        "a/../b",
        ".hidden",
        "A.py",
        "a b",
        "\u00e4",
        long,
        7,
    ):
        refused(BundleError, built([entry(name)]), "name")


def test_a_folder_and_a_file_have_different_names():
    refused(BundleError, built([entry(), entry("a"), entry("a-b"), entry("a/b")]), "folder")


def test_the_package_has_a_start():
    refused(BundleError, built([entry("main.py")]), "__init__")
    refused(BundleError, built([]), "no files")
    refused(BundleError, built({}), "no files")
    assert files_of(bundle.encode({"__init__.mpy": b"M"}))[0].size == 1


def test_sizes_agree_with_the_contents():
    for size in (0, 2, limits.APP_FILE_BYTES):
        refused(BundleError, built([entry(size=size)], b"x"), "agree")
    refused(BundleError, built([entry(size=-1)]), "size")
    refused(BundleError, built([entry(size=True)]), "size")


def test_numbers_are_bounded():
    refused(LimitError, built([entry(size=limits.APP_FILE_BYTES + 1)]), "file")
    many = [entry()] + [entry("f" + str(100 + number)) for number in range(limits.APP_FILES)]
    refused(LimitError, built(many), "files")
    refused(LimitError, b"\x83\x01\x59\x20\x01" + bytes(0x2001) + b"\x40", "index")


def test_an_entry_is_name_size_and_digest():
    for wrong in ([["__init__.py", 0]], ["__init__.py"], [["__init__.py", 0, bytes(32), 0]]):
        refused(BundleError, built(wrong), "entry")
    refused(BundleError, built([["__init__.py", 0, bytes(31)]]), "digest")


def test_what_cannot_be_read_back_is_not_built():
    for files in ({}, {"main.py": b""}, {"__init__.py": b"", "A": b""}):
        try:
            bundle.encode(files)
            raise AssertionError(files)
        except BundleError:
            pass
    try:
        bundle.encode({"__init__.py": bytes(limits.APP_FILE_BYTES + 1)})
        raise AssertionError("too large")
    except LimitError:
        pass
