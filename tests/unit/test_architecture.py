"""The rules of the house, checked on its source text: who imports whom, and how long a thing may be.

Where a rule makes the code worse, change the rule here, in the open, and say why in the commit.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src" / "srt_router"
HARNESS = ROOT / "tests" / "harness"

FOUNDATION = {"errors", "redaction", "logs", "log_setup", "version", "__init__"}
"""Top-level modules that every room may import; among themselves too."""
BELOW_SUPERVISION = {"alarms", "client", "monitoring", "processes", "routes", "settings", "storage"}
BELOW_API = {"supervision", "accounts", *BELOW_SUPERVISION}
ROOMS: dict[str, set[str]] = {
    # room or top-level module: what it may import besides the foundation and itself
    "processes": set(),
    "routes": {"processes.spec"},
    # other gateways' files become routes here: text in, a document out, nothing is opened or asked
    "migration": {"routes"},
    # what others write their scripts with, and our commands use: it finds the server of this machine by its file
    "client": {"processes.server_file", "settings"},
    "monitoring": {"processes"},
    "storage": {"processes.directories"},
    "accounts": {"storage"},
    "alarms": {"storage"},
    # an environment variable of the ownership tag is no unknown setting, so the settings know those names
    "settings": {"processes"},
    "supervision": BELOW_SUPERVISION,
    "api": {"doctor", *BELOW_API},
    "doctor": {"system_checks", *BELOW_API},
    "support_bundle": {"doctor", *BELOW_API},
    # a router of its own, asked as any other
    "latency": {"client", "processes.server_file"},
    "cli": {"api.tls", "main", "doctor", "migration", "latency", "support_bundle", *BELOW_API},
    # the udpDuplicator is a program of its own, started as a script
    "duplication": set(),
    "duplicator": {"duplication"},
    # so is the stream monitor: it receives in the same way
    "transport_stream": {"duplication"},
    # what main.py would hold, were it not one screen long
    "house": BELOW_API,
    "history": BELOW_API,
    "demo": BELOW_API,
    "alarm_desk": BELOW_API,
    "first_sign_in": BELOW_API,
    "keeping": {"alarm_desk", "first_sign_in", "history", *BELOW_API},
    "engine_memory": BELOW_API,
    "engine_probe": {"engine_memory", *BELOW_API},
    "system_checks": BELOW_API,
    "signals": set(),
    "service_manager": set(),
    "replacing": {"api.tls", "house", *BELOW_API},
    "upgrading": {"house", "replacing", "service_manager", "signals", *BELOW_API},
    "main": {
        *(
            "api",
            "house",
            "keeping",
            "demo",
            "engine_memory",
            "engine_probe",
            "system_checks",
            "signals",
            "replacing",
            "upgrading",
        ),
        *BELOW_API,
    },
    "__main__": {"cli"},
}
WEB = {"fastapi", "starlette", "uvicorn"}
MAY_KNOW_THE_WEB = {"api", "main"}
STARTS = re.compile(
    r"^(subprocess|multiprocessing|asyncio\.(subprocess|create_subprocess_\w+)|os\.(fork|exec|spawn|posix_spawn|system|popen)\w*)"
)
DRAWERS = {"util", "utils", "common", "helper", "helpers", "misc"}
MAX_FILE, MAX_FUNCTION = 400, 60
MADE_BY_A_PROGRAM = {"client.answers"}
"""Nobody reads them from the first line to the last: they may be long."""
REASON = re.compile(r"# noqa: BLE001\W+\w.{8,}")


def complaints(module: str, text: str) -> Iterator[str]:
    """What is wrong with a module of srt_router, named with dots from there ("routes.plan")."""
    tree = ast.parse(text)
    yield from import_complaints(module, tree)
    if module not in MADE_BY_A_PROGRAM:
        yield from size_complaints(tree, text)
    if not ast.get_docstring(tree):
        yield "has no docstring"
    if DRAWERS & set(module.split(".")):
        yield "is a drawer: name it for what it does"


def import_complaints(module: str, tree: ast.Module) -> Iterator[str]:
    room = module.split(".")[0]
    if room not in FOUNDATION and room not in ROOMS:
        yield "is in no room of ROOMS: say there what it may import"
        return
    allowed = FOUNDATION | {room} | ROOMS.get(room, set())
    for name in sorted(imported(module, tree)):
        if name.split(".")[0] in WEB and room not in MAY_KNOW_THE_WEB:
            yield f"imports {name}: only {sorted(MAY_KNOW_THE_WEB)} may know the web framework"
        inside = name.removeprefix("srt_router.")
        if inside != name and not any(f"{inside}.".startswith(f"{what}.") for what in allowed):
            yield f"imports {inside}: {room} may import {sorted(allowed - FOUNDATION)} only"
    if room == "routes":
        yield from (f"uses {name}: routes starts nothing" for name in sorted(used(module, tree)) if STARTS.match(name))


def imported(module: str, tree: ast.Module) -> set[str]:
    """Every module that is imported, in full, also within functions; `from srt_router import x` is srt_router.x."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = f"srt_router.{module}".split(".")[: -node.level]
                base = ".".join([*package, *filter(None, [node.module])])
            # what is taken from a package may be one of its modules, and then that is what counts
            deep = {f"{base}.{alias.name}" for alias in node.names}
            found |= {name for name in deep if is_module(name)} or {base}
    return {name for name in found if name != "srt_router"}


