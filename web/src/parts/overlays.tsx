/** What lies above the page: questions, messages, menus. */
import {
  createContext,
  useCallback,
  useContext,
  useEffect,
  useId,
  useMemo,
  useRef,
  useState,
  type ReactNode,
} from "react";
import { sentence } from "../api/client";
import { Button } from "./basics";
import { Icon, type IconName } from "./icons";

interface Question {
  title: string;
  body?: ReactNode;
  /** What the button says that does it. */
  confirm: string;
  danger?: boolean;
}

interface Toast {
  id: number;
  text: string;
  kind: "good" | "bad";
  undo?: { words: string; run: () => void };
}

interface Overlays {
  /** Asks once; true: do it. */
  ask: (question: Question) => Promise<boolean>;
  tell: (text: string, undo?: Toast["undo"]) => void;
  complain: (error: unknown) => void;
}

const Context = createContext<Overlays | null>(null);

export function useOverlays(): Overlays {
  const found = useContext(Context);
  if (!found) throw new Error("there are no overlays here");
  return found;
}

let nextToast = 1;

export function OverlayProvider({ children }: { children: ReactNode }) {
  const [question, setQuestion] = useState<(Question & { answer: (yes: boolean) => void }) | null>(null);
  const [toasts, setToasts] = useState<Toast[]>([]);

  const dismiss = useCallback((id: number) => setToasts((all) => all.filter((one) => one.id !== id)), []);
  const show = useCallback(
    (toast: Omit<Toast, "id">) => {
      const id = nextToast++;
      setToasts((all) => [...all.slice(-3), { ...toast, id }]);
      setTimeout(() => dismiss(id), toast.kind === "bad" ? 15_000 : toast.undo ? 12_000 : 5_000);
    },
    [dismiss],
  );
  const overlays = useMemo<Overlays>(
    () => ({
      ask: (asked) =>
        new Promise((resolve) => {
          setQuestion({
            ...asked,
            answer: (yes) => {
              setQuestion(null);
              resolve(yes);
            },
          });
        }),
      tell: (text, undo) => show({ text, kind: "good", undo }),
      complain: (error) => show({ text: sentence(error), kind: "bad" }),
    }),
    [show],
  );

  return (
    <Context value={overlays}>
      {children}
      {question && (
        <Dialog title={question.title} onClose={() => question.answer(false)} narrow>
          {question.body && <div className="dialog-body">{question.body}</div>}
          <div className="dialog-actions">
            <Button onClick={() => question.answer(false)} autoFocus>
              Cancel
            </Button>
            <Button kind={question.danger ? "danger" : "primary"} onClick={() => question.answer(true)}>
              {question.confirm}
            </Button>
          </div>
        </Dialog>
      )}
      <div className="toasts" role="status" aria-live="polite">
        {toasts.map((toast) => (
          <div key={toast.id} className={`toast toast-${toast.kind}`}>
            <Icon name={toast.kind === "bad" ? "close" : "info"} />
            <span>{toast.text}</span>
            {toast.undo && (
              <Button
                kind="quiet"
                onClick={() => {
                  dismiss(toast.id);
                  toast.undo?.run();
                }}
              >
                {toast.undo.words}
              </Button>
            )}
            <Button icon="close" kind="quiet" label="Dismiss" onClick={() => dismiss(toast.id)} />
          </div>
        ))}
      </div>
    </Context>
  );
}

export function Dialog({ title, children, onClose, narrow = false }: {
  title: string;
  children: ReactNode;
  onClose: () => void;
  narrow?: boolean;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={ref}
      className={narrow ? "dialog dialog-narrow" : "dialog"}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === ref.current) onClose();
      }}
    >
      <div className="dialog-inside">
        <header className="dialog-head">
          <h2 id={id}>{title}</h2>
          <Button icon="close" kind="quiet" label="Close" onClick={onClose} />
        </header>
        {children}
      </div>
    </dialog>
  );
}

export interface MenuItem {
  words: string;
  icon?: IconName;
  danger?: boolean;
  run: () => void;
}

/** A button with a list of further actions. */
export function Menu({ label, icon = "more", items, children }: {
  label: string;
  icon?: IconName;
  items: MenuItem[];
  children?: ReactNode;
}) {
  const [place, setPlace] = useState<React.CSSProperties | null>(null);
  const open = place !== null;
  const ref = useRef<HTMLDivElement>(null);
  const setOpen = (wanted: boolean) => setPlace(wanted && ref.current ? below(ref.current, items.length) : null);
  useEffect(() => {
    if (!open) return;
    const close = (event: Event) => {
      if (event.type !== "pointerdown" || !ref.current?.contains(event.target as Node)) setPlace(null);
    };
    document.addEventListener("pointerdown", close);
    window.addEventListener("scroll", close, true);
    window.addEventListener("resize", close);
    ref.current?.querySelector<HTMLElement>("[role=menuitem]")?.focus({ preventScroll: true });
    return () => {
      document.removeEventListener("pointerdown", close);
      window.removeEventListener("scroll", close, true);
      window.removeEventListener("resize", close);
    };
  }, [open]);
  const move = (step: number) => {
    const all = [...(ref.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
    const at = all.indexOf(document.activeElement as HTMLElement);
    all[(at + step + all.length) % all.length]?.focus();
  };
  return (
    <div
      className="menu"
      ref={ref}
      onKeyDown={(event) => {
        if (!open) return;
        if (event.key === "Escape") {
          setOpen(false);
          ref.current?.querySelector("button")?.focus();
        } else if (event.key === "ArrowDown") move(1);
        else if (event.key === "ArrowUp") move(-1);
        else return;
        event.preventDefault();
        event.stopPropagation();
      }}
    >
      <Button
        icon={icon}
        label={label}
        kind="quiet"
        aria-haspopup="menu"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        {children}
      </Button>
      {open && (
        <div className="menu-list" role="menu" aria-label={label} style={place}>
          {items.map((item) => (
            <button
              key={item.words}
              type="button"
              role="menuitem"
              className={item.danger ? "menu-item menu-danger" : "menu-item"}
              onClick={() => {
                setOpen(false);
                item.run();
              }}
            >
              {item.icon && <Icon name={item.icon} />}
              {item.words}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

const ITEM_PX = 40;

/** Where the list of a menu goes: fixed on the screen, so that no scrolling box cuts it off. */
function below(anchor: HTMLElement, items: number): React.CSSProperties {
  const box = anchor.getBoundingClientRect();
  const height = items * ITEM_PX + 16;
  const up = box.bottom + height > window.innerHeight && box.top > height;
  const right = Math.max(8, document.documentElement.clientWidth - box.right);
  return up ? { right, bottom: window.innerHeight - box.top + 4 } : { right, top: box.bottom + 4 };
}
