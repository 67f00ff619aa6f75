"""Documents are correct: every named command, link target, test and requirement id exists."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from simulator.story.requirements import REQUIREMENTS
from simulator.story.steps import STEPS

ID = re.compile(r"\b(?:PW|RP|SP|SC|CF|UP|SE|PR)-\d{2}\b")
STATES = {"built", "partly", "planned", "not claimed"}
# Pages that tools/site_pages.py makes for the site; its strict build checks links to them.
GENERATED_PAGE = re.compile(r"/docs/reference/(?:cli|errors|api/\w+)\.md$")
COUNTS = {"PW": 19, "RP": 10, "SP": 13, "SC": 11, "CF": 5, "UP": 14, "SE": 16, "PR": 6}


@pytest.fixture(scope="module")
def pages(files: list[Path], root: Path) -> dict[str, str]:
    """The text of every Markdown file, by its path in the checkout."""
    return {
        str(path.relative_to(root)): path.read_text(encoding="utf-8")
        for path in files
        if path.suffix == ".md"
    }


@pytest.fixture(scope="module")
def tests_by_file(files: list[Path], root: Path) -> dict[str, set[str]]:
    """The names of the test functions of each test file."""
    found = {}
    for path in files:
        name = path.relative_to(root)
        if path.suffix == ".py" and name.parts[0] == "tests" and name.name.startswith("test_"):
            nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            found[str(name)] = {
                node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            }
    return found


def _commands(pages: dict[str, str]) -> list[tuple[str, str]]:
    """Yield (page, command line) of every line in a sh block or in backticks that starts one of our commands."""
    found = []
    for page, text in pages.items():
        lines = [
            line
            for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
            for line in re.sub(r"\\\n\s*", "", block).splitlines()
        ]
        lines += re.findall(r"`([^`\n]+)`", text)
        for line in lines:
            words = line.split("#")[0].strip().removeprefix(".venv/bin/")
            if words.startswith(("make ", "firstboot ")):
                found.append((page, words))
    return found


def test_every_make_target_that_a_document_names_exists(pages: dict[str, str], root: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = [(page, line) for page, line in _commands(pages) if line.startswith("make ")]
    assert named
    assert not [found for found in named if found[1].split()[1] not in targets]


@pytest.fixture(scope="module")
def program() -> typer.core.TyperGroup:
    """The program `firstboot` with all its commands."""
    from provisioning.cli.main import app, load_commands

    if not app.registered_groups:
        load_commands(app)
    command = typer.main.get_command(app)
    assert isinstance(command, typer.core.TyperGroup) and command.commands, "no command is registered"
    return command


def _first_unknown(program: typer.core.TyperGroup, line: str) -> str:
    """Return the first word of a command line that the program does not know, "" if it knows all."""
    node: Any = program
    words = line.split()[1:]
    while words and re.fullmatch(r"[a-z][a-z0-9-]*", words[0]):
        commands = getattr(node, "commands", None)
        if commands is None:
            break
        if words[0] not in commands:
            return words[0]
        node = commands[words.pop(0)]
    known = {"--help"} | {name for one in node.params for name in (*one.opts, *one.secondary_opts)}
    options = [word.partition("=")[0].rstrip(".,;:)") for word in words if re.match(r"--[a-z]", word)]
    return next((word for word in options if word not in known), "")


def test_every_firstboot_command_and_option_that_a_document_names_exists(
    program: typer.core.TyperGroup, pages: dict[str, str]
) -> None:
    lines = [(page, line) for page, line in _commands(pages) if line.startswith("firstboot ")]
    assert lines
    unknown = [f"{word}: {page}: {line}" for page, line in lines if (word := _first_unknown(program, line))]
    assert not unknown, "\n" + "\n".join(unknown)


def test_every_firstboot_command_and_option_that_the_code_names_exists(
    program: typer.core.TyperGroup, sources: dict[str, str]
) -> None:
    named = [
        (path, " ".join(found.split()))
        for path, text in sources.items()
        if path.endswith(".py") and not path.startswith("tests/")
        for found in re.findall(r"`(firstboot [^`]+)`", text)
    ]
    assert len(named) > 200
    unknown = [f"{word}: {path}: {line}" for path, line in named if (word := _first_unknown(program, line))]
    assert not unknown, "\n" + "\n".join(unknown)


def test_no_help_text_shows_an_empty_default(program: typer.core.TyperGroup) -> None:
    def helps(node: Any) -> Iterator[str]:
        yield from (getattr(one, "help", None) or "" for one in node.params)
        for below in getattr(node, "commands", {}).values():
            yield from helps(below)

    found = list(helps(program))
    assert len(found) > 500
    assert not [text for text in found if re.search(r"Default: ?\.(\s|$)", text)]


def test_every_link_inside_the_documents_leads_to_a_file(pages: dict[str, str], root: Path) -> None:
    broken = []
    for page, text in pages.items():
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text):
            path = (root / page).parent / target
            if not path.exists() and not (
                page.startswith("docs/") and GENERATED_PAGE.search(str(path.resolve()))
            ):
                broken.append(f"{page}: {target}")
    assert not broken, "\n" + "\n".join(broken)


HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)
CITED_PAGE = re.compile(r"(?<![\w/])docs/[\w/-]+\.md")
# `docs/design.md, Boot` or `docs/design.md "Boot"`: a section begins with a capital letter.
CITED_SECTION = re.compile(r'(?<![\w/])(docs/[\w/-]+\.md)(?:, ?"?| "|, *\n[#/ ]*"?)([A-Z][^")\n]*)')
UNROOTED_PAGE = re.compile(r"(?<![\w/])(?:design|porting|signing|factory|threat-model|vocabulary)\.md")
CITING = {".py", ".c", ".h", ".ld", ".sh", ".robot", ".toml"}


@pytest.fixture(scope="module")
def sources(files: list[Path], root: Path) -> dict[str, str]:
    """The text of every source file that may cite a document, by its path; not this file."""
    return {
        str(path.relative_to(root)): path.read_text(encoding="utf-8")
        for path in files
        if path.suffix in CITING and path.name != Path(__file__).name
    }


def test_every_document_that_the_code_cites_exists(sources: dict[str, str], root: Path) -> None:
    cited = [(name, page) for name, text in sources.items() for page in CITED_PAGE.findall(text)]
    assert len(cited) > 30, "the search for citations is broken"
    assert not [found for found in cited if not (root / found[1]).is_file()]


def test_every_section_that_the_code_cites_exists(sources: dict[str, str], pages: dict[str, str]) -> None:
    cited = [(name, *found) for name, text in sources.items() for found in CITED_SECTION.findall(text)]
    assert len(cited) > 15, "the search for sections is broken"
    missing = []
    for name, page, words in cited:
        if not any(words.startswith(heading) for heading in HEADING.findall(pages[page])):
            missing.append(f"{name}: {page} has no section {words!r}")
    assert not missing, "\n" + "\n".join(missing)


def test_the_code_cites_documents_by_their_whole_path(sources: dict[str, str]) -> None:
    comments = re.compile(r"(?:#|//|\"\"\"|\().*")
    found = [
        (name, line)
        for name, text in sources.items()
        for line in text.splitlines()
        if comments.search(line) and UNROOTED_PAGE.search(line) and " / " not in line
    ]
    assert not found


def test_every_test_that_the_code_names_exists(
    sources: dict[str, str], tests_by_file: dict[str, set[str]], root: Path
) -> None:
    """A test file that a docstring of the product names exists."""
    named = [
        (name, file)
        for name, text in sources.items()
        if name.startswith(("device/", "provisioning/", "simulator/", "renode/"))
        for file in re.findall(r"tests/[\w/]+\.py", text)
    ]
    assert named
    assert not [found for found in named if not (root / found[1]).is_file()]


def test_every_test_that_a_document_names_exists(
    pages: dict[str, str], tests_by_file: dict[str, set[str]]
) -> None:
    broken = []
    named = 0
    for page, text in pages.items():
        for file, test in re.findall(r"(tests/[\w/]+\.py)(?:::(\w+))?", text):
            named += 1
            if file not in tests_by_file or (test and test not in tests_by_file[file]):
                broken.append(f"{page}: {file}::{test}")
    assert named > 10, "the search for test names is broken"
    assert not broken, "\n" + "\n".join(sorted(set(broken)))


def test_every_decision_record_has_the_one_form(pages: dict[str, str]) -> None:
    records = {page: text for page, text in pages.items() if re.match(r"docs/adr/\d", page)}
    assert len(records) > 20
    wanted = ["Context", "Options", "Decision", "Consequences", "Status"]
    assert not [
        page for page, text in records.items() if re.findall(r"^## (.+)$", text, re.MULTILINE) != wanted
    ]
    numbers = {page: re.findall(r"^# (\d+)\. ", text) for page, text in records.items()}
    assert not [page for page, number in numbers.items() if number != [str(int(page[9:13]))]]


def test_the_list_of_decisions_names_every_record_by_its_title(pages: dict[str, str]) -> None:
    listed = re.findall(r"^- \[(.+)\]\((.+)\)$", pages["docs/adr/index.md"], re.MULTILINE)
    records = [
        (text.splitlines()[0].removeprefix("# "), page.removeprefix("docs/adr/"))
        for page, text in sorted(pages.items())
        if re.match(r"docs/adr/\d", page)
    ]
    assert listed == records


def _rows(text: str) -> list[list[str]]:
    """Yield the cells of every table row that begins with a requirement id."""
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in text.splitlines()]
    return [row for row in rows if ID.fullmatch(row[0])]


def test_the_requirements_page_has_every_id_once(pages: dict[str, str]) -> None:
    listed = [row[0] for row in _rows(pages["docs/requirements.md"])]
    wanted = [f"{group}-{number:02}" for group, count in COUNTS.items() for number in range(1, count + 1)]
    assert listed == wanted


def test_every_id_that_the_code_cites_is_on_the_requirements_page(
    files: list[Path], pages: dict[str, str]
) -> None:
    listed = {row[0] for row in _rows(pages["docs/requirements.md"])}
    cited = {
        found
        for path in files
        if path.suffix in {".py", ".c", ".h"}
        for found in ID.findall(path.read_text("utf-8"))
    }
    assert len(cited) > 20
    assert not cited - listed


def test_every_source_file_that_a_document_names_exists(pages: dict[str, str], root: Path) -> None:
    broken = []
    for page, text in pages.items():
        for name in re.findall(r"`((?:device|provisioning|simulator|renode|tools)/[\w/.]+)`", text):
            if not (root / name).exists():
                broken.append(f"{page}: {name}")
    assert not broken, "\n" + "\n".join(broken)


def test_a_requirement_called_built_names_code_and_test(pages: dict[str, str]) -> None:
    rows = _rows(pages["docs/requirements.md"])
    assert all(len(row) == 6 for row in rows), "a row has a cell too many or too few"
    assert not [row[0] for row in rows if row[3] not in STATES]
    assert not [
        row[0] for row in rows if row[3] in {"built", "partly"} and not (row[4] and "tests/" in row[5])
    ]
    assert not [row[0] for row in rows if row[3] in {"planned", "not claimed"} and "tests/" in row[5]]


def test_each_step_of_the_demo_names_the_requirements_that_the_table_says_it_shows(
    pages: dict[str, str],
) -> None:
    rows = {row[0]: row for row in _rows(pages["docs/requirements.md"])}
    listed = {
        (step, name)
        for name, row in rows.items()
        for steps in re.findall(r"test_story\.py` \(([a-z_, ]+)\)", row[-1])
        for step in steps.split(", ")
    }
    assert {(step.name, name) for step in STEPS for name in step.requirements} == listed
    assert {name: rows[name][2] for name in REQUIREMENTS} == REQUIREMENTS
    assert {name for _, name in listed} == set(REQUIREMENTS)


def test_no_document_says_that_psti_asks_for_signed_updates(pages: dict[str, str]) -> None:
    claim = re.compile(r"PSTI (?:requires|demands|asks for|mandates)[^.]*signed", re.IGNORECASE)
    assert not [page for page, text in pages.items() if claim.search(text.replace("\n", " "))]


def test_the_readme_lists_the_steps_of_the_demo(pages: dict[str, str]) -> None:
    from simulator.story.steps import STEPS

    text = pages["README.md"]
    table = text[text.index("| step |") : text.index("## Meet a device")]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == [step.name for step in STEPS]


def _first_cells(text: str, heading: str) -> list[str]:
    """Return the words in backticks in the first cells of the tables below a heading, up to the next heading."""
    body = re.split(r"^#+ ", text[text.index(f"\n{heading}\n") + len(heading) + 1 :], flags=re.MULTILINE)[0]
    rows = re.findall(r"^\| ([^|]*)\|", body, re.MULTILINE)
    return [word for cell in rows for word in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("_fbcrypto", "cmodules/fbcrypto/mod_fbcrypto.c"),
        ("_mps2", "boards/mps2_an385/port/mod_mps2.c"),
        ("_fbesp", "boards/esp32/mod_fbesp.c"),
        ("_fbrp2", "boards/rp2350/mod_fbrp2.c"),
    ],
)
def test_the_functions_of_a_c_module_are_those_of_the_reference(
    pages: dict[str, str], root: Path, module: str, source: str
) -> None:
    """The module's table of globals in C equals the first column of the page's table."""
    code = (root / "device" / source).read_text(encoding="utf-8")
    table = re.search(r"_globals_table\[\] = \{(.*?)\n\};", code, re.DOTALL)
    assert table
    built = set(re.findall(r"MP_ROM_QSTR\(MP_QSTR_(\w+)\), MP_ROM_PTR", table[1]))
    named = {
        word.split("(")[0] for word in _first_cells(pages["docs/reference/c-modules.md"], f"## `{module}`")
    }
    assert named == built


def test_the_layers_of_the_design_are_those_of_the_import_contract(pages: dict[str, str], root: Path) -> None:
    """Each row of the table of device/ is one layer of the contract, or one of a layer's independent halves."""
    contracts = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "device")
    wanted = [set(re.findall(r"\w+", layer)) for layer in layers]
    text = pages["docs/design.md"]
    table = text[text.index("| `device/` |") : text.index("| `provisioning/` |")]
    rows = [set(re.findall(r"`(\w+)`", row)) for row in re.findall(r"^\| ([^|]+)\|", table, re.MULTILINE)]
    assert [row for row in rows if row] == wanted


def _table_topics(text: str) -> set[str]:
    return set(re.findall(r"^\| `(/?fb/[^`]+)`", text, re.MULTILINE))


def test_topics_and_resources_in_code_are_those_of_the_reference(
    files: list[Path], root: Path, pages: dict[str, str]
) -> None:
    """Each part of the product that uses topics builds only those that the table lists."""
    table = _table_topics(pages["docs/reference/topics.md"])
    assert len(table) == 16
    allowed = {part for topic in table for part in topic.strip("/").split("/")} - {
        "CLASS",
        "DEVICE",
        "SHA256",
    }
    found: dict[str, set[str]] = {}
    for path in files:
        name = str(path.relative_to(root))
        if path.suffix != ".py" or not name.startswith(
            ("device/transport", "provisioning/servers", "provisioning/pub")
        ):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and re.match(r"/?fb/", node.value)
            ):
                found[name] = found.get(name, set()) | set(
                    re.findall(r"[a-z]+", re.sub(r"\{[^}]*\}|%\w", "", node.value))
                )
    assert found, "no topic found in the code"
    assert not {name: words - allowed for name, words in found.items() if words - allowed}
