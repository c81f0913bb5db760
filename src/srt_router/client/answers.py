"""What the HTTP API answers, as types. Made by scripts/client_types.py: do not edit.

A server of another version may answer with fields that are not here.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

Action = Literal["kill", "report", "leave", "removeFile"]
"""What a cleanup does with a process or a PID file."""

AlarmKind = Literal[
    "routeFailed",
    "waitingLongerThan",
    "degradedLongerThan",
    "bitrateBelow",
    "lossAbove",
    "continuityErrorsAbove",
    "busDropsAbove",
    "crashLooping",
    "orphanFound",
]
"""What a rule looks at."""

ClearedBecause = Literal["recovered", "ruleRemoved", "ruleDisabled", "ruleChanged", "routeRemoved"]
"""Why an alarm has ended."""

Connection = Literal["unknown", "waiting", "connected"]
"""Is a peer there?"""

EffectAction = Literal["start", "stop", "restart", "keep", "configure"]
"""What becomes of one process."""

Kind = Literal["session", "token", "local"]
"""How somebody has shown who it is."""

LogLevel = Literal["debug", "info", "warning", "error"]
"""LOG_LEVEL: the least important lines that are written."""

Metric = Literal["lossPercent", "msRTT", "continuityErrors", "busDrops"]
"""What is watched."""

Owner = Literal["ours", "liveRouter", "deadRouter", "nobody", "protected", "unreadable", "unsettled"]
"""Whose process it is."""

Phase = Literal["stopped", "starting", "running", "stopping", "restarting"]
"""What a process is doing."""

ProcessState = Literal["running", "stopped", "orphaned", "zombie"]
"""The four states of a media process, as operators and scripts know them."""

Role = Literal["viewer", "operator", "administrator"]
"""From the least to the most."""

RouteStatus = Literal["stopped", "starting", "waiting", "running", "degraded", "restarting", "failed", "stopping"]
"""What a route does, as people and scripts are told."""

Severity = Literal["info", "warning", "critical"]
"""How bad it is."""

State = Literal["ok", "warn", "fail"]
"""What a check found."""

StreamLeg = Literal["source", "transcode"]
"""Where in its route a stream is."""

StreamState = Literal["ok", "errors", "noSync", "silent", "unknown"]
"""How the stream on a bus is, in a word."""


class Address(TypedDict):
    """One address of an interface."""

    address: str
    version: int
    prefix: int | None


class Alarm(TypedDict):
    """One alarm, active or past."""

    id: str
    ruleId: str
    rule: str
    kind: AlarmKind
    severity: Severity
    routeId: str | None
    routeName: str | None
    message: str
    raisedAt: int
    clearedAt: NotRequired[int | None]
    clearedBecause: NotRequired[ClearedBecause | None]
    clearedMessage: NotRequired[str | None]
    acknowledgedAt: NotRequired[int | None]
    acknowledgedBy: NotRequired[str | None]
    receivers: list[str]
    notifyRecovery: bool


class AlarmList(TypedDict):
    """Alarms, newest first."""

    items: list[Alarm]


class Applied(TypedDict):
    """What is restarted, in this order."""

    items: list[str]


class BackupList(TypedDict):
    """Every backup, newest first."""

    items: list[BackupView]


class BackupView(TypedDict):
    """One backup: the database and the routes of one moment, in two files."""

    name: str
    routesName: str
    createdAt: int
    size: int


class BitrateBelow(TypedDict):
    """The source of a route on air brings less than so many Mb/s."""

    kind: Literal["bitrateBelow"]
    mbps: float


class BusDropsAbove(TypedDict):
    """The kernel threw away more than so many datagrams of the route's bus in the last minute."""

    kind: Literal["busDropsAbove"]
    datagramsPerMinute: int


class CheckView(TypedDict):
    """What one check of the doctor found."""

    name: str
    state: State
    message: str
    remedy: str
    fixed: str


class CleanupView(TypedDict):
    """What a cleanup did."""

    killed: list[int]
    errors: list[NotKilled]
    reported: list[Reported]
    staleFiles: list[str]


class ContinuityErrorsAbove(TypedDict):
    """The transport stream had more than so many continuity errors in the last minute."""

    kind: Literal["continuityErrorsAbove"]
    errorsPerMinute: int


