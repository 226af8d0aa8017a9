"""Maps: variables of the operator's own, in every string, before and behind."""

import pytest

from conftest import Weir

CONFIG = """
    include: more.yaml
    access_log: {to: {dir}/access.log, format: "$uri $pool $late", buffer: 0}
    maps:
      pool: {source: $http_x_beta, values: {"1": beta, "~^canary-(\\\\w+)": $1},
             default: $fallback}
      office: {source: $remote_addr, cidr: {127.0.0.0/8: inside}}
      size: {source: $http_x_size, ranges: {0-999: small, 1000-: large}}
      variant: {split: $arg_id, shares: {a: 50%, b: "*"}}
      late: {source: $status, values: {"404": missing}, default: fine}
    sites:
      - listen: {port}
        response_headers:
          set: {X-Seen: "$pool $office $size $variant $from_include"}
        routes:
          - path: /go/*
            redirect: /$pool/$office
          - path: /map/*
            rewrite: [{regex: ^/map, to: /in/$pool, then: route}]
            respond: 204
          - path: /in/*
            respond: {body: $uri}
          - path: /ok
            respond: 204
          - path: /match/*
            match: {variable: {$pool: beta, $office$size: "~^inside"}}
            respond: {body: variable}
          - path: /match/*
            match:
              any: [{header: {X-A: "1"}}, {all: [{query: {a: "1"}},
                                                 {query: {b: "1"}}]}]
              not: [{method: POST}, {variable: {$arg_c: "~."}}]
            respond: {body: any}
          - path: /match/*
            respond: {body: none}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    directory = tmp_path_factory.mktemp("maps")
    (directory / "more.yaml").write_text(
        "maps:\n"
        "  fallback: {source: $host, values: {\"*.example\": site}, "
        "default: app}\n"
        "  from_include: {source: $office, values: {inside: yes}}\n")
    w = Weir(directory, CONFIG).start()
    yield w
    w.check()


def seen(server, path="/ok", **headers):
    r = server.get(path, {k.replace("_", "-"): v for k, v in headers.items()})
    return r.headers["X-Seen"].split(" ")


def test_values_networks_and_ranges(server):
    assert seen(server)[:3] == ["app", "inside", ""]
    assert seen(server, X_Beta="1", X_Size="12")[:3] == [
        "beta", "inside", "small"]
    assert seen(server, X_Beta="canary-red", X_Size="5000")[:3] == [
        "red", "inside", "large"]
    assert seen(server, Host="a.example")[0] == "site"
    assert seen(server)[4] == "yes"


def test_a_key_stays_in_its_share(server):
    first = [seen(server, "/ok?id=%d" % i)[3] for i in range(40)]
    assert set(first) == {"a", "b"}
    assert server.reload().returncode == 0
    assert [seen(server, "/ok?id=%d" % i)[3] for i in range(40)] == first


def test_they_stand_in_redirects_and_rewrites(server):
    r = server.get("/go/", {"X-Beta": "1"})
    assert r.headers["Location"] == "/beta/inside"
    assert server.get("/map/x", {"X-Beta": "1"}).text == "/in/beta"
    # What a client's bytes bring in is looked at as everywhere.
    assert server.get("/map/x", {"Host": "a.example"}).text == "/in/site"


def test_what_is_only_asked_for_by_the_log_is_found_there(server):
    server.get("/nowhere")
    server.wait_access_log("/nowhere app missing\n")


@pytest.mark.parametrize("method, query, headers, got", [
    ("GET", "", {}, "none"),
    ("GET", "", {"X-Beta": "1"}, "variable"),
    ("GET", "", {"X-Beta": "canary-x"}, "none"),
    ("GET", "", {"X-A": "1"}, "any"),
    ("POST", "", {"X-A": "1"}, "none"),
    ("GET", "?c=1", {"X-A": "1"}, "none"),
    ("GET", "?a=1", {}, "none"),
    ("GET", "?a=1&b=1", {}, "any"),
    ("GET", "?a=1&b=1&c", {}, "any"),
])
def test_routes_are_matched_by_variables_and_logic(server, method, query,
                                                   headers, got):
    assert server.request(method, "/match/" + query, headers).text == got
