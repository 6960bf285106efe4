"""Pools by function version and tenant."""

from types import SimpleNamespace

from emberbox.environment.pools import Pools


def function(name, version="1"):
    return SimpleNamespace(key=("1", "r", name), version=version)


def pool(of, tenant=""):
    return SimpleNamespace(plan=SimpleNamespace(function=of), tenant=tenant)


def test_tenants_have_pools_of_their_own():
    """And nobody finds another's."""
    f, g, pools = function("f"), function("g"), Pools()
    made = {tenant: pool(f, tenant) for tenant in "ab"}
    common = pool(g)
    for each in (*made.values(), common):
        pools.add(each)

    assert pools.find(f, "a") is made["a"]
    assert pools.find(f, "b") is made["b"]
    assert pools.find(f, "c") is pools.find(f) is pools.find(g, "a") is None
    assert pools.find(g) is pools.any_of(g) is common
    assert set(map(id, pools)) == {id(each) for each in (*made.values(), common)}


def test_a_version_goes_with_all_of_its_tenants():
    """Other versions stay."""
    f, other, pools = function("f"), function("f", "2"), Pools()
    for each in (pool(f, "a"), pool(f, "b"), pool(other, "a")):
        pools.add(each)

    assert [each.tenant for each in pools.take_out(f)] == ["a", "b"]
    assert pools.any_of(f) is None
    assert pools.find(other, "a") is not None


def test_a_tenant_who_is_gone_is_forgotten():
    """But not his successor."""
    f, pools = function("f"), Pools()
    old, new = pool(f, "a"), pool(f, "a")
    pools.add(old)
    pools.add(new)

    pools.drop(old)
    assert pools.find(f, "a") is new
    pools.drop(new)
    assert list(pools) == []