class CountersView(TypedDict):
    """What was counted since the last reset, or since the start."""

    at: int
    packets: int
    continuityErrors: int
    transportErrors: int
    crcErrors: int
    missed: int
    tr101290: dict[str, int]


class CountsView(TypedDict):
    """Counters over one span of time."""

    packets: int | None
    bytes: int | None
    lost: int | None
    retransmitted: int | None
    dropped: int | None
    belated: int | None
    busDrops: int | None


class CrashLooping(TypedDict):
    """A process of the route has failed ten times within a minute."""

    kind: Literal["crashLooping"]


class DegradedLongerThan(TypedDict):
    """A destination of the route has been in trouble for longer than so many seconds."""

    kind: Literal["degradedLongerThan"]
    seconds: float


class DestinationDetail(TypedDict):
    """One destination as it is now, and as it is configured."""

    index: int
    id: str | None
    process: str | None
    connection: Connection
    state: Phase
    config: dict[str, Any]


class DestinationEdited(TypedDict):
    """A destination after an edit."""

    index: int
    id: str | None
    process: str | None
    connection: Connection
    state: Phase
    config: dict[str, Any]
    effects: Effects


class DestinationList(TypedDict):
    """The destinations of a route, in their order."""

    items: list[DestinationDetail]


class Diagnosis(TypedDict):
    """What `srt-router doctor --json` prints."""

    items: list[CheckView]
    ok: int
    warn: int
    fail: int


class Differences(TypedDict):
    """From one state of all routes to another."""

    added: list[RouteChange]
    changed: list[RouteChange]
    removed: list[RouteChange]


class DryRunAnswer(TypedDict):
    """What an edit would do."""

    effects: Effects
    config: NotRequired[dict[str, Any] | None]


class Effects(TypedDict):
    """What an edit does to everything on air."""

    processes: list[ProcessEffect]
    interrupts: bool


class ElementaryView(TypedDict):
    """One elementary stream of a service."""

    pid: int
    kind: str
    codec: str
    language: str | None


class EmailView(TypedDict):
    """An e-mail receiver and how it fares."""

    name: str
    enabled: bool
    type: Literal["email"]
    to: list[str]
    id: str
    state: ReceiverState


class EndSecrets(TypedDict):
    """What is secret of one end."""

    index: int | None
    id: str | None
    passphrase: str | None


class EngineView(TypedDict):
    """The programs that carry routes."""

    version: str
    srtVersion: str
    ffmpegVersion: str | None
    clock: bool
    encoders: list[str] | None


class Event(TypedDict):
    """One event as it is kept and shown."""

    id: int
    at: int
    kind: str
    routeId: str | None
    processType: str | None
    message: str
    data: dict[str, Any]
    actor: NotRequired[str | None]
    repeated: int


class EventList(TypedDict):
    """One page of events, newest first."""

    items: list[Event]
    nextCursor: str | None


class FieldChange(TypedDict):
    """One field that is another now."""

    field: str
    before: Any
    after: Any


class FreePorts(TypedDict):
    """Ports that no route uses and nobody on this machine holds."""

    ports: list[int]


class Health(TypedDict):
    """The answer, with 200 while the server can do its work and 503 while it cannot."""

    status: str
    version: str
    problems: list[str]
    routes: dict[str, int]


class History(TypedDict):
    """Columns for a graph: all of the same length."""

    leg: str
    resolution: int
    t: list[int]
    values: dict[str, list[float | None]]


class IndicatorView(TypedDict):
    """One kind of error."""

    count: int
    lastAt: int | None
    active: bool


class Interface(TypedDict):
    """One network interface."""

    name: str
    up: bool
    loopback: bool
    multicast: bool
    mtu: int
    speedMbps: int | None
    mac: str | None
    addresses: list[Address]


class InterfaceList(TypedDict):
    """The network interfaces of this machine."""

    items: list[Interface]


