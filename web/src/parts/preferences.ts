/** What this browser remembers of its user's taste. */
import { useCallback, useSyncExternalStore } from "react";

const listeners = new Set<() => void>();
const PREFIX = "srt-router.";

function read(key: string): string | null {
  try {
    return localStorage.getItem(PREFIX + key);
  } catch {
    return null; // storage is forbidden here: nothing is remembered
  }
}

export function usePreference<T extends string>(key: string, initial: T): [T, (value: T) => void] {
  const subscribe = useCallback((listener: () => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  const value = useSyncExternalStore(subscribe, () => read(key) ?? initial) as T;
  const change = useCallback(
    (next: T) => {
      try {
        localStorage.setItem(PREFIX + key, next);
      } catch {
        return;
      }
      listeners.forEach((listener) => listener());
    },
    [key],
  );
  return [value, change];
}

export type Theme = "system" | "dark" | "light";

/** Put the theme on the page. */
export function applyTheme(theme: Theme): void {
  const dark = theme === "dark" || (theme === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}

export function storedTheme(): Theme {
  const found = read("theme");
  return found === "dark" || found === "light" ? found : "system";
}
