"""Every code block of README, docs and examples is run by a test, or stands in a list here that says why not."""

from pathlib import Path

import pytest

from support.blocks import Block, blocks, pages
from support.pagerun import PageRun, matches
from support.server import PROJECT_ROOT

# Blocks of one language in a page that another test module runs, in a way of its own.
ELSEWHERE = {
    ("README.md", "python"): "test_server_start.py",
    ("docs/cli.md", "console"): "test_cli_docs.py",
    ("docs/cli.md", "sh"): "test_cli_docs.py",
    ("docs/cli-reference.md", "text"): "test_cli_docs.py",
    ("docs/tasks.md", "python"): "test_tasks_docs.py",
    ("docs/worker.md", "python"): "test_tasks_docs.py",
    ("docs/worker.md", "sh"): "test_tasks_docs.py",
    ("README.md", "sh"): "test_readme.py",
    ("docs/client.md", "python"): "test_client_docs.py",
    ("docs/commands.md", "text"): "test_commands.py",
    ("docs/journal.md", "sh"): "test_readme.py",
    ("docs/journal.md", "sql"): "test_readme.py",
    ("docs/testing.md", "python"): "test_testing_docs.py",
}
ELSEWHERE[("docs/operations.md", "ini")] = "test_docs_site.py"
ELSEWHERE |= {(f"docs/migrate/{peer}.md", language): "test_migrate.py"
              for peer in ("celery", "rq", "arq", "dramatiq") for language in ("python", "sh", "text")}
# Blocks that nothing runs, by page and first line.
NOT_RUN = {
    ("README.md", "make run        # builds, then serves on 127.0.0.1:6789"): "builds the project, runs all tests",
    ("docs/quick-start.md", "make build"): "builds the project",
    ("docs/quick-start.md", "pip install /path/to/flashq"): "builds the project",
    ("docs/concepts.md", "             push                        pull                     ACK"): "a picture",
    ("examples/README.md", "make build                                          # once; it makes .venv"):
        "builds the project; what it starts then runs in test_examples.py",
    ("examples/README.md", "pushed 1790 jobs to stdlib-tokens-da65295d in 0.00 s"): "printed on some machine",
}


def others(page: str) -> list[Block]:
    """The blocks of a page that are left for this module to run."""
    return [block for block in blocks(page)
            if (page, block.language) not in ELSEWHERE and (page, block.first) not in NOT_RUN]


@pytest.mark.parametrize("page", [page for page in pages() if others(page)])
def test_the_blocks_of_a_page(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = PageRun(tmp_path)
    try:
        for block in others(page):
            if block.language == "python":
                monkeypatch.setenv("FLASHQ_URL", run.environment()["FLASHQ_URL"])
            run.run(block)
    finally:
        run.close()


def test_the_lists_name_what_there_is() -> None:
    found = [block for page in pages() for block in blocks(page)]
    assert {(block.page, block.language) for block in found} >= set(ELSEWHERE)
    assert {(block.page, block.first) for block in found} >= set(NOT_RUN)
    for (page, _language), module in ELSEWHERE.items():
        source = (PROJECT_ROOT / "tests" / module).read_text()
        assert Path(page).stem in source, f"{module} does not run {page}"


def test_every_fence_says_its_language() -> None:
    for page in pages():
        text = (PROJECT_ROOT / page).read_text(encoding="utf-8")
        assert sum(line.lstrip().startswith("```") for line in text.splitlines()) == 2 * len(blocks(page)), page
        assert all(block.language for block in blocks(page)), page


@pytest.mark.parametrize(("told", "printed", "same"), [
    ("a\nb", "a\nb\n", True), ("a ...", "a 17 b", True), ("a", "a b", False), ("...\nlast", "1\n2\nlast", True),
    ("a.b", "axb", False),
])
def test_what_a_page_says_is_compared(told: str, printed: str, same: bool) -> None:
    assert matches(told, printed) is same


def test_a_block_that_fails_is_told(tmp_path: Path) -> None:
    run = PageRun(tmp_path)
    try:
        for language, text, reason in (("python", "1/0", "division by zero"), ("sh", "false", ""),
                                       ("text", "something", "it printed"), ("json", '{"cmd": "NONE"}', "NONE"),
                                       ("cobol", "STOP RUN.", "nothing runs a block of cobol")):
            with pytest.raises(AssertionError, match=f"docs/x.md:7: .*{reason}"):
                run.run(Block("docs/x.md", 7, language, "", text))
    finally:
        run.close()
