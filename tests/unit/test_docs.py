"""The documentation against the code: what one has and the other has not fails here."""

from __future__ import annotations

import ast
import functools
import json
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from srt_router.accounts.accounts import Accounts
from srt_router.alarms.service import Alarms, TestOutcome
from srt_router.api import problems
from srt_router.api.alarms import AlarmList, ReceiverList, RuleList
from srt_router.api.app import Rooms, create_app
from srt_router.api.backups import BackupList
from srt_router.api.bodies import RouteDetail
from srt_router.api.destinations import DestinationList
from srt_router.api.events import EventList
from srt_router.api.health import Health
from srt_router.api.host import Diagnosis, EngineView, InterfaceList
from srt_router.api.network import Network
from srt_router.api.processes import OrphanList, ProcessList
from srt_router.api.stream import StreamList
from srt_router.api.thumbnails import ThumbnailList
from srt_router.api.transfer import ManyEdited
from srt_router.errors import SettingsError
from srt_router.processes.ending import GRACE_S
from srt_router.routes import document, store
from srt_router.routes.addresses import BUS_NETWORK, BUS_PORTS
from srt_router.routes.fields import Whole
from srt_router.routes.model import (
    DEFAULT_TTL,
    MAX_DESTINATIONS,
    Route,
    SrtDestination,
    SrtEndpoint,
    SrtSource,
    UdpDestination,
    UdpSource,
    json_names,
)
from srt_router.routes.srt_options import SrtOptions, to_camel
from srt_router.routes.uri import BUS_RCVBUF, buffers
from srt_router.settings import PREFIX, Settings, known_keys, load_settings
from srt_router.storage.events import EventStore
from srt_router.supervision import restart, route_owner
from srt_router.supervision.backup_sets import Restored, Verification
from srt_router.supervision.backups import Backups
from srt_router.supervision.editing import RouteEditor
from srt_router.supervision.housekeeping import CleanupView, Housekeeping
from srt_router.supervision.manager import RouteManager
from srt_router.supervision.route_monitor import RouteStatistics

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "srt_router"
NOT_OURS = {".venv", ".tools", ".git", "node_modules"}
PAGES = sorted(page for page in ROOT.rglob("*.md") if not NOT_OURS & set(page.relative_to(ROOT).parts))
ROUTES = (ROOT / "docs" / "routes.md").read_text()
SETTINGS = (ROOT / "docs" / "reference" / "settings.md").read_text()
HTTP = "\n".join(page.read_text() for page in sorted((ROOT / "docs" / "reference").glob("http*.md"), reverse=True))
"""One page after the other, http.md first."""

# Reading Markdown


def blocks(text: str) -> list[tuple[str, str]]:
    """The code blocks of a page, each with its language."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def prose(text: str) -> str:
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def section(text: str, heading: str) -> str:
    """What stands between a heading of the second or third level and the next one."""
    found = re.search(rf"^##+ {re.escape(heading)}$(.*?)(?=^##+ |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"there is no section '{heading}'"
    return found[1]


def rows(text: str) -> dict[str, str]:
    """The rows of the tables in a text, by what stands in backquotes in their first column."""
    return {name: row for row, name in re.findall(r"^(\| `([^`]+)` \|.*)$", text, re.MULTILINE)}


def anchors(text: str) -> set[str]:
    """The anchors of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    """The relative links of a page that lead nowhere."""
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text())):
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if re.match(r"[a-z]+:", link):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            broken.append(link)
    return broken


def mentions(text: str, number: float | str) -> bool:
    """Whether a number stands in a text, and not only as a part of a longer one."""
    return bool(re.search(rf"(?<![\w.-]){re.escape(str(number))}(?![\w]|\.\d)", text))


def test_the_reading_can_fail(tmp_path: Path) -> None:
    assert rows("| `a` | 1 |\n| b | 2 |\n") == {"a": "| `a` | 1 |"}
    assert blocks("x\n```json\n{}\n```\n") == [("json", "{}\n")]
    page = tmp_path / "a.md"
    page.write_text(
        "# One `two`, /three\n[a](a.md#one-two-three) [b](#no) [c](no.md) [d](https://x/)\n```\n[e](no)\n```\n"
    )
    assert broken_links(page) == ["#no", "no.md"]
    assert mentions("up to 64 of", 64)
    assert not mentions("up to 640 of, 1.64, 64.5", 64)
    with pytest.raises(AssertionError):
        section("## Other\n", "This")


