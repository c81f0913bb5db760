/** Whether the stream is made into another one on its way, and how. */
import type { AudioEncode, Items, Json, Preset, Transcode, VideoEncode } from "../../api/types";
import { Field } from "../../parts/basics";
import { useQuery } from "../../parts/use_query";
import { useMay } from "../../session";
import { AudioMatrix } from "./audio_matrix";
import { NumberInput } from "./endpoint_form";
import { PresetActions } from "./preset_actions";
import type { FieldErrors } from "./shapes";

interface Props {
  transcode: Transcode | string | null;
  errors: FieldErrors;
  onChange: (transcode: Transcode | null) => void;
}

export function TranscodeForm({ transcode, errors, onChange }: Props) {
  const { data, reload } = useQuery<Items<Preset>>("/api/presets");
  const presets = data?.items ?? [];
  const may = useMay("operator");
  const known = typeof transcode === "string" ? (presets.find((one) => one.name === transcode)?.transcode ?? null) : transcode;
  const choose = (value: string) => {
    if (value === "none") onChange(null);
    else if (value !== "own") onChange(structuredClone(presets.find((one) => one.id === value)?.transcode ?? null));
  };
  const same = known === null ? undefined : presets.find((one) => inOrder(one.transcode) === inOrder(known));
  return (
    <div className="form-stack">
      <Field label="What becomes of the stream" error={errors[""]}>
        {(ids) => (
          <select {...ids} value={known === null ? "none" : (same?.id ?? "own")} onChange={(event) => choose(event.target.value)}>
            <option value="none">It passes unchanged</option>
            {known !== null && !same && <option value="own">Own settings</option>}
            <Choices label="Your own presets" presets={presets.filter((one) => !one.builtIn)} />
            <Choices label="Built in" presets={presets.filter((one) => one.builtIn)} />
          </select>
        )}
      </Field>
      {known && <Encodes transcode={known} errors={errors} onChange={onChange} />}
      {known && may && <PresetActions transcode={known} preset={same} reload={reload} />}
    </div>
  );
}

function Choices({ label, presets }: { label: string; presets: Preset[] }) {
  if (!presets.length) return null;
  return (
    <optgroup label={label}>
      {presets.map((one) => (
        <option key={one.id} value={one.id}>
          {one.description ? `${one.name}: ${one.description}` : one.name}
        </option>
      ))}
    </optgroup>
  );
}

/** The same text for the same transcode, in whichever order its fields were written. */
function inOrder(transcode: Transcode): string {
  const sorted = (_: string, value: unknown) =>
    value && typeof value === "object" && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value;
  return JSON.stringify(transcode, sorted);
}