class LegStatistics(TypedDict):
    """One leg now, with everything there is to know."""

    leg: str
    process: NotRequired[str | None]
    connection: Connection
    connectedSince: NotRequired[int | None]
    reconnects: NotRequired[int | None]
    peer: NotRequired[str | None]
    reportedAt: NotRequired[int | None]
    bitrate: NotRequired[float | None]
    packetRate: NotRequired[float | None]
    packets: NotRequired[int | None]
    bytes: NotRequired[int | None]
    lost: NotRequired[int | None]
    retransmitted: NotRequired[int | None]
    dropped: NotRequired[int | None]
    belated: NotRequired[int | None]
    busDrops: NotRequired[int | None]
    lossPercent: NotRequired[float | None]
    msRTT: NotRequired[float | None]
    mbpsBandwidth: NotRequired[float | None]
    bufferMs: NotRequired[float | None]
    latency: NotRequired[int | None]
    latencyWanted: NotRequired[int | None]
    fps: NotRequired[float | None]
    speed: NotRequired[float | None]
    cpuPercent: NotRequired[float | None]
    memoryBytes: NotRequired[int | None]
    connects: NotRequired[int | None]
    peerVersion: NotRequired[str | None]
    lastSecond: NotRequired[CountsView | None]
    sinceProcessStart: NotRequired[CountsView | None]
    sinceRouteStart: NotRequired[CountsView | None]
    srt: NotRequired[dict[str, int | float] | None]
    transcode: NotRequired[dict[str, int | float] | None]


class LegView(TypedDict):
    """The source or one destination of a route."""

    endpoint: dict[str, Any]
    process: str | None
    connection: Connection
    state: Phase


class LogLevelBody(TypedDict):
    """The least important lines that are logged."""

    level: LogLevel


class Login(TypedDict):
    """A new session. The same sign-in is in the cookie."""

    token: str
    name: str
    role: Role
    mustChangePassword: bool
    expiresAt: int


class LossAbove(TypedDict):
    """More than so many percent of the packets of one leg were lost on the way, also those that were sent again."""

    kind: Literal["lossAbove"]
    percent: float


class MadeToken(TypedDict):
    """A new API token."""

    token: str
    item: TokenView


class ManyEdited(TypedDict):
    """What became of many routes."""

    differences: Differences
    effects: Effects


class Me(TypedDict):
    """Who asks."""

    name: str
    role: Role
    kind: Kind
    address: str | None
    mustChangePassword: bool


class NotKilled(TypedDict):
    """A process that could not be killed."""

    pid: int
    reason: str


class OrphanFound(TypedDict):
    """A media process without an owner was found on this host. Not of one route."""

    kind: Literal["orphanFound"]


class OrphanItem(TypedDict):
    """An orphan or a stale PID file, and what a cleanup would do with it."""

    pid: int | None
    route: str | None
    type: str | None
    program: str
    state: ProcessState
    owner: Owner | None
    cpuPercent: float | None
    memoryBytes: int | None
    startedAt: int | None
    uptimeS: float | None
    restarts: int | None
    command: str
    pidFile: str | None
    action: Action
    reason: str


class OrphanList(TypedDict):
    """Every orphan and every stale PID file."""

    items: list[OrphanItem]


class PcrView(TypedDict):
    """The clock on one PID, in the last second."""

    intervalMs: float
    jitterMs: float


class PidView(TypedDict):
    """One PID."""

    pid: int
    packets: int
    bitrate: int
    codec: str | None
    language: str | None
    continuityErrors: int
    scrambled: int
    pcr: PcrView | None


class Preset(TypedDict):
    """A transcode to begin with."""

    id: str
    name: str
    description: str
    transcode: dict[str, Any]
    builtIn: bool


class PresetList(TypedDict):
    """Transcodes to begin with."""

    items: list[Preset]


class ProbeView(TypedDict):
    """What ffprobe made of a piece of the stream."""

    at: int
    error: str | None
    streams: list[ProbedStream]


class ProbedStream(TypedDict):
    """One elementary stream as ffprobe sees it; None: it does not know, or there is no such thing."""

    pid: int | None
    kind: str
    codec: str | None
    profile: str | None
    language: str | None
    width: int | None
    height: int | None
    frameRate: float | None
    scan: str | None
    aspect: str | None
    pixelFormat: str | None
    channels: int | None
    layout: str | None
    sampleRate: int | None


class ProcessEffect(TypedDict):
    """What becomes of one process of a route on air."""

    routeId: str
    type: str
    action: EffectAction


class ProcessItem(TypedDict):
    """One process, as lists show it: one that runs, one that waits to be started again, or a stale PID file."""

    pid: int | None
    route: str | None
    type: str | None
    program: str
    state: ProcessState
    owner: Owner | None
    cpuPercent: float | None
    memoryBytes: int | None
    startedAt: int | None
    uptimeS: float | None
    restarts: int | None
    command: str
    pidFile: str | None