# All pages


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_resolves(page: Path) -> None:
    assert broken_links(page) == []


def routes_files() -> Iterator[tuple[str, str, str]]:
    """Every routes file in the documentation: where, its text, and the text block after it, if there is one."""
    for page in PAGES:
        found = blocks(page.read_text())
        for number, (language, text) in enumerate(found):
            if language == "json" and '"routes": [' in text and '"condition": {' not in text:  # not an alarm rule
                following = found[number + 1] if number + 1 < len(found) else ("", "")
                yield f"{page.name}-{number}", text, following[1] if following[0] == "text" else ""


@pytest.mark.parametrize(("text", "messages"), [pytest.param(*two, id=name) for name, *two in routes_files()])
def test_every_routes_file_parses_or_is_answered_as_the_page_says(text: str, messages: str) -> None:
    assert [f"routes.json: {error}" for error in document.parse(text).errors] == messages.splitlines()


def test_there_are_routes_files_with_every_kind_of_end() -> None:
    routes = [route for _, text, _ in routes_files() for route in document.parse(text).routes]
    kinds = {type(end) for route in routes for end in (route.source, *route.destinations)}
    assert kinds == {SrtSource, SrtDestination, UdpSource, UdpDestination}
    ends = [end for route in routes for end in (route.source, *route.destinations) if isinstance(end, SrtEndpoint)]
    assert {end.mode for end in ends} == {"listener", "caller", "rendezvous"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_json_block_is_json(page: Path) -> None:
    for language, text in blocks(page.read_text()):
        if language == "json":
            json.loads(text)


# Routes

DOCUMENTED: dict[str, tuple[type[BaseModel], ...]] = {
    "Route": (Route,),
    "SRT source and SRT destination": (SrtSource, SrtDestination),
    "SRT options": (SrtOptions,),
    "UDP source": (UdpSource,),
    "UDP destination": (UdpDestination,),
}
"""Which section of routes.md has the fields of which models."""

FIELDS = [
    (heading, name, field)
    for heading, models in DOCUMENTED.items()
    for name, field in {name: field for model in models for name, field in model.model_fields.items()}.items()
    if heading == "SRT options" or name not in SrtOptions.model_fields or not issubclass(models[0], SrtOptions)
]


def ranges(annotation: object, metadata: list[Any]) -> Iterator[Whole]:
    """The ranges in a field's type, however deep."""
    yield from (one for one in metadata if isinstance(one, Whole))
    for inner in typing.get_args(annotation):
        if isinstance(inner, Whole):
            yield inner
        else:
            yield from ranges(inner, [])


def literals(annotation: object) -> Iterator[str]:
    """The words that a field's type allows."""
    if typing.get_origin(annotation) is typing.Literal:
        yield from map(str, typing.get_args(annotation))
    elif annotation is bool:
        yield from ("true", "false")


@pytest.mark.parametrize("heading", DOCUMENTED)
def test_a_section_has_exactly_the_fields_of_its_model(heading: str) -> None:
    assert set(rows(section(ROUTES, heading))) == {to_camel(name) for where, name, _ in FIELDS if where == heading}


@pytest.mark.parametrize(
    ("heading", "name", "field"), FIELDS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_row_has_range_and_default(heading: str, name: str, field: FieldInfo) -> None:
    row = rows(section(ROUTES, heading))[to_camel(name)]
    for allowed in ranges(field.annotation, field.metadata):
        low = 1024 if (heading, name) == ("SRT source and SRT destination", "port") else allowed.low
        assert mentions(row, low), f"{row}: from {low}"
        assert mentions(row, allowed.high), f"{row}: to {allowed.high}"
        assert not allowed.unit or allowed.unit in row, f"{row}: {allowed.unit}"
    for word in literals(field.annotation):
        assert word in row
    if field.is_required():
        assert "required" in row
    elif isinstance(field.default, bool | int):
        assert mentions(row, json.dumps(field.default)), f"{row}: {field.default}"


def test_the_documents_own_fields() -> None:
    good = {"version": document.VERSION, "routes": []}
    assert not document.parse(json.dumps(good)).errors
    assert set(rows(section(ROUTES, "The file"))) == set(good)


def highest_latency_without(name: str) -> int:
    """Up to which latency the router sets no `name` by itself."""

    def sets(latency: int) -> bool:
        end = SrtSource(type="srt", mode="listener", port=4000, latency=latency)
        return name in buffers(end, receiving=True)

    return next(latency for latency in range(60000) if sets(latency + 1))


def buffer_at(latency: int) -> int:
    return buffers(SrtSource(type="srt", mode="listener", port=4000, latency=latency), receiving=True)["rcvbuf"]


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("Latency", f"**{highest_latency_without('rcvbuf')} ms**"),
        ("Latency", f"above {highest_latency_without('fc')} ms"),
        ("Latency", f"8000 ms a buffer may take {buffer_at(8000) / 1e6:.0f} MB"),
        ("Latency", f"60000 ms {buffer_at(60000) / 1e9:.2f} GB"),
        ("Limits", f"| destinations of a route | {MAX_DESTINATIONS} |"),
        ("Limits", f"| `routes.json` | {store.MAX_BYTES // 1024**2} MiB |"),
        ("What is refused", f"{BUS_NETWORK} with ports {BUS_PORTS.start} to {BUS_PORTS.stop - 1}"),
        ("What is refused", f"every {route_owner._RECHECK_S:.0f} s until it can start"),
        ("What restarts when", f"from {restart.FIRST_PAUSE_S} s\nto {restart.FAILURE_CAP_S:.0f} s"),
        ("What restarts when", f"({restart.PEER_CAP_S:.0f} s for a caller whose peer is away)"),
        ("What restarts when", f"Ten failures within {restart.LOOP_WINDOW_S:.0f} s are flagged `crashLooping`"),
        ("What restarts when", f"up for {restart.STABLE_S:.0f} s starts afresh"),
        ("What restarts when", f"after {GRACE_S:.0f} s no more"),
        ("SRT modes", f"pauses that grow to {restart.PEER_CAP_S:.0f} s"),
        ("UDP destination", f"| {DEFAULT_TTL} | routers that it may pass"),
        ("UDP source", f"| {BUS_RCVBUF} | socket buffer"),
    ],
)
def test_limits_are_those_of_the_code(heading: str, words: str) -> None:
    assert words in section(ROUTES, heading)


