"""Server logs with everything in them that looks like a personal number and is none; and with a few addresses, marked as such."""

from __future__ import annotations

import random
import uuid

from pii_corpus import Annotated, Rng, address

HEX = "0123456789abcdef"


def hexes(rng: Rng, count: int) -> str:
    return "".join(rng.choice(HEX) for _ in range(count))


def digits(rng: Rng, count: int) -> str:
    return str(rng.randrange(10 ** (count - 1), 10**count))


def clock(rng: Rng) -> str:
    return f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"


def day(rng: Rng) -> str:
    return f"2026-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"


def lines(rng: Rng) -> str:
    order, trace = digits(rng, rng.choice([6, 8, 9, 10, 12])), hexes(rng, 32)
    epoch = 1_700_000_000 + rng.randrange(10**8)
    number = rng.randrange(10)
    match number:
        case 0:
            return (
                f"{day(rng)}T{clock(rng)}.{digits(rng, 3)}Z INFO  [{hexes(rng, 16)}] order={order} status=shipped "
                f"took {rng.randrange(10_000)} ms bytes={digits(rng, 7)} trace_id={trace}"
            )
        case 1:
            return (
                f'{{"ts":{epoch}.{digits(rng, 6)},"level":"info","request_id":"{uuid.UUID(int=rng.getrandbits(128))}",'
                f'"order_id":{order},"duration_ms":{rng.randrange(9999)},"msg":"order {order} confirmed"}}'
            )
        case 2:
            return (
                f"{day(rng)} {clock(rng)},{digits(rng, 3)} DEBUG pool-{rng.randrange(20)}-thread-{rng.randrange(99)} "
                f"c.e.orders.OrderService - saved Order(id={order}, version={rng.randrange(99)}, items={rng.randrange(9)}) in {rng.random():.9f} s"
            )
        case 3:
            return (
                f"Nov {rng.randrange(10, 29)} {clock(rng)} node-{rng.randrange(99)} kernel: [{rng.randrange(10**6)}.{digits(rng, 6)}] "
                f"eth0: rx_bytes {digits(rng, 11)} tx_bytes {digits(rng, 10)} dropped 0"
            )
        case 4:
            return (
                f"I{rng.randrange(1, 13):02}{rng.randrange(1, 29):02} {clock(rng)}.{digits(rng, 6)} {digits(rng, 5)} pod.go:{rng.randrange(999)}] "
                f"orchestrator-{hexes(rng, 10)}-{hexes(rng, 5)} restarted {rng.randrange(9)} times, exit {rng.randrange(255)}"
            )
        case 5:
            return (
                f"epoch={epoch} epoch_ms={epoch}{digits(rng, 3)} offset={digits(rng, 9)} partition={rng.randrange(64)} key={hexes(rng, 8)} "
                f"crc={digits(rng, 10)} lag={rng.randrange(10**6)}"
            )
        case 6:
            return (
                f"GET /v1/orders/{order}?page={rng.randrange(99)}&since={day(rng)} 200 {digits(rng, 5)} {rng.random():.3f} "
                f'"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/{rng.randrange(100, 140)}.0.{rng.randrange(9999)}.{rng.randrange(250)} Safari/537.36"'
            )
        case 7:
            return (
                f"build {rng.randrange(9)}.{rng.randrange(30)}.{rng.randrange(99)}+{digits(rng, 8)} sha256:{hexes(rng, 64)} "
                f"commit {hexes(rng, 40)} size {digits(rng, 8)} bytes"
            )
        case 8:
            return (
                f"[{day(rng)} {clock(rng)} +0000] [{rng.randrange(10, 9999)}] [INFO] invoice {digits(rng, 4)}-{digits(rng, 6)} "
                f"total {rng.randrange(9999)}.{digits(rng, 2)} EUR ticket #{digits(rng, 7)} ref {digits(rng, 12)}"
            )
        case _:
            return (
                f"metrics p50={rng.random():.6f} p99={rng.random() * 10:.6f} count={digits(rng, 8)} heap={digits(rng, 10)} "
                f"gc={rng.randrange(999)}ms mac={':'.join(hexes(rng, 2) for _ in range(6))} snowflake={digits(rng, 18)}"
            )


def log(characters: int, seed: int = 1) -> Annotated:
    """At least so many characters of log lines; every fifth names a client's address, which is marked."""
    rng = random.Random(seed)
    parts: list[str] = []
    spans: list[tuple[int, int, str]] = []
    size = 0
    while size < characters:
        line = lines(rng)
        if rng.random() < 0.2:
            client = address(rng)
            line += " client="
            spans.append((size + len(line), size + len(line) + len(client), "IP"))
            line += client
        parts.append(line + "\n")
        size += len(line) + 1
    return Annotated("".join(parts), tuple(spans))
