/** The form of a whole route. */
import { get } from "../../api/client";
import type { Endpoint, RouteConfig } from "../../api/types";
import { Button, Card, Field } from "../../parts/basics";
import { endpoint } from "../../words";
import { errorsUnder } from "./draft";
import { EndpointForm, TextField } from "./endpoint_form";
import { StartingPoints } from "./starting_points";
import { TranscodeForm } from "./transcode_form";
import type { FieldErrors } from "./shapes";

interface Props {
  draft: RouteConfig;
  errors: FieldErrors;
  onChange: (draft: RouteConfig) => void;
}

export function RouteForm({ draft, errors, onChange }: Props) {
  const set = (part: Partial<RouteConfig>) => onChange({ ...draft, ...part });
  return (
    <div>
      {draft.id === undefined && <StartingPoints draft={draft} onChange={onChange} />}
      <Card title="Route">
        <div className="form-grid">
          <TextField label="Name" value={draft.name} error={errors.name} onChange={(name) => set({ name: name ?? "" })} />
          <TextField
            label="Tags"
            hint="Between commas; routes are found and grouped by them."
            value={(draft.tags ?? []).join(", ")}
            error={errors.tags}
            onChange={(text) => set({ tags: tagsOf(text ?? "") })}
          />
          <Field label="Notes" error={errors.description} className="field-wide">
            {(ids) => (
              <textarea
                {...ids}
                rows={2}
                value={draft.description ?? ""}
                onChange={(event) => set({ description: event.target.value || null })}
              />
            )}
          </Field>
          <Check
            label="Start with the server"
            checked={draft.autoStart ?? false}
            onChange={(autoStart) => set({ autoStart })}
          />
          {draft.source.type === "srt" && draft.source.mode === "listener" && (
            <Check
              label="Send a test pattern into it (by the router itself)"
              checked={draft.testSource ?? false}
              onChange={(testSource) => set({ testSource })}
            />
          )}
        </div>
      </Card>
      <Card title="Source">
        <EndpointForm
          end={draft.source}
          source
          errors={errorsUnder(errors, "source")}
          onChange={(source) => set({ source })}
        />
      </Card>
      <Card title="Transcode">
        <TranscodeForm
          transcode={draft.transcode ?? null}
          errors={errorsUnder(errors, "transcode")}
          onChange={(transcode) => set({ transcode })}
        />
      </Card>
      <Destinations draft={draft} errors={errors} onChange={(destinations) => set({ destinations })} />
    </div>
  );
}

function Destinations({ draft, errors, onChange }: {
  draft: RouteConfig;
  errors: FieldErrors;
  onChange: (ends: Endpoint[]) => void;
}) {
  const ends = draft.destinations;
  const replace = (index: number, end: Endpoint) => onChange(ends.map((one, at) => (at === index ? end : one)));
  const add = async () => {
    const highest = Math.max(5999, ...ends.map((end) => end.port || 0), draft.source.port || 0);
    const port = await get<{ ports: number[] }>(`/api/ports/free?protocol=srt&count=1&first=${Math.min(highest + 1, 65000)}`)
      .then(({ ports }) => ports[0])
      .catch(() => undefined);
    onChange([...ends, { type: "srt", mode: "listener", port: port ?? highest + 1, latency: 120 }]);
  };
  return (
    <Card
      title={`Destinations (${ends.length})`}
      aside={
        <Button icon="plus" onClick={() => void add()}>
          Add
        </Button>
      }
    >
      {errors.destinations && <p className="field-error">{errors.destinations}</p>}
      {ends.length === 0 && <p className="dim">None yet: the stream comes in and goes nowhere.</p>}
      {ends.map((end, index) => (
        <fieldset key={end.id ?? index}>
          <legend>{end.name ?? `${index + 1}: ${endpoint(end)}`}</legend>
          <EndpointForm
            end={end}
            source={false}
            errors={errorsUnder(errors, `destinations[${index}]`)}
            onChange={(next) => replace(index, next)}
          />
          <div className="button-line">
            <Check
              label="Enabled"
              checked={end.enabled !== false}
              onChange={(enabled) => replace(index, { ...end, enabled })}
            />
            <Button icon="trash" kind="danger" onClick={() => onChange(ends.filter((_, at) => at !== index))}>
              Remove
            </Button>
          </div>
        </fieldset>
      ))}
    </Card>
  );
}

export function Check({ label, checked, onChange }: { label: string; checked: boolean; onChange: (on: boolean) => void }) {
  return (
    <label className="check">
      <input type="checkbox" checked={checked} onChange={(event) => onChange(event.target.checked)} />
      {label}
    </label>
  );
}

/** While one types, a comma at the end stays: the next tag is about to come. */
function tagsOf(text: string): string[] {
  const parts = text.split(",").map((tag) => tag.replace(/^\s+/, ""));
  return parts.every((tag) => !tag) ? [] : parts;
}