class ProcessList(TypedDict):
    """Every process, by route and type; those without a route last."""

    items: list[ProcessItem]


class ProcessStatistics(TypedDict):
    """One process of a route."""

    type: str
    pid: int | None
    cpuPercent: float | None
    memoryBytes: int | None
    report: Report | None


class ProcessView(TypedDict):
    """One process of a route as it is now."""

    type: str
    pid: int | None
    pidFile: str
    state: Phase
    connection: Connection
    connectedSince: int | None
    peer: str | None
    connects: int
    rejection: str | None
    error: str | None
    restarts: int
    crashLooping: bool
    pendingRestart: bool
    startedAt: int | None
    lastExit: str | None
    lastExitAt: int | None
    exitCode: int | None
    signal: int | None
    command: str
    log: list[str]


class ReceiverList(TypedDict):
    """Every receiver, in the order in which they were made."""

    items: list[WebhookView | EmailView]


class ReceiverState(TypedDict):
    """How a receiver fares, since the start of the server."""

    waiting: int
    lastSuccessAt: NotRequired[int | None]
    lastError: NotRequired[str | None]
    lastErrorAt: NotRequired[int | None]
    nextTryAt: NotRequired[int | None]
    lost: int


class Report(TypedDict):
    """The newest report of a process, as it is."""

    at: int
    values: dict[str, Any]


class Reported(TypedDict):
    """A process without an owner that the rules leave alone."""

    pid: int
    program: str


class Restored(TypedDict):
    """What a restore has done."""

    name: str
    safety: str | None
    setAside: list[str]
    added: list[str]
    changed: list[str]
    removed: list[str]


class RouteChange(TypedDict):
    """A route that came, went, or is another now."""

    id: str
    name: str
    fields: list[FieldChange]


class RouteDetail(TypedDict):
    """One route as it is now, and as it is configured."""

    id: str
    name: str
    status: RouteStatus
    autoStart: bool
    tags: list[str]
    reasons: list[str]
    startedAt: int | None
    source: LegView
    transcode: LegView | None
    destinations: list[LegView]
    processes: list[ProcessView]
    ended: list[ProcessView]
    pendingRestarts: list[str]
    warnings: list[RouteWarning]
    stream: StreamSummary | None
    config: dict[str, Any]


class RouteEdited(TypedDict):
    """A route after an edit."""

    id: str
    name: str
    status: RouteStatus
    autoStart: bool
    tags: list[str]
    reasons: list[str]
    startedAt: int | None
    source: LegView
    transcode: LegView | None
    destinations: list[LegView]
    processes: list[ProcessView]
    ended: list[ProcessView]
    pendingRestarts: list[str]
    warnings: list[RouteWarning]
    stream: StreamSummary | None
    config: dict[str, Any]
    effects: Effects


class RouteFailed(TypedDict):
    """The status of the route is `failed`: it cannot start, or it stalled and was given up."""

    kind: Literal["routeFailed"]


class RouteList(TypedDict):
    """Routes, in the order of routes.json."""

    items: list[RouteView]
    nextCursor: str | None


class RouteStatistics(TypedDict):
    """The numbers of one route."""

    items: list[LegStatistics]
    processes: list[ProcessStatistics]
    resetAt: int | None


class RouteView(TypedDict):
    """One route as it is now."""

    id: str
    name: str
    status: RouteStatus
    autoStart: bool
    tags: list[str]
    reasons: list[str]
    startedAt: int | None
    source: LegView
    transcode: LegView | None
    destinations: list[LegView]
    processes: list[ProcessView]
    ended: list[ProcessView]
    pendingRestarts: list[str]
    warnings: list[RouteWarning]
    stream: StreamSummary | None


class RouteWarning(TypedDict):
    """A number of a route that is beyond its threshold."""

    leg: str | None
    metric: Metric
    value: float
    threshold: float
    since: int
    message: str


