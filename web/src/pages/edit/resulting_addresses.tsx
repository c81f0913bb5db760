/** The addresses that the other sides will need, while the route is still being written. */
import type { Endpoint, RouteConfig } from "../../api/types";
import { otherSide } from "../../parts/addresses";
import { CopyButton } from "../../parts/basics";
import { usePreference } from "../../parts/preferences";
import { QrCode } from "../../parts/qr";
import { MASK } from "./draft";
import type { FieldErrors } from "./shapes";

export function ResultingAddresses({ draft, errors }: { draft: RouteConfig; errors: FieldErrors }) {
  const ends: [string, Endpoint, boolean][] = [
    ["Source", draft.source, true],
    ...draft.destinations.map((end, index): [string, Endpoint, boolean] => [end.name ?? `Destination ${index + 1}`, end, false]),
  ];
  const srt = ends.filter(([, end]) => end.type === "srt");
  if (!srt.length) return <p className="dim">None: no end of this route is SRT.</p>;
  if (Object.keys(errors).length) return <p className="dim">As soon as the source is right.</p>;
  return (
    <ul className="addresses">
      {srt.map(([name, end, asSource], index) => (
        <Address key={index} name={name} end={end} asSource={asSource} />
      ))}
    </ul>
  );
}

function Address({ name, end, asSource }: { name: string; end: Endpoint; asSource: boolean }) {
  const [host] = usePreference("address.host", location.hostname);
  const passphrase = end.passphrase && end.passphrase !== MASK ? end.passphrase : null;
  const { url, advice } = otherSide(end, host, passphrase, asSource);
  return (
    <li>
      <p>
        <b>{name}</b> <span className="dim">{advice}</span>
      </p>
      <p className="address mono">{url}</p>
      <CopyButton text={url} what={`the address of ${name}`} />
      <details>
        <summary>QR code</summary>
        <QrCode text={url} label={`QR code of ${url}`} />
      </details>
    </li>
  );
}
