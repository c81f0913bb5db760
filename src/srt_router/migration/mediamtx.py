"""`mediamtx.yml`: each path with an SRT, UDP or publisher source becomes a route.

MediaMTX has one SRT port for all: publishers call it with the stream id `publish:PATH`, readers with `read:PATH`.
Here each has a port of its own, so ports are suggested, and every one is told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from srt_router.migration.draft import Draft, Ports, Read, listening_port
from srt_router.migration.ends import end_of
from srt_router.migration.findings import FileRefused, Finding, Place, refusal
from srt_router.routes.errors import MOST_ERRORS
from srt_router.routes.merging import Json

_TAKEN = frozenset({"source", "srtReadPassphrase", "srtPublishPassphrase"})
_SWITCHES = (
    *("sourceOnDemand", "record", "alwaysAvailable"),
    *("runOnInit", "runOnDemand", "runOnUnDemand", "runOnReady", "runOnNotReady", "runOnRead", "runOnUnread"),
)
"""Keys whose name goes on (`recordPath`) say something only where the key itself is set."""
_OF_OTHER_SOURCES = ("rpiCamera", "rtsp", "rtp", "whep", "moq", "sourceRedirect", "sourceFingerprint", "sourceProtocol")
_AS_IT_IS = {"overridePublisher": "true", "sourceAnyPortEnable": "false"}
_SILENT = frozenset({"", "no", "false", "off", "0", "null", "~"})
"""Values that switch nothing on."""
_TELLING = (
    "runOnConnect",
    "runOnDisconnect",
    "authHTTPAddress",
    "externalAuthenticationURL",
    "authJWTJWKS",
    "playback",
)
_DEEPEST = 20
_LONGEST_KEY = 100


@dataclass(frozen=True, slots=True)
class _Entry:
    value: Node
    place: Place

    @property
    def text(self) -> str | None:
        """The value as it stands in the file; None: it is empty, or no single value."""
        if not isinstance(self.value, ScalarNode) or self.value.tag == "tag:yaml.org,2002:null":
            return None
        return self.value.value or None

    @property
    def says_something(self) -> bool:
        if isinstance(self.value, ScalarNode):
            return self.value.value.lower() not in _SILENT
        return bool(self.value.value)


def read(text: str, first_port: int, taken_ports: Collection[int]) -> Read:
    """Return the routes of the paths. Raises FileRefused with line and key."""
    root = _entries(_composed(text), Place(1))
    remarks = list(_global_remarks(root))
    defaults = _entries(root["pathDefaults"].value, root["pathDefaults"].place) if "pathDefaults" in root else {}
    if "paths" not in root:
        raise refusal(Place(1, "paths"), "is required: there is nothing to take over")
    paths = _entries(root["paths"].value, root["paths"].place)
    remarks += _left_out(defaults)
    drafts: list[Draft] = []
    errors: list[Finding] = []
    for name, path in paths.items():
        try:
            draft = _draft(name, path, defaults, remarks)
        except FileRefused as refused:
            errors += refused.errors
            continue
        if draft is not None:
            drafts.append(draft)
        if len(errors) >= MOST_ERRORS:
            break
    if errors:
        raise FileRefused(errors)
    held = {port for draft in drafts if (port := listening_port(draft.source)) is not None}
    ports = Ports(first_port, held | set(taken_ports))
    for draft in drafts:
        _give_ports(draft, ports, remarks)
    return Read(drafts, remarks)


def _composed(text: str) -> Node:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise refusal(Place(mark.line + 1 if mark else 1), f"is not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise refusal(Place(1), "is not YAML that can be read: a forbidden character, or nested too deeply") from None
    if node is None:
        raise refusal(Place(1), "the file is empty")
    return node


def _entries(node: Node, place: Place, depth: int = 0) -> dict[str, _Entry]:
    """The keys of a mapping; those that `<<` brings in come last, and do not win."""
    if isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:null":
        return {}
    if not isinstance(node, MappingNode):
        raise refusal(place, "must have keys and values")
    if depth > _DEEPEST:
        raise refusal(place, "is merged ('<<') too deeply")
    found: dict[str, _Entry] = {}
    merged: list[Node] = []
    for key, value in node.value:
        inner = Place(key.start_mark.line + 1, place.field)
        if not isinstance(key, ScalarNode):
            raise refusal(inner, "has a key that is not text")
        if key.tag == "tag:yaml.org,2002:merge":
            merged += value.value if isinstance(value, SequenceNode) else [value]
            continue
        inner = inner.under(key.value[:_LONGEST_KEY])
        if key.value in found:
            raise refusal(inner, "stands twice")
        found[key.value] = _Entry(value, inner)
    if len(merged) > 1 and depth:  # lists of merges within lists of merges may grow without end
        raise refusal(place, "is merged ('<<') too deeply")
    return found | _merged(merged, place, depth, found)


def _merged(nodes: list[Node], place: Place, depth: int, known: Mapping[str, _Entry]) -> dict[str, _Entry]:
    found: dict[str, _Entry] = {}
    for node in nodes:
        found = _entries(node, place, depth + 1) | found
    return {name: entry for name, entry in found.items() if name not in known}


def _global_remarks(root: Mapping[str, _Entry]) -> Iterator[Finding]:
    for key in _TELLING:
        if key in root and root[key].says_something:
            yield Finding(root[key].place, "is not taken over: the router has no such function")
    users = root.get("authInternalUsers")
    if users and isinstance(users.value, SequenceNode):
        for user in users.value.value:
            if not isinstance(user, MappingNode):
                continue
            entries = _entries(user, Place(user.start_mark.line + 1, "authInternalUsers"))
            if "user" in entries and entries["user"].text not in (None, "any"):
                message = "is not taken over: who may publish or read is decided by the passphrase of its port"
                yield Finding(entries["user"].place, message)


def _draft(name: str, entry: _Entry, defaults: Mapping[str, _Entry], remarks: list[Finding]) -> Draft | None:
    """The route of a path, without ports that have to be found; None: it was left out, and told."""
    path = _entries(entry.value, entry.place)
    remarks += _left_out(path)
    if name.startswith("~") or name in ("all", "all_others"):
        remarks.append(Finding(entry.place, "was left out: it stands for any number of paths; make a route for each"))
        return None
    source = path.get("source") or defaults.get("source")
    uri = source.text if source and source.text else "publisher"
    place = source.place if source else entry.place
    scheme = uri.partition("://")[0].lower()
    if "$" in uri:
        remarks.append(Finding(place, "the path was left out: its source has a variable"))
        return None
    if uri != "publisher" and scheme not in ("srt", "udp", "udp+mpegts"):
        kind = scheme if "://" in uri else "this kind of"
        remarks.append(Finding(place, f"the path was left out: the router takes no {_plain(kind)} source"))
        return None
    draft = Draft(entry.place, name, {})
    draft.places[("source",)] = place
    if uri == "publisher":
        draft.source = {"type": "srt", "mode": "listener", "port": None}
        _set_passphrase(draft, ("source",), draft.source, path, defaults, "srtPublishPassphrase")
    else:
        draft.source = end_of(uri, place, remarks, receiving=True)
    readers: Json = {"type": "srt", "name": "readers", "mode": "listener", "port": None}
    draft.destinations.append(readers)
    draft.places[("destinations", 0)] = entry.place
    _set_passphrase(draft, ("destinations", 0), readers, path, defaults, "srtReadPassphrase")
    return draft


def _plain(kind: str) -> str:
    return kind if kind.replace("+", "").replace(" ", "").isalnum() and len(kind) < 20 else "such"


def _set_passphrase(  # noqa: PLR0913 - where to, and where from
    draft: Draft,
    where: tuple[str | int, ...],
    end: Json,
    path: Mapping[str, _Entry],
    defaults: Mapping[str, _Entry],
    key: str,
) -> None:
    entry = path.get(key) or defaults.get(key)
    if entry and entry.text:
        end["passphrase"] = entry.text
        draft.places[(*where, "passphrase")] = entry.place


def _left_out(path: Mapping[str, _Entry]) -> Iterator[Finding]:
    """A remark for every key that says something the router does not do."""
    for key, entry in path.items():
        if key in _TAKEN or not _counts(key, path):
            continue
        yield Finding(entry.place, "is not taken over: the router has no such function")


def _counts(key: str, path: Mapping[str, _Entry]) -> bool:
    if key.startswith(_OF_OTHER_SOURCES):
        return False
    entry = path[key]
    if key in _AS_IT_IS:
        text = (entry.text or "").lower()
        return text not in (_AS_IT_IS[key], "yes" if _AS_IT_IS[key] == "true" else "no", "")
    switch = next((one for one in _SWITCHES if key.startswith(one)), key)  # runOnReady stands before runOnRead
    return entry.says_something and switch in path and path[switch].says_something


def _give_ports(draft: Draft, ports: Ports, remarks: list[Finding]) -> None:
    place = draft.place
    if draft.source.get("port") is None:
        port = draft.source["port"] = ports.next(place)
        remarks.append(Finding(place, f"the publisher calls port {port} from now on; no stream id is needed"))
    port = draft.destinations[0]["port"] = ports.next(place)
    message = f"one SRT reader calls port {port} from now on; add a destination for each further one"
    remarks.append(Finding(place, message))