class Rule(TypedDict):
    """A rule."""

    name: str
    enabled: bool
    condition: (
        RouteFailed
        | WaitingLongerThan
        | DegradedLongerThan
        | BitrateBelow
        | LossAbove
        | ContinuityErrorsAbove
        | BusDropsAbove
        | CrashLooping
        | OrphanFound
    )
    routes: list[str]
    holdOff: float
    recoverAfter: float
    severity: Severity
    receivers: list[str]
    notifyRecovery: bool
    id: str


class RuleList(TypedDict):
    """Every rule, in the order in which they were made."""

    items: list[Rule]


class Secrets(TypedDict):
    """What is secret of a route."""

    items: list[EndSecrets]


class ServiceView(TypedDict):
    """One program of the PAT."""

    number: int
    name: str | None
    provider: str | None
    pmtPid: int
    pcrPid: int | None
    streams: list[ElementaryView]


class SessionList(TypedDict):
    """Sessions, the one used last first."""

    items: list[SessionView]


class SessionView(TypedDict):
    """One session."""

    id: str
    user: str
    createdAt: int
    seenAt: int
    expiresAt: int
    address: str | None
    client: str
    current: bool


class SettingList(TypedDict):
    """Every setting."""

    items: list[SettingView]


class SettingView(TypedDict):
    """One setting as it counts."""

    key: str
    value: str | int | float | bool | None
    secret: bool


class StreamItem(TypedDict):
    """The stream on one bus of a route."""

    leg: StreamLeg
    at: int | None
    since: int | None
    state: StreamState
    format: str
    bitrate: int | None
    nullRatio: float | None
    packets: int
    continuityErrors: int
    transportErrors: int
    crcErrors: int
    sampled: bool
    coverage: float | None
    missed: int
    transportStreamId: int | None
    services: list[ServiceView]
    pids: list[PidView]
    pidsOmitted: int
    tr101290: Tr101290View
    sinceReset: CountersView
    probe: ProbeView | None


class StreamList(TypedDict):
    """The stream that comes in, and with a transcode the one behind it; none while the route is off air."""

    items: list[StreamItem]


class StreamSummary(TypedDict):
    """The stream of a route in short."""

    state: StreamState
    continuityErrors: int
    errors: list[str]
    service: str | None
    codecs: list[str]


class TagCount(TypedDict):
    """One tag."""

    name: str
    routes: int


class TagList(TypedDict):
    """Every tag that a route has, by name."""

    items: list[TagCount]


class TestOutcome(TypedDict):
    """What became of a test message."""

    delivered: bool
    error: str | None
    tookMs: int


class ThumbnailItem(TypedDict):
    """The newest picture of one route, or why there is none."""

    routeId: str
    at: int | None
    version: str | None
    code: str | None


class ThumbnailList(TypedDict):
    """In the order in which they were asked for."""

    items: list[ThumbnailItem]


class TokenList(TypedDict):
    """API tokens, by name."""

    items: list[TokenView]


class TokenView(TypedDict):
    """One API token, as shown. Never the token itself."""

    id: str
    name: str
    role: Role
    user: str | None
    createdAt: int
    expiresAt: int | None
    usedAt: int | None
    usedFrom: str | None


class Tr101290View(TypedDict):
    """The first priority of TR 101 290."""

    syncLoss: IndicatorView
    syncByteError: IndicatorView
    patError: IndicatorView
    continuityCountError: IndicatorView
    pmtError: IndicatorView
    pidError: IndicatorView


class UserList(TypedDict):
    """Every user, by name."""

    items: list[UserView]


class UserView(TypedDict):
    """One user, as shown. Never the password, nor its hash."""

    name: str
    role: Role
    disabled: bool
    mustChangePassword: bool
    createdAt: int
    passwordChangedAt: int
    lastSignInAt: int | None
    sessions: int


class Verification(TypedDict):
    """What a look into a backup, from the first to the last byte, has found."""

    name: str
    ok: bool
    problems: list[str]
    version: NotRequired[int | None]
    routes: NotRequired[int | None]
    events: NotRequired[int | None]
    users: NotRequired[int | None]


class WaitingLongerThan(TypedDict):
    """The route has waited for its source for longer than so many seconds."""

    kind: Literal["waitingLongerThan"]
    seconds: float


class WebhookView(TypedDict):
    """A webhook receiver and how it fares."""

    name: str
    enabled: bool
    type: Literal["webhook"]
    url: str
    secret: NotRequired[Literal["**********"] | None]
    id: str
    state: ReceiverState