def test_ten_failures_are_what_the_code_says() -> None:
    assert restart.LOOP_ENDS == 10


@pytest.mark.parametrize(("field", "limit"), [("name", 100), ("streamId", 512), ("passphrase", 79), ("tags", 64)])
def test_lengths_are_those_of_the_code(field: str, limit: int) -> None:
    def refused(length: int) -> bool:
        source = {"type": "srt", "mode": "caller", "host": "192.0.2.7", "port": 4000}
        value = ["tag"] * length if field == "tags" else "x" * length
        route: dict[str, Any] = {"id": "route_1", "name": "A", "source": source, "destinations": []}
        (source if field in ("streamId", "passphrase") else route)[field] = value
        return bool(document.parse(json.dumps({"version": 1, "routes": [route]})).errors)

    assert (refused(limit), refused(limit + 1)) == (False, True)
    assert any(mentions(row, limit) for row in ROUTES.splitlines() if f"| `{field}` |" in row)


# Settings


def test_every_setting_has_its_row() -> None:
    table = rows(SETTINGS)
    assert set(table) == set(known_keys())
    for key, row in table.items():
        assert f"| `{PREFIX}{key}` |" in row


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_has_default_and_values(name: str) -> None:
    field = Settings.model_fields[name]
    row = rows(SETTINGS)[name.upper()]
    if field.default_factory is None and field.default is not None:
        default = json.dumps(field.default) if isinstance(field.default, bool) else field.default
        default = f"{default:g}" if isinstance(default, float) else default
        assert f"| `{default}` |" in row
    for value in getattr(field.annotation, "__members__", {}).values():
        assert f"`{value}`" in row


