/** The options of an SRT end beside the common ones, as a form shows them. The server judges the values. */
export interface Option {
  key: string;
  label: string;
  kind: "number" | "text" | "switch" | "choice";
  unit?: string;
  hint?: string;
  choices?: readonly (readonly [string | number, string])[];
}

export interface OptionGroup {
  title: string;
  options: Option[];
}

export const SRT_GROUPS: OptionGroup[] = [
  {
    title: "Encryption",
    options: [
      {
        key: "pbkeylen",
        label: "Key length",
        kind: "choice",
        choices: [
          [0, "As the peer says"],
          [16, "AES-128"],
          [24, "AES-192"],
          [32, "AES-256"],
        ],
      },
      { key: "kmrefreshrate", label: "New key after", kind: "number", unit: "packets" },
      { key: "enforcedencryption", label: "Refuse a wrong passphrase", kind: "switch" },
    ],
  },
  {
    title: "Network",
    options: [
      { key: "adapter", label: "Local address", kind: "text", hint: "An address of this machine; none: any." },
      { key: "localPort", label: "Local port", kind: "number", hint: "Of a caller; none: any free one." },
      { key: "bindtodevice", label: "Network interface", kind: "text", hint: "Such as eth1; needs CAP_NET_RAW." },
      { key: "ttl", label: "TTL", kind: "number", unit: "hops" },
      { key: "tos", label: "ToS", kind: "number", hint: "DSCP times 4." },
      { key: "mss", label: "Largest packet (MSS)", kind: "number", unit: "bytes" },
      { key: "payloadsize", label: "Payload", kind: "number", unit: "bytes" },
    ],
  },
  {
    title: "Bandwidth and recovery",
    options: [
      { key: "maxbw", label: "Most bandwidth", kind: "number", unit: "bytes/s", hint: "−1: no limit, 0: from the two below." },
      { key: "inputbw", label: "Input rate", kind: "number", unit: "bytes/s" },
      { key: "oheadbw", label: "Overhead for retransmission", kind: "number", unit: "%" },
      { key: "packetfilter", label: "FEC", kind: "text", hint: "Such as fec,cols:10,rows:5." },
      { key: "rcvlatency", label: "Latency as receiver", kind: "number", unit: "ms" },
      { key: "peerlatency", label: "Latency asked of the peer", kind: "number", unit: "ms" },
      { key: "tlpktdrop", label: "Drop what comes too late", kind: "switch" },
      { key: "snddropdelay", label: "Sender drops after", kind: "number", unit: "ms" },
      { key: "nakreport", label: "Periodic NAK reports", kind: "switch" },
      { key: "lossmaxttl", label: "Reorder tolerance", kind: "number", unit: "packets" },
    ],
  },
  {
    title: "Connection and buffers",
    options: [
      { key: "conntimeo", label: "Connection attempt", kind: "number", unit: "ms" },
      { key: "peeridletimeo", label: "Silent peer is gone after", kind: "number", unit: "ms" },
      { key: "minversion", label: "Oldest SRT version let in", kind: "text", hint: "Such as 1.3.0." },
      { key: "fc", label: "Flow window", kind: "number", unit: "packets" },
      { key: "sndbuf", label: "Send buffer", kind: "number", unit: "bytes" },
      { key: "rcvbuf", label: "Receive buffer", kind: "number", unit: "bytes" },
    ],
  },
];
