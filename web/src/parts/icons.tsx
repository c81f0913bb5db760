/** Every icon. Each is beside a word or has a label: none is the only sign of anything. */
import type { SVGProps } from "react";
import type { Status } from "../api/types";

const STATUS_SHAPES: Record<Status, React.JSX.Element> = {
  running: <path d="M4 8.5 7 11.5 12.5 5" fill="none" stroke="currentColor" strokeWidth="2.4" />,
  degraded: (
    <>
      <path d="M8 1.8 15 14H1Z" fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinejoin="round" />
      <path d="M8 6v4M8 11.2v1.4" stroke="currentColor" strokeWidth="1.8" />
    </>
  ),
  failed: <path d="M3.5 3.5l9 9M12.5 3.5l-9 9" stroke="currentColor" strokeWidth="2.6" />,
  waiting: (
    <>
      <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" strokeWidth="1.8" />
      <path d="M8 4.5V8l2.4 1.6" fill="none" stroke="currentColor" strokeWidth="1.8" />
    </>
  ),
  stopped: <rect x="3.5" y="3.5" width="9" height="9" rx="1" fill="none" stroke="currentColor" strokeWidth="1.8" />,
  starting: <path d="M5 3l7 5-7 5Z" fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinejoin="round" />,
  restarting: (
    <path d="M13 8a5 5 0 1 1-1.6-3.7M13 1.8v3.4H9.6" fill="none" stroke="currentColor" strokeWidth="1.8" />
  ),
  stopping: <path d="M5 3.5v9M11 3.5v9" stroke="currentColor" strokeWidth="2.2" />,
};

const SHAPES = {
  search: <path d="M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9ZM10.5 10.5 14 14" />,
  check: <path d="M2.5 2.5h11v11h-11zM5 8l2.3 2.3L11.5 5.5" />,
  rows: <path d="M2 4h12M2 8h12M2 12h12" />,
  tiles: <path d="M2.5 2.5h4.5v4.5H2.5zM9 2.5h4.5v4.5H9zM2.5 9h4.5v4.5H2.5zM9 9h4.5v4.5H9z" />,
  full: <path d="M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10" />,
  plus: <path d="M8 3v10M3 8h10" />,
  play: <path d="M5 3l7.5 5L5 13Z" />,
  stop: <rect x="4" y="4" width="8" height="8" rx="1" />,
  restart: <path d="M13 8a5 5 0 1 1-1.6-3.7M13 1.8v3.4H9.6" />,
  edit: <path d="M3 13l.8-3L11 2.8 13.2 5 6 12.2ZM9.5 4.3l2.2 2.2" />,
  copy: <path d="M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3" />,
  trash: <path d="M3 4.5h10M6.5 4V2.5h3V4M4.2 4.5l.6 9h6.4l.6-9M6.7 7v4M9.3 7v4" />,
  close: <path d="M4 4l8 8M12 4l-8 8" />,
  chevron: <path d="M4 6l4 4 4-4" />,
  back: <path d="M10 3 5 8l5 5" />,
  sun: <path d="M8 5a3 3 0 1 1 0 6 3 3 0 0 1 0-6ZM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1" />,
  moon: <path d="M13.5 9.5A6 6 0 0 1 6.5 2.5 6 6 0 1 0 13.5 9.5Z" />,
  user: <path d="M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM2.5 14c.5-3 2.7-4.5 5.5-4.5s5 1.5 5.5 4.5" />,
  bell: <path d="M3.5 11.5h9c-1.2-1-1.2-2.2-1.2-4.5A3.3 3.3 0 0 0 8 3.5 3.3 3.3 0 0 0 4.7 7c0 2.3 0 3.5-1.2 4.5ZM6.7 13.5c.5.7 2.1.7 2.6 0M8 3.5V2" />,
  link: <path d="M6.5 9.5l3-3M7 4.5l1.5-1.5a3 3 0 0 1 4.5 4.5L11.5 9M9 11.5 7.5 13A3 3 0 0 1 3 8.5L4.5 7" />,
  unlink: <path d="M7 4.5l1.5-1.5a3 3 0 0 1 4.5 4.5L11.5 9M9 11.5 7.5 13A3 3 0 0 1 3 8.5L4.5 7M2.5 2.5l11 11" />,
  question: <path d="M5.5 6a2.5 2.5 0 1 1 3.8 2.1C8.5 8.7 8 9 8 10M8 12v1" />,
  download: <path d="M8 2v8M4.5 7 8 10.5 11.5 7M3 13.5h10" />,
  upload: <path d="M8 10.5V2.5M4.5 6 8 2.5 11.5 6M3 13.5h10" />,
  qr: <path d="M2.5 2.5h4v4h-4zM9.5 2.5h4v4h-4zM2.5 9.5h4v4h-4zM9.5 9.5h1.5v1.5M13.5 9.5v4h-4v-1.5" />,
  more: <path d="M3.5 8h.01M8 8h.01M12.5 8h.01" strokeWidth="2.6" />,
  info: <path d="M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2ZM8 7.5v4M8 4.5v1" />,
  arrow: <path d="M2.5 8h10M9 4.5 12.5 8 9 11.5" />,
  menu: <path d="M2 4h12M2 8h12M2 12h12" />,
};

export type IconName = keyof typeof SHAPES;

export function Icon({ name, ...rest }: { name: IconName } & SVGProps<SVGSVGElement>) {
  return (
    <svg
      className="icon"
      viewBox="0 0 16 16"
      aria-hidden="true"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      {...rest}
    >
      {SHAPES[name]}
    </svg>
  );
}

export function StatusIcon({ status }: { status: Status }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
      {STATUS_SHAPES[status]}
    </svg>
  );
}

export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="#12202e" stroke="#2c4257" />
      <circle cx="7.5" cy="16" r="3.5" fill="#4cc38a" />
      <path
        d="M11 16h4M15 16c4 0 3-8 8-8h2M15 16h10M15 16c4 0 3 8 8 8h2"
        fill="none"
        stroke="#8fd3ff"
        strokeWidth="2.4"
        strokeLinecap="round"
      />
    </svg>
  );
}
