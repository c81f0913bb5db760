/** The wall: every route at a glance. */
import { useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { useRoutes, useTick } from "../../live/hooks";
import { useAlarmTotal } from "../../live/alarms";
import { store } from "../../live/store";
import { Button, Empty, Tabs } from "../../parts/basics";
import { Icon } from "../../parts/icons";
import { usePreference } from "../../parts/preferences";
import { useWindow } from "../../parts/use_window";
import { navigate, useParameter } from "../../router";
import { useMay } from "../../session";
import { bitrate } from "../../words";
import { GROUPS, chosen, tagsOf, totals, type Group, type SortKey, type Totals } from "./choice";
import { PickBar } from "./pick_bar";
import { startPicking, useChoosing } from "./picking";
import { WallClock, WallRow, WallTile } from "./row";
import { useFullScreen } from "./full_screen";

const ROW_HEIGHT = 52;
const CARD_HEIGHT = 124;
const TILE_HEIGHT = 206;
const TILE_WIDTH = 280;
const PHONE = "(max-width: 760px)";

const SORTS: readonly (readonly [SortKey, string])[] = [
  ["name", "Name"],
  ["trouble", "Trouble first"],
  ["bitrate", "Bitrate"],
  ["loss", "Loss"],
  ["rtt", "RTT"],
  ["uptime", "Uptime"],
  ["restarts", "Restarts"],
];
/** Where one expects the largest on top. */
const DOWN_FIRST: SortKey[] = ["bitrate", "loss", "rtt", "restarts", "uptime"];

function usePhone(): boolean {
  const [phone, setPhone] = useState(() => matchMedia(PHONE).matches);
  useEffect(() => {
    const query = matchMedia(PHONE);
    const change = () => setPhone(query.matches);
    query.addEventListener("change", change);
    return () => query.removeEventListener("change", change);
  }, []);
  return phone;
}

export function WallPage() {
  const routes = useRoutes();
  const tick = useTick();
  const may = useMay("operator");
  const phone = usePhone();
  const [full, toggleFull] = useFullScreen();
  const choosing = useChoosing();
  const [text, setText] = useParameter("q");
  const [group, setGroup] = useParameter("show", "all");
  const [tag, setTag] = useParameter("tag");
  const [sort, setSort] = usePreference<SortKey>("wall.sort", "name");
  const [direction, setDirection] = usePreference<"up" | "down">("wall.direction", "up");
  const [view, setView] = usePreference<"rows" | "tiles">("wall.view", "rows");
  const words = useDeferredValue(text);
  const shown = useMemo(() => {
    const known = (group in GROUPS ? group : "all") as Group;
    return chosen(routes, { text: words, group: known, tag, sort, down: direction === "down" }, store.numbersOf);
    // eslint-like note: `tick` renews the order once a second where it hangs on numbers
  }, [routes, words, group, tag, sort, direction, sort === "name" || sort === "trouble" ? 0 : tick]);
  const sums = useMemo(() => totals(routes, store.numbersOf), [routes, tick]);
  const tags = useMemo(() => tagsOf(routes), [routes]);

  const chooseSort = (key: SortKey) => {
    if (key === sort) setDirection(direction === "up" ? "down" : "up");
    else {
      setSort(key);
      setDirection(DOWN_FIRST.includes(key) ? "down" : "up");
    }
  };
  const tiles = view === "tiles" || full;

  return (
    <div className={full ? "page wall wall-full" : "page wall"}>
      <h1 className="sr-only">Wall</h1>
      <TotalsStrip sums={sums} clock={full} />
      <div className="toolbar">
        <SearchBox text={text} onChange={setText} />
        <Tabs
          label="Show"
          value={group as Group}
          options={(Object.keys(GROUPS) as Group[]).map((key) => [
            key,
            <>
              {GROUPS[key].words} <b className="chip-count">{sums.groups[key]}</b>
            </>,
          ])}
          onChange={setGroup}
        />
        {tags.length > 0 && (
          <select aria-label="Tag" value={tag} onChange={(event) => setTag(event.target.value)}>
            <option value="">All tags</option>
            {tags.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        )}
        <select
          aria-label="Sort by"
          className={tiles || phone ? "" : "sort-select"}
          value={sort}
          onChange={(event) => chooseSort(event.target.value as SortKey)}
        >
          {SORTS.map(([key, label]) => (
            <option key={key} value={key}>
              {key === "trouble" ? label : `By ${label.toLowerCase()}`}
            </option>
          ))}
        </select>
        <span className="toolbar-gap" />
        <Button
          icon={tiles ? "rows" : "tiles"}
          label={tiles ? "Show rows" : "Show tiles"}
          onClick={() => setView(tiles ? "rows" : "tiles")}
        />
        <Button icon="full" label={full ? "Leave the full-screen wall" : "Full-screen wall"} onClick={toggleFull} />
        {may && !choosing && routes.length > 0 && (
          <Button icon="check" onClick={startPicking} title="Choose several routes, and start, stop or restart them together">
            Choose
          </Button>
        )}
        {may && (
          <Button icon="plus" kind="primary" onClick={() => navigate("/routes/new")}>
            New route
          </Button>
        )}
      </div>
      {may && choosing && <PickBar shown={shown} />}
      {!store.complete ? (
        <p className="dim">Loading…</p>
      ) : routes.length === 0 ? (
        <NoRoutes may={may} />
      ) : shown.length === 0 ? (
        <Empty title="No route fits.">
          <Button
            onClick={() => {
              setText("");
              setGroup("all");
              setTag("");
            }}
          >
            Show all {routes.length} routes
          </Button>
        </Empty>
      ) : (
        <List
          ids={shown.map((route) => route.id)}
          kind={tiles ? "tiles" : phone ? "cards" : "rows"}
          sort={sort}
          down={direction === "down"}
          onSort={chooseSort}
        />
      )}
    </div>
  );
}

function NoRoutes({ may }: { may: boolean }) {
  return (
    <Empty title="There is no route yet.">
      <p>A route takes one stream in, over SRT or UDP, and sends it to any number of destinations.</p>
      {may ? (
        <p className="button-line">
          <Button icon="plus" kind="primary" onClick={() => navigate("/routes/new")}>
            Make the first route
          </Button>
          <Button icon="upload" onClick={() => navigate("/routes/transfer")}>
            Import routes
          </Button>
        </p>
      ) : (
        <p>An operator or an administrator can make one.</p>
      )}
    </Empty>
  );
}

function TotalsStrip({ sums, clock }: { sums: Totals; clock: boolean }) {
  const alarms = useAlarmTotal();
  return (
    <dl className="totals">
      <div>
        <dt>On air</dt>
        <dd>
          {sums.groups.onAir}
          <small> / {sums.groups.all}</small>
        </dd>
      </div>
      <div className={sums.groups.trouble ? "total-bad" : ""}>
        <dt>In trouble</dt>
        <dd>{sums.groups.trouble}</dd>
      </div>
      <div>
        <dt>Waiting</dt>
        <dd>{sums.groups.waiting}</dd>
      </div>
      <div>
        <dt>Destinations up</dt>
        <dd>
          {sums.destinationsThere}
          <small> / {sums.destinations}</small>
        </dd>
      </div>
      <div>
        <dt>In</dt>
        <dd className="num">{bitrate(sums.inKbps)}</dd>
      </div>
      <div>
        <dt>Out</dt>
        <dd className="num">{bitrate(sums.outKbps)}</dd>
      </div>
      <div className={alarms ? "total-bad" : ""}>
        <dt>Alarms</dt>
        <dd>{alarms}</dd>
      </div>
      {clock && (
        <div className="total-clock">
          <dt>Local time</dt>
          <dd>
            <WallClock />
          </dd>
        </div>
      )}
    </dl>
  );
}

function SearchBox({ text, onChange }: { text: string; onChange: (text: string) => void }) {
  return (
    <div className="search">
      <Icon name="search" />
      <input
        type="search"
        data-search
        aria-label="Search routes"
        placeholder="Search name, port, address, tag ( / )"
        value={text}
        onChange={(event) => onChange(event.target.value)}
      />
    </div>
  );
}

interface ListProps {
  ids: string[];
  kind: "rows" | "cards" | "tiles";
  sort: SortKey;
  down: boolean;
  onSort: (key: SortKey) => void;
}

function List({ ids, kind, sort, down, onSort }: ListProps) {
  const height = kind === "tiles" ? TILE_HEIGHT : kind === "cards" ? CARD_HEIGHT : ROW_HEIGHT;
  const view = useWindow(ids.length, height, kind === "tiles" ? TILE_WIDTH : 0);
  const [selected, setSelected] = useState<string | null>(null);
  useListKeys(ids, selected, setSelected, view.ref, height, view.columns);
  const drawn = ids.slice(view.first, view.last);
  if (kind === "tiles") {
    return (
      <div className="windowed" ref={view.ref} style={{ height: view.height }}>
        <div
          className="tiles"
          style={{ top: view.before, gridTemplateColumns: `repeat(${view.columns}, minmax(0, 1fr))` }}
        >
          {drawn.map((id, index) => (
            <WallTile key={id} id={id} index={view.first + index} selected={id === selected} />
          ))}
        </div>
      </div>
    );
  }
  return (
    <div role="table" aria-label="Routes" aria-rowcount={ids.length + 1} className={`wall-table wall-${kind}`}>
      <Head sort={sort} down={down} onSort={onSort} />
      <div className="windowed" role="rowgroup" ref={view.ref} style={{ height: view.height }}>
        <div className="windowed-part" role="presentation" style={{ top: view.before }}>
          {drawn.map((id, index) => (
            <WallRow key={id} id={id} index={view.first + index} selected={id === selected} />
          ))}
        </div>
      </div>
    </div>
  );
}

const HEADS: readonly (readonly [string, string, SortKey | null])[] = [
  ["c-status", "Status", "trouble"],
  ["c-name", "Route", "name"],
  ["c-source", "Source", null],
  ["c-destinations", "Dest.", null],
  ["c-rate num", "Bitrate", "bitrate"],
  ["c-spark", "2 min", null],
  ["c-loss num", "Loss", "loss"],
  ["c-rtt num", "RTT", "rtt"],
  ["c-uptime num", "Uptime", "uptime"],
  ["c-restarts num", "Restarts", "restarts"],
  ["c-alarms", "Alarms", null],
];

function Head({ sort, down, onSort }: { sort: SortKey; down: boolean; onSort: (key: SortKey) => void }) {
  return (
    <div role="rowgroup" className="wall-head">
      <div role="row" className="wall-row" aria-rowindex={1}>
        {HEADS.map(([name, words, key]) => (
          <div
            key={name}
            role="columnheader"
            className={name}
            aria-sort={key === sort ? (down ? "descending" : "ascending") : undefined}
          >
            {key ? (
              <button type="button" onClick={() => onSort(key)}>
                {words}
                <span className="sort-sign" aria-hidden="true">
                  {key === sort ? (down ? "▼" : "▲") : ""}
                </span>
              </button>
            ) : (
              words
            )}
          </div>
        ))}
        <div role="columnheader" className="c-actions">
          <span className="sr-only">Actions</span>
        </div>
      </div>
    </div>
  );
}

/** Arrow keys, or j and k, move over the routes; Enter opens the one that is marked. */
function useListKeys(
  ids: string[],
  selected: string | null,
  select: (id: string | null) => void,
  list: React.RefObject<HTMLDivElement | null>,
  height: number,
  columns: number,
): void {
  const state = useRef({ ids, selected, height, columns });
  state.current = { ids, selected, height, columns };
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input, select, textarea, dialog, .menu")) return;
      const now = state.current;
      const steps: Record<string, number> = { ArrowDown: now.columns, j: now.columns, ArrowUp: -now.columns, k: -now.columns };
      if (now.columns > 1) Object.assign(steps, { ArrowRight: 1, ArrowLeft: -1 });
      const step = steps[event.key];
      if (step === undefined) {
        if (event.key === "Enter" && now.selected && !target.closest("a, button")) navigate(`/routes/${now.selected}`);
        return;
      }
      event.preventDefault();
      const at = now.selected ? now.ids.indexOf(now.selected) : -1;
      const next = at < 0 ? 0 : Math.min(now.ids.length - 1, Math.max(0, at + step));
      select(now.ids[next] ?? null);
      reveal(list.current, Math.floor(next / now.columns) * now.height, now.height);
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [list, select]);
}

function reveal(list: HTMLElement | null, offset: number, height: number): void {
  if (!list) return;
  const top = list.getBoundingClientRect().top + offset;
  const margin = 130;
  if (top < margin) window.scrollBy({ top: top - margin });
  else if (top + height > window.innerHeight - 20) window.scrollBy({ top: top + height + 20 - window.innerHeight });
}
