/** The audio matrix as it stands in routes.json: a list of crossings. Pure. */
import type { Json } from "../../api/types";

export const MOST_INPUTS = 16;

export interface Cell {
  output: number;
  input: number;
  gainDb?: number;
  [key: string]: Json | undefined;
}

/** What stands in a draft, as far as it is a matrix. */
export function cellsOf(matrix: Json | undefined): Cell[] {
  if (!Array.isArray(matrix)) return [];
  return matrix.filter(
    (one): one is Cell =>
      typeof one === "object" && one !== null && !Array.isArray(one) && typeof one.output === "number" && typeof one.input === "number",
  );
}

export const cellAt = (cells: Cell[], output: number, input: number): Cell | undefined =>
  cells.find((cell) => cell.output === output && cell.input === input);

/** So many input channels must be shown. */
export const fewestInputs = (cells: Cell[]): number => Math.min(MOST_INPUTS, Math.max(1, ...cells.map((cell) => cell.input)));

/** The matrix with one crossing set; null: taken away. The last one gone: no matrix. */
export function withCell(cells: Cell[], output: number, input: number, gainDb: number | null): Cell[] | undefined {
  const others = cells.filter((cell) => cell.output !== output || cell.input !== input);
  const next = gainDb === null ? others : [...others, gainDb ? { output, input, gainDb } : { output, input }];
  next.sort((a, b) => a.output - b.output || a.input - b.input);
  return next.length ? next : undefined;
}

export const withoutOutputsBeyond = (cells: Cell[], channels: number): Cell[] | undefined => {
  const left = cells.filter((cell) => cell.output <= channels);
  return left.length ? left : undefined;
};

/** Every channel as it comes. */
export const identity = (channels: number): Cell[] =>
  Array.from({ length: channels }, (_, index) => ({ output: index + 1, input: index + 1 }));
