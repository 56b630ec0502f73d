"""Everything is small enough to be read at one sitting."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support import REPOSITORY

FOLDERS = ("server", "geo", "offers", "notifications", "bench")
MODULE_LINES = 300
FUNCTION_LINES = 60
FUNCTION_LINES_P90 = 30
PIPELINE_LINES = 150


def modules() -> dict[str, list[str]]:
    """The lines of every module, by its path."""
    paths = (path for folder in FOLDERS for path in sorted((REPOSITORY / folder).rglob("*.py")))
    return {
        str(path.relative_to(REPOSITORY)): path.read_text(encoding="utf-8").splitlines()
        for path in paths
        if "node_modules" not in path.parts
    }


def functions(path: str, lines: list[str]) -> Iterator[tuple[int, str]]:
    """The length in lines of every function of a module, with where it is."""
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            yield node.end_lineno - node.lineno + 1, f"{path}:{node.lineno} {node.name}"


def largest(sizes: list[tuple[int, str]]) -> str:
    """A table of the ten largest."""
    return "\n".join(f"{size:6} {name}" for size, name in sorted(sizes, reverse=True)[:10])


def test_no_module_is_long() -> None:
    sizes = [(len(lines), path) for path, lines in modules().items()]
    print(f"\nlines of the largest of {len(sizes)} modules\n{largest(sizes)}")
    assert [item for item in sizes if item[0] >= MODULE_LINES] == []


def test_no_function_is_long_and_most_are_short() -> None:
    sizes = [size for path, lines in modules().items() for size in functions(path, lines)]
    print(f"\nlines of the largest of {len(sizes)} functions\n{largest(sizes)}")
    assert [item for item in sizes if item[0] > FUNCTION_LINES] == []
    assert sorted(size for size, _ in sizes)[len(sizes) * 9 // 10] <= FUNCTION_LINES_P90


def test_the_file_to_read_first_is_short() -> None:
    pipeline = (REPOSITORY / "server" / "pipeline.py").read_text(encoding="utf-8")
    assert len(pipeline.splitlines()) < PIPELINE_LINES


def test_no_package_lacks_its_init_file() -> None:
    folders = {REPOSITORY / Path(path).parent for path in modules() if not path.startswith("bench")}
    assert [folder.name for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []
