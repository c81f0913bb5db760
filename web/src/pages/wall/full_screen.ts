/** The wall alone on the screen: no menus, large numbers. */
import { useCallback, useEffect } from "react";
import { useParameter } from "../../router";

export function useFullScreen(): [boolean, () => void] {
  const [value, setValue] = useParameter("wall");
  const full = value === "1";
  useEffect(() => {
    document.documentElement.toggleAttribute("data-wall", full);
    return () => document.documentElement.removeAttribute("data-wall");
  }, [full]);
  useEffect(() => {
    if (!full) return;
    const left = () => {
      if (!document.fullscreenElement) setValue("");
    };
    const escape = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !document.fullscreenElement) setValue("");
    };
    document.addEventListener("fullscreenchange", left);
    document.addEventListener("keydown", escape);
    return () => {
      document.removeEventListener("fullscreenchange", left);
      document.removeEventListener("keydown", escape);
    };
  }, [full, setValue]);
  const toggle = useCallback(() => {
    if (full) {
      setValue("");
      if (document.fullscreenElement) void document.exitFullscreen();
      return;
    }
    setValue("1");
    // Where a browser does not let us have the screen, the page at least has the window.
    document.documentElement.requestFullscreen?.().catch(() => undefined);
  }, [full, setValue]);
  return [full, toggle];
}
