"""A brand folder: every problem is named at once, and what the firmware freezes follows from the folder alone."""

import shutil
from pathlib import Path

import pytest

from device.web import brand as neutral
from provisioning.brand import folder
from provisioning.brand.errors import BrandError
from provisioning.brand.tree import branded
from simulator.looks import in_this_process
from tests.unit.device.web.web_fake import Browser, FakeDevice

ROOT = Path(__file__).parents[4]
EXAMPLE = ROOT / "examples" / "product"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Return a copy of the example's brand folder."""
    return Path(shutil.copytree(EXAMPLE / "brand", tmp_path / "brand"))


def write(folder_path: Path, text: str) -> Path:
    (folder_path / "brand.toml").write_text(text)
    return folder_path


def test_every_problem_is_reported_at_once(made: Path) -> None:
    write(made, 'logo = "../logo.svg"\nfont = "x"\n[light]\nink = "#fefefe"\n[dark]\nhue = "#000000"\n')
    with pytest.raises(BrandError) as caught:
        folder.load(made)
    text = "\n".join(caught.value.problems)
    assert "no entry 'font'" in text and "no colour 'hue'" in text and "logo is the name of a file" in text


@pytest.mark.parametrize(
    "name", ['"../logo.svg"', '"/etc/hostname"', '""', '"."', "3", '["logo.svg"]', '"a\\u0000b"']
)
def test_a_logo_is_a_file_of_the_folder(made: Path, name: str) -> None:
    with pytest.raises(BrandError):
        folder.load(write(made, f"logo = {name}\n"))


@pytest.mark.parametrize(
    "text", ["[light", "light = 3\n", "\xff", "x = " + "[" * 5000, "#" * 20_000, 'logo_dark = "logo.svg"\n']
)
def test_a_file_of_another_form_is_refused(made: Path, text: str) -> None:
    (made / "brand.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(BrandError):
        folder.load(made)


def test_a_folder_without_its_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrandError, match=r"brand\.toml cannot be read"):
        folder.load(tmp_path)


def test_a_product_without_a_brand_folder_is_neutral(tmp_path: Path) -> None:
    assert folder.brand_of(None) is None
    assert folder.brand_of(tmp_path / "product.toml") is None


def test_the_pages_show_the_brand_and_are_neutral_afterwards() -> None:
    found = folder.brand_of(EXAMPLE / "product.toml")
    before = Browser(FakeDevice()).get("/style.css").text
    with in_this_process(found):
        shown = Browser(FakeDevice()).get("/style.css").text
    assert shown.startswith(before) and "--accent:#1f6b45" in shown and "data:image/svg+xml" in shown
    assert Browser(FakeDevice()).get("/style.css").text == before and neutral.STYLE == ""


def test_the_frozen_module_has_the_same_names_as_the_neutral_one() -> None:
    found = folder.brand_of(EXAMPLE / "product.toml")
    assert found is not None
    space: dict[str, object] = {}
    exec(compile(found.module_text(), "brand.py", "exec"), space)  # noqa: S102 - as a board imports it
    names = {name for name in vars(neutral) if name.isupper()}
    assert {name for name in space if name.isupper()} == names
    assert {name: space[name] for name in names} == found.constants()


def test_a_branded_tree_differs_in_one_file_and_is_the_same_for_the_same_brand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRSTBOOT_CACHE", str(tmp_path))
    product = EXAMPLE / "product.toml"
    tree = branded(ROOT, product)
    assert branded(ROOT, product) == tree and branded(ROOT, tmp_path / "product.toml") == ROOT
    changed = [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "device").rglob("*.py"))
        if path.read_bytes() != (tree / path.relative_to(ROOT)).read_bytes()
    ]
    assert changed == [folder.MODULE]
    assert "data:image/svg+xml" in (tree / folder.MODULE).read_text()
