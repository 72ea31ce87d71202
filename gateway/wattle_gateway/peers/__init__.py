"""Links between the gateways of an alliance: WebSocket in TLS 1.3 with pinned certificates.

Who may connect is decided here, what is said is decided elsewhere: `wattle_gateway.sync` reads
and writes every message but the first.
"""
