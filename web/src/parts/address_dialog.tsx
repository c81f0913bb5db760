/** The address for the other side: to copy, and as a QR code for a phone or an encoder with a camera. */
import { useState } from "react";
import { get } from "../api/client";
import type { Endpoint, Items, Route } from "../api/types";
import { useMay } from "../session";
import { endName } from "../words";
import { otherSide } from "./addresses";
import { Button, CopyButton, Field } from "./basics";
import { Dialog, useOverlays } from "./overlays";
import { usePreference } from "./preferences";
import { QrCode } from "./qr";

interface Secret {
  index: number | null;
  passphrase: string | null;
}

export function AddressDialog({ route, end, onClose }: { route: Route; end: Endpoint; onClose: () => void }) {
  const operator = useMay("operator");
  const { complain } = useOverlays();
  const [host, setHost] = usePreference("address.host", location.hostname);
  const [passphrase, setPassphrase] = useState<string | null>(null);
  const asSource = route.source.endpoint === end;
  const { url, advice } = otherSide(end, host || location.hostname, passphrase, asSource);
  const reveal = async () => {
    try {
      const index = asSource ? null : route.destinations.findIndex((leg) => leg.endpoint === end);
      const { items } = await get<Items<Secret>>(`/api/routes/${route.id}/secrets`);
      setPassphrase(items.find((one) => one.index === index)?.passphrase ?? null);
    } catch (error) {
      complain(error);
    }
  };
  return (
    <Dialog title={`Address for ${endName(end)}`} onClose={onClose} narrow>
      <p className="dim">{advice}</p>
      {end.mode !== "caller" && (
        <Field label="This machine, as the other side reaches it" hint="An address or a name; it is remembered here.">
          {(ids) => <input {...ids} value={host} onChange={(event) => setHost(event.target.value.trim())} />}
        </Field>
      )}
      <p className="address mono">{url}</p>
      <p className="button-line">
        <CopyButton text={url} what="the address" />
        {end.passphrase && passphrase === null && operator && (
          <Button onClick={() => void reveal()}>Put the passphrase in (this is recorded)</Button>
        )}
      </p>
      {end.passphrase && passphrase === null && (
        <p className="dim">The passphrase is hidden: as it stands, the address does not connect.</p>
      )}
      <QrCode text={url} label={`QR code of ${url}`} />
    </Dialog>
  );
}
