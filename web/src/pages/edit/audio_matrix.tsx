/** Which channel that comes in is heard in which channel that goes out, and how loud. */
import { useState } from "react";
import type { Json } from "../../api/types";
import { Button } from "../../parts/basics";
import type { FieldErrors } from "./shapes";
import { cellAt, cellsOf, fewestInputs, identity, withCell, withoutOutputsBeyond, MOST_INPUTS, type Cell } from "./matrix";

interface Props {
  matrix: Json | undefined;
  /** Output channels. */
  channels: number;
  errors: FieldErrors;
  onChange: (matrix: Cell[] | undefined) => void;
}

export function AudioMatrix({ matrix, channels, errors, onChange }: Props) {
  const cells = cellsOf(matrix);
  const [wanted, setWanted] = useState(2);
  const inputs = Math.max(wanted, fewestInputs(cells));
  const wrong = [errors["audio.matrix"], ...Object.entries(errors).filter(([key]) => key.startsWith("audio.matrix[")).map(([, words]) => words)]
    .filter(Boolean)
    .join("; ");
  if (!cells.length) {
    return (
      <div className="matrix-none">
        <p className="dim">Channels: mixed down or up as usual.</p>
        <Button onClick={() => onChange(identity(Math.min(channels, MOST_INPUTS)))}>Set an audio matrix</Button>
      </div>
    );
  }
  const beyond = cells.some((cell) => cell.output > channels);
  return (
    <div className="matrix">
      <div className="scroll-x" tabIndex={0} role="region" aria-label="Audio matrix">
        <table className="table table-tight">
          <caption>
            Audio matrix: a tick lets a channel of the source through, in dB louder or softer. A channel that the source does
            not have is silence.
          </caption>
          <thead>
            <tr>
              <th scope="col">In</th>
              {range(channels).map((output) => (
                <th scope="col" key={output}>
                  Out {output}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {range(inputs).map((input) => (
              <tr key={input}>
                <th scope="row">{input}</th>
                {range(channels).map((output) => (
                  <td key={output}>
                    <Crossing
                      name={`In ${input} to out ${output}`}
                      cell={cellAt(cells, output, input)}
                      onChange={(gain) => onChange(withCell(cells, output, input, gain))}
                    />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {wrong && <p className="field-error">{wrong}</p>}
      {beyond && (
        <p className="field-error">
          Some crossings go to channels that there are no more.{" "}
          <Button onClick={() => onChange(withoutOutputsBeyond(cells, channels))}>Remove them</Button>
        </p>
      )}
      <div className="button-line">
        <Button icon="plus" disabled={inputs >= MOST_INPUTS} onClick={() => setWanted(inputs + 1)}>
          Input channel
        </Button>
        <Button onClick={() => onChange(identity(Math.min(channels, MOST_INPUTS)))}>One to one</Button>
        <Button icon="trash" onClick={() => onChange(undefined)}>
          No matrix
        </Button>
      </div>
    </div>
  );
}

function Crossing({ name, cell, onChange }: { name: string; cell: Cell | undefined; onChange: (gainDb: number | null) => void }) {
  return (
    <span className="crossing">
      <input
        type="checkbox"
        aria-label={name}
        checked={cell !== undefined}
        onChange={(event) => onChange(event.target.checked ? 0 : null)}
      />
      {cell && (
        <>
          <Gain name={`${name}, gain in dB`} value={cell.gainDb ?? 0} onChange={onChange} />
          <span className="dim">dB</span>
        </>
      )}
    </span>
  );
}

/** While one types, a minus sign alone is no number yet, and stays. */
function Gain({ name, value, onChange }: { name: string; value: number; onChange: (gainDb: number) => void }) {
  const [text, setText] = useState<string | null>(null);
  return (
    <input
      type="number"
      step="any"
      aria-label={name}
      value={text ?? String(value)}
      onChange={(event) => {
        setText(event.target.value);
        if (event.target.value !== "") onChange(Number(event.target.value));
      }}
      onBlur={() => setText(null)}
    />
  );
}

const range = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
