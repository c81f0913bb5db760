"""Where a request comes from and what it may call us: settings of the border, and what follows from headers."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from srt_router.api.access import Visitor
from srt_router.api.tls import Certificate, certificate
from srt_router.settings import Settings

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Headers = Mapping[bytes, str]

_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via")


@dataclass(frozen=True, slots=True)
class Network:
    """How this server stands in its network."""

    hosts: frozenset[str] = frozenset()
    """Names, in small letters, by which it may be called; IP addresses and `localhost` always may."""
    proxies: tuple[IpNetwork, ...] = ()
    """Whose word about the client counts."""
    cors_origins: frozenset[str] = frozenset()
    certificate: Certificate | None = None
    """Of the server itself; None: it does not speak TLS."""
    cookie: str = "srt_router"
    """What the names of its cookies begin with: routers behind one name and several ports share a cookie jar."""

    @classmethod
    def of(cls, settings: Settings, instance: str) -> Network:
        """As it is set. Raises SettingsError for a certificate that cannot be used."""
        return cls(
            hosts=frozenset(name.lower() for name in (*settings.allowed_hosts, socket.gethostname())),
            proxies=tuple(ipaddress.ip_network(one, strict=False) for one in settings.trusted_proxies),
            cors_origins=frozenset(settings.cors_origins),
            certificate=certificate(settings),
            cookie=f"srt_router_{instance.replace('-', '')[:8]}",
        )

    @property
    def tls(self) -> bool:
        """The server itself speaks TLS."""
        return self.certificate is not None

    @property
    def session_cookie(self) -> str:
        """Its name."""
        return f"{self.cookie}_session"

    @property
    def device_cookie(self) -> str:
        """Its name."""
        return f"{self.cookie}_device"

    def visitor(self, peer: str | None, headers: Headers) -> Visitor:
        """Who is really there. Forwarding headers count from trusted proxies only."""
        address = _parsed(peer)
        forwarded = any(name in headers for name in _FORWARDED)
        if address is None or not self._trusts(address):
            loopback = address is not None and address.is_loopback and not forwarded
            return Visitor(str(address) if address else peer, self.tls, loopback)
        hops = [hop.strip() for hop in headers.get(b"x-forwarded-for", "").split(",") if hop.strip()]
        client: IpAddress = address
        for hop in reversed(hops):
            named = _parsed(hop)
            if named is None:
                break
            client = named
            if not self._trusts(named):
                break
        proto = headers.get(b"x-forwarded-proto", "").rpartition(",")[2].strip().lower()
        return Visitor(str(client), proto == "https" if proto else self.tls, client.is_loopback and not forwarded)

    def knows_host(self, host: str) -> bool:
        """A Host header that means us. DNS rebinding needs a name of its own: it cannot use an address or our name."""
        if "," in host:
            return False  # two of them: who knows which one somebody else goes by
        name = host_name(host)
        if name == "localhost" or name in self.hosts:
            return True
        return _parsed(name) is not None

    def _trusts(self, address: IpAddress) -> bool:
        return any(address in network for network in self.proxies)


def host_name(host: str) -> str:
    """The name or address in a Host header, in small letters, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower() if "]" in host else ""
    return host.partition(":")[0].rstrip(".").lower()


def _parsed(text: str | None) -> IpAddress | None:
    try:
        found = ipaddress.ip_address((text or "").strip("[]"))
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return found.ipv4_mapped
        return ipaddress.IPv6Address(int(found))  # without the zone
    return found
