/** What can be done with presets of one's own: what the form says becomes one, one is called otherwise, one is removed. */
import { useState } from "react";
import { ApiError, del, post, put, sentence } from "../../api/client";
import type { Preset, Transcode } from "../../api/types";
import { Button, Field, Notice } from "../../parts/basics";
import { Dialog, useOverlays } from "../../parts/overlays";

interface Props {
  transcode: Transcode;
  /** The preset that says the same. */
  preset: Preset | undefined;
  reload: () => Promise<void>;
}

export function PresetActions({ transcode, preset, reload }: Props) {
  const { ask, tell, complain } = useOverlays();
  const [saving, setSaving] = useState(false);
  const [editing, setEditing] = useState(false);
  const remove = async (own: Preset) => {
    const yes = await ask({
      title: `Delete the preset ${own.name}?`,
      body: "Routes that were made with it stay as they are.",
      confirm: "Delete the preset",
      danger: true,
    });
    if (!yes) return;
    try {
      await del(`/api/presets/${own.id}`);
      tell(`The preset ${own.name} was deleted.`);
    } catch (problem) {
      complain(problem);
    }
    await reload();
  };
  return (
    <div className="row-actions">
      {!preset && (
        <Button icon="plus" onClick={() => setSaving(true)}>
          Save as preset
        </Button>
      )}
      {preset && !preset.builtIn && (
        <>
          <Button icon="edit" onClick={() => setEditing(true)}>
            Edit preset
          </Button>
          <Button icon="trash" onClick={() => void remove(preset)}>
            Delete preset
          </Button>
        </>
      )}
      {saving && <PresetDialog transcode={transcode} reload={reload} onClose={() => setSaving(false)} />}
      {editing && preset && <PresetDialog transcode={transcode} own={preset} reload={reload} onClose={() => setEditing(false)} />}
    </div>
  );
}

interface DialogProps {
  transcode: Transcode;
  /** The one that gets another name or description; none: a new one is made. */
  own?: Preset;
  reload: () => Promise<void>;
  onClose: () => void;
}

/** No form of its own: it lies within that of the route. */
function PresetDialog({ transcode, own, reload, onClose }: DialogProps) {
  const { tell } = useOverlays();
  const [name, setName] = useState(own?.name ?? "");
  const [description, setDescription] = useState(own?.description ?? "");
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const save = async () => {
    setBusy(true);
    try {
      const body = { name, description, transcode };
      const saved = own ? await put<Preset>(`/api/presets/${own.id}`, body) : await post<Preset>("/api/presets", body);
      tell(`The preset ${saved.name} was saved.`);
      await reload();
      onClose();
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  };
  const errors = problem instanceof ApiError ? problem.errors : [];
  const wrong = (field: string) => errors.find((one) => one.field === field)?.message;
  const atNoField = problem !== null && !errors.some((one) => one.field === "name" || one.field === "description");
  return (
    <Dialog title={own ? `Edit the preset ${own.name}` : "Save as preset"} onClose={onClose} narrow>
      <div
        className="form-stack"
        onKeyDown={(event) => {
          if (event.key !== "Enter" || !(event.target instanceof HTMLInputElement)) return;
          event.preventDefault(); // it would save the route
          if (!busy) void save();
        }}
      >
        <Field label="Name of the preset" error={wrong("name")}>
          {(ids) => (
            <input {...ids} value={name} maxLength={100} autoComplete="off" autoFocus onChange={(event) => setName(event.target.value)} />
          )}
        </Field>
        <Field label="What it is for" error={wrong("description")}>
          {(ids) => (
            <input
              {...ids}
              value={description}
              maxLength={200}
              autoComplete="off"
              onChange={(event) => setDescription(event.target.value)}
            />
          )}
        </Field>
        {atNoField && <Notice kind="bad">{sentence(problem)}</Notice>}
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" busy={busy} onClick={() => void save()}>
            Save the preset
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