function Encodes({ transcode, errors, onChange }: { transcode: Transcode; errors: FieldErrors; onChange: (t: Transcode) => void }) {
  const { video, audio } = transcode;
  const setVideo = (key: string, value: Json | undefined) => {
    if (typeof video === "object") onChange({ ...transcode, video: changed(video, key, value) });
  };
  const setAudio = (key: string, value: Json | undefined) => {
    if (typeof audio === "object") onChange({ ...transcode, audio: changed(audio, key, value) });
  };
  return (
    <>
      <fieldset>
        <legend>Picture</legend>
        <div className="form-grid">
          <Field label="Codec" error={errors.video ?? errors["video.codec"]}>
            {(ids) => (
              <select
                {...ids}
                value={typeof video === "object" ? video.codec : "copy"}
                onChange={(event) => {
                  const codec = event.target.value;
                  const old: VideoEncode = typeof video === "object" ? video : { codec: "h264", bitrateKbps: 3000 };
                  onChange({ ...transcode, video: codec === "copy" ? "copy" : { ...old, codec: codec as VideoEncode["codec"] } });
                }}
              >
                <option value="copy">Copied</option>
                <option value="h264">H.264</option>
                <option value="hevc">HEVC</option>
              </select>
            )}
          </Field>
          {typeof video === "object" && (
            <>
              <Number label="Bitrate (kb/s)" name="bitrateKbps" part="video" from={video} errors={errors} set={setVideo} />
              <Number label="Width" name="width" part="video" from={video} errors={errors} set={setVideo} />
              <Number label="Height" name="height" part="video" from={video} errors={errors} set={setVideo} />
              <Number label="Frame rate" name="frameRate" part="video" from={video} errors={errors} set={setVideo} />
              <Number label="Key frame every (frames)" name="gopFrames" part="video" from={video} errors={errors} set={setVideo} />
              <Choice
                label="Encoder"
                name="encoder"
                part="video"
                from={video}
                errors={errors}
                set={setVideo}
                choices={["auto", "software", "nvenc", "vaapi", "qsv"]}
              />
              <Choice
                label="Deinterlace"
                name="deinterlace"
                part="video"
                from={video}
                errors={errors}
                set={setVideo}
                choices={["frame", "field"]}
              />
              <Choice
                label="Preset"
                name="preset"
                part="video"
                from={video}
                errors={errors}
                set={setVideo}
                choices={["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow"]}
              />
            </>
          )}
        </div>
      </fieldset>
      <fieldset>
        <legend>Sound</legend>
        <div className="form-grid">
          <Field label="Codec" error={errors.audio ?? errors["audio.codec"]}>
            {(ids) => (
              <select
                {...ids}
                value={typeof audio === "object" ? audio.codec : audio}
                onChange={(event) => {
                  const codec = event.target.value;
                  const old: AudioEncode = typeof audio === "object" ? audio : { codec: "aac", bitrateKbps: 128 };
                  const next = codec === "copy" || codec === "none" ? codec : { ...old, codec: codec as AudioEncode["codec"] };
                  onChange({ ...transcode, audio: next });
                }}
              >
                <option value="copy">Copied</option>
                <option value="none">None</option>
                <option value="aac">AAC</option>
                <option value="mp2">MPEG-1 layer II</option>
                <option value="opus">Opus</option>
              </select>
            )}
          </Field>
          {typeof audio === "object" && (
            <>
              <Number label="Bitrate (kb/s)" name="bitrateKbps" part="audio" from={audio} errors={errors} set={setAudio} />
              <Number label="Sample rate (Hz)" name="sampleRate" part="audio" from={audio} errors={errors} set={setAudio} />
              <Number label="Channels" name="channels" part="audio" from={audio} errors={errors} set={setAudio} />
              <Number label="Only track" name="track" part="audio" from={audio} errors={errors} set={setAudio} />
            </>
          )}
        </div>
        {typeof audio === "object" && (
          <AudioMatrix
            matrix={audio.matrix}
            channels={outputs(audio.channels)}
            errors={errors}
            onChange={(matrix) => setAudio("matrix", matrix)}
          />
        )}
      </fieldset>
    </>
  );
}

/** Output channels; two where none are given. */
function outputs(channels: Json | undefined): number {
  return typeof channels === "number" && channels >= 1 && channels <= 8 ? Math.floor(channels) : 2;
}

function changed<T extends VideoEncode | AudioEncode>(encode: T, key: string, value: Json | undefined): T {
  const next: T = { ...encode, [key]: value };
  if (value === undefined) delete next[key];
  return next;
}

interface PartProps {
  label: string;
  name: string;
  part: "video" | "audio";
  from: VideoEncode | AudioEncode;
  errors: FieldErrors;
  set: (key: string, value: Json | undefined) => void;
}

function Number({ label, name, part, from, errors, set }: PartProps) {
  return (
    <Field label={label} error={errors[`${part}.${name}`]}>
      {(ids) => <NumberInput ids={ids} value={from[name] as number | undefined} onChange={(value) => set(name, value)} />}
    </Field>
  );
}

function Choice({ label, name, part, from, errors, set, choices }: PartProps & { choices: string[] }) {
  return (
    <Field label={label} error={errors[`${part}.${name}`]}>
      {(ids) => (
        <select
          {...ids}
          value={(from[name] as string | undefined) ?? ""}
          onChange={(event) => set(name, event.target.value || undefined)}
        >
          <option value="">Not given</option>
          {choices.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      )}
    </Field>
  );
}
