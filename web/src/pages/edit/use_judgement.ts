/** What the server says of a draft while it is typed: its own messages, and what saving would touch. */
import { useEffect, useState } from "react";
import { ApiError, request, sentence } from "../../api/client";
import type { DryRun } from "../../api/types";
import { byField } from "./draft";
import type { FieldErrors } from "./shapes";

export interface Judgement {
  errors: FieldErrors;
  /** What is wrong as a whole; null: nothing. */
  trouble: string | null;
  answer: DryRun | null;
  asking: boolean;
}

const NOTHING: Judgement = { errors: {}, trouble: null, answer: null, asking: false };
const PAUSE_MS = 300;

/** `body` null: there is nothing to judge yet. */
export function useJudgement(method: "POST" | "PUT", path: string, body: object | null): Judgement {
  const [judgement, setJudgement] = useState<Judgement>(NOTHING);
  const text = body === null ? null : JSON.stringify(body);
  useEffect(() => {
    if (text === null) {
      setJudgement(NOTHING);
      return;
    }
    const controller = new AbortController();
    setJudgement((old) => ({ ...old, asking: true }));
    const timer = setTimeout(() => {
      request<DryRun>(method, `${path}?dryRun=true`, { body: JSON.parse(text), signal: controller.signal })
        .then(({ data }) => setJudgement({ errors: {}, trouble: null, answer: data, asking: false }))
        .catch((error: unknown) => {
          if (!controller.signal.aborted) setJudgement(refusal(error));
        });
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [method, path, text]);
  return judgement;
}

export function refusal(error: unknown): Judgement {
  const errors = error instanceof ApiError ? byField(error.errors) : {};
  return { errors, trouble: sentence(error), answer: null, asking: false };
}
