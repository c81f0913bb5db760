/** A QR code of some text. */
import { useMemo } from "react";
import { encode } from "uqr";

export function QrCode({ text, label }: { text: string; label: string }) {
  const [size, path] = useMemo(() => {
    const code = encode(text, { border: 2, ecc: "M" });
    let drawn = "";
    code.data.forEach((row, y) => row.forEach((dark, x) => (drawn += dark ? `M${x} ${y}h1v1h-1z` : "")));
    return [code.size, drawn];
  }, [text]);
  return (
    <svg className="qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label} shapeRendering="crispEdges">
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}