def is_module(name: str) -> bool:
    path = SOURCES.parent.joinpath(*name.split("."))
    return name.startswith("srt_router.") and (path.is_dir() or path.with_suffix(".py").is_file())


def used(module: str, tree: ast.Module) -> set[str]:
    """What is imported, and every attribute as it is written: os.fork, asyncio.create_subprocess_exec."""
    attributes = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names = {
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return imported(module, tree) | attributes | names


def size_complaints(tree: ast.Module, text: str) -> Iterator[str]:
    lines = text.splitlines()
    if len(lines) > MAX_FILE:
        yield f"has {len(lines)} lines, more than {MAX_FILE}"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION:
                yield f"line {node.lineno}: {node.name} has {length} lines, more than {MAX_FUNCTION}"
        elif isinstance(node, ast.ExceptHandler) and catches_all(node) and not REASON.search(lines[node.lineno - 1]):
            yield f"line {node.lineno}: catches everything without `# noqa: BLE001 - reason`"


def catches_all(handler: ast.ExceptHandler) -> bool:
    if isinstance(handler.body[-1], ast.Raise) and handler.body[-1].exc is None:
        return False  # it tidies up and passes the error on
    if handler.type is None:
        return True
    return any(getattr(node, "id", "") in ("Exception", "BaseException") for node in ast.walk(handler.type))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(SOURCES).with_suffix("").parts)


MODULES = {module_name(path): path for path in sorted(SOURCES.rglob("*.py"))}


@pytest.mark.parametrize("module", MODULES)
def test_module_keeps_the_rules_of_the_house(module: str) -> None:
    assert list(complaints(module, MODULES[module].read_text())) == []


@pytest.mark.parametrize("path", sorted(HARNESS.glob("*.py")), ids=lambda path: path.stem)
def test_harness_keeps_the_sizes(path: Path) -> None:
    assert list(size_complaints(ast.parse(path.read_text()), path.read_text())) == []


LONG = "def long():\n" + "    pass\n" * MAX_FUNCTION


@pytest.mark.parametrize(
    ("module", "text", "complaint"),
    [
        ("routes.plan", "from srt_router.supervision import manager", "imports supervision"),
        ("routes.plan", "import srt_router.processes.spawner", "imports processes.spawner"),
        ("routes.plan", "from srt_router.processes import spec, scan", "imports processes.scan"),
        ("routes.plan", "from srt_router import processes", "imports processes:"),
        ("routes.plan", "from ..supervision import manager", "imports supervision"),
        ("routes.plan", "def f():\n    import subprocess", "uses subprocess"),
        ("routes.plan", "from asyncio import create_subprocess_exec", "uses asyncio.create_subprocess_exec"),
        ("routes.plan", "import os\nos.posix_spawn('x', [], {})", "uses os.posix_spawn"),
        ("processes.scan", "from srt_router.routes.model import Route", "imports routes"),
        ("monitoring.history", "from srt_router.routes.model import Route", "imports routes"),
        ("supervision.manager", "from srt_router.api.app import create_app", "imports api"),
        ("supervision.manager", "from fastapi import FastAPI", "imports fastapi"),
        ("processes.scan", "import uvicorn.config", "imports uvicorn.config"),
        ("errors", "from srt_router.routes.model import Route", "imports routes"),
        ("api.app", "from srt_router import main", "imports main"),
        ("cellar.wine", "", "is in no room"),
        ("routes.util", "", "is a drawer"),
        ("routes.plan", "x = 1", "has no docstring"),
        ("routes.plan", "\n" * (MAX_FILE + 1), "has 401 lines"),
        ("routes.plan", LONG, "long has 61 lines"),
        ("routes.plan", "try:\n    f()\nexcept Exception:\n    pass", "line 3: catches everything"),
        ("routes.plan", "try:\n    f()\nexcept:  # noqa: BLE001\n    pass", "line 3: catches everything"),
        ("routes.plan", "try:\n    f()\nexcept (OSError, Exception):\n    pass", "line 3: catches everything"),
    ],
)
def test_a_bad_module_is_found(module: str, text: str, complaint: str) -> None:
    assert any(complaint in found for found in complaints(module, text)), list(complaints(module, text))


def test_a_good_module_passes() -> None:
    good = (
        '"""Good."""\nfrom srt_router import errors\nfrom srt_router.processes.spec import Leg\nfrom . import model\n'
        "try:\n    f()\nexcept Exception:  # noqa: BLE001 - the edge of a task: its route fails\n    pass\n"
        "try:\n    f()\nexcept BaseException:\n    tidy_up()\n    raise\n"
    )
    assert list(complaints("routes.plan", good)) == []


def test_there_is_something_to_check() -> None:
    assert {"main", "routes.plan", "processes.spec"} <= set(MODULES)