def toml_blocks() -> list[str]:
    return [text for page in PAGES for language, text in blocks(page.read_text()) if language == "toml"]


@pytest.mark.parametrize("number", range(len(toml_blocks())))
def test_every_toml_block_loads(number: int, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(toml_blocks()[number])
    load_settings(file, {})


def test_an_example_has_every_key() -> None:
    assert any(all(key in text for key in known_keys()) for text in toml_blocks())


def test_the_message_about_an_unknown_key_is_the_real_one() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(None, {f"{PREFIX}PROT": "1"})
    assert ("text", f"srt-router: {caught.value}\n") in blocks(SETTINGS)


# HTTP

ROOMS = Rooms(
    Mock(spec=RouteManager),
    Mock(spec=Housekeeping),
    Mock(spec=EventStore),
    Mock(spec=RouteEditor),
    Settings(),
    Mock(spec=Accounts),
    Network(),
    Mock(spec=Alarms),
    Mock(spec=Backups),
)
OPENAPI = create_app(ROOMS).openapi()
NEVER_SENT = {"HTTPValidationError", "ValidationError"}
"""Put into the document by the framework; problem details are sent instead."""
PARTS_OF_ROUTES = {model.__name__ for model in json_names()} | {"RouteInput"}
"""They have pages of their own."""


def test_every_path_has_its_section_and_no_other_has() -> None:
    paths = {f"{method.upper()} {path}" for path, methods in OPENAPI["paths"].items() for method in methods}
    written = set(re.findall(r"^## ((?:GET|POST|PUT|DELETE|PATCH) .+)$", HTTP, re.MULTILINE))
    assert written == {path.replace("{route_id}", "{id}") for path in paths}
    for heading in written:
        assert f"[`{heading}`](#" in HTTP, "it is not in the table at the beginning of its page"


@pytest.mark.parametrize("heading", re.findall(r"^## ((?:GET|POST) .+)$", HTTP, re.MULTILINE))
def test_every_section_has_a_curl_command_for_its_path(heading: str) -> None:
    method, path = heading.split()
    option = "" if method == "GET" else f"-X {method} "
    path = path.replace("{alarm_id}", "alarm_1761154361019").replace("{rule_id}", "rule_1")
    path = path.replace("{receiver_id}", "receiver_1761154400000")
    pattern = re.sub(r"\\\{\w+\\\}", r"[\\w.-]+", re.escape(path.replace("{id}", "route_1761154355576")))
    command = re.compile(rf"curl -s {option}localhost:8080{pattern}[\n? ]")
    assert [text for language, text in blocks(section(HTTP, heading)) if not language and command.match(text)]


def test_every_field_and_word_of_an_answer_is_named() -> None:
    words: set[str] = set()
    for name, schema in OPENAPI["components"]["schemas"].items():
        if name not in NEVER_SENT | PARTS_OF_ROUTES:
            words |= set(schema.get("properties", ())) | set(schema.get("enum", ()))
    assert len(words) > 50
    assert {word for word in words if f"`{word}`" not in HTTP and f'"{word}"' not in HTTP} == set()


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("GET /api/health", Health),
        ("GET /api/routes/{id}", RouteDetail),
        ("GET /api/routes/{id}/destinations", DestinationList),
        ("POST /api/routes/import", ManyEdited),
        ("GET /api/interfaces", InterfaceList),
        ("GET /api/engine", EngineView),
        ("GET /api/doctor", Diagnosis),
        ("GET /api/routes/{id}/stats", RouteStatistics),
        ("GET /api/routes/{id}/stream", StreamList),
        ("GET /api/thumbnails", ThumbnailList),
        ("GET /api/processes", ProcessList),
        ("GET /api/orphans", OrphanList),
        ("POST /api/cleanup", CleanupView),
        ("GET /api/events", EventList),
        ("GET /api/alarms", AlarmList),
        ("GET /api/alarms/rules", RuleList),
        ("GET /api/alarms/receivers", ReceiverList),
        ("POST /api/alarms/receivers/{receiver_id}/test", TestOutcome),
        ("GET /api/backups", BackupList),
        ("POST /api/backups/{name}/verify", Verification),
        ("POST /api/backups/{name}/restore", Restored),
        ("Errors", problems.Problem),
    ],
)
def test_a_documented_answer_has_the_shape_of_a_real_one(heading: str, model: type[object]) -> None:
    answers = [json.loads(text) for language, text in blocks(section(HTTP, heading)) if language == "json"]
    assert len(answers) == 1
    adapter = TypeAdapter(model)
    assert adapter.dump_python(adapter.validate_python(answers[0]), mode="json", by_alias=True) == answers[0]


