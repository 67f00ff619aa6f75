"""Documents say what is so: commands exist, links lead somewhere, and every test and id that is named is there."""

import ast
import re
from pathlib import Path

import pytest
import typer

ID = re.compile(r"\b(?:PW|RP|SP|SC|CF|UP|SE|PR)-\d{2}\b")
STATES = {"built", "partly", "planned", "not claimed"}
COUNTS = {"PW": 19, "RP": 10, "SP": 13, "SC": 11, "CF": 5, "UP": 14, "SE": 12, "PR": 6}


@pytest.fixture(scope="module")
def pages(files: list[Path], root: Path) -> dict[str, str]:
    """Text of every Markdown file, by its path in the checkout."""
    return {
        str(path.relative_to(root)): path.read_text(encoding="utf-8")
        for path in files
        if path.suffix == ".md"
    }


@pytest.fixture(scope="module")
def tests_by_file(files: list[Path], root: Path) -> dict[str, set[str]]:
    """Names of the test functions of each test file."""
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
    """(page, command line) of every line in a sh block or in backticks that starts one of our commands."""
    found = []
    for page, text in pages.items():
        lines = [
            line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()
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


def test_every_firstboot_command_that_a_document_names_exists(pages: dict[str, str]) -> None:
    from provisioning.cli.main import app, load_commands

    if not app.registered_groups:
        load_commands(app)
    command = typer.main.get_command(app)
    assert getattr(command, "commands", None), "no command is registered"
    unknown = []
    for page, line in _commands(pages):
        words = line.split()
        if words[0] != "firstboot":
            continue
        node = command
        for word in words[1:]:
            commands = getattr(node, "commands", None)
            if commands is None or not re.fullmatch(r"[a-z][a-z-]*", word):
                break
            if word not in commands:
                unknown.append(f"{page}: {line}")
                break
            node = commands[word]
    assert not unknown, "\n" + "\n".join(unknown)


def test_every_link_inside_the_documents_leads_to_a_file(pages: dict[str, str], root: Path) -> None:
    broken = []
    for page, text in pages.items():
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text):
            if not ((root / page).parent / target).exists():
                broken.append(f"{page}: {target}")
    assert not broken, "\n" + "\n".join(broken)


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


def _rows(text: str) -> list[list[str]]:
    """Cells of every table row that begins with a requirement id."""
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


def test_no_document_says_that_psti_asks_for_signed_updates(pages: dict[str, str]) -> None:
    claim = re.compile(r"PSTI (?:requires|demands|asks for|mandates)[^.]*signed", re.IGNORECASE)
    assert not [page for page, text in pages.items() if claim.search(text.replace("\n", " "))]


def test_the_readme_lists_the_steps_of_the_demo(pages: dict[str, str]) -> None:
    from simulator.story.steps import STEPS

    text = pages["README.md"]
    table = text[text.index("| step |") : text.index("`make demo ARGS")]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == [step.name for step in STEPS]


def _table_topics(text: str) -> set[str]:
    return set(re.findall(r"^\| `(/?fb/[^`]+)`", text, re.MULTILINE))


def test_topics_and_resources_in_code_are_those_of_the_design(
    files: list[Path], root: Path, pages: dict[str, str]
) -> None:
    """Each part of the product that speaks of topics builds them from what the table lists, and nothing else."""
    table = _table_topics(pages["docs/design.md"])
    assert len(table) == 15
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
