"""`/api/presets`: transcodes to begin with, those that are built in and the operator's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import TypeAdapter

from srt_router.api.audit import audit
from srt_router.api.bodies import AsDescribedBy, Json, json_answer
from srt_router.api.problems import Problem, Responses
from srt_router.routes.transcode_presets import Preset, PresetInput
from srt_router.supervision.editing import RouteEditor


@dataclass(frozen=True, slots=True)
class PresetList:
    """Transcodes to begin with."""

    items: list[Preset]


_PRESET = TypeAdapter(Preset)
_PRESETS = TypeAdapter(PresetList)

PresetId = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,64}$", description="Id of a preset")]
PresetBody = Annotated[Json, AsDescribedBy(PresetInput)]

_CHANGE: Responses = {
    409: {"model": Problem, "description": "It is built in, the name is taken, or there are too many"},
    422: {"model": Problem, "description": "The errors name each field"},
    503: {"model": Problem, "description": "gateway.db cannot be written: nothing was changed"},
}
_EDIT: Responses = {404: {"model": Problem}, **_CHANGE}


def presets_api(editor: RouteEditor) -> APIRouter:
    """The paths under `/api/presets`."""
    api = APIRouter(prefix="/api/presets", tags=["routes"])

    @api.get("", response_model=PresetList, summary="Transcodes to begin with")
    async def list_presets() -> Response:
        """`transcode` of a route may be the name of one of these: it is copied into the route."""
        return json_answer(_PRESETS, PresetList(list(editor.presets.all())))

    @api.post("", status_code=201, response_model=Preset, responses=_CHANGE, summary="Make a preset")
    async def add_preset(request: Request, body: PresetBody) -> Response:
        """Its transcode is judged as that of a route is."""
        new = await editor.presets.add(body)
        audit(request, "preset.add", after=new)
        answer = json_answer(_PRESET, new, 201)
        answer.headers["location"] = f"/api/presets/{new.id}"
        return answer

    @api.put("/{preset_id}", response_model=Preset, responses=_EDIT, summary="Change all of a preset")
    async def replace_preset(request: Request, preset_id: PresetId, body: PresetBody) -> Response:
        """Routes that were made with it stay as they are."""
        before, after = await editor.presets.replace(preset_id, body)
        audit(request, "preset.change", before=before, after=after)
        return json_answer(_PRESET, after)

    @api.delete("/{preset_id}", status_code=204, responses=_EDIT, summary="Remove a preset")
    async def remove_preset(request: Request, preset_id: PresetId) -> Response:
        """Routes that were made with it stay as they are."""
        audit(request, "preset.remove", before=await editor.presets.remove(preset_id))
        return Response(status_code=204)

    return api
