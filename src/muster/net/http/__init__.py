"""One bounded HTTP client: an answer within time and size, or one error that names the fault.

Decides how a request is sent and when a peer has had its chance. It refuses to know what an
answer means, follows no redirect and keeps no connection. Everything is bounded: the whole time
from the name to the last byte (also against a peer that sends one byte a second), the size of
head and body. Failures of any lower library, also in the middle of a body, become one of the
errors `net/…` (docs/spec/08-http.md, section 8.11).

Rooms: `client` is the entry and knows addresses, proxies and certificates; `exchange` makes one
connection and sends one request; `framing` reads what comes back; `faults` names what failed.
"""

from muster.net.http.client import HTTPClient
from muster.net.http.exchange import Response, bounded, peer_text
from muster.net.http.framing import HEAD_LIMIT

__all__ = ["HEAD_LIMIT", "HTTPClient", "Response", "bounded", "peer_text"]
