/** A graph over time, drawn by uPlot in the colours of the page. Drag to zoom, double-click to see all. */
import { useEffect, useRef, useSyncExternalStore } from "react";
import uPlot from "uplot";
import { clock, day } from "../words";

export interface Series {
  label: string;
  values: (number | null | undefined)[];
}

interface Props {
  title: string;
  /** Seconds since the epoch. */
  times: number[];
  series: Series[];
  format: (value: number) => string;
  /** Cursors of all graphs of a group move together. */
  group: string;
  span: [number, number];
  onZoom: (from: number, to: number) => void;
  onReset: () => void;
  height?: number;
}

/** How the lines of a graph are told apart: by colour, and by their dashes. */
export const COLOURS = ["--series-1", "--series-2", "--series-3", "--series-4", "--series-5", "--series-6"];
export const DASHES: number[][] = [[], [6, 3], [2, 2], [8, 3, 2, 3], [12, 4], [4, 4]];

export function Chart({ title, times, series, format, group, span, onZoom, onReset, height = 150 }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const words = useRef<HTMLSpanElement>(null);
  const latest = useRef({ onZoom, onReset, format, span });
  latest.current = { onZoom, onReset, format, span };
  const theme = useTheme();
  const labels = series.map((one) => one.label).join("\n");

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const css = getComputedStyle(document.documentElement);
    const colour = (name: string) => css.getPropertyValue(name).trim();
    const axis: uPlot.Axis = {
      stroke: colour("--ink-2"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { stroke: colour("--line"), width: 1 },
      font: `11px ${css.fontFamily}`,
    };
    const made = new uPlot(
      {
        width: element.clientWidth,
        height,
        cursor: { sync: { key: group }, drag: { x: true, y: false, setScale: false } },
        scales: {
          x: { time: true, range: () => latest.current.span },
          y: { range: (_, __, max) => [0, max && max > 0 ? max * 1.1 : 1] },
        },
        axes: [
          { ...axis, space: 70, values: (_, ticks) => ticks.map((tick, index) => timeLabel(tick, ticks[index - 1])) },
          { ...axis, size: 74, values: (_, ticks) => ticks.map((tick) => latest.current.format(tick)) },
        ],
        legend: { show: false },
        series: [
          {},
          ...labels.split("\n").map(
            (label, index): uPlot.Series => ({
              label,
              stroke: colour(COLOURS[index % COLOURS.length] ?? "--series-1"),
              dash: DASHES[index % DASHES.length],
              width: 1.6,
              points: { show: false },
            }),
          ),
        ],
        hooks: {
          setCursor: [
            (self) => {
              if (words.current) words.current.textContent = underCursor(self, latest.current.format);
            },
          ],
          setSelect: [
            (self) => {
              if (self.select.width < 8) return;
              const from = self.posToVal(self.select.left, "x");
              const to = self.posToVal(self.select.left + self.select.width, "x");
              self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
              latest.current.onZoom(from, to);
            },
          ],
        },
      },
      [[], ...labels.split("\n").map(() => [])] as unknown as uPlot.AlignedData,
      element,
    );
    plot.current = made;
    const reset = () => latest.current.onReset();
    made.over.addEventListener("dblclick", reset);
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [group, height, labels, theme]);

  useEffect(() => {
    plot.current?.setData([times, ...series.map((one) => one.values)] as uPlot.AlignedData);
  });

  return (
    <figure className="chart">
      <figcaption>
        {title} <span ref={words} className="chart-words num" aria-hidden="true" />
      </figcaption>
      <div ref={box} className="chart-box" aria-hidden="true" />
      <p className="sr-only">{spoken(title, series, format)}</p>
    </figure>
  );
}

/** What a graph says to those who do not see it: the newest value of each line. */
function spoken(title: string, series: Series[], format: (value: number) => string): string {
  const parts = series.map((one) => {
    const known = one.values.filter((value): value is number => value != null);
    const last = known.at(-1);
    return last === undefined ? `${one.label}: nothing known` : `${one.label}: now ${format(last)}, at most ${format(Math.max(...known.slice(-600)))}`;
  });
  return `${title}. ${parts.join("; ")}.`;
}

/** `04:03:20`; with the day where it is another one than before. */
function timeLabel(at: number, before: number | undefined): string {
  const time = clock(at * 1000).slice(0, at % 60 ? 8 : 5);
  const date = day(at * 1000);
  if (before === undefined || day(before * 1000) === date) return time;
  return time === "00:00" ? date.slice(5) : `${date.slice(5)} ${time}`;
}

/** The values that the cursor points at. */
function underCursor(plot: uPlot, format: (value: number) => string): string {
  const index = plot.cursor.idx;
  const at = index == null ? undefined : plot.data[0][index];
  if (index == null || at === undefined) return "";
  const values = plot.series.slice(1).map((one, number) => {
    const value = plot.data[number + 1]?.[index];
    return `${String(one.label)} ${value == null ? "–" : format(value)}`;
  });
  return `${clock(at * 1000)}  ${values.join("   ")}`;
}

function subscribeTheme(listener: () => void): () => void {
  const observer = new MutationObserver(listener);
  observer.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  return () => observer.disconnect();
}

/** Changes when the colours of the page change: a canvas does not follow them by itself. */
function useTheme(): string {
  return useSyncExternalStore(subscribeTheme, () => document.documentElement.dataset.theme ?? "");
}

/** Which line is which, once for all graphs that show the same. */
export function Legend({ labels }: { labels: string[] }) {
  return (
    <ul className="legend">
      {labels.map((label, index) => (
        <li key={label}>
          <svg viewBox="0 0 26 4" aria-hidden="true">
            <path
              d="M0 2h26"
              stroke={`var(${COLOURS[index % COLOURS.length]})`}
              strokeWidth="2.5"
              strokeDasharray={DASHES[index % DASHES.length]?.join(" ")}
            />
          </svg>
          {label}
        </li>
      ))}
    </ul>
  );
}