def source_trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text()) for path in sorted(SOURCE.rglob("*.py"))}


def strings(nodes: list[ast.expr]) -> set[str]:
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_problem_code_has_its_row() -> None:
    sent = set(problems._CODES.values()) | {error.code for error in problems._STATUS}
    for path, tree in source_trees().items():
        for node in ast.walk(tree):
            if path.parent.name == "api" and isinstance(node, ast.Call) and len(node.args) > 1:
                sent |= strings(node.args[1:2]) if ast.unparse(node.func) in ("problem", "_CODES.get") else set()
    assert "internalError" in sent
    assert set(rows(section(HTTP, "Errors"))) == sent
    for error, (status, _title) in problems._STATUS.items():
        assert f"| `{error.code}` | {status} |" in HTTP


def test_every_code_of_an_error_is_named() -> None:
    codes: set[str] = set()
    for tree in source_trees().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                for line in node.body:
                    if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "code":
                        codes |= strings([line.value])
    assert "routeNotFound" in codes
    assert {code for code in codes if f"`{code}`" not in HTTP} == set()


# Log lines

CONTRACT = """\
[RouteManager] Cleaning up orphaned processes...
[PidManager] Found 0 PID file(s), cleaning up orphans...
[PidManager] Found 2 orphaned srt-live-transmit process(es) without PID files
[PidManager] Killing orphaned srt-live-transmit PID 232607
[PidManager] Orphan cleanup complete: 2 killed, 0 errors
[RouteManager] Orphan cleanup: 2 processes killed, 0 errors
[HealthChecker] Route route_1761154355576 unhealthy: no bandwidth for 30s
[HealthChecker] Restarting route route_1761154355576 (attempt 1)
[HealthChecker] Route route_1761154355576 gave up after 3 attempts
""".splitlines()
"""Scripts look for these lines. One of a component that does not exist yet must not be documented yet."""


@functools.cache
def log_lines() -> dict[str, list[str]]:
    """Every log message in the source, as a pattern, by the name of its logger."""
    found: dict[str, list[str]] = {}
    for tree in source_trees().values():
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
        names = {name for call in calls if ast.unparse(call.func) == "logging.getLogger" for name in strings(call.args)}
        messages = {
            message
            for call in calls
            if re.fullmatch(r"log(ger)?\.(info|warning|error)", ast.unparse(call.func))
            for message in strings(call.args[:1])
        }
        for name in names:
            found.setdefault(name, []).extend(re.sub(r"%\w", ".+", re.escape(message)) for message in messages)
    return found


@pytest.mark.parametrize("line", CONTRACT)
def test_a_line_of_the_contract_is_logged_and_documented(line: str) -> None:
    component, _, message = line.removeprefix("[").partition("] ")
    logged = log_lines()
    assert logged["PidManager"]
    documented = any(line in page.read_text() for page in PAGES)
    if component in logged:
        assert any(re.fullmatch(pattern, message) for pattern in logged[component]), f"nothing logs: {line}"
        assert documented, f"not documented: {line}"
    else:
        assert not documented, f"documented, and nothing is there that logs it: {line}"


def test_every_documented_line_is_of_the_contract() -> None:
    written = [line for language, text in blocks(SETTINGS) if language == "text" for line in text.splitlines()]
    assert {line for line in written if line.startswith("[")} <= set(CONTRACT)
