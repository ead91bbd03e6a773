"""The house rules that a machine can hold: sizes, borders that are typed, who prints, tests where the code is."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "textmsa"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION = 400, 80
MOST_UNTYPED = 20
Function = ast.FunctionDef | ast.AsyncFunctionDef


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(node: ast.AST) -> Iterator[Function]:
    return (child for child in ast.walk(node) if isinstance(child, Function))


def public_functions(module: ast.Module) -> Iterator[Function]:
    """Functions of the module, and methods of its classes, whose names do not begin with an underscore."""
    for node in module.body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            yield node
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from (n for n in node.body if isinstance(n, Function) and (n.name == "__init__" or n.name[0] != "_"))


def bare_any(annotation: ast.expr | None) -> bool:
    """Whether an annotation says `Any`: alone, in a union, or of what a container or type holds.

    Within `dict[str, Any]` it is a JSON document's, and within `Callable[...]` whoever calls it knows better.
    """
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return bare_any(ast.parse(annotation.value, mode="eval").body)
    if isinstance(annotation, ast.BinOp):
        return bare_any(annotation.left) or bare_any(annotation.right)
    if isinstance(annotation, ast.Tuple):
        return any(map(bare_any, annotation.elts))
    if isinstance(annotation, ast.Subscript):
        return ast.unparse(annotation) != "dict[str, Any]" and (
            ast.unparse(annotation.value).rpartition(".")[2] != "Callable" and bare_any(annotation.slice)
        )
    return ast.unparse(annotation).rpartition(".")[2] == "Any" if annotation is not None else False


def untyped_borders(path: Path) -> list[str]:
    found = []
    for function in public_functions(tree(path)):
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        names = [a.arg for a in arguments if bare_any(a.annotation)]
        names += ["return"] if bare_any(function.returns) else []
        found += [f"{path.relative_to(ROOT)}:{function.lineno} {function.name}: {name}" for name in names]
    return found


def test_any_is_seen_wherever_it_hides():
    hidden = (
        "Any",
        "Any | None",
        "type[Any]",
        "list[Any]",
        "tuple[int, Any]",
        "dict[int, Any]",
        "'list[Any]'",
        "t.Any",
    )
    open_to_all = ("dict[str, Any]", "list[dict[str, Any]]", "Callable[..., Any]", "str | None", "Anything")
    assert all(bare_any(ast.parse(annotation, mode="eval").body) for annotation in hidden)
    assert not any(bare_any(ast.parse(annotation, mode="eval").body) for annotation in open_to_all)


def test_no_file_is_longer_than_it_can_be_read():
    long = {p: len(p.read_text(encoding="utf-8").splitlines()) for p in MODULES}
    assert not {str(p.relative_to(ROOT)): n for p, n in long.items() if n > LONGEST_FILE}


def lines_of(function: Function) -> int:
    """Its lines without the docstring, which for a command is the help of every option."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    words = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
    return (function.end_lineno or 0) - function.lineno + 1 - words


def test_no_function_is_longer_than_a_screen():
    every = [(path, function) for path in MODULES for function in functions(tree(path))]
    long = [f"{p.relative_to(ROOT)}:{f.lineno} {f.name}" for p, f in every if lines_of(f) > LONGEST_FUNCTION]
    assert not long


def test_public_borders_have_types():
    untyped = [line for path in MODULES for line in untyped_borders(path)]
    assert len(untyped) < MOST_UNTYPED, "\n".join(untyped)


def test_only_the_command_line_prints():
    printing = []
    for path in MODULES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "print" and path.name != "cli.py":
                printing.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not printing


def test_the_tests_folders_are_the_packages():
    """A file of the package's top floor is tested at the top too; real models go through several packages."""
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")} - {"real_models"}
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert packages - folders == set(), "packages without a folder of tests"
    assert folders - packages == set(), "folders of tests without a package"


def test_no_module_is_a_room_for_leftovers():
    assert not {p.stem for p in MODULES} & {"utils", "helpers", "common", "misc", "tools"}
