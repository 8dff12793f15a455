"""The proxy of an environment, through which a client does not reach a stack on its machine."""

import ipaddress
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

SUFFIX = "_proxy"


def proxy_note(urls: Iterable[str], environ: Mapping[str, str]) -> str:
    """Return what to set so that requests to URLs bypass the proxy, empty if they already do.

    Args:
        urls: URLs of servers on this machine, which a client uses.
        environ: Environment of the client.
    """
    proxies = proxies_in(environ)
    found = [urlsplit(url) for url in urls]
    hosts = [one.hostname or "" for one in found if {one.scheme, "all"} & {*proxies}]
    sent = dict.fromkeys(host for host in hosts if not bypasses(host, proxies.get("no", "")))
    if not sent:
        return ""
    return f"requests would go through this machine's proxy: add {', '.join(sent)} to NO_PROXY"


def proxies_in(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the proxies that are set, by scheme; lowercase names take precedence."""
    names = sorted((name for name in environ if name.lower().endswith(SUFFIX)), key=str.islower)
    found = {name.lower().removesuffix(SUFFIX): environ[name] for name in names}
    return {scheme: value for scheme, value in found.items() if value}


def bypasses(host: str, no_proxy: str) -> bool:
    """Tell whether NO_PROXY excludes a host, by its name, a domain, its address or its network."""
    names = filter(None, (part.strip().lower().lstrip(".") for part in no_proxy.split(",")))
    return any(
        name in {"*", host} or host.endswith(f".{name}") or _is_in(host, name) for name in names
    )


def _is_in(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
