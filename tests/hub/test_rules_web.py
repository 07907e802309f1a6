"""What the hub's page and API tell of a tenant's rules."""

import httpx

from store import publishing
from store.pool import Pool, transaction
from tests.publishing import TENANT, published, tagging


async def park(pool: Pool) -> None:
    await published(pool, tagging("bad"))
    async with transaction(pool) as conn:
        await publishing.park(conn, tenant=TENANT, number=1, error="disagree on <mark>")


async def test_the_api_tells_what_decides_and_what_did(http: httpx.AsyncClient, pool: Pool) -> None:
    url = f"/api/v1/tenants/{TENANT}/rules"
    nothing = (await http.get(url)).json()
    assert (nothing["active"]["number"], nothing["publications"]) == (None, [])
    await published(pool, tagging("one"))
    found = (await http.get(url)).json()
    assert found["active"]["version"] == tagging("one").version
    [one] = found["publications"]
    assert (one["number"], one["name"], one["status"], one["reason"]) == (
        1,
        "one",
        "active",
        "try one",
    )
    other = (await http.get("/api/v1/tenants/other/rules")).json()
    assert other["publications"] == []


async def test_the_page_warns_of_a_parked_pack_of_its_tenant(
    http: httpx.AsyncClient, pool: Pool
) -> None:
    await park(pool)
    page = (await http.get("/", params={"tenant": TENANT})).text
    assert "cannot\n    decide and is parked" in page
    assert "disagree on &lt;mark&gt;" in page
    assert "is parked" not in (await http.get("/", params={"tenant": "other"})).text
