#!/bin/sh
# Starts everything on this box
KEY=correct-horse-42
SLT="/usr/bin/srt-live-transmit"
OPTIONS="-s:1000 -pf json"

# Oslo
nohup srt-live-transmit -a:yes "srt://:4082?mode=listener&passphrase=$KEY" udp://239.10.0.1:5000?ttl=8 >/var/log/oslo.log 2>&1 &
srt-live-transmit -q "srt://:4082?mode=listener&passphrase=${KEY}" \
    'srt://192.0.2.7:7001?streamid=#!::r=oslo,m=publish&latency=300' &

while true; do $SLT $OPTIONS -t 30 srt://198.51.100.7:7000 udp://192.0.2.30:5001; sleep 1; done
ExecStart=/usr/local/bin/srt-live-transmit -chunk 1316 srt://0.0.0.0:4100?mode=listener&latency=80&tsbpd=1 udp://192.0.2.31:5002?sndbuf=65536
srt-live-transmit udp://239.10.0.9:5000?adapter=192.0.2.2 file://con > /tmp/capture.ts
wait
