/** A destination is added to a route, or changed, while the others stay on air. */
import { useEffect, useState, type FormEvent } from "react";
import { get, request } from "../../api/client";
import type { Endpoint, Route } from "../../api/types";
import { Button, Notice } from "../../parts/basics";
import { Dialog, useOverlays } from "../../parts/overlays";
import { endName } from "../../words";
import { sendable } from "../edit/draft";
import { EffectsNotice } from "../edit/effects";
import { EndpointForm } from "../edit/endpoint_form";
import { refusal, useJudgement, type Judgement } from "../edit/use_judgement";

interface Props {
  route: Route;
  /** Null: a new one. */
  index: number | null;
  onClose: () => void;
}

export function DestinationDialog({ route, index, onClose }: Props) {
  const { tell } = useOverlays();
  const known = index === null ? null : route.destinations[index]?.endpoint;
  const [end, setEnd] = useState<Endpoint | null>(known ?? null);
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<Judgement | null>(null);
  const base = `/api/routes/${route.id}/destinations`;
  const path = index === null ? base : `${base}/${known?.id ?? index}`;
  const method = index === null ? "POST" : "PUT";
  const judgement = useJudgement(method, path, end && sendable(end));
  const shown = refused ?? judgement;

  useEffect(() => {
    if (index !== null || end) return;
    get<{ ports: number[] }>("/api/ports/free?protocol=srt&count=1")
      .then(({ ports }) => setEnd({ type: "srt", mode: "listener", port: ports[0] ?? 6000, latency: 120 }))
      .catch(() => setEnd({ type: "srt", mode: "listener", port: 6000, latency: 120 }));
  }, [index, end]);

  const save = async (event: FormEvent) => {
    event.preventDefault();
    if (!end) return;
    setBusy(true);
    try {
      await request(method, path, { body: sendable(end) });
      tell(`${endName(end)} of ${route.name} was ${index === null ? "added" : "changed"}.`);
      onClose();
    } catch (error) {
      setRefused(refusal(error));
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={index === null ? `Add a destination to ${route.name}` : `Destination of ${route.name}`}
      onClose={onClose}
    >
      <form onSubmit={(event) => void save(event)} className="form-stack">
        {end && (
          <EndpointForm
            end={end}
            source={false}
            errors={shown.errors}
            onChange={(next) => {
              setRefused(null);
              setEnd(next);
            }}
          />
        )}
        {shown.trouble && !Object.keys(shown.errors).length && <Notice kind="bad">{shown.trouble}</Notice>}
        <EffectsNotice effects={shown.answer?.effects} asking={shown.asking} />
        <div className="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={busy} disabled={!end || shown.trouble !== null}>
            {index === null ? "Add the destination" : "Save"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
