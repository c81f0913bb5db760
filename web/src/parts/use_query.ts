/** Data that is asked for, not told: loaded when a page opens, again when asked, or every few seconds. */
import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError, get, sentence } from "../api/client";

export interface Query<T> {
  data: T | null;
  error: string | null;
  /** The server has no such thing (404). */
  missing: boolean;
  loading: boolean;
  reload: () => Promise<void>;
}

/** `path` null: nothing is asked. */
export function useQuery<T>(path: string | null, everyMs = 0): Query<T> {
  const [state, setState] = useState<{ path: string | null; data: T | null; error: string | null; missing: boolean }>({
    path,
    data: null,
    error: null,
    missing: false,
  });
  const [loading, setLoading] = useState(path !== null);
  const giveUp = useRef<AbortController | null>(null);

  const reload = useCallback(async () => {
    if (path === null) return;
    giveUp.current?.abort();
    const controller = new AbortController();
    giveUp.current = controller;
    setLoading(true);
    try {
      const data = await get<T>(path, controller.signal);
      setState({ path, data, error: null, missing: false });
    } catch (error) {
      if (controller.signal.aborted) return;
      const missing = error instanceof ApiError && error.status === 404;
      setState((old) => ({ path, data: old.path === path ? old.data : null, error: sentence(error), missing }));
    }
    setLoading(false);
  }, [path]);

  useEffect(() => {
    void reload();
    const timer = everyMs
      ? setInterval(() => document.visibilityState === "visible" && void reload(), everyMs)
      : undefined;
    return () => {
      clearInterval(timer);
      giveUp.current?.abort();
    };
  }, [reload, everyMs]);

  const current = state.path === path;
  return {
    data: current ? state.data : null,
    error: current ? state.error : null,
    missing: current && state.missing,
    loading,
    reload,
  };
}
