/** Who is signed in. The role decides what is offered; the server decides what is done. */
import { createContext, useCallback, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import { ApiError, get, post, sentence, whenSignedOut } from "./api/client";
import type { Me, Role } from "./api/types";
import { follow, unfollow } from "./live/feed";

const ORDER: Role[] = ["viewer", "operator", "administrator"];

interface Session {
  me: Me;
  may: (least: Role) => boolean;
  signOut: () => Promise<void>;
  refresh: () => Promise<void>;
}

const Context = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(Context);
  if (!session) throw new Error("there is no session here");
  return session;
}

/** Whether the role covers `least`. */
export function useMay(least: Role): boolean {
  return useSession().may(least);
}

type State = { kind: "asking" } | { kind: "out" } | { kind: "in"; me: Me } | { kind: "unreachable"; why: string };

interface Props {
  signedOut: (done: () => Promise<void>) => ReactNode;
  mustChange: (done: () => Promise<void>) => ReactNode;
  unreachable: (why: string, retry: () => Promise<void>) => ReactNode;
  children: ReactNode;
}

export function SessionProvider({ signedOut, mustChange, unreachable, children }: Props) {
  const [state, setState] = useState<State>({ kind: "asking" });

  const refresh = useCallback(async () => {
    try {
      const me = await get<Me>("/api/auth/me");
      setState({ kind: "in", me });
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) setState({ kind: "out" });
      else setState({ kind: "unreachable", why: sentence(error) });
    }
  }, []);

  useEffect(() => {
    whenSignedOut(() => setState({ kind: "out" }));
    void refresh();
  }, [refresh]);

  const following = state.kind === "in" && !state.me.mustChangePassword;
  useEffect(() => {
    if (!following) return;
    follow();
    return unfollow;
  }, [following]);

  const session = useMemo<Session | null>(() => {
    if (state.kind !== "in") return null;
    const { me } = state;
    return {
      me,
      may: (least) => ORDER.indexOf(me.role) >= ORDER.indexOf(least),
      signOut: async () => {
        await post("/api/auth/logout");
        setState({ kind: "out" });
      },
      refresh,
    };
  }, [state, refresh]);

  if (state.kind === "asking") return null;
  if (state.kind === "out") return signedOut(refresh);
  if (state.kind === "unreachable") return unreachable(state.why, refresh);
  if (state.me.mustChangePassword) return mustChange(refresh);
  return <Context value={session}>{children}</Context>;
}
