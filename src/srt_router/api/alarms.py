"""`/api/alarms`: what is wrong now and what was, the rules that say so, and who is told."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, SecretStr, TypeAdapter, ValidationError, WithJsonSchema

from srt_router.alarms.model import MASK, AnyReceiverInput, Email, Receiver, Rule, RuleInput, Webhook
from srt_router.alarms.records import Alarm, ReceiverState
from srt_router.alarms.service import Alarms, TestOutcome
from srt_router.api.access import caller_of
from srt_router.api.audit import audit
from srt_router.api.problems import Problem, Responses

Json = dict[str, Any]


class AlarmStateName(StrEnum):
    """Which alarms."""

    ACTIVE = "active"
    PAST = "past"


class AlarmList(BaseModel):
    """Alarms, newest first."""

    items: list[Alarm]


class RuleList(BaseModel):
    """Every rule, in the order in which they were made."""

    items: list[Rule]


class WebhookView(Webhook):
    """A webhook receiver and how it fares."""

    secret: Annotated[SecretStr, WithJsonSchema({"const": MASK})] | None = None
    """Shown as its mask: it is there."""
    state: ReceiverState


class EmailView(Email):
    """An e-mail receiver and how it fares."""

    state: ReceiverState


ReceiverView = Annotated[WebhookView | EmailView, Field(discriminator="type")]


class ReceiverList(BaseModel):
    """Every receiver, in the order in which they were made."""

    items: list[ReceiverView]


_ALARMS = TypeAdapter(AlarmList)
_ALARM = TypeAdapter(Alarm)
_RULES = TypeAdapter(RuleList)
_RULE = TypeAdapter(Rule)
_RECEIVERS = TypeAdapter(ReceiverList)
_RECEIVER: TypeAdapter[ReceiverView] = TypeAdapter(ReceiverView)
_OUTCOME = TypeAdapter(TestOutcome)

AlarmId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Id of an alarm")]
RuleId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Id of a rule")]
ReceiverId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Id of a receiver")]
Patch = Annotated[Json, Body(description="The fields that are to be others; what is not given, stays")]

_NOT_FOUND: Responses = {404: {"model": Problem}}
_CHANGE: Responses = {
    409: {"model": Problem, "description": "There are too many, or rules name the receiver"},
    422: {"model": Problem, "description": "The errors name each field"},
    503: {"model": Problem, "description": "gateway.db cannot be written: nothing was changed"},
}
_EDIT: Responses = {**_NOT_FOUND, **_CHANGE}


def alarms_api(alarms: Alarms) -> APIRouter:
    """The paths under `/api/alarms`."""
    api = APIRouter(prefix="/api/alarms", tags=["alarms"])
    _add_alarms(api, alarms)
    _add_rules(api, alarms)
    _add_receivers(api, alarms)
    return api


def _add_alarms(api: APIRouter, alarms: Alarms) -> None:
    @api.get("", response_model=AlarmList, summary="Active alarms, or past ones")
    async def list_alarms(
        state: Annotated[AlarmStateName, Query(description="`past`: those that are over")] = AlarmStateName.ACTIVE,
        limit: Annotated[int, Query(ge=1, le=5000, description="So many at most, newest first")] = 1000,
    ) -> Response:
        found = alarms.active()[:limit] if state is AlarmStateName.ACTIVE else alarms.past(limit)
        return _json(_ALARMS, AlarmList.model_construct(items=found))

    @api.post("/{alarm_id}/acknowledge", response_model=Alarm, responses=_NOT_FOUND, summary="Somebody has seen it")
    async def acknowledge(request: Request, alarm_id: AlarmId) -> Response:
        """Says who has taken note and when; the first one counts. The alarm stays until its condition is gone."""
        caller = caller_of(request)
        before, after = alarms.acknowledge(alarm_id, caller.actor if caller else "nobody")
        audit(request, "alarm.acknowledge", route_id=after.route_id, before=before, after=after)
        return _json(_ALARM, after)


def _add_rules(api: APIRouter, alarms: Alarms) -> None:
    @api.get("/rules", response_model=RuleList, summary="Every rule")
    async def list_rules() -> Response:
        return _json(_RULES, RuleList.model_construct(items=alarms.rules()))

    @api.post("/rules", status_code=201, response_model=Rule, responses=_EDIT, summary="Make a rule")
    async def add_rule(request: Request, new: RuleInput) -> Response:
        rule = await alarms.add_rule(new)
        audit(request, "alarmRule.add", after=rule)
        return _json(_RULE, rule, 201, f"/api/alarms/rules/{rule.id}")

    @api.get("/rules/{rule_id}", response_model=Rule, responses=_NOT_FOUND, summary="One rule")
    async def read_rule(rule_id: RuleId) -> Response:
        return _json(_RULE, alarms.rule(rule_id))

    @api.put("/rules/{rule_id}", response_model=Rule, responses=_EDIT, summary="Change all of a rule")
    async def replace_rule(request: Request, rule_id: RuleId, new: RuleInput) -> Response:
        """An alarm of it that is active goes on, unless the rule looks at something else now."""
        before = alarms.rule(rule_id)
        after = await alarms.replace_rule(rule_id, new)
        audit(request, "alarmRule.change", before=before, after=after)
        return _json(_RULE, after)

    @api.patch("/rules/{rule_id}", response_model=Rule, responses=_EDIT, summary="Change some fields of a rule")
    async def patch_rule(request: Request, rule_id: RuleId, patch: Patch) -> Response:
        """`condition`, where given, is replaced as a whole."""
        before = alarms.rule(rule_id)
        try:
            after = await alarms.patch_rule(rule_id, patch)
        except ValidationError as error:
            raise _invalid(error) from None
        audit(request, "alarmRule.change", before=before, after=after)
        return _json(_RULE, after)

    @api.delete("/rules/{rule_id}", status_code=204, responses=_EDIT, summary="Remove a rule")
    async def remove_rule(request: Request, rule_id: RuleId) -> Response:
        """Its active alarms end, and who was told of them is told so."""
        audit(request, "alarmRule.remove", before=await alarms.remove_rule(rule_id))
        return Response(status_code=204)


def _add_receivers(api: APIRouter, alarms: Alarms) -> None:
    @api.get("/receivers", response_model=ReceiverList, summary="Every receiver, and how it fares")
    async def list_receivers() -> Response:
        items = [_view(alarms, receiver) for receiver in alarms.receivers()]
        return _json(_RECEIVERS, ReceiverList.model_construct(items=items))

    @api.post("/receivers", status_code=201, response_model=ReceiverView, responses=_CHANGE, summary="Make a receiver")
    async def add_receiver(request: Request, new: AnyReceiverInput) -> Response:
        receiver = await alarms.add_receiver(new)
        audit(request, "alarmReceiver.add", after=_told(receiver))
        return _json(_RECEIVER, _view(alarms, receiver), 201, f"/api/alarms/receivers/{receiver.id}")

    @api.get("/receivers/{receiver_id}", response_model=ReceiverView, responses=_NOT_FOUND, summary="One receiver")
    async def read_receiver(receiver_id: ReceiverId) -> Response:
        return _json(_RECEIVER, _view(alarms, alarms.receiver(receiver_id)))

    @api.put(
        "/receivers/{receiver_id}", response_model=ReceiverView, responses=_EDIT, summary="Change all of a receiver"
    )
    async def replace_receiver(request: Request, receiver_id: ReceiverId, new: AnyReceiverInput) -> Response:
        """A `secret` that is left out, or sent as its mask, stays; null takes it away."""
        before = alarms.receiver(receiver_id)
        after = await alarms.replace_receiver(receiver_id, new)
        return _changed(request, alarms, before, after)

    @api.patch(
        "/receivers/{receiver_id}", response_model=ReceiverView, responses=_EDIT, summary="Change some of its fields"
    )
    async def patch_receiver(request: Request, receiver_id: ReceiverId, patch: Patch) -> Response:
        before = alarms.receiver(receiver_id)
        try:
            after = await alarms.patch_receiver(receiver_id, patch)
        except ValidationError as error:
            raise _invalid(error) from None
        return _changed(request, alarms, before, after)

    @api.delete("/receivers/{receiver_id}", status_code=204, responses=_EDIT, summary="Remove a receiver")
    async def remove_receiver(request: Request, receiver_id: ReceiverId) -> Response:
        """409 while rules name it. What waits for it is dropped."""
        audit(request, "alarmReceiver.remove", before=_told(await alarms.remove_receiver(receiver_id)))
        return Response(status_code=204)

    @api.post(
        "/receivers/{receiver_id}/test", response_model=TestOutcome, responses=_NOT_FOUND, summary="Send a test message"
    )
    async def test_receiver(request: Request, receiver_id: ReceiverId) -> Response:
        """Sent at once, past what waits; answers with the outcome within some seconds, whatever the receiver does."""
        outcome = await alarms.test(receiver_id)
        audit(request, "alarmReceiver.test", after={"receiver": receiver_id, "delivered": outcome.delivered})
        return _json(_OUTCOME, outcome)


def _changed(request: Request, alarms: Alarms, before: Receiver, after: Receiver) -> Response:
    audit(request, "alarmReceiver.change", before=_told(before), after=_told(after))
    return _json(_RECEIVER, _view(alarms, after))


def _view(alarms: Alarms, receiver: Receiver) -> WebhookView | EmailView:
    kind = WebhookView if isinstance(receiver, Webhook) else EmailView
    fields = {name: getattr(receiver, name) for name in type(receiver).model_fields}
    return kind.model_construct(**fields, state=alarms.receiver_state(receiver.id))


def _told(receiver: Receiver) -> Json:
    """For the history, which everybody may read: of a URL no more than its host, the path may hold a token."""
    told: Json = receiver.model_dump(mode="json", by_alias=True)
    if isinstance(receiver, Webhook):
        told["url"] = f"{receiver.where}/{MASK}"
    return told


def _invalid(error: ValidationError) -> RequestValidationError:
    return RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)])


def _json(adapter: TypeAdapter[Any], value: object, status: int = 200, location: str | None = None) -> Response:
    answer = Response(adapter.dump_json(value, by_alias=True), status, media_type="application/json")
    if location is not None:
        answer.headers["location"] = location
    return answer
